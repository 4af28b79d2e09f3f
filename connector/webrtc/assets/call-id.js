// @ts-check
/**
 * Names of calls.
 *
 * @param {import("../../../httpapi/webclient/assets/types.js").ButtonContext} context
 * @returns {Promise<string>} `g/` and the group's id, or `p/` and the ids of
 *   both people, the same from either side
 */
export async function callIdOf(context) {
	const { id } = await context.details();
	if (context.isGroup) return `g/${id}`;
	const pair = [context.currentUser.id, id].map(escapeId).sort();
	return `p/${pair.join("-")}`;
}

/**
 * Keeps ids that contain the separator apart from each other: without it,
 * `a-b` with `c` would be the same call as `a` with `b-c`.
 *
 * @param {string} id
 */
function escapeId(id) {
	return id.replace(/~/g, "~7e").replace(/-/g, "~2d");
}
