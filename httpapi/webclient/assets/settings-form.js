// @ts-check
/**
 * The form of a provider's settings, made from its schema. Secrets go out but
 * never come back: their field is empty, and empty keeps what is stored.
 *
 * @typedef {import("./types.js").ProviderForm} ProviderForm
 * @typedef {import("./types.js").ProviderSetting} ProviderSetting
 * @typedef {import("./admin-providers.js").AdminProviders} AdminProviders
 */
import { element, setText } from "./dom.js";

/** One form. */
export class SettingsForm {
	box = element("form", { novalidate: true });
	#view;
	#type;
	#revision;
	/** @type {Field[]} */
	#fields;
	#state = element("span", { role: "status" });
	#fault = element("span", { class: "wrong", role: "alert" });
	#save = element("button", { type: "submit", class: "primary" });

	/**
	 * @param {AdminProviders} view
	 * @param {ProviderForm} form
	 */
	constructor(view, form) {
		this.#view = view;
		this.#type = form.type;
		this.#revision = form.revision;
		this.#fields = form.settings.map((setting) => new Field(view, form.type, setting));
		this.#save.append(view.text("admin.save"));
		if (this.#fields.length === 0) this.box.append(element("p", { class: "note" }, view.text("admin.noSettings")));
		else this.box.append(...this.#fields.map((f) => f.box), element("div", { class: "actions" }, this.#save, this.#state, this.#fault));
		this.box.addEventListener("submit", (event) => {
			event.preventDefault();
			void this.#submit();
		});
		this.box.addEventListener("input", () => setText(this.#state, ""));
	}

	async #submit() {
		const { app } = this.#view;
		if (!app || this.#save.disabled) return;
		const changed = this.#fields.filter((f) => f.changed);
		for (const field of this.#fields) field.complain("");
		setText(this.#fault, "");
		const missing = this.#fields.find((f) => f.missing);
		if (missing) {
			missing.complain(this.#view.text("admin.required"));
			missing.focus();
			return;
		}
		this.#save.disabled = true;
		try {
			const saved = await app.wc.saveProviderForm(this.#type, Object.fromEntries(changed.map((f) => [f.key, f.value])), this.#revision);
			this.#revision = saved.revision;
			for (const field of this.#fields) field.take(saved.settings.find((s) => s.key === field.key));
			setText(this.#state, this.#view.text("admin.saved"));
		} catch (error) {
			this.#refused(error);
		} finally {
			this.#save.disabled = false;
		}
	}

	/** @param {any} error */
	#refused(error) {
		const words = String(error?.message || this.#view.app?.wc.errorText(error));
		const at = this.#fields.find((f) => error?.field && (error.field === f.key || error.field.endsWith(`.${f.key}`)));
		if (at) {
			at.complain(words);
			at.focus();
		} else setText(this.#fault, words);
	}
}

/** One setting. */
class Field {
	key;
	#setting;
	/** @type {HTMLInputElement | HTMLSelectElement} */
	#input;
	#note = element("span", { class: "note" });
	#wrong = element("span", { class: "wrong", role: "alert" });
	#view;

	/**
	 * @param {AdminProviders} view
	 * @param {string} provider
	 * @param {ProviderSetting} setting
	 */
	constructor(view, provider, setting) {
		this.#view = view;
		this.#setting = setting;
		this.key = setting.key;
		const id = `set-${provider}-${setting.key}`;
		this.#input = inputFor(setting);
		this.#input.id = id;
		this.#note.id = `${id}-note`;
		this.#wrong.id = `${id}-wrong`;
		this.#input.setAttribute("aria-describedby", `${this.#note.id} ${this.#wrong.id}`);
		if (setting.required) this.#input.required = true;
		const star = setting.required ? [element("span", { "aria-hidden": "true" }, " *")] : [];
		const name = element("span", {}, setting.title || setting.key, ...star);
		const label = setting.type === "bool" ? element("label", { class: "check", for: id }, this.#input, name) : element("label", { class: "field", for: id }, name, this.#input);
		this.box = element("div", { class: "field" }, label, this.#note, this.#wrong);
		this.take(setting);
	}

	/** @param {ProviderSetting | undefined} setting as it is stored */
	take(setting) {
		if (!setting) return;
		this.#setting = setting;
		const { type, value, isSet, help } = setting;
		if (this.#input instanceof HTMLInputElement && type === "bool") this.#input.checked = (value || setting.default) === "true";
		else this.#input.value = type === "secret" ? "" : value || (type === "choice" ? (setting.default ?? "") : "");
		const stored = type === "secret" && isSet ? this.#view.text("admin.secretStored") : "";
		const preset = setting.default && !["secret", "bool", "choice"].includes(type) ? this.#view.text("admin.default", { value: setting.default }) : "";
		setText(this.#note, [help, stored, preset].filter(Boolean).join(" "));
	}

	/** null asks for the default. */
	get value() {
		if (this.#input instanceof HTMLInputElement && this.#setting.type === "bool") return String(this.#input.checked);
		return this.#input.value === "" ? null : this.#input.value;
	}

	get changed() {
		const { type, value } = this.#setting;
		if (type === "secret") return this.#input.value !== "";
		if (type === "bool") return this.value !== (value || this.#setting.default || "false");
		return this.#input.value !== (value ?? "");
	}

	get missing() {
		const { required, type, isSet } = this.#setting;
		return Boolean(required) && !this.#setting.default && type !== "bool" && this.#input.value === "" && !(type === "secret" && isSet);
	}

	/** @param {string} words "" for none */
	complain(words) {
		setText(this.#wrong, words);
		if (words) this.#input.setAttribute("aria-invalid", "true");
		else this.#input.removeAttribute("aria-invalid");
	}

	focus() {
		this.#input.focus();
	}
}

/** @param {ProviderSetting} setting */
function inputFor({ type, choices, min, max }) {
	if (type === "choice") return element("select", {}, ...(choices ?? []).map((c) => element("option", { value: c }, c)));
	if (type === "bool") return element("input", { type: "checkbox" });
	if (type === "secret") return element("input", { type: "password", autocomplete: "new-password" });
	if (type === "number" || type === "seconds") {
		const bounded = Boolean(min || max);
		return element("input", { type: "number", min: bounded ? String(min) : null, max: bounded ? String(max) : null });
	}
	return element("input", { type: type === "url" ? "url" : "text", autocomplete: "off", spellcheck: "false" });
}
