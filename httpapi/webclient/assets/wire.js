// @ts-check
/**
 * Between the shapes of the API and those of the wire.
 *
 * @typedef {import("./types.js").User} User
 */

/**
 * @param {User | string} user an id stands for a user whose name is not known yet
 * @returns {User}
 */
export function asUser(user) {
	return typeof user === "string" ? { id: user, title: "", type: "user", group: false } : user;
}

/**
 * Reads an event; old servers send them as JSON text.
 *
 * @param {any} data
 * @returns {any} null if it is no object
 */
export function asObject(data) {
	let value = data;
	if (typeof data === "string") {
		try {
			value = JSON.parse(data);
		} catch {
			return null;
		}
	}
	return value !== null && typeof value === "object" && !Array.isArray(value) ? value : null;
}

/**
 * The wire wants lists of ids as one text, as old connectors write them.
 *
 * @param {Partial<import("./types.js").CallInfo>} info
 */
export function joinLists(info) {
	const { participants, spaces, ...rest } = info;
	return {
		...rest,
		...(participants ? { participants: asText(participants) } : {}),
		...(spaces ? { spaces: asText(spaces) } : {}),
	};
}

/** @param {string[] | string} list */
function asText(list) {
	return typeof list === "string" ? list : list.join(";");
}

/** Names one wish, however often it is sent. Works on insecure pages too. */
export function newKey() {
	const bytes = crypto.getRandomValues(new Uint8Array(16));
	return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}
