// @ts-check
/**
 * What a client does to the page around it: windows, styles, and notices,
 * which it only announces and somebody else shows.
 */
export class Page {
	/** Dispatches `connection`, `providers` and `notice`. */
	events = new EventTarget();

	/** @param {string} url */
	loadStyle(url) {
		const { href } = new URL(url, document.baseURI);
		const links = [...document.querySelectorAll("link[rel=stylesheet]")];
		if (links.some((link) => link instanceof HTMLLinkElement && link.href === href)) return;
		const link = document.createElement("link");
		link.rel = "stylesheet";
		link.href = href;
		document.head.append(link);
	}

	/**
	 * @param {string} url
	 * @param {string} name
	 */
	showCallPopup(url, name) {
		const popup = open(url, name, "popup,width=1024,height=720");
		popup?.focus();
		return popup;
	}

	/**
	 * @param {string} url
	 * @param {string} name
	 */
	showCallWindow(url, name) {
		const page = open(url, name);
		page?.focus();
		return page;
	}

	/**
	 * @param {import("./types.js").Notice} notice
	 */
	#notice(notice) {
		this.events.dispatchEvent(new CustomEvent("notice", { detail: notice }));
	}

	/**
	 * @param {string} title
	 * @param {string} text
	 */
	showInfo(title, text) {
		this.#notice({ level: "info", title, text, modal: true });
	}

	/**
	 * @param {string} title
	 * @param {string} text
	 */
	showWarn(title, text) {
		this.#notice({ level: "warn", title, text, modal: true });
	}

	/**
	 * @param {string} title
	 * @param {string} text
	 */
	showError(title, text) {
		this.#notice({ level: "error", title, text, modal: true });
	}

	/**
	 * @param {string} title
	 * @param {string} text
	 */
	async showConfirm(title, text) {
		return globalThis.confirm(`${title}\n\n${text}`);
	}

	/** @param {string} text */
	noticeInfo(text) {
		this.#notice({ level: "info", title: "", text, modal: false });
	}

	/** @param {string} text */
	noticeWarn(text) {
		this.#notice({ level: "warn", title: "", text, modal: false });
	}

	/** @param {string} text */
	noticeError(text) {
		this.#notice({ level: "error", title: "", text, modal: false });
	}
}
