// @ts-check
/**
 * The classic script, for connectors that were written as plain scripts for
 * `eXo.webConferencing`:
 *
 *     <script src="/webconferencing/exo.js"></script>
 *     <script src="/my-connector.js"></script>
 *
 * It offers `eXo.webConferencing` at once and loads the client behind it. What
 * is asked before the client is there waits for it. The client starts by the
 * page's configuration, see index.js, or by `init(user, context)`.
 *
 * Everything that takes time returns a promise that also has done, fail, always
 * and the rest of what jQuery's deferred objects have, so that `$.when` takes it
 * too; what connectors return may be jQuery's promises and elements.
 *
 * @typedef {import("./types.js").WebConferencing} WebConferencing
 * @typedef {import("./types.js").Provider} Provider
 * @typedef {import("./types.js").ButtonContext} ButtonContext
 * @typedef {import("./types.js").LegacyPromise} LegacyPromise
 * @typedef {(...args: any[]) => any} Callback
 */
(function () {
	"use strict";

	/** @type {any} */
	const page = window;
	page.eXo = page.eXo || {};
	if (page.eXo.webConferencing) return;
	const script = document.currentScript;
	const assets = new URL(".", script instanceof HTMLScriptElement && script.src ? script.src : document.baseURI);

	// --- promises ---

	/**
	 * Runs what a connector gave us; its mistake must not keep others from being
	 * called.
	 *
	 * @param {Callback} callback
	 * @param {any[]} args
	 */
	function run(callback, args) {
		try {
			callback(...args);
		} catch (error) {
			queueMicrotask(() => {
				throw error;
			});
		}
	}

	/**
	 * A promise for any number of values, whose callbacks are called at once, in
	 * the order in which they were added.
	 */
	class Deferred {
		/** @type {"pending"|"resolved"|"rejected"} */
		#state = "pending";
		/** @type {any[]} */
		#values = [];
		/** @type {{on: "resolved"|"rejected"|"both", callback: Callback}[]} */
		#waiting = [];
		#calling = false;

		/** @param {any[]} values */
		resolve(...values) {
			this.#settle("resolved", values);
		}

		/** @param {any[]} values */
		reject(...values) {
			this.#settle("rejected", values);
		}

		/**
		 * @param {"resolved"|"rejected"} state
		 * @param {any[]} values
		 */
		#settle(state, values) {
			if (this.#state !== "pending") return;
			this.#state = state;
			this.#values = values;
			this.#call();
		}

		#call() {
			// A callback that adds another one does not let it overtake the rest.
			if (this.#calling || this.#state === "pending") return;
			this.#calling = true;
			for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
				if (next.on === "both" || next.on === this.#state) run(next.callback, this.#values);
			}
			this.#calling = false;
		}

		/**
		 * @param {"resolved"|"rejected"|"both"} on
		 * @param {any[]} callbacks functions, and lists of them
		 */
		#add(on, callbacks) {
			for (const callback of callbacks.flat(Infinity)) if (typeof callback === "function") this.#waiting.push({ on, callback });
			this.#call();
		}

		/** @returns {LegacyPromise} */
		promise() {
			/** @type {any} */
			const promise = {
				state: () => this.#state,
				done: (/** @type {any[]} */ ...callbacks) => (this.#add("resolved", callbacks), promise),
				fail: (/** @type {any[]} */ ...callbacks) => (this.#add("rejected", callbacks), promise),
				always: (/** @type {any[]} */ ...callbacks) => (this.#add("both", callbacks), promise),
				progress: () => promise,
				then: (/** @type {Callback} */ onDone, /** @type {Callback} */ onFail) => this.#then(onDone, onFail),
				pipe: (/** @type {Callback} */ onDone, /** @type {Callback} */ onFail) => this.#then(onDone, onFail),
				catch: (/** @type {Callback} */ onFail) => this.#then(undefined, onFail),
				finally: (/** @type {Callback} */ callback) => new Promise((resolve, reject) => promise.then(resolve, reject)).finally(callback),
				promise: (/** @type {any} */ target) => (target ? Object.assign(target, promise) : promise),
			};
			return promise;
		}

		/**
		 * @param {Callback} [onDone]
		 * @param {Callback} [onFail]
		 */
		#then(onDone, onFail) {
			const next = new Deferred();
			/** @param {Callback | undefined} callback @param {"resolve"|"reject"} way */
			const step = (callback, way) => (/** @type {any[]} */ ...values) => queueMicrotask(() => {
				if (typeof callback !== "function") {
					next[way](...values);
					return;
				}
				try {
					follow(next, callback(...values));
				} catch (error) {
					next.reject(error);
				}
			});
			this.#add("resolved", [step(onDone, "resolve")]);
			this.#add("rejected", [step(onFail, "reject")]);
			return next.promise();
		}
	}

	/**
	 * Settles as a value does, which may be anybody's promise.
	 *
	 * @param {Deferred} deferred
	 * @param {any} value
	 */
	function follow(deferred, value) {
		if (typeof value?.then === "function") value.then((/** @type {any[]} */ ...values) => deferred.resolve(...values), (/** @type {any[]} */ ...values) => deferred.reject(...values));
		else deferred.resolve(value);
	}

	/**
	 * @param {any} value
	 * @returns {LegacyPromise}
	 */
	function legacy(value) {
		const deferred = new Deferred();
		if (typeof value?.then !== "function") deferred.resolve(value, "success");
		else value.then((/** @type {any} */ result) => deferred.resolve(result, "success"), (/** @type {any} */ error) => deferred.reject(error, error?.status ?? 0, error?.message ?? ""));
		return deferred.promise();
	}

	// --- the client behind ---

	/** @type {WebConferencing | null} */
	let client = null;
	/** @type {((wc: WebConferencing) => void)[]} what waits for the client */
	const waiting = [];
	const maxWaiting = 1000;

	/** @param {WebConferencing} wc */
	function connect(wc) {
		if (client === wc) return;
		client = wc;
		for (const task of waiting.splice(0)) run(task, [wc]);
	}

	/** @param {(wc: WebConferencing) => void} task */
	function soon(task) {
		if (client) task(client);
		else if (waiting.length < maxWaiting) waiting.push(task);
	}

	/** @param {(wc: WebConferencing) => any} task */
	function later(task) {
		return legacy(new Promise((resolve, reject) => {
			if (!client && waiting.length >= maxWaiting) reject(new Error("too much waits for the start of web conferencing"));
			soon((wc) => {
				try {
					resolve(task(wc));
				} catch (error) {
					reject(error);
				}
			});
		}));
	}

	/** @returns {WebConferencing} */
	function now() {
		if (!client) throw new Error("web conferencing has not started yet");
		return client;
	}

	// Told before the client looks for running calls, so that connectors are
	// there when it does.
	document.addEventListener("webconferencing-start", (event) => {
		if (event instanceof CustomEvent) connect(event.detail);
	});
	const index = import(new URL("index.js", assets).href);
	const started = index.then(async (module) => {
		const running = await module.started;
		if (running) connect(running.wc);
		return running;
	});
	started.catch((error) => console.error("web conferencing did not load", error));

	// --- connectors ---

	/** @type {WeakMap<Provider, any>} what connectors gave, by what the client has */
	const originals = new WeakMap();
	/** @param {Provider | undefined} provider */
	const originalOf = (provider) => (provider ? (originals.get(provider) ?? provider) : provider);

	/**
	 * The element that a connector gave, perhaps inside a jQuery object.
	 *
	 * @param {any} given
	 */
	function elementOf(given) {
		return given instanceof Element ? given : given?.[0];
	}

	/** @param {ButtonContext} context */
	function legacyContext(context) {
		return { ...context, details: () => legacy(context.details()) };
	}

	/**
	 * @param {any} given a connector's object
	 * @returns {Provider}
	 */
	function adapt(given) {
		/** @type {Provider} */
		const provider = {
			// Shows its calls by itself, unless it lets the page do so.
			ownsCalls: typeof given.openSession !== "function",
			getType: () => given.getType(),
			getSupportedTypes: () => given.getSupportedTypes(),
			getTitle: () => given.getTitle(),
			callButton: async (context) => elementOf(await given.callButton(legacyContext(context))),
		};
		for (const name of /** @type {const} */ (["configure", "showSettings", "getCallUrl", "findCallId", "supportsGroups", "openSession"])) {
			if (typeof given[name] === "function") provider[name] = (/** @type {any[]} */ ...args) => given[name](...args);
		}
		for (const name of /** @type {const} */ (["init", "getCallId"])) {
			if (typeof given[name] === "function") provider[name] = (context) => given[name](legacyContext(context));
		}
		originals.set(provider, given);
		return provider;
	}

	// --- log ---

	/**
	 * @param {string} type
	 * @param {string[]} prefixes
	 */
	function makeLog(type, prefixes = []) {
		/** @type {import("./types.js").Log | null} */
		let log = null;
		/** @param {WebConferencing} wc */
		const real = (wc) => (log ??= prefixes.reduce((made, text) => made.prefix(text), wc.getLog(type)));
		/** @type {any} */
		const made = {
			prefix: (/** @type {string} */ text) => makeLog(type, [...prefixes, text]),
			lastMessageRef: () => (client ? real(client).lastMessageRef() : ""),
		};
		for (const level of /** @type {const} */ (["trace", "debug", "info", "warn", "error", "showError"])) {
			made[level] = (/** @type {[any, any, any]} */ ...args) => soon((wc) => real(wc)[level](...args));
		}
		return made;
	}

	// --- events ---

	/**
	 * @param {(wc: WebConferencing) => {off(): void}} subscribe
	 */
	function listen(subscribe) {
		/** @type {{off(): void} | null} */
		let held = null;
		let over = false;
		soon((wc) => {
			if (!over) held = subscribe(wc);
		});
		return {
			off() {
				over = true;
				held?.off();
			},
		};
	}

	// --- what connectors see ---

	/** @type {any} */
	const api = {
		/** @param {any} user @param {any} context */
		init: (user, context) => legacy(index.then(async (module) => {
			const running = await started;
			if (running) {
				running.wc.update(context);
				return running.wc.getUser();
			}
			const { wc } = await module.start({ user, context });
			connect(wc);
			return wc.getUser();
		})),
		update: () => soon((wc) => wc.update()),

		/** @param {any} provider */
		addProvider: (provider) => soon((wc) => wc.addProvider(adapt(provider))),
		/** @param {string} type */
		findProvider: (type) => originalOf(client?.findProvider(type)),
		/** @param {string} type */
		getProvider: (type) => later((wc) => wc.getProvider(type).then(originalOf)),
		getAllProviders: () => (client?.getAllProviders() ?? []).map(originalOf),

		getUser: () => client?.getUser(),
		getCurrentSpaceId: () => client?.getCurrentSpaceId() ?? null,
		getCurrentRoomTitle: () => client?.getCurrentRoomTitle() ?? null,
		getBaseUrl: () => location.origin,

		/** @param {any[]} args */
		onUserUpdate: (...args) => listen((wc) => wc.onUserUpdate(args[0], args[1], args[2], args[3])),
		/** @param {any[]} args */
		onCallUpdate: (...args) => listen((wc) => wc.onCallUpdate(args[0], args[1], args[2], args[3])),

		/** @param {string} id */
		createUserContext: (id) => legacyContext(now().createUserContext(id)),
		/** @param {string} id */
		createSpaceContext: (id) => legacyContext(now().createSpaceContext(id)),
		/** @param {string} id @param {string[]} [participants] @param {string[]} [spaces] */
		createSpaceEventContext: (id, participants, spaces) => legacyContext(now().createSpaceEventContext(id, participants, spaces)),
		/** @param {string} id @param {string} [title] @param {string[]} [members] */
		createChatContext: (id, title, members) => legacyContext(now().createChatContext(id, title, members)),

		/** @param {string} link @param {any} provider */
		findCallId: (link, provider) => provider?.findCallId?.(link) ?? null,
		/** @param {any} user @param {string} type */
		imAccount: (user, type) => {
			const accounts = user?.imAccounts;
			return accounts && Object.hasOwn(accounts, type) ? (accounts[type][0] ?? null) : null;
		},
		/** @param {any} error */
		errorText: (error) => (client ? client.errorText(error) : String(error?.message ?? error)),
		/** @param {string} key @param {any} [values] */
		message: (key, values) => (client ? client.message(key, values) : key),
		getLog: (/** @type {string} */ type = "") => makeLog(type),
		/** @param {string} url */
		loadStyle: (url) => soon((wc) => wc.loadStyle(url)),

		// Windows open while the click is handled, so these two can't wait.
		/** @param {string} url @param {string} name */
		showCallPopup: (url, name) => show(window.open(url, name, "popup,width=1024,height=720")),
		/** @param {string} url @param {string} name */
		showCallWindow: (url, name) => show(window.open(url, name)),

		/** @param {string} title @param {string} text */
		showConfirm: (title, text) => {
			const deferred = new Deferred();
			later((wc) => wc.showConfirm(title, text)).done((/** @type {boolean} */ yes) => (yes ? deferred.resolve(true) : deferred.reject(false)));
			return deferred.promise();
		},
	};

	/** @param {Window | null} opened */
	function show(opened) {
		opened?.focus();
		return opened;
	}

	for (const name of /** @type {const} */ (["showInfo", "showWarn", "showError"])) {
		api[name] = (/** @type {string} */ title, /** @type {string} */ text) => soon((wc) => wc[name](title, text));
	}
	for (const name of /** @type {const} */ (["noticeInfo", "noticeWarn", "noticeError"])) {
		// With two texts the first one is a title.
		api[name] = (/** @type {any[]} */ ...texts) => soon((wc) => wc[name](texts.filter((t) => typeof t === "string").slice(0, 2).join(": ")));
	}
	for (const name of /** @type {(keyof WebConferencing)[]} */ ([
		"getCall", "addCall", "updateCall", "updateUserCall", "updateParticipants", "updateInvites", "checkInvite", "addGuest", "deleteCall",
		"findIdentities", "getUserGroupCalls", "getUserStatus", "getUserInfo", "getSpaceInfo", "getRoomInfo", "toCallUpdate",
		"getProvidersConfig", "getProviderConfig", "postProviderConfig",
	])) {
		api[name] = (/** @type {any[]} */ ...args) => later((/** @type {any} */ wc) => wc[name](...args));
	}
	api.createCall = api.addCall;
	api.getCallsState = api.getUserGroupCalls;

	/**
	 * Puts the buttons of all connectors into an element, for a page that has no
	 * `<wc-call-button>`.
	 *
	 * @param {Element} place
	 * @param {any} context
	 */
	api.showCallButtons = (place, context) => later(async (wc) => {
		const buttons = await Promise.all(wc.getProviders().map((provider) => provider.callButton(context).catch((error) => {
			wc.getLog(provider.getType()).warn("There is no call button", error);
			return null;
		})));
		const shown = buttons.filter((button) => button instanceof Element);
		place.replaceChildren(...shown);
		return shown;
	});

	page.eXo.webConferencing = api;
	// Scripts written as modules of eXo's loader look for it by this name too.
	page.webConferencing = page.webConferencing || api;
})();
