// @ts-check
import { BaseElement } from "./base-element.js";
import { avatar, element, setText } from "./dom.js";
import { timelineStyles } from "./styles-admin.js";

/**
 * @typedef {import("./types.js").TimelineEvent} TimelineEvent
 * @typedef {import("./types.js").User} User
 */

const plain = new Set(["call_joined", "call_leaved", "call_declined", "call_missed", "call_ringing", "call_updated", "call_device_leaved", "call_seat_replaced", "call_ring_ended", "call_noted"]);
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
	#form = element("form", {}, element("label", { class: "field" }, this.#label, this.#input), this.#show, this.#hint);
	#result = element("div", { tabindex: "-1" });
	#told = element("p", { class: "hushed", role: "status" });
	#asked = 0;
	/** @type {TimelineEvent[]} */
	#events = [];
	/** @type {Record<string, User>} */
	#users = {};

	constructor() {
		super(timelineStyles);
		this.#hint.id = "hint";
		this.#input.setAttribute("aria-describedby", "hint");
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

	/** @param {string} [cursor] of earlier changes; absent: the latest ones */
	async #load(cursor) {
		const { app } = this;
		const id = this.getAttribute("call") ?? "";
		if (!app || !id) return;
		this.#input.value = id;
		const asked = ++this.#asked;
		try {
			const { events, users, next } = await app.wc.getTimeline(id, cursor ? { cursor } : {});
			if (asked !== this.#asked) return;
			this.#events = cursor ? [...events, ...this.#events] : events;
			this.#users = cursor ? { ...this.#users, ...users } : (users ?? {});
			if (this.#events.length === 0) this.#say(this.text("admin.noTimeline"));
			else this.#table(id, next ?? "");
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
	 * @param {string} next cursor of earlier changes, "" if there are none
	 */
	#table(id, next) {
		const words = this.text("admin.timelineOf", { name: id });
		const heads = ["time", "event", "by", "cause"].map((key) => element("th", { scope: "col" }, this.text(`admin.${key}`)));
		const rows = [];
		let run = -1;
		let count = 0;
		for (const event of this.#events) {
			if ((event.epoch ?? 0) !== run) {
				run = event.epoch ?? 0;
				count++;
				if (count > 1) rows.push(element("tr", { class: "run" }, element("td", { colspan: "4" })));
			}
			rows.push(this.#row(event));
		}
		// A wide table scrolls by itself, by keyboard too.
		const scroll = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": words });
		scroll.append(element("table", {}, element("caption", {}, words), element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows)));
		const earlier = element("button", { type: "button", class: "outlined small" }, this.text("admin.earlier"));
		earlier.addEventListener("click", () => this.#load(next));
		this.#result.replaceChildren(element("div", { class: "panel" }, ...(next ? [element("div", { class: "earlier" }, earlier)] : []), scroll));
		setText(this.#told, words);
	}

	/** @param {string} id */
	#nameOf(id) {
		return (Object.hasOwn(this.#users, id) && this.#users[id].title) || id;
	}

	/** @param {TimelineEvent} event */
	#row(event) {
		const { wc } = /** @type {import("./base-element.js").App} */ (this.app);
		const { time, evidence } = event;
		const actor = event.actor ?? "";
		const cause = event.cause ?? "";
		const where = [
			...(event.clientId ? [named(this.text("admin.device", { name: short(event.clientId) }), event.clientId)] : []),
			...(event.node ? [named(this.text("admin.node", { name: short(event.node) }), event.node)] : []),
			...(event.ref ? [element("code", {}, event.ref)] : []),
		];
		const link = Object.hasOwn(this.#users, actor) ? this.#users[actor].avatarLink : null;
		const by = actor ? [element("span", { class: "by" }, avatar(this.#nameOf(actor), link), this.#nameOf(actor))] : [this.text("admin.server")];
		return element(
			"tr",
			{},
			element("td", { class: "time" }, element("time", { datetime: time, title: time }, wc.formatDate(time, { dateStyle: "short", timeStyle: "medium" }))),
			element("td", {}, element("strong", {}, this.#what(event)), ...(where.length > 0 ? [element("span", { class: "note" }, ...where)] : [])),
			element("td", {}, ...by),
			element("td", {}, causes.has(cause) ? this.text(`admin.cause.${cause}`) : cause, ...(evidence ? [element("span", { class: "note" }, evidence)] : [])),
		);
	}

	/** @param {TimelineEvent} event */
	#what({ eventType, state, reason, part, ring }) {
		if (eventType === "call_state") {
			if (state === "started") return this.text("admin.event.started");
			if (state === "stopped") return this.text("admin.event.stopped", { reason: this.text(`ended.${reason || "ended"}`) });
			return this.text(state ? "admin.event.call_updated" : "admin.event.created");
		}
		if (!plain.has(eventType)) return eventType;
		return this.text(`admin.event.${eventType}`, { name: part ? this.#nameOf(part) : "", state: ring ? this.text(`admin.state.${ring}`) : "" });
	}
}

/**
 * Enough of a long id to tell it from others.
 *
 * @param {string} id
 */
function short(id) {
	return id.length > 12 ? `${id.slice(0, 8)}…` : id;
}

/**
 * @param {string} words
 * @param {string} whole
 */
function named(words, whole) {
	return element("span", { title: whole }, words);
}
