// @ts-check
/**
 * The call controller of a page: one call that the page is in, calls that ring
 * on it, calls that go on elsewhere, and the group calls that it could join.
 *
 * @typedef {import("./types.js").WebConferencing} WebConferencing
 * @typedef {import("./types.js").Calls} Calls
 * @typedef {import("./types.js").CallTarget} CallTarget
 * @typedef {import("./types.js").Provider} Provider
 * @typedef {import("./types.js").UserEvent} UserEvent
 * @typedef {import("./current-call.js").Current} Current
 */
import { CallSteps } from "./call-steps.js";
import { CallWindow, needsWindow } from "./call-window.js";
import { HungUp, nameParticipants, noteRing, titleOf } from "./current-call.js";
import { CallsElsewhere } from "./elsewhere.js";
import { GroupCalls, contextOf } from "./group-calls.js";
import { IncomingCalls } from "./incoming.js";
import { MissedCalls } from "./missed.js";
import { rememberCall, takeCall } from "./resume.js";
import { chooseProvider, findCall, fittingProvider, launchCall } from "./starting.js";

/** How long it is told that another device answered, in ms. */
const answeredTime = 8000;

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
class CallController extends CallSteps {
	#incoming;
	#groups;
	#elsewhere;
	#missed;
	/** @type {import("./types.js").AnsweredElsewhere | null} */
	#answered = null;
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	#forgetAnswered;
	/** @type {ReturnType<WebConferencing["onUserUpdate"]> | null} */
	#events = null;

	/** @param {WebConferencing} wc */
	constructor(wc) {
		super(wc);
		const changed = () => this.changed();
		this.#incoming = new IncomingCalls(wc, changed);
		this.#groups = new GroupCalls(wc, changed);
		this.#elsewhere = new CallsElsewhere(wc, changed);
		this.#missed = new MissedCalls(wc, changed);
	}

	get incoming() {
		const busy = this.isBusy();
		return this.#incoming.list.filter((c) => !this.isLive(c.callId)).map((c) => ({ ...c, waiting: c.waiting || busy }));
	}

	get elsewhere() {
		return this.#elsewhere.list.filter((c) => !this.isLive(c.callId));
	}

	get answeredElsewhere() {
		return this.#answered;
	}

	get missed() {
		return this.#missed.count;
	}

	/** Listens to the user's events, and returns into a call after a reload. */
	open() {
		const { id } = this.wc.getUser();
		this.#events = this.wc.onUserUpdate(
			id,
			(event) => this.#onEvent(event),
			(error) => this.log.error("No events of the user", error),
			undefined,
			{ onReset: () => this.#reset() },
		);
		this.#events.ready.then(() => this.#readAll()).catch(() => undefined);
		const { signal } = this.page;
		let connected = false;
		this.wc.events.addEventListener("connection", () => {
			if (this.wc.connection === "connected") {
				if (connected) {
					this.recheck().catch((error) => this.log.warn("The call could not be checked", error));
					void this.#missed.read();
				}
				connected = true;
			}
			this.changed();
		}, { signal });
		globalThis.addEventListener?.("pagehide", () => this.#rememberCall(), { signal, capture: true });
		const left = takeCall(id);
		if (left) {
			const options = { replaces: left.clientId, muted: left.muted, cameraOff: left.cameraOff };
			this.#enterKnown(left.callId, options)
				.then(() => this.wc.updateUserCall(left.callId, "leaved", { seat: left.seat, epoch: left.epoch }))
				.catch((error) => this.log.info(`Did not return into ${left.callId}`, error));
		}
	}

	close() {
		this.page.abort();
		this.#events?.off();
		this.#incoming.close();
		const { current } = this;
		if (current) this.release(current);
		this.current = null;
		clearTimeout(this.clear);
		clearTimeout(this.#forgetAnswered);
	}

	// --- what the user does ---

	/** @param {CallTarget} target */
	async start(target) {
		if (this.isBusy()) return;
		const context = contextOf(this.wc, target);
		const wanted = fittingProvider(this.wc, target.provider, context.isGroup);
		const current = this.begin({ group: context.isGroup, title: target.user ?? target.space ?? target.room, window: this.#openWindow(wanted) });
		await this.attempt(current, async () => {
			const details = await this.still(current, context.details());
			current.title = details.title;
			const known = details.group ? await this.still(current, this.#groups.running(details)) : "";
			const provider = await this.still(current, chooseProvider(this.wc, target.provider, details));
			const callId = known || (await this.still(current, Promise.resolve(provider.getCallId?.(context) ?? "")));
			if (!callId) throw new Error(`${provider.getTitle()} names no call`);
			current.callId = callId;
			this.#incoming.remove(callId);
			let call = await this.still(current, findCall(this.wc, callId));
			await this.still(current, this.prepare(current, call?.state === "started" ? await this.wc.getProvider(call.providerType) : provider));
			// Asked again: waiting for the camera can take long.
			call = await this.still(current, findCall(this.wc, callId));
			if (call?.state !== "started") {
				current.status = this.text("status.calling", { name: current.title });
				this.changed();
				current.launched = true;
				const launched = await this.still(current, launchCall(this.wc, callId, { old: call, details, provider }));
				current.launched = launched.own;
				call = launched.call;
			}
			current.epoch = call.epoch ?? 0;
			await this.enter(current);
		});
	}

	/** @param {string} callId */
	async join(callId) {
		const known = this.elsewhere.find((c) => c.callId === callId);
		await this.#enterKnown(callId, { title: known?.title, window: this.#windowFor(known?.providerType) }).catch(() => undefined);
	}

	/** @param {string} callId */
	async takeOver(callId) {
		const known = this.elsewhere.find((c) => c.callId === callId);
		if (this.isLive(callId)) return;
		const window = this.#windowFor(known?.providerType);
		if (this.isBusy()) await this.hangUp();
		await this.#enterKnown(callId, { title: known?.title, takesOver: true, replaces: known?.clientId, window }).catch(() => undefined);
	}

	/** @param {string} callId */
	async accept(callId) {
		const card = this.#incoming.get(callId);
		this.#incoming.remove(callId);
		if (this.isLive(callId)) return;
		const window = this.#windowFor(card?.providerType);
		if (this.isBusy()) await this.hangUp();
		await this.#enterKnown(callId, { title: card?.groupTitle || card?.callerName, rung: card !== undefined, window }).catch(() => undefined);
	}

	/**
	 * @param {string} callId
	 * @param {"declined"|"busy"} [reason]
	 */
	async decline(callId, reason) {
		this.#incoming.remove(callId);
		try {
			if (reason === "busy") await this.wc.declineCall(callId, reason);
			else await this.wc.updateUserCall(callId, "leaved");
		} catch (error) {
			this.log.warn(`Declining ${callId} failed`, error);
		}
	}

	/** @param {string} callId */
	ignore(callId) {
		this.#incoming.ignore(callId);
	}

	async hangUp() {
		const { current } = this;
		if (!current || current.phase === "ended") return;
		const { callId, seat, epoch, channel } = current;
		current.channel = null;
		const unanswered = current.phase === "ringing" || current.phase === "preparing";
		this.end(current, unanswered ? "cancelled" : "ended");
		try {
			if (seat) await this.wc.updateUserCall(callId, "leaved", { seat, epoch });
		} catch (error) {
			this.log.warn(`Leaving ${callId} failed`, error);
		} finally {
			channel?.off();
		}
	}

	/** @param {string} userId */
	async ringAgain(userId) {
		const { current } = this;
		if (!current?.seat || current.phase === "ended") return;
		const call = await this.wc.ringAgain(current.callId, userId);
		if (this.current === current) nameParticipants(current, call);
		this.changed();
	}

	/** @param {boolean} muted */
	setMuted(muted) {
		this.current?.session?.setMuted(muted);
	}

	/** @param {boolean} off */
	setCameraOff(off) {
		this.current?.session?.setCameraOff(off);
	}

	async retryMedia() {
		await this.current?.session?.acquire();
	}

	/** @param {string} [upTo] */
	readMissed(upTo) {
		return this.#missed.see(upTo);
	}

	/** @param {CallTarget} target */
	groupCall(target) {
		return this.#groups.callOf(target);
	}

	/** @param {string | undefined} type */
	#windowFor(type) {
		return this.#openWindow(type ? this.wc.findProvider(type) : undefined);
	}

	/** @param {Provider | undefined} provider */
	#openWindow(provider) {
		return needsWindow(provider) ? new CallWindow(this.text("status.joining")) : null;
	}

	/**
	 * Joins a call that exists, as callee, as latecomer, or after a reload.
	 *
	 * @param {string} callId
	 * @param {Partial<Current> & {muted?: boolean, cameraOff?: boolean}} options
	 */
	async #enterKnown(callId, { muted, cameraOff, ...members }) {
		if (this.isBusy()) return;
		const { title = "", replaces = "", ...more } = members;
		const current = this.begin({ ...more, callId, title, replaces });
		await this.attempt(current, async () => {
			const call = await this.still(current, this.wc.getCall(callId));
			if (call.state !== "started") {
				this.end(current, call.reason || "gone");
				throw new HungUp();
			}
			current.epoch = call.epoch ?? 0;
			current.group = call.owner.group;
			current.title ||= titleOf(call, this.wc.getUser().id);
			await this.still(current, this.prepare(current, await this.wc.getProvider(call.providerType), { muted, cameraOff }));
			await this.enter(current);
		});
	}

	#rememberCall() {
		const { current } = this;
		if (!current?.seat || current.phase === "ended") return;
		const { callId, seat, epoch, session } = current;
		const userId = this.wc.getUser().id;
		rememberCall({ callId, userId, clientId: this.wc.clientId, seat, epoch, muted: session?.muted ?? false, cameraOff: session?.cameraOff ?? false });
	}

	// --- what the server tells ---

	/** @param {UserEvent} event */
	#onEvent(event) {
		const { callId, part, clientId } = event;
		this.#missed.onEvent(event);
		if (typeof callId !== "string") return;
		const me = this.wc.getUser().id;
		this.#groups.onEvent(event);
		this.#elsewhere.onEvent(event);
		const current = this.isLive(callId) ? this.current : null;
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
					if (clientId !== this.wc.clientId) this.#onAnsweredElsewhere(callId, clientId);
				} else if (current && part && current.seat) {
					this.activate(current);
					noteRing(current, part.id, 0);
					if (!current.names.has(part.id)) this.#learn(current);
					if (current.group) this.flash(current, "status.joined", part.id);
				}
				break;
			case "call_leaved":
			case "call_device_leaved":
				if (part?.id === me && clientId !== this.wc.clientId) this.#incoming.remove(callId);
				if (current && part && !stale) this.#onLeft(current, event, part.id);
				break;
			case "call_seat_replaced":
				if (current && clientId === this.wc.clientId) this.end(current, "elsewhere");
				break;
			case "call_declined":
				if (part?.id === me) this.#incoming.remove(callId);
				else if (current && part) this.#onRingOver(current, part.id);
				break;
			case "call_ringing":
				if (current && part && part.id !== me) {
					noteRing(current, part.id, event.count ?? 1);
					this.changed();
				}
				break;
			case "call_ring_ended":
				if (current && part && part.id !== me) this.#onRingOver(current, part.id);
				break;
			case "call_missed":
				this.#incoming.remove(callId);
				break;
			case "call_updated":
				this.#incoming.lookAgain(callId);
				if (current?.seat) this.#learn(current);
				break;
			default:
		}
	}

	/**
	 * @param {string} callId
	 * @param {string} [clientId]
	 */
	#onAnsweredElsewhere(callId, clientId = "") {
		const card = this.#incoming.get(callId);
		this.#incoming.remove(callId);
		if (!card) return;
		this.#answered = { callId, title: card.groupTitle || card.callerName, clientId, at: Date.now() };
		clearTimeout(this.#forgetAnswered);
		this.#forgetAnswered = setTimeout(() => {
			this.#answered = null;
			this.changed();
		}, answeredTime);
		this.changed();
	}

	/**
	 * Somebody's devices have stopped ringing; what came of it is read.
	 *
	 * @param {Current} current
	 * @param {string} userId
	 */
	#onRingOver(current, userId) {
		noteRing(current, userId, 0);
		if (current.seat) this.#learn(current);
		this.changed();
	}

	/**
	 * @param {Current} current
	 * @param {string} reason
	 */
	#onStopped(current, reason) {
		if (reason !== "replaced") {
			this.end(current, reason);
			return;
		}
		// Both called at once and the other's call took the place: go there.
		current.launched = false;
		this.attempt(current, async () => {
			const call = await this.still(current, findCall(this.wc, current.callId));
			if (call?.state !== "started") this.end(current, reason);
			else if (current.channel) await this.takeSeat(current);
		}).catch(() => undefined);
	}

	/**
	 * @param {Current} current
	 * @param {UserEvent} event
	 * @param {string} userId
	 */
	#onLeft(current, event, userId) {
		if (userId === this.wc.getUser().id) {
			// The server took this device's seat, perhaps while the machine slept.
			if (event.clientId === this.wc.clientId && current.seat) {
				this.recheck().catch((error) => this.log.warn("The call could not be checked", error));
			}
			return;
		}
		const everywhere = event.eventType === "call_leaved";
		current.session?.dropParty(userId, everywhere ? undefined : event.clientId);
		if (everywhere && current.group) this.flash(current, "status.left", userId);
		this.changed();
	}

	/**
	 * Somebody came who was no participant when this device joined, or the rings
	 * have changed.
	 *
	 * @param {Current} current
	 */
	#learn(current) {
		findCall(this.wc, current.callId)
			.then((call) => {
				if (call) nameParticipants(current, call);
				this.changed();
			})
			.catch((error) => this.log.warn("The call could not be read", error));
	}

	/** Events were missed: reads everything that is shown. */
	#reset() {
		void this.#readAll();
		this.#groups.recheck();
		const current = this.current;
		if (!current?.seat || current.phase === "ended") return;
		findCall(this.wc, current.callId)
			.then((call) => {
				if (this.current !== current) return;
				if (call?.state !== "started") this.end(current, call?.reason || "ended");
				else if (current.phase === "ringing" && call.participants.some((p) => p.id !== this.wc.getUser().id && p.state === "joined")) this.activate(current);
			})
			.catch((error) => this.log.warn("The call could not be read", error));
	}

	/** Reads which calls ring, which go on elsewhere, and what was missed. */
	async #readAll() {
		void this.#missed.read();
		const calls = await this.wc.getOpenCalls().catch(() => null);
		this.#incoming.recheck(calls ?? []);
		if (calls) this.#elsewhere.readAll(calls);
	}
}
