// @ts-check
/**
 * What a Bayeux client can be told.
 *
 * @typedef {import("./transport.js").Message} Message
 */

/**
 * @typedef {object} BayeuxOptions
 * @property {string} url address of the server, http(s) or ws(s)
 * @property {() => Promise<Message> | Message} [credentials] top-level fields
 *   for each handshake
 * @property {() => Message} [fields] top-level fields for each subscribe and
 *   publish
 * @property {typeof WebSocket | null} [WebSocket] null switches it off
 * @property {typeof fetch} [fetch]
 * @property {number} [timeout] of an ordinary answer, in ms. Defaults to 10000.
 * @property {number} [minBackoff] in ms. Defaults to 1000.
 * @property {number} [maxBackoff] in ms. Defaults to 30000.
 * @property {number} [socketRetry] how long after a failed WebSocket it is
 *   tried again, doubling up to 16 times this. Defaults to 30000 ms.
 */

/**
 * @param {BayeuxOptions} options
 * @returns {Required<BayeuxOptions>}
 */
export function withDefaults(options) {
	return {
		credentials: () => ({}),
		fields: () => ({}),
		WebSocket: globalThis.WebSocket ?? null,
		fetch: globalThis.fetch.bind(globalThis),
		timeout: 10_000,
		minBackoff: 1000,
		maxBackoff: 30_000,
		socketRetry: 30_000,
		...options,
	};
}
