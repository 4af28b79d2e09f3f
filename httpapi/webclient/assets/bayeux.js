// @ts-check
/**
 * A Bayeux 1.0 client for browsers and Node: WebSocket with long-polling as
 * fallback, remote calls, and subscriptions that resume at the position where
 * they were cut off.
 *
 * Whenever the connection is lost, for whatever reason, the client makes a new
 * handshake and subscribes again from the last position that it has seen of
 * each channel (`ext.replay`). So there is one way of recovery, and it loses
 * and doubles nothing as long as the server's history reaches back.
 *
 * @typedef {import("./transport.js").Message} Message
 * @typedef {import("./transport.js").Transport} Transport
 * @typedef {import("./bayeux-options.js").BayeuxOptions} BayeuxOptions
 * @typedef {"connecting"|"connected"|"offline"|"refused"|"suspended"|"closed"} ConnectionState
 *
 * @typedef {import("./subscriptions.js").Listener} Listener
 *
 * @typedef {object} Subscription
 * @property {() => void} off
 * @property {Promise<void>} ready resolves when the server has confirmed
 */
import { BayeuxError, SessionLost, refusal } from "./bayeux-errors.js";
import { withDefaults } from "./bayeux-options.js";
import { Pacing, startPause, watchSleep } from "./pacing.js";
import { Channel } from "./subscriptions.js";
import { TransportError, openPolling, openSocket } from "./transport.js";

export { BayeuxError };

/**
 * @typedef {object} Request
 * @property {Message} message
 * @property {"meta"|"publish"|"call"} kind
 * @property {boolean} retry may be sent again after a new handshake
 * @property {(reply: any) => void} resolve
 * @property {(error: Error) => void} reject
 * @property {ReturnType<typeof setTimeout>} [timer]
 */

const wakeProbeTimeout = 5000;
/** A session that lasted this long makes earlier failures forgotten, in ms. */
const steadyAfter = 10_000;
const maxWaiting = 1000;

/**
 * Dispatches `state` when {@link BayeuxClient#state} changes, `woken` when the
 * machine or the page has slept, and `alive` when the connection has proved
 * afterwards that it outlived the sleep.
 */
export class BayeuxClient extends EventTarget {
	/** @type {Required<BayeuxOptions>} */
	#options;
	/** @type {ConnectionState} */
	#state = "closed";
	#running = false;
	#runs = 0;
	#lastId = 0;
	#clientId = "";
	#pacing;
	/** @type {Transport | null} */
	#transport = null;
	/** @type {Transport | null} an open socket that the next session shall use */
	#prepared = null;
	/** @type {((error: Error) => void) | null} ends the present session */
	#lose = null;
	/** @type {(() => void) | null} ends the present wait */
	#hurry = null;
	/** @type {(() => void) | null} lets the connect loop look whether the server is still there */
	#probe = null;
	/** @type {Map<string, Request>} */
	#pending = new Map();
	/** @type {Request[]} in the order in which they are to be sent */
	#waiting = [];
	/** @type {Message[]} leave in one batch at the end of this turn */
	#outbox = [];
	/** @type {Map<string, Channel>} */
	#channels = new Map();
	#socketFailures = 0;
	#socketRetryAt = 0;
	/** @type {number | null} number of the last batch that came with a connect */
	#ack = null;
	#lastHeard = 0;
	#connectedAt = 0;
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	#upgradeTimer;
	#endWatch = () => {};
	#aborter = new AbortController();

	/** @param {BayeuxOptions} options */
	constructor(options) {
		super();
		this.#options = withDefaults(options);
		this.#pacing = new Pacing(this.#options.minBackoff, this.#options.maxBackoff);
	}

	get state() {
		return this.#state;
	}

	/** Connects, and stays connected until {@link close}. */
	open() {
		if (this.#running) return;
		this.#running = true;
		this.#aborter = new AbortController();
		this.#endWatch = watchSleep(() => {
			this.dispatchEvent(new Event("woken"));
			this.wake();
		});
		void this.#run();
	}

	/**
	 * Says goodbye and stops. Everything under way is rejected; subscriptions
	 * are kept for a later {@link open}.
	 */
	close() {
		this.#stop("closed");
	}

	/** Like close, for a page that may come back: what waits keeps waiting. */
	suspend() {
		this.#stop("suspended");
	}

	/**
	 * Call it when the network or the page came back: ends a pause between
	 * attempts, and finds out whether a connection that looks open is alive.
	 */
	wake() {
		if (!this.#running) return;
		if (this.#hurry) this.#hurry();
		else if (this.#transport?.type === "long-polling") this.#lose?.(new SessionLost("woken", { delay: 0 }));
		else this.#probe?.();
	}

	/**
	 * Call it when the machine says that it has no network any more. The session
	 * is left at once: a socket that can't be seen to be dead would go on
	 * answering for a device that nobody can reach.
	 */
	networkLost() {
		if (this.#transport) this.#lose?.(new SessionLost("the network is gone"));
	}

	/** Milliseconds since the server was last heard of. */
	get silence() {
		return Date.now() - this.#lastHeard;
	}

	/**
	 * Subscribes to a channel. Messages with an `ext.replayId` come in order
	 * and once.
	 *
	 * @param {string} channel
	 * @param {Listener} listener
	 * @returns {Subscription}
	 */
	subscribe(channel, listener) {
		let entry = this.#channels.get(channel);
		if (!entry) {
			entry = new Channel(channel);
			this.#channels.set(channel, entry);
			if (this.#state === "connected") this.#subscribe(entry).catch((error) => this.#lose?.(error));
		} else if (entry.seen) {
			queueMicrotask(() => listener.onReady?.());
		}
		const held = entry;
		held.listeners.add(listener);
		return {
			ready: held.ready,
			off: () => {
				if (!held.listeners.delete(listener) || held.listeners.size > 0) return;
				if (this.#channels.get(channel) !== held) return;
				this.#channels.delete(channel);
				if (this.#state !== "connected") return;
				this.#request({ channel: "/meta/unsubscribe", subscription: channel }).catch(() => undefined);
			},
		};
	}

	/**
	 * Publishes, as soon as there is a connection, and waits for the
	 * acknowledgement.
	 *
	 * @param {string} channel
	 * @param {any} data
	 * @param {{timeout?: number}} [options]
	 * @returns {Promise<void>}
	 */
	publish(channel, data, { timeout = 3 * this.#options.timeout } = {}) {
		return this.#enqueue("publish", channel, data, timeout);
	}

	/**
	 * Calls a remote procedure. It may arrive twice when the connection breaks
	 * before the answer.
	 *
	 * @param {string} target for example `/webconferencing/calls`
	 * @param {any} data
	 * @param {{timeout?: number}} [options]
	 * @returns {Promise<any>} the answer's data; rejects with a
	 *   {@link BayeuxError} whose data is the failure's
	 */
	call(target, data, { timeout = 3 * this.#options.timeout } = {}) {
		return this.#enqueue("call", `/service${target}`, data, timeout);
	}

	// --- the life of a session ---

	async #run() {
		const run = ++this.#runs;
		const going = () => this.#running && run === this.#runs;
		while (going()) {
			let end = new SessionLost("closed");
			try {
				await this.#session();
			} catch (error) {
				if (this.#state === "connected" && Date.now() - this.#connectedAt > steadyAfter) this.#pacing.failures = 0;
				end = error instanceof SessionLost ? error : new SessionLost(error instanceof Error ? error.message : String(error));
				if (error instanceof TransportError && error.goingAway) end.spread = 5000;
			}
			if (!going()) break;
			this.#drop();
			if (end.stop) {
				this.#running = false;
				this.#endWatch();
				this.#rejectAll(new BayeuxError("refused", end.message));
				this.#setState("refused");
				break;
			}
			this.#setState("offline");
			const pause = startPause(end.delay ?? this.#pacing.backoff(end.spread));
			this.#hurry = pause.end;
			await pause.over;
			this.#hurry = null;
		}
	}

	/** Lives through one session; throws when it is lost. */
	async #session() {
		this.#setState("connecting");
		/** @type {Promise<never>} */
		const lost = new Promise((_, reject) => {
			this.#lose = reject;
		});
		lost.catch(() => undefined);
		await Promise.race([lost, this.#openTransport()]);
		await Promise.race([lost, this.#handshake()]);
		const channels = [...this.#channels.values()];
		await Promise.race([lost, Promise.all(channels.map((c) => this.#subscribe(c)))]);
		for (const channel of this.#channels.values()) {
			if (!channels.includes(channel)) this.#subscribe(channel).catch((error) => this.#lose?.(error));
		}
		this.#connectedAt = Date.now();
		this.#setState("connected");
		for (const request of this.#waiting.splice(0)) this.#send(request);
		this.#upgradeLater();
		try {
			await Promise.race([lost, this.#stayConnected()]);
		} finally {
			clearTimeout(this.#upgradeTimer);
		}
	}

	async #openTransport() {
		const { WebSocket, fetch, timeout, url } = this.#options;
		const { signal } = this.#aborter;
		if (this.#prepared) {
			this.#transport = this.#prepared;
			this.#prepared = null;
			return;
		}
		if (WebSocket && Date.now() >= this.#socketRetryAt) {
			try {
				this.#transport = await openSocket(url, this.#events(), { WebSocket, timeout, signal });
				return;
			} catch {
				if (signal.aborted) throw new SessionLost("closed");
				this.#socketFailed();
			}
		}
		this.#transport = openPolling(url, this.#events(), { fetch, timeout, holdTimeout: () => this.#pacing.timeout + timeout });
	}

	#events() {
		return {
			/** @param {Message[]} batch */
			onBatch: (batch) => {
				this.#lastHeard = Date.now();
				for (const message of batch) this.#receive(message);
			},
			/** @param {TransportError} error */
			onLost: (error) => this.#lose?.(error),
		};
	}

	#socketFailed() {
		this.#socketRetryAt = Date.now() + this.#options.socketRetry * 2 ** Math.min(this.#socketFailures++, 4);
	}

	/** Looks for a way back to WebSocket while long-polling works. */
	#upgradeLater() {
		const { WebSocket, timeout, url } = this.#options;
		if (!WebSocket || this.#transport?.type !== "long-polling") return;
		const session = this.#clientId;
		const inSession = () => this.#state === "connected" && this.#clientId === session;
		this.#upgradeTimer = setTimeout(async () => {
			/** @type {Transport} */
			let socket;
			try {
				socket = await openSocket(url, this.#events(), { WebSocket, timeout, signal: this.#aborter.signal });
			} catch {
				this.#socketFailed();
				if (inSession()) this.#upgradeLater();
				return;
			}
			if (!inSession()) {
				socket.close();
				return;
			}
			this.#prepared = socket;
			this.#transport?.close([this.#farewell()]);
			this.#lose?.(new SessionLost("changing to WebSocket", { delay: 0 }));
		}, Math.max(0, this.#socketRetryAt - Date.now()));
	}

	async #handshake() {
		this.#clientId = "";
		const transport = this.#transport;
		if (!transport) throw new SessionLost("no transport");
		let reply;
		try {
			reply = await this.#request({
				channel: "/meta/handshake",
				version: "1.0",
				minimumVersion: "1.0",
				supportedConnectionTypes: transport.type === "websocket" ? ["websocket", "long-polling"] : ["long-polling"],
				// Over HTTP the answers to two requests can overtake each other;
				// with ack all data comes with connects, and so in order.
				ext: transport.type === "websocket" ? { replay: true } : { replay: true, ack: true },
				...(await this.#options.credentials()),
			});
		} catch (error) {
			// A proxy that opens sockets but carries nothing is as good as none;
			// a network that carries no request at all says nothing about sockets.
			if (transport.type === "websocket") this.#socketFailed();
			else this.#socketRetryAt = 0;
			throw error;
		}
		if (!reply.successful) {
			const stop = reply.advice?.reconnect === "none";
			throw new SessionLost(typeof reply.error === "string" ? reply.error : "the handshake was refused", { stop });
		}
		if (transport.type === "websocket") this.#socketFailures = 0;
		this.#pacing.reconnect = "retry";
		this.#clientId = String(reply.clientId);
		this.#ack = reply.ext?.ack ? 0 : null;
	}

	async #stayConnected() {
		let probe = true; // the first connect returns at once and proves the way
		for (;;) {
			const woken = new Promise((resolve) => {
				this.#probe = () => resolve(null);
			});
			/** @type {Message} */
			const message = { channel: "/meta/connect", connectionType: this.#transport?.type };
			if (probe) message.advice = { timeout: 0 };
			if (this.#ack !== null) message.ext = { ack: this.#ack };
			const timeout = probe ? Math.min(wakeProbeTimeout, this.#options.timeout) : this.#pacing.timeout + this.#options.timeout;
			const reply = await Promise.race([this.#request(message, timeout), woken]);
			if (reply === null) {
				probe = true;
				continue;
			}
			if (probe) this.dispatchEvent(new Event("alive"));
			probe = false;
			if (reply.successful) {
				if (Number.isInteger(reply.ext?.ack)) this.#ack = reply.ext.ack;
				if (this.#pacing.reconnect === "none") throw new SessionLost("the server ended the session", { stop: true });
				if (this.#pacing.interval > 0) await new Promise((resolve) => setTimeout(resolve, this.#pacing.interval));
				continue;
			}
			const advised = reply.advice?.reconnect;
			throw new SessionLost(String(reply.error ?? "the session is over"), {
				stop: advised === "none",
				delay: advised === "handshake" ? Math.random() * this.#options.minBackoff : undefined,
			});
		}
	}

	/** @param {Channel} channel */
	async #subscribe(channel) {
		const again = channel.seen;
		/** @type {Message} */
		const message = { channel: "/meta/subscribe", subscription: channel.name, ...this.#options.fields() };
		let resumed = channel.position !== null;
		if (resumed) message.ext = { replay: { [channel.name]: channel.position } };
		let reply = await this.#request(message);
		let gone = false;
		if (!reply.successful && String(reply.error).includes("replay_gone")) {
			gone = true;
			resumed = false;
			channel.position = null;
			delete message.ext;
			reply = await this.#request(message);
		}
		if (this.#channels.get(channel.name) !== channel) return;
		if (!reply.successful) {
			const error = refusal(reply, "the subscription was refused");
			if (error.code === "402") throw new SessionLost(error.message);
			this.#channels.delete(channel.name);
			channel.refused(error);
			return;
		}
		channel.confirmed({ start: Number(reply.ext?.replay?.[channel.name]), missed: gone || (again && !resumed) });
	}

	// --- messages ---

	/**
	 * @param {"publish"|"call"} kind
	 * @param {string} channel
	 * @param {any} data
	 * @param {number} timeout
	 * @returns {Promise<any>}
	 */
	#enqueue(kind, channel, data, timeout) {
		return new Promise((resolve, reject) => {
			if (this.#state === "refused") return reject(new BayeuxError("refused", "the server refused the connection"));
			if (this.#state === "closed") return reject(new BayeuxError("closed", "not connected"));
			if (this.#waiting.length >= maxWaiting) return reject(new BayeuxError("limited", "too many messages are waiting"));
			/** @type {Request} */
			const request = { message: { channel, data }, kind, retry: true, resolve, reject };
			request.timer = setTimeout(() => {
				this.#forget(request);
				reject(new BayeuxError("timeout", `no answer on ${channel}`));
				this.#probe?.();
			}, timeout);
			if (this.#state === "connected") this.#send(request);
			else this.#waiting.push(request);
		});
	}

	/**
	 * Sends a meta message at once and waits for its reply. A missing reply
	 * ends the session.
	 *
	 * @param {Message} message
	 * @param {number} [timeout]
	 * @returns {Promise<Message>}
	 */
	#request(message, timeout = this.#options.timeout) {
		return new Promise((resolve, reject) => {
			/** @type {Request} */
			const request = { message, kind: "meta", retry: false, resolve, reject };
			request.timer = setTimeout(() => {
				if (!this.#forget(request)) return;
				const error = new SessionLost(`no answer to ${message.channel}`);
				reject(error);
				// An overtaken connect has no reply; only the last one counts.
				if (message.channel !== "/meta/connect") this.#lose?.(error);
			}, timeout);
			if (message.channel === "/meta/connect") {
				for (const older of [...this.#pending.values()]) {
					if (older.message.channel === "/meta/connect") this.#forget(older);
				}
			}
			this.#send(request);
		});
	}

	/** @param {Request} request */
	#send(request) {
		const { message } = request;
		message.id = String(++this.#lastId);
		if (this.#clientId) message.clientId = this.#clientId;
		if (request.kind !== "meta") Object.assign(message, this.#options.fields());
		this.#pending.set(message.id, request);
		if (this.#outbox.push(message) > 1) return;
		queueMicrotask(() => {
			const batch = this.#outbox.splice(0);
			if (batch.length > 0) this.#transport?.send(batch);
		});
	}

	/**
	 * @param {Request} request
	 * @returns {boolean} whether it was still waited for
	 */
	#forget(request) {
		clearTimeout(request.timer);
		this.#waiting = this.#waiting.filter((r) => r !== request);
		return this.#pending.get(request.message.id) === request && this.#pending.delete(request.message.id);
	}

	/** @param {Message} message */
	#receive(message) {
		const { channel } = message;
		if (typeof channel === "string" && channel.startsWith("/meta/")) {
			this.#pacing.heed(message.advice);
			if (channel === "/meta/disconnect" && message.id === undefined) {
				this.#lose?.(new SessionLost("the server ended the session"));
				return;
			}
		}
		const request = message.id === undefined ? undefined : this.#pending.get(String(message.id));
		if (request && typeof message.successful === "boolean") {
			this.#settle(request, message);
			return;
		}
		if (typeof channel === "string" && message.data !== undefined) this.#channels.get(channel)?.deliver(message);
	}

	/**
	 * @param {Request} request
	 * @param {Message} reply
	 */
	#settle(request, reply) {
		if (request.kind === "call" && reply.successful && reply.data === undefined) return; // the result follows
		if (!reply.successful && request.retry && String(reply.error ?? "").startsWith("402")) {
			// Not carried out: it goes out again in the next session.
			this.#lose?.(new SessionLost("the session is unknown", { delay: 0 }));
			return;
		}
		if (!this.#forget(request)) return;
		if (request.kind === "meta") request.resolve(reply);
		else if (reply.successful) request.resolve(reply.data);
		else request.reject(refusal(reply, `${request.message.channel} failed`));
	}

	// --- endings ---

	#farewell() {
		return { id: String(++this.#lastId), channel: "/meta/disconnect", clientId: this.#clientId };
	}

	/** @param {"closed"|"suspended"} state */
	#stop(state) {
		if (!this.#running) {
			if (state === "closed") this.#rejectAll(new BayeuxError("closed", "closed"));
			if (this.#state === "suspended" && state === "closed") this.#setState(state);
			return;
		}
		this.#running = false;
		this.#endWatch();
		const last = this.#outbox.splice(0);
		if (this.#clientId) last.push(this.#farewell());
		this.#transport?.close(last.length > 0 ? last : undefined);
		this.#lose?.(new SessionLost("closed"));
		this.#drop();
		this.#prepared?.close();
		this.#prepared = null;
		this.#aborter.abort();
		this.#hurry?.();
		if (state === "closed") this.#rejectAll(new BayeuxError("closed", "closed"));
		this.#setState(state);
	}

	/** Leaves the session behind; what may be repeated waits for the next. */
	#drop() {
		this.#lose = null;
		this.#probe = null;
		this.#transport?.close();
		this.#transport = null;
		this.#clientId = "";
		this.#outbox.length = 0;
		const again = [];
		for (const request of this.#pending.values()) {
			if (request.retry) again.push(request);
			else {
				clearTimeout(request.timer);
				request.reject(new SessionLost("the session was lost"));
			}
		}
		this.#pending.clear();
		this.#waiting.unshift(...again);
	}

	/** @param {Error} error */
	#rejectAll(error) {
		for (const request of this.#waiting.splice(0)) {
			clearTimeout(request.timer);
			request.reject(error);
		}
	}

	/** @param {ConnectionState} state */
	#setState(state) {
		if (this.#state === state) return;
		this.#state = state;
		this.dispatchEvent(new Event("state"));
	}
}
