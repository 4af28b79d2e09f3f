// @ts-check
import { BaseElement } from "./base-element.js";
import { Clock, arrange, element, icon, setText } from "./dom.js";
import { barStyles } from "./styles-panels.js";

/**
 * `<wc-call-bar>`: the calls that the user is in on another device or in
 * another tab, with how long they last, to go on here or to end the part there.
 * With the attribute `inline` it stands in the page where it is written, else it
 * floats above it. The call of this page is shown by `<wc-call-view>`.
 */
export class CallBar extends BaseElement {
	/** @type {Map<string, Row>} by call id */
	#rows = new Map();
	#list = element("div", { class: "list", role: "region" });
	#told = element("div", { class: "hushed", role: "status" });

	constructor() {
		super(barStyles);
		this.root.append(this.#told, this.#list);
		this.#list.hidden = true;
	}

	/** @param {import("./base-element.js").App} app */
	render({ calls }) {
		const elsewhere = calls.elsewhere ?? [];
		for (const [id, row] of this.#rows) {
			if (elsewhere.some((c) => c.callId === id)) continue;
			row.clock.stop();
			this.#rows.delete(id);
		}
		for (const call of elsewhere) {
			let row = this.#rows.get(call.callId);
			if (!row) {
				row = new Row(this, call.callId);
				this.#rows.set(call.callId, row);
			}
			row.update(call);
		}
		arrange(this.#list, [...this.#rows.values()].map((row) => row.box));
		this.#list.setAttribute("aria-label", this.text("bar.title"));
		this.#list.hidden = elsewhere.length === 0;
		setText(this.#told, elsewhere.map((c) => `${c.title}: ${this.text("bar.elsewhere")}`).join(" "));
	}

	detached() {
		for (const row of this.#rows.values()) row.clock.stop();
		this.#rows.clear();
		this.#list.replaceChildren();
		this.#list.hidden = true;
		setText(this.#told, "");
	}
}

/** One call elsewhere. */
class Row {
	#view;
	#title = element("strong");
	#note = element("span", { class: "note" });
	#time = element("time");
	#here = element("button", { type: "button", class: "primary" }, icon("here"));
	#end = element("button", { type: "button", class: "outlined" });
	clock = new Clock(this.#time);

	/**
	 * @param {CallBar} view
	 * @param {string} callId
	 */
	constructor(view, callId) {
		this.#view = view;
		this.#here.append(view.text("bar.continueHere"));
		this.#end.append(view.text("bar.end"));
		this.#here.addEventListener("click", () => this.#run(this.#here, (calls) => calls.takeOver(callId)));
		this.#end.addEventListener("click", () => this.#run(this.#end, async () => view.app && endThere(view.app.wc, callId)));
		this.box = element(
			"div",
			{ class: "row" },
			element("span", { class: "pulse", "aria-hidden": "true" }, icon("phone")),
			element("div", { class: "words" }, this.#title, this.#note),
			this.#time,
			element("div", { class: "actions" }, this.#here, this.#end),
		);
	}

	/** @param {import("./types.js").Calls["elsewhere"][number]} call */
	update(call) {
		setText(this.#title, call.title);
		setText(this.#note, this.#view.text("bar.elsewhere"));
		this.clock.start(Number(call.since) || 0);
	}

	/**
	 * @param {HTMLButtonElement} button
	 * @param {(calls: import("./types.js").Calls) => Promise<unknown>} run
	 */
	async #run(button, run) {
		const { app } = this.#view;
		if (!app || button.disabled) return;
		button.disabled = true;
		try {
			await run(app.calls);
		} catch (error) {
			app.wc.noticeError(app.wc.errorText(error));
		} finally {
			button.disabled = false;
		}
	}
}

/**
 * Takes the user's other devices out of a call: by going on here, which they
 * yield to, and leaving at once.
 *
 * @param {import("./types.js").WebConferencing} wc
 * @param {string} callId
 */
async function endThere(wc, callId) {
	const { seat, epoch } = await wc.takeOver(callId);
	await wc.updateUserCall(callId, "leaved", { seat, epoch });
	wc.noticeInfo(wc.message("webconferencing.bar.ended"));
}
