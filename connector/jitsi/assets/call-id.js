// @ts-check
/**
 * Names of calls: `g/` and the group's id, or `p/` and the ids of both people,
 * the same from either side. Other connectors name them so too, so that two
 * people have one call with each other and not one for each provider.
 *
 * @param {import("../../../httpapi/webclient/assets/types.js").ButtonContext} context
 * @returns {Promise<string>}
 */
export async function callIdOf(context) {
	const { id } = await context.details();
	if (context.isGroup) return `g/${id}`;
	// Ids may have the separator in them.
	const pair = [context.currentUser.id, id].map((one) => one.replace(/~/g, "~7e").replace(/-/g, "~2d"));
	return `p/${pair.sort().join("-")}`;
}
