// @ts-check
import { BaseElement } from "./base-element.js";
import { arrange, avatar, element, icon } from "./dom.js";
import { RingTone } from "./ring.js";
import { incomingStyles } from "./styles.js";

/**
 * `<wc-incoming-call>`: a card for each call that rings. One of a browser's
 * tabs sounds.
 */
export class IncomingCallCards extends BaseElement {
	/** @type {Map<string, HTMLElement>} by call id */
	#cards = new Map();
	#announcement = element("div", { class: "hushed", role: "alert" });
	#list = element("div", { class: "list" });
	#tone = new RingTone();

	constructor() {
		super(incomingStyles);
		this.root.append(this.#announcement, this.#list);
	}

	/** @param {import("./base-element.js").App} app */
	render({ calls }) {
		const rings = calls.incoming;
		const live = new Set(rings.map((r) => r.callId));
		for (const id of this.#cards.keys()) {
			if (!live.has(id)) this.#cards.delete(id);
		}
		const fresh = rings.filter((r) => !this.#cards.has(r.callId));
		for (const ring of fresh) this.#cards.set(ring.callId, this.#card(ring));
		arrange(this.#list, [...this.#cards.values()]);

		const busy = calls.current !== null && calls.current.phase !== "ended";
		if (rings.some((r) => r.sounding) && !busy) this.#tone.start();
		else this.#tone.stop();

		if (fresh.length > 0) {
			this.#announcement.textContent = fresh.map((r) => this.#sentence(r)).join(" ");
			// Nobody's typing is interrupted: the focus moves only if it is nowhere.
			if (document.activeElement === null || document.activeElement === document.body) this.#cards.get(fresh[0].callId)?.focus();
		} else if (rings.length === 0) this.#announcement.textContent = "";
	}

	detached() {
		this.#tone.stop();
		this.#cards.clear();
		this.#list.replaceChildren();
		this.#announcement.textContent = "";
	}

	/** @param {import("./types.js").IncomingCall} ring */
	#sentence(ring) {
		return ring.groupTitle ? this.text("incoming.group", { name: ring.callerName, group: ring.groupTitle }) : this.text("incoming.from", { name: ring.callerName });
	}

	/** @param {import("./types.js").IncomingCall} ring */
	#card(ring) {
		const accept = element("button", { type: "button", class: "accept" }, icon("phone"), this.text("incoming.accept"));
		const decline = element("button", { type: "button", class: "danger" }, icon("hangUp"), this.text("incoming.decline"));
		accept.addEventListener("click", () => void this.app?.calls.accept(ring.callId));
		decline.addEventListener("click", () => void this.app?.calls.decline(ring.callId));
		return element(
			"div",
			{ class: "card", role: "dialog", "aria-labelledby": `title-${ring.callId}`, "aria-describedby": `from-${ring.callId}`, tabindex: "-1" },
			avatar(ring.callerName, ring.avatarLink),
			element("h2", { id: `title-${ring.callId}` }, this.text("incoming.title")),
			element("p", { id: `from-${ring.callId}` }, this.#sentence(ring)),
			element("div", { class: "actions" }, decline, accept),
		);
	}
}
