import assert from "node:assert/strict";
import { after, afterEach, before, mock, test as plainTest } from "node:test";
import { Portal } from "./portal.mjs";

for (const level of ["debug", "info", "warn", "error"]) mock.method(console, level, () => {});

const test = (name, run) => plainTest(name, { timeout: 60_000 }, run);

/** @type {Portal} */
let portal;
before(async () => {
	portal = await new Portal().build();
});
after(() => portal.stop());
afterEach(async () => {
	portal.closePages();
});

const pair = "p/john-mary";
const phase = ({ calls }) => calls.current?.phase;
const rings = ({ calls }) => calls.incoming.length === 1;

async function connected() {
	const mary = await portal.page("mary");
	const john = await portal.page("john");
	await mary.calls.start({ user: "john" });
	await john.until(() => rings(john));
	await john.calls.accept(pair);
	await mary.until(() => phase(mary) === "active");
	await john.until(() => phase(john) === "active");
	return { mary, john };
}

async function hangUpAll(...people) {
	for (const person of people) await person.calls.hangUp();
}

test("a call: ring, accept, talk, hang up", async () => {
	const mary = await portal.page("mary");
	const john = await portal.page("john");
	await mary.calls.start({ user: "john" });
	assert.equal(phase(mary), "ringing");
	assert.equal(mary.calls.current.status, "Calling John Smith...");
	await john.until(() => rings(john));
	const [card] = john.calls.incoming;
	assert.deepEqual([card.callId, card.callerName, card.groupTitle], [pair, "Mary Williams", ""]);
	await john.calls.accept(card.callId);
	assert.equal(john.calls.incoming.length, 0);
	await mary.until(() => phase(mary) === "active");
	assert.equal(john.calls.current.title, "Mary Williams");

	await mary.sessions[0].options.send({ hello: 1 });
	await john.sessions[0].options.send({ hello: 2 });
	while (mary.sessions[0].received.length + john.sessions[0].received.length < 2) await new Promise(setImmediate);
	assert.equal(mary.sessions[0].received[0].hello, 2);
	assert.deepEqual([john.sessions[0].received[0].hello, john.sessions[0].received[0].exoId, john.sessions[0].received[0].exoClientId], [1, "mary", mary.wc.clientId]);

	await john.calls.hangUp();
	await mary.until(() => phase(mary) === "ended");
	assert.deepEqual([mary.calls.current.reason, john.calls.current.reason], ["ended", "ended"]);
	assert.ok(mary.sessions[0].closed && john.sessions[0].closed);
});

test("declining tells the caller", async () => {
	const mary = await portal.page("mary");
	const john = await portal.page("john");
	await mary.calls.start({ user: "john" });
	await john.until(() => rings(john));
	await john.calls.decline(pair);
	await mary.until(() => phase(mary) === "ended");
	assert.equal(mary.calls.current.status, "declined");
	assert.equal(john.calls.incoming.length, 0);
});

test("the card goes when the caller hangs up, and the next call rings again", async () => {
	const mary = await portal.page("mary");
	const john = await portal.page("john");
	for (let round = 0; round < 3; round++) {
		await mary.calls.start({ user: "john" });
		await john.until(() => rings(john));
		await mary.calls.hangUp();
		assert.equal(mary.calls.current.status, "cancelled");
		await john.until(() => john.calls.incoming.length === 0);
	}
});

test("who hangs up before the camera is there rings nobody", async () => {
	const mary = await portal.page("mary");
	let camera;
	mary.media.acquire = () => new Promise((resolve) => (camera = resolve));
	const starting = mary.calls.start({ user: "john" });
	await mary.until(() => mary.sessions.length === 1);
	await mary.calls.hangUp();
	camera();
	await starting;
	assert.equal(phase(mary), "ended");
	await assert.rejects(mary.wc.getCall(pair), { code: "NOT_FOUND_ERROR" });
});

test("accepting on one device silences the other", async () => {
	const mary = await portal.page("mary");
	const phone = await portal.page("john");
	const desk = await portal.page("john");
	await mary.calls.start({ user: "john" });
	await phone.until(() => rings(phone));
	await desk.until(() => rings(desk));
	await phone.calls.accept(pair);
	await desk.until(() => desk.calls.incoming.length === 0);
	assert.equal(desk.calls.current, null);
	await hangUpAll(phone);
	await mary.until(() => phase(mary) === "ended");
});

test("of two devices that accept at once one has the call", async () => {
	const mary = await portal.page("mary");
	const phone = await portal.page("john");
	const desk = await portal.page("john");
	await mary.calls.start({ user: "john" });
	for (const device of [phone, desk]) await device.until(() => rings(device));
	await Promise.all([phone.calls.accept(pair), desk.calls.accept(pair)]);
	for (const device of [phone, desk]) await device.until(() => ["active", "ended"].includes(phase(device)));
	assert.deepEqual([phase(phone), phase(desk)].sort(), ["active", "ended"]);
	const [loser, winner] = phase(phone) === "ended" ? [phone, desk] : [desk, phone];
	assert.equal(loser.calls.current.status, "Continued on another device");
	await hangUpAll(winner);
	await mary.until(() => phase(mary) === "ended");
});

test("a call that is taken over goes on without this device", async () => {
	const { mary, john } = await connected();
	const { status } = await fetch(`${john.rest}/calls/p%2Fjohn-mary/take-over`, { method: "POST", headers: { "X-Client-Id": "phone" } });
	assert.equal(status, 200);
	await john.until(() => phase(john) === "ended");
	assert.equal(john.calls.current.status, "Continued on another device");
	assert.equal(phase(mary), "active");
	await hangUpAll(mary);
});

test("a page that opens while it rings shows the card", async () => {
	const mary = await portal.page("mary");
	await mary.calls.start({ user: "john" });
	const john = await portal.page("john");
	await john.until(() => rings(john));
	assert.equal(john.calls.incoming[0].callerName, "Mary Williams");
	await hangUpAll(mary);
	await john.until(() => john.calls.incoming.length === 0);
});

test("two who call each other at the same time meet", async () => {
	const mary = await portal.page("mary");
	const john = await portal.page("john");
	await Promise.all([mary.calls.start({ user: "john" }), john.calls.start({ user: "mary" })]);
	await mary.until(() => phase(mary) === "active");
	await john.until(() => phase(john) === "active");
	assert.equal(mary.calls.current.callId, john.calls.current.callId);
	assert.equal(mary.calls.incoming.length + john.calls.incoming.length, 0);
	await hangUpAll(mary);
	await john.until(() => phase(john) === "ended");
});

test("a group: start, join, leave, last one out", async () => {
	const mary = await portal.page("mary");
	const john = await portal.page("john");
	const james = await portal.page("james");
	const team = { space: "product_team" };
	const button = ({ calls }) => calls.groupCall(team);
	for (const p of [john, james]) button(p);
	await mary.calls.start(team);
	assert.equal(phase(mary), "active");
	for (const p of [john, james]) await p.until(() => rings(p));
	assert.deepEqual([john.calls.incoming[0].groupTitle, john.calls.incoming[0].callerName], ["Product Team", "Mary Williams"]);
	await james.calls.decline("g/product_team");
	await john.calls.accept("g/product_team");
	await james.until(() => button(james) === "g/product_team");
	assert.equal(phase(mary), "active", "a decline ends no group call");
	await james.calls.start(team);
	await mary.until(() => mary.calls.current.status === "James Davis joined");
	await james.calls.hangUp();
	await mary.until(() => mary.sessions[0].dropped.some(([user]) => user === "james"));
	assert.equal(mary.calls.current.status, "James Davis left");
	await john.calls.hangUp();
	await mary.calls.hangUp();
	await james.until(() => button(james) === "");
	// A page that was not there learns it by asking.
	await mary.calls.start(team);
	const late = await portal.page("james");
	button(late);
	await late.until(() => button(late) === "g/product_team");
	await hangUpAll(mary);
});

test("a second call waits until the first is over, or replaces it", async () => {
	const { mary, john } = await connected();
	await mary.calls.start({ user: "james" });
	assert.equal(mary.calls.current.callId, pair, "no second call beside the first");
	const james = await portal.page("james");
	await james.calls.start({ user: "mary" });
	await mary.until(() => rings(mary));
	await mary.calls.accept("p/james-mary");
	await john.until(() => phase(john) === "ended");
	await james.until(() => phase(james) === "active");
	await hangUpAll(mary);
});

test("a device whose seat was lost takes a new one", async () => {
	const mary = await portal.page("mary");
	const john = await portal.page("john");
	await mary.calls.start({ space: "product_team" });
	await john.until(() => rings(john));
	await john.calls.accept("g/product_team");
	const call = await mary.wc.getCall("g/product_team");
	// As if the lease had run out while the machine slept.
	const other = await portal.page("mary");
	await other.wc.updateUserCall(call.id, "leaved", { seat: mary.calls.current.seat, epoch: call.epoch });
	await mary.until(() => mary.sessions[0].starts === 2);
	await hangUpAll(mary, john);
});

test("a call outlives the death of the server", async () => {
	const { mary, john } = await connected();
	await portal.kill();
	await mary.until(() => mary.wc.connection === "offline");
	await portal.start();
	for (const p of [mary, john]) await p.until(() => p.wc.connection === "connected");
	assert.deepEqual([phase(mary), phase(john)], ["active", "active"]);
	await mary.sessions[0].options.send({ still: "here" });
	while (john.sessions[0].received.length === 0) await new Promise(setImmediate);
	await john.calls.hangUp();
	await mary.until(() => phase(mary) === "ended");
	assert.equal(mary.calls.current.reason, "ended");
});

test("a ring outlives the death of the server and is answered", async () => {
	const mary = await portal.page("mary");
	const john = await portal.page("john");
	await mary.calls.start({ user: "john" });
	await john.until(() => rings(john));
	await portal.kill();
	await portal.start();
	for (const p of [mary, john]) await p.until(() => p.wc.connection === "connected");
	await john.calls.accept(pair);
	await mary.until(() => phase(mary) === "active");
	await hangUpAll(john);
	await mary.until(() => phase(mary) === "ended");
});

test("what can't be called says why", async () => {
	const mary = await portal.page("mary");
	await assert.rejects(mary.calls.start({ user: "nobody" }));
	assert.match(mary.calls.current.status, /over|could not be started/);
	await assert.rejects(mary.calls.start({ space: "sales_team" }), "mary is no member");
	await mary.calls.join("p/john-james");
	assert.equal(mary.calls.current.status, "This call is over");
});

test("people, groups, presence and settings are read", async () => {
	const { wc } = await portal.page("mary");
	assert.equal(wc.getUser().title, "Mary Williams");
	assert.equal((await wc.getUserInfo("john")).firstName, "John");
	const space = await wc.createSpaceContext("product_team").details();
	assert.deepEqual([space.title, space.group, Object.keys(space.members).sort()], ["Product Team", true, ["james", "john", "mary"]]);
	assert.equal((await wc.createChatContext("team-welcome").details()).title, "Welcome");
	assert.equal((await wc.getUserStatus("mary")).status, "available");
	assert.ok(Array.isArray((await wc.getProviderSettings("webrtc")).iceServers));
	assert.ok((await wc.findIdentities("john")).some((found) => found.id === "john"));
	assert.deepEqual(await wc.getUserGroupCalls().then(Array.isArray), true);
	await assert.rejects(wc.getProvidersConfig(true), { code: "ACCESS_ERROR" });
	await assert.rejects(wc.getUserInfo("nobody"), { code: "NOT_FOUND_ERROR" });
	await assert.rejects(wc.addCall("p/x", { owner: "mary", ownerType: "user", provider: "none", participants: ["mary", "john"] }), { code: "CLIENT_ERROR" });
});

test("an administrator switches a provider off and on", async () => {
	const root = await portal.page("root");
	assert.deepEqual((await root.wc.getProvidersConfig()).map((c) => [c.type, c.active]), [["webrtc", true]]);
	await root.wc.postProviderConfig("webrtc", false);
	assert.deepEqual(root.wc.getProviders(), []);
	const mary = await portal.page("mary");
	await assert.rejects(mary.calls.start({ user: "john" }));
	await root.wc.postProviderConfig("webrtc", true);
	assert.equal(root.wc.getProviders().length, 1);
});

test("an administrator sees why a call is there, and ends it", async () => {
	const root = await portal.page("root");
	const { mary, john } = await connected();
	const { calls: live, users } = await root.wc.getLiveCalls();
	const call = live.find((c) => c.id === pair);
	assert.deepEqual(call.seats.map((s) => s.user).sort(), ["john", "mary"]);
	assert.equal(users.mary.title, "Mary Williams");
	const { events } = await root.wc.getTimeline(pair);
	assert.ok(events.filter((e) => e.eventType === "call_joined").length >= 2, events.map((e) => e.eventType).join());
	const why = await root.wc.explainCall(pair);
	assert.ok(JSON.stringify(why).length > 50);
	for (const name of ["getLiveCalls", "getTimeline", "explainCall", "endCall"]) await assert.rejects(mary.wc[name](pair), { code: "ACCESS_ERROR" }, name);
	await root.wc.endCall(pair);
	for (const p of [mary, john]) await p.until(() => phase(p) === "ended");
});

test("an administrator removes somebody and rings somebody again", async () => {
	const root = await portal.page("root");
	const mary = await portal.page("mary");
	const john = await portal.page("john");
	await mary.calls.start({ space: "product_team" });
	await john.until(() => rings(john));
	await john.calls.decline("g/product_team");
	await mary.until(() => mary.calls.current.unanswered.includes("john"));
	await mary.calls.ringAgain("john");
	await john.until(() => rings(john));
	await mary.until(() => mary.calls.current.ringing >= 1);
	await john.calls.decline("g/product_team");
	await mary.until(() => mary.calls.current.unanswered.includes("john"));
	await root.wc.ringForAdmin("g/product_team", "john");
	await john.until(() => rings(john));
	await root.wc.removeForAdmin("g/product_team", "john");
	await john.until(() => !rings(john));
	await hangUpAll(mary);
	await root.wc.deleteCall("g/product_team").catch(() => {});
});

test("busy and ignored calls: one is told, the other is not", async () => {
	const mary = await portal.page("mary");
	const john = await portal.page("john");
	const second = await portal.page("john");
	await mary.calls.start({ user: "john" });
	await john.until(() => rings(john));
	await second.until(() => rings(second));
	await mary.until(() => mary.calls.current.ringing === 2);
	john.calls.ignore(pair);
	assert.equal(john.calls.incoming.length, 0);
	assert.ok(rings(second));
	assert.equal(phase(mary), "ringing");
	await second.calls.decline(pair, "busy");
	await mary.until(() => phase(mary) === "ended");
	assert.equal(mary.calls.current.reason, "busy");
});

test("answers that arrive after events of what came next", async () => {
	for (const answered of [false, true]) {
		const mary = await portal.page("mary");
		const john = await portal.page("john");
		const told = new Promise((resolve) => {
			const next = answered ? "call_joined" : "call_ringing";
			mary.wc.onUserUpdate("mary", (event) => event.eventType === next && event.part.id === "john" && resolve());
		});
		const command = mary.wc.command.bind(mary.wc);
		mary.wc.command = async (name, params) => {
			const call = await command(name, params);
			if (params.state === "joined") {
				await john.until(() => rings(john));
				if (answered) await john.calls.accept(pair);
				await told;
			}
			return call;
		};
		await mary.calls.start({ user: "john" });
		await mary.until(() => (answered ? phase(mary) === "active" : mary.calls.current.ringing === 1));
		await hangUpAll(mary, john);
	}
});

test("a call that ends while it is read is not offered", async () => {
	const { mary, john } = await connected();
	const second = await portal.page("john");
	await second.until(() => second.calls.elsewhere.length === 1);
	const events = [];
	await second.wc.onUserUpdate("john", (event) => events.push(event)).ready;
	const command = second.wc.command.bind(second.wc);
	second.wc.command = async (name, params) => {
		const answer = await command(name, params);
		if (name === "get_open_calls") {
			assert.equal(answer.length, 1);
			await hangUpAll(mary);
			await second.until(() => events.some((e) => e.callState === "stopped"));
		}
		return answer;
	};
	assert.deepEqual(await second.wc.getOpenCalls(), []);
	await john.until(() => phase(john) === "ended");
});

test("the history is searched and paged, and seen", async () => {
	const mary = await portal.page("mary");
	const john = await portal.page("john");
	for (let round = 0; round < 3; round++) {
		await mary.calls.start({ user: "john" });
		await john.until(() => rings(john));
		await mary.calls.hangUp();
		await john.until(() => john.calls.incoming.length === 0);
	}
	await john.until(() => john.calls.missed >= 3);
	const first = await john.wc.getHistory({ with: "mary", outcome: "missed", limit: 2 });
	assert.equal(first.entries.length, 2);
	const next = await john.wc.getHistory({ with: "mary", outcome: "missed", limit: 2, cursor: first.next });
	assert.ok(next.entries.length > 0 && next.entries[0].cursor !== first.entries[0].cursor);
	assert.ok((await john.wc.getHistory({ text: "Williams" })).entries.length >= 3);
	assert.equal((await john.wc.getHistory({ text: "nobody of this name" })).entries.length, 0);
	const before = john.calls.missed;
	await john.calls.readMissed(first.entries[1].cursor);
	await john.until(() => john.calls.missed < before);
	await john.calls.readMissed();
	assert.equal(john.calls.missed, 0);
});

test("calls of a space use the provider that it has chosen", async () => {
	const root = await portal.page("root");
	const mary = await portal.page("mary");
	const space = { id: "product_team", type: "space" };
	assert.deepEqual((await mary.wc.getProviderChoice(space)).providers.map((p) => p.type), ["webrtc"]);
	await root.wc.setProviderChoice([], space);
	await assert.rejects(mary.wc.addCall("g/product_team-2", { owner: space.id, ownerType: "space", provider: "webrtc", title: "T", participants: ["mary", "john"] }));
	assert.equal((await root.wc.getProviderChoice(space)).inherited, false);
	await root.wc.setProviderChoice(null, space);
	assert.equal((await root.wc.getProviderChoice(space)).inherited, true);
	await assert.rejects(mary.wc.setProviderChoice(null), { code: "ACCESS_ERROR" });
});

test("a provider names its call when the caller does not", async () => {
	const mary = await portal.page("mary");
	const call = await mary.wc.addCall({ owner: "mary", ownerType: "user", provider: "webrtc", participants: "mary;john", title: "T" });
	assert.equal(call.id, pair);
	await mary.wc.deleteCall(call.id);
	await assert.rejects(mary.wc.addCall({ owner: "mary", ownerType: "user", provider: "nobody", participants: ["mary", "john"] }), /names none/);
});
