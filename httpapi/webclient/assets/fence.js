// @ts-check

const maxCalls = 500;
const forgetAfter = 12 * 60 * 60 * 1000;

/**
 * Drops events of calls that are older than what was seen already. Events of
 * one change share a version, so an equal one passes.
 */
export class EventFence {
	/** @type {Map<string, {epoch: number, version: number, at: number}>} */
	#seen = new Map();

	/**
	 * @param {string} scope what delivers the events; each is fenced by itself
	 * @param {{callId?: string, epoch?: number, version?: number}} event
	 * @returns {boolean} whether it is news
	 */
	passes(scope, { callId, epoch, version }) {
		if (typeof callId !== "string" || !Number.isFinite(epoch) || !Number.isFinite(version)) return true;
		const key = `${scope} ${callId}`;
		const news = { epoch: Number(epoch), version: Number(version), at: Date.now() };
		const old = this.#seen.get(key);
		// A call id that was free for long may begin to count from one again.
		if (old && news.at - old.at < forgetAfter && isOlder(news, old)) return false;
		this.#seen.delete(key);
		this.#seen.set(key, news);
		if (this.#seen.size > maxCalls) {
			const [oldest] = this.#seen.keys();
			this.#seen.delete(oldest);
		}
		return true;
	}
}

/**
 * @param {{epoch: number, version: number}} a
 * @param {{epoch: number, version: number}} b
 */
export function isOlder(a, b) {
	return a.epoch < b.epoch || (a.epoch === b.epoch && a.version < b.version);
}
