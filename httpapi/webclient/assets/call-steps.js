// @ts-check
/**
 * The steps of the call that a page is in: how one gets in, what is shown
 * meanwhile, and how it ends.
 *
 * @typedef {import("./types.js").WebConferencing} WebConferencing
 * @typedef {import("./types.js").Provider} Provider
 * @typedef {import("./current-call.js").Current} Current
 */
import { Conditions } from "./conditions.js";
import { HungUp, nameParticipants, newCurrent, takeSeat } from "./current-call.js";
import { toCallError } from "./rest.js";
import { findCall } from "./starting.js";

/** How long the outcome of a call stays visible, in ms. */
const outcomeTime = 8000;
/** How long it is told that somebody joined or left, in ms. */
const flashTime = 5000;
const outcomes = new Set(["ended", "declined", "missed", "cancelled", "busy", "replaced", "expired", "elsewhere", "gone", "failed"]);

/** The present call of a page. Dispatches `change`. */
export class CallSteps extends EventTarget {
	/** @type {Current | null} */
	current = null;
	/** @type {ReturnType<typeof setTimeout> | undefined} ends what is shown for a while */
	clear;
	/** Ends what the controller listens to. */
	page = new AbortController();

	/** @param {WebConferencing} wc */
	constructor(wc) {
		super();
		this.wc = wc;
		this.conditions = new Conditions(wc, () => this.changed(), this.page.signal);
	}

	get problems() {
		return this.conditions.list(this.current?.session);
	}

	/**
	 * @param {import("./types.js").Problem} problem
	 * @param {boolean} present
	 */
	report(problem, present) {
		this.conditions.report(problem, present);
	}

	/** Called when the user ended the call inside of the provider's page. */
	hangUp() {
		return Promise.resolve();
	}

	/** @param {Partial<Current>} members */
	begin(members) {
		clearTimeout(this.clear);
		const current = newCurrent({ status: this.text("status.preparing"), ...members });
		this.current = current;
		this.report("popup_blocked", current.window?.blocked ?? false);
		this.changed();
		return current;
	}

	/**
	 * @param {Current} current
	 * @param {() => Promise<void>} steps
	 */
	async attempt(current, steps) {
		try {
			await steps();
		} catch (error) {
			if (error instanceof HungUp) {
				// Nobody shall ring for a call that its maker gave up.
				if (current.launched && !current.seat) await this.wc.updateCall(current.callId, "stopped").catch(() => undefined);
				return;
			}
			const { code } = toCallError(error);
			this.log.error(`The call ${current.callId} failed`, error);
			if (current === this.current) {
				if (code === "NOT_FOUND_ERROR") this.end(current, "gone");
				else this.end(current, "failed", `${this.text("ended.failed")}: ${this.wc.errorText(error)}`);
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
	async still(current, step) {
		const result = await step;
		if (this.current !== current || current.phase === "ended") throw new HungUp();
		return result;
	}

	/**
	 * Opens the media of this device.
	 *
	 * @param {Current} current
	 * @param {Provider} provider
	 * @param {{muted?: boolean, cameraOff?: boolean}} [media]
	 */
	async prepare(current, provider, media = {}) {
		current.provider = provider;
		current.providerType = provider.getType();
		if (!provider.openSession) return;
		// Chosen on the click for another provider than the call has.
		this.#closeWindow(current);
		const session = await provider.openSession({
			callId: current.callId,
			user: this.wc.getUser(),
			clientId: this.wc.clientId,
			replaces: current.replaces || undefined,
			...media,
			send: (data) => this.wc.toCallUpdate(current.callId, data),
			log: this.wc.getLog(provider.getType()),
		});
		if (this.current !== current || current.phase === "ended") {
			session.close();
			throw new HungUp();
		}
		current.session = session;
		session.addEventListener("change", () => this.changed());
		session.addEventListener("hangup", () => {
			if (this.current === current) void this.hangUp();
		});
		this.changed();
		await session.acquire();
	}

	/**
	 * Listens to the others first and joins then, so that no offer is missed.
	 *
	 * @param {Current} current
	 */
	async enter(current) {
		if (current.phase !== "ringing") current.phase = "joining";
		current.status ||= this.text("status.joining");
		this.changed();
		const channel = this.wc.onCallUpdate(
			current.callId,
			(data) => {
				if (data.exoClientId !== this.wc.clientId) current.session?.receive(data);
			},
			(error) => {
				// Most likely the call has ended while there was no connection.
				this.log.info(`No more data of ${current.callId}`, error);
				if (this.current === current) this.recheck().catch((fault) => this.log.warn("The call could not be checked", fault));
			},
		);
		current.channel = channel;
		await this.still(current, channel.ready);
		await this.takeSeat(current);
	}

	/** @param {Current} current */
	async takeSeat(current) {
		const call = await takeSeat(this.wc, current);
		current.rung = current.takesOver = false;
		if (!call) {
			this.end(current, "elsewhere");
			throw new HungUp();
		}
		if (this.current !== current || current.phase === "ended") {
			await this.wc.updateUserCall(current.callId, "leaved", { seat: call.seat, epoch: call.epoch }).catch(() => undefined);
			throw new HungUp();
		}
		current.seat = call.seat ?? "";
		current.epoch = call.epoch ?? 0;
		current.url = current.session ? "" : (call.grant?.url ?? current.provider?.getCallUrl?.(current.callId) ?? "");
		current.window?.show(current.url);
		nameParticipants(current, call);
		const me = this.wc.getUser().id;
		const others = call.participants.some((p) => p.id !== me && p.state === "joined");
		if (others) this.activate(current);
		else {
			current.phase = current.group ? "active" : "ringing";
			current.since ||= current.group ? Date.now() : 0;
			current.status = current.group ? this.text(this.#showsItself(current) ? "status.connected" : "status.waiting") : this.text("status.calling", { name: current.title });
		}
		this.changed();
		await current.session?.start(call);
	}

	/** @param {Current} current */
	activate(current) {
		current.phase = "active";
		current.since ||= Date.now();
		current.status = this.text("status.connected");
		this.changed();
	}

	/**
	 * Tells for a moment what somebody did.
	 *
	 * @param {Current} current
	 * @param {string} key
	 * @param {string} userId
	 */
	flash(current, key, userId) {
		current.status = this.text(key, { name: current.names.get(userId) ?? userId });
		this.changed();
		clearTimeout(this.clear);
		this.clear = setTimeout(() => {
			const alone = current.session?.remotes.length === 0 && !this.#showsItself(current);
			current.status = this.text(alone ? "status.waiting" : "status.connected");
			this.changed();
		}, flashTime);
	}

	/**
	 * @param {Current} current
	 * @param {string} reason
	 * @param {string} [status]
	 */
	end(current, reason, status) {
		if (current.phase === "ended") return;
		current.phase = "ended";
		current.reason = reason;
		current.status = status ?? this.text(`ended.${outcomes.has(reason) ? reason : "ended"}`);
		this.release(current);
		this.#closeWindow(current);
		clearTimeout(this.clear);
		this.clear = setTimeout(() => {
			if (this.current === current) this.current = null;
			this.changed();
		}, outcomeTime);
		this.changed();
	}

	/** @param {Current} current */
	release(current) {
		current.session?.close();
		current.session = null;
		current.channel?.off();
		current.channel = null;
	}

	/** Finds out whether this device is still in its call; returns if it can. */
	async recheck() {
		const current = this.current;
		if (!current?.seat || current.phase === "ended") return;
		const { callId, epoch, seat } = current;
		try {
			await this.wc.heartbeat(callId, epoch, seat);
			current.session?.refresh();
		} catch (error) {
			if (toCallError(error).code !== "NOT_FOUND_ERROR") throw error;
			if (this.current !== current || current.seat !== seat) return;
			const call = await findCall(this.wc, callId);
			if (this.current !== current || current.seat !== seat) return;
			if (call?.state !== "started") this.end(current, call?.reason || "expired");
			else await this.attempt(current, () => this.takeSeat(current));
		}
	}

	isBusy() {
		return this.current !== null && this.current.phase !== "ended";
	}

	/** @param {string} callId */
	isLive(callId) {
		return this.isBusy() && this.current?.callId === callId;
	}

	get log() {
		return this.wc.getLog(this.current?.provider?.getType() ?? this.wc.getProviders()[0]?.getType()).prefix("calls");
	}

	/**
	 * @param {string} key
	 * @param {Record<string, string>} [values]
	 */
	text(key, values) {
		return this.wc.message(`webconferencing.${key}`, values);
	}

	/**
	 * Whether who is inside is shown by the provider's own page.
	 *
	 * @param {Current} current
	 */
	#showsItself({ session }) {
		return !session || Boolean(session.view);
	}

	/** @param {Current} current */
	#closeWindow(current) {
		current.window?.close();
		current.window = null;
		this.report("popup_blocked", false);
	}

	changed() {
		if (this.current) this.current.problems = this.problems;
		this.dispatchEvent(new Event("change"));
	}
}
