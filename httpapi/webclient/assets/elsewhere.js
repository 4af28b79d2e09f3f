// @ts-check
/**
 * The calls that the user is in on another device or in another tab, so that a
 * page can offer to continue here.
 *
 * @typedef {import("./types.js").WebConferencing} WebConferencing
 * @typedef {import("./types.js").CallElsewhere} CallElsewhere
 * @typedef {import("./types.js").UserEvent} UserEvent
 * @typedef {import("./types.js").Call} Call
 */
import { titleOf } from "./current-call.js";
import { toCallError } from "./rest.js";

const maxCalls = 20;

/** Keeps the list. */
export class CallsElsewhere {
	/** @type {Map<string, CallElsewhere>} */
	#calls = new Map();
	#wc;
	#changed;

	/**
	 * @param {WebConferencing} wc
	 * @param {() => void} changed
	 */
	constructor(wc, changed) {
		this.#wc = wc;
		this.#changed = changed;
	}

	/** @returns {CallElsewhere[]} */
	get list() {
		return [...this.#calls.values()];
	}

	/** @param {Call[]} calls all that run for the user */
	readAll(calls) {
		this.#calls.clear();
		for (const call of calls) this.#take(call);
		this.#changed();
	}

	/** @param {UserEvent} event */
	onEvent({ eventType, callId, callState, part, clientId }) {
		if (eventType === "call_state" && callState !== "started") {
			this.#remove(callId);
			return;
		}
		if (part?.id !== this.#wc.getUser().id) return;
		if (eventType === "call_leaved") this.#remove(callId);
		else if (eventType === "call_joined" || eventType === "call_device_leaved" || (eventType === "call_seat_replaced" && clientId !== this.#wc.clientId)) void this.#look(callId);
	}

	/** @param {string} callId */
	async #look(callId) {
		try {
			const call = await this.#wc.getCall(callId);
			this.#remove(callId);
			this.#take(call);
			this.#changed();
		} catch (error) {
			if (toCallError(error).code === "NOT_FOUND_ERROR") this.#remove(callId);
		}
	}

	/** @param {Call} call */
	#take(call) {
		const me = call.participants.find((p) => p.id === this.#wc.getUser().id);
		if (call.state !== "started" || me?.state !== "joined" || me.clientId === this.#wc.clientId) return;
		if (this.#calls.size >= maxCalls) return;
		this.#calls.set(call.id, {
			callId: call.id,
			title: titleOf(call, me.id),
			group: call.owner.group,
			providerType: call.providerType,
			since: Date.parse(call.lastDate ?? "") || Date.now(),
			clientId: me.clientId ?? "",
		});
	}

	/** @param {string} callId */
	#remove(callId) {
		if (this.#calls.delete(callId)) this.#changed();
	}
}
