// @ts-check
/**
 * The client of the web conferencing library: calls, their events, people and
 * groups, providers and the client log. It shows nothing; see elements.js for
 * that, and index.js for a page that needs nothing but the standard.
 *
 * @typedef {import("./types.js").WebConferencing} WebConferencing
 * @typedef {import("./types.js").WebConferencingOptions} WebConferencingOptions
 * @typedef {import("./types.js").Context} Context
 * @typedef {import("./types.js").Provider} Provider
 * @typedef {import("./types.js").ProviderConfig} ProviderConfig
 * @typedef {import("./types.js").User} User
 * @typedef {import("./types.js").Call} Call
 */
import { BayeuxClient } from "./bayeux.js";
import { chatContext, spaceContext, spaceEventContext, userContext } from "./contexts.js";
import { EventFence } from "./fence.js";
import { LogSpool, createLog } from "./log.js";
import { englishMessages } from "./messages.js";
import { Page } from "./page.js";
import { ProviderRegistry } from "./providers.js";
import { fetchJSON, toCallError } from "./rest.js";
import { asObject, asUser, joinLists } from "./wire.js";

const userChannel = "/eXo/Application/WebConferencing/user/";
const callChannel = "/eXo/Application/WebConferencing/call/";
const callsTarget = "/webconferencing/calls";
const logsTarget = "/webconferencing/logs";

/**
 * Makes a client for one page. Nothing is connected before `init`.
 *
 * @param {WebConferencingOptions} options
 * @returns {WebConferencing}
 */
export function createWebConferencing(options) {
	return new Client(options);
}

/** Random and unique for this page load. */
function newClientId() {
	const bytes = crypto.getRandomValues(new Uint8Array(12));
	return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

/** @implements {WebConferencing} */
class Client extends Page {
	clientId = newClientId();
	/** @type {User} */
	#user;
	/** @type {Context} */
	#context;
	#options;
	#providers = new ProviderRegistry();
	/** @type {BayeuxClient | null} */
	#bayeux = null;
	/** @type {Promise<ProviderConfig[]> | null} */
	#configs = null;
	#fence = new EventFence();
	#spool = new LogSpool((entries) => {
		for (const entry of entries) this.#call(logsTarget, entry).catch(() => undefined);
	});
	/** @type {AbortController | null} ends the page's listeners */
	#page = null;
	#renewed = false;
	/** @type {Map<string, Promise<any>>} questions under way, by path */
	#asked = new Map();

	/** @param {WebConferencingOptions} options */
	constructor(options) {
		super();
		this.#options = {
			baseUrl: "/portal/rest/webconferencing",
			statusUrl: "/portal/rest/state/status",
			assetsUrl: new URL(".", import.meta.url).href,
			lang: globalThis.document?.documentElement.lang || "en",
			...options,
		};
		this.#user = asUser(options.user);
		this.#context = options.context ?? {};
	}

	get connection() {
		return this.#bayeux?.state ?? "closed";
	}

	// --- life ---

	/**
	 * Reads what is missing of user and context, and connects.
	 *
	 * @param {User | string} [user]
	 * @param {Context} [context]
	 */
	async init(user, context) {
		if (user) this.#user = asUser(user);
		if (context) this.#context = context;
		else if (!this.#options.context) this.#context = await this.#fetchContext();
		if (!this.#user.title) {
			this.#user = await this.getUserInfo(this.#user.id).catch(() => ({ ...this.#user, title: this.#user.id }));
		}
		if (this.#bayeux) return;
		const path = this.#options.cometdUrl ?? this.#context.cometdPath ?? "/cometd/cometd";
		const bayeux = new BayeuxClient({
			url: new URL(path, globalThis.location?.href).href,
			credentials: () => {
				const token = this.#context.cometdToken;
				return { ...this.#identity(), ...(token ? { exoToken: token } : {}) };
			},
			fields: () => this.#identity(),
		});
		bayeux.addEventListener("state", () => this.#connectionChanged(bayeux));
		this.#bayeux = bayeux;
		bayeux.open();
		this.#watchPage(bayeux);
	}

	/** @param {Partial<Context>} [context] */
	update(context) {
		if (context) this.#context = { ...this.#context, ...context };
		this.#changed("providers");
	}

	close() {
		this.#page?.abort();
		this.#page = null;
		this.#spool.flush();
		this.#bayeux?.close();
		this.#bayeux = null;
	}

	/** @param {BayeuxClient} bayeux */
	#connectionChanged(bayeux) {
		if (bayeux.state === "connected") this.#renewed = false;
		if (bayeux.state === "refused" && !this.#renewed) {
			// The token may have grown too old; one new one is worth a try.
			this.#renewed = true;
			this.#fetchContext()
				.then((context) => {
					this.#context = { ...this.#context, cometdToken: context.cometdToken };
					if (this.#bayeux === bayeux) bayeux.open();
				})
				.catch(() => undefined);
		}
		this.#changed("connection");
	}

	/** @param {BayeuxClient} bayeux */
	#watchPage(bayeux) {
		if (!globalThis.document) return;
		this.#page = new AbortController();
		const { signal } = this.#page;
		// Also when the network goes: the sooner it is noticed the better.
		for (const change of ["online", "offline"]) addEventListener(change, () => bayeux.wake(), { signal });
		addEventListener("pagehide", () => {
			this.#spool.flush();
			// What was queued in this turn must leave before the farewell.
			queueMicrotask(() => bayeux.suspend());
		}, { signal });
		addEventListener("pageshow", (event) => {
			if (event.persisted) bayeux.open();
		}, { signal });
		document.addEventListener("visibilitychange", () => {
			if (document.visibilityState === "hidden") this.#spool.flush();
			else if (bayeux.silence > 15_000) bayeux.wake();
		}, { signal });
	}

	/** @returns {Promise<Context>} */
	#fetchContext() {
		const query = new URLSearchParams({ name: this.#user.id, lang: this.#options.lang });
		return fetchJSON(`${this.#options.baseUrl}/context?${query}`);
	}

	#identity() {
		return { exoId: this.#user.id, exoClientId: this.clientId, exoContainerName: this.#context.containerName ?? "" };
	}

	/** @param {"connection"|"providers"} type */
	#changed(type) {
		this.events.dispatchEvent(new Event(type));
	}

	// --- page ---

	getUser() {
		return this.#user;
	}

	getContext() {
		return this.#context;
	}

	getCurrentSpaceId() {
		return this.#context.spaceId ?? null;
	}

	getCurrentRoomTitle() {
		return this.#context.roomTitle ?? null;
	}

	getBaseUrl() {
		return globalThis.location?.origin ?? "";
	}

	getAssetsUrl() {
		return this.#options.assetsUrl;
	}

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
		return spaceEventContext(this, spaceId, () => this.#rest(`/space-event/${encodeURIComponent(spaceId)}?${query}`));
	}

	/**
	 * @param {string} roomId
	 * @param {string} [roomTitle]
	 * @param {string[]} [members]
	 */
	createChatContext(roomId, roomTitle, members) {
		return chatContext(this, roomId, roomTitle, members);
	}

	// --- providers ---

	/** @param {Provider} provider */
	addProvider(provider) {
		this.#providers.add(provider);
		this.#settle(provider).catch((error) => this.getLog(provider.getType()).error("The provider could not be started", error));
		this.#changed("providers");
	}

	/** @param {Provider} provider */
	async #settle(provider) {
		const config = this.#context.providersConfig?.find((c) => c.type === provider.getType());
		if (config) provider.configure?.(config);
		await provider.init?.(this.createUserContext(this.#user.id));
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
		return this.#providers.active(this.#context.providersConfig);
	}

	getAllProviders() {
		return this.#providers.all();
	}

	/** @param {boolean} [force] */
	getProvidersConfig(force = false) {
		if (!this.#configs || force) {
			this.#configs = this.#rest("/providers/configuration");
			this.#configs.catch(() => {
				this.#configs = null;
			});
		}
		return this.#configs;
	}

	/** @param {string} type */
	getProviderConfig(type) {
		return this.#rest(`/provider/${encodeURIComponent(type)}/configuration`);
	}

	/**
	 * @param {string} type
	 * @param {boolean} active
	 */
	async postProviderConfig(type, active) {
		const saved = await this.#rest(`/provider/${encodeURIComponent(type)}/configuration`, {
			method: "POST",
			body: new URLSearchParams({ active: String(active) }),
		});
		this.#configs = null;
		const configs = this.#context.providersConfig?.map((c) => (c.type === type ? { ...c, ...saved } : c));
		this.update(configs ? { providersConfig: configs } : undefined);
		return saved;
	}

	/** @param {string} type */
	getProviderSettings(type) {
		return this.#command("settings", { provider: type });
	}

	// --- calls ---

	/** @param {string} id */
	getCall(id) {
		return this.#command("get", { id });
	}

	/**
	 * @param {string} id
	 * @param {import("./types.js").CallInfo} info
	 */
	addCall(id, info) {
		// A create that is sent again after a broken connection finds its own
		// call; the key tells the server that it is the same wish.
		return this.#command("create", { id, start: false, title: "", ...joinLists(info), idempotencyKey: crypto.randomUUID() });
	}

	/**
	 * @param {string} id
	 * @param {string | Partial<import("./types.js").CallInfo>} stateOrInfo
	 */
	updateCall(id, stateOrInfo) {
		if (typeof stateOrInfo === "string") return this.#command("update", { id, state: stateOrInfo });
		return this.#command("update", { id, info: joinLists(stateOrInfo) });
	}

	/**
	 * @param {string} id
	 * @param {"joined"|"leaved"} state
	 * @param {{seat?: string, epoch?: number}} [fence]
	 */
	updateUserCall(id, state, fence = {}) {
		return this.#command("update", { id, state, ...fence });
	}

	/**
	 * @param {string} id
	 * @param {string[]} participants
	 */
	updateParticipants(id, participants) {
		return this.#command("update", { id, participants });
	}

	/**
	 * @param {string} id
	 * @param {{id: string, type: "user"|"group"}[]} invites
	 */
	updateInvites(id, invites) {
		return this.#command("update_invites", { id, invites });
	}

	/**
	 * @param {string} id
	 * @param {string} inviteId
	 */
	checkInvite(id, inviteId) {
		return this.#command("check_invite", { id, inviteId });
	}

	/**
	 * @param {string} id
	 * @param {string} guestId
	 */
	addGuest(id, guestId) {
		return this.#command("add_guest", { id, guestId });
	}

	/** @param {string} id */
	acceptCall(id) {
		return this.#command("accept", { id });
	}

	/** @param {string} id */
	async confirmRing(id) {
		await this.#command("ringing", { id });
	}

	/**
	 * @param {string} id
	 * @param {number} epoch
	 * @param {string} seat
	 */
	heartbeat(id, epoch, seat) {
		return this.#command("heartbeat", { id, epoch, seat });
	}

	/** @param {string} id */
	deleteCall(id) {
		return this.#command("delete", { id });
	}

	/** @param {string} name */
	findIdentities(name) {
		return this.#command("get_org_identities", { name });
	}

	/**
	 * @param {string} link
	 * @param {Provider} provider
	 */
	findCallId(link, provider) {
		return provider.findCallId?.(link) ?? null;
	}

	getUserGroupCalls() {
		return this.#command("get_calls_state", { id: this.#user.id });
	}

	getOpenCalls() {
		return this.#command("get_open_calls", {});
	}

	/**
	 * @param {string} command
	 * @param {Record<string, any>} args
	 */
	#command(command, args) {
		return this.#call(callsTarget, { command, ...args });
	}

	/**
	 * @param {string} target
	 * @param {Record<string, any>} args
	 */
	async #call(target, args) {
		try {
			const result = await this.#connected().call(target, { ...args, ...this.#identity() });
			return typeof result === "string" ? JSON.parse(result) : result;
		} catch (error) {
			throw toCallError(error);
		}
	}

	#connected() {
		if (!this.#bayeux) throw toCallError({ code: "closed", message: "init was not called" });
		return this.#bayeux;
	}

	// --- people and groups ---

	/** @param {string} id */
	getUserInfo(id) {
		return this.#rest(`/user/${encodeURIComponent(id)}`);
	}

	/** @param {string} id */
	getSpaceInfo(id) {
		return this.#rest(`/space/${encodeURIComponent(id)}`);
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
		return this.#rest(`/room/${encodeURIComponent(id)}${query.size > 0 ? `?${query}` : ""}`);
	}

	/** @param {string} id */
	getUserStatus(id) {
		return fetchJSON(`${this.#options.statusUrl}/${encodeURIComponent(id)}`);
	}

	/**
	 * @param {string} path
	 * @param {RequestInit} [init] absent: a question, asked once for all who
	 *   want to know it now
	 * @returns {Promise<any>}
	 */
	#rest(path, init) {
		const asked = init ? undefined : this.#asked.get(path);
		if (asked) return asked;
		const answer = fetchJSON(this.#options.baseUrl + path, { ...init, headers: { "X-Client-Id": this.clientId } });
		if (!init) {
			this.#asked.set(path, answer);
			const forget = () => this.#asked.delete(path);
			answer.then(forget, forget);
		}
		return answer;
	}

	// --- events ---

	/**
	 * @param {string} userId
	 * @param {(event: import("./types.js").UserEvent) => void} onUpdate
	 * @param {(error: Error) => void} [onError]
	 * @param {() => void} [onReady]
	 * @param {{onReset?: () => void}} [options] onReset: events may have been
	 *   missed, read the state anew
	 */
	onUserUpdate(userId, onUpdate, onError, onReady, { onReset } = {}) {
		const channel = userChannel + userId;
		return this.#connected().subscribe(channel, {
			onMessage: (data) => {
				const event = asObject(data);
				if (event && this.#fence.passes(channel, event)) onUpdate(event);
			},
			onError,
			onReady,
			onReset,
		});
	}

	/**
	 * @param {string} callId
	 * @param {(data: any) => void} onUpdate
	 * @param {(error: Error) => void} [onError]
	 * @param {() => void} [onReady]
	 */
	onCallUpdate(callId, onUpdate, onError, onReady) {
		return this.#connected().subscribe(callChannel + callId, {
			onMessage: (data) => {
				const update = asObject(data);
				if (update) onUpdate(update);
			},
			onError,
			onReady,
		});
	}

	/**
	 * @param {string} callId
	 * @param {Record<string, any>} data
	 */
	async toCallUpdate(callId, data) {
		try {
			await this.#connected().publish(callChannel + callId, { ...data, ...this.#identity() });
		} catch (error) {
			throw toCallError(error);
		}
	}

	// --- texts and notices ---

	/**
	 * @param {string} key
	 * @param {Record<string, string>} [values]
	 */
	message(key, values = {}) {
		const messages = this.#context.messages;
		const text = messages && Object.hasOwn(messages, key) ? messages[key] : (englishMessages.get(key) ?? key);
		return String(text).replace(/\{(\w+)\}/g, (all, name) => (Object.hasOwn(values, name) ? values[name] : all));
	}

	/** @param {any} error */
	errorText(error) {
		const { code, reason, message } = toCallError(error);
		for (const key of [`webconferencing.error.${reason}`, `webconferencing.error.${code}`]) {
			if (englishMessages.has(key)) return this.message(key);
		}
		return message;
	}

	/** @param {string} [provider] */
	getLog(provider = "") {
		return createLog(() => {
			const config = this.#context.providersConfig?.find((c) => c.type === provider);
			return {
				provider,
				owner: `${this.#user.id}-${this.clientId}`,
				spool: config && config.logEnabled !== false ? (entry) => this.#spool.add(entry) : undefined,
				show: (title, text) => this.showError(title, text),
				reference: (ref) => this.message("webconferencing.errorReference", { ref }),
			};
		});
	}

	/**
	 * @param {User} user
	 * @param {string} type
	 */
	imAccount(user, type) {
		const accounts = user.imAccounts;
		return accounts && Object.hasOwn(accounts, type) ? (accounts[type][0] ?? null) : null;
	}
}
