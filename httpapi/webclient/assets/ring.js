// @ts-check
/**
 * Ring tones, made by WebAudio, so that there is no sound file to fetch. A page
 * that nobody has touched yet may not sound; then it stays silent and says so.
 */
import { preference, setPreference } from "./preference.js";

const period = 3000;
const preferenceName = "tone";

/**
 * A note: frequency in Hz, delay and length in seconds.
 *
 * @typedef {[frequency: number, delay: number, length: number]} Note
 */

/** @type {Readonly<Record<string, readonly Note[]>>} */
const tones = Object.freeze({
	chimes: [[659.25, 0, 0.9], [523.25, 0.45, 0.9]],
	classic: [440, 480].flatMap((frequency) => [0, 0.1, 0.2, 0.3, 0.7, 0.8, 0.9, 1].map((delay) => /** @type {Note} */ ([frequency, delay, 0.12]))),
	pulse: [[392, 0, 0.25], [392, 0.3, 0.25], [587.33, 0.6, 0.5]],
	none: [],
});

/** Names of the tones that one can choose. */
export const toneNames = Object.freeze(Object.keys(tones));

/** The tone that was chosen in this browser. */
export function chosenTone() {
	const name = preference(preferenceName);
	return Object.hasOwn(tones, name) ? name : "chimes";
}

/** @param {string} name one of toneNames */
export function chooseTone(name) {
	if (Object.hasOwn(tones, name)) setPreference(preferenceName, name);
}

/** Whether the browser lets this page sound. */
export function maySound() {
	return navigator.userActivation?.hasBeenActive ?? true;
}

/** Rings every three seconds, in the tone that was chosen. */
export class RingTone {
	/** @type {AudioContext | null} */
	#audio = null;
	/** @type {ReturnType<typeof setInterval> | undefined} */
	#timer;

	start() {
		if (this.#audio || typeof AudioContext === "undefined" || !maySound()) return;
		const notes = tones[chosenTone()];
		if (notes.length === 0) return;
		const audio = new AudioContext();
		this.#audio = audio;
		play(audio, notes);
		this.#timer = setInterval(() => play(audio, notes), period);
	}

	/** Sounds once, whatever tone it is, for who is in a call already. */
	knock() {
		if (this.#audio || chosenTone() === "none") return;
		this.#once([[587.33, 0, 0.25]]);
	}

	/**
	 * Sounds a tone once, to be listened to.
	 *
	 * @param {string} name
	 */
	sample(name) {
		this.stop();
		if (Object.hasOwn(tones, name) && tones[name].length > 0) this.#once(tones[name]);
	}

	/** @param {readonly Note[]} notes */
	#once(notes) {
		if (typeof AudioContext === "undefined" || !maySound()) return;
		const audio = new AudioContext();
		this.#audio = audio;
		play(audio, notes);
		this.#timer = setInterval(() => this.stop(), period);
	}

	stop() {
		clearInterval(this.#timer);
		this.#audio?.close().catch(() => undefined);
		this.#audio = null;
	}
}

/**
 * @param {AudioContext} audio
 * @param {readonly Note[]} notes
 */
function play(audio, notes) {
	for (const [frequency, delay, length] of notes) {
		const start = audio.currentTime + delay;
		const gain = audio.createGain();
		gain.gain.setValueAtTime(0, start);
		gain.gain.linearRampToValueAtTime(0.16, start + Math.min(0.04, length / 4));
		gain.gain.exponentialRampToValueAtTime(0.001, start + length);
		const tone = audio.createOscillator();
		tone.type = "sine";
		tone.frequency.value = frequency;
		tone.connect(gain).connect(audio.destination);
		tone.start(start);
		tone.stop(start + length + 0.1);
	}
}
