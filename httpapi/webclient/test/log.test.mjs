import assert from "node:assert/strict";
import { after, afterEach, before, mock, test } from "node:test";
import { Numbering, SeenOnce } from "../assets/call-data.js";
import { createLog } from "../assets/log.js";
import { LogSpool, keepEntries, takeEntries } from "../assets/log-spool.js";
import { CallError, toCallError } from "../assets/rest.js";
import { newKey } from "../assets/wire.js";
import { Stage, client, holds, kitPage, strictPolicy } from "./chromium.mjs";

const entry = (data, more = {}) => ({ provider: "p", prefix: "", level: "info", data: String(data), timestamp: "2026-11-22T14:05:38.958Z", ...more });
afterEach(() => mock.timers.reset());

const texts = (entries) => entries.map((e) => e.data);

test("what can't be sent waits, in order, and no more than is good", async () => {
	mock.timers.enable({ apis: ["setTimeout", "Date"] });
	let online = false;
	const sent = [];
	const spool = new LogSpool(async (entries) => {
		if (!online) return entries;
		sent.push(...entries);
		return [];
	});
	for (let n = 0; n < 30; n++) spool.add(entry(n));
	await new Promise(setImmediate);
	assert.equal(spool.size, 30);
	for (let round = 0; round < 8; round++) {
		for (let n = 0; n < 100; n++) spool.add(entry(`${round}/${n}`));
		mock.timers.tick(100_000); // so that it is no flood
		await new Promise(setImmediate);
	}
	assert.equal(spool.size, 500, "the oldest go first");
	online = true;
	mock.timers.tick(10_000);
	await new Promise(setImmediate);
	assert.match(sent[0].data, /^3\d\d messages were left out$/);
	assert.equal(sent.at(-1).data, "7/99");
	assert.equal(spool.size, 0);
});

test("a send that throws loses nothing", async () => {
	let fails = true;
	const sent = [];
	const spool = new LogSpool(async (entries) => {
		if (fails) throw new Error("broken");
		sent.push(...texts(entries));
		return [];
	});
	spool.add(entry("a"));
	spool.flush();
	await new Promise(setImmediate);
	fails = false;
	spool.add(entry("b"));
	spool.flush();
	await new Promise(setImmediate);
	assert.deepEqual(sent, ["a", "b"]);
	spool.farewell();
});

test("a message that comes again and again is counted, and a flood is cut", async () => {
	mock.timers.enable({ apis: ["setTimeout", "Date"] });
	const sent = [];
	const spool = new LogSpool((entries) => sent.push(...texts(entries)));
	for (let n = 0; n < 1000; n++) spool.add(entry("the same"));
	spool.add(entry("another"));
	spool.flush();
	assert.deepEqual(sent, ["the same", "The last message came 999 more times", "another"]);
	sent.length = 0;
	for (let n = 0; n < 1000; n++) spool.add(entry(n));
	spool.flush();
	assert.ok(sent.length <= 210, `${sent.length} were sent`);
	mock.timers.tick(60_000);
	spool.add(entry("later"));
	spool.flush();
	assert.equal(sent.at(-1), "later");
	assert.ok(sent.some((text) => /^8\d\d messages were left out$/.test(text)), sent.slice(-3).join());
});

test("a page that goes away sends the newest in one request and keeps the rest", () => {
	let last;
	const spool = new LogSpool({
		send: () => Promise.resolve([]),
		farewell: (entries) => {
			last = texts(entries);
			return true;
		},
	});
	spool.takeOver(Array.from({ length: 80 }, (_, n) => entry(n)));
	const rest = spool.farewell();
	assert.deepEqual(last, Array.from({ length: 50 }, (_, n) => String(n + 30)));
	assert.deepEqual(texts(rest), Array.from({ length: 30 }, (_, n) => String(n)));
	assert.equal(spool.size, 0);
	const big = new LogSpool({ send: () => undefined, farewell: (entries) => entries.reduce((sum, e) => sum + JSON.stringify(e).length, 0) < 64_000 });
	for (let n = 0; n < 9; n++) big.add(entry(`${n}${"x".repeat(8000)}`));
	assert.ok(big.farewell().length > 0, "what is too big stays");
});

test("entries are kept for the same user's next page only", () => {
	const stored = new Map();
	globalThis.sessionStorage = { getItem: (k) => stored.get(k) ?? null, setItem: (k, v) => stored.set(k, v), removeItem: (k) => stored.delete(k) };
	keepEntries("mary", Array.from({ length: 200 }, (_, n) => entry(n)));
	assert.equal(takeEntries("john").length, 0);
	keepEntries("mary", Array.from({ length: 200 }, (_, n) => entry(n)));
	assert.deepEqual([takeEntries("mary").length, takeEntries("mary").length], [100, 0]);
	for (const broken of ["{", "7", "[]", '{"userId":"mary","entries":[{"data":7},null]}']) {
		stored.set("webconferencing.log", broken);
		assert.deepEqual(takeEntries("mary"), [], broken);
	}
	delete globalThis.sessionStorage;
	keepEntries("mary", [entry("a")]);
	assert.deepEqual(takeEntries("mary"), []);
});

test("the server's reference of an error is what the user sees and the log tells", () => {
	const silenced = ["error"].map((level) => mock.method(console, level, () => {}));
	const entries = [];
	const shown = [];
	const log = createLog(() => ({ provider: "p", owner: "mary-c", spool: (e) => entries.push(e), show: (_, text) => shown.push(text), reference: (ref) => `[${ref}]` }));
	log.showError("No call", "It failed.", toCallError({ data: { code: "SERVER_ERROR", message: "m", ref: "k3j5h2g8f9d1" } }));
	assert.equal(shown[0], "It failed. [k3j5h2g8f9d1]");
	assert.match(entries[0].data, /\(ref k3j5h2g8f9d1\)$/);
	log.showError("No call", "It failed.", new CallError({ ref: "<b>not a reference</b>" }));
	assert.match(shown[1], /^It failed\. \[mary-c-/);
	for (const method of silenced) method.mock.restore();
});

test("errors tell the present version and the device that answered", () => {
	const { version, device, status } = toCallError({ status: 409, data: { code: "CLIENT_ERROR", message: "", reason: "version_conflict", version: 7, device: "c1" } });
	assert.deepEqual([version, device, status], [7, "c1", 409]);
	assert.equal(toCallError({ data: { code: "CLIENT_ERROR", version: "7" } }).version, undefined);
});

test("data that comes twice is taken once, of each sender for itself", () => {
	const sender = new Numbering();
	const seen = new SeenOnce();
	const from = (data, exoClientId = "c", exoId = "mary") => ({ ...data, exoId, exoClientId });
	const [a, b] = [sender.mark({ n: 1 }), sender.mark({ n: 2 })];
	assert.deepEqual([seen.take(from(a))?.n, seen.take(from(b))?.n], [1, 2]);
	assert.deepEqual([seen.take(from(a)), seen.take(from(b))], [null, null]);
	assert.equal(seen.take(from(a, "c2")).n, 1, "another device");
	assert.equal(seen.take(from(a, "c", "john")).n, 1, "another person");
	assert.equal("exoSeq" in seen.take(from(sender.mark({ n: 3 }))), false);
	for (const exoSeq of [undefined, "1", 1.5, NaN]) assert.equal(seen.take(from({ n: 9, exoSeq })).n, 9, "old clients number nothing");
	for (let i = 0; i < 5000; i++) seen.take(from({ exoSeq: 1 }, `c${i}`));
	assert.notEqual(newKey(), newKey());
});

const stage = new Stage();
before(async () => {
	await stage.open();
	stage.serve("/kit/mary", kitPage("mary"), "text/html", { "content-security-policy": strictPolicy });
});
after(() => stage.close());

test("in Chromium: lines from offline arrive later, and the last ones when the page goes", { timeout: 60_000 }, async () => {
	const { context } = await stage.person("mary");
	await context.addInitScript(() => {
		const send = window.fetch;
		window.fetch = (url, init) => {
			if (String(url).endsWith("/logs")) localStorage.setItem("sent", JSON.stringify({ url, body: init.body, keepalive: init.keepalive }));
			return send(url, init);
		};
	});
	const page = await context.newPage();
	const remote = [];
	page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => {
		for (const message of JSON.parse(payload)) if (message.channel === "/service/webconferencing/logs") remote.push(message.data.data);
	}));
	await page.goto("/kit/mary");
	await client(page);
	await context.setOffline(true);
	await holds(page, () => wc.connection === "offline");
	await page.evaluate(() => {
		for (let n = 0; n < 20; n++) wc.getLog("webrtc").prefix("test").info(`offline ${n}`);
	});
	await context.setOffline(false);
	await holds(page, () => wc.connection === "connected");
	await page.evaluate(() => wc.getUserGroupCalls()); // is answered after what was sent before
	const offline = remote.filter((text) => text.startsWith("offline"));
	assert.deepEqual(offline, Array.from({ length: 20 }, (_, n) => `offline ${n}`));

	// What a page sends while it goes is seen by no tool of the browser, so it is
	// noted on the way, and offered to the server once more.
	await page.evaluate(() => wc.getLog("webrtc").error("the end"));
	await page.goto("/login");
	const { url, body, keepalive } = JSON.parse(await page.evaluate(() => localStorage.getItem("sent")));
	assert.deepEqual([keepalive, JSON.parse(body).messages.at(-1).data], [true, "the end"]);
	const answer = await context.request.post(url, { data: body, headers: { "content-type": "application/json", origin: stage.portal.url } });
	assert.equal(answer.status(), 200);
	await context.close();
});
