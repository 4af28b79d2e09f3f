// @ts-check
/**
 * The microphones, cameras and loudspeakers of this computer, and which of them
 * the user has chosen. The choice is kept in this browser.
 *
 * @typedef {import("../../../httpapi/webclient/assets/types.js").MediaDeviceChoice} MediaDeviceChoice
 * @typedef {MediaDeviceChoice["kind"]} Kind
 */

const storageKey = "webconferencing.devices";

/** @type {readonly Kind[]} */
const kinds = ["audioinput", "videoinput", "audiooutput"];

export class Devices {
	/** @type {MediaDeviceChoice[]} */
	list = [];
	/** @type {Partial<Record<Kind, string>>} */
	#chosen = remembered();

	/**
	 * The id of the device that was chosen, "" if none was.
	 *
	 * @param {Kind} kind
	 */
	chosen(kind) {
		return this.#chosen[kind] ?? "";
	}

	/**
	 * @param {Kind} kind
	 * @param {string} id
	 */
	choose(kind, id) {
		this.#chosen = { ...this.#chosen, [kind]: id };
		try {
			localStorage.setItem(storageKey, JSON.stringify(this.#chosen));
		} catch {
			// No storage: the choice holds as long as the page.
		}
	}

	/**
	 * Looks for devices anew. Browsers name them only to pages that may use them.
	 *
	 * @param {Partial<Record<Kind, string>>} inUse ids of the devices that are on
	 */
	async refresh(inUse) {
		const found = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
		this.list = found
			.filter(({ kind, deviceId, label }) => deviceId && label && (kind !== "audiooutput" || canChooseOutput))
			.map(({ kind, deviceId, label }) => {
				const current = inUse[kind] || this.chosen(kind) || "default";
				return { kind, id: deviceId, label, chosen: deviceId === current };
			});
	}
}

const canChooseOutput = typeof HTMLMediaElement !== "undefined" && "setSinkId" in HTMLMediaElement.prototype;

/** @returns {Partial<Record<Kind, string>>} */
function remembered() {
	try {
		const kept = JSON.parse(localStorage.getItem(storageKey) ?? "{}");
		return Object.fromEntries(kinds.filter((kind) => typeof kept?.[kind] === "string").map((kind) => [kind, kept[kind]]));
	} catch {
		return {};
	}
}
