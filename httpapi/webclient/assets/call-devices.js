// @ts-check
import { element, icon, setText } from "./dom.js";

/**
 * @typedef {import("./types.js").MediaSession} MediaSession
 * @typedef {import("./types.js").MediaDeviceChoice} MediaDeviceChoice
 */

/** @type {readonly MediaDeviceChoice["kind"][]} */
const kinds = ["audioinput", "videoinput", "audiooutput"];

/**
 * The button of a call's controls that opens the choice of microphone, camera
 * and loudspeaker, and the panel with it.
 */
export class DeviceMenu {
	button = element("button", { type: "button", "aria-expanded": "false", "aria-controls": "devices", hidden: true });
	panel = element("div", { class: "devices", id: "devices", role: "group", hidden: true });
	/** @type {MediaSession | null} */
	#session = null;
	#selects = kinds.map((kind) => {
		const label = element("span");
		const select = element("select");
		const row = element("label", {}, label, select);
		select.addEventListener("change", () => void this.#session?.chooseDevice?.(kind, select.value));
		return { kind, label, select, row, key: "" };
	});

	constructor() {
		this.panel.append(...this.#selects.map(({ row }) => row));
		this.button.addEventListener("click", () => this.#open(this.panel.hidden === true));
		this.button.addEventListener("keydown", (event) => this.#leave(event));
		this.panel.addEventListener("keydown", (event) => this.#leave(event));
	}

	/** @param {KeyboardEvent} event */
	#leave(event) {
		if (event.key !== "Escape" || this.panel.hidden) return;
		event.stopPropagation();
		this.#open(false);
		this.button.focus();
	}

	/** @param {boolean} open */
	#open(open) {
		this.panel.hidden = !open;
		this.button.setAttribute("aria-expanded", String(open));
		if (open) this.#selects.find(({ row }) => !row.hidden)?.select.focus();
	}

	/**
	 * @param {MediaSession | null} session
	 * @param {(key: string) => string} text
	 */
	update(session, text) {
		this.#session = session;
		const devices = session?.devices ?? [];
		this.button.hidden = devices.length === 0;
		if (this.button.hidden) this.#open(false);
		const words = text("call.devices");
		if (this.button.title !== words) {
			this.button.title = words;
			this.button.setAttribute("aria-label", words);
			this.button.replaceChildren(icon("settings"));
			this.panel.setAttribute("aria-label", words);
		}
		for (const entry of this.#selects) this.#fill(entry, devices.filter(({ kind }) => kind === entry.kind), text);
	}

	/**
	 * @param {{kind: string, label: HTMLElement, select: HTMLSelectElement, row: HTMLElement, key: string}} entry
	 * @param {MediaDeviceChoice[]} devices
	 * @param {(key: string) => string} text
	 */
	#fill(entry, devices, text) {
		entry.row.hidden = devices.length === 0;
		setText(entry.label, text(`call.device.${entry.kind}`));
		const key = JSON.stringify(devices);
		if (key === entry.key) return;
		entry.key = key;
		entry.select.replaceChildren(...devices.map(({ id, label }) => element("option", { value: id }, label)));
		entry.select.value = devices.find(({ chosen }) => chosen)?.id ?? devices[0]?.id ?? "";
	}
}
