// @ts-check
/**
 * Small helpers that build DOM. Text only ever becomes text nodes, and links
 * only ever have addresses that can't run anything.
 */

/**
 * Makes an element.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | boolean | null | undefined>} [attributes]
 *   true sets an empty attribute; false, null and undefined none
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(tag, attributes = {}, ...children) {
	const made = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes)) {
		if (value === true) made.setAttribute(name, "");
		else if (typeof value === "string") made.setAttribute(name, value);
	}
	made.append(...children);
	return made;
}

/** @type {Readonly<Record<string, string>>} outlines on a grid of 24 */
const outlines = Object.freeze({
	phone: "M6.6 10.8a15 15 0 0 0 6.6 6.6l2.2-2.2a1 1 0 0 1 1-.25 11.4 11.4 0 0 0 3.6.57 1 1 0 0 1 1 1V20a1 1 0 0 1-1 1A17 17 0 0 1 3 4a1 1 0 0 1 1-1h3.5a1 1 0 0 1 1 1 11.4 11.4 0 0 0 .57 3.6 1 1 0 0 1-.25 1z",
	hangUp: "M12 9a15 15 0 0 0-4.6.72v3.1a1 1 0 0 1-.56.9 11 11 0 0 0-2.66 1.85 1 1 0 0 1-1.4 0L.3 13.1a1 1 0 0 1 0-1.42 16.9 16.9 0 0 1 23.4 0 1 1 0 0 1 0 1.42l-2.48 2.47a1 1 0 0 1-1.4 0 11 11 0 0 0-2.66-1.85 1 1 0 0 1-.56-.9v-3.1A15 15 0 0 0 12 9z",
	mic: "M12 14a3 3 0 0 0 3-3V5a3 3 0 1 0-6 0v6a3 3 0 0 0 3 3zm5-3a5 5 0 0 1-10 0H5a7 7 0 0 0 6 6.9V21h2v-3.1A7 7 0 0 0 19 11z",
	micOff: "M19 11h-2a5 5 0 0 1-.43 2l1.5 1.5A7 7 0 0 0 19 11zm-4 .2V5a3 3 0 0 0-6-.2zM4.3 3 3 4.3l6 6V11a3 3 0 0 0 4.2 2.75l1.65 1.65A5 5 0 0 1 7 11H5a7 7 0 0 0 6 6.9V21h2v-3.1a7 7 0 0 0 3.3-1.2l3.4 3.3 1.3-1.3z",
	camera: "M17 10.5V7a1 1 0 0 0-1-1H4a1 1 0 0 0-1 1v10a1 1 0 0 0 1 1h12a1 1 0 0 0 1-1v-3.5l4 4v-11z",
	cameraOff: "M21 6.5l-4 4V7a1 1 0 0 0-1-1H9.8L21 17.2zM3.3 2 2 3.3 4.7 6H4a1 1 0 0 0-1 1v10a1 1 0 0 0 1 1h12l.6-.2 3.1 3.1 1.3-1.3z",
	enlarge: "M7 14H5v5h5v-2H7zm-2-4h2V7h3V5H5zm12 7h-3v2h5v-5h-2zM14 5v2h3v3h2V5z",
	chevron: "M6 9l1.4-1.4L12 12.2l4.6-4.6L18 9l-6 6z",
	minimise: "M5 17h14v2H5z",
	restore: "M4 5h16v14H4zm2 4v8h12V9z",
	here: "M4 4h16v11H4zm2 9h12V6H6zM2 17h20v2H2z",
	search: "M10 3a7 7 0 1 0 4.2 12.6l5.1 5.1 1.4-1.4-5.1-5.1A7 7 0 0 0 10 3zm0 2a5 5 0 1 1 0 10 5 5 0 0 1 0-10z",
	screen: "M3 4h18a1 1 0 0 1 1 1v11a1 1 0 0 1-1 1h-7v2h3v2H7v-2h3v-2H3a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1zm9 3-4 4h3v4h2v-4h3z",
	settings: "M4 6h9v2H4zm13 0h3v2h-3zm-3-1h2v4h-2zM4 11h3v2H4zm7 0h9v2h-9zM8 10h2v4H8zm-4 6h9v2H4zm13 0h3v2h-3zm-3-1h2v4h-2z",
	bell: "M12 2a6 6 0 0 0-6 6v5l-2 3v1h16v-1l-2-3V8a6 6 0 0 0-6-6zm-2 17a2 2 0 0 0 4 0z",
	bellOff: "M12 2a6 6 0 0 0-4.5 2L18 14.5V8a6 6 0 0 0-6-6zM6 8v5l-2 3v1h10.5L6.1 8.5zm4 11a2 2 0 0 0 4 0zM3.3 2 2 3.3 20.7 22 22 20.7z",
	incoming: "M19 6.4 17.6 5 8 14.6V8H6v10h10v-2H9.4z",
	outgoing: "M5 17.6 6.4 19 16 9.4V16h2V6H8v2h6.6z",
	missed: "M2.6 7 4 5.6l8 8L18.6 7H14V5h8v8h-2V8.4l-8 8z",
	warning: "M12 3 1 21h22zm-1 7h2v5h-2zm0 7h2v2h-2z",
	close: "M19 6.4 17.6 5 12 10.6 6.4 5 5 6.4l5.6 5.6L5 17.6 6.4 19l5.6-5.6 5.6 5.6 1.4-1.4-5.6-5.6z",
});

/**
 * A decorative picture; the name must be told by something else.
 *
 * @param {string} name
 */
export function icon(name) {
	const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
	svg.setAttribute("viewBox", "0 0 24 24");
	svg.setAttribute("aria-hidden", "true");
	svg.setAttribute("focusable", "false");
	const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
	path.setAttribute("d", outlines[name] ?? "");
	svg.append(path);
	return svg;
}

/**
 * An address that may be linked to or shown as a picture, or null: https, or
 * from the page's own origin, or, for somebody who tries things out on one
 * machine, between programs of that machine.
 *
 * @param {string | null | undefined} address
 * @returns {string | null}
 */
export function safeURL(address) {
	if (!address) return null;
	try {
		const url = new URL(address, document.baseURI);
		const near = url.origin === location.origin || (isLoopback(url) && isLoopback(location));
		return url.protocol === "https:" || (near && url.protocol === "http:") ? url.href : null;
	} catch {
		return null;
	}
}

/** @param {{hostname: string}} place */
function isLoopback({ hostname }) {
	return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d+){3}$/.test(hostname);
}

/**
 * A person's picture, or the first letters of the name.
 *
 * @param {string} name
 * @param {string | null | undefined} link
 */
export function avatar(name, link) {
	const letters = name
		.split(/\s+/)
		.filter(Boolean)
		.slice(0, 2)
		.map((word) => [...word][0])
		.join("")
		.toUpperCase();
	const url = safeURL(link);
	const box = element("span", { class: "avatar", "aria-hidden": "true" }, letters || "?");
	if (url) {
		const image = element("img", { src: url, alt: "" });
		image.addEventListener("load", () => box.replaceChildren(image));
	}
	return box;
}

/**
 * Replaces an element's children only if they differ in kind or order, so that
 * playing videos and the focus stay where they are.
 *
 * @param {Element} parent
 * @param {Node[]} children
 */
export function arrange(parent, children) {
	for (const node of [...parent.childNodes]) {
		if (!children.includes(node)) node.remove();
	}
	children.forEach((child, index) => {
		if (parent.childNodes[index] !== child) parent.insertBefore(child, parent.childNodes[index] ?? null);
	});
}

/**
 * Sets text only if it changes, since a live region speaks each time.
 *
 * @param {Element} target
 * @param {string} text
 */
export function setText(target, text) {
	if (target.textContent !== text) target.textContent = text;
}

/**
 * What has the focus, inside of whatever elements; null if nothing has.
 *
 * @returns {HTMLElement | null}
 */
export function focusedElement() {
	let at = document.activeElement;
	while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
	return at instanceof HTMLElement && at !== document.body ? at : null;
}

/**
 * @param {number} ms
 * @returns {string} such as 1:05 or 2:00:09
 */
export function duration(ms) {
	const seconds = Math.max(0, Math.floor(ms / 1000));
	const parts = [Math.floor(seconds / 60) % 60, seconds % 60];
	if (seconds >= 3600) parts.unshift(Math.floor(seconds / 3600));
	return parts.map((n, i) => (i === 0 ? String(n) : String(n).padStart(2, "0"))).join(":");
}

/** Shows how long something has lasted, second by second. */
export class Clock {
	#target;
	#since = 0;
	/** @type {ReturnType<typeof setInterval> | undefined} */
	#timer;

	/** @param {HTMLElement} target */
	constructor(target) {
		this.#target = target;
	}

	/** @param {number} since in ms since 1970; 0 shows nothing */
	start(since) {
		if (this.#since === since) return;
		this.stop();
		this.#since = since;
		this.#target.hidden = since === 0;
		if (since === 0) return;
		const show = () => setText(this.#target, duration(Date.now() - since));
		show();
		this.#timer = setInterval(show, 1000);
	}

	/** What is shown stays. */
	stop() {
		clearInterval(this.#timer);
		this.#since = 0;
	}
}
