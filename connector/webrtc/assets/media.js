// @ts-check
/**
 * Camera and microphone of this device.
 *
 * @typedef {import("../../../httpapi/webclient/assets/types.js").MediaProblem} MediaProblem
 */

const audioWish = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
const videoWish = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 }, facingMode: "user" };

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
	#closed = false;

	get audio() {
		return this.stream.getAudioTracks()[0] ?? null;
	}

	get video() {
		return this.stream.getVideoTracks()[0] ?? null;
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
		for (const constraints of attempts(wantAudio, wantVideo)) {
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
			this.#take(await navigator.mediaDevices.getUserMedia({ video: videoWish }));
		} catch (error) {
			this.cameraOff = true;
			if (problemOf(error) === "missing") this.hasVideo = false;
		}
		this.#changed();
	}

	close() {
		this.#closed = true;
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
 * What to ask for, in the order of preference.
 *
 * @param {boolean} audio
 * @param {boolean} video
 * @returns {MediaStreamConstraints[]}
 */
function attempts(audio, video) {
	if (audio && video) return [{ audio: audioWish, video: videoWish }, { audio: true, video: true }, { audio: audioWish }, { video: videoWish }];
	if (audio) return [{ audio: audioWish }];
	if (video) return [{ video: videoWish }];
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
