// @ts-check
/**
 * How many missed calls the user has not seen yet, the same in every tab.
 *
 * @typedef {import("./types.js").WebConferencing} WebConferencing
 * @typedef {import("./types.js").UserEvent} UserEvent
 */

/** Keeps the count. */
export class MissedCalls {
	count = 0;
	#wc;
	#changed;

	/**
	 * @param {WebConferencing} wc
	 * @param {() => void} changed
	 */
	constructor(wc, changed) {
		this.#wc = wc;
		this.#changed = changed;
	}

	/**
	 * Reads the count. It has to be asked for in each session, since only who
	 * asked is told of changes.
	 */
	async read() {
		try {
			this.#set(await this.#wc.getMissedCount());
		} catch {
			// Without a history on the server there is nothing to count.
		}
	}

	/** @param {UserEvent} event */
	onEvent(event) {
		if (event.eventType === "call_history" && Number.isInteger(event.count)) this.#set(Number(event.count));
	}

	/** @param {string} [upTo] */
	async see(upTo) {
		this.#set(await this.#wc.markSeen(upTo));
	}

	/** @param {number} count */
	#set(count) {
		if (this.count === count) return;
		this.count = count;
		this.#changed();
	}
}
