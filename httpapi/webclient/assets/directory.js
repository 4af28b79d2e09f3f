// @ts-check
/**
 * Connectors, people and groups.
 *
 * @typedef {import("./types.js").Provider} Provider
 * @typedef {import("./types.js").ProviderConfig} ProviderConfig
 * @typedef {import("./types.js").User} User
 */
import { chatContext, spaceContext, spaceEventContext, userContext } from "./contexts.js";
import { Link } from "./link.js";
import { ProviderRegistry } from "./providers.js";

/** Adds to the client whom one can call, and by what. */
export class Directory extends Link {
	#providers = new ProviderRegistry();
	/** @type {Promise<ProviderConfig[]> | null} */
	#configs = null;

	// --- providers ---

	/** @param {Provider} provider */
	addProvider(provider) {
		this.#providers.add(provider);
		this.#settle(provider).catch((error) => this.getLog(provider.getType()).error("The provider could not be started", error));
		this.changed("providers");
	}

	/** @param {Provider} provider */
	async #settle(provider) {
		const config = this.getContext().providersConfig?.find((c) => c.type === provider.getType());
		if (config) await provider.configure?.(config);
		await provider.init?.(this.createUserContext(this.getUser().id));
	}

	/** @param {string} type */
	findProvider(type) {
		return this.#providers.find(type);
	}

	/** @param {string} type */
	getProvider(type) {
		return this.#providers.wait(type);
	}

	/** Those that are switched on. */
	getProviders() {
		return this.#providers.active(this.getContext().providersConfig);
	}

	getAllProviders() {
		return this.#providers.all();
	}

	/** @param {boolean} [force] */
	getProvidersConfig(force = false) {
		if (!this.#configs || force) {
			this.#configs = this.rest("/providers/configuration");
			this.#configs.catch(() => {
				this.#configs = null;
			});
		}
		return this.#configs;
	}

	/** @param {string} type */
	getProviderConfig(type) {
		return this.rest(`/provider/${encodeURIComponent(type)}/configuration`);
	}

	/**
	 * @param {string} type
	 * @param {boolean} active
	 */
	async postProviderConfig(type, active) {
		const saved = await this.rest(`/provider/${encodeURIComponent(type)}/configuration`, {
			method: "POST",
			body: new URLSearchParams({ active: String(active) }),
		});
		this.#configs = null;
		const configs = this.getContext().providersConfig?.map((c) => (c.type === type ? { ...c, ...saved } : c));
		this.update(configs ? { providersConfig: configs } : undefined);
		return saved;
	}

	/** @param {string} type */
	getProviderSettings(type) {
		return this.command("settings", { provider: type });
	}

	// --- people and groups ---

	/** @param {string} id */
	getUserInfo(id) {
		return this.rest(`/user/${encodeURIComponent(id)}`);
	}

	/** @param {string} id */
	getSpaceInfo(id) {
		return this.rest(`/space/${encodeURIComponent(id)}`);
	}

	/**
	 * @param {string} id
	 * @param {string} [title]
	 * @param {string[]} [members]
	 */
	getRoomInfo(id, title = "", members = []) {
		const query = new URLSearchParams();
		if (title) query.set("title", title);
		if (members.length > 0) query.set("members", members.join(";"));
		return this.rest(`/room/${encodeURIComponent(id)}${query.size > 0 ? `?${query}` : ""}`);
	}

	/**
	 * @param {User} user
	 * @param {string} type
	 */
	imAccount(user, type) {
		const accounts = user.imAccounts;
		return accounts && Object.hasOwn(accounts, type) ? (accounts[type][0] ?? null) : null;
	}

	// --- contexts of buttons ---

	/** @param {string} userId */
	createUserContext(userId) {
		return userContext(this, userId);
	}

	/** @param {string} spaceId */
	createSpaceContext(spaceId) {
		return spaceContext(this, spaceId);
	}

	/**
	 * @param {string} spaceId
	 * @param {string[]} [participants]
	 * @param {string[]} [spaces]
	 */
	createSpaceEventContext(spaceId, participants = [], spaces = []) {
		const query = new URLSearchParams({ participants: participants.join(";"), spaces: spaces.join(";") });
		return spaceEventContext(this, spaceId, () => this.rest(`/space-event/${encodeURIComponent(spaceId)}?${query}`));
	}

	/**
	 * @param {string} roomId
	 * @param {string} [roomTitle]
	 * @param {string[]} [members]
	 */
	createChatContext(roomId, roomTitle, members) {
		return chatContext(this, roomId, roomTitle, members);
	}
}
