// @ts-check
/**
 * The client of the web conferencing library: calls, their events, people and
 * groups, providers and the client log. It shows nothing; see elements.js for
 * that, and index.js for a page that needs nothing but the standard.
 *
 * What belongs together has a file of its own: link.js the connection,
 * directory.js connectors and people, call-commands.js the commands about
 * calls, reports.js history and administration.
 *
 * @typedef {import("./types.js").WebConferencing} WebConferencing
 * @typedef {import("./types.js").WebConferencingOptions} WebConferencingOptions
 */
import { Numbering, SeenOnce } from "./call-data.js";
import { englishMessages } from "./messages.js";
import { Reports } from "./reports.js";
import { toCallError } from "./rest.js";
import { asObject } from "./wire.js";

const userChannel = "/eXo/Application/WebConferencing/user/";
const callChannel = "/eXo/Application/WebConferencing/call/";

/**
 * Makes a client for one page. Nothing is connected before `init`.
 *
 * @param {WebConferencingOptions} options
 * @returns {WebConferencing}
 */
export function createWebConferencing(options) {
	return new Client(options);
}

/** @implements {WebConferencing} */
class Client extends Reports {
	#numbering = new Numbering();

	/**
	 * @param {string} userId
	 * @param {(event: import("./types.js").UserEvent) => void} onUpdate
	 * @param {(error: Error) => void} [onError]
	 * @param {() => void} [onReady]
	 * @param {{onReset?: () => void}} [options] onReset: events may have been
	 *   missed, read the state anew
	 */
	onUserUpdate(userId, onUpdate, onError, onReady, { onReset } = {}) {
		const channel = userChannel + userId;
		return this.bayeux.subscribe(channel, {
			onMessage: (data) => {
				const event = asObject(data);
				if (event && this.fence.passes(channel, event)) onUpdate(event);
			},
			onError,
			onReady,
			onReset,
		});
	}

	/**
	 * @param {string} callId
	 * @param {(data: any) => void} onUpdate
	 * @param {(error: Error) => void} [onError]
	 * @param {() => void} [onReady]
	 */
	onCallUpdate(callId, onUpdate, onError, onReady) {
		const seen = new SeenOnce();
		return this.bayeux.subscribe(callChannel + callId, {
			onMessage: (message) => {
				const update = asObject(message);
				const data = update && seen.take(update);
				if (data) onUpdate(data);
			},
			onError,
			onReady,
		});
	}

	/**
	 * @param {string} callId
	 * @param {Record<string, any>} data
	 */
	async toCallUpdate(callId, data) {
		try {
			await this.bayeux.publish(callChannel + callId, { ...this.#numbering.mark(data), ...this.identity() });
		} catch (error) {
			throw toCallError(error);
		}
	}

	/** @param {any} error */
	errorText(error) {
		const { code, reason, message } = toCallError(error);
		for (const key of [`webconferencing.error.${reason}`, `webconferencing.error.${code}`]) {
			if (englishMessages.has(key)) return this.message(key);
		}
		return message;
	}
}
