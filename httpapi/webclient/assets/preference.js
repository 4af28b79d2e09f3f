// @ts-check
/**
 * What a browser remembers of its user's choices. A browser that keeps nothing
 * for the page, because it was told to, forgets them with the page.
 */

const prefix = "webconferencing.";
/** @type {Map<string, string>} what could not be kept */
const fleeting = new Map();

/** @param {string} name */
export function preference(name) {
	try {
		return localStorage.getItem(prefix + name) ?? fleeting.get(name) ?? "";
	} catch {
		return fleeting.get(name) ?? "";
	}
}

/**
 * @param {string} name
 * @param {string} value
 */
export function setPreference(name, value) {
	fleeting.set(name, value);
	try {
		localStorage.setItem(prefix + name, value);
	} catch {
		// It holds until the page is left.
	}
}
