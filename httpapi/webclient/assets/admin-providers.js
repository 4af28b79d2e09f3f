// @ts-check
import { BaseElement } from "./base-element.js";
import { element, icon, setText } from "./dom.js";
import { toCallError } from "./rest.js";
import { SettingsForm } from "./settings-form.js";
import { providersStyles } from "./styles-admin.js";

/** @typedef {import("./types.js").ProviderConfig} ProviderConfig */

/**
 * `<wc-admin-providers>`, for administrators: switches providers on and off,
 * shows what they can do and whether they are ready, and sets what they let an
 * administrator set. What stands inside the element is shown until it works.
 */
export class AdminProviders extends BaseElement {
	#list = element("div", { class: "panel" });
	#fault = element("div", { class: "fault", role: "alert", hidden: true });
	#told = element("div", { class: "hushed", role: "status" });
	/** @type {Map<string, Item>} by type */
	#items = new Map();
	#asked = false;

	constructor() {
		super(providersStyles);
		this.root.append(this.#told, this.#fault, element("slot"));
	}

	attached() {
		this.#asked = false;
	}

	detached() {
		this.#items.clear();
		this.#list.replaceChildren();
	}

	render() {
		if (!this.#asked) this.#load();
	}

	async #load() {
		const { app } = this;
		if (!app) return;
		this.#asked = true;
		try {
			const configs = await app.wc.getProvidersConfig(true);
			this.#fault.hidden = true;
			this.#items = new Map(configs.map((config) => [config.type, new Item(this, config)]));
			this.#list.replaceChildren(...[...this.#items.values()].map((item) => item.box));
			this.replaceChildren(); // what stood in for the list
			this.root.append(this.#list);
		} catch (error) {
			this.#fault.replaceChildren(icon("warning"), `${this.text("admin.failed")} ${app.wc.errorText(error)}`);
			this.#fault.hidden = false;
		}
	}

	/** @param {string} text said to who can't see the change */
	tell(text) {
		setText(this.#told, "");
		setText(this.#told, text);
	}
}

/** One provider in the list. */
class Item {
	#view;
	#config;
	#switch = element("button", { type: "button", class: "switch", role: "switch" }, element("span"));
	#check = element("button", { type: "button", class: "outlined small" });
	#open = element("button", { type: "button", class: "outlined small", "aria-expanded": "false" });
	#found = element("div", { class: "found", role: "status", hidden: true });
	#form = element("div", { hidden: true });

	/**
	 * @param {AdminProviders} view
	 * @param {ProviderConfig} config
	 */
	constructor(view, config) {
		this.#view = view;
		this.#config = config;
		const title = element("h3", { id: `provider-${config.type}` }, config.title || config.type);
		this.#switch.setAttribute("aria-labelledby", title.id);
		this.#switch.addEventListener("click", () => this.#toggle());
		this.#check.append(view.text("admin.check"));
		this.#check.setAttribute("aria-label", `${view.text("admin.check")}: ${config.title}`);
		this.#check.addEventListener("click", () => this.#diagnose());
		this.#open.append(view.text("admin.settings"));
		this.#open.setAttribute("aria-label", `${view.text("admin.settings")}: ${config.title}`);
		this.#open.addEventListener("click", () => this.#unfold());
		this.box = element(
			"div",
			{ class: "item" },
			element(
				"div",
				{ class: "head" },
				element("div", { class: "words" }, title, element("span", { class: "note" }, config.description ?? ""), element("div", { class: "tags" }, ...this.#tags())),
				this.#check,
				this.#open,
				this.#switch,
			),
			this.#found,
			this.#form,
		);
		this.#show();
	}

	#tags() {
		const { oneToOne, groups, version } = this.#config;
		const words = [...(oneToOne === false ? [] : [this.#view.text("admin.oneToOne")]), ...(groups === false ? [] : [this.#view.text("admin.groups")]), ...(version ? [version] : [])];
		return words.map((word) => element("span", { class: "chip" }, word));
	}

	#show() {
		this.#switch.setAttribute("aria-checked", String(this.#config.active));
	}

	async #toggle() {
		const { app } = this.#view;
		if (!app || this.#switch.disabled) return;
		this.#switch.disabled = true;
		try {
			this.#config = { ...this.#config, ...(await app.wc.postProviderConfig(this.#config.type, !this.#config.active)) };
			this.#show();
			this.#view.tell(`${this.#config.title}: ${this.#view.text(this.#config.active ? "admin.on" : "admin.off")}`);
		} catch (error) {
			app.wc.noticeError(app.wc.errorText(error));
		} finally {
			this.#switch.disabled = false;
			this.#switch.focus();
		}
	}

	async #diagnose() {
		const { app } = this.#view;
		if (!app) return;
		this.#check.disabled = true;
		try {
			const { ready, problem } = await app.wc.checkProvider(this.#config.type);
			this.#report(ready, problem ?? "");
		} catch (error) {
			this.#report(false, app.wc.errorText(error));
		} finally {
			this.#check.disabled = false;
		}
	}

	/**
	 * @param {boolean} ready
	 * @param {string} problem
	 */
	#report(ready, problem) {
		const word = this.#view.text(ready ? "admin.ready" : "admin.problem");
		this.#found.replaceChildren(element("span", { class: "chip", "data-kind": ready ? "good" : "bad" }, word), problem ? ` ${problem}` : "");
		this.#found.hidden = false;
	}

	async #unfold() {
		const open = this.#form.hidden;
		this.#form.hidden = !open;
		this.#open.setAttribute("aria-expanded", String(open));
		if (!open) return;
		const { app } = this.#view;
		if (!app) return;
		try {
			const form = await app.wc.getProviderForm(this.#config.type);
			const { box } = new SettingsForm(this.#view, form);
			box.setAttribute("aria-label", this.#view.text("admin.settingsOf", { name: this.#config.title }));
			this.#form.replaceChildren(box);
		} catch (error) {
			const { code, reason } = toCallError(error);
			const nothing = code === "NOT_FOUND_ERROR" || reason === "not_supported_by_provider";
			const words = nothing ? this.#view.text("admin.noSettings") : app.wc.errorText(error);
			this.#form.replaceChildren(element("p", { class: "found note" }, words));
		}
	}
}
