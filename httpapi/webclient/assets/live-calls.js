// @ts-check
import { BaseElement } from "./base-element.js";
import { Clock, element, icon, setText } from "./dom.js";
import { liveStyles } from "./styles-admin.js";

/**
 * @typedef {import("./types.js").LiveCall} LiveCall
 * @typedef {import("./types.js").User} User
 *
 * @typedef {object} Person
 * @property {string} id
 * @property {string} state after `admin.state.`
 * @property {LiveCall["seats"]} seats
 * @property {string[]} ringingOn
 */

/** How often the list is read again while the page is looked at, in ms. */
const period = 5000;

/**
 * `<wc-live-calls>`, for administrators: the calls that run, who is inside with
 * which device and who rings; why a call still exists; and what can be done
 * about it. It dispatches `timeline` with the call's id as detail when its
 * timeline is asked for; a `<wc-call-timeline>` in the same page shows it.
 */
export class LiveCalls extends BaseElement {
	#refresh = element("button", { type: "button", class: "outlined small" });
	#list = element("div", { class: "panel" });
	#empty = element("div", { class: "empty", hidden: true });
	#fault = element("div", { class: "fault", role: "alert", hidden: true });
	#count = element("p", { class: "grow note", role: "status" });
	/** @type {Map<string, Item>} by call id */
	#items = new Map();
	/** @type {ReturnType<typeof setInterval> | undefined} */
	#timer;
	#asked = 0;

	constructor() {
		super(liveStyles);
		this.#list.append(this.#fault, this.#empty);
		this.root.append(element("div", { class: "toolbar" }, this.#count, this.#refresh), this.#list);
		this.#refresh.addEventListener("click", () => this.load());
	}

	/**
	 * @param {import("./base-element.js").App} _app
	 * @param {AbortSignal} signal
	 */
	attached(_app, signal) {
		const look = () => {
			if (document.visibilityState === "visible") void this.load();
		};
		document.addEventListener("visibilitychange", look, { signal });
		this.#timer = setInterval(look, period);
		signal.addEventListener("abort", () => clearInterval(this.#timer));
		void this.load();
	}

	detached() {
		clearInterval(this.#timer);
		this.#asked++;
		for (const item of this.#items.values()) item.end();
		this.#items.clear();
	}

	render() {
		setText(this.#refresh, this.text("admin.refresh"));
		if (!this.#empty.hasChildNodes()) {
			this.#empty.append(icon("phone"), element("strong", {}, this.text("admin.noLive")), element("span", { class: "note" }, this.text("admin.noLiveHint")));
		}
	}

	async load() {
		const { app } = this;
		if (!app || app.wc.connection !== "connected") return;
		const asked = ++this.#asked;
		try {
			const { calls, users } = await app.wc.getLiveCalls({ limit: 100 });
			if (asked !== this.#asked) return;
			this.#fault.hidden = true;
			this.#show(calls, users ?? {});
		} catch (error) {
			if (asked !== this.#asked) return;
			this.#fault.replaceChildren(icon("warning"), `${this.text("admin.failed")} ${app.wc.errorText(error)}`);
			this.#fault.hidden = false;
		}
	}

	/**
	 * @param {LiveCall[]} calls
	 * @param {Record<string, User>} users
	 */
	#show(calls, users) {
		const live = new Set(calls.map((c) => c.id));
		for (const [id, item] of this.#items) {
			if (live.has(id)) continue;
			if (item.box.contains(this.root.activeElement)) this.#refresh.focus();
			item.end();
			this.#items.delete(id);
		}
		for (const call of calls) {
			let item = this.#items.get(call.id);
			if (!item) {
				item = new Item(this, call.id);
				this.#items.set(call.id, item);
				this.#list.append(item.box);
			}
			item.update(call, users);
		}
		this.#empty.hidden = calls.length > 0;
		setText(this.#count, calls.length === 0 ? "" : this.text("history.found", { count: calls.length }));
	}
}

/** One call. */
class Item {
	#view;
	#id;
	#group = false;
	#title = element("h3");
	#about = element("span", { class: "note" });
	#tags = element("div", { class: "tags" });
	#time = element("time");
	#clock = new Clock(this.#time);
	#open = element("button", { type: "button", class: "outlined small", "aria-expanded": "false" }, icon("chevron"));
	#people = element("ul", { role: "list" });
	#why = element("div", { class: "why", role: "status", hidden: true });
	#body = element("div", { class: "body", hidden: true });
	#drawn = "";

	/**
	 * @param {LiveCalls} view
	 * @param {string} id
	 */
	constructor(view, id) {
		this.#view = view;
		this.#id = id;
		this.#open.addEventListener("click", () => {
			this.#body.hidden = !this.#body.hidden;
			this.#open.setAttribute("aria-expanded", String(!this.#body.hidden));
		});
		const why = this.#button("admin.why", "outlined", "", () => this.#explain());
		const timeline = this.#button("admin.timeline", "outlined", "", async () => {
			view.dispatchEvent(new CustomEvent("timeline", { detail: id, bubbles: true, composed: true }));
		});
		const end = this.#button("admin.forceEnd", "danger", "hangUp", () => this.#forceEnd());
		this.#body.append(
			element("div", {}, element("h4", {}, view.text("admin.people")), this.#people),
			this.#why,
			element("div", { class: "actions" }, why, timeline, end),
		);
		this.box = element(
			"div",
			{ class: "item" },
			element("div", { class: "head" }, element("span", { class: "live", "aria-hidden": "true" }, icon("phone")), element("div", { class: "words" }, this.#title, this.#about, this.#tags), this.#time, this.#open),
			this.#body,
		);
	}

	end() {
		this.#clock.stop();
	}

	/**
	 * @param {string} key
	 * @param {string} type
	 * @param {string} picture
	 * @param {() => Promise<unknown>} run
	 * @param {Record<string, string>} [values]
	 */
	#button(key, type, picture, run, values) {
		const button = element("button", { type: "button", class: `${type} small` }, ...(picture ? [icon(picture)] : []), this.#view.text(key, values));
		button.addEventListener("click", async () => {
			const { app } = this.#view;
			if (!app || button.disabled) return;
			button.disabled = true;
			try {
				await run();
			} catch (error) {
				app.wc.noticeError(app.wc.errorText(error));
			}
			button.disabled = false;
		});
		return button;
	}

	/**
	 * @param {LiveCall} call
	 * @param {Record<string, User>} users
	 */
	update(call, users) {
		/** @param {string} id */
		const name = (id) => (Object.hasOwn(users, id) && users[id].title) || id;
		this.#group = call.group;
		const people = peopleOf(call);
		const title = call.group ? call.title || call.owner.id : people.map((p) => name(p.id)).join(", ") || call.title || call.id;
		setText(this.#title, title);
		this.#open.setAttribute("aria-label", this.#view.text("admin.details", { name: title }));
		this.#clock.start(Date.parse(call.started ?? "") || 0);
		setText(this.#about, `${call.providerType} · ${call.id}`);
		const drawn = JSON.stringify(people);
		if (drawn === this.#drawn) return; // what has the focus stays
		this.#drawn = drawn;
		const inside = people.filter((p) => p.state === "joined").length;
		const ringing = people.filter((p) => p.state === "ringing").length;
		this.#tags.replaceChildren(
			element("span", { class: "chip", "data-kind": "good" }, this.#view.text("admin.insideCount", { count: inside })),
			...(ringing > 0 ? [element("span", { class: "chip" }, icon("bell"), this.#view.text("admin.ringingCount", { count: ringing }))] : []),
		);
		const rows = people.map((p) => this.#person(p, name(p.id)));
		this.#people.replaceChildren(...(rows.length > 0 ? rows : [element("li", { class: "note" }, this.#view.text("admin.noSeats"))]));
	}

	/**
	 * @param {Person} person
	 * @param {string} name
	 */
	#person({ id, state, seats, ringingOn }, name) {
		const { wc } = /** @type {import("./base-element.js").App} */ (this.#view.app);
		const again = async () => {
			await wc.ringForAdmin(this.#id, id);
			await this.#view.load();
		};
		const remove = async () => {
			await wc.removeForAdmin(this.#id, id);
			await this.#view.load();
		};
		const devices = [...seats.map((seat) => this.#seat(seat)), ...ringingOn.map((device) => this.#view.text("admin.device", { name: device }))];
		return element(
			"li",
			{},
			element("div", { class: "who" }, name, ...devices.map((words) => element("span", { class: "note" }, words))),
			element("span", { class: "chip", "data-kind": state === "joined" ? "good" : null }, this.#view.text(`admin.state.${state}`)),
			...(state === "joined" || state === "ringing" ? [] : [this.#button("call.ringAgain", "outlined", "bell", again, { name })]),
			...(this.#group ? [this.#button("admin.remove", "outlined", "", remove, { name })] : []),
		);
	}

	/** @param {LiveCall["seats"][number]} seat */
	#seat({ clientId, node, joined }) {
		const { wc } = /** @type {import("./base-element.js").App} */ (this.#view.app);
		return [
			this.#view.text("admin.device", { name: clientId }),
			...(node ? [this.#view.text("admin.node", { name: node.slice(0, 8) })] : []),
			...(joined ? [this.#view.text("admin.since", { time: wc.formatDate(joined, { timeStyle: "medium" }) })] : []),
		].join(" · ");
	}

	async #explain() {
		const { wc } = /** @type {import("./base-element.js").App} */ (this.#view.app);
		const { summary, sentences } = await wc.explainCall(this.#id);
		this.#why.hidden = false;
		this.#why.replaceChildren(
			...(summary ? [element("p", {}, element("strong", {}, summary))] : []),
			element("ul", {}, ...(sentences ?? []).filter((s) => s !== summary).map((s) => element("li", {}, s))),
		);
	}

	async #forceEnd() {
		const { wc } = /** @type {import("./base-element.js").App} */ (this.#view.app);
		if (!(await wc.showConfirm(this.#title.textContent ?? "", this.#view.text("admin.forceEndConfirm")))) return;
		await wc.endCall(this.#id);
		await this.#view.load();
	}
}

const ringStates = new Set(["answered", "declined", "busy", "missed", "unreachable", "cancelled"]);

/**
 * Everybody who is inside, rings or belongs to a call, those inside first.
 *
 * @param {LiveCall} call
 * @returns {Person[]}
 */
function peopleOf({ seats, ringing, participants }) {
	/** @type {Map<string, Person>} */
	const people = new Map();
	/** @param {string} id @param {string} state */
	const person = (id, state) => {
		const known = people.get(id) ?? { id, state, seats: [], ringingOn: [] };
		people.set(id, known);
		return known;
	};
	for (const seat of seats) person(seat.user, "joined").seats.push(seat);
	for (const { user, ringingOn } of ringing) person(user, "ringing").ringingOn.push(...(ringingOn ?? []));
	for (const { user, state, ring } of participants ?? []) {
		person(user, ring && ringStates.has(ring) ? ring : state === "leaved" ? "leaved" : "none");
	}
	return [...people.values()];
}
