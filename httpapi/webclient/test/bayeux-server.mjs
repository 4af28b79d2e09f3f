/**
 * A small Bayeux server with faults at will: it forgets sessions, cuts and
 * refuses sockets, swallows messages. Messages on every channel are kept with a
 * position and replayed.
 */
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

export class BayeuxTestServer {
	/** Longest hold of a connect, in ms. */
	hold = 300;
	sockets = true;
	/** Answers nothing over sockets. */
	mute = false;
	/** Turns HTTP requests away with this status. */
	httpStatus = 0;
	/** Refuses handshakes. */
	denied = false;
	/** Tells a subscriber at which position it begins. */
	tellsStart = true;
	/** Has the acknowledgement extension: data comes with connects only. */
	knowsAck = true;
	/** Oldest position that can still be replayed after. */
	oldest = 0;
	/** Channels that may not be subscribed to. */
	forbidden = new Set();
	handshakes = [];
	subscribes = [];
	calls = [];
	published = [];
	goodbyes = 0;
	acks = [];
	/** Called with each remote call; what it returns or throws is the answer. */
	onCall = (target, data) => ({ target, ...data });

	#journal = [];
	#sessions = new Map();
	#lastSession = 0;
	#http = createServer((request, response) => this.#post(request, response));
	#ws = new WebSocketServer({ noServer: true });
	#connections = new Set();
	#stopping = false;

	async start() {
		this.#http.on("connection", (socket) => {
			if (this.#stopping) socket.destroy();
			this.#connections.add(socket);
			socket.on("close", () => this.#connections.delete(socket));
		});
		this.#http.on("upgrade", (request, socket, head) => {
			if (!this.sockets) {
				socket.end("HTTP/1.1 503 Service Unavailable\r\n\r\n");
				return;
			}
			this.#ws.handleUpgrade(request, socket, head, (ws) => this.#serve(ws));
		});
		await new Promise((resolve) => this.#http.listen(0, "127.0.0.1", resolve));
		return this;
	}

	get url() {
		return `http://127.0.0.1:${this.#http.address().port}/cometd`;
	}

	async stop() {
		this.#stopping = true;
		const closed = new Promise((resolve) => this.#http.close(resolve));
		this.cut();
		await closed;
	}

	/** Breaks all sockets and held requests. */
	cut() {
		for (const session of this.#sessions.values()) session.wake?.(false);
		for (const socket of this.#connections) socket.destroy();
	}

	forgetSessions() {
		for (const session of this.#sessions.values()) session.wake?.(true);
		this.#sessions.clear();
	}

	get openSockets() {
		return this.#ws.clients.size;
	}

	/** Sends to the subscribers of a channel and keeps it for replay. */
	emit(channel, data) {
		const message = { channel, data, ext: { replayId: this.#journal.length + 1 } };
		this.#journal.push(message);
		for (const session of this.#sessions.values()) {
			if (session.channels.has(channel)) this.#deliver(session, message);
		}
		return message.ext.replayId;
	}

	/** Sends a message again, as a server does that is not sure. */
	repeat(position) {
		for (const session of this.#sessions.values()) this.#deliver(session, this.#journal[position - 1]);
	}

	#deliver(session, message) {
		session.queue.push(message);
		if (session.ws) this.#flush(session);
		else session.wake?.(true);
	}

	#flush(session) {
		if (session.queue.length > 0 && !this.mute) session.ws.send(JSON.stringify(session.queue.splice(0)));
	}

	#serve(ws) {
		ws.on("message", async (text) => {
			for (const message of JSON.parse(text)) {
				const replies = await this.#handle(message, ws);
				if (ws.readyState === 1 && !this.mute && replies.length > 0) ws.send(JSON.stringify(replies));
			}
		});
	}

	#post(request, response) {
		let text = "";
		request.on("data", (part) => (text += part));
		request.on("end", async () => {
			if (this.httpStatus) {
				response.writeHead(this.httpStatus).end();
				return;
			}
			const replies = [];
			let session;
			let connect = false;
			for (const message of JSON.parse(text)) {
				session = this.#sessions.get(message.clientId) ?? session;
				connect ||= message.channel === "/meta/connect";
				replies.push(...(await this.#handle(message, null)));
			}
			const queued = session && (connect || !session.ack) ? session.queue.splice(0) : [];
			response.setHeader("Content-Type", "application/json");
			response.end(JSON.stringify([...queued, ...replies]));
		});
	}

	async #handle(message, ws) {
		const { channel, id } = message;
		const reply = { channel, id, successful: true };
		if (channel === "/meta/handshake") {
			this.handshakes.push(message);
			if (this.denied) return [{ ...reply, successful: false, error: "403::handshake_denied", advice: { reconnect: "none" } }];
			const clientId = `s${++this.#lastSession}`;
			const ack = this.knowsAck && message.ext?.ack === true;
			this.#sessions.set(clientId, { queue: [], channels: new Set(), ws, first: true, ack, batch: 0 });
			return [{ ...reply, ...(ack ? { ext: { ack: true } } : {}), clientId, version: "1.0", supportedConnectionTypes: ["websocket", "long-polling"], advice: { reconnect: "retry", interval: 0, timeout: this.hold } }];
		}
		const session = this.#sessions.get(message.clientId);
		if (!session) return [{ ...reply, successful: false, error: "402::session_unknown", advice: { reconnect: "handshake", interval: 0 } }];
		if (ws) session.ws = ws;
		switch (channel) {
			case "/meta/connect":
				return this.#connect(session, message, reply, ws);
			case "/meta/subscribe":
				return this.#subscribe(session, message, reply);
			case "/meta/unsubscribe":
				session.channels.delete(message.subscription);
				return [{ ...reply, subscription: message.subscription }];
			case "/meta/disconnect":
				this.goodbyes++;
				this.#sessions.delete(message.clientId);
				return [reply];
			default:
		}
		if (channel.startsWith("/service/")) {
			this.calls.push(message);
			try {
				const data = await this.onCall(channel.slice("/service".length), message.data);
				return data === undefined ? [reply] : [reply, { channel, id, successful: true, data }];
			} catch (error) {
				return [reply, { channel, id, successful: false, data: error.data }];
			}
		}
		this.published.push(message);
		this.emit(channel, message.data);
		return [reply];
	}

	async #connect(session, message, reply, ws) {
		session.wake?.(true);
		const held = !session.first && message.advice?.timeout !== 0 && (ws || session.queue.length === 0);
		session.first = false;
		if (held) {
			await new Promise((resolve) => {
				const timer = setTimeout(resolve, this.hold);
				session.wake = (now) => {
					clearTimeout(timer);
					if (now) resolve();
				};
			});
			session.wake = undefined;
		}
		if (!this.#sessions.has(message.clientId)) return [{ ...reply, successful: false, error: "402::session_unknown", advice: { reconnect: "handshake" } }];
		this.acks.push(message.ext?.ack);
		return [session.ack ? { ...reply, ext: { ack: ++session.batch } } : reply];
	}

	#subscribe(session, message, reply) {
		const name = message.subscription;
		this.subscribes.push(message);
		const base = { ...reply, subscription: name };
		if (this.forbidden.has(name)) return [{ ...base, successful: false, error: `403:${name}:subscribe_denied` }];
		const after = message.ext?.replay?.[name];
		if (after !== undefined && Number(after) < this.oldest) return [{ ...base, successful: false, error: `400:${name}:replay_gone` }];
		session.channels.add(name);
		const missed = after === undefined ? [] : this.#journal.filter((m) => m.channel === name && m.ext.replayId > Number(after));
		for (const old of missed) this.#deliver(session, old);
		return [this.tellsStart ? { ...base, ext: { replay: { [name]: after ?? this.#journal.length } } } : base];
	}
}
