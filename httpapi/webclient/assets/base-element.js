// @ts-check
/**
 * What all elements of the module share: they find the page's client and call
 * controller, which may start after them, and render when these change.
 *
 * @typedef {import("./types.js").WebConferencing} WebConferencing
 * @typedef {import("./types.js").Calls} Calls
 * @typedef {{wc: WebConferencing, calls: Calls}} App
 */

/** @type {App | null} the one of this page */
let app = null;
const started = new EventTarget();

/**
 * Gives the elements of the page something to show. null takes it away.
 *
 * @param {App | null} present
 */
export function connectElements(present) {
	app = present;
	started.dispatchEvent(new Event("started"));
}

/** Base of the module's elements. */
export class BaseElement extends HTMLElement {
	/** @type {ShadowRoot} */
	root;
	/** @type {AbortController | null} */
	#life = null;
	/** @type {AbortController | null} */
	#bond = null;
	#planned = false;

	/** @param {CSSStyleSheet[]} sheets */
	constructor(sheets) {
		super();
		this.root = this.attachShadow({ mode: "open" });
		this.root.adoptedStyleSheets = sheets;
	}

	connectedCallback() {
		this.#life = new AbortController();
		started.addEventListener("started", () => this.#bind(), { signal: this.#life.signal });
		this.#bind();
	}

	disconnectedCallback() {
		this.#life?.abort();
		this.#bond?.abort();
		this.#life = this.#bond = null;
		this.detached();
	}

	/** @returns {App | null} */
	get app() {
		return app;
	}

	#bind() {
		this.#bond?.abort();
		this.#bond = new AbortController();
		if (!app) {
			this.detached();
			return;
		}
		const { signal } = this.#bond;
		app.calls.addEventListener("change", () => this.plan(), { signal });
		app.wc.events.addEventListener("providers", () => this.plan(), { signal });
		app.wc.events.addEventListener("connection", () => this.plan(), { signal });
		this.attached(app, signal);
		this.plan();
	}

	/** Renders soon, once for all changes of this turn. */
	plan() {
		if (this.#planned) return;
		this.#planned = true;
		queueMicrotask(() => {
			this.#planned = false;
			if (app && this.isConnected) this.render(app);
		});
	}

	/**
	 * Called when there is an app; what is bound to the signal ends with it.
	 *
	 * @param {App} _app
	 * @param {AbortSignal} _signal
	 */
	attached(_app, _signal) {}

	/** Called when the element or the app goes away. */
	detached() {}

	/**
	 * Brings the shadow root up to date.
	 *
	 * @param {App} _app
	 */
	render(_app) {}

	/**
	 * @param {string} key after `webconferencing.`
	 * @param {Record<string, string | number>} [values]
	 */
	text(key, values) {
		return app?.wc.message(`webconferencing.${key}`, values) ?? "";
	}
}
