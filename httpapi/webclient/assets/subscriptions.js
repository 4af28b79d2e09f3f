// @ts-check
/**
 * The channels that a Bayeux client listens to, and how far each was read.
 *
 * @typedef {import("./transport.js").Message} Message
 *
 * @typedef {object} Listener
 * @property {(data: any, message: Message) => void} onMessage
 * @property {(error: Error & {code: string}) => void} [onError] the
 *   subscription was refused; it is over
 * @property {() => void} [onReady] subscribed, first time and again
 * @property {() => void} [onReset] messages may have been missed: read the
 *   state anew
 */

/** One channel with those who listen to it. */
export class Channel {
	/** @type {Set<Listener>} */
	listeners = new Set();
	/** @type {number | null} of the last message seen */
	position = null;
	/** Whether the server has confirmed it at least once. */
	seen = false;
	/** @type {() => void} */
	resolve = () => {};
	/** @type {(error: Error) => void} */
	reject = () => {};

	/** @param {string} name */
	constructor(name) {
		this.name = name;
		/** @type {Promise<void>} */
		this.ready = new Promise((resolve, reject) => {
			this.resolve = resolve;
			this.reject = reject;
		});
		this.ready.catch(() => undefined);
	}

	/**
	 * Hands a message to the listeners unless it was seen before.
	 *
	 * @param {Message} message
	 */
	deliver(message) {
		const id = message.ext?.replayId;
		const position = id === undefined || id === null ? NaN : Number(id);
		if (Number.isFinite(position)) {
			if (this.position !== null && position <= this.position) return;
			this.position = position;
		}
		for (const listener of [...this.listeners]) guard(() => listener.onMessage(message.data, message));
	}

	/**
	 * The server confirmed the subscription.
	 *
	 * @param {{start: number, missed: boolean}} how start: the position at
	 *   which it begins, or NaN; missed: there may be a gap before it
	 */
	confirmed({ start, missed }) {
		if (this.position === null && Number.isFinite(start) && start >= 0) this.position = start;
		this.seen = true;
		this.resolve();
		for (const listener of [...this.listeners]) {
			guard(() => listener.onReady?.());
			if (missed) guard(() => listener.onReset?.());
		}
	}

	/** @param {Error & {code: string}} error */
	refused(error) {
		this.reject(error);
		for (const listener of [...this.listeners]) guard(() => listener.onError?.(error));
	}
}

/**
 * Keeps one listener's mistake from the others.
 *
 * @param {() => void} run
 */
export function guard(run) {
	try {
		run();
	} catch (error) {
		queueMicrotask(() => {
			throw error;
		});
	}
}
