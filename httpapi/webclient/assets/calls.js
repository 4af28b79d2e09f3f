// @ts-check
/**
 * The call controller of a page: one call that the page is in, calls that ring
 * on it, and the group calls that it could join.
 *
 * @typedef {import("./types.js").WebConferencing} WebConferencing
 * @typedef {import("./types.js").Calls} Calls
 * @typedef {import("./types.js").CallTarget} CallTarget
 * @typedef {import("./types.js").CurrentCall} CurrentCall
 * @typedef {import("./types.js").UserEvent} UserEvent
 * @typedef {import("./types.js").Provider} Provider
 * @typedef {import("./types.js").Call} Call
 * @typedef {import("./current-call.js").Current} Current
 */
import { HungUp, answer, nameParticipants, newCurrent, titleOf } from "./current-call.js";
import { GroupCalls, contextOf } from "./group-calls.js";
import { IncomingCalls } from "./incoming.js";
import { toCallError } from "./rest.js";
import { rememberCall, takeCall } from "./resume.js";
import { chooseProvider, findCall, launchCall } from "./starting.js";

/** How long the outcome of a call stays visible, in ms. */
const outcomeTime = 8000;
/** How long it is told that somebody joined or left, in ms. */
const flashTime = 5000;
const outcomes = new Set(["ended", "declined", "missed", "cancelled", "busy", "replaced", "expired", "elsewhere", "gone", "failed"]);

/**
 * Makes the call controller of a page; `open` must be called once the client
 * is initialised.
 *
 * @param {WebConferencing} wc
 * @returns {Calls & {open(): void}}
 */
export function createCalls(wc) {
	return new CallController(wc);
}

/** @implements {Calls} */
class CallController extends EventTarget {
	/** @type {WebConferencing} */
	#wc;
	/** @type {Current | null} */
	#current = null;
	#incoming;
	#groups;
	/** @type {ReturnType<WebConferencing["onUserUpdate"]> | null} */
	#events = null;
	#page = new AbortController();
	/** @type {ReturnType<typeof setTimeout> | undefined} ends what is shown for a while */
	#clear;

	/** @param {WebConferencing} wc */
	constructor(wc) {
		super();
		this.#wc = wc;
		this.#incoming = new IncomingCalls(wc, () => this.#changed());
		this.#groups = new GroupCalls(wc, () => this.#changed());
	}

	/** @returns {CurrentCall | null} */
	get current() {
		return this.#current;
	}

	get incoming() {
		return this.#incoming.list.filter((c) => !this.#isLive(c.callId));
	}

	/** Listens to the user's events, and returns into a call after a reload. */
	open() {
		const { id } = this.#wc.getUser();
		this.#events = this.#wc.onUserUpdate(
			id,
			(event) => this.#onEvent(event),
			(error) => this.#log.error("No events of the user", error),
			undefined,
			{ onReset: () => this.#reset() },
		);
		this.#events.ready.then(() => this.#incoming.readAll()).catch(() => undefined);
		const { signal } = this.#page;
		let connected = false;
		this.#wc.events.addEventListener("connection", () => {
			if (this.#wc.connection === "connected") {
				if (connected) this.#recheck().catch((error) => this.#log.warn("The call could not be checked", error));
				connected = true;
			}
			this.#changed();
		}, { signal });
		globalThis.addEventListener?.("pagehide", () => this.#rememberCall(), { signal, capture: true });
		const left = takeCall(id);
		if (left) {
			const options = { replaces: left.clientId, muted: left.muted, cameraOff: left.cameraOff };
			this.#returnTo(left.callId, options)
				.then(() => this.#wc.updateUserCall(left.callId, "leaved", { seat: left.seat, epoch: left.epoch }))
				.catch((error) => this.#log.info(`Did not return into ${left.callId}`, error));
		}
	}

	close() {
		this.#page.abort();
		this.#events?.off();
		this.#incoming.close();
		if (this.#current) this.#release(this.#current);
		this.#current = null;
		clearTimeout(this.#clear);
	}

	// --- what the user does ---

	/** @param {CallTarget} target */
	async start(target) {
		if (this.#isBusy()) return;
		const context = contextOf(this.#wc, target);
		const current = this.#begin({ group: context.isGroup, title: target.user ?? target.space ?? target.room });
		await this.#attempt(current, async () => {
			const details = await this.#still(current, context.details());
			current.title = details.title;
			const known = details.group ? await this.#still(current, this.#groups.running(details)) : "";
			const provider = chooseProvider(this.#wc, target.provider, context.isGroup);
			const callId = known || (await this.#still(current, Promise.resolve(provider.getCallId?.(context) ?? "")));
			if (!callId) throw new Error(`${provider.getTitle()} names no call`);
			current.callId = callId;
			this.#incoming.remove(callId);
			let call = await this.#still(current, findCall(this.#wc, callId));
			await this.#still(current, this.#prepare(current, call ? await this.#wc.getProvider(call.providerType) : provider));
			// Asked again: waiting for the camera can take long.
			call = await this.#still(current, findCall(this.#wc, callId));
			if (call?.state !== "started") {
				current.status = this.#text("status.calling", { name: current.title });
				this.#changed();
				current.launched = true;
				const launched = await this.#still(current, launchCall(this.#wc, callId, { old: call, details, provider }));
				current.launched = launched.own;
				call = launched.call;
			}
			current.epoch = call.epoch ?? 0;
			await this.#enter(current);
		});
	}

	/** @param {string} callId */
	async join(callId) {
		await this.#returnTo(callId, {}).catch(() => undefined);
	}

	/** @param {string} callId */
	async accept(callId) {
		const card = this.#incoming.get(callId);
		this.#incoming.remove(callId);
		if (this.#isLive(callId)) return;
		if (this.#isBusy()) await this.hangUp();
		await this.#returnTo(callId, { title: card?.groupTitle || card?.callerName, rung: card !== undefined }).catch(() => undefined);
	}

	/** @param {string} callId */
	async decline(callId) {
		this.#incoming.remove(callId);
		try {
			await this.#wc.updateUserCall(callId, "leaved");
		} catch (error) {
			this.#log.warn(`Declining ${callId} failed`, error);
		}
	}

	async hangUp() {
		const current = this.#current;
		if (!current || current.phase === "ended") return;
		const { callId, seat, epoch, channel } = current;
		current.channel = null;
		const unanswered = current.phase === "ringing" || current.phase === "preparing";
		this.#end(current, unanswered ? "cancelled" : "ended");
		try {
			if (seat) await this.#wc.updateUserCall(callId, "leaved", { seat, epoch });
		} catch (error) {
			this.#log.warn(`Leaving ${callId} failed`, error);
		} finally {
			channel?.off();
		}
	}

	/** @param {boolean} muted */
	setMuted(muted) {
		this.#current?.session?.setMuted(muted);
	}

	/** @param {boolean} off */
	setCameraOff(off) {
		this.#current?.session?.setCameraOff(off);
	}

	async retryMedia() {
		await this.#current?.session?.acquire();
	}

	/** @param {CallTarget} target */
	groupCall(target) {
		return this.#groups.callOf(target);
	}

	// --- entering a call ---

	/**
	 * Joins a call that exists, as callee, as latecomer, or after a reload.
	 *
	 * @param {string} callId
	 * @param {{title?: string, replaces?: string, rung?: boolean, muted?: boolean, cameraOff?: boolean}} options
	 */
	async #returnTo(callId, { title = "", replaces = "", rung = false, muted, cameraOff }) {
		if (this.#isBusy()) return;
		const current = this.#begin({ callId, title, replaces, rung });
		await this.#attempt(current, async () => {
			const call = await this.#still(current, this.#wc.getCall(callId));
			if (call.state !== "started") {
				this.#end(current, call.reason || "gone");
				throw new HungUp();
			}
			current.epoch = call.epoch ?? 0;
			current.group = call.owner.group;
			current.title ||= titleOf(call, this.#wc.getUser().id);
			await this.#still(current, this.#prepare(current, await this.#wc.getProvider(call.providerType), { muted, cameraOff }));
			await this.#enter(current);
		});
	}

	/** @param {Partial<Current>} members */
	#begin(members) {
		clearTimeout(this.#clear);
		const current = newCurrent({ status: this.#text("status.preparing"), ...members });
		this.#current = current;
		this.#changed();
		return current;
	}

	/**
	 * @param {Current} current
	 * @param {() => Promise<void>} steps
	 */
	async #attempt(current, steps) {
		try {
			await steps();
		} catch (error) {
			if (error instanceof HungUp) {
				// Nobody shall ring for a call that its maker gave up.
				if (current.launched && !current.seat) await this.#wc.updateCall(current.callId, "stopped").catch(() => undefined);
				return;
			}
			const { code } = toCallError(error);
			this.#log.error(`The call ${current.callId} failed`, error);
			if (current === this.#current) {
				if (code === "NOT_FOUND_ERROR") this.#end(current, "gone");
				else this.#end(current, "failed", `${this.#text("ended.failed")}: ${this.#wc.errorText(error)}`);
			}
			throw error;
		}
	}

	/**
	 * Awaits a step, and ends the attempt if the user hung up meanwhile.
	 *
	 * @template T
	 * @param {Current} current
	 * @param {Promise<T>} step
	 * @returns {Promise<T>}
	 */
	async #still(current, step) {
		const result = await step;
		if (this.#current !== current || current.phase === "ended") throw new HungUp();
		return result;
	}

	/**
	 * Opens the media of this device.
	 *
	 * @param {Current} current
	 * @param {Provider} provider
	 * @param {{muted?: boolean, cameraOff?: boolean}} [media]
	 */
	async #prepare(current, provider, media = {}) {
		current.provider = provider;
		if (!provider.openSession) return;
		const session = await provider.openSession({
			callId: current.callId,
			user: this.#wc.getUser(),
			clientId: this.#wc.clientId,
			replaces: current.replaces || undefined,
			...media,
			send: (data) => this.#wc.toCallUpdate(current.callId, data),
			log: this.#wc.getLog(provider.getType()),
		});
		if (this.#current !== current || current.phase === "ended") {
			session.close();
			throw new HungUp();
		}
		current.session = session;
		session.addEventListener("change", () => this.#changed());
		this.#changed();
		await session.acquire();
	}

	/**
	 * Listens to the others first and joins then, so that no offer is missed.
	 *
	 * @param {Current} current
	 */
	async #enter(current) {
		if (current.phase !== "ringing") current.phase = "joining";
		current.status ||= this.#text("status.joining");
		this.#changed();
		const channel = this.#wc.onCallUpdate(
			current.callId,
			(data) => {
				if (data.exoClientId !== this.#wc.clientId) current.session?.receive(data);
			},
			(error) => {
				// Most likely the call has ended while there was no connection.
				this.#log.info(`No more data of ${current.callId}`, error);
				if (this.#current === current) this.#recheck().catch((fault) => this.#log.warn("The call could not be checked", fault));
			},
		);
		current.channel = channel;
		await this.#still(current, channel.ready);
		await this.#takeSeat(current);
	}

	/** @param {Current} current */
	async #takeSeat(current) {
		const call = current.rung ? await answer(this.#wc, current.callId) : await this.#wc.updateUserCall(current.callId, "joined");
		current.rung = false;
		if (!call) {
			this.#end(current, "elsewhere");
			throw new HungUp();
		}
		if (this.#current !== current || current.phase === "ended") {
			await this.#wc.updateUserCall(current.callId, "leaved", { seat: call.seat, epoch: call.epoch }).catch(() => undefined);
			throw new HungUp();
		}
		current.seat = call.seat ?? "";
		current.epoch = call.epoch ?? 0;
		current.url = current.session ? "" : (call.grant?.url ?? current.provider?.getCallUrl?.(current.callId) ?? "");
		nameParticipants(current, call);
		const me = this.#wc.getUser().id;
		const others = call.participants.some((p) => p.id !== me && p.state === "joined");
		if (others) this.#activate(current);
		else {
			current.phase = current.group ? "active" : "ringing";
			current.since ||= current.group ? Date.now() : 0;
			current.status = current.group ? this.#text("status.waiting") : this.#text("status.calling", { name: current.title });
		}
		this.#changed();
		await current.session?.start(call);
	}

	/** @param {Current} current */
	#activate(current) {
		current.phase = "active";
		current.since ||= Date.now();
		current.status = this.#text("status.connected");
		this.#changed();
	}

	/**
	 * Tells for a moment what somebody did.
	 *
	 * @param {Current} current
	 * @param {string} key
	 * @param {string} userId
	 */
	#flash(current, key, userId) {
		current.status = this.#text(key, { name: current.names.get(userId) ?? userId });
		this.#changed();
		clearTimeout(this.#clear);
		this.#clear = setTimeout(() => {
			const alone = current.session?.remotes.length === 0;
			current.status = this.#text(alone ? "status.waiting" : "status.connected");
			this.#changed();
		}, flashTime);
	}

	// --- leaving ---

	/**
	 * @param {Current} current
	 * @param {string} reason
	 * @param {string} [status]
	 */
	#end(current, reason, status) {
		if (current.phase === "ended") return;
		current.phase = "ended";
		current.reason = reason;
		current.status = status ?? this.#text(`ended.${outcomes.has(reason) ? reason : "ended"}`);
		this.#release(current);
		clearTimeout(this.#clear);
		this.#clear = setTimeout(() => {
			if (this.#current === current) this.#current = null;
			this.#changed();
		}, outcomeTime);
		this.#changed();
	}

	/** @param {Current} current */
	#release(current) {
		current.session?.close();
		current.session = null;
		current.channel?.off();
		current.channel = null;
	}

	#rememberCall() {
		const current = this.#current;
		if (!current?.seat || current.phase === "ended") return;
		const { callId, seat, epoch, session } = current;
		const userId = this.#wc.getUser().id;
		rememberCall({ callId, userId, clientId: this.#wc.clientId, seat, epoch, muted: session?.muted ?? false, cameraOff: session?.cameraOff ?? false });
	}

	// --- what the server tells ---

	/** @param {UserEvent} event */
	#onEvent(event) {
		const { callId, part, clientId } = event;
		if (typeof callId !== "string") return;
		const me = this.#wc.getUser().id;
		this.#groups.onEvent(event);
		const current = this.#isLive(callId) ? this.#current : null;
		// While the call is being prepared, an end can only be that of an earlier run.
		const stale = current !== null && (current.epoch === 0 ? current.phase === "preparing" : (event.epoch ?? Infinity) < current.epoch);
		switch (event.eventType) {
			case "call_state":
				if (event.callState === "started") {
					if (!current && event.actor !== me) void this.#incoming.offer(event);
				} else {
					this.#incoming.remove(callId);
					if (current && !stale) this.#onStopped(current, event.reason || "ended");
				}
				break;
			case "call_joined":
				if (part?.id === me) {
					if (clientId !== this.#wc.clientId) this.#incoming.remove(callId);
				} else if (current && part && current.seat) {
					this.#activate(current);
					if (!current.names.has(part.id)) this.#learnNames(current);
					if (current.group) this.#flash(current, "status.joined", part.id);
				}
				break;
			case "call_leaved":
			case "call_device_leaved":
				if (part?.id === me && clientId !== this.#wc.clientId) this.#incoming.remove(callId);
				if (current && part && !stale) this.#onLeft(current, event, part.id);
				break;
			case "call_seat_replaced":
				if (current && clientId === this.#wc.clientId) this.#end(current, "elsewhere");
				break;
			case "call_declined":
				if (part?.id === me) this.#incoming.remove(callId);
				break;
			case "call_missed":
				this.#incoming.remove(callId);
				break;
			default:
		}
	}

	/**
	 * @param {Current} current
	 * @param {string} reason
	 */
	#onStopped(current, reason) {
		if (reason !== "replaced") {
			this.#end(current, reason);
			return;
		}
		// Both called at once and the other's call took the place: go there.
		current.launched = false;
		this.#attempt(current, async () => {
			const call = await this.#still(current, findCall(this.#wc, current.callId));
			if (call?.state !== "started") this.#end(current, reason);
			else if (current.channel) await this.#takeSeat(current);
		}).catch(() => undefined);
	}

	/**
	 * @param {Current} current
	 * @param {UserEvent} event
	 * @param {string} userId
	 */
	#onLeft(current, event, userId) {
		if (userId === this.#wc.getUser().id) {
			// The server took this device's seat, perhaps while the machine slept.
			if (event.clientId === this.#wc.clientId && current.seat) {
				this.#recheck().catch((error) => this.#log.warn("The call could not be checked", error));
			}
			return;
		}
		const everywhere = event.eventType === "call_leaved";
		current.session?.dropParty(userId, everywhere ? undefined : event.clientId);
		if (everywhere && current.group) this.#flash(current, "status.left", userId);
		this.#changed();
	}

	/** Finds out whether this device is still in its call; returns if it can. */
	async #recheck() {
		const current = this.#current;
		if (!current?.seat || current.phase === "ended") return;
		const { callId, epoch, seat } = current;
		try {
			await this.#wc.heartbeat(callId, epoch, seat);
			current.session?.refresh();
		} catch (error) {
			if (toCallError(error).code !== "NOT_FOUND_ERROR") throw error;
			if (this.#current !== current || current.seat !== seat) return;
			const call = await findCall(this.#wc, callId);
			if (this.#current !== current || current.seat !== seat) return;
			if (call?.state !== "started") this.#end(current, call?.reason || "expired");
			else await this.#attempt(current, () => this.#takeSeat(current));
		}
	}

	/**
	 * Somebody came who was no participant when this device joined.
	 *
	 * @param {Current} current
	 */
	#learnNames(current) {
		findCall(this.#wc, current.callId)
			.then((call) => {
				if (call) nameParticipants(current, call);
				this.#changed();
			})
			.catch((error) => this.#log.warn("The call could not be read", error));
	}

	/** Events were missed: reads everything that is shown. */
	#reset() {
		void this.#incoming.readAll();
		this.#groups.recheck();
		const current = this.#current;
		if (!current?.seat || current.phase === "ended") return;
		findCall(this.#wc, current.callId)
			.then((call) => {
				if (this.#current !== current) return;
				if (call?.state !== "started") this.#end(current, call?.reason || "ended");
				else if (current.phase === "ringing" && call.participants.some((p) => p.id !== this.#wc.getUser().id && p.state === "joined")) this.#activate(current);
			})
			.catch((error) => this.#log.warn("The call could not be read", error));
	}

	// --- helpers ---

	#isBusy() {
		return this.#current !== null && this.#current.phase !== "ended";
	}

	/** @param {string} callId */
	#isLive(callId) {
		return this.#isBusy() && this.#current?.callId === callId;
	}

	get #log() {
		return this.#wc.getLog(this.#current?.provider?.getType() ?? this.#wc.getProviders()[0]?.getType()).prefix("calls");
	}

	/**
	 * @param {string} key
	 * @param {Record<string, string>} [values]
	 */
	#text(key, values) {
		return this.#wc.message(`webconferencing.${key}`, values);
	}

	#changed() {
		this.dispatchEvent(new Event("change"));
	}
}
