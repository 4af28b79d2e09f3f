// @ts-check
/**
 * Which groups on the page have a call that one could join.
 *
 * @typedef {import("./types.js").WebConferencing} WebConferencing
 * @typedef {import("./types.js").CallTarget} CallTarget
 * @typedef {import("./types.js").UserEvent} UserEvent
 */

/**
 * The context of a button that calls the target.
 *
 * @param {WebConferencing} wc
 * @param {CallTarget} target
 */
export function contextOf(wc, target) {
	if (target.space) return wc.createSpaceContext(target.space);
	if (target.room) return wc.createChatContext(target.room, target.roomTitle);
	if (target.user) return wc.createUserContext(target.user);
	throw new Error("a call needs a user, a space or a room");
}

/** Watches the groups that buttons ask for. */
export class GroupCalls {
	#wc;
	#changed;
	/** @type {Map<string, string>} owner key to the id of the running call */
	#running = new Map();
	/** @type {Map<string, string>} target key to owner key, "" while it is looked up */
	#watched = new Map();

	/**
	 * @param {WebConferencing} wc
	 * @param {() => void} changed
	 */
	constructor(wc, changed) {
		this.#wc = wc;
		this.#changed = changed;
	}

	/**
	 * The running call of a group, "" if there is none or it is not known yet.
	 *
	 * @param {CallTarget} target
	 */
	callOf(target) {
		const key = target.space ? `space/${target.space}` : `chat_room/${target.room}`;
		const owner = this.#watched.get(key);
		if (owner === undefined) this.#lookUp(key, target);
		return owner ? (this.#running.get(owner) ?? "") : "";
	}

	/**
	 * Asks for the running call of a group.
	 *
	 * @param {import("./types.js").Group} group
	 * @returns {Promise<string>} "" if there is none
	 */
	async running(group) {
		if (!group.callId) return "";
		const call = await this.#wc.getCall(group.callId).catch(() => null);
		return call?.state === "started" ? call.id : "";
	}

	/** @param {UserEvent} event */
	onEvent(event) {
		const { owner } = event;
		if (!owner || owner.type === "user") return;
		const key = `${owner.type}/${owner.id}`;
		if (event.eventType === "call_state" && event.callState !== "started") {
			if (this.#running.get(key) !== event.callId) return;
			this.#running.delete(key);
		} else if (event.eventType === "call_joined" || (event.eventType === "call_state" && event.callState === "started")) {
			if (this.#running.get(key) === event.callId) return;
			this.#running.set(key, event.callId);
		} else return;
		this.#changed();
	}

	/** Looks all groups up again. */
	recheck() {
		this.#watched.clear();
		this.#running.clear();
		this.#changed();
	}

	/**
	 * @param {string} key
	 * @param {CallTarget} target
	 */
	async #lookUp(key, target) {
		this.#watched.set(key, "");
		try {
			const group = await contextOf(this.#wc, target).details();
			if (!group.group) return;
			const owner = `${group.type}/${group.id}`;
			const callId = await this.running(group);
			if (callId) this.#running.set(owner, callId);
			this.#watched.set(key, owner);
			this.#changed();
		} catch {
			// The button stays a call button, and says so when it is pressed.
			this.#watched.set(key, "");
		}
	}
}
