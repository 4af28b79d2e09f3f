// @ts-check
/**
 * The way of log entries from a page to the server: in batches, kept while
 * there is no connection, and never more than the server wants to hear.
 *
 * @typedef {{provider: string, prefix: string, level: string, data: string, timestamp: string}} Entry
 *
 * @typedef {object} Delivery
 * @property {(entries: Entry[]) => Promise<Entry[]> | void | number} send sends
 *   and resolves to what could not be sent and shall be tried again
 * @property {(entries: Entry[]) => boolean} [farewell] sends from a page that
 *   goes away; false if it can't take so much
 */

const flushAbove = 10;
const flushEvery = 10_000;
const maxWaiting = 500;
/** So many entries of a farewell fit into one request that outlives the page. */
const farewellBatch = 50;
const farewellChars = 40_000;
/** Entries at once, and in the long run for each second. */
const burst = 200;
const perSecond = 5;

/** Collects entries of all logs of a page and sends them off in batches. */
export class LogSpool {
	#delivery;
	/** @type {Entry[]} */
	#waiting = [];
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	#timer;
	#busy = false;
	/** The page has gone: nothing is sent until it comes back. */
	#paused = false;
	#dropped = 0;
	/** @type {WeakMap<Entry, number>} how many each note about dropped ones tells */
	#notes = new WeakMap();
	#tokens = burst;
	#filled = Date.now();
	/** @type {Entry | null} the newest, to notice one that comes again and again */
	#last = null;
	#repeats = 0;

	/** @param {Delivery | Delivery["send"]} delivery */
	constructor(delivery) {
		this.#delivery = typeof delivery === "function" ? { send: delivery } : delivery;
	}

	/** How many entries wait. */
	get size() {
		return this.#waiting.length;
	}

	/** @param {Entry} entry */
	add(entry) {
		if (this.#last && sameMessage(this.#last, entry)) {
			this.#repeats++;
			this.#later();
			return;
		}
		this.#noteRepeats();
		this.#last = entry;
		if (!this.#allowed()) {
			this.#dropped++;
			return;
		}
		this.#push(entry);
		if (this.#waiting.length > flushAbove) this.flush();
		else this.#later();
	}

	/** Sends what is waiting; what can't be sent waits on. */
	flush() {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		if (this.#busy || this.#paused) return;
		const entries = this.#take();
		if (entries.length === 0) return;
		const sending = this.#delivery.send(entries);
		if (!(sending instanceof Promise)) return;
		this.#busy = true;
		sending.catch(() => entries).then((unsent) => {
			this.#busy = false;
			this.#restore(unsent);
			if (this.#waiting.length > 0) this.#later();
		});
	}

	/**
	 * Takes out all that waits, for a page that goes away: what fits is sent,
	 * the rest is returned to be kept for the next page.
	 *
	 * @returns {Entry[]}
	 */
	farewell() {
		this.#paused = true;
		clearTimeout(this.#timer);
		this.#timer = undefined;
		const entries = this.#take();
		const { farewell } = this.#delivery;
		if (entries.length === 0 || !farewell) return entries;
		let size = 0;
		let count = 0;
		// The newest matter most: they say why the page goes.
		for (const entry of [...entries].reverse()) {
			size += entry.data.length + 200;
			if (count === farewellBatch || size > farewellChars) break;
			count++;
		}
		const [rest, last] = [entries.slice(0, entries.length - count), entries.slice(entries.length - count)];
		return farewell(last) ? rest : entries;
	}

	/**
	 * Puts entries back in front of those that wait.
	 *
	 * @param {Entry[]} entries
	 */
	#restore(entries) {
		// A note that could not be sent is written anew, with the sum.
		for (const entry of entries) this.#dropped += this.#notes.get(entry) ?? 0;
		const kept = entries.filter((entry) => !this.#notes.has(entry));
		if (kept.length === 0) return;
		this.#waiting.unshift(...kept);
		const tooMany = this.#waiting.length - maxWaiting;
		if (tooMany > 0) {
			this.#waiting.splice(0, tooMany);
			this.#dropped += tooMany;
		}
	}

	/**
	 * The page begins, or comes back.
	 *
	 * @param {Entry[]} entries from an earlier page
	 */
	takeOver(entries) {
		this.#paused = false;
		this.#restore(entries);
		if (this.#waiting.length > 0) this.#later();
	}

	/** @param {Entry} entry */
	#push(entry) {
		if (this.#waiting.length >= maxWaiting) {
			this.#waiting.shift();
			this.#dropped++;
		}
		this.#waiting.push(entry);
	}

	#take() {
		this.#noteRepeats();
		const entries = this.#waiting.splice(0);
		if (this.#dropped > 0 && entries.length > 0) {
			const note = { ...entries[0], level: "warn", data: `${this.#dropped} messages were left out` };
			this.#notes.set(note, this.#dropped);
			entries.unshift(note);
			this.#dropped = 0;
		}
		return entries;
	}

	#noteRepeats() {
		if (this.#repeats === 0 || !this.#last) return;
		this.#push({ ...this.#last, data: `The last message came ${this.#repeats} more times`, timestamp: new Date().toISOString() });
		this.#repeats = 0;
	}

	#later() {
		if (!this.#paused) this.#timer ??= setTimeout(() => this.flush(), flushEvery);
	}

	#allowed() {
		const now = Date.now();
		this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filled) / 1000) * perSecond);
		this.#filled = now;
		if (this.#tokens < 1) return false;
		this.#tokens--;
		return true;
	}
}

/**
 * @param {Entry} a
 * @param {Entry} b
 */
function sameMessage(a, b) {
	return a.data === b.data && a.level === b.level && a.provider === b.provider && a.prefix === b.prefix;
}

const keptKey = "webconferencing.log";
const maxKept = 100;

/**
 * Keeps entries that a page could not send for the next page of this tab.
 *
 * @param {string} userId
 * @param {Entry[]} entries
 */
export function keepEntries(userId, entries) {
	if (entries.length === 0) return;
	try {
		sessionStorage.setItem(keptKey, JSON.stringify({ userId, entries: entries.slice(-maxKept) }));
	} catch {
		// Storage is switched off or full: these entries are lost.
	}
}

/**
 * @param {string} userId
 * @returns {Entry[]} entries of the same user only
 */
export function takeEntries(userId) {
	try {
		const text = sessionStorage.getItem(keptKey);
		sessionStorage.removeItem(keptKey);
		const kept = JSON.parse(text ?? "null");
		if (kept === null || kept.userId !== userId || !Array.isArray(kept.entries)) return [];
		return kept.entries.slice(0, maxKept).filter((/** @type {any} */ e) => ["provider", "prefix", "level", "data", "timestamp"].every((name) => typeof e?.[name] === "string"));
	} catch {
		return [];
	}
}
