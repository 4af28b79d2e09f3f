// @ts-check
/**
 * What keeps a call from working, by name, so that a page can say each in its
 * own words.
 *
 * @typedef {import("./types.js").WebConferencing} WebConferencing
 * @typedef {import("./types.js").Problem} Problem
 * @typedef {import("./types.js").MediaSession} MediaSession
 */

/** @type {Readonly<Record<string, Problem>>} by what a media session says */
const ofMedia = Object.freeze({ denied: "media_denied", missing: "media_missing", busy: "media_busy", insecure: "media_insecure" });

/** Keeps what is wrong now. */
export class Conditions {
	/** @type {Set<Problem>} */
	#present = new Set();
	#wc;
	#changed;

	/**
	 * @param {WebConferencing} wc
	 * @param {() => void} changed
	 * @param {AbortSignal} signal ends the watch
	 */
	constructor(wc, changed, signal) {
		this.#wc = wc;
		this.#changed = changed;
		wc.events.addEventListener("connection", () => this.#connectionChanged(), { signal });
		wc.events.addEventListener("woken", () => this.report("waking", true), { signal });
		wc.events.addEventListener("alive", () => this.report("waking", false), { signal });
	}

	/**
	 * @param {MediaSession | null} [session]
	 * @returns {Problem[]}
	 */
	list(session) {
		const media = session?.problem ? ofMedia[session.problem] : undefined;
		return media ? [...this.#present, media] : [...this.#present];
	}

	/**
	 * @param {Problem} problem
	 * @param {boolean} present
	 */
	report(problem, present) {
		if (this.#present.has(problem) === present) return;
		if (present) this.#present.add(problem);
		else this.#present.delete(problem);
		this.#changed();
	}

	#connectionChanged() {
		const { connection } = this.#wc;
		// On the way back the connection is as good as none until it is there.
		if (connection === "offline") this.report("offline", true);
		if (connection === "connected" || connection === "refused" || connection === "closed") this.report("offline", false);
		if (connection !== "connecting") this.report("waking", false);
		this.report("refused", connection === "refused");
	}
}
