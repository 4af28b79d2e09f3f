// @ts-check
/**
 * When a Bayeux client speaks: what the server advised, and how long to wait
 * after a failure.
 */
export class Pacing {
	/** How long the server holds a connect, in ms. */
	timeout = 30_000;
	/** Pause between connects, in ms. */
	interval = 0;
	/** What the server wants next: retry, handshake or none. */
	reconnect = "retry";
	/** Sessions lost in a row. */
	failures = 0;

	/**
	 * @param {number} minBackoff in ms
	 * @param {number} maxBackoff in ms
	 */
	constructor(minBackoff, maxBackoff) {
		this.minBackoff = minBackoff;
		this.maxBackoff = maxBackoff;
	}

	/**
	 * Takes over the advice of a server's message, within reason.
	 *
	 * @param {any} advice
	 */
	heed(advice) {
		if (advice === null || typeof advice !== "object") return;
		if (typeof advice.reconnect === "string") this.reconnect = advice.reconnect;
		if (Number.isFinite(advice.timeout) && advice.timeout >= 0) this.timeout = Math.min(advice.timeout, 300_000);
		if (Number.isFinite(advice.interval) && advice.interval >= 0) this.interval = Math.min(advice.interval, 60_000);
	}

	/**
	 * How long to wait before the next attempt: doubling, and mostly random, so
	 * that the clients of a restarted server do not return as one.
	 *
	 * @param {number} spread least width of the random part, in ms
	 */
	backoff(spread) {
		const step = Math.min(this.maxBackoff, this.minBackoff * 2 ** Math.min(this.failures++, 16));
		return Math.max(spread, step) * (0.1 + 0.9 * Math.random());
	}
}

/**
 * A pause that can be cut short.
 *
 * @param {number} ms
 * @returns {{over: Promise<void>, end: () => void}}
 */
export function startPause(ms) {
	let end = () => {};
	/** @type {Promise<void>} */
	const over = new Promise((resolve) => {
		const timer = setTimeout(resolve, ms);
		end = () => {
			clearTimeout(timer);
			resolve();
		};
	});
	return { over, end };
}

const watchEvery = 5000;
const lateBy = 15_000;

/**
 * Tells when the machine has slept: a timer is far too late then.
 *
 * @param {() => void} woke
 * @returns {() => void} ends the watch
 */
export function watchSleep(woke) {
	let last = Date.now();
	const timer = setInterval(() => {
		if (Date.now() - last > watchEvery + lateBy) woke();
		last = Date.now();
	}, watchEvery);
	return () => clearInterval(timer);
}
