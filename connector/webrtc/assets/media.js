// @ts-check
/**
 * Camera, microphone and screen of this device.
 *
 * @typedef {import("../../../httpapi/webclient/assets/types.js").MediaProblem} MediaProblem
 * @typedef {import("./devices.js").Kind} Kind
 */
import { Devices } from "./devices.js";

const audioWish = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
const videoWish = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 }, facingMode: "user" };
const screenWish = { frameRate: { ideal: 15, max: 30 } };

/**
 * Holds the local tracks. Dispatches `change` when one came or went.
 */
export class LocalMedia extends EventTarget {
	/** @type {MediaProblem} */
	problem = "";
	muted = false;
	cameraOff = false;
	/** There is a microphone, or a camera (perhaps switched off). */
	hasAudio = false;
	hasVideo = false;
	/** What the page shows of oneself. */
	stream = new MediaStream();
	devices = new Devices();
	/** @type {MediaStreamTrack | null} the screen, while it is shared */
	#screen = null;
	#closed = false;
	#life = new AbortController();

	constructor() {
		super();
		navigator.mediaDevices?.addEventListener?.("devicechange", () => void this.#look(), { signal: this.#life.signal });
	}

	get audio() {
		return this.stream.getAudioTracks()[0] ?? null;
	}

	get video() {
		return this.stream.getVideoTracks()[0] ?? null;
	}

	/** What the others see: the screen if it is shared, else the camera. */
	get picture() {
		return this.#screen ?? this.video;
	}

	get sharesScreen() {
		return this.#screen !== null;
	}

	/** Asks for what is missing; never rejects, see problem. */
	async acquire() {
		const { mediaDevices } = navigator;
		if (!mediaDevices?.getUserMedia) {
			this.problem = globalThis.isSecureContext ? "missing" : "insecure";
			this.#changed();
			return;
		}
		const wantVideo = !this.video && !this.cameraOff;
		const wantAudio = !this.audio;
		if (this.cameraOff) this.hasVideo = true;
		/** @type {MediaProblem} */
		let problem = "";
		for (const constraints of attempts(wantAudio && this.#wish("audioinput"), wantVideo && this.#wish("videoinput"))) {
			try {
				this.#take(await mediaDevices.getUserMedia(constraints));
				break;
			} catch (error) {
				problem ||= problemOf(error);
				// Asking again after a refusal helps only if one of both is allowed.
				if (problem === "denied" && !(await anyAllowed())) break;
			}
		}
		this.problem = this.audio || this.video ? "" : problem;
		this.#changed();
		await this.#look();
	}

	/**
	 * Uses another device from now on. The old one stays if the new one can't
	 * be had.
	 *
	 * @param {Kind} kind
	 * @param {string} id
	 */
	async choose(kind, id) {
		const before = this.devices.chosen(kind);
		this.devices.choose(kind, id);
		const audio = kind === "audioinput";
		if (kind !== "audiooutput" && (audio || !this.cameraOff)) {
			const wish = { ...(audio ? audioWish : videoWish), deviceId: { exact: id } };
			try {
				const stream = await navigator.mediaDevices.getUserMedia(audio ? { audio: wish } : { video: wish });
				this.#release(audio ? this.audio : this.video);
				this.#take(stream);
				this.problem = "";
			} catch {
				this.devices.choose(kind, before);
			}
		}
		await this.#look();
		this.#changed();
	}

	/**
	 * Shows the others the screen, a window or a tab, whichever the user picks.
	 * Picking none is no error.
	 *
	 * @param {boolean} on
	 */
	async setScreen(on) {
		if (!on) {
			this.#endScreen();
			return;
		}
		if (this.#screen) return;
		let stream;
		try {
			stream = await navigator.mediaDevices.getDisplayMedia({ video: screenWish, audio: false });
		} catch {
			return;
		}
		const [track] = stream.getVideoTracks();
		if (this.#closed || this.#screen) {
			track.stop();
			return;
		}
		track.contentHint = "detail";
		// The browser has a button of its own that ends it.
		track.addEventListener("ended", () => this.#endScreen());
		this.#screen = track;
		this.#changed();
	}

	#endScreen() {
		if (!this.#screen) return;
		this.#screen.stop();
		this.#screen = null;
		this.#changed();
	}

	/** @param {boolean} muted */
	setMuted(muted) {
		this.muted = muted;
		if (this.audio) this.audio.enabled = !muted;
		this.#changed();
	}

	/**
	 * Switching the camera off lets go of it, so that its light goes out.
	 *
	 * @param {boolean} off
	 */
	async setCameraOff(off) {
		if (this.cameraOff === off) return;
		this.cameraOff = off;
		if (off) {
			this.#release(this.video);
			this.#changed();
			return;
		}
		this.#changed();
		try {
			this.#take(await navigator.mediaDevices.getUserMedia({ video: this.#wish("videoinput") }).catch(() => navigator.mediaDevices.getUserMedia({ video: true })));
		} catch (error) {
			this.cameraOff = true;
			if (problemOf(error) === "missing") this.hasVideo = false;
		}
		this.#changed();
	}

	close() {
		this.#closed = true;
		this.#life.abort();
		this.#screen?.stop();
		this.#screen = null;
		for (const track of this.stream.getTracks()) this.#release(track);
	}

	/** @param {MediaStream} stream */
	#take(stream) {
		for (const track of stream.getTracks()) {
			const had = track.kind === "audio" ? this.audio : this.video;
			if (this.#closed || had || (track.kind === "video" && this.cameraOff)) {
				track.stop();
				continue;
			}
			if (track.kind === "audio") {
				this.hasAudio = true;
				track.enabled = !this.muted;
			} else this.hasVideo = true;
			track.addEventListener("ended", () => this.#unplugged(track));
			this.stream.addTrack(track);
		}
	}

	/** @param {MediaStreamTrack} track */
	#unplugged(track) {
		this.#release(track);
		if (track.kind === "audio") this.hasAudio = false;
		else this.hasVideo = false;
		this.#changed();
		void this.acquire(); // there may be another one
	}

	/** Learns which devices there are. */
	async #look() {
		await this.devices.refresh({
			audioinput: this.audio?.getSettings().deviceId,
			videoinput: this.video?.getSettings().deviceId,
		});
		this.#changed();
	}

	/**
	 * @param {"audioinput" | "videoinput"} kind
	 * @returns {MediaTrackConstraints}
	 */
	#wish(kind) {
		const wish = kind === "audioinput" ? audioWish : videoWish;
		const id = this.devices.chosen(kind);
		return id ? { ...wish, deviceId: { exact: id } } : wish;
	}

	/** @param {MediaStreamTrack | null} track */
	#release(track) {
		if (!track) return;
		track.stop();
		this.stream.removeTrack(track);
	}

	#changed() {
		if (!this.#closed) this.dispatchEvent(new Event("change"));
	}
}

/**
 * What to ask for, in the order of preference; a chosen device may be gone.
 *
 * @param {MediaTrackConstraints | false} audio
 * @param {MediaTrackConstraints | false} video
 * @returns {MediaStreamConstraints[]}
 */
function attempts(audio, video) {
	if (audio && video) return [{ audio, video }, { audio: true, video: true }, { audio: true }, { video: true }];
	if (audio) return [{ audio }, { audio: true }];
	if (video) return [{ video }, { video: true }];
	return [];
}

/**
 * @param {any} error
 * @returns {MediaProblem}
 */
function problemOf(error) {
	switch (error?.name) {
		case "NotAllowedError":
		case "SecurityError":
			return "denied";
		case "NotReadableError":
		case "AbortError":
			return "busy";
		default:
			return "missing";
	}
}

/** Whether the browser would give at least the camera or the microphone. */
async function anyAllowed() {
	try {
		const names = /** @type {PermissionName[]} */ (["microphone", "camera"]);
		const states = await Promise.all(names.map((name) => navigator.permissions.query({ name })));
		return states.some((s) => s.state === "granted");
	} catch {
		return false;
	}
}
