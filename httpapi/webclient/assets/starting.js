// @ts-check
/**
 * The steps that begin a call.
 *
 * @typedef {import("./types.js").WebConferencing} WebConferencing
 * @typedef {import("./types.js").Call} Call
 * @typedef {import("./types.js").Provider} Provider
 * @typedef {import("./types.js").User} User
 * @typedef {import("./types.js").Group} Group
 */
import { toCallError } from "./rest.js";

/**
 * The provider of a type, or the first that fits, if there is one.
 *
 * @param {WebConferencing} wc
 * @param {string | undefined} type
 * @param {boolean} group
 * @returns {Provider | undefined}
 */
export function fittingProvider(wc, type, group) {
	const fitting = wc.getProviders().filter((p) => !p.ownsCalls && isAble(wc, p, group) && (!type || p.getSupportedTypes().includes(type)));
	return fitting[0];
}

/**
 * Whether a provider can hold calls of a kind.
 *
 * @param {WebConferencing} wc
 * @param {Provider} provider
 * @param {boolean} group
 */
export function isAble(wc, provider, group) {
	const config = wc.getContext().providersConfig?.find((c) => c.type === provider.getType());
	if (!group) return config?.oneToOne !== false;
	return provider.supportsGroups?.() !== false && config?.groups !== false;
}

/**
 * The provider of a type, or the first one that fits and that the group, or the
 * portal, has chosen.
 *
 * @param {WebConferencing} wc
 * @param {string | undefined} type
 * @param {User | Group} callee
 * @returns {Promise<Provider>}
 */
export async function chooseProvider(wc, type, callee) {
	const group = callee.group;
	const provider = (type ? undefined : await chosenProvider(wc, callee)) ?? fittingProvider(wc, type, group);
	if (!provider) throw new Error(wc.message("webconferencing.notConfigured"));
	return provider;
}

/**
 * @param {WebConferencing} wc
 * @param {User | Group} callee
 * @returns {Promise<Provider | undefined>}
 */
async function chosenProvider(wc, callee) {
	try {
		const { providers } = await wc.getProviderChoice(callee.group ? { id: callee.id, type: callee.type } : undefined);
		for (const { type } of providers) {
			const provider = fittingProvider(wc, type, callee.group);
			if (provider) return provider;
		}
	} catch {
		// The server knows no choices; it refuses what may not be.
	}
	return undefined;
}

/**
 * @param {WebConferencing} wc
 * @param {string} callId
 * @returns {Promise<Call | null>} null if there is none
 */
export async function findCall(wc, callId) {
	try {
		return await wc.getCall(callId);
	} catch (error) {
		if (toCallError(error).code === "NOT_FOUND_ERROR") return null;
		throw error;
	}
}

/**
 * Creates a call that rings, or starts the group's one again. If somebody else
 * was quicker, because both called at the same time, it is the other's call.
 *
 * @param {WebConferencing} wc
 * @param {string} callId
 * @param {{old: Call | null, details: User | Group, provider: Provider}} what
 *   old: the call of that id that does not run
 * @returns {Promise<{call: Call, own: boolean}>}
 */
export async function launchCall(wc, callId, { old, details, provider }) {
	try {
		if (old && details.group) {
			if (old.providerType !== provider.getType()) await wc.updateCall(callId, { provider: provider.getType() });
			return { call: await wc.updateCall(callId, "started"), own: true };
		}
		const me = wc.getUser().id;
		const call = await wc.addCall(callId, {
			owner: details.group ? details.id : me,
			ownerType: details.group ? details.type : "user",
			provider: provider.getType(),
			title: details.title,
			participants: details.group ? Object.keys(details.members) : [me, details.id],
			start: true,
		});
		return { call, own: true };
	} catch (error) {
		if (toCallError(error).code !== "CLIENT_ERROR") throw error;
		const call = await findCall(wc, callId);
		if (call?.state !== "started") throw error;
		return { call, own: false };
	}
}
