// @ts-check
import { BaseElement } from "./base-element.js";
import { arrange, avatar, element, icon, safeURL, setText } from "./dom.js";
import { viewStyles } from "./styles.js";

/**
 * @typedef {import("./types.js").CurrentCall} CurrentCall
 * @typedef {import("./types.js").RemoteParty} RemoteParty
 */

/** `<wc-call-view>`: the call that the page is in, with its controls. */
export class CallView extends BaseElement {
	#title = element("h2");
	#status = element("p", { class: "status", role: "status" });
	#time = element("time");
	#enlarge = element("button", { type: "button", class: "corner", "aria-pressed": "false" }, icon("enlarge"));
	#remotes = element("div", { class: "remotes" });
	#self = element("div", { class: "self" });
	#selfVideo = element("video", { autoplay: true, playsinline: true, muted: true });
	#stage = element("div", { class: "stage" }, this.#remotes, this.#self);
	#noticeText = element("span");
	#retry = element("button", { type: "button" });
	#notice = element("div", { class: "notice", role: "alert", hidden: true }, this.#noticeText, this.#retry);
	#sound = element("button", { type: "button", hidden: true });
	#mute = element("button", { type: "button", "aria-pressed": "false" });
	#camera = element("button", { type: "button", "aria-pressed": "true" });
	#hangUp = element("button", { type: "button", class: "danger" });
	#link = element("a", { target: "_blank", rel: "noopener noreferrer", hidden: true });
	#controls = element("div", { class: "controls" }, this.#link, this.#sound, this.#mute, this.#camera, this.#hangUp);
	#section = element("section", { tabindex: "-1" });
	/** @type {Map<string, Party>} by client id */
	#parties = new Map();
	/** @type {ReturnType<typeof setInterval> | undefined} */
	#clock;

	constructor() {
		super(viewStyles);
		this.#selfVideo.muted = true;
		this.#section.append(
			element("header", {}, element("div", { class: "who" }, this.#title, this.#status), this.#time, this.#enlarge),
			this.#stage,
			this.#notice,
			this.#controls,
		);
		this.root.append(this.#section);
		this.#enlarge.addEventListener("click", () => {
			this.#enlarge.setAttribute("aria-pressed", String(this.toggleAttribute("enlarged")));
		});
		this.#mute.addEventListener("click", () => this.#withSession((session) => this.app?.calls.setMuted(!session.muted)));
		this.#camera.addEventListener("click", () => this.#withSession((session) => this.app?.calls.setCameraOff(!session.cameraOff)));
		this.#hangUp.addEventListener("click", () => void this.app?.calls.hangUp());
		this.#retry.addEventListener("click", () => void this.app?.calls.retryMedia());
		this.#sound.addEventListener("click", () => {
			this.#sound.hidden = true;
			for (const party of this.#parties.values()) party.play();
		});
	}

	/**
	 * Without a call the view has no size but stays there, because screen
	 * readers speak only what changes in a live region that they know.
	 */
	detached() {
		clearInterval(this.#clock);
		this.#clock = undefined;
		this.#clearStage();
		this.toggleAttribute("idle", true);
		this.#section.removeAttribute("aria-label");
		for (const text of [this.#title, this.#status]) setText(text, "");
		for (const part of [this.#title, this.#time, this.#enlarge, this.#stage, this.#notice, this.#controls]) part.hidden = true;
	}

	#appear() {
		this.#title.hidden = false;
		// Whoever accepted by keyboard goes on here; nobody else's focus moves.
		requestAnimationFrame(() => {
			const { activeElement } = document;
			if (!this.#title.hidden && (activeElement === null || activeElement === document.body)) this.#section.focus({ preventScroll: true });
		});
	}

	/** @param {(session: import("./types.js").MediaSession) => void} run */
	#withSession(run) {
		const session = this.app?.calls.current?.session;
		if (session) run(session);
	}

	/** @param {import("./base-element.js").App} app */
	render({ wc, calls }) {
		const { current } = calls;
		if (!current) {
			this.detached();
			return;
		}
		this.removeAttribute("idle");
		if (this.#title.hidden) this.#appear();
		const over = current.phase === "ended";
		this.#section.setAttribute("aria-label", this.text("call.region", { name: current.title }));
		setText(this.#title, current.title);
		setText(this.#status, this.#statusOf(current, wc.connection));
		this.#enlarge.setAttribute("aria-label", this.text("call.enlarge"));
		this.#enlarge.hidden = over;
		this.#renderTime(current);
		this.#renderStage(current);
		this.#renderNotice(current);
		this.#renderControls(current);
		if (over && this.hasAttribute("enlarged")) this.#enlarge.click();
	}

	/**
	 * @param {CurrentCall} current
	 * @param {string} connection
	 */
	#statusOf(current, connection) {
		if (current.phase === "ended") return current.status;
		if (connection === "refused") return this.text("error.offline"); // and it stays so
		if (connection !== "connected") return this.text("status.offline");
		const lost = current.session?.remotes.find((r) => r.state === "reconnecting");
		if (lost) return this.text("status.reconnecting", { name: current.names.get(lost.userId) ?? lost.userId });
		return current.status;
	}

	/** @param {CurrentCall} current */
	#renderTime(current) {
		const running = current.phase === "active";
		this.#time.hidden = current.since === 0;
		if (!running) {
			clearInterval(this.#clock);
			this.#clock = undefined;
			return;
		}
		const show = () => setText(this.#time, duration(Date.now() - current.since));
		show();
		clearInterval(this.#clock);
		this.#clock = setInterval(show, 1000);
	}

	/** @param {CurrentCall} current */
	#renderStage(current) {
		const { session } = current;
		this.#stage.hidden = session === null;
		if (!session) {
			this.#clearStage();
			return;
		}
		for (const id of this.#parties.keys()) {
			if (!session.remotes.some((r) => r.clientId === id)) this.#parties.delete(id);
		}
		session.remotes.forEach((remote, index) => {
			const name = current.names.get(remote.userId) ?? remote.userId;
			let party = this.#parties.get(remote.clientId);
			if (!party) {
				party = new Party(name, current.pictures.get(remote.userId) ?? "", () => {
					this.#sound.hidden = false;
				});
				this.#parties.set(remote.clientId, party);
			}
			const label = index === 0 ? this.text("call.remoteVideo") : this.text("call.remoteVideoOf", { name });
			party.update(remote, { label, name: remote.muted ? this.text("call.muted", { name }) : name });
		});
		const order = session.remotes.map((r) => this.#parties.get(r.clientId)?.box).filter((box) => box !== undefined);
		arrange(this.#remotes, order);
		this.#remotes.dataset.count = String(order.length);

		arrange(this.#self, [this.#selfVideo]);
		this.#selfVideo.setAttribute("aria-label", this.text("call.localVideo"));
		attach(this.#selfVideo, session.local);
		this.#self.toggleAttribute("data-alone", order.length === 0);
		this.#self.toggleAttribute("data-dark", session.cameraOff || !session.hasVideo);
	}

	#clearStage() {
		for (const party of this.#parties.values()) attach(party.video, null);
		this.#parties.clear();
		this.#remotes.replaceChildren();
		attach(this.#selfVideo, null);
		this.#selfVideo.remove();
		this.#sound.hidden = true;
	}

	/** @param {CurrentCall} current */
	#renderNotice({ session, phase }) {
		let key = "";
		if (session && phase !== "ended") {
			if (session.problem) key = session.problem;
			else if (session.hasAudio && !session.hasVideo) key = "noCamera";
			else if (session.hasVideo && !session.hasAudio) key = "noMicrophone";
		}
		this.#notice.hidden = key === "";
		setText(this.#noticeText, key ? this.text(`media.${key}`) : "");
		setText(this.#retry, this.text("media.retry"));
	}

	/** @param {CurrentCall} current */
	#renderControls({ session, phase, url }) {
		const over = phase === "ended";
		this.#controls.hidden = over;
		const muted = session?.muted ?? false;
		const cameraOff = session?.cameraOff ?? false;
		face(this.#mute, muted ? "micOff" : "mic", this.text("call.mute"));
		this.#mute.setAttribute("aria-pressed", String(muted));
		this.#mute.toggleAttribute("data-off", muted);
		this.#mute.hidden = !session?.hasAudio;
		face(this.#camera, cameraOff ? "cameraOff" : "camera", this.text("call.camera"));
		this.#camera.setAttribute("aria-pressed", String(!cameraOff));
		this.#camera.toggleAttribute("data-off", cameraOff);
		this.#camera.hidden = !session?.hasVideo;
		face(this.#hangUp, "hangUp", this.text("call.hangUp"));
		setText(this.#sound, this.text("call.playSound"));
		const address = safeURL(url);
		this.#link.hidden = address === null;
		if (address) this.#link.href = address;
		setText(this.#link, this.text("call.openLink"));
	}
}

/** One remote device on the stage. */
class Party {
	video = element("video", { autoplay: true, playsinline: true });
	#name = element("span", { class: "name" });
	#silenced;

	/**
	 * @param {string} name
	 * @param {string} picture
	 * @param {() => void} silenced called when the browser wants a click first
	 */
	constructor(name, picture, silenced) {
		this.#silenced = silenced;
		this.box = element("div", { class: "party" }, avatar(name, picture), this.video, this.#name);
	}

	/**
	 * @param {RemoteParty} remote
	 * @param {{label: string, name: string}} texts
	 */
	update(remote, { label, name }) {
		this.video.setAttribute("aria-label", label);
		setText(this.#name, name);
		const picture = !remote.cameraOff && (remote.stream?.getVideoTracks().length ?? 0) > 0;
		this.box.toggleAttribute("data-picture", picture);
		if (attach(this.video, remote.stream)) this.play();
	}

	play() {
		this.video.play().catch((error) => {
			if (error.name === "NotAllowedError") this.#silenced();
		});
	}
}

/**
 * @param {HTMLVideoElement} video
 * @param {MediaStream | null} stream
 * @returns {boolean} whether it is another one than before
 */
function attach(video, stream) {
	if (video.srcObject === stream) return false;
	video.srcObject = stream;
	return stream !== null;
}

/**
 * @param {HTMLButtonElement} button
 * @param {string} picture
 * @param {string} text
 */
function face(button, picture, text) {
	const key = `${picture} ${text}`;
	if (button.dataset.face === key) return;
	button.dataset.face = key;
	button.replaceChildren(icon(picture), text);
}

/** @param {number} ms */
function duration(ms) {
	const seconds = Math.max(0, Math.floor(ms / 1000));
	const parts = [Math.floor(seconds / 60) % 60, seconds % 60];
	if (seconds >= 3600) parts.unshift(Math.floor(seconds / 3600));
	return parts.map((n, i) => (i === 0 ? String(n) : String(n).padStart(2, "0"))).join(":");
}
