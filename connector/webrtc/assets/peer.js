// @ts-check
/**
 * The connection to one remote device.
 *
 * Of two devices the one with the greater client id makes all offers, so that
 * offers never cross; the other one asks for a new offer when it needs one. The
 * first offer lays down one audio and one video line for both directions. Tracks
 * are put in and taken out of these lines without negotiating again.
 *
 * @typedef {import("../../../httpapi/webclient/assets/types.js").RemoteParty} RemoteParty
 * @typedef {import("./media.js").LocalMedia} LocalMedia
 *
 * @typedef {object} PeerOptions
 * @property {string} clientId of the remote device
 * @property {string} userId
 * @property {boolean} offers this side makes the offers
 * @property {RTCIceServer[]} iceServers
 * @property {LocalMedia} media
 * @property {(message: Record<string, any>) => void} send to the remote device
 * @property {() => void} changed
 * @property {() => Promise<RTCIceServer[]>} renewServers
 * @property {(text: string, error?: any) => void} log
 */

/** Candidates found within this time travel together, in ms. */
const candidateDelay = 40;
/** A connection that is down this long is repaired, in ms. */
const patience = 3000;
/** Pause between attempts to repair, in ms. */
const repairPause = 8000;
/** Requests for an offer that come faster are one, in ms. */
const restartPause = 1000;
const maxBuffered = 200;

export class Peer {
	/** Names this connection, so that answers to an earlier one are recognised. */
	session = crypto.randomUUID();
	/** The other side's name of it, "" until its first description. */
	remoteSession = "";
	/** @type {RemoteParty} */
	party;
	#options;
	#pc;
	#started = false;
	/** @type {RTCIceCandidateInit[]} that came before the description */
	#early = [];
	/** @type {RTCIceCandidateInit[]} waiting to be sent */
	#found = [];
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	#foundTimer;
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	#repairTimer;
	#lastRepair = 0;
	#closed = false;
	/** Work on descriptions is done one by one. */
	#work = Promise.resolve();

	/** @param {PeerOptions} options */
	constructor(options) {
		this.#options = options;
		const { clientId, userId } = options;
		this.party = { clientId, userId, stream: new MediaStream(), state: "connecting", muted: false, cameraOff: false, screen: false };
		const pc = new RTCPeerConnection({ iceServers: options.iceServers, bundlePolicy: "max-bundle" });
		this.#pc = pc;
		pc.addEventListener("negotiationneeded", () => {
			if (this.#started) this.#later(() => this.#negotiate());
		});
		pc.addEventListener("icecandidate", ({ candidate }) => {
			if (candidate) this.#collect(candidate.toJSON());
		});
		pc.addEventListener("track", ({ track }) => {
			this.party.stream?.addTrack(track);
			options.changed();
		});
		pc.addEventListener("connectionstatechange", () => this.#connectionChanged());
	}

	/** Whether the media gets through now. */
	get healthy() {
		return this.#pc.connectionState === "connected";
	}

	/** Makes the first offer. */
	begin() {
		this.#started = true;
		const { audio, picture } = this.#options.media;
		this.#pc.addTransceiver(audio ?? "audio", { direction: "sendrecv" });
		this.#pc.addTransceiver(picture ?? "video", { direction: "sendrecv" });
	}

	/**
	 * @param {RTCSessionDescriptionInit} description
	 */
	describe(description) {
		this.#later(() => this.#accept(description));
	}

	/** @param {any} candidates */
	addCandidates(candidates) {
		if (!Array.isArray(candidates)) return;
		this.#later(async () => {
			for (const candidate of candidates.slice(0, maxBuffered)) await this.#addCandidate(candidate);
		});
	}

	/** Puts the present local tracks into the lines. */
	async updateTracks() {
		const { audio, picture } = this.#options.media;
		for (const { sender, receiver } of this.#pc.getTransceivers()) {
			const track = receiver.track.kind === "audio" ? audio : picture;
			if (sender.track !== track) await sender.replaceTrack(track);
		}
	}

	/**
	 * Limits what one of several connections takes of the line.
	 *
	 * @param {number} bitsPerSecond
	 */
	async limitVideo(bitsPerSecond) {
		for (const { sender, receiver } of this.#pc.getTransceivers()) {
			if (receiver.track.kind !== "video") continue;
			const parameters = sender.getParameters();
			if (!parameters.encodings?.length || parameters.encodings[0].maxBitrate === bitsPerSecond) continue;
			parameters.encodings[0].maxBitrate = bitsPerSecond;
			await sender.setParameters(parameters);
		}
	}

	/** Repairs the connection if it is down. */
	refresh() {
		const { connectionState } = this.#pc;
		if (connectionState === "disconnected" || connectionState === "failed") this.#repair(0);
	}

	/** The remote device asks for a new offer: its side of the connection is down. */
	restart() {
		if (this.#options.offers && Date.now() - this.#lastRepair > restartPause) void this.#restart();
	}

	close() {
		this.#closed = true;
		clearTimeout(this.#foundTimer);
		clearTimeout(this.#repairTimer);
		this.#pc.close();
	}

	// --- negotiation ---

	/** @param {() => Promise<void>} step */
	#later(step) {
		this.#work = this.#work.then(async () => {
			if (this.#closed) return;
			try {
				await step();
			} catch (error) {
				if (!this.#closed) this.#options.log(`Negotiation with ${this.party.clientId} failed`, error);
			}
		});
	}

	async #negotiate() {
		if (!this.#options.offers) {
			this.#options.send({ kind: "restart", session: this.session });
			return;
		}
		// An answer is on its way; the browser asks again when it is there.
		if (this.#pc.signalingState !== "stable") return;
		await this.#pc.setLocalDescription();
		this.#sendDescription();
	}

	/** @param {RTCSessionDescriptionInit} description */
	async #accept(description) {
		const pc = this.#pc;
		const isOffer = description.type === "offer";
		if (isOffer === this.#options.offers) return; // offers what is ours to offer, or answers what was not asked
		if (!isOffer && pc.signalingState !== "have-local-offer") return;
		await pc.setRemoteDescription(description);
		for (const candidate of this.#early.splice(0)) await this.#addCandidate(candidate);
		if (!isOffer) return;
		if (!this.#started) {
			this.#started = true;
			for (const transceiver of pc.getTransceivers()) transceiver.direction = "sendrecv";
			await this.updateTracks();
		}
		await pc.setLocalDescription();
		this.#sendDescription();
	}

	#sendDescription() {
		const description = this.#pc.localDescription;
		if (description) this.#options.send({ kind: "description", session: this.session, re: this.remoteSession, description: { type: description.type, sdp: description.sdp } });
	}

	/** @param {RTCIceCandidateInit} candidate */
	async #addCandidate(candidate) {
		if (!this.#pc.remoteDescription) {
			if (this.#early.length < maxBuffered) this.#early.push(candidate);
			return;
		}
		try {
			await this.#pc.addIceCandidate(candidate);
		} catch (error) {
			this.#options.log("A candidate was refused", error);
		}
	}

	/** @param {RTCIceCandidateInit} candidate */
	#collect(candidate) {
		this.#found.push(candidate);
		this.#foundTimer ??= setTimeout(() => {
			this.#foundTimer = undefined;
			this.#options.send({ kind: "candidates", session: this.session, candidates: this.#found.splice(0) });
		}, candidateDelay);
	}

	// --- repair ---

	#connectionChanged() {
		const { connectionState } = this.#pc;
		clearTimeout(this.#repairTimer);
		if (connectionState === "connected") {
			this.party.state = "connected";
		} else if (connectionState === "disconnected" || connectionState === "failed") {
			this.party.state = "reconnecting";
			this.#repair(connectionState === "failed" ? 0 : patience);
		}
		this.#options.log(`Connection to ${this.party.clientId} is ${connectionState}`);
		this.#options.changed();
	}

	/** @param {number} delay */
	#repair(delay) {
		clearTimeout(this.#repairTimer);
		const wait = Math.max(delay, this.#lastRepair + repairPause - Date.now(), 0);
		this.#repairTimer = setTimeout(async () => {
			if (this.#closed || this.healthy) return;
			await this.#restart();
			this.#repair(repairPause);
		}, wait);
	}

	async #restart() {
		this.#lastRepair = Date.now();
		const iceServers = await this.#options.renewServers();
		if (this.#closed) return;
		this.#pc.setConfiguration({ ...this.#pc.getConfiguration(), iceServers });
		this.#pc.restartIce();
	}
}
