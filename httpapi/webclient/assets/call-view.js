// @ts-check
import { BaseElement } from "./base-element.js";
import { DeviceMenu } from "./call-devices.js";
import { Clock, arrange, avatar, element, focusedElement, icon, safeURL, setText } from "./dom.js";
import { problemOf } from "./problems.js";
import { deviceStyles } from "./styles-devices.js";
import { viewStyles } from "./styles.js";

/**
 * @typedef {import("./types.js").CurrentCall} CurrentCall
 * @typedef {import("./types.js").RemoteParty} RemoteParty
 */

/**
 * `<wc-call-view>`: the call that the page is in, with its controls. It floats
 * above the page, fills it, or is as small as a bar.
 */
export class CallView extends BaseElement {
	#title = element("h2");
	#status = element("p", { class: "status", role: "status" });
	#time = element("time");
	#clock = new Clock(this.#time);
	#minimise = element("button", { type: "button", class: "corner" }, icon("minimise"));
	#enlarge = element("button", { type: "button", class: "corner", "aria-pressed": "false" }, icon("enlarge"));
	#remotes = element("div", { class: "remotes" });
	#self = element("div", { class: "self" });
	#selfVideo = element("video", { autoplay: true, playsinline: true, muted: true });
	#embedded = element("div", { class: "embedded", hidden: true });
	#stage = element("div", { class: "stage" }, this.#remotes, this.#self, this.#embedded);
	#noticeTitle = element("strong");
	#noticeText = element("span");
	#remedy = element("button", { type: "button" });
	#notice = element("div", { class: "notice", role: "alert", hidden: true }, icon("warning"), element("div", { class: "words" }, this.#noticeTitle, this.#noticeText), this.#remedy);
	#again = element("div", { class: "again", hidden: true });
	#mute = element("button", { type: "button", "aria-pressed": "false" });
	#camera = element("button", { type: "button", "aria-pressed": "true" });
	#screen = element("button", { type: "button", class: "round", "aria-pressed": "false", hidden: true }, icon("screen"));
	#devices = new DeviceMenu();
	#hangUp = element("button", { type: "button", class: "danger" });
	#link = element("a", { target: "_blank", rel: "noopener noreferrer", hidden: true });
	#controls = element("div", { class: "controls" }, this.#link, this.#mute, this.#camera, this.#screen, this.#devices.button, this.#hangUp);
	#callAgain = element("button", { type: "button", class: "primary" }, icon("phone"), element("span"));
	#after = element("div", { class: "end-actions", hidden: true }, this.#callAgain);
	#section = element("section", { tabindex: "-1" });
	/** @type {Map<string, Party>} by client id */
	#parties = new Map();
	/** @type {() => void} what the button of the notice does */
	#relieve = () => undefined;
	/** @type {HTMLElement | null} had the focus before the view took it */
	#before = null;

	constructor() {
		super([...viewStyles, deviceStyles]);
		this.#selfVideo.muted = true;
		this.#section.append(
			element("header", {}, element("div", { class: "who" }, this.#title, this.#status), this.#time, this.#minimise, this.#enlarge),
			this.#stage,
			this.#notice,
			this.#again,
			this.#devices.panel,
			this.#controls,
			this.#after,
		);
		this.root.append(this.#section);
		this.#enlarge.addEventListener("click", () => {
			this.#enlarge.setAttribute("aria-pressed", String(this.toggleAttribute("enlarged")));
			if (this.hasAttribute("enlarged")) this.removeAttribute("minimised");
			this.plan();
		});
		this.#mute.addEventListener("click", () => this.#withSession((session) => this.app?.calls.setMuted(!session.muted)));
		this.#camera.addEventListener("click", () => this.#withSession((session) => this.app?.calls.setCameraOff(!session.cameraOff)));
		this.#devices.button.classList.add("round");
		this.#screen.addEventListener("click", () => this.#withSession((session) => void session.setScreen?.(!session.screen)));
		this.#hangUp.addEventListener("click", () => void this.app?.calls.hangUp());
		this.#minimise.addEventListener("click", () => {
			if (this.toggleAttribute("minimised") && this.hasAttribute("enlarged")) this.#enlarge.click();
			this.plan();
		});
		this.#remedy.addEventListener("click", () => this.#relieve());
		this.#callAgain.addEventListener("click", () => this.#startAgain());
	}

	/**
	 * Without a call the view has no size but stays there, because screen
	 * readers speak only what changes in a live region that they know.
	 */
	detached() {
		const focused = this.root.activeElement !== null;
		this.#clock.stop();
		this.#clearStage();
		this.toggleAttribute("idle", true);
		this.removeAttribute("minimised");
		this.removeAttribute("away");
		this.#section.removeAttribute("aria-label");
		for (const text of [this.#title, this.#status]) setText(text, "");
		for (const part of [this.#title, this.#time, this.#minimise, this.#enlarge, this.#stage, this.#notice, this.#again, this.#controls, this.#after]) part.hidden = true;
		this.#devices.update(null, (key) => this.text(key));
		if (focused && this.#before?.isConnected) this.#before.focus({ preventScroll: true });
		this.#before = null;
	}

	#appear() {
		this.#title.hidden = false;
		this.#before = focusedElement();
		// Whoever accepted by keyboard goes on here; nobody else's focus moves.
		requestAnimationFrame(() => {
			if (!this.#title.hidden && !focusedElement()) this.#section.focus({ preventScroll: true });
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
		const inControls = this.#controls.contains(this.root.activeElement);
		this.#section.setAttribute("aria-label", this.text("call.region", { name: current.title }));
		setText(this.#title, current.title);
		setText(this.#status, this.#statusOf(current, wc.connection));
		this.#renderCorners(over);
		this.#clock[current.phase === "active" ? "start" : "stop"](current.since);
		this.#time.hidden = current.since === 0;
		this.#renderStage(current);
		this.#renderNotice(current);
		this.#renderAgain(current);
		this.#renderControls(current);
		this.#renderAfter(current);
		if (over && this.hasAttribute("enlarged")) this.#enlarge.click();
		// The buttons are gone: the focus stays in the view, on what one may do next.
		if (over && inControls) (this.#after.hidden ? this.#section : this.#callAgain).focus({ preventScroll: true });
	}

	/** @param {boolean} over */
	#renderCorners(over) {
		const small = this.hasAttribute("minimised");
		const words = this.text(small ? "call.restore" : "call.minimise");
		this.#minimise.setAttribute("aria-label", words);
		this.#minimise.title = words;
		if (this.#minimise.dataset.small !== String(small)) {
			this.#minimise.dataset.small = String(small);
			this.#minimise.replaceChildren(icon(small ? "restore" : "minimise"));
		}
		this.#minimise.hidden = over || this.hasAttribute("enlarged");
		this.#enlarge.setAttribute("aria-label", this.text("call.enlarge"));
		this.#enlarge.title = this.text("call.enlarge");
		this.#enlarge.hidden = over;
	}

	/**
	 * @param {CurrentCall} current
	 * @param {string} connection
	 */
	#statusOf(current, connection) {
		if (current.phase === "ended") return current.status;
		if (connection === "refused") return this.text("error.offline"); // and it stays so
		if (connection !== "connected") return this.text("status.offline");
		if (current.phase === "ringing" && (current.ringing ?? 0) > 0) return this.text("status.ringingOn", { count: current.ringing });
		const lost = current.session?.remotes.find((r) => r.state === "reconnecting");
		if (lost) return this.text("status.reconnecting", { name: current.names.get(lost.userId) ?? lost.userId });
		return current.status;
	}

	/** @param {CurrentCall} current */
	#renderStage(current) {
		const { session } = current;
		this.#stage.hidden = session === null;
		if (!session) {
			this.#clearStage();
			return;
		}
		// A page of the provider's own would load anew if it were moved.
		const page = session.view ?? null;
		if (this.#embedded.firstChild !== page) this.#embedded.replaceChildren(...(page ? [page] : []));
		this.#embedded.hidden = page === null;
		this.#self.hidden = page !== null;
		for (const id of this.#parties.keys()) {
			if (!session.remotes.some((r) => r.clientId === id)) this.#parties.delete(id);
		}
		session.remotes.forEach((remote, index) => {
			const name = current.names.get(remote.userId) ?? remote.userId;
			let party = this.#parties.get(remote.clientId);
			if (!party) {
				party = new Party(name, current.pictures.get(remote.userId) ?? "", (held) => this.app?.calls.report?.("autoplay_blocked", held));
				this.#parties.set(remote.clientId, party);
			}
			const label = index === 0 ? this.text("call.remoteVideo") : this.text("call.remoteVideoOf", { name });
			const state = remote.screen ? "call.screenOf" : remote.muted ? "call.muted" : "";
			party.update(remote, { label, name: state ? this.text(state, { name }) : name });
			party.playOn(session.output ?? "");
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
		this.#embedded.replaceChildren();
		attach(this.#selfVideo, null);
		this.#selfVideo.remove();
	}

	/** @param {CurrentCall} current */
#renderNotice(current) {
		const { app } = this;
		const problem = current.phase === "ended" || !app ? null : problemOf(app, current);
		this.#notice.hidden = problem === null;
		this.toggleAttribute("away", problem?.away ?? false);
		setText(this.#noticeTitle, problem ? this.text(problem.title) : "");
		this.#noticeTitle.hidden = !problem?.title;
		setText(this.#noticeText, problem ? this.text(problem.text) : "");
		this.#remedy.hidden = !problem?.remedy;
		setText(this.#remedy, problem?.remedy ? this.text(problem.remedy) : "");
		this.#relieve = () => this.#relief(problem?.kind ?? "");
	}

	/** @param {string} kind */
	#relief(kind) {
		if (kind === "refused") location.reload();
		else if (kind === "autoplay_blocked") {
			for (const party of this.#parties.values()) party.play();
			this.app?.calls.report?.("autoplay_blocked", false);
		} else void this.app?.calls.retryMedia();
	}

	/**
	 * Whom one may ring again.
	 *
	 * @param {CurrentCall} current
	 */
	#renderAgain(current) {
		const unanswered = current.group && current.phase === "active" ? (current.unanswered ?? []).slice(0, 4) : [];
		const key = unanswered.join("\n");
		this.#again.hidden = unanswered.length === 0 || this.hasAttribute("minimised");
		if (this.#again.dataset.key === key) return;
		this.#again.dataset.key = key;
		this.#again.replaceChildren(
			...unanswered.map((id) => {
				const button = element("button", { type: "button", class: "outlined small" }, icon("bell"), this.text("call.ringAgain", { name: current.names.get(id) ?? id }));
				button.addEventListener("click", async () => {
					button.disabled = true;
					const { app } = this;
					await app?.calls.ringAgain(id).catch((error) => app.wc.noticeError(app.wc.errorText(error)));
					button.disabled = false;
				});
				return button;
			}),
		);
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
		const shared = session?.screen;
		const words = this.text("call.screen");
		this.#screen.hidden = over || shared === undefined;
		this.#screen.setAttribute("aria-label", words);
		this.#screen.title = words;
		this.#screen.setAttribute("aria-pressed", String(shared === true));
		this.#screen.toggleAttribute("data-off", shared === true);
		this.#devices.update(over ? null : session, (key) => this.text(key));
		face(this.#hangUp, "hangUp", this.text("call.hangUp"));
		const address = safeURL(url);
		this.#link.hidden = address === null;
		if (address) this.#link.href = address;
		setText(this.#link, this.text("call.openLink"));
	}

	/** @param {CurrentCall} current */
	#renderAfter(current) {
		const other = this.#unanswering(current);
		this.#after.hidden = other === "";
		const words = this.#callAgain.lastElementChild;
		if (words) setText(words, this.text("call.callAgain"));
		this.#callAgain.setAttribute("aria-label", `${this.text("call.callAgain")}: ${current.title}`);
	}

	/**
	 * Who was called and did not answer, "" if nobody.
	 *
	 * @param {CurrentCall} current
	 */
	#unanswering(current) {
		const again = current.phase === "ended" && !current.group && ["declined", "missed", "busy"].includes(current.reason);
		const me = this.app?.wc.getUser().id;
		const others = again ? [...current.names.keys()].filter((id) => id !== me) : [];
		return others.length === 1 ? others[0] : "";
	}

	#startAgain() {
		const { app } = this;
		const current = app?.calls.current;
		const user = current ? this.#unanswering(current) : "";
		if (app && current && user) app.calls.start({ user, provider: current.providerType || undefined }).catch(() => undefined);
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
	 * @param {(held: boolean) => void} silenced told whether the browser wants a
	 *   click before it plays
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
		this.box.toggleAttribute("data-screen", remote.screen === true);
		if (attach(this.video, remote.stream)) this.play();
	}

	/** @param {string} output id of a loudspeaker */
	playOn(output) {
		if ("setSinkId" in this.video && this.video.sinkId !== output) this.video.setSinkId(output).catch(() => undefined); // unplugged: the system's
	}

	play() {
		this.video.play().then(
			() => this.#silenced(false),
			(error) => {
				if (error.name === "NotAllowedError") this.#silenced(true);
			},
		);
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
