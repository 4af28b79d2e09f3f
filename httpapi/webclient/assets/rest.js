// @ts-check
/**
 * Requests to the REST resources.
 */

/** A failed request or command, in the shape that all of the module throws. */
export class CallError extends Error {
	/** @param {{code?: string, message?: string, reason?: string, field?: string, ref?: string, version?: number, device?: string, status?: number}} details */
	constructor({ code = "SERVER_ERROR", message = "", reason = "", field = "", ref = "", version, device = "", status = 0 }) {
		super(message || code);
		this.name = "CallError";
		/** `CLIENT_ERROR`, `NOT_FOUND_ERROR`, `ACCESS_ERROR` or `SERVER_ERROR`. */
		this.code = code;
		/** Finer than the code, for example `call_conflict`; may be "". */
		this.reason = reason;
		/** The argument at fault; may be "". */
		this.field = field;
		/** Leads to the line in the server's log; may be "". */
		this.ref = ref;
		/** With `version_conflict`: the version that the call has. */
		this.version = version;
		/** With `answered_elsewhere`: the device that answered; may be "". */
		this.device = device;
		/** Status of the HTTP answer, 0 if there was none. */
		this.status = status;
		this.error = true;
	}
}

/**
 * Makes a CallError of whatever was thrown or answered.
 *
 * @param {any} cause
 * @returns {CallError}
 */
export function toCallError(cause) {
	if (cause instanceof CallError) return cause;
	const data = cause?.data ?? cause;
	if (data !== null && typeof data === "object" && typeof data.code === "string" && data.code.endsWith("_ERROR")) {
		return new CallError({
			code: data.code,
			message: String(data.message ?? ""),
			reason: textIn(data, "reason"),
			field: textIn(data, "field"),
			ref: textIn(data, "ref"),
			device: textIn(data, "device"),
			version: Number.isInteger(data.version) ? data.version : undefined,
			status: Number.isInteger(cause.status) ? cause.status : 0,
		});
	}
	const code = typeof cause?.code === "string" ? cause.code : "";
	if (code === "403") return new CallError({ code: "ACCESS_ERROR", message: String(cause.message) });
	const offline = code === "timeout" || code === "closed" || code === "refused" || cause instanceof TypeError;
	return new CallError({ code: "SERVER_ERROR", message: String(cause?.message ?? cause), reason: offline ? "offline" : "" });
}

/**
 * @param {Record<string, any>} data
 * @param {string} name
 */
function textIn(data, name) {
	return typeof data[name] === "string" ? data[name] : "";
}

/** A request that comes too early is tried again so often. */
const maxRetries = 4;
const maxRetryPause = 5000;

/**
 * Fetches JSON. A server that asks to slow down (429) is asked again later.
 *
 * @param {string} url
 * @param {RequestInit} [init]
 * @returns {Promise<any>}
 */
export async function fetchJSON(url, init = {}) {
	for (let retries = 0; ; retries++) {
		let response;
		let body;
		try {
			response = await fetch(url, {
				credentials: "same-origin",
				cache: "no-store",
				...init,
				headers: { Accept: "application/json", ...init.headers },
				signal: AbortSignal.timeout(15_000),
			});
			body = response.status === 204 ? null : await response.json();
		} catch (error) {
			const failed = response ? `the server answered ${response.status}` : String(error instanceof Error ? error.message : error);
			throw new CallError({ code: codeOf(response?.status ?? 0), message: failed, reason: response ? "" : "offline", status: response?.status });
		}
		if (response.ok) return body;
		if (response.status !== 429 || retries === maxRetries) throw toCallError({ status: response.status, data: { code: codeOf(response.status), ...body } });
		await pause(Number(response.headers.get("Retry-After")) * 1000 || 500 * 2 ** retries);
	}
}

/**
 * Waits, some less and some more, so that those who were sent away together do
 * not return together.
 *
 * @param {number} ms
 */
function pause(ms) {
	return new Promise((resolve) => setTimeout(resolve, Math.min(ms, maxRetryPause) * (1 + Math.random())));
}

/** @param {number} status */
function codeOf(status) {
	if (status === 401 || status === 403) return "ACCESS_ERROR";
	if (status === 404 || status === 410) return "NOT_FOUND_ERROR";
	if (status >= 400 && status < 500) return "CLIENT_ERROR";
	return "SERVER_ERROR";
}
