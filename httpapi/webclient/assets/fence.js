// @ts-check

const maxCalls = 500;
const forgetAfter = 12 * 60 * 60 * 1000;

/**
 * Knows what events told of calls, and tells what is older than that. Events of
 * one change share a version, so an equal one is not older.
 */
export class EventFence {
	#perScope = new Newest();
	#perCall = new Newest();

	/**
	 * @param {string} scope what delivers the events; each is fenced by itself
	 * @param {{callId?: string, epoch?: number, version?: number}} event
	 * @returns {boolean} whether it is news
	 */
	passes(scope, { callId, epoch, version }) {
		if (typeof callId !== "string" || !Number.isFinite(epoch) || !Number.isFinite(version)) return true;
		const news = { epoch: Number(epoch), version: Number(version), at: Date.now() };
		this.#perCall.take(callId, news);
		return this.#perScope.take(`${scope} ${callId}`, news);
	}

	/**
	 * Whether a call was read before something that an event told already.
	 * Answers and events travel on ways of their own and overtake each other.
	 *
	 * @param {import("./types.js").Call} call
	 */
	isBehind({ id, epoch, version }) {
		if (epoch === undefined || version === undefined) return false;
		return this.#perCall.isNewerThan(id, { epoch, version, at: Date.now() });
	}
}

/** The newest version of each call. */
class Newest {
	/** @type {Map<string, {epoch: number, version: number, at: number}>} */
	#seen = new Map();

	/**
	 * @param {string} key
	 * @param {{epoch: number, version: number, at: number}} news
	 * @returns {boolean} false if it is older than what is known
	 */
	take(key, news) {
		if (this.isNewerThan(key, news)) return false;
		this.#seen.delete(key);
		this.#seen.set(key, news);
		if (this.#seen.size > maxCalls) {
			const [oldest] = this.#seen.keys();
			this.#seen.delete(oldest);
		}
		return true;
	}

	/**
	 * @param {string} key
	 * @param {{epoch: number, version: number, at: number}} news
	 */
	isNewerThan(key, news) {
		const old = this.#seen.get(key);
		// A call id that was free for long may begin to count from one again.
		return old !== undefined && news.at - old.at < forgetAfter && isOlder(news, old);
	}
}

/**
 * @param {{epoch: number, version: number}} a
 * @param {{epoch: number, version: number}} b
 */
export function isOlder(a, b) {
	return a.epoch < b.epoch || (a.epoch === b.epoch && a.version < b.version);
}
