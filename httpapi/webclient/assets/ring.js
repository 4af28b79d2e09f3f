// @ts-check
/**
 * The ring tone: two soft notes every three seconds, made by WebAudio, so that
 * there is no sound file to fetch. A page that nobody has touched yet may not
 * sound; then it stays silent.
 */

const period = 3000;

export class RingTone {
	/** @type {AudioContext | null} */
	#audio = null;
	/** @type {ReturnType<typeof setInterval> | undefined} */
	#timer;

	start() {
		if (this.#audio || typeof AudioContext === "undefined") return;
		if (navigator.userActivation && !navigator.userActivation.hasBeenActive) return;
		const audio = new AudioContext();
		this.#audio = audio;
		const ring = () => {
			note(audio, 659.25, 0);
			note(audio, 523.25, 0.45);
		};
		ring();
		this.#timer = setInterval(ring, period);
	}

	stop() {
		clearInterval(this.#timer);
		this.#audio?.close().catch(() => undefined);
		this.#audio = null;
	}
}

/**
 * @param {AudioContext} audio
 * @param {number} frequency in Hz
 * @param {number} delay in seconds
 */
function note(audio, frequency, delay) {
	const start = audio.currentTime + delay;
	const gain = audio.createGain();
	gain.gain.setValueAtTime(0, start);
	gain.gain.linearRampToValueAtTime(0.18, start + 0.04);
	gain.gain.exponentialRampToValueAtTime(0.001, start + 0.9);
	const tone = audio.createOscillator();
	tone.type = "sine";
	tone.frequency.value = frequency;
	tone.connect(gain).connect(audio.destination);
	tone.start(start);
	tone.stop(start + 1);
}
