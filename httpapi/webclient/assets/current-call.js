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
 *   takesOver: boolean,
 *   rings: Map<string, number>,
 *   window: import("./call-window.js").CallWindow | null,
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
		takesOver: false,
		rings: new Map(),
		window: null,
		providerType: "",
		ringing: 0,
		unanswered: [],
		problems: [],
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

const unanswered = new Set(["declined", "busy", "missed", "unreachable", "cancelled"]);

/**
 * Learns names, pictures and rings from a call.
 *
 * @param {Current} current
 * @param {Call} call
 */
export function nameParticipants(current, call) {
	for (const { id, title, avatarLink } of call.participants) {
		current.names.set(id, title || id);
		current.pictures.set(id, avatarLink ?? "");
	}
	for (const { id, ring, ringingOn } of call.participants) noteRing(current, id, ring === "ringing" ? (ringingOn?.length ?? 0) : 0);
	current.unanswered = call.participants.filter((p) => p.state !== "joined" && unanswered.has(p.ring ?? "")).map((p) => p.id);
}

/**
 * Notes on how many devices of somebody a call rings.
 *
 * @param {Current} current
 * @param {string} userId
 * @param {number} count
 */
export function noteRing(current, userId, count) {
	if (count > 0) current.rings.set(userId, count);
	else current.rings.delete(userId);
	current.ringing = [...current.rings.values()].reduce((sum, n) => sum + n, 0);
}

/**
 * Gives this device its seat in the call.
 *
 * @param {import("./types.js").WebConferencing} wc
 * @param {Current} current
 * @returns {Promise<Call | null>} null if the call was answered elsewhere
 */
export function takeSeat(wc, { callId, rung, takesOver }) {
	if (takesOver) return wc.takeOver(callId);
	return rung ? answer(wc, callId) : wc.updateUserCall(callId, "joined");
}

/**
 * Joins for a device that has rung, unless another device was quicker.
 *
 * @param {import("./types.js").WebConferencing} wc
 * @param {string} callId
 * @returns {Promise<Call | null>} null if the call was answered elsewhere
 */
async function answer(wc, callId) {
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
