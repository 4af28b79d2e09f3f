// @ts-check
/**
 * The window of a call whose provider has a page of its own. Browsers let a
 * page open windows only while they handle a click, and which address it will
 * have is known only later; so it is opened empty, and led to the call then.
 *
 * @typedef {import("./types.js").Provider} Provider
 */
import { safeURL } from "./dom.js";

/** A window that waits for its address. */
export class CallWindow {
	#window;

	/**
	 * Opens a window; call it while a click is handled.
	 *
	 * @param {string} text shown until the call is there
	 */
	constructor(text) {
		this.#window = globalThis.open?.("", "_blank", "popup,width=1024,height=720") ?? null;
		if (!this.#window) return;
		try {
			this.#window.document.title = text;
			this.#window.document.body.textContent = text;
		} catch {
			// Some browsers keep the empty page to themselves; it stays blank.
		}
	}

	/** The browser did not open it. */
	get blocked() {
		return this.#window === null;
	}

	/** @param {string} url */
	show(url) {
		const address = safeURL(url);
		if (!this.#window || this.#window.closed) return;
		if (!address) {
			this.close();
			return;
		}
		// A stranger's page must not reach back.
		if (new URL(address).origin !== location.origin) this.#window.opener = null;
		this.#window.location.replace(address);
	}

	/** Closes the window. Browsers keep one that must not reach back. */
	close() {
		this.#window?.close();
		this.#window = null;
	}
}

/**
 * Whether a provider's calls are pages of their own.
 *
 * @param {Provider | undefined} provider
 */
export function needsWindow(provider) {
	return provider !== undefined && !provider.openSession && !provider.ownsCalls;
}
