// @ts-check
/**
 * What only some providers can do: moderation, recordings, telephone, an info
 * panel, accounts; and which providers a group uses. What a provider can't do
 * is refused with the reason `not_supported_by_provider`; its configuration's
 * `features` say beforehand.
 *
 * @typedef {import("./types.js").OwnerType} OwnerType
 * @typedef {import("./types.js").ProviderChoice} ProviderChoice
 */
import { CallCommands } from "./call-commands.js";

/** How long the choice of providers is kept, in ms. */
const choiceLife = 60_000;
const maxChoices = 200;

/** Adds the optional abilities of providers to the client. */
export class ProviderFeatures extends CallCommands {
	/** @type {Map<string, {at: number, choice: Promise<ProviderChoice>}>} */
	#choices = new Map();

	// --- which providers ---

	/**
	 * @param {{id: string, type: OwnerType}} [owner] absent: the whole portal
	 * @returns {Promise<ProviderChoice>}
	 */
	getProviderChoice(owner) {
		const path = choicePath(owner);
		const known = this.#choices.get(path);
		if (known && Date.now() - known.at < choiceLife) return known.choice;
		const choice = this.rest(path);
		this.#choices.delete(path);
		this.#choices.set(path, { at: Date.now(), choice });
		if (this.#choices.size > maxChoices) {
			const [oldest] = this.#choices.keys();
			this.#choices.delete(oldest);
		}
		choice.catch(() => this.#choices.delete(path));
		return choice;
	}

	/**
	 * @param {string[] | null} providers null inherits the choice
	 * @param {{id: string, type: OwnerType}} [owner] absent: the whole portal
	 */
	async setProviderChoice(providers, owner) {
		const choice = await this.send("PUT", choicePath(owner), { providers });
		// Groups below may have inherited it.
		this.#choices.clear();
		this.changed("providers");
		return choice;
	}

	// --- inside a call ---

	/**
	 * @param {string} id
	 * @param {"remove"|"mute"|"promote"|"demote"|"admit"|"reject"} action
	 * @param {string} user
	 * @param {string} [clientId] of one device
	 */
	moderate(id, action, user, clientId) {
		return this.send("POST", callPath(id, "moderation"), { action, user, ...(clientId ? { clientId } : {}) });
	}

	/** @param {string} id */
	getCallInfo(id) {
		return this.rest(callPath(id, "info"));
	}

	/** @param {string} id */
	getPhones(id) {
		return this.rest(callPath(id, "phones"));
	}

	/**
	 * @param {string} id
	 * @param {string} number `+` and 4 to 15 digits
	 */
	dialOut(id, number) {
		return this.send("POST", callPath(id, "dial-out"), { number });
	}

	/** @param {string} id */
	getRecordings(id) {
		return this.rest(callPath(id, "recordings"));
	}

	/** @param {string} id */
	startRecording(id) {
		return this.send("POST", callPath(id, "recordings/start"));
	}

	/** @param {string} id */
	stopRecording(id) {
		return this.send("POST", callPath(id, "recordings/stop"));
	}

	/**
	 * @param {string} id
	 * @param {string} recording
	 */
	deleteRecording(id, recording) {
		return this.send("DELETE", callPath(id, `recordings/${encodeURIComponent(recording)}`));
	}

	// --- accounts ---

	/** @param {string} [user] Defaults to the signed-in one. */
	getAccounts(user = this.getUser().id) {
		return this.rest(`/users/${encodeURIComponent(user)}/accounts`);
	}

	/**
	 * @param {string} type
	 * @param {string | null} account null removes it
	 * @param {string} [user] Defaults to the signed-in one.
	 */
	setAccount(type, account, user = this.getUser().id) {
		const path = `/users/${encodeURIComponent(user)}/accounts/${encodeURIComponent(type)}`;
		return account === null ? this.send("DELETE", path) : this.send("PUT", path, { account });
	}

	/**
	 * @param {string} type
	 * @param {string} redirect address of this portal to come back to
	 * @returns {Promise<{url: string}>} where to send the browser
	 */
	connectAccount(type, redirect) {
		return this.send("POST", connectionPath(type), { redirect });
	}

	/**
	 * @param {string} type
	 * @param {Record<string, string>} params that the browser came back with
	 */
	finishAccount(type, params) {
		return this.send("POST", `${connectionPath(type)}/finish`, { params });
	}

	/** @param {string} type */
	disconnectAccount(type) {
		return this.send("DELETE", connectionPath(type));
	}
}

/** @param {{id: string, type: OwnerType}} [owner] */
function choicePath(owner) {
	return owner ? `/providers/for/${encodeURIComponent(owner.type)}/${encodeURIComponent(owner.id)}` : "/providers/default";
}

/**
 * @param {string} id
 * @param {string} rest
 */
function callPath(id, rest) {
	return `/calls/${encodeURIComponent(id)}/${rest}`;
}

/** @param {string} type */
function connectionPath(type) {
	return `/provider/${encodeURIComponent(type)}/connection`;
}
