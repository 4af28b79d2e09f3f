// @ts-check
/**
 * The media of one call on this device: a mesh of peer connections.
 *
 * Devices find each other by saying `hello` to the whole call after joining.
 * Whoever is there already answers: with an offer if its client id is the
 * greater one, else with a `welcome`, upon which the newcomer offers.
 * All further messages name the device that they are for in `to`.
 *
 * @typedef {import("../../../httpapi/webclient/assets/types.js").MediaSession} MediaSession
 * @typedef {import("../../../httpapi/webclient/assets/types.js").SessionOptions} SessionOptions
 * @typedef {import("../../../httpapi/webclient/assets/types.js").Call} Call
 */
import { LocalMedia } from "./media.js";
import { Peer } from "./peer.js";

/** Marks our messages among other data of the call. */
const protocol = "webrtc/1";
/** Pauses before saying hello again to somebody who has not answered, in ms. */
const helloPauses = [3000, 6000, 12_000, 24_000];
/** Most devices that one device connects to, whatever others claim. */
const maxPeers = 15;
/** Devices whose state is remembered. */
const maxDevices = 200;
/** Upstream for all pictures of a mesh together, in bits per second. */
const upstream = 2_500_000;

/**
 * @typedef {object} Device
 * @property {number} n number of its last message
 * @property {{muted: boolean, cameraOff: boolean, screen: boolean}} [state]
 */

/** @implements {MediaSession} */
export class MeshSession extends EventTarget {
	#options;
	#servers;
	#media = new LocalMedia();
	/** @type {Map<string, Peer>} by client id */
	#peers = new Map();
	/** @type {Map<string, Device>} by client id, those heard of last at the end */
	#devices = new Map();
	/** @type {RTCIceServer[]} */
	#iceServers = [];
	/** @type {Set<string>} users who are in the call and have not answered */
	#expected = new Set();
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	#helloTimer;
	#count = 0;
	/** the own state as it was last told */
	#told = "";
	#started = false;
	#closed = false;
	#page = new AbortController();

	/**
	 * @param {SessionOptions} options
	 * @param {import("./ice.js").IceServers} servers
	 */
	constructor(options, servers) {
		super();
		this.#options = options;
		this.#servers = servers;
		this.#media.muted = options.muted ?? false;
		this.#media.cameraOff = options.cameraOff ?? false;
		this.#media.addEventListener("change", () => this.#mediaChanged());
		const { signal } = this.#page;
		// The others learn at once that this page goes, and may come back.
		addEventListener("pagehide", () => this.#send({ kind: "bye" }), { signal, capture: true });
		addEventListener("online", () => this.refresh(), { signal });
		const { connection } = /** @type {{connection?: EventTarget}} */ (navigator);
		connection?.addEventListener("change", () => this.refresh(), { signal });
	}

	get local() {
		return this.#media.stream;
	}

	get remotes() {
		return [...this.#peers.values()].map((p) => p.party);
	}

	get muted() {
		return this.#media.muted;
	}

	get cameraOff() {
		return this.#media.cameraOff;
	}

	get hasAudio() {
		return this.#media.hasAudio;
	}

	get hasVideo() {
		return this.#media.hasVideo;
	}

	get problem() {
		return this.#media.problem;
	}

	/** undefined where the browser can't share the screen. */
	get screen() {
		return typeof navigator.mediaDevices?.getDisplayMedia === "function" ? this.#media.sharesScreen : undefined;
	}

	get devices() {
		return this.#media.devices.list;
	}

	get output() {
		return this.#media.devices.chosen("audiooutput");
	}

	acquire() {
		return this.#media.acquire();
	}

	/**
	 * @param {Call} call
	 */
	async start(call) {
		this.#iceServers = await this.#servers.get();
		if (this.#closed) return;
		this.#started = true;
		const inside = new Set(call.participants.filter((p) => p.state === "joined").map((p) => p.id));
		for (const { party } of [...this.#peers.values()]) {
			if (!inside.has(party.userId)) this.dropParty(party.userId);
		}
		inside.delete(this.#options.user.id);
		this.#expected = inside;
		this.#hello(0);
	}

	/** @param {boolean} muted */
	setMuted(muted) {
		this.#media.setMuted(muted);
	}

	/** @param {boolean} off */
	setCameraOff(off) {
		void this.#media.setCameraOff(off);
	}

	/** @param {boolean} on */
	setScreen(on) {
		return this.#media.setScreen(on);
	}

	/**
	 * @param {import("./devices.js").Kind} kind
	 * @param {string} id
	 */
	chooseDevice(kind, id) {
		return this.#media.choose(kind, id);
	}

	/** @param {any} data */
	receive(data) {
		const { exoId: userId, exoClientId: clientId, kind, to, n } = data;
		if (!this.#started || data.protocol !== protocol || typeof userId !== "string" || typeof clientId !== "string") return;
		if (clientId === this.#options.clientId || (to !== undefined && to !== this.#options.clientId)) return;
		// A message that was sent again after a broken connection.
		if (typeof n !== "number" || n <= (this.#devices.get(clientId)?.n ?? 0)) return;
		this.#expected.delete(userId);
		const known = this.#peers.get(clientId);
		if (known && known.party.userId !== userId) return;
		this.#note(clientId, data);
		if (known && kind !== "bye" && known.healthy) known.party.state = "connected";
		switch (kind) {
			case "hello":
				this.#onHello(userId, clientId, data);
				break;
			case "welcome":
				if (!known && this.#offersTo(clientId)) this.#connect(userId, clientId)?.begin();
				break;
			case "description":
				this.#onDescription(userId, clientId, data);
				break;
			case "candidates":
				if (known && data.session === known.remoteSession) known.addCandidates(data.candidates);
				break;
			case "restart":
				if (known && data.session === known.remoteSession) known.restart();
				break;
			case "bye":
				if (data.final) this.dropParty(userId, clientId);
				else if (known) known.party.state = "reconnecting";
				break;
			default:
		}
		this.#changed();
	}

	/**
	 * @param {string} userId
	 * @param {string} [clientId]
	 */
	dropParty(userId, clientId) {
		for (const [id, peer] of [...this.#peers]) {
			if (peer.party.userId !== userId || (clientId !== undefined && id !== clientId)) continue;
			peer.close();
			this.#peers.delete(id);
		}
		this.#shareUpstream();
		this.#changed();
	}

	refresh() {
		if (!this.#started) return;
		for (const peer of this.#peers.values()) peer.refresh();
		this.#send({ kind: "state", state: this.#state() });
	}

	close() {
		if (this.#closed) return;
		if (this.#started) this.#send({ kind: "bye", final: true });
		this.#closed = true;
		this.#started = false;
		this.#page.abort();
		clearTimeout(this.#helloTimer);
		for (const peer of this.#peers.values()) peer.close();
		this.#peers.clear();
		this.#media.close();
	}

	// --- finding each other ---

	/** @param {number} attempt */
	#hello(attempt) {
		const { replaces } = this.#options;
		this.#send({ kind: "hello", state: this.#state(), ...(replaces ? { replaces } : {}) });
		clearTimeout(this.#helloTimer);
		if (attempt >= helloPauses.length) return;
		this.#helloTimer = setTimeout(() => {
			if (this.#expected.size > 0) this.#hello(attempt + 1);
		}, helloPauses[attempt]);
	}

	/**
	 * @param {string} userId
	 * @param {string} clientId
	 * @param {any} data
	 */
	#onHello(userId, clientId, { replaces }) {
		if (typeof replaces === "string" && this.#peers.get(replaces)?.party.userId === userId) this.dropParty(userId, replaces);
		const known = this.#peers.get(clientId);
		if (known?.healthy) {
			this.#send({ kind: "welcome", to: clientId, state: this.#state() });
			return;
		}
		// A device that says hello again has lost the connection, or never had one.
		if (known) this.dropParty(userId, clientId);
		if (this.#offersTo(clientId)) this.#connect(userId, clientId)?.begin();
		this.#send({ kind: "welcome", to: clientId, state: this.#state() });
	}

	/**
	 * @param {string} userId
	 * @param {string} clientId
	 * @param {any} data
	 */
	#onDescription(userId, clientId, { session, re, description }) {
		if (typeof session !== "string" || (description?.type !== "offer" && description?.type !== "answer") || typeof description.sdp !== "string") return;
		let peer = this.#peers.get(clientId);
		if (peer?.remoteSession && peer.remoteSession !== session) {
			if (description.type !== "offer") return;
			// The other side began anew, so this connection is of no more use.
			this.dropParty(userId, clientId);
			peer = undefined;
		}
		if (!peer && description.type === "offer") peer = this.#connect(userId, clientId);
		if (!peer || (description.type === "answer" && re !== peer.session)) return;
		peer.remoteSession = session;
		peer.describe({ type: description.type, sdp: description.sdp });
	}

	/** @param {string} clientId */
	#offersTo(clientId) {
		return this.#options.clientId > clientId;
	}

	/**
	 * @param {string} userId
	 * @param {string} clientId
	 */
	#connect(userId, clientId) {
		if (this.#peers.size >= maxPeers) {
			this.#options.log.warn(`Too many devices in the call, ${userId} is not shown`);
			return undefined;
		}
		const peer = new Peer({
			clientId,
			userId,
			offers: this.#offersTo(clientId),
			iceServers: this.#iceServers,
			media: this.#media,
			send: (message) => this.#send({ ...message, to: clientId }),
			changed: () => {
				if (peer.healthy) this.#shareUpstream();
				this.#changed();
			},
			renewServers: () => this.#servers.get(),
			log: (text, error) => this.#options.log.prefix("peer")[error ? "warn" : "info"](text, error),
		});
		Object.assign(peer.party, this.#devices.get(clientId)?.state);
		this.#peers.set(clientId, peer);
		return peer;
	}

	// --- own and others' state ---

	#state() {
		const { sharesScreen: screen, picture } = this.#media;
		return { muted: this.muted || !this.hasAudio, cameraOff: picture === null, screen };
	}

	/**
	 * Remembers what a device said of itself, also before there is a peer.
	 *
	 * @param {string} clientId
	 * @param {any} data
	 */
	#note(clientId, { n, state }) {
		let said = this.#devices.get(clientId)?.state;
		if (state !== null && typeof state === "object") said = { muted: state.muted === true, cameraOff: state.cameraOff === true, screen: state.screen === true };
		this.#devices.delete(clientId);
		this.#devices.set(clientId, { n, state: said });
		if (this.#devices.size > maxDevices) {
			const [oldest] = this.#devices.keys();
			this.#devices.delete(oldest);
		}
		Object.assign(this.#peers.get(clientId)?.party ?? {}, said);
	}

	#mediaChanged() {
		for (const peer of this.#peers.values()) {
			peer.updateTracks().catch((error) => this.#options.log.warn("A track could not be changed", error));
		}
		const state = JSON.stringify(this.#state());
		if (this.#started && state !== this.#told) this.#send({ kind: "state", state: this.#state() });
		this.#told = state;
		this.#changed();
	}

	#shareUpstream() {
		const each = Math.floor(upstream / Math.max(1, this.#peers.size));
		for (const peer of this.#peers.values()) {
			if (peer.healthy) peer.limitVideo(each).catch(() => undefined); // an advice only
		}
	}

	/** @param {Record<string, any>} message */
	#send(message) {
		this.#options.send({ protocol, n: ++this.#count, ...message }).catch((error) => {
			if (!this.#closed) this.#options.log.warn(`A ${message.kind} was not sent`, error);
		});
	}

	#changed() {
		if (!this.#closed) this.dispatchEvent(new Event("change"));
	}
}
