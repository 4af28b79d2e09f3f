// @ts-check
/** What can go wrong between a Bayeux client and its server. */

/** A refused, failed or unanswered message. */
export class BayeuxError extends Error {
	/**
	 * @param {string} code the number in front of the server's error, or one of
	 *   `timeout`, `closed`, `refused`
	 * @param {string} message
	 * @param {any} [data] what a failed remote call answered
	 */
	constructor(code, message, data) {
		super(message);
		this.name = "BayeuxError";
		this.code = code;
		this.data = data;
	}
}

/**
 * Makes an error of a reply that is not successful.
 *
 * @param {import("./transport.js").Message} reply
 * @param {string} fallback
 */
export function refusal(reply, fallback) {
	const text = typeof reply.error === "string" ? reply.error : fallback;
	return new BayeuxError(/^\d+/.exec(text)?.[0] ?? "refused", text, reply.data);
}

/** The session is over; `delay` is how long to wait before the next, in ms. */
export class SessionLost extends Error {
	/**
	 * @param {string} message
	 * @param {{delay?: number, stop?: boolean, spread?: number}} [details]
	 */
	constructor(message, details = {}) {
		super(message);
		this.delay = details.delay;
		this.stop = details.stop ?? false;
		this.spread = details.spread ?? 0;
	}
}
