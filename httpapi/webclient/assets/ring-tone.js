// @ts-check
import { BaseElement } from "./base-element.js";
import { element, icon, setText } from "./dom.js";
import { RingTone, chooseTone, chosenTone, toneNames } from "./ring.js";
import { toneStyles } from "./styles-panels.js";

/** `<wc-ring-tone>`: chooses the tone by which calls ring in this browser. */
export class RingToneChoice extends BaseElement {
	#legend = element("legend");
	#options = element("div", { class: "options" });
	#note = element("p", { class: "note" });
	#listen = element("button", { type: "button", class: "outlined small" }, icon("bell"), element("span"));
	#tone = new RingTone();

	constructor() {
		super(toneStyles);
		this.#listen.addEventListener("click", () => this.#tone.sample(chosenTone()));
		this.root.append(element("fieldset", {}, this.#legend, this.#options, this.#note, this.#listen));
		for (const name of toneNames) {
			const input = element("input", { type: "radio", name: "tone", value: name });
			input.addEventListener("change", () => {
				chooseTone(name);
				this.#tone.sample(name);
				this.plan();
			});
			this.#options.append(element("label", {}, input, element("span")));
		}
	}

	render() {
		setText(this.#legend, this.text("tone.label"));
		setText(this.#note, this.text("tone.note"));
		const chosen = chosenTone();
		for (const label of this.#options.querySelectorAll("label")) {
			const [input, text] = label.children;
			if (!(input instanceof HTMLInputElement)) continue;
			input.checked = input.value === chosen;
			setText(text, this.text(`tone.${input.value}`));
		}
		const words = this.#listen.lastElementChild;
		if (words) setText(words, this.text("tone.listen"));
		this.#listen.hidden = chosen === "none";
	}

	detached() {
		this.#tone.stop();
	}
}
