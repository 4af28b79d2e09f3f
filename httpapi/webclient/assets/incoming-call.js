// @ts-check
import { BaseElement } from "./base-element.js";
import { arrange, avatar, element, focusedElement, icon, setText } from "./dom.js";
import { RingTone, chosenTone, maySound } from "./ring.js";
import { incomingStyles } from "./styles.js";

/** @typedef {import("./types.js").IncomingCall} IncomingCall */

/** How long it is told that another device answered, in ms. */
const toldTime = 8000;

/**
 * `<wc-incoming-call>`: a card for each call that rings. One of a browser's
 * tabs sounds. To who is in a call already, the card says that answering ends
 * that one.
 */
export class IncomingCallCards extends BaseElement {
	/** @type {Map<string, Card>} by call id */
	#cards = new Map();
	#announcement = element("div", { class: "hushed", role: "alert" });
	#told = element("div", { role: "status" });
	#list = element("div", { class: "list" });
	#tone = new RingTone();
	/** @type {HTMLElement | null} had the focus before the cards took it */
	#before = null;
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	#untold;

	constructor() {
		super(incomingStyles);
		this.root.append(this.#announcement, this.#list, this.#told);
	}

	/**
	 * @param {import("./base-element.js").App} _app
	 * @param {AbortSignal} signal
	 */
	attached(_app, signal) {
		// A first touch of the page lets it sound.
		for (const touch of ["pointerup", "keyup"]) addEventListener(touch, () => this.plan(), { signal, passive: true });
		document.addEventListener("focusin", (event) => {
			const [at] = event.composedPath();
			if (at instanceof HTMLElement && !this.#list.contains(at)) this.#before = at;
		}, { signal });
	}

	/** @param {import("./base-element.js").App} app */
	render({ calls }) {
		const rings = calls.incoming;
		const busy = calls.current !== null && calls.current.phase !== "ended";
		const focused = this.#list.contains(this.root.activeElement);
		const live = new Set(rings.map((r) => r.callId));
		for (const id of this.#cards.keys()) {
			if (!live.has(id)) this.#cards.delete(id);
		}
		const fresh = rings.filter((r) => !this.#cards.has(r.callId));
		for (const ring of fresh) this.#cards.set(ring.callId, new Card(this, ring));
		const sounding = rings.filter((r) => r.sounding && !this.#cards.get(r.callId)?.silenced);
		for (const ring of rings) this.#cards.get(ring.callId)?.update(ring, { busy, muffled: ring.sounding && !busy && !maySound() && chosenTone() !== "none" });
		arrange(this.#list, [...this.#cards.values()].map((card) => card.box));
		this.#sound({ sounding, busy, fresh });
		this.#tell(calls.answeredElsewhere ?? null);
		this.#moveFocus(fresh, focused);
		if (fresh.length > 0) setText(this.#announcement, fresh.map((r) => this.sentence(r)).join(" "));
		else if (rings.length === 0) setText(this.#announcement, "");
	}

	/** @param {{sounding: IncomingCall[], busy: boolean, fresh: IncomingCall[]}} what */
	#sound({ sounding, busy, fresh }) {
		if (sounding.length === 0) this.#tone.stop();
		else if (!busy) this.#tone.start();
		else if (fresh.length > 0) {
			this.#tone.stop();
			this.#tone.knock();
		}
	}

	/**
	 * Nobody's typing is interrupted: the focus moves only if it is nowhere, and
	 * goes back when the card that had it is gone.
	 *
	 * @param {IncomingCall[]} fresh
	 * @param {boolean} focused
	 */
	#moveFocus(fresh, focused) {
		const present = focusedElement();
		if (fresh.length > 0 && !present) {
			this.#before = null;
			this.#cards.get(fresh[0].callId)?.box.focus();
		} else if (focused && !present) {
			const next = [...this.#cards.values()].at(0)?.box ?? this.#before;
			if (next?.isConnected) next.focus();
		}
	}

	/** @param {import("./types.js").Calls["answeredElsewhere"]} answered */
	#tell(answered) {
		const left = answered ? toldTime - (Date.now() - Number(answered.at)) : 0;
		if (!answered || left <= 0) {
			if (this.#told.hasChildNodes()) this.#told.replaceChildren();
			return;
		}
		const text = this.text("incoming.elsewhere", { name: answered.title });
		if (this.#told.textContent === text) return;
		this.#told.replaceChildren(element("div", { class: "told" }, icon("phone"), element("span", {}, text)));
		clearTimeout(this.#untold);
		this.#untold = setTimeout(() => this.plan(), left + 50);
	}

	detached() {
		this.#tone.stop();
		this.#cards.clear();
		this.#list.replaceChildren();
		this.#told.replaceChildren();
		clearTimeout(this.#untold);
		setText(this.#announcement, "");
	}

	/** @param {IncomingCall} ring */
	sentence(ring) {
		return ring.groupTitle ? this.text("incoming.group", { name: ring.callerName, group: ring.groupTitle }) : this.text("incoming.from", { name: ring.callerName });
	}
}

/** The card of one call. */
class Card {
	silenced = false;
	#view;
	#callId;
	#heading;
	#note = element("span", { class: "note" });
	#bell = element("span");
	#silence = element("button", { type: "button", class: "outlined small" }, icon("bellOff"));
	#more = element("div", { class: "more" }, this.#bell, this.#note, this.#silence);
	#actions = element("div", { class: "actions" });
	#shape = "";

	/**
	 * @param {IncomingCallCards} view
	 * @param {IncomingCall} ring
	 */
	constructor(view, ring) {
		this.#view = view;
		this.#callId = ring.callId;
		this.#heading = element("h2", { id: `title-${ring.callId}` });
		const from = element("p", { class: "from", id: `from-${ring.callId}` }, view.sentence(ring));
		this.#note.id = `note-${ring.callId}`;
		this.#silence.append(view.text("incoming.silence"));
		this.#silence.addEventListener("click", () => {
			this.silenced = true;
			this.box.focus();
			view.plan();
		});
		this.box = element(
			"div",
			{ class: "card", role: "dialog", "aria-labelledby": this.#heading.id, "aria-describedby": `${from.id} ${this.#note.id}`, tabindex: "-1" },
			avatar(ring.callerName, ring.avatarLink),
			this.#heading,
			from,
			this.#more,
			this.#actions,
		);
	}

	/**
	 * @param {IncomingCall} ring
	 * @param {{busy: boolean, muffled: boolean}} how busy: in another call;
	 *   muffled: the browser does not let the page sound
	 */
	update(ring, { busy, muffled }) {
		const waiting = busy || ring.waiting === true;
		setText(this.#heading, this.#view.text(busy ? "waiting.title" : "incoming.title"));
		this.box.classList.toggle("waiting", waiting);
		let note = "";
		if (busy) note = this.#view.text("waiting.note");
		else if (ring.silent) note = this.#view.text("incoming.silent");
		else if (this.silenced) note = this.#view.text("incoming.silenced");
		else if (muffled) note = this.#view.text("incoming.ringBlocked");
		const provider = note === "" && ring.providerType ? this.#view.app?.wc.findProvider(ring.providerType)?.getTitle() : "";
		setText(this.#note, provider ? this.#view.text("incoming.with", { provider }) : note);
		const quiet = ring.silent || this.silenced || muffled;
		const bell = busy || note === "" ? "" : quiet ? "bellOff" : "bell";
		if (this.#bell.dataset.icon !== bell) {
			this.#bell.dataset.icon = bell;
			this.#bell.replaceChildren(...(bell ? [icon(bell)] : []));
		}
		this.#bell.hidden = bell === "";
		this.#silence.hidden = quiet || busy || !ring.sounding;
		this.#more.hidden = this.#note.textContent === "" && this.#silence.hidden;
		this.#arrangeActions(busy);
	}

	/** @param {boolean} busy */
	#arrangeActions(busy) {
		const shape = busy ? "waiting" : "idle";
		if (this.#shape === shape) return;
		this.#shape = shape;
		/** @param {(calls: import("./types.js").Calls) => unknown} run */
		const on = (run) => () => this.#view.app && void run(this.#view.app.calls);
		const accept = this.#button(busy ? "waiting.endAndAccept" : "incoming.accept", "accept", "phone", on((calls) => calls.accept(this.#callId)));
		const decline = this.#button("incoming.decline", "danger", "hangUp", on((calls) => calls.decline(this.#callId)));
		if (!busy) {
			this.#actions.replaceChildren(decline, accept);
			return;
		}
		const ignore = this.#button("waiting.ignore", "outlined", "", on((calls) => calls.ignore?.(this.#callId)));
		accept.classList.add("wide");
		this.#actions.replaceChildren(accept, decline, ignore);
	}

	/**
	 * @param {string} key
	 * @param {string} type
	 * @param {string} picture
	 * @param {() => unknown} run
	 */
	#button(key, type, picture, run) {
		const button = element("button", { type: "button", class: type }, ...(picture ? [icon(picture)] : []), this.#view.text(key));
		button.addEventListener("click", run);
		return button;
	}
}
