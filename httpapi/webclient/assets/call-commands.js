// @ts-check
/**
 * The commands about calls: making and changing them, rings, seats, history,
 * and what administrators may ask and do.
 *
 * @typedef {import("./types.js").CallInfo} CallInfo
 * @typedef {import("./types.js").Provider} Provider
 */
import { Directory } from "./directory.js";
import { newKey, joinLists } from "./wire.js";

/** Adds the commands to the client. */
export class CallCommands extends Directory {
	/** @param {string} id */
	getCall(id) {
		return this.command("get", { id });
	}

	/**
	 * @param {string | CallInfo} idOrInfo the info alone if the provider names
	 *   the call
	 * @param {CallInfo} [info]
	 */
	async addCall(idOrInfo, info) {
		const id = typeof idOrInfo === "string" ? idOrInfo : await this.#nameCall(idOrInfo);
		const { id: _, ...description } = (typeof idOrInfo === "string" ? info : idOrInfo) ?? {};
		// A create that is sent again after a broken connection finds its own
		// call; the key tells the server that it is the same wish.
		return this.command("create", { start: false, title: "", ...joinLists(description), id, idempotencyKey: newKey() });
	}

	/**
	 * @param {CallInfo} info
	 * @returns {Promise<string>}
	 */
	async #nameCall(info) {
		if (info.id) return info.id;
		const provider = this.findProvider(info.provider);
		const others = joinLists(info).participants?.split(";").filter((id) => id !== this.getUser().id) ?? [];
		let context;
		if (info.ownerType === "space") context = this.createSpaceContext(info.owner);
		else if (info.ownerType === "space_event") context = this.createSpaceEventContext(info.owner);
		else if (info.ownerType === "chat_room") context = this.createChatContext(info.owner, info.title);
		else context = this.createUserContext(others[0] ?? info.owner);
		const id = await provider?.getCallId?.(context);
		if (!id) throw new TypeError("addCall needs an id: the provider names none");
		return id;
	}

	/**
	 * @param {string} id
	 * @param {string | Partial<CallInfo>} stateOrInfo
	 */
	updateCall(id, stateOrInfo) {
		if (typeof stateOrInfo === "string") return this.command("update", { id, state: stateOrInfo });
		const { id: _, ...info } = stateOrInfo;
		return this.command("update", { id, info: joinLists(info) });
	}

	/**
	 * @param {string} id
	 * @param {"joined"|"leaved"} state
	 * @param {{seat?: string, epoch?: number}} [fence]
	 */
	updateUserCall(id, state, fence = {}) {
		return this.command("update", { id, state, ...fence });
	}

	/**
	 * @param {string} id
	 * @param {string[]} participants
	 */
	updateParticipants(id, participants) {
		return this.command("update", { id, participants });
	}

	/**
	 * @param {string} id
	 * @param {{id: string, type: "user"|"group"}[]} invites
	 */
	updateInvites(id, invites) {
		return this.command("update_invites", { id, invites });
	}

	/**
	 * @param {string} id
	 * @param {string} inviteId
	 */
	checkInvite(id, inviteId) {
		return this.command("check_invite", { id, inviteId });
	}

	/**
	 * @param {string} id
	 * @param {string} guestId
	 */
	addGuest(id, guestId) {
		return this.command("add_guest", { id, guestId });
	}

	/** @param {string} id */
	deleteCall(id) {
		return this.command("delete", { id });
	}

	getUserGroupCalls() {
		return this.command("get_calls_state", { id: this.getUser().id });
	}

	getOpenCalls() {
		return this.command("get_open_calls", {});
	}

	/** @param {string} name */
	findIdentities(name) {
		return this.command("get_org_identities", { name });
	}

	/**
	 * @param {string} link
	 * @param {Provider} provider
	 */
	findCallId(link, provider) {
		return provider.findCallId?.(link) ?? null;
	}

	// --- rings and seats ---

	/** @param {string} id */
	acceptCall(id) {
		return this.command("accept", { id });
	}

	/**
	 * @param {string} id
	 * @param {"declined"|"busy"} [reason]
	 */
	declineCall(id, reason) {
		return this.command("decline", { id, ...(reason ? { reason } : {}) });
	}

	/** @param {string} id */
	cancelCall(id) {
		return this.command("cancel", { id });
	}

	/** @param {string} id */
	takeOver(id) {
		return this.command("take_over", { id });
	}

	/** @param {string} id */
	async confirmRing(id) {
		await this.command("ringing", { id });
	}

	/**
	 * @param {string} id
	 * @param {string} user
	 */
	ringAgain(id, user) {
		return this.command("ring_again", { id, user, idempotencyKey: newKey() });
	}

	/**
	 * @param {string} id
	 * @param {string} user
	 */
	removeParticipant(id, user) {
		return this.command("remove_participant", { id, user });
	}

	/**
	 * @param {string} id
	 * @param {number} epoch
	 * @param {string} seat
	 */
	heartbeat(id, epoch, seat) {
		return this.command("heartbeat", { id, epoch, seat });
	}
}
