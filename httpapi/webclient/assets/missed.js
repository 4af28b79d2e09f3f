// @ts-check
/**
 * How many missed calls the user has not seen yet, the same in every tab.
 *
 * @typedef {import("./types.js").WebConferencing} WebConferencing
 * @typedef {import("./types.js").UserEvent} UserEvent
 */

/** How often the count is read again when it changes meanwhile. */
const maxReads = 3;

/** Keeps the count. */
export class MissedCalls {
	count = 0;
	#wc;
	#changed;
	#told = 0;

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
			await this.#take(this.#wc.getMissedCount());
		} catch {
			// Without a history on the server there is nothing to count.
		}
	}

	/** @param {UserEvent} event */
	onEvent(event) {
		if (event.eventType !== "call_history" || !Number.isInteger(event.count)) return;
		this.#told++;
		this.#set(Number(event.count));
	}

	/** @param {string} [upTo] */
	async see(upTo) {
		await this.#take(this.#wc.markSeen(upTo));
	}

	/**
	 * Takes the count of an answer, unless an event has told of another one
	 * meanwhile: which of the two is older can't be known.
	 *
	 * @param {Promise<number>} answer
	 */
	async #take(answer) {
		for (let reads = 0; reads <= maxReads; reads++) {
			const told = this.#told;
			const count = await (reads === 0 ? answer : this.#wc.getMissedCount());
			if (told !== this.#told) continue;
			this.#set(count);
			return;
		}
	}

	/** @param {number} count */
	#set(count) {
		if (this.count === count) return;
		this.count = count;
		this.#changed();
	}
}
