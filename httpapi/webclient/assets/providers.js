// @ts-check
/**
 * The connectors of a page.
 *
 * @typedef {import("./types.js").Provider} Provider
 */
import { CallError } from "./rest.js";

/** How long a page waits for a connector's script, in ms. */
const patience = 10_000;

/** Finds a provider by every type that it supports. */
export class ProviderRegistry {
	/** @type {Map<string, Provider>} */
	#byType = new Map();
	#added = new EventTarget();

	/** @param {Provider} provider */
	add(provider) {
		const types = new Set([provider.getType(), ...provider.getSupportedTypes()]);
		for (const type of types) this.#byType.set(type, provider);
		this.#added.dispatchEvent(new Event("added"));
	}

	/** @param {string} type */
	find(type) {
		return this.#byType.get(type);
	}

	/**
	 * @param {string} type
	 * @returns {Promise<Provider>}
	 */
	wait(type) {
		return new Promise((resolve, reject) => {
			const done = new AbortController();
			const look = () => {
				const provider = this.#byType.get(type);
				if (!provider) return;
				done.abort();
				clearTimeout(timer);
				resolve(provider);
			};
			const timer = setTimeout(() => {
				done.abort();
				reject(new CallError({ code: "NOT_FOUND_ERROR", message: `There is no provider ${type}` }));
			}, patience);
			this.#added.addEventListener("added", look, { signal: done.signal });
			look();
		});
	}

	all() {
		return [...new Set(this.#byType.values())];
	}

	/**
	 * @param {import("./types.js").ProviderConfig[]} [configs] absent: all are on
	 */
	active(configs) {
		return this.all().filter((p) => !configs || configs.some((c) => c.type === p.getType() && c.active));
	}
}
