// @ts-check
/**
 * The calls that ring on a page. Every tab of the user shows the card; one tab
 * of a browser sounds.
 *
 * @typedef {import("./types.js").WebConferencing} WebConferencing
 * @typedef {import("./types.js").IncomingCall} IncomingCall
 * @typedef {import("./types.js").UserEvent} UserEvent
 * @typedef {import("./types.js").Call} Call
 */
import { toCallError } from "./rest.js";

/** A start that is older than this is not worth a look, in ms. */
const tooOld = 5 * 60_000;
/** Extra time before a ring that should have ended is looked at, in ms. */
const slack = 3000;
const defaultRing = 60_000;
const maxCards = 20;
const maxIgnored = 100;

/**
 * @typedef {object} Ring
 * @property {IncomingCall} card
 * @property {boolean} shown
 * @property {number} epoch of the run that rings
 * @property {ReturnType<typeof setTimeout>} [timer]
 */

/** Keeps the list of calls that ring, in the order of their arrival. */
export class IncomingCalls {
	/** @type {Map<string, Ring>} */
	#rings = new Map();
	/** @type {Set<string>} runs of calls that the user does not want to see here */
	#ignored = new Set();
	#wc;
	#changed;
	#sound;

	/**
	 * @param {WebConferencing} wc
	 * @param {() => void} changed called after each change of the list
	 */
	constructor(wc, changed) {
		this.#wc = wc;
		this.#changed = changed;
		this.#sound = new SoundTurn(`webconferencing-ring-${wc.getUser().id}`, () => this.#update());
	}

	/** @returns {IncomingCall[]} */
	get list() {
		return [...this.#rings.values()].filter((r) => r.shown).map((r) => ({ ...r.card, sounding: this.#sound.mine && !r.card.silent }));
	}

	/** @param {string} callId */
	get(callId) {
		return this.#rings.get(callId)?.card;
	}

	/**
	 * A call was started by somebody else: shows it if it rings for this user.
	 *
	 * @param {UserEvent} event
	 */
	async offer(event) {
		const { callId } = event;
		if (this.#isForeign(event.providerType)) return;
		const began = Date.parse(event.time ?? "") || Date.now();
		if (Date.now() - began > tooOld) return;
		this.remove(callId);
		const ring = this.#expect(callId);
		if (!ring) return;
		const call = await this.#look(callId, ring);
		if (this.#rings.get(callId) !== ring) return;
		if (call === null) this.remove(callId);
		else this.#show(ring, event, call, began);
	}

	/**
	 * Looks at all calls again: when the page starts, and after events may have
	 * been missed.
	 *
	 * @param {Call[]} calls all that run for the user
	 */
	recheck(calls) {
		for (const [callId, ring] of [...this.#rings]) this.#checkLater(callId, ring, -slack);
		const me = this.#wc.getUser().id;
		for (const call of calls) {
			if (this.#rings.has(call.id) || !ringsFor(me, call)) continue;
			if (this.#isForeign(call.providerType) || this.#ignored.has(runOf(call.id, call.epoch))) continue;
			const ring = this.#expect(call.id);
			if (!ring) return;
			this.#show(ring, { eventType: "call_state", callId: call.id }, call, Date.now());
		}
	}

	/**
	 * The call was changed, perhaps so that it rings here no more.
	 *
	 * @param {string} callId
	 */
	lookAgain(callId) {
		const ring = this.#rings.get(callId);
		if (ring?.shown) this.#checkLater(callId, ring, -slack);
	}

	/**
	 * Hides a call that rings, on this page only.
	 *
	 * @param {string} callId
	 */
	ignore(callId) {
		const ring = this.#rings.get(callId);
		if (!ring) return;
		this.#ignored.add(runOf(callId, ring.epoch));
		for (const oldest of this.#ignored) {
			if (this.#ignored.size <= maxIgnored) break;
			this.#ignored.delete(oldest);
		}
		this.remove(callId);
	}

	/**
	 * Whether the connector shows its incoming calls by itself.
	 *
	 * @param {string | undefined} type
	 */
	#isForeign(type) {
		return Boolean(type && this.#wc.findProvider(type)?.ownsCalls);
	}

	/** @param {string} callId */
	#expect(callId) {
		if (this.#rings.size >= maxCards) return null;
		/** @type {Ring} */
		const ring = {
			card: { callId, callerId: "", callerName: "", avatarLink: null, groupTitle: "", providerType: "", sounding: false, silent: false, waiting: false },
			shown: false,
			epoch: 0,
		};
		this.#rings.set(callId, ring);
		return ring;
	}

	/**
	 * @param {Ring} ring
	 * @param {UserEvent} event
	 * @param {Call | undefined} call
	 * @param {number} began
	 */
	#show(ring, event, call, began) {
		describe(ring.card, event, call);
		ring.shown = true;
		ring.epoch = call?.epoch ?? event.epoch ?? 0;
		ring.card.silent = event.silent === true;
		ring.card.waiting = event.waiting === true;
		this.#wc.confirmRing(ring.card.callId).catch(() => undefined); // a courtesy only
		const until = Date.parse(call?.ringUntil ?? "");
		this.#checkLater(ring.card.callId, ring, Number.isFinite(until) ? until - began : defaultRing);
		this.#update();
	}

	/** @param {string} callId */
	remove(callId) {
		const ring = this.#rings.get(callId);
		if (!ring) return;
		clearTimeout(ring.timer);
		this.#rings.delete(callId);
		if (ring.shown) this.#update();
	}

	close() {
		for (const ring of this.#rings.values()) clearTimeout(ring.timer);
		this.#rings.clear();
		this.#sound.end();
	}

	#update() {
		if ([...this.#rings.values()].some((r) => r.shown && !r.card.silent)) this.#sound.begin();
		else this.#sound.end();
		this.#changed();
	}

	/**
	 * The server ends rings by itself; this finds out when its word got lost.
	 *
	 * @param {string} callId
	 * @param {Ring} ring
	 * @param {number} ms
	 */
	#checkLater(callId, ring, ms) {
		clearTimeout(ring.timer);
		ring.timer = setTimeout(async () => {
			const call = await this.#look(callId, ring);
			if (this.#rings.get(callId) !== ring) return;
			if (call === null) this.remove(callId);
			else this.#checkLater(callId, ring, 2 * slack);
		}, Math.max(0, Math.min(ms, 10 * 60_000)) + (ms < 0 ? 0 : slack));
	}

	/**
	 * @param {string} callId
	 * @param {Ring} ring
	 * @returns {Promise<Call | null | undefined>} null if it does not ring for
	 *   this user (any more), undefined if that can't be found out
	 */
	async #look(callId, ring) {
		try {
			const call = await this.#wc.getCall(callId);
			return ringsFor(this.#wc.getUser().id, call) ? call : null;
		} catch (error) {
			const { code, reason } = toCallError(error);
			return reason === "offline" && (code === "SERVER_ERROR" || ring.shown) ? undefined : null;
		}
	}
}

/**
 * @param {string} callId
 * @param {number} [epoch]
 */
function runOf(callId, epoch = 0) {
	return `${epoch} ${callId}`;
}

/**
 * Whether a call rings for a user now.
 *
 * @param {string} userId
 * @param {Call} call
 */
export function ringsFor(userId, call) {
	if (call.state !== "started") return false;
	const me = call.participants.find((p) => p.id === userId);
	// A server that tells no rings lets everybody ring who is not inside.
	if (call.epoch === undefined) return me?.state !== "joined";
	return me?.ring === "ringing";
}

/**
 * @param {IncomingCall} card
 * @param {UserEvent} event
 * @param {Call} [call] absent when it could not be read
 */
function describe(card, event, call) {
	const starter = call?.starter || event.actor || (event.owner?.type === "user" ? event.owner.id : "");
	const person = call?.participants.find((p) => p.id === starter) ?? (call?.owner.group === false ? call.owner : undefined);
	card.callerId = person?.id ?? starter;
	card.callerName = person?.title || card.callerId;
	card.avatarLink = person?.avatarLink ?? null;
	card.providerType = call?.providerType ?? event.providerType ?? "";
	if (call) card.groupTitle = call.owner.group ? call.owner.title || call.owner.id : "";
	else if (event.owner && event.owner.type !== "user") card.groupTitle = event.title || event.owner.id;
}

/**
 * The turn to make a sound: of all tabs of a browser one has it. When that tab
 * is closed another one gets it.
 */
class SoundTurn {
	mine = false;
	#name;
	#changed;
	/** @type {AbortController | null} */
	#wish = null;

	/**
	 * @param {string} name
	 * @param {() => void} changed
	 */
	constructor(name, changed) {
		this.#name = name;
		this.#changed = changed;
	}

	begin() {
		if (this.#wish) return;
		const wish = new AbortController();
		this.#wish = wish;
		const locks = globalThis.navigator?.locks;
		if (!locks) {
			this.mine = true; // no way to ask: better two sounds than none
			return;
		}
		// A tab that nobody touched may not sound, so it lets others go first.
		const touched = navigator.userActivation?.hasBeenActive ?? true;
		setTimeout(() => {
			if (wish.signal.aborted) return;
			locks
				.request(this.#name, { signal: wish.signal }, async () => {
					if (wish.signal.aborted) return;
					this.mine = true;
					this.#changed();
					await new Promise((resolve) => wish.signal.addEventListener("abort", resolve));
				})
				.catch(() => undefined);
		}, touched ? 0 : 400);
	}

	end() {
		this.#wish?.abort();
		this.#wish = null;
		this.mine = false;
	}
}
