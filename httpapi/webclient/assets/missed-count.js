// @ts-check
import { BaseElement } from "./base-element.js";
import { element, setText } from "./dom.js";
import { missedStyles } from "./styles-panels.js";

/**
 * `<wc-missed-count>`: how many missed calls the user has not seen yet, as a
 * badge beside the link to the history; nothing if there is none. A screen
 * reader reads it as a sentence.
 */
export class MissedCount extends BaseElement {
	#number = element("span", { class: "badge", "aria-hidden": "true", part: "badge" });
	#words = element("span", { class: "hushed" });

	constructor() {
		super(missedStyles);
		this.root.append(this.#number, this.#words);
	}

	/** @param {import("./base-element.js").App} app */
	render({ calls }) {
		const count = calls.missed ?? 0;
		this.hidden = count === 0;
		// The server counts no further.
		setText(this.#number, count === 0 ? "" : count >= 99 ? "99+" : String(count));
		setText(this.#words, count === 0 ? "" : this.text("history.missedCount", { count }));
	}

	detached() {
		this.hidden = true;
		setText(this.#words, "");
	}
}
