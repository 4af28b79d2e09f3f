// @ts-check
/**
 * The call that a page is in.
 *
 * @typedef {import("./types.js").CurrentCall} CurrentCall
 * @typedef {import("./types.js").Provider} Provider
 * @typedef {import("./types.js").Call} Call
 */

import { toCallError } from "./rest.js";

/**
 * A call under way, with what the page does not need to see.
 *
 * @typedef {CurrentCall & {
 *   provider: Provider | null,
 *   seat: string,
 *   epoch: number,
 *   channel: {off: () => void} | null,
 *   replaces: string,
 *   launched: boolean,
 *   rung: boolean,
 * }} Current
 */

/** Thrown while something is awaited for a call that has ended meanwhile. */
export class HungUp extends Error {}

/**
 * @param {Partial<Current>} members
 * @returns {Current}
 */
export function newCurrent(members) {
	return {
		callId: "",
		phase: "preparing",
		group: false,
		title: "",
		status: "",
		reason: "",
		url: "",
		since: 0,
		session: null,
		names: new Map(),
		pictures: new Map(),
		provider: null,
		seat: "",
		epoch: 0,
		channel: null,
		replaces: "",
		launched: false,
		rung: false,
		...members,
	};
}

/**
 * The other person's name, or the group's.
 *
 * @param {Call} call
 * @param {string} me
 */
export function titleOf(call, me) {
	if (call.owner.group) return call.owner.title || call.title || "";
	const other = call.participants.find((p) => p.id !== me);
	return other?.title || other?.id || call.title || "";
}

/**
 * Learns names and pictures from a call.
 *
 * @param {CurrentCall} current
 * @param {Call} call
 */
export function nameParticipants(current, call) {
	for (const { id, title, avatarLink } of call.participants) {
		current.names.set(id, title || id);
		current.pictures.set(id, avatarLink ?? "");
	}
}

/**
 * Joins for a device that has rung, unless another device was quicker.
 *
 * @param {import("./types.js").WebConferencing} wc
 * @param {string} callId
 * @returns {Promise<Call | null>} null if the call was answered elsewhere
 */
export async function answer(wc, callId) {
	try {
		return await wc.acceptCall(callId);
	} catch (error) {
		const { code, reason } = toCallError(error);
		if (reason === "answered_elsewhere") return null;
		// It rings no more, or the server knows no rings: join as anybody does.
		if (code === "CLIENT_ERROR") return wc.updateUserCall(callId, "joined");
		throw error;
	}
}
