// @ts-check

/** Settings are asked for again when this part of their lifetime has passed. */
const freshPart = 0.5;

/**
 * The STUN and TURN servers of this user. Credentials are limited in time, so
 * they are renewed when a connection is made or repaired late in a call.
 */
export class IceServers {
	#fetch;
	/** @type {RTCIceServer[]} */
	#servers = [];
	#freshUntil = 0;

	/** @param {() => Promise<Record<string, any>>} fetchSettings */
	constructor(fetchSettings) {
		this.#fetch = fetchSettings;
	}

	/** @returns {Promise<RTCIceServer[]>} the last ones known if the server does not answer */
	async get() {
		if (Date.now() < this.#freshUntil) return this.#servers;
		try {
			const { iceServers, ttl } = await this.#fetch();
			this.#servers = Array.isArray(iceServers) ? iceServers : [];
			this.#freshUntil = Date.now() + (Number(ttl) > 0 ? Number(ttl) : 3600) * 1000 * freshPart;
		} catch {
			// Devices in one network find each other without any server.
		}
		return this.#servers;
	}
}
