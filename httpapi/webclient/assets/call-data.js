// @ts-check
/**
 * Numbers on what devices send each other over a call's channel. A message that
 * is sent again because the connection broke before the server's answer has the
 * number that it had, and who gets it twice drops the second one.
 */

const numberField = "exoSeq";
const maxSenders = 2000;

/** Numbers what this page sends. */
export class Numbering {
	#last = 0;

	/** @param {Record<string, any>} data */
	mark(data) {
		return { ...data, [numberField]: ++this.#last };
	}
}

/** Drops what a sender's number says was seen before. */
export class SeenOnce {
	/** @type {Map<string, number>} the last number of each sender */
	#seen = new Map();

	/**
	 * @param {Record<string, any>} update
	 * @returns {Record<string, any> | null} without its number; null if it was
	 *   seen before
	 */
	take(update) {
		const { [numberField]: number, ...data } = update;
		// Old clients number nothing.
		if (!Number.isInteger(number)) return data;
		const sender = `${data.exoId}/${data.exoClientId}`;
		if (number <= (this.#seen.get(sender) ?? 0)) return null;
		this.#seen.delete(sender);
		this.#seen.set(sender, number);
		if (this.#seen.size > maxSenders) {
			const [oldest] = this.#seen.keys();
			this.#seen.delete(oldest);
		}
		return data;
	}
}
