// @ts-check
/**
 * The commands about calls: making and changing them, rings, seats, history,
 * and what administrators may ask and do.
 *
 * @typedef {import("./types.js").Call} Call
 * @typedef {import("./types.js").CallInfo} CallInfo
 * @typedef {import("./types.js").Provider} Provider
 */
import { Directory } from "./directory.js";
import { EventFence } from "./fence.js";
import { newKey, joinLists } from "./wire.js";

/** How often a call is read again that changes meanwhile. */
const maxReads = 3;

/** Adds the commands to the client. */
export class CallCommands extends Directory {
	/** What events have told of calls. */
	fence = new EventFence();

	/** @param {string} id */
	async getCall(id) {
		return this.#upToDate(await this.command("get", { id }));
	}

	/**
	 * Sends a command that answers with a call.
	 *
	 * @param {string} name
	 * @param {{id: string} & Record<string, any>} params
	 * @returns {Promise<Call>}
	 */
	async #call(name, params) {
		const call = await this.command(name, params);
		return this.#upToDate(call).catch(() => call);
	}

	/**
	 * Reads a call again that is behind what events have told.
	 *
	 * @param {Call} call
	 * @returns {Promise<Call>}
	 */
	async #upToDate(call) {
		let now = call;
		for (let reads = 0; reads < maxReads && this.fence.isBehind(now); reads++) {
			now = await this.command("get", { id: call.id });
		}
		const { seat, grant, epoch } = call;
		if (now === call || !seat) return now;
		// A seat is told to who took it, and belongs to one run of the call.
		return now.epoch === epoch ? { ...now, seat, grant } : call;
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
		return this.#call("create", { start: false, title: "", ...joinLists(description), id, idempotencyKey: newKey() });
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
		if (typeof stateOrInfo === "string") return this.#call("update", { id, state: stateOrInfo });
		const { id: _, ...info } = stateOrInfo;
		return this.#call("update", { id, info: joinLists(info) });
	}

	/**
	 * @param {string} id
	 * @param {"joined"|"leaved"} state
	 * @param {{seat?: string, epoch?: number}} [fence]
	 */
	updateUserCall(id, state, fence = {}) {
		return this.#call("update", { id, state, ...fence });
	}

	/**
	 * @param {string} id
	 * @param {string[]} participants
	 */
	updateParticipants(id, participants) {
		return this.#call("update", { id, participants });
	}

	/**
	 * @param {string} id
	 * @param {{id: string, type: "user"|"group"}[]} invites
	 */
	updateInvites(id, invites) {
		return this.#call("update_invites", { id, invites });
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
		return this.#call("add_guest", { id, guestId });
	}

	/** @param {string} id */
	deleteCall(id) {
		return this.command("delete", { id });
	}

	getUserGroupCalls() {
		return this.command("get_calls_state", { id: this.getUser().id });
	}

	async getOpenCalls() {
		/** @type {Call[]} */
		const calls = await this.command("get_open_calls", {});
		const now = await Promise.all(calls.map((call) => this.#upToDate(call).catch(() => null)));
		return now.flatMap((call) => (call?.state === "started" ? [call] : []));
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
		return this.#call("accept", { id });
	}

	/**
	 * @param {string} id
	 * @param {"declined"|"busy"} [reason]
	 */
	declineCall(id, reason) {
		return this.#call("decline", { id, ...(reason ? { reason } : {}) });
	}

	/** @param {string} id */
	cancelCall(id) {
		return this.#call("cancel", { id });
	}

	/** @param {string} id */
	takeOver(id) {
		return this.#call("take_over", { id });
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
		return this.#call("ring_again", { id, user, idempotencyKey: newKey() });
	}

	/**
	 * @param {string} id
	 * @param {string} user
	 */
	removeParticipant(id, user) {
		return this.#call("remove_participant", { id, user });
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
