/**
 * The example portal as a server for tests, and clients of its users in Node.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";
import { createCalls } from "../assets/calls.js";
import { createWebConferencing } from "../assets/webconferencing.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** @type {Map<string, string>} cookie by user */
const cookies = new Map();
const plainFetch = globalThis.fetch;

// Addresses carry the user's name, and requests his cookie in its place.
globalThis.fetch = (address, init = {}) => {
	const url = new URL(address);
	const cookie = cookies.get(url.username);
	url.username = "";
	return plainFetch(url, cookie ? { ...init, headers: { ...init.headers, cookie } } : init);
};
globalThis.WebSocket = class extends WebSocket {
	constructor(address) {
		const url = new URL(address);
		const cookie = cookies.get(url.username) ?? "";
		url.username = "";
		super(url, { headers: { cookie }, origin: `http://${url.host}` });
	}
};

/** The portal's process; it can be killed and started again. */
export class Portal {
	#folder = mkdtempSync(join(tmpdir(), "webclient-test-"));
	#binary = process.env.PORTAL_BIN ?? join(this.#folder, "portal");
	#process;
	#port = 0;
	#people = [];

	/** PORTAL_BIN names one that was built already. */
	async build() {
		if (!process.env.PORTAL_BIN) execFileSync("go", ["build", "-o", this.#binary, "./examples/portal"], { cwd: root, stdio: "inherit" });
		const free = createServer().listen(0, "127.0.0.1");
		await once(free, "listening");
		this.#port = free.address().port;
		free.close();
		await once(free, "close");
		await this.start();
		return this;
	}

	get url() {
		return `http://127.0.0.1:${this.#port}`;
	}

	async start() {
		this.#process = spawn(this.#binary, ["-addr", `127.0.0.1:${this.#port}`, "-data", join(this.#folder, "data"), "-log-level", "error"], { stdio: ["ignore", "ignore", "inherit"] });
		for (;;) {
			try {
				await plainFetch(`http://127.0.0.1:${this.#port}/login`);
				return;
			} catch {
				await new Promise((resolve) => setTimeout(resolve, 50));
			}
		}
	}

	async kill() {
		this.#process.kill("SIGKILL");
		await once(this.#process, "exit");
	}

	/**
	 * A new page of a user, with a provider that has no real media.
	 *
	 * @param {string} user
	 */
	async page(user) {
		const host = `127.0.0.1:${this.#port}`;
		if (!cookies.has(user)) {
			const answer = await plainFetch(`http://${host}/login`, { method: "POST", body: new URLSearchParams({ username: user, password: "demo" }), redirect: "manual" });
			cookies.set(user, answer.headers.getSetCookie()[0].split(";")[0]);
		}
		const origin = `http://${user}@${host}`;
		const wc = createWebConferencing({ user, baseUrl: `${origin}/portal/rest/webconferencing`, statusUrl: `${origin}/portal/rest/state/status`, cometdUrl: `${origin}/cometd/cometd` });
		await wc.init();
		const sessions = [];
		const media = { acquire: async () => {} };
		wc.addProvider({
			getType: () => "webrtc",
			getSupportedTypes: () => ["webrtc"],
			getTitle: () => "Test",
			callButton: async () => null,
			getCallId: async ({ currentUser, isGroup, details }) => {
				const { id } = await details();
				return isGroup ? `g/${id}` : `p/${[currentUser.id, id].sort().join("-")}`;
			},
			openSession(options) {
				const session = Object.assign(new EventTarget(), {
					options, local: null, remotes: [], problem: "", muted: false, cameraOff: false, hasAudio: true, hasVideo: true,
					received: [], dropped: [], starts: 0, closed: false,
					acquire: () => media.acquire(),
					start: async () => void session.starts++,
					receive: (data) => session.received.push(data),
					dropParty: (...who) => session.dropped.push(who),
					setMuted() {}, setCameraOff() {}, refresh() {},
					close: () => (session.closed = true),
				});
				sessions.push(session);
				return session;
			},
		});
		const calls = createCalls(wc);
		calls.open();
		await wc.onUserUpdate(user, () => {}).ready;
		const person = { wc, calls, sessions, media, until, rest: `${origin}/portal/rest/webconferencing` };
		this.#people.push(person);
		return person;

		/** Waits until a condition holds after some change. */
		async function until(condition, what = condition.toString()) {
			const limit = new AbortController();
			const timer = setTimeout(() => limit.abort(), 20_000);
			while (!condition()) {
				const changed = once(calls, "change", { signal: limit.signal });
				await changed.catch(() => {
					throw new Error(`in vain: ${what}; now ${JSON.stringify({ phase: calls.current?.phase, status: calls.current?.status, incoming: calls.incoming.length })}`);
				});
			}
			clearTimeout(timer);
		}
	}

	/** Ends all pages. */
	closePages() {
		for (const { wc, calls } of this.#people.splice(0)) {
			calls.close();
			wc.close();
		}
	}

	async stop() {
		this.closePages();
		await this.kill();
		rmSync(this.#folder, { recursive: true });
	}
}
