// @ts-check
/**
 * The client's ties to the server: who and where it is, the Bayeux connection
 * with its remote calls, REST, and the delivery of the log.
 *
 * @typedef {import("./types.js").WebConferencingOptions} WebConferencingOptions
 * @typedef {import("./types.js").Context} Context
 * @typedef {import("./types.js").User} User
 * @typedef {import("./log-spool.js").Entry} Entry
 */
import { BayeuxClient } from "./bayeux.js";
import { createLog } from "./log.js";
import { LogSpool, keepEntries, takeEntries } from "./log-spool.js";
import { Page } from "./page.js";
import { fetchJSON, toCallError } from "./rest.js";
import { Texts } from "./texts.js";
import { asUser } from "./wire.js";

const callsTarget = "/webconferencing/calls";
const logsTarget = "/webconferencing/logs";
/** A page that comes back to the front asks whether a silent connection lives. */
const silenceLimit = 15_000;

/** Random and unique for this page load. */
function newClientId() {
	const bytes = crypto.getRandomValues(new Uint8Array(12));
	return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

/** What the rest of the client stands on. */
export class Link extends Page {
	clientId = newClientId();
	/** @type {User} */
	#user;
	/** @type {Context} */
	#context;
	#options;
	/** @type {BayeuxClient | null} */
	#bayeux = null;
	/** @type {AbortController | null} ends the page's listeners */
	#page = null;
	#renewed = false;
	/** @type {Map<string, Promise<any>>} questions under way, by path */
	#asked = new Map();
	#spool = new LogSpool({ send: (entries) => this.#sendLog(entries), farewell: (entries) => this.#sendLastLog(entries) });
	#texts = new Texts(() => ({ messages: this.#context.messages, lang: this.#language() }));

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

	/** @returns {BayeuxClient} */
	get bayeux() {
		if (!this.#bayeux) throw toCallError({ code: "closed", message: "init was not called" });
		return this.#bayeux;
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
			this.#user = await this.rest(`/user/${encodeURIComponent(this.#user.id)}`).catch(() => ({ ...this.#user, title: this.#user.id }));
		}
		if (this.#bayeux) return;
		const path = this.#options.cometdUrl ?? this.#context.cometdPath ?? "/cometd/cometd";
		const bayeux = new BayeuxClient({
			url: new URL(path, globalThis.location?.href).href,
			credentials: () => {
				const token = this.#context.cometdToken;
				return { ...this.identity(), ...(token ? { exoToken: token } : {}) };
			},
			fields: () => this.identity(),
		});
		bayeux.addEventListener("state", () => this.#connectionChanged(bayeux));
		for (const type of ["woken", "alive"]) bayeux.addEventListener(type, () => this.events.dispatchEvent(new Event(type)));
		this.#bayeux = bayeux;
		this.#spool.takeOver(takeEntries(this.#user.id));
		bayeux.open();
		this.#watchPage(bayeux);
	}

	/** @param {Partial<Context>} [context] */
	update(context) {
		if (context) this.#context = { ...this.#context, ...context };
		this.changed("providers");
	}

	close() {
		this.#page?.abort();
		this.#page = null;
		keepEntries(this.#user.id, this.#spool.farewell());
		this.#bayeux?.close();
		this.#bayeux = null;
	}

	/** @param {BayeuxClient} bayeux */
	#connectionChanged(bayeux) {
		if (bayeux.state === "connected") {
			this.#renewed = false;
			this.#spool.flush();
		}
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
		this.changed("connection");
	}

	/** @param {BayeuxClient} bayeux */
	#watchPage(bayeux) {
		if (!globalThis.document) return;
		this.#page = new AbortController();
		const { signal } = this.#page;
		addEventListener("online", () => bayeux.wake(), { signal });
		addEventListener("offline", () => bayeux.networkLost(), { signal });
		addEventListener("pagehide", () => {
			keepEntries(this.#user.id, this.#spool.farewell());
			// What was queued in this turn must leave before the farewell.
			queueMicrotask(() => bayeux.suspend());
		}, { signal });
		addEventListener("pageshow", (event) => {
			if (!event.persisted) return;
			this.#spool.takeOver(takeEntries(this.#user.id));
			bayeux.open();
		}, { signal });
		// Chromium freezes pages in the background without asking them to leave.
		document.addEventListener("resume", () => bayeux.wake(), { signal });
		document.addEventListener("visibilitychange", () => {
			if (document.visibilityState === "hidden") this.#spool.flush();
			else if (bayeux.silence > silenceLimit) bayeux.wake();
		}, { signal });
	}

	/** @returns {Promise<Context>} */
	#fetchContext() {
		const query = new URLSearchParams({ name: this.#user.id, lang: this.#options.lang });
		return fetchJSON(`${this.#options.baseUrl}/context?${query}`);
	}

	/** The fields that every message carries. */
	identity() {
		return { exoId: this.#user.id, exoClientId: this.clientId, exoContainerName: this.#context.containerName ?? "" };
	}

	/** @param {"connection"|"providers"} type */
	changed(type) {
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

	// --- asking the server ---

	/**
	 * Carries out a command of the calls' target.
	 *
	 * @param {string} command
	 * @param {Record<string, any>} args
	 */
	command(command, args) {
		return this.#call(callsTarget, { command, ...args });
	}

	/**
	 * @param {string} target
	 * @param {Record<string, any>} args
	 */
	async #call(target, args) {
		try {
			const result = await this.bayeux.call(target, { ...args, ...this.identity() });
			return typeof result === "string" ? JSON.parse(result) : result;
		} catch (error) {
			throw toCallError(error);
		}
	}

	/**
	 * @param {string} path
	 * @param {RequestInit} [init] absent: a question, asked once for all who
	 *   want to know it now
	 * @returns {Promise<any>}
	 */
	rest(path, init) {
		const asked = init ? undefined : this.#asked.get(path);
		if (asked) return asked;
		const answer = fetchJSON(this.#options.baseUrl + path, { ...init, headers: { ...init?.headers, "X-Client-Id": this.clientId } });
		if (!init) {
			this.#asked.set(path, answer);
			const forget = () => this.#asked.delete(path);
			answer.then(forget, forget);
		}
		return answer;
	}

	/**
	 * Sends JSON to a REST resource.
	 *
	 * @param {"POST"|"PUT"|"PATCH"|"DELETE"} method
	 * @param {string} path
	 * @param {any} [body]
	 */
	send(method, path, body) {
		if (body === undefined) return this.rest(path, { method });
		return this.rest(path, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
	}

	/** @param {string} id */
	getUserStatus(id) {
		return fetchJSON(`${this.#options.statusUrl}/${encodeURIComponent(id)}`);
	}

	// --- texts ---

	#language() {
		const { lang } = this.#options;
		const chosen = this.#context.lang;
		// The server's texts may be in a wider language than was asked for.
		if (!chosen || lang.toLowerCase().replaceAll("_", "-").startsWith(`${chosen.toLowerCase()}-`)) return lang;
		return chosen;
	}

	get lang() {
		return this.#texts.lang;
	}

	get direction() {
		return this.#texts.direction;
	}

	/**
	 * @param {string} key
	 * @param {Record<string, string | number>} [values]
	 */
	message(key, values) {
		return this.#texts.message(key, values);
	}

	/** @param {number} value */
	formatNumber(value) {
		return this.#texts.formatNumber(value);
	}

	/**
	 * @param {Date | string | number} moment
	 * @param {Intl.DateTimeFormatOptions} [options]
	 */
	formatDate(moment, options) {
		return this.#texts.formatDate(moment, options);
	}

	/** @param {number} ms */
	formatDuration(ms) {
		return this.#texts.formatDuration(ms);
	}

	// --- log ---

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
	 * @param {Entry[]} entries
	 * @returns {Promise<Entry[]>}
	 */
	async #sendLog(entries) {
		if (this.connection !== "connected") return entries;
		/** @type {Entry[]} */
		const unsent = [];
		await Promise.all(entries.map(async (entry) => {
			try {
				await this.#call(logsTarget, entry);
			} catch (error) {
				// An entry that the server does not want is not offered again.
				if (toCallError(error).reason === "offline") unsent.push(entry);
			}
		}));
		return entries.filter((entry) => unsent.includes(entry));
	}

	/** @param {Entry[]} entries */
	#sendLastLog(entries) {
		if (!globalThis.document || globalThis.navigator?.onLine === false) return false;
		fetch(`${this.#options.baseUrl}/logs`, {
			method: "POST",
			credentials: "same-origin",
			keepalive: true,
			headers: { "Content-Type": "application/json", "X-Client-Id": this.clientId },
			body: JSON.stringify({ messages: entries }),
		}).catch(() => undefined); // the page is gone, there is nobody to tell
		return true;
	}
}
