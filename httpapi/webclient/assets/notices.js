// @ts-check
import { BaseElement } from "./base-element.js";
import { element, icon } from "./dom.js";
import { noticeStyles } from "./styles.js";

const briefTime = 8000;
const maxNotices = 5;

/** `<wc-notices>`: what connectors have to tell the user. */
export class Notices extends BaseElement {
	constructor() {
		super(noticeStyles);
	}

	/**
	 * @param {import("./base-element.js").App} app
	 * @param {AbortSignal} signal
	 */
	attached({ wc }, signal) {
		wc.events.addEventListener("notice", (event) => {
			if (event instanceof CustomEvent) this.#show(event.detail);
		}, { signal });
	}

	/** @param {import("./types.js").Notice} notice */
	#show({ level, title, text, modal }) {
		const close = element("button", { type: "button", class: "corner", "aria-label": this.text("close") }, icon("close"));
		const body = element("div", {}, ...(title ? [element("strong", {}, title)] : []), element("span", {}, text));
		const box = element("div", { class: "notice", role: level === "info" ? "status" : "alert", "data-level": level }, body, close);
		close.addEventListener("click", () => box.remove());
		if (!modal) setTimeout(() => box.remove(), briefTime);
		this.root.append(box);
		while (this.root.childElementCount > maxNotices) this.root.firstElementChild?.remove();
	}
}
