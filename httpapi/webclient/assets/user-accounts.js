// @ts-check
/**
 * @typedef {import("./types.js").UserAccounts} Accounts
 * @typedef {import("./types.js").AccountType} AccountType
 */
import { BaseElement } from "./base-element.js";
import { arrange, element, icon, setText } from "./dom.js";
import { accountStyles } from "./styles-panels.js";

/**
 * `<wc-user-accounts user="john">`: the accounts in somebody's profile, nothing
 * if there are none. Without `user`, and for the signed-in user, each kind of
 * account that a provider brought along has a form.
 */
export class UserAccounts extends BaseElement {
	static observedAttributes = ["user"];

	#title = element("h2", { id: "title" });
	#list = element("ul", { "aria-labelledby": "title" });
	#forms = element("div", { class: "forms" });
	#told = element("p", { class: "hushed", role: "status" });
	#fault = element("div", { class: "fault", role: "alert", hidden: true });
	#box = element("section", { class: "panel", "aria-labelledby": "title", hidden: true }, this.#title, this.#list, this.#forms, this.#fault);
	/** @type {Map<string, AccountForm>} */
	#formOf = new Map();
	#loaded = false;
	#asked = 0;

	constructor() {
		super(accountStyles);
		this.root.append(this.#box, this.#told);
	}

	attributeChangedCallback() {
		this.#clear();
		this.plan();
	}

	attached() {
		this.#clear();
	}

	detached() {
		this.#clear();
	}

	#clear() {
		this.#loaded = false;
		this.#asked++;
		this.#formOf.clear();
		this.#list.replaceChildren();
		this.#forms.replaceChildren();
		this.#fault.hidden = true;
		this.#box.hidden = true;
		setText(this.#told, "");
	}

	render() {
		setText(this.#title, this.text("account.title"));
		if (!this.#loaded) void this.#load();
	}

	async #load() {
		const { app } = this;
		if (!app) return;
		this.#loaded = true;
		const asked = ++this.#asked;
		const me = app.wc.getUser().id;
		const user = this.getAttribute("user") || me;
		try {
			const accounts = await app.wc.getAccounts(user);
			if (asked === this.#asked) this.show(accounts, user === me);
		} catch (/** @type {any} */ error) {
			if (asked === this.#asked) this.#fail(error);
		}
	}

	/** @param {any} error */
	#fail(error) {
		this.app?.wc.getLog().warn("The accounts could not be read", error);
		const again = element("button", { type: "button", class: "outlined small" }, this.text("media.retry"));
		again.addEventListener("click", () => this.#load());
		this.#fault.replaceChildren(icon("warning"), element("span", {}, this.text("account.failed")), again);
		// Who is not there has no accounts.
		this.#fault.hidden = error?.code === "NOT_FOUND_ERROR";
		this.#box.hidden = this.#fault.hidden;
	}

	/**
	 * @param {Accounts} answer
	 * @param {boolean} own whether the signed-in user may change them
	 */
	show({ accounts, types }, own) {
		this.#fault.hidden = true;
		const titles = new Map(types.map(({ type, title }) => [type, title]));
		const listed = Object.entries(accounts).flatMap(([type, list]) => {
			// A form shows the first one.
			const rest = own && titles.has(type) ? list.slice(1) : list;
			return rest.map(({ id }) => element("li", {}, element("span", { class: "kind" }, titles.get(type) ?? type), " ", element("bdi", {}, id)));
		});
		this.#list.replaceChildren(...listed);
		this.#list.hidden = listed.length === 0;
		const forms = (own ? types : []).map((type) => {
			const form = this.#formOf.get(type.type) ?? new AccountForm(this, type);
			this.#formOf.set(type.type, form);
			form.take(accounts[type.type]?.[0]?.id ?? "");
			return form.box;
		});
		arrange(this.#forms, forms);
		this.#box.hidden = listed.length === 0 && forms.length === 0;
	}

	/** @param {string} text said to who can't see the change */
	tell(text) {
		setText(this.#told, "");
		setText(this.#told, text);
	}
}

/** The form of one kind of account. */
class AccountForm {
	#view;
	#type;
	#stored = "";
	#busy = false;
	#input;
	#wrong;
	#remove;

	/**
	 * @param {UserAccounts} view
	 * @param {AccountType} kind
	 */
	constructor(view, { type, title }) {
		this.#view = view;
		this.#type = type;
		const label = element("label", { for: `account-${type}`, id: `label-${type}` }, title);
		this.#wrong = element("p", { class: "wrong", id: `wrong-${type}`, role: "alert", dir: "auto" });
		this.#input = element("input", { id: `account-${type}`, "aria-describedby": `wrong-${type}`, autocomplete: "off", autocapitalize: "none", spellcheck: "false", dir: "auto" });
		const save = element("button", { type: "submit", class: "primary", "aria-describedby": `label-${type}` }, view.text("account.save"));
		this.#remove = element("button", { type: "button", class: "outlined", "aria-describedby": `label-${type}` }, view.text("account.remove"));
		this.box = element("form", { novalidate: true }, label, this.#input, save, this.#remove, this.#wrong);
		this.#remove.addEventListener("click", () => this.#send(null));
		this.box.addEventListener("submit", (event) => {
			event.preventDefault();
			const account = this.#input.value.trim();
			if (account) void this.#send(account);
			else if (this.#stored) void this.#send(null);
			else this.#complain(view.text("admin.required"));
		});
	}

	/** @param {string} account as it is stored, "" for none */
	take(account) {
		// Another form's answer must not undo what is being typed here.
		if (account !== this.#stored || this.#input.value.trim() === account) this.#input.value = account;
		this.#stored = account;
		this.#remove.hidden = account === "";
	}

	/** @param {string | null} account */
	async #send(account) {
		const { app } = this.#view;
		if (!app || this.#busy) return;
		this.#busy = true;
		this.#complain("");
		try {
			const answer = await app.wc.setAccount(this.#type, account);
			if (!this.box.isConnected) return;
			this.#input.value = this.#stored = "";
			this.#view.show(answer, true);
			this.#view.tell(this.#view.text(account === null ? "account.removed" : "account.saved"));
			if (this.#remove.hidden) this.#input.focus();
		} catch (/** @type {any} */ error) {
			// The provider's sentence says it best.
			this.#complain(error?.field === "account" && error.message ? String(error.message) : app.wc.errorText(error));
		} finally {
			this.#busy = false;
		}
	}

	/** @param {string} words "" for none */
	#complain(words) {
		setText(this.#wrong, words);
		if (!words) {
			this.#input.removeAttribute("aria-invalid");
			return;
		}
		this.#view.tell("");
		this.#input.setAttribute("aria-invalid", "true");
		this.#input.focus();
	}
}
