// @ts-check
/**
 * A meeting in a plain frame: nothing but the frame itself is known of it.
 *
 * @typedef {object} MeetingSettings what the server's grant says
 * @property {string} origin
 * @property {string} domain
 * @property {boolean} noSSL
 * @property {string} script
 * @property {string} room
 * @property {"script" | "frame"} embed
 * @property {boolean} prejoin
 * @property {string} subject
 * @property {string} name
 * @property {string} lang
 * @property {string} token
 * @property {boolean} muted
 * @property {boolean} cameraOff
 */

const permissions = ["autoplay", "camera", "clipboard-write", "display-capture", "fullscreen", "microphone", "screen-wake-lock", "speaker-selection"];
// All that a meeting needs; above all, it can't send the portal elsewhere.
const sandbox = ["allow-downloads", "allow-forms", "allow-modals", "allow-popups", "allow-popups-to-escape-sandbox", "allow-same-origin", "allow-scripts"];

/**
 * The meeting's configuration, by the names that the server knows.
 *
 * @param {MeetingSettings} settings
 * @returns {Record<string, any>}
 */
export function configOf({ prejoin, subject, lang, muted, cameraOff }) {
	return {
		prejoinConfig: { enabled: prejoin },
		startWithAudioMuted: muted,
		startWithVideoMuted: cameraOff,
		disableDeepLinking: true, // the portal is where people want to stay
		...(subject ? { subject } : {}),
		...(lang ? { defaultLanguage: lang } : {}),
	};
}

/** A meeting without a script of the server in the page. */
export class PlainMeeting {
	#frame = document.createElement("iframe");

	/**
	 * @param {HTMLElement} parent
	 * @param {MeetingSettings} settings
	 */
	constructor(parent, settings) {
		const url = new URL(settings.room, `${settings.origin}/`);
		if (url.origin !== settings.origin) throw new Error("the meeting is not at its server");
		if (settings.token) url.searchParams.set("jwt", settings.token);
		const fragment = Object.entries(configOf(settings)).map(([key, value]) => `config.${key}=${encodeURIComponent(JSON.stringify(value))}`);
		if (settings.name) fragment.push(`userInfo.displayName=${encodeURIComponent(JSON.stringify(settings.name))}`);
		url.hash = fragment.join("&");
		this.#frame.allow = permissions.join("; ");
		this.#frame.setAttribute("sandbox", sandbox.join(" "));
		this.#frame.referrerPolicy = "origin";
		this.#frame.src = url.href;
		dress(this.#frame, settings);
		parent.replaceChildren(this.#frame);
	}

	close() {
		this.#frame.remove();
	}
}

/**
 * @param {HTMLIFrameElement} frame
 * @param {MeetingSettings} settings
 */
export function dress(frame, { subject }) {
	frame.title = subject || "Jitsi Meet";
	Object.assign(frame.style, { border: "0", display: "block", inlineSize: "100%", blockSize: "100%" });
}
