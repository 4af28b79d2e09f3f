import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { callIdOf } from "../../../connector/webrtc/assets/call-id.js";
import { IceServers } from "../../../connector/webrtc/assets/ice.js";
import { titleOf } from "../assets/current-call.js";
import { EventFence } from "../assets/fence.js";
import { ringsFor } from "../assets/incoming.js";
import { LogSpool, createLog } from "../assets/log.js";
import { englishMessages } from "../assets/messages.js";
import { MissedCalls } from "../assets/missed.js";
import { Pacing } from "../assets/pacing.js";
import { CallError, toCallError } from "../assets/rest.js";
import { rememberCall, takeCall } from "../assets/resume.js";
import { inBatches } from "../assets/transport.js";
import { createWebConferencing } from "../assets/webconferencing.js";
import { asObject, joinLists } from "../assets/wire.js";

test("events that are older than what was seen are dropped", () => {
	const fence = new EventFence();
	const passes = (epoch, version, callId = "c", scope = "s") => fence.passes(scope, { callId, epoch, version });
	assert.ok(passes(1, 5));
	assert.ok(passes(1, 5), "events of one change share a version");
	assert.ok(!passes(1, 4));
	assert.ok(passes(2, 1), "a new run");
	assert.ok(!passes(1, 9));
	assert.ok(passes(1, 1, "other"));
	assert.ok(passes(1, 1, "c", "another channel"));
	assert.ok(fence.passes("s", { callId: "c" }), "old servers number nothing");
	for (let i = 0; i < 2000; i++) passes(1, 1, `c${i}`);
	assert.ok(passes(1, 0, "c0"), "the memory is bounded");
});

test("the count of missed calls is read again when an event told of another one meanwhile", async () => {
	const answers = [];
	const ask = () => new Promise((resolve) => answers.push(resolve));
	const missed = new MissedCalls({ getMissedCount: ask, markSeen: ask }, () => {});
	const event = (count) => missed.onEvent({ eventType: "call_history", count });
	const tick = () => new Promise(setImmediate);

	for (const begin of [() => missed.read(), () => missed.see()]) {
		answers.length = 0;
		const done = begin();
		event(2);
		answers[0](1);
		await tick();
		assert.equal(missed.count, 2);
		answers[1](3);
		await done;
		assert.deepEqual([missed.count, answers.length], [3, 2]);
	}

	answers.length = 0;
	const done = missed.read();
	for (let i = 0; i < 4; i++) {
		event(i);
		answers[i](9);
		await tick();
	}
	await done;
	assert.deepEqual([missed.count, answers.length], [3, 4], "it does not read for ever");
});

test("pacing doubles, stays below the maximum and spreads", () => {
	const pacing = new Pacing(1000, 30_000);
	const tops = [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000];
	for (const top of tops) {
		const ms = pacing.backoff(0);
		assert.ok(ms >= top * 0.1 && ms <= top, `${ms} of ${top}`);
	}
	const spread = new Pacing(100, 30_000);
	const waits = Array.from({ length: 100 }, () => {
		spread.failures = 0;
		return spread.backoff(5000);
	});
	assert.ok(Math.max(...waits) - Math.min(...waits) > 3000);
});

test("advice is taken within reason", () => {
	const pacing = new Pacing(1, 1);
	for (const advice of [null, "none", 5, { timeout: -1, interval: "1", reconnect: 7 }, { timeout: NaN }]) pacing.heed(advice);
	assert.deepEqual([pacing.timeout, pacing.interval, pacing.reconnect], [30_000, 0, "retry"]);
	pacing.heed({ timeout: 1e12, interval: 1e12, reconnect: "none" });
	assert.deepEqual([pacing.timeout, pacing.interval, pacing.reconnect], [300_000, 60_000, "none"]);
});

test("batches keep order and stay small", () => {
	const messages = Array.from({ length: 100 }, (_, n) => ({ n, text: "x".repeat(1000) }));
	messages.splice(50, 0, { n: -1, text: "x".repeat(100_000) });
	const batches = inBatches(messages);
	assert.deepEqual(batches.flat(), messages);
	for (const batch of batches) assert.ok(batch.length === 1 || JSON.stringify(batch).length < 50_000);
});

test("a call id is the same from either side and different for different pairs", async () => {
	const pair = (a, b) => callIdOf({ isGroup: false, currentUser: { id: a }, details: async () => ({ id: b }) });
	assert.equal(await pair("mary", "john"), "p/john-mary");
	assert.equal(await pair("john", "mary"), "p/john-mary");
	const ids = new Set();
	for (const [a, b] of [["a-b", "c"], ["a", "b-c"], ["a~2db", "c"], ["a", "b"], ["a~", "b"], ["a~7e", "b"]]) ids.add(await pair(a, b));
	assert.equal(ids.size, 6, [...ids].join(" "));
	assert.equal(await callIdOf({ isGroup: true, details: async () => ({ id: "product_team" }) }), "g/product_team");
});

test("ICE settings are kept for half of their life and survive a failure", async () => {
	mock.timers.enable({ apis: ["Date"] });
	let asked = 0;
	let fails = false;
	const servers = new IceServers(async () => {
		asked++;
		if (fails) throw new Error("offline");
		return { iceServers: [{ urls: ["stun:s"] }], ttl: 600 };
	});
	await servers.get();
	mock.timers.tick(299_000);
	await servers.get();
	assert.equal(asked, 1);
	mock.timers.tick(2000);
	fails = true;
	assert.deepEqual(await servers.get(), [{ urls: ["stun:s"] }]);
	assert.equal(asked, 2);
	mock.timers.reset();
});

test("a call rings only for those who are rung", () => {
	const call = (members, me) => ({ epoch: 1, state: "started", participants: [{ id: "john", ...me }], ...members });
	assert.ok(ringsFor("john", call({}, { ring: "ringing" })));
	for (const ring of ["answered", "declined", "missed", undefined]) assert.ok(!ringsFor("john", call({}, { ring })), String(ring));
	assert.ok(!ringsFor("john", call({ state: "stopped" }, { ring: "ringing" })));
	assert.ok(!ringsFor("mary", call({}, { ring: "ringing" })));
	assert.ok(ringsFor("john", call({ epoch: undefined }, {})), "a server without rings");
	assert.ok(!ringsFor("john", call({ epoch: undefined }, { state: "joined" })));
});

test("a call is named after the other person or the group", () => {
	const participants = [{ id: "mary", title: "Mary Williams" }, { id: "john", title: "" }];
	assert.equal(titleOf({ owner: { group: false }, participants }, "john"), "Mary Williams");
	assert.equal(titleOf({ owner: { group: false }, participants }, "mary"), "john");
	assert.equal(titleOf({ owner: { group: true, title: "Team" }, participants }, "mary"), "Team");
});

test("the log spools: over ten at once, the rest after ten seconds", () => {
	mock.timers.enable({ apis: ["setTimeout", "Date"] });
	const batches = [];
	const spool = new LogSpool((entries) => batches.push(entries));
	const add = (count) => {
		for (let i = 0; i < count; i++) spool.add({ provider: "p", prefix: "", level: "info", data: String(i), timestamp: "" });
	};
	add(10);
	assert.equal(batches.length, 0);
	mock.timers.tick(9999);
	assert.equal(batches.length, 0);
	mock.timers.tick(1);
	assert.equal(batches[0].length, 10);
	add(11);
	assert.equal(batches[1].length, 11);
	spool.flush();
	assert.equal(batches.length, 2, "nothing waits, nothing is sent");
	mock.timers.reset();
});

test("a log line can be found again by its reference", () => {
	const silenced = ["debug", "info", "error"].map((level) => mock.method(console, level, () => {}));
	const entries = [];
	const shown = [];
	const log = createLog(() => ({
		provider: "webrtc",
		owner: "mary-c1",
		spool: (entry) => entries.push(entry),
		show: (title, text) => shown.push(`${title}: ${text}`),
		reference: (ref) => `Error reference: ${ref}`,
	}));
	const call = log.prefix("call");
	call.info("Starting", new Error("slow"));
	log.trace("never sent");
	log.debug({ a: 1 });
	call.showError("No call", "It failed.", "x".repeat(20_000));
	assert.deepEqual(entries.map((e) => [e.prefix, e.level]), [["call", "info"], ["", "debug"], ["call", "error"]]);
	assert.equal(entries[0].data, "Starting: Error: slow");
	assert.equal(entries[1].data, '{"a":1}');
	assert.equal(entries[2].data.length, 8192);
	assert.equal(log.lastMessageRef(), `mary-c1-${entries[2].timestamp}`);
	assert.equal(shown[0], `No call: It failed. Error reference: ${log.lastMessageRef()}`);
	for (const method of silenced) method.mock.restore();
});

test("whatever fails becomes one kind of error", () => {
	const of = (cause) => {
		const { code, reason } = toCallError(cause);
		return [code, reason];
	};
	assert.deepEqual(of({ code: "refused", data: { code: "CLIENT_ERROR", message: "m", reason: "call_conflict" } }), ["CLIENT_ERROR", "call_conflict"]);
	assert.deepEqual(of({ code: "403", message: "403::denied" }), ["ACCESS_ERROR", ""]);
	assert.deepEqual(of({ code: "timeout", message: "m" }), ["SERVER_ERROR", "offline"]);
	assert.deepEqual(of(new TypeError("fetch failed")), ["SERVER_ERROR", "offline"]);
	assert.deepEqual(of(undefined), ["SERVER_ERROR", ""]);
	const error = new CallError({ code: "NOT_FOUND_ERROR" });
	assert.equal(toCallError(error), error);
	assert.equal(error.error, true);
});

test("texts come from the host, in English by default, with values filled in once", () => {
	const wc = createWebConferencing({ user: "mary", context: { messages: { "webconferencing.ok": "Bien", "webconferencing.button.call": "Appeler {name}" } } });
	assert.equal(wc.message("webconferencing.ok"), "Bien");
	assert.equal(wc.message("webconferencing.cancel"), "Cancel");
	assert.equal(wc.message("webconferencing.button.call", { name: "{name} $& <b>" }), "Appeler {name} $& <b>");
	assert.equal(wc.message("nothing"), "nothing");
	for (const key of ["__proto__", "constructor", "toString"]) assert.equal(wc.message(key), key);
	assert.equal(wc.errorText(new CallError({ reason: "call_full", code: "CLIENT_ERROR" })), "This call is full.");
	assert.equal(wc.errorText(new CallError({ code: "ACCESS_ERROR" })), "You may not do this.");
	for (const [key, text] of englishMessages) assert.ok(key.startsWith("webconferencing.") && text.length > 0, key);
});

test("events are objects or JSON text of objects", () => {
	assert.deepEqual(asObject('{"a":1}'), { a: 1 });
	assert.deepEqual(asObject({ a: 1 }), { a: 1 });
	for (const bad of ["{", "7", "[]", null, undefined, 7, [], true]) assert.equal(asObject(bad), null);
});

test("lists travel as one text", () => {
	assert.deepEqual(joinLists({ title: "T", participants: ["a", "b"], spaces: [] }), { title: "T", participants: "a;b", spaces: "" });
	assert.deepEqual(joinLists({ title: "T" }), { title: "T" });
});

test("a tab returns into its call once, soon, and only as the same user", () => {
	const stored = new Map();
	globalThis.sessionStorage = {
		getItem: (key) => stored.get(key) ?? null,
		setItem: (key, value) => stored.set(key, value),
		removeItem: (key) => stored.delete(key),
	};
	const left = { callId: "g/t", userId: "mary", clientId: "c", seat: "s", epoch: 1, muted: true, cameraOff: false };
	rememberCall(left);
	assert.equal(takeCall("mary").seat, "s");
	assert.equal(takeCall("mary"), null, "a duplicated tab does not find it");
	rememberCall(left);
	assert.equal(takeCall("john"), null);
	mock.timers.enable({ apis: ["Date"], now: Date.now() });
	rememberCall(left);
	mock.timers.tick(61_000);
	assert.equal(takeCall("mary"), null);
	mock.timers.reset();
	for (const broken of ["{", "[]", "7", '{"callId":7}']) {
		stored.set("webconferencing.call", broken);
		assert.equal(takeCall("mary"), null, broken);
	}
	delete globalThis.sessionStorage;
	rememberCall(left);
	assert.equal(takeCall("mary"), null);
});

test("providers are found by each type, and only active ones are offered", async () => {
	const wc = createWebConferencing({ user: { id: "mary", title: "Mary", type: "user", group: false }, context: { providersConfig: [{ type: "a", title: "A", active: true }, { type: "b", title: "B", active: false }] } });
	const provider = (type, ...more) => ({ getType: () => type, getSupportedTypes: () => more, getTitle: () => type, callButton: async () => null });
	const soon = wc.getProvider("a2");
	wc.addProvider(provider("a", "a2"));
	wc.addProvider(provider("b"));
	assert.equal((await soon).getType(), "a");
	assert.deepEqual(wc.getProviders().map((p) => p.getType()), ["a"]);
	assert.deepEqual(wc.getAllProviders().map((p) => p.getType()), ["a", "b"]);
	wc.update({ providersConfig: [] });
	assert.deepEqual(wc.getProviders(), []);
});
