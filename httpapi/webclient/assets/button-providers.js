// @ts-check
/**
 * Which providers a call button may offer, and the buttons that connectors
 * bring themselves.
 *
 * @typedef {import("./types.js").WebConferencing} WebConferencing
 * @typedef {import("./types.js").CallTarget} CallTarget
 * @typedef {import("./types.js").Provider} Provider
 */
import { contextOf } from "./group-calls.js";
import { isAble } from "./starting.js";

/**
 * Providers that can hold a call, in the order of the group's choice, or of the
 * server.
 *
 * @param {WebConferencing} wc
 * @param {CallTarget} target
 * @param {string[] | null} chosen types, null for no choice
 * @returns {Provider[]}
 */
export function offeredProviders(wc, target, chosen) {
	const order = chosen ?? (wc.getContext().providersConfig ?? []).map((c) => c.type);
	/** @param {Provider} p */
	const place = (p) => order.indexOf(p.getType());
	return wc
		.getProviders()
		.filter((p) => !p.ownsCalls && isAble(wc, p, Boolean(target.space || target.room)))
		.filter((p) => (!target.provider || p.getSupportedTypes().includes(target.provider)) && (chosen === null || place(p) >= 0))
		.sort((a, b) => place(a) - place(b));
}

/**
 * The types that a group has chosen, null if it has no choice.
 *
 * @param {WebConferencing} wc
 * @param {CallTarget} target
 */
export async function chosenTypes(wc, target) {
	if (!target.space && !target.room) return null;
	try {
		const details = await contextOf(wc, target).details();
		if (!details.group) return null;
		const { providers, limited } = await wc.getProviderChoice({ id: details.id, type: details.type });
		return limited ? providers.map((p) => p.type) : null;
	} catch {
		// A server without choices; it refuses what may not be.
		return null;
	}
}

/**
 * The buttons of connectors that show their calls themselves.
 *
 * @param {WebConferencing} wc
 * @param {CallTarget} target
 * @returns {Promise<Element[]>}
 */
export async function ownButtons(wc, target) {
	const owners = wc.getProviders().filter((p) => p.ownsCalls && (!target.provider || p.getSupportedTypes().includes(target.provider)));
	if (owners.length === 0 || target.user === wc.getUser().id) return [];
	const context = contextOf(wc, target);
	const buttons = await Promise.all(owners.map((provider) => provider.callButton(context).catch((error) => {
		wc.getLog(provider.getType()).warn("There is no call button", error);
		return null;
	})));
	return buttons.filter((button) => button instanceof Element);
}
