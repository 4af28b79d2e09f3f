// @ts-check
/**
 * The client's log: to the console at once, and by way of the spool to the
 * server, where each line is found by user, client and time.
 *
 * @typedef {import("./log-spool.js").Entry} Entry
 */
import { LogSpool } from "./log-spool.js";

export { LogSpool };

const maxText = 8192;

/**
 * @param {any} value
 * @returns {string}
 */
function textOf(value) {
	if (value === undefined || value === null) return "";
	if (typeof value === "string") return value;
	if (value instanceof Error) return `${value.name}: ${value.message}`;
	if (typeof value === "object" && typeof value.message === "string") return value.message;
	try {
		return JSON.stringify(value) ?? String(value);
	} catch {
		return String(value);
	}
}

/**
 * The server's own reference of an error, which leads to its log.
 *
 * @param {any} error
 * @returns {string}
 */
function refOf(error) {
	const ref = error?.ref ?? error?.data?.ref;
	return typeof ref === "string" && /^[\w.:-]{1,64}$/.test(ref) ? ref : "";
}

/**
 * @typedef {object} LogOptions
 * @property {string} provider
 * @property {string} owner `user-client`
 * @property {(entry: Entry) => void} [spool] absent while the provider's remote
 *   logging is off
 * @property {(title: string, text: string) => void} show
 * @property {(ref: string) => string} reference text for an error reference
 */

/**
 * Makes a log for one provider.
 *
 * @param {() => LogOptions} options asked for each message, since remote logging
 *   may be switched on later
 * @param {string} [prefix]
 * @param {{ref: string}} [last] shared by a log and its prefixed ones
 * @returns {import("./types.js").Log}
 */
export function createLog(options, prefix = "", last = { ref: "" }) {
	/**
	 * @param {"trace"|"debug"|"info"|"warn"|"error"} level
	 * @param {any} message
	 * @param {any} [error]
	 */
	const write = (level, message, error) => {
		const { provider, owner, spool } = options();
		const timestamp = new Date().toISOString();
		last.ref = `${owner}-${timestamp}`;
		const ref = refOf(error);
		const cause = textOf(error) + (ref ? ` (ref ${ref})` : "");
		const text = (cause ? `${textOf(message)}: ${cause}` : textOf(message)).slice(0, maxText);
		const name = prefix ? `${provider}.${prefix}` : provider;
		console[level === "trace" ? "debug" : level](`[${name}] ${text} -- ${timestamp}`);
		if (level !== "trace") spool?.({ provider, prefix, level, data: text, timestamp });
	};
	return {
		prefix: (text) => createLog(options, text, last),
		trace: (message, error) => write("trace", message, error),
		debug: (message, error) => write("debug", message, error),
		info: (message, error) => write("info", message, error),
		warn: (message, error) => write("warn", message, error),
		error: (message, error) => write("error", message, error),
		showError(title, text, error) {
			write("error", `${title}. ${text}`, error);
			const { show, reference } = options();
			show(title, `${text} ${reference(refOf(error) || last.ref)}`);
		},
		lastMessageRef: () => last.ref,
	};
}
