// @ts-check
/**
 * The client's log: to the console at once, and in batches to the server, where
 * each line is found by user, client and time.
 *
 * @typedef {{provider: string, prefix: string, level: string, data: string, timestamp: string}} Entry
 */

const flushAbove = 10;
const flushEvery = 10_000;
const maxWaiting = 500;
const maxText = 8192;

/** Collects entries of all logs of a page and sends them off in batches. */
export class LogSpool {
	/** @type {Entry[]} */
	#waiting = [];
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	#timer;
	#dropped = 0;

	/** @param {(entries: Entry[]) => void} send must not throw */
	constructor(send) {
		this.#send = send;
	}

	/** @type {(entries: Entry[]) => void} */
	#send;

	/** @param {Entry} entry */
	add(entry) {
		if (this.#waiting.length >= maxWaiting) {
			this.#waiting.shift();
			this.#dropped++;
		}
		this.#waiting.push(entry);
		if (this.#waiting.length > flushAbove) this.flush();
		else this.#timer ??= setTimeout(() => this.flush(), flushEvery);
	}

	/** Sends what is waiting. */
	flush() {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		const entries = this.#waiting.splice(0);
		if (entries.length === 0) return;
		if (this.#dropped > 0) {
			entries.unshift({ ...entries[0], level: "warn", data: `${this.#dropped} earlier messages were dropped` });
			this.#dropped = 0;
		}
		this.#send(entries);
	}
}

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
		const cause = textOf(error);
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
			show(title, `${text} ${reference(last.ref)}`);
		},
		lastMessageRef: () => last.ref,
	};
}
