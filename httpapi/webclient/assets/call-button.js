// @ts-check
import { BaseElement } from "./base-element.js";
import { chosenTypes, offeredProviders, ownButtons } from "./button-providers.js";
import { arrange, element, icon, setText } from "./dom.js";
import { preference, setPreference } from "./preference.js";
import { buttonStyles } from "./styles.js";

/** @typedef {import("./types.js").Provider} Provider */

/**
 * `<wc-call-button user="john">`, or with `space`, or with `room` (and
 * `room-title`): a button that calls, or joins the group's running call. With
 * several providers that fit, a menu beside it chooses one, and the choice is
 * remembered in this browser, for calls between two and of groups apart.
 * `provider` names the only kind of call to offer. `name` is shown instead of
 * the looked up one. Without a provider, and for oneself, there is no button.
 * Connectors that show their calls themselves bring their own buttons, which
 * stand beside it as children of the element.
 */
export class CallButton extends BaseElement {
	static observedAttributes = ["user", "space", "room", "room-title", "provider", "name"];

	#button = element("button", { type: "button", class: "call primary", part: "button" });
	#label = element("span");
	#more = element("button", { type: "button", class: "more primary", part: "choice", "aria-haspopup": "menu", "aria-expanded": "false" }, icon("chevron"));
	#menu = element("div", { class: "menu", role: "menu", hidden: true });
	#split = element("div", { class: "split" }, this.#button, this.#more, this.#menu);
	#name = "";
	#named = "";
	#offered = "";
	/** @type {string[] | null} types that the group has chosen */
	#allowed = null;
	/** Connectors whose own buttons are there. */
	#owners = "";

	constructor() {
		super(buttonStyles);
		this.#button.append(icon("phone"), this.#label);
		this.#split.hidden = true;
		this.#button.addEventListener("click", () => this.#call(this.#chosen()));
		this.#more.addEventListener("click", () => this.#open(this.#menu.hidden === true));
		this.#more.addEventListener("keydown", (event) => {
			if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
			event.preventDefault();
			this.#open(true, event.key === "ArrowUp" ? -1 : 0);
		});
		this.#menu.addEventListener("keydown", (event) => this.#navigate(event));
		this.#split.addEventListener("focusout", ({ relatedTarget }) => {
			if (!(relatedTarget instanceof Node) || !this.#split.contains(relatedTarget)) this.#open(false);
		});
		this.root.append(this.#split, element("slot"));
	}

	attributeChangedCallback() {
		this.plan();
	}

	/** @returns {import("./types.js").CallTarget} */
	get target() {
		/** @param {string} name */
		const value = (name) => this.getAttribute(name) || undefined;
		return { user: value("user"), space: value("space"), room: value("room"), roomTitle: value("room-title"), provider: value("provider") };
	}

	get #isGroup() {
		const { space, room } = this.target;
		return Boolean(space || room);
	}

	/** Providers that can hold the call, in the server's order. */
	get #fitting() {
		const { app } = this;
		if (!app) return [];
		return offeredProviders(app.wc, this.target, this.#allowed);
	}

	/** The type that was preferred last, if it can be had. */
	#chosen() {
		const fitting = this.#fitting;
		const preferred = preference(this.#isGroup ? "provider.group" : "provider.user");
		return (fitting.find((p) => p.getType() === preferred) ?? fitting[0])?.getType();
	}

	/** @param {import("./base-element.js").App} app */
	render({ wc, calls }) {
		const { user, space, room } = this.target;
		const group = this.#isGroup;
		this.#renderOwn(wc);
		const fitting = this.#fitting;
		const possible = fitting.length > 0 && (group || (user !== undefined && user !== wc.getUser().id));
		const key = `${user}/${space}/${room}`;
		if (possible && this.#named !== key) this.#lookUp(key);
		this.#split.hidden = !possible || !this.#name;
		if (this.#split.hidden) return;

		const running = group ? calls.groupCall(this.target) : "";
		const current = calls.current?.phase === "ended" ? null : calls.current;
		setText(this.#label, this.text(running ? "button.joinShort" : "button.callShort"));
		this.#button.setAttribute("aria-label", this.text(running ? "button.join" : "button.call", { name: this.#name }));
		// Stays in the tab order, so that the focus is not lost when a call begins.
		const idle = current === null && wc.connection !== "refused";
		for (const button of [this.#button, this.#more]) button.setAttribute("aria-disabled", String(!idle));
		this.#renderChoice(running ? [] : fitting);
	}

	/** @param {import("./types.js").WebConferencing} wc */
	#renderOwn(wc) {
		const { user, space, room } = this.target;
		const owners = wc.getProviders().filter((p) => p.ownsCalls).map((p) => p.getType());
		const key = owners.length > 0 ? JSON.stringify([user, space, room, ...owners]) : "";
		if (this.#owners === key) return;
		this.#owners = key;
		if (!key) {
			this.replaceChildren();
			return;
		}
		ownButtons(wc, this.target)
			.then((buttons) => {
				if (this.#owners === key) this.replaceChildren(...buttons);
			})
			.catch(() => undefined); // nobody to call
	}

	/** @param {Provider[]} fitting */
	#renderChoice(fitting) {
		const choice = fitting.length > 1;
		this.#split.classList.toggle("choice", choice);
		this.#more.hidden = !choice;
		if (!choice) {
			this.#open(false);
			return;
		}
		this.#more.setAttribute("aria-label", this.text("button.choose", { name: this.#name }));
		this.#menu.setAttribute("aria-label", this.text("button.choose", { name: this.#name }));
		const preferred = this.#chosen();
		const offered = JSON.stringify([preferred, ...fitting.map((p) => [p.getType(), p.getTitle()])]);
		if (offered === this.#offered) return;
		this.#offered = offered;
		arrange(this.#menu, fitting.map((p) => this.#item(p, p.getType() === preferred)));
	}

	/**
	 * @param {Provider} provider
	 * @param {boolean} preferred
	 */
	#item(provider, preferred) {
		const item = element(
			"button",
			{ type: "button", role: "menuitem", tabindex: "-1" },
			element("span", { class: "name" }, this.text("button.with", { provider: provider.getTitle() })),
			...(preferred ? [element("span", { class: "note" }, this.text("button.preferred"))] : []),
		);
		item.addEventListener("click", () => {
			setPreference(this.#isGroup ? "provider.group" : "provider.user", provider.getType());
			this.#open(false);
			this.#button.focus();
			this.plan();
			this.#call(provider.getType());
		});
		return item;
	}

	/**
	 * @param {boolean} open
	 * @param {number} [at] item to begin at, from the end if negative
	 */
	#open(open, at = 0) {
		if (open && this.#more.getAttribute("aria-disabled") === "true") return;
		const had = this.#menu.contains(this.root.activeElement);
		this.#menu.hidden = !open;
		this.#more.setAttribute("aria-expanded", String(open));
		if (open) this.#items.at(at)?.focus();
		else if (had) this.#more.focus();
	}

	get #items() {
		return [...this.#menu.querySelectorAll("button")];
	}

	/** @param {KeyboardEvent} event */
	#navigate(event) {
		const items = this.#items;
		const at = items.findIndex((item) => item === this.root.activeElement);
		const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
		if (next !== undefined) items.at(next % items.length)?.focus();
		else if (event.key === "Escape") this.#open(false);
		else return;
		event.preventDefault();
		event.stopPropagation();
	}

	/** @param {string} key */
	async #lookUp(key) {
		this.#named = key;
		this.#name = this.getAttribute("name") ?? "";
		const { app } = this;
		if (!app) return;
		void chosenTypes(app.wc, this.target).then((types) => {
			if (this.#named !== key) return;
			this.#allowed = types;
			this.plan();
		});
		if (this.#name) return;
		const { user, space, room, roomTitle } = this.target;
		const { wc } = app;
		try {
			const context = space ? wc.createSpaceContext(space) : room ? wc.createChatContext(room, roomTitle) : wc.createUserContext(user ?? "");
			const { title } = await context.details();
			if (this.#named === key) this.#name = title;
		} catch {
			// Who can't be looked up can't be called: there is no button.
		}
		this.plan();
	}

	/** @param {string | undefined} provider */
	async #call(provider) {
		const { app } = this;
		if (!app || this.#button.getAttribute("aria-disabled") === "true") return;
		// What goes wrong is told in the call view and in the log.
		await app.calls.start({ ...this.target, provider }).catch(() => undefined);
	}
}
