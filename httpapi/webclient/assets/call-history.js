// @ts-check
import { BaseElement } from "./base-element.js";
import { avatar, duration, element, icon, setText } from "./dom.js";
import { historyStyles } from "./styles-panels.js";

/** @typedef {import("./types.js").HistoryEntry} HistoryEntry */

const pageSize = 25;
/** How long typing rests before it is searched for, in ms. */
const rest = 300;

/**
 * `<wc-call-history>`: the user's calls, newest first, with search, a filter,
 * paging, and a button to call back. Missed calls that are new are marked until
 * the user says that they are seen.
 */
export class CallHistory extends BaseElement {
	#search = element("input", { type: "search", autocomplete: "off" });
	#filter = element("select");
	#seen = element("button", { type: "button", class: "outlined" });
	#found = element("p", { class: "hushed", role: "status" });
	#days = element("div");
	#empty = element("div", { class: "empty", hidden: true });
	#more = element("button", { type: "button", class: "outlined" });
	#moreBox = element("div", { class: "more", hidden: true }, this.#more);
	#fault = element("div", { class: "fault", role: "alert", hidden: true });
	#panel = element("div", { class: "panel" }, this.#fault, this.#days, this.#empty, this.#moreBox);
	/** @type {HistoryEntry[]} */
	#entries = [];
	#next = "";
	#asked = 0;
	#loaded = false;
	/** Missed calls that were new when the list was opened. */
	#fresh = 0;
	#counted = -1;
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	#typing;

	constructor() {
		super(historyStyles);
		this.#filter.append(element("option", { value: "" }), element("option", { value: "missed" }));
		this.root.append(
			element("div", { class: "toolbar" }, element("div", { class: "grow" }, this.#search), element("div", {}, this.#filter), this.#seen),
			this.#found,
			this.#panel,
		);
		this.#search.addEventListener("input", () => {
			clearTimeout(this.#typing);
			this.#typing = setTimeout(() => this.#load(), rest);
		});
		this.#filter.addEventListener("change", () => this.#load());
		this.#more.addEventListener("click", () => this.#load(this.#next));
		this.#seen.addEventListener("click", () => this.#markSeen());
	}

	attached() {
		this.#loaded = false;
	}

	detached() {
		clearTimeout(this.#typing);
		this.#asked++;
		this.#entries = [];
		this.#counted = -1;
		this.#days.replaceChildren();
	}

	/** @param {import("./base-element.js").App} app */
	render({ calls }) {
		this.#search.placeholder = this.text("history.search");
		this.#search.setAttribute("aria-label", this.text("history.search"));
		this.#filter.setAttribute("aria-label", this.text("history.show"));
		const [all, missed] = this.#filter.options;
		setText(all, this.text("history.all"));
		setText(missed, this.text("history.missed"));
		setText(this.#seen, this.text("history.markSeen"));
		setText(this.#more, this.text("history.more"));
		const count = calls.missed ?? 0;
		this.#seen.hidden = count === 0;
		if (this.#counted !== count) {
			// A call was missed, or seen on another device.
			const first = this.#counted === -1;
			this.#counted = count;
			this.#fresh = count;
			if (!first || !this.#loaded) this.#load();
		} else if (!this.#loaded) this.#load();
	}

	/** @param {string} [cursor] of the page to add; absent: all anew */
	async #load(cursor) {
		const { app } = this;
		if (!app) return;
		this.#loaded = true;
		const asked = ++this.#asked;
		const text = this.#search.value.trim();
		const outcome = this.#filter.value;
		try {
			const { entries, next } = await app.wc.getHistory({ ...(outcome ? { outcome } : {}), ...(text ? { text } : {}), ...(cursor ? { cursor } : {}), limit: pageSize });
			if (asked !== this.#asked) return;
			this.#entries = cursor ? [...this.#entries, ...entries] : entries;
			this.#next = next ?? "";
			this.#fault.hidden = true;
			this.#show({ searched: text !== "" || outcome !== "", from: cursor ? this.#entries.length - entries.length : -1 });
		} catch (error) {
			if (asked === this.#asked) this.#fail(cursor, error);
		}
	}

	/**
	 * @param {string | undefined} cursor
	 * @param {any} error
	 */
	#fail(cursor, error) {
		this.app?.wc.getLog().warn("The history could not be read", error);
		const again = element("button", { type: "button", class: "outlined small" }, this.text("media.retry"));
		again.addEventListener("click", () => this.#load(cursor));
		this.#fault.replaceChildren(icon("warning"), element("span", {}, this.text("history.failed")), again);
		this.#fault.hidden = false;
	}

	/** @param {{searched: boolean, from: number}} how from: the first entry of a page that was added */
	#show({ searched, from }) {
		const { app } = this;
		if (!app) return;
		/** @type {Map<string, HTMLElement[]>} */
		const days = new Map();
		let fresh = this.#fresh;
		for (const entry of this.#entries) {
			const day = this.#day(new Date(entry.started));
			const unseen = entry.unseen ?? (entry.outcome === "missed" && fresh-- > 0 && !searched);
			days.set(day, [...(days.get(day) ?? []), this.#row(entry, unseen)]);
		}
		const lists = [...days].map(([day, rows]) => element("section", { class: "day" }, element("h2", {}, day), element("ul", { role: "list" }, ...rows)));
		this.#days.replaceChildren(...lists);
		this.#empty.hidden = this.#entries.length > 0;
		this.#empty.replaceChildren(
			icon("phone"),
			element("strong", {}, this.text(searched ? "history.noMatch" : "history.empty")),
			...(searched ? [] : [element("span", { class: "note" }, this.text("history.emptyHint"))]),
		);
		this.#moreBox.hidden = this.#next === "";
		setText(this.#found, searched ? this.text("history.found", { count: this.#entries.length }) : "");
		// Who asked for more by keyboard goes on where the new ones begin.
		if (from >= 0) this.#days.querySelectorAll("li")[from]?.focus();
	}

	/**
	 * @param {HistoryEntry} entry
	 * @param {boolean} unseen
	 */
	#row(entry, unseen) {
		const { wc } = /** @type {import("./base-element.js").App} */ (this.app);
		const began = new Date(entry.started);
		const first = entry.others[0];
		const name = this.#nameOf(entry);
		const { outgoing } = entry;
		const missed = entry.outcome === "missed";
		const outcome = entry.outcome === "answered" ? this.text(outgoing ? "history.outgoing" : "history.incoming") : this.text(`history.outcome.${entry.outcome}`);
		const spent = entry.outcome === "answered" && entry.spent > 0 ? [element("span", {}, duration(entry.spent))] : [];
		const back = this.#callBack(entry, name);
		return element(
			"li",
			{ tabindex: "-1", "data-missed": missed },
			avatar(name, entry.group ? null : first?.avatarLink),
			element(
				"div",
				{},
				element("div", { class: "who" }, name),
				element(
					"div",
					{ class: "what" },
					element("span", { class: "outcome" }, icon(missed ? "missed" : outgoing ? "outgoing" : "incoming"), outcome),
					...spent,
					...(unseen ? [element("span", { class: "chip new" }, this.text("history.new"))] : []),
				),
			),
			element("time", { datetime: entry.started, title: wc.formatDate(began, { dateStyle: "full", timeStyle: "short" }) }, wc.formatDate(began, { timeStyle: "short" })),
			...(back ? [back] : [element("span")]),
		);
	}

	/** @param {HistoryEntry} entry */
	#nameOf(entry) {
		if (entry.group) return entry.title || entry.owner.id;
		const first = entry.others[0];
		if (!first) return entry.title || this.text("history.unknown");
		const count = (entry.othersTotal ?? entry.others.length) - 1;
		const name = first.title || first.id;
		return count > 0 ? this.text("history.others", { name, count }) : name;
	}

	/**
	 * @param {HistoryEntry} entry
	 * @param {string} name
	 */
	#callBack({ group, owner, others, providerType, title }, name) {
		/** @type {import("./types.js").CallTarget | null} */
		let target = null;
		if (!group && others.length > 0) target = { user: others[0].id };
		else if (owner.type === "space") target = { space: owner.id };
		else if (owner.type === "chat_room") target = { room: owner.id, roomTitle: title };
		const { app } = this;
		if (!target || !app) return null;
		const provider = app.wc.getProviders().find((p) => p.getSupportedTypes().includes(providerType))?.getType();
		const button = element("button", { type: "button", class: "back quiet", "aria-label": this.text("history.callBack", { name }), title: this.text("history.callBack", { name }) }, icon("phone"));
		const wanted = { ...target, provider };
		button.addEventListener("click", () => this.app?.calls.start(wanted).catch(() => undefined));
		return button;
	}

	/** @param {Date} date */
	#day(date) {
		const { wc } = /** @type {import("./base-element.js").App} */ (this.app);
		const today = new Date();
		const yesterday = new Date(today);
		yesterday.setDate(today.getDate() - 1);
		if (date.toDateString() === today.toDateString()) return this.text("history.today");
		if (date.toDateString() === yesterday.toDateString()) return this.text("history.yesterday");
		return wc.formatDate(date, { weekday: "long", day: "numeric", month: "long", year: date.getFullYear() === today.getFullYear() ? undefined : "numeric" });
	}

	async #markSeen() {
		const { app } = this;
		if (!app) return;
		this.#search.focus(); // the button goes away
		try {
			await app.wc.markSeen();
			await app.calls.readMissed?.();
		} catch (error) {
			app.wc.noticeError(app.wc.errorText(error));
		}
	}
}
