// @ts-check
import { BaseElement } from "./base-element.js";
import { arrange, element, icon, setText } from "./dom.js";
import { toCallError } from "./rest.js";
import { choiceStyles } from "./styles-admin.js";

/**
 * @typedef {import("./types.js").OwnerType} OwnerType
 * @typedef {import("./types.js").ProviderChoice} ProviderChoice
 * @typedef {import("./types.js").ProviderConfig} ProviderConfig
 * @typedef {import("./types.js").WebConferencing} WebConferencing
 */

let made = 0;

/**
 * `<wc-space-providers group="product_team" label="Product Team">` chooses the
 * providers that new calls of a group may use, or leaves that to the portal.
 * `type` is the kind of group, "space" if it is absent. Without a group it
 * chooses for the whole portal. It shows nothing to those who may not choose.
 */
export class SpaceProviders extends BaseElement {
	static observedAttributes = ["group", "type", "label"];

	#legend = element("legend");
	#fields = element("fieldset", { hidden: true });
	#inherit = radio("inherit");
	#own = radio("own");
	#list = element("div", { class: "list", role: "group" });
	#note = element("p", { class: "note", "aria-live": "polite" });
	#save = element("button", { type: "submit", class: "primary small" });
	#state = element("span", { role: "status" });
	#fault = element("span", { class: "fault", role: "alert", hidden: true });
	#form = element("form", { class: "panel", novalidate: true, hidden: true });
	/** @type {Map<string, Row>} by type, in the order of the server */
	#rows = new Map();
	/** @type {ProviderChoice | null} as the server has it */
	#choice = null;
	#dirty = false;
	#asked = 0;
	#bound = false;
	/** @type {Promise<boolean> | null} null until it is asked, never for administrators */
	#manages = null;

	constructor() {
		super(choiceStyles);
		this.#own.words.id = `own-${++made}`;
		this.#list.setAttribute("aria-labelledby", this.#own.words.id);
		this.#form.append(
			this.#fields,
			this.#note,
			element("div", { class: "actions" }, this.#save, this.#state, this.#fault),
		);
		this.#fields.append(this.#legend, this.#inherit.box, this.#own.box, this.#list);
		this.root.append(this.#form);
		this.#form.addEventListener("input", () => {
			this.#dirty = true;
			setText(this.#state, "");
			this.#show();
		});
		this.#form.addEventListener("submit", (event) => {
			event.preventDefault();
			void this.#submit();
		});
	}

	/**
	 * @param {import("./base-element.js").App} app
	 * @param {AbortSignal} signal
	 */
	attached(app, signal) {
		// Another form of the page may have changed what is inherited here.
		app.wc.events.addEventListener("providers", () => void this.#load(), { signal });
		app.wc.events.addEventListener("connection", () => {
			if (app.wc.connection === "connected" && !this.#fault.hidden) void this.#load();
		}, { signal });
		this.#bound = true;
		void this.#load();
	}

	detached() {
		this.#bound = false;
		this.#forget();
	}

	/** @param {string} name */
	attributeChangedCallback(name) {
		if (!this.#bound) return;
		if (name !== "label") {
			this.#forget();
			void this.#load();
		}
		this.plan();
	}

	#forget() {
		this.#asked++;
		this.#form.hidden = true;
		this.#dirty = false;
		this.#choice = null;
		this.#manages = null;
		this.#complain("");
	}

	render() {
		this.#show();
	}

	/** The group, undefined for the portal. */
	get #owner() {
		const id = this.getAttribute("group");
		if (!id) return undefined;
		return { id, type: /** @type {OwnerType} */ (this.getAttribute("type") || "space") };
	}

	async #load() {
		const { app } = this;
		if (!app) return;
		const asked = ++this.#asked;
		const owner = this.#owner;
		try {
			const configs = await this.#changeable(app.wc, owner);
			if (configs === null || asked !== this.#asked) return;
			const choice = await app.wc.getProviderChoice(owner);
			if (asked !== this.#asked) return;
			this.#arrange(owner ? configs.filter((c) => c.groups !== false) : configs);
			this.#take(choice);
			this.#complain("");
		} catch (error) {
			if (asked !== this.#asked) return;
			this.#complain(`${this.text("admin.failed")} ${app.wc.errorText(error)}`);
			this.#show();
		}
		this.#form.hidden = false;
	}

	/**
	 * The providers to choose from; null for somebody who may not choose.
	 * Administrators may ask for all.
	 *
	 * @param {WebConferencing} wc
	 * @param {{id: string, type: OwnerType}} [owner]
	 * @returns {Promise<ProviderConfig[] | null>}
	 */
	async #changeable(wc, owner) {
		if (!this.#manages) {
			try {
				return await wc.getProvidersConfig();
			} catch (error) {
				if (toCallError(error).code !== "ACCESS_ERROR") throw error;
			}
			this.#manages ??= owner ? manages(wc, owner) : Promise.resolve(false);
			this.#manages.catch(() => (this.#manages = null));
		}
		return (await this.#manages) ? (wc.getContext().providersConfig ?? []) : null;
	}

	/** @param {ProviderConfig[]} configs */
	#arrange(configs) {
		this.#rows = new Map(configs.map((config) => [config.type, this.#rows.get(config.type) ?? new Row(config.type)]));
		for (const config of configs) this.#rows.get(config.type)?.update(config, config.active ? "" : this.text("admin.off"));
		arrange(this.#list, [...this.#rows.values()].map((row) => row.box));
	}

	/** @param {ProviderChoice} choice */
	#take(choice) {
		this.#choice = choice;
		if (!this.#dirty) {
			const inherits = choice.own === null;
			this.#inherit.input.checked = inherits;
			this.#own.input.checked = !inherits;
			const types = choice.own ?? choice.providers.map((c) => c.type);
			for (const row of this.#rows.values()) row.input.checked = row.types.some((type) => types.includes(type));
		}
		this.#show();
	}

	#show() {
		const label = this.getAttribute("label") || this.getAttribute("group") || "";
		setText(this.#legend, label ? this.text("choice.titleOf", { name: label }) : this.text("choice.title"));
		setText(this.#inherit.words, this.text(this.#owner ? "choice.inherit" : "choice.all"));
		setText(this.#own.words, this.text("choice.own"));
		setText(this.#save, this.text("admin.save"));
		this.#save.setAttribute("aria-label", `${this.text("admin.save")}: ${this.#legend.textContent}`);
		const own = this.#own.input.checked;
		for (const row of this.#rows.values()) row.input.disabled = !own;
		// Nothing can be saved before it is known what there is.
		this.#fields.hidden = this.#save.hidden = this.#choice === null;
		setText(this.#note, this.#choice ? this.#explain(own) : "");
		this.#note.hidden = this.#note.textContent === "";
	}

	/** @param {boolean} own */
	#explain(own) {
		if (own) return this.#types.length > 0 ? "" : this.text("choice.none");
		// What would be inherited is only known while it is.
		const choice = this.#choice;
		if (!choice?.inherited || !this.app) return "";
		const names = choice.providers.map((c) => c.title || c.type);
		if (names.length === 0) return this.text("choice.none");
		return this.text("choice.now", { names: new Intl.ListFormat(this.app.wc.lang, { type: "unit" }).format(names) });
	}

	/** What is ticked, in the order that was chosen before. */
	get #types() {
		const before = this.#choice?.own ?? [];
		/** @param {Row} row */
		const place = (row) => {
			const at = before.findIndex((type) => row.types.includes(type));
			return at < 0 ? before.length : at;
		};
		return [...this.#rows.values()].filter((row) => row.input.checked).sort((a, b) => place(a) - place(b)).map((row) => row.type);
	}

	async #submit() {
		const { app } = this;
		if (!app || !this.#choice || this.#save.getAttribute("aria-disabled") === "true") return;
		this.#save.setAttribute("aria-disabled", "true");
		setText(this.#state, "");
		this.#complain("");
		const asked = ++this.#asked;
		try {
			const choice = await app.wc.setProviderChoice(this.#own.input.checked ? this.#types : null, this.#owner);
			if (!this.isConnected) return;
			this.#dirty = false;
			this.#take(choice);
			setText(this.#state, this.text("admin.saved"));
		} catch (error) {
			if (asked === this.#asked) this.#complain(app.wc.errorText(error));
		} finally {
			this.#save.removeAttribute("aria-disabled");
		}
	}

	/** @param {string} words "" for none */
	#complain(words) {
		this.#fault.replaceChildren(...(words ? [icon("warning"), words] : []));
		this.#fault.hidden = words === "";
	}
}

/** A provider to tick. */
class Row {
	input = element("input", { type: "checkbox" });
	#words = element("span");
	#chip = element("span", { class: "chip" });
	/** @type {string[]} all the names by which a choice may call it */
	types;

	/** @param {string} type */
	constructor(type) {
		this.type = type;
		this.types = [type];
		this.box = element("label", { class: "check" }, this.input, this.#words, this.#chip);
	}

	/**
	 * @param {ProviderConfig} config
	 * @param {string} state
	 */
	update({ type, title, supportedTypes }, state) {
		this.types = [type, ...(supportedTypes ?? [])];
		setText(this.#words, title || type);
		setText(this.#chip, state);
		this.#chip.hidden = state === "";
	}
}

/** @param {string} value */
function radio(value) {
	const input = element("input", { type: "radio", name: "choice", value });
	const words = element("span");
	return { input, words, box: element("label", { class: "check" }, input, words) };
}

/**
 * Whether somebody manages a group, which only the server knows: it looks at who
 * asks before what is asked for, and no provider has this name, so that nothing
 * can change.
 *
 * @param {WebConferencing} wc
 * @param {{id: string, type: OwnerType}} owner
 */
async function manages(wc, owner) {
	try {
		await wc.setProviderChoice(["?"], owner);
	} catch (error) {
		const { code, reason } = toCallError(error);
		if (code === "SERVER_ERROR") throw error;
		return reason === "unknown_provider";
	}
	return false;
}
