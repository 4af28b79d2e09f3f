// @ts-check
import { BaseElement } from "./base-element.js";
import { avatar, element, setText } from "./dom.js";
import { timelineStyles } from "./styles-admin.js";

/** @typedef {import("./types.js").TimelineEvent} TimelineEvent */

const plain = new Set(["call_joined", "call_leaved", "call_declined", "call_missed", "call_ringing", "call_updated", "call_device_leaved", "call_seat_replaced", "call_noted"]);
const causes = new Set(["command", "expired", "node_lost", "deadline", "removed", "takeover", "admin", "replaced", "provider"]);

/**
 * `<wc-call-timeline>`, for administrators: every change of a call with who or
 * what brought it about, also of calls that are over. `call` names the call;
 * without, there is a field to enter one. `timeline` events of other elements
 * in the page lead here.
 */
export class CallTimeline extends BaseElement {
	static observedAttributes = ["call"];

	#label = element("span");
	#input = element("input", { type: "text", autocomplete: "off", spellcheck: "false" });
	#hint = element("span", { class: "note" });
	#show = element("button", { type: "submit", class: "primary" });
	#form = element("form", {}, element("label", { class: "field" }, this.#label, this.#input, this.#hint), this.#show);
	#result = element("div", { tabindex: "-1" });
	#told = element("p", { class: "hushed", role: "status" });
	#asked = 0;

	constructor() {
		super(timelineStyles);
		this.root.append(this.#form, this.#told, this.#result);
		this.#form.addEventListener("submit", (event) => {
			event.preventDefault();
			this.setAttribute("call", this.#input.value.trim());
		});
	}

	/**
	 * @param {import("./base-element.js").App} _app
	 * @param {AbortSignal} signal
	 */
	attached(_app, signal) {
		document.addEventListener("timeline", (event) => {
			if (!(event instanceof CustomEvent) || typeof event.detail !== "string") return;
			this.setAttribute("call", event.detail);
			this.scrollIntoView({ block: "start" });
			this.#result.focus({ preventScroll: true });
		}, { signal });
		void this.#load();
	}

	attributeChangedCallback() {
		if (this.isConnected) void this.#load();
	}

	render() {
		setText(this.#label, this.text("admin.callId"));
		setText(this.#hint, this.text("admin.callIdHint"));
		setText(this.#show, this.text("admin.show"));
	}

	async #load() {
		const { app } = this;
		const id = this.getAttribute("call") ?? "";
		if (!app || !id) return;
		this.#input.value = id;
		const asked = ++this.#asked;
		try {
			const { events, users } = await app.wc.getTimeline(id);
			if (asked !== this.#asked) return;
			if (events.length === 0) this.#say(this.text("admin.noTimeline"));
			else this.#table(id, events, users ?? {});
		} catch (error) {
			if (asked === this.#asked) this.#say(`${this.text("admin.failed")} ${app.wc.errorText(error)}`);
		}
	}

	/** @param {string} words */
	#say(words) {
		setText(this.#told, words);
		this.#result.replaceChildren(element("div", { class: "panel empty" }, words));
	}

	/**
	 * @param {string} id
	 * @param {TimelineEvent[]} events
	 * @param {Record<string, import("./types.js").User>} users
	 */
	#table(id, events, users) {
		const words = this.text("admin.timelineOf", { name: id });
		const heads = ["time", "event", "by", "cause"].map((key) => element("th", { scope: "col" }, this.text(`admin.${key}`)));
		const rows = [];
		let run = -1;
		for (const event of events) {
			if ((event.epoch ?? 0) !== run) {
				run = event.epoch ?? 0;
				rows.push(element("tr", {}, element("th", { colspan: "4", scope: "rowgroup" }, this.text("admin.run", { number: run }))));
			}
			rows.push(this.#row(event, users));
		}
		// A wide table scrolls by itself, by keyboard too.
		const scroll = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": words });
		scroll.append(element("table", {}, element("caption", {}, words), element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows)));
		this.#result.replaceChildren(element("div", { class: "panel" }, scroll));
		setText(this.#told, words);
	}

	/**
	 * @param {TimelineEvent} event
	 * @param {Record<string, import("./types.js").User>} users
	 */
	#row(event, users) {
		const { wc } = /** @type {import("./base-element.js").App} */ (this.app);
		/** @param {string} id */
		const name = (id) => (Object.hasOwn(users, id) && users[id].title) || id;
		const cause = event.cause ?? "";
		const details = [event.clientId && this.text("admin.device", { name: event.clientId }), event.node && this.text("admin.node", { name: event.node }), event.ref].filter(Boolean).join(" · ");
		const actor = event.actor ? [element("span", { class: "by" }, avatar(name(event.actor), Object.hasOwn(users, event.actor) ? users[event.actor].avatarLink : null), name(event.actor))] : [this.text("admin.server")];
		const time = event.time ?? "";
		return element(
			"tr",
			{},
			element("td", { class: "time" }, element("time", { datetime: time, title: time }, wc.formatDate(time, { dateStyle: "short", timeStyle: "medium" }))),
			element("td", {}, this.#what(event, name), ...(details ? [element("span", { class: "note" }, details)] : [])),
			element("td", {}, ...actor),
			element("td", {}, causes.has(cause) ? this.text(`admin.cause.${cause}`) : cause, ...(event.evidence ? [element("span", { class: "note" }, event.evidence)] : [])),
		);
	}

	/**
	 * @param {TimelineEvent} event
	 * @param {(id: string) => string} nameOf
	 */
	#what(event, nameOf) {
		if (event.eventType === "call_state") {
			if (event.callState === "started") return this.text("admin.event.started");
			if (event.callState === "stopped") return this.text("admin.event.stopped", { reason: event.reason ? this.text(`ended.${event.reason}`) : "" });
			return this.text("admin.event.created");
		}
		if (!plain.has(event.eventType)) return event.eventType;
		return this.text(`admin.event.${event.eventType}`, { name: event.part ? nameOf(event.part.id) : "" });
	}
}
