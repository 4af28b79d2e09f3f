// @ts-check
/**
 * A call's meeting on this device. Camera, microphone and the others' pictures
 * are the meeting's own affair, inside of its frame.
 *
 * @typedef {import("../../../httpapi/webclient/assets/types.js").MediaSession} MediaSession
 * @typedef {import("../../../httpapi/webclient/assets/types.js").MediaProblem} MediaProblem
 * @typedef {import("../../../httpapi/webclient/assets/types.js").SessionOptions} SessionOptions
 * @typedef {import("../../../httpapi/webclient/assets/types.js").Call} Call
 * @typedef {import("../../../httpapi/webclient/assets/types.js").Grant} Grant
 * @typedef {import("./frame.js").MeetingSettings} MeetingSettings
 */
import { PlainMeeting } from "./frame.js";
import { ScriptedMeeting } from "./script.js";

/** A meeting that fails is opened again with a new token, but not at once again. */
const renewPause = 30_000;

/** @implements {MediaSession} */
export class MeetingSession extends EventTarget {
	#options;
	#lang;
	#renew;
	#view = document.createElement("div");
	/** @type {PlainMeeting | ScriptedMeeting | null} */
	#meeting = null;
	/** Address of the meeting that is open, or being opened. */
	#open = "";
	#joined = false;
	#closed = false;
	#renewed = -Infinity;
	#muted;
	#cameraOff;
	#sharing = false;

	/**
	 * @param {SessionOptions} options
	 * @param {{lang: string, renew: () => Promise<Grant | null>}} page
	 */
	constructor(options, { lang, renew }) {
		super();
		this.#options = options;
		this.#lang = lang;
		this.#renew = renew;
		this.#muted = options.muted ?? false;
		this.#cameraOff = options.cameraOff ?? false;
		Object.assign(this.#view.style, { inlineSize: "100%", blockSize: "100%" });
	}

	get view() {
		return this.#view;
	}

	get local() {
		return null;
	}

	/** @returns {import("../../../httpapi/webclient/assets/types.js").RemoteParty[]} */
	get remotes() {
		return [];
	}

	get muted() {
		return this.#muted;
	}

	get cameraOff() {
		return this.#cameraOff;
	}

	/** The page's own switches work once the meeting can be told of them. */
	get hasAudio() {
		return this.#joined && this.#meeting instanceof ScriptedMeeting;
	}

	get hasVideo() {
		return this.hasAudio;
	}

	/** Whether the screen is shared; a plain frame can't be told to. */
	get screen() {
		return this.hasVideo ? this.#sharing : undefined;
	}

	/** @param {boolean} on */
	async setScreen(on) {
		if (this.#sharing !== on) this.#execute("toggleShareScreen");
	}

	/** @returns {MediaProblem} */
	get problem() {
		return "";
	}

	/** The meeting asks for the devices. */
	async acquire() {}

	/** @param {Call} call */
	async start(call) {
		const { grant } = call;
		if (!grant?.url) throw new Error("the server named no meeting");
		// A seat that was taken again after a broken connection: the meeting
		// has its own connection, which may never have been away.
		if (this.#open === grant.url) return;
		await this.#enter(grant);
	}

	/** @param {Grant} grant */
	async #enter(grant) {
		this.#leave();
		const { url = "", token = "", settings = {} } = grant;
		const { user } = this.#options;
		/** @type {MeetingSettings} */
		const meeting = {
			...(/** @type {any} */ (settings)),
			name: settings.name ?? "",
			token,
			lang: this.#lang,
			muted: this.#muted,
			cameraOff: this.#cameraOff,
		};
		this.#open = url;
		const opened = await this.#openMeeting(meeting);
		if (this.#closed || this.#open !== url) {
			opened.close();
			return;
		}
		this.#meeting = opened;
		this.#options.log.info(`${user.id} enters the meeting`);
		this.#changed();
	}

	/**
	 * @param {MeetingSettings} settings
	 * @returns {Promise<PlainMeeting | ScriptedMeeting>}
	 */
	async #openMeeting(settings) {
		if (settings.embed === "script") {
			try {
				return await ScriptedMeeting.open(this.#view, settings, (name, event) => this.#onEvent(name, event));
			} catch (error) {
				// Better a meeting that says little than none.
				this.#options.log.warn("The meeting's script could not be used", error);
			}
		}
		return new PlainMeeting(this.#view, settings);
	}

	/**
	 * @param {string} name
	 * @param {any} event
	 */
	#onEvent(name, event) {
		if (this.#closed) return;
		switch (name) {
			case "videoConferenceJoined":
				this.#joined = true;
				break;
			case "videoConferenceLeft":
				this.#joined = false;
				break;
			case "readyToClose":
				this.#hangUp();
				break;
			case "participantKickedOut":
				if (event.kicked?.local === true) this.#hangUp();
				break;
			case "errorOccurred": {
				const fault = event.error ?? event; // versions differ
				this.#options.log.warn(`The meeting reports ${String(fault.name ?? "an error")}`);
				if (fault.isFatal === true) this.#comeBack();
				break;
			}
			case "suspendDetected":
				this.#comeBack();
				break;
			case "audioMuteStatusChanged":
				this.#muted = event.muted === true;
				break;
			case "videoMuteStatusChanged":
				this.#cameraOff = event.muted === true;
				break;
			case "screenSharingStatusChanged":
				this.#sharing = event.on === true;
				break;
			default:
		}
		this.#changed();
	}

	#hangUp() {
		this.dispatchEvent(new Event("hangup"));
	}

	/** Tokens are short-lived, so a device that lost its way needs a new one. */
	#comeBack() {
		const now = performance.now();
		if (now - this.#renewed < renewPause) return;
		this.#renewed = now;
		this.#renew()
			.then((grant) => (grant && !this.#closed ? this.#enter(grant) : undefined))
			.catch((error) => this.#options.log.warn("The meeting could not be entered again", error));
	}

	/** @param {boolean} muted */
	setMuted(muted) {
		if (this.#muted !== muted) this.#execute("toggleAudio");
	}

	/** @param {boolean} off */
	setCameraOff(off) {
		if (this.#cameraOff !== off) this.#execute("toggleVideo");
	}

	/** @param {string} command */
	#execute(command) {
		if (this.#meeting instanceof ScriptedMeeting) this.#meeting.execute(command);
	}

	/** Devices tell each other nothing outside of the meeting. */
	receive() {}

	/** The meeting shows by itself who is there. */
	dropParty() {}

	/** The meeting looks after its own connection. */
	refresh() {}

	#leave() {
		this.#meeting?.close();
		this.#meeting = null;
		this.#open = "";
		this.#joined = false;
	}

	close() {
		if (this.#closed) return;
		this.#closed = true;
		this.#leave();
		this.#view.replaceChildren();
	}

	#changed() {
		if (!this.#closed) this.dispatchEvent(new Event("change"));
	}
}
