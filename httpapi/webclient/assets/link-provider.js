// @ts-check
/**
 * The browser side of providers that bring none: their call is the page behind
 * the link that the server hands out.
 *
 * @typedef {import("./types.js").Provider} Provider
 * @typedef {import("./types.js").ProviderConfig} ProviderConfig
 * @typedef {import("./types.js").ButtonContext} ButtonContext
 */

/**
 * @param {ProviderConfig} config
 * @returns {Provider}
 */
export function createLinkProvider(config) {
	return {
		getType: () => config.type,
		getSupportedTypes: () => config.supportedTypes ?? [config.type],
		getTitle: () => config.title || config.type,
		supportsGroups: () => config.groups !== false,
		getCallId: callIdOf,
		async callButton(context) {
			const button = document.createElement("wc-call-button");
			button.setAttribute("provider", config.type);
			if (context.spaceId) button.setAttribute("space", context.spaceId);
			else if (context.roomId) button.setAttribute("room", context.roomId);
			else button.setAttribute("user", context.userId ?? "");
			return button;
		},
	};
}

/**
 * The same id from either side, so that two who call each other meet.
 *
 * @param {ButtonContext} context
 */
async function callIdOf({ currentUser, isGroup, details }) {
	const { id } = await details();
	return isGroup ? `g/${id}` : `p/${[currentUser.id, id].map(escapeId).sort().join("-")}`;
}

/**
 * Keeps ids with a hyphen apart from the hyphen between them.
 *
 * @param {string} id
 */
function escapeId(id) {
	return id.replace(/[~-]/g, (c) => (c === "~" ? "~7e" : "~2d"));
}
