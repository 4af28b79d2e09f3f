// @ts-check
/**
 * A meeting through the server's own browser API, external_api.js.
 *
 * @typedef {import("./frame.js").MeetingSettings} MeetingSettings
 *
 * @typedef {object} ExternalAPI the part of it that is used here
 * @property {(name: string, listener: (event: any) => void) => void} addListener
 * @property {(name: string, ...args: any[]) => void} executeCommand
 * @property {() => HTMLIFrameElement} getIFrame
 * @property {() => void} dispose
 */
import { configOf, dress } from "./frame.js";

/** How long the script may take, in ms. */
const patience = 15_000;
/** Needed by pages that require trusted types; the server names it too. */
const policyName = "webconferencing-jitsi";

/** @type {Map<string, Promise<void>>} scripts by address */
const loaded = new Map();
/** @type {{createScriptURL(url: string): any} | undefined} */
let policy;

/**
 * Loads the script once. Only addresses that a grant of the portal named get
 * here.
 *
 * @param {string} address
 * @returns {Promise<void>}
 */
function load(address) {
	const known = loaded.get(address);
	if (known) return known;
	const loading = new Promise((resolve, reject) => {
		const script = document.createElement("script");
		const fail = () => {
			loaded.delete(address); // the next call may have more luck
			script.remove();
			reject(new Error(`${address} could not be loaded`));
		};
		const timer = setTimeout(fail, patience);
		script.addEventListener("error", () => {
			clearTimeout(timer);
			fail();
		});
		script.addEventListener("load", () => {
			clearTimeout(timer);
			resolve(undefined);
		});
		script.src = trusted(address);
		document.head.append(script);
	});
	loaded.set(address, loading);
	return loading;
}

/**
 * @param {string} address
 * @returns {any}
 */
function trusted(address) {
	const { trustedTypes } = /** @type {{trustedTypes?: any}} */ (globalThis);
	if (!trustedTypes) return address;
	policy ??= trustedTypes.createPolicy(policyName, {
		/** @param {string} url */
		createScriptURL(url) {
			if (!new URL(url).pathname.endsWith("/external_api.js")) throw new TypeError("not a meeting server's script");
			return url;
		},
	});
	return policy?.createScriptURL(address);
}

/**
 * A meeting that tells what happens in it.
 */
export class ScriptedMeeting {
	/** @type {ExternalAPI} */
	#api;

	/**
	 * @param {HTMLElement} parent
	 * @param {MeetingSettings} settings
	 * @param {(name: string, event: any) => void} tell
	 * @returns {Promise<ScriptedMeeting>}
	 */
	static async open(parent, settings, tell) {
		await load(settings.script);
		return new ScriptedMeeting(parent, settings, tell);
	}

	/**
	 * @param {HTMLElement} parent
	 * @param {MeetingSettings} settings
	 * @param {(name: string, event: any) => void} tell
	 */
	constructor(parent, settings, tell) {
		const { JitsiMeetExternalAPI } = /** @type {{JitsiMeetExternalAPI?: new (domain: string, options: Record<string, any>) => ExternalAPI}} */ (globalThis);
		if (!JitsiMeetExternalAPI) throw new Error(`${settings.script} brings no browser API`);
		parent.replaceChildren();
		this.#api = new JitsiMeetExternalAPI(settings.domain, {
			roomName: settings.room,
			parentNode: parent,
			width: "100%",
			height: "100%",
			configOverwrite: configOf(settings),
			...(settings.token ? { jwt: settings.token } : {}),
			...(settings.lang ? { lang: settings.lang } : {}),
			...(settings.name ? { userInfo: { displayName: settings.name } } : {}),
			...(settings.noSSL ? { noSSL: true } : {}),
		});
		dress(this.#api.getIFrame(), settings);
		for (const name of events) this.#api.addListener(name, (event) => tell(name, event ?? {}));
	}

	/** @param {string} command */
	execute(command) {
		this.#api.executeCommand(command);
	}

	close() {
		this.#api.executeCommand("hangup");
		this.#api.dispose();
	}
}

/** What a session wants to hear of. */
const events = [
	"videoConferenceJoined", "videoConferenceLeft", "readyToClose", "participantKickedOut", "errorOccurred", "suspendDetected",
	"audioMuteStatusChanged", "videoMuteStatusChanged", "screenSharingStatusChanged", "participantJoined", "participantLeft",
];
