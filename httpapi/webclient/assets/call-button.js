// @ts-check
import { BaseElement } from "./base-element.js";
import { element, icon, setText } from "./dom.js";
import { buttonStyles } from "./styles.js";

/**
 * `<wc-call-button user="john">`, or with `space`, or with `room` (and
 * `room-title`): a button that calls, or joins the group's running call.
 * `provider` names the kind of call; by default it is the first that fits.
 * Without a provider, and for oneself, there is no button.
 */
export class CallButton extends BaseElement {
	static observedAttributes = ["user", "space", "room", "room-title", "provider", "name"];

	#button = element("button", { type: "button", class: "primary", part: "button" });
	#label = element("span");
	#name = "";
	#named = "";

	constructor() {
		super(buttonStyles);
		this.#button.append(icon("phone"), this.#label);
		this.#button.hidden = true;
		this.#button.addEventListener("click", () => this.#press());
		this.root.append(this.#button);
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

	/** @param {import("./base-element.js").App} app */
	render({ wc, calls }) {
		const { user, space, room, provider } = this.target;
		const group = Boolean(space || room);
		const usable = wc.getProviders().some((p) => (!provider || p.getSupportedTypes().includes(provider)) && (!group || p.supportsGroups?.() !== false));
		const possible = usable && (group || (user !== undefined && user !== wc.getUser().id));
		const key = `${user}/${space}/${room}`;
		if (possible && this.#named !== key) this.#lookUp(key);
		this.#button.hidden = !possible || !this.#name;
		if (this.#button.hidden) return;

		const running = group ? calls.groupCall(this.target) : "";
		const current = calls.current?.phase === "ended" ? null : calls.current;
		setText(this.#label, this.text(running ? "button.joinShort" : "button.callShort"));
		this.#button.setAttribute("aria-label", this.text(running ? "button.join" : "button.call", { name: this.#name }));
		// Stays in the tab order, so that the focus is not lost when a call begins.
		this.#button.setAttribute("aria-disabled", String(current !== null || wc.connection === "refused"));
	}

	/** @param {string} key */
	async #lookUp(key) {
		this.#named = key;
		this.#name = this.getAttribute("name") ?? "";
		const { app } = this;
		if (this.#name || !app) return;
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

	async #press() {
		const { app } = this;
		if (!app || this.#button.getAttribute("aria-disabled") === "true") return;
		// What goes wrong is told in the call view and in the log.
		await app.calls.start(this.target).catch(() => undefined);
	}
}
