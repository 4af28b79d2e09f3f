import assert from "node:assert/strict";
import { after, before, test as plainTest } from "node:test";
import { Stage, client, holds, kitPage, strictPolicy } from "./chromium.mjs";

const test = (name, run) => plainTest(name, { timeout: 90_000 }, run);
const stage = new Stage();
const people = ["mary", "john", "james"];

before(async () => {
	await stage.open();
	for (const user of people) stage.serve(`/kit/${user}`, kitPage(user), "text/html", { "content-security-policy": strictPolicy });
});
after(() => stage.close());

/** A page of a user, connected, that notes all events of calls. */
async function open(user) {
	const { context, faults } = await stage.person(user);
	const page = await context.newPage();
	await page.goto(`/kit/${user}`);
	await client(page);
	await page.evaluate(async () => {
		window.events = [];
		await wc.onUserUpdate(wc.getUser().id, (event) => window.events.push({ ...event, at: Date.now() })).ready;
	});
	return { page, context, faults };
}

/** Lets a page take part in a call without media, and note its data. */
const takePart = (page, id) => page.evaluate(async (callId) => {
	window.heard ??= [];
	window.channel = wc.onCallUpdate(callId, (data) => window.heard.push(data.n));
	await window.channel.ready;
	await wc.updateUserCall(callId, "joined");
}, id);

const create = (page, id, others, owner) => page.evaluate(([callId, participants, group]) => wc.addCall(callId, {
	owner: group || wc.getUser().id, ownerType: group ? "space" : "user", provider: "webrtc", participants, start: true,
}), [id, others, owner]);

const say = (page, id, from, to) => page.evaluate(async ([callId, first, last]) => {
	for (let n = first; n <= last; n++) await wc.toCallUpdate(callId, { n });
}, [id, from, to]);

const heardAll = (page, count) => holds(page, (n) => window.heard.length >= n, count, 30_000);
const exactly = async (page, count) => assert.deepEqual(await page.evaluate(() => window.heard), Array.from({ length: count }, (_, i) => i + 1));
const close = (...all) => Promise.all(all.map(({ context }) => context.close()));

test("who goes offline is out of the call within 30 s, and sees what is wrong", async () => {
	const mary = await open("mary");
	const john = await open("john");
	await create(mary.page, "p/john-mary", ["mary", "john"]);
	for (const { page } of [mary, john]) await takePart(page, "p/john-mary");
	await holds(john.page, () => window.events.some((e) => e.eventType === "call_joined" && e.part.id === "john"));
	const cut = Date.now();
	await mary.context.setOffline(true);
	await holds(mary.page, () => calls.problems.includes("offline"), undefined, 10_000);
	await holds(john.page, () => window.events.some((e) => e.callState === "stopped" || (e.eventType === "call_leaved" && e.part.id === "mary")), undefined, 40_000);
	const told = await john.page.evaluate(() => window.events.find((e) => e.callState === "stopped" || e.eventType === "call_leaved").at);
	assert.ok(told - cut < 30_000, `told after ${told - cut} ms`);
	await mary.context.setOffline(false);
	await holds(mary.page, () => wc.connection === "connected" && calls.problems.length === 0);
	await close(mary, john);
});

test("a change of network loses and doubles nothing", async () => {
	const mary = await open("mary");
	const john = await open("john");
	await create(mary.page, "g/product_team", people, "product_team");
	for (const { page } of [mary, john]) await takePart(page, "g/product_team");
	await say(mary.page, "g/product_team", 1, 5);
	for (let round = 1; round <= 3; round++) {
		await john.context.setOffline(true);
		await say(mary.page, "g/product_team", round * 5 + 1, round * 5 + 5);
		await john.context.setOffline(false);
		await heardAll(john.page, round * 5 + 5);
	}
	await exactly(john.page, 20);
	assert.equal(await john.page.evaluate(() => window.events.filter((e) => e.eventType === "call_leaved").length), 0, "nobody left meanwhile");
	await mary.page.evaluate(() => wc.deleteCall("g/product_team"));
	await close(mary, john);
});

test("a page that was frozen hears on waking what it missed", async () => {
	const mary = await open("mary");
	const john = await open("john");
	await create(mary.page, "g/product_team", people, "product_team");
	for (const { page } of [mary, john]) await takePart(page, "g/product_team");
	await say(mary.page, "g/product_team", 1, 2);
	await heardAll(john.page, 2);
	const session = await john.context.newCDPSession(john.page);
	await session.send("Page.setWebLifecycleState", { state: "frozen" });
	await say(mary.page, "g/product_team", 3, 30);
	await new Promise((resolve) => setTimeout(resolve, 3000)); // the frozen page sleeps in real time
	await session.send("Page.setWebLifecycleState", { state: "active" });
	await heardAll(john.page, 30);
	await exactly(john.page, 30);
	await mary.page.evaluate(() => wc.deleteCall("g/product_team"));
	await holds(john.page, () => window.events.some((e) => e.callState === "stopped"));
	await close(mary, john);
});

test("the server's death and return lose and double nothing", async () => {
	const mary = await open("mary");
	const john = await open("john");
	await create(mary.page, "g/product_team", people, "product_team");
	for (const { page } of [mary, john]) await takePart(page, "g/product_team");
	await say(mary.page, "g/product_team", 1, 3);
	await heardAll(john.page, 3);
	const waiting = say(mary.page, "g/product_team", 4, 9);
	await stage.portal.kill();
	await stage.portal.start();
	await waiting;
	await heardAll(john.page, 9);
	await exactly(john.page, 9);
	await mary.page.evaluate(() => wc.deleteCall("g/product_team"));
	await close(mary, john);
});

test("where sockets are blocked long-polling does it", async () => {
	const john = await stage.person("john");
	await john.context.addInitScript(() => {
		window.WebSocket = class extends EventTarget {
			constructor() {
				super();
				setTimeout(() => this.dispatchEvent(new Event("error")));
			}
			close() {}
		};
	});
	const page = await john.context.newPage();
	await page.goto("/kit/john");
	await client(page);
	const mary = await open("mary");
	await create(mary.page, "g/product_team", people, "product_team");
	for (const p of [mary.page, page]) await takePart(p, "g/product_team");
	await say(mary.page, "g/product_team", 1, 10);
	await john.context.setOffline(true);
	await say(mary.page, "g/product_team", 11, 20);
	await john.context.setOffline(false);
	await heardAll(page, 20);
	await exactly(page, 20);
	await mary.page.evaluate(() => wc.deleteCall("g/product_team"));
	await close(mary, john);
});
