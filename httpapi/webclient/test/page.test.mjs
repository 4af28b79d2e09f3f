/** What a page may and may not do: sound in one tab, open windows, use cameras. */
import assert from "node:assert/strict";
import { after, before, test as plainTest } from "node:test";
import { Stage, client, holds, kitPage, strictPolicy } from "./chromium.mjs";

// Generous, since twenty tabs on a busy machine take their time.
const test = (name, run) => plainTest(name, { timeout: 240_000 }, run);
const stage = new Stage();
const policy = { "content-security-policy": strictPolicy };

/** A provider whose calls are pages of their own. */
const linkScript = `
import { createLinkProvider } from "/webconferencing/link-provider.js";
document.addEventListener("webconferencing-start", ({ detail: wc }) => {
	wc.addProvider({ ...createLinkProvider({ type: "webrtc", title: "Link" }), getCallUrl: (id) => location.origin + "/kit/room?" + encodeURIComponent(id) });
});`;

before(async () => {
	await stage.open();
	for (const user of ["mary", "john"]) {
		stage.serve(`/kit/${user}`, kitPage(user), "text/html", policy);
		const page = kitPage(user, { body: `<wc-call-button user="${user === "mary" ? "john" : "mary"}"></wc-call-button>` });
		stage.serve(`/kit/link/${user}`, page.replace("<script type=\"module\"", '<script type="module" src="/kit/link.js"></script>$&'), "text/html", policy);
	}
	stage.serve("/kit/link.js", linkScript, "text/javascript");
	stage.serve("/kit/room", "<!doctype html><title>Room</title><link rel=icon href=data:,>", "text/html");
});
after(() => stage.close());

test("of twenty tabs one sounds, and another one when that is closed", async () => {
	const john = await stage.person("john");
	const tabs = [];
	for (let i = 0; i < 20; i++) {
		// One after the other, as people open them.
		const tab = await john.context.newPage();
		await tab.goto("/kit/john");
		await client(tab);
		tabs.push(tab);
	}
	const mary = await stage.person("mary");
	const marys = await mary.context.newPage();
	await marys.goto("/kit/mary");
	await client(marys);
	await marys.evaluate(() => wc.addCall("p/john-mary", { owner: "mary", ownerType: "user", provider: "webrtc", participants: ["mary", "john"], start: true }));
	await Promise.all(tabs.map((tab) => holds(tab, () => calls.incoming.length === 1, undefined, 40_000)));

	const sounding = async () => (await Promise.all(tabs.map((tab) => tab.evaluate(() => calls.incoming[0]?.sounding === true)))).map((s, i) => (s ? i : -1)).filter((i) => i >= 0);
	await Promise.any(tabs.map((tab) => holds(tab, () => calls.incoming[0]?.sounding)));
	const first = await sounding();
	assert.equal(first.length, 1, `tabs ${first} sound`);
	const [closed] = tabs.splice(first[0], 1);
	await closed.close();
	await Promise.any(tabs.map((tab) => holds(tab, () => calls.incoming[0]?.sounding)));
	assert.equal((await sounding()).length, 1);

	await marys.evaluate(() => wc.deleteCall("p/john-mary"));
	await Promise.all(tabs.map((tab) => holds(tab, () => calls.incoming.length === 0)));
	assert.deepEqual(await sounding(), []);
	assert.deepEqual([...john.faults, ...mary.faults], []);
	await Promise.all([john.context.close(), mary.context.close()]);
});

test("the window of a call opens on the click and is led there", async () => {
	const mary = await stage.person("mary");
	const page = await mary.context.newPage();
	await page.goto("/kit/link/mary");
	await client(page);
	const popup = page.waitForEvent("popup");
	await page.getByRole("button", { name: "Call John Smith" }).click();
	const window = await popup;
	await window.waitForURL("**/kit/room?p%2Fjohn-mary");
	assert.deepEqual(await page.evaluate(() => calls.problems), []);
	const gone = window.waitForEvent("close");
	await page.evaluate(() => calls.hangUp());
	await gone;
	assert.deepEqual(mary.faults, []);
	await mary.context.close();
});

test("a stranger's page in the window can't reach back", async () => {
	const mary = await stage.person("mary");
	await mary.context.route("https://meet.example/**", (route) => route.fulfill({ body: "<!doctype html><title>Stranger</title>", contentType: "text/html" }));
	const page = await mary.context.newPage();
	await page.goto("/kit/link/mary");
	await client(page);
	await page.evaluate(() => {
		wc.findProvider("webrtc").getCallUrl = () => "https://meet.example/room";
	});
	const popup = page.waitForEvent("popup");
	await page.getByRole("button", { name: "Call John Smith" }).click();
	const window = await popup;
	await window.waitForURL("https://meet.example/room");
	assert.equal(await window.evaluate(() => opener), null);
	await page.evaluate(() => calls.hangUp());
	await mary.context.close();
});

test("a blocked window is told by name, and its link is there", async () => {
	const mary = await stage.person("mary");
	await mary.context.addInitScript(() => {
		window.open = () => null;
	});
	const page = await mary.context.newPage();
	await page.goto("/kit/link/mary");
	await client(page);
	await page.getByRole("button", { name: "Call John Smith" }).click();
	await holds(page, () => calls.problems.includes("popup_blocked") && calls.current?.url.endsWith("/kit/room?p%2Fjohn-mary"));
	await page.evaluate(() => calls.hangUp());
	assert.deepEqual(await page.evaluate(() => calls.problems), []);
	await mary.context.close();
});

for (const [problem, name] of [["media_denied", "NotAllowedError"], ["media_missing", "NotFoundError"], ["media_busy", "NotReadableError"]]) {
	test(`no camera because of ${name} is ${problem}, and the call goes on`, async () => {
		const mary = await stage.person("mary");
		await mary.context.addInitScript((fault) => {
			navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("", fault));
		}, name);
		const page = await mary.context.newPage();
		await page.goto("/kit/mary");
		await client(page);
		await page.evaluate(() => calls.start({ user: "john" }));
		assert.deepEqual(await page.evaluate(() => [calls.current.phase, calls.problems, calls.current.problems]), ["ringing", [problem], [problem]]);
		await page.evaluate(() => calls.hangUp());
		await mary.context.close();
	});
}

test("a machine that slept says so until the connection has proved itself", async () => {
	const mary = await stage.person("mary");
	await mary.context.addInitScript(() => {
		const real = Date.now;
		window.skip = 0;
		Date.now = () => real() + window.skip;
	});
	const page = await mary.context.newPage();
	await page.goto("/kit/mary");
	await client(page);
	await page.evaluate(() => {
		window.states = [];
		calls.addEventListener("change", () => window.states.push(calls.problems.join()));
		window.skip = 3600_000;
	});
	await holds(page, () => window.states.includes("waking") && window.states.at(-1) === "", undefined, 20_000);
	await mary.context.close();
});

test("continue here: a second device takes the call, the first is out", async () => {
	const [mary, john, phone] = await Promise.all([stage.person("mary"), stage.person("john"), stage.person("john")]);
	const [marys, johns, phones] = await Promise.all([mary, john, phone].map(({ context }) => context.newPage()));
	await Promise.all([marys.goto("/kit/mary"), johns.goto("/kit/john"), phones.goto("/kit/john")]);
	await Promise.all([marys, johns, phones].map(client));
	await marys.evaluate(() => calls.start({ user: "john" }));
	await holds(marys, () => calls.current.ringing === 2);
	await holds(johns, () => calls.incoming.length === 1);
	await johns.evaluate(() => calls.accept("p/john-mary"));
	await holds(phones, () => calls.answeredElsewhere?.title === "Mary Williams" && calls.incoming.length === 0);
	await holds(phones, () => calls.elsewhere.length === 1);
	assert.equal(await marys.evaluate(() => calls.current.ringing), 0);
	assert.deepEqual(await phones.evaluate(() => calls.elsewhere.map((c) => [c.callId, c.title, c.group])), [["p/john-mary", "Mary Williams", false]]);
	await phones.evaluate(() => calls.takeOver("p/john-mary"));
	await holds(johns, () => calls.current?.reason === "elsewhere");
	await holds(phones, () => calls.current?.phase === "active" && calls.elsewhere.length === 0);
	await holds(johns, () => calls.elsewhere.length === 1);
	assert.equal(await marys.evaluate(() => calls.current.phase), "active");
	await marys.evaluate(() => calls.hangUp());
	await holds(johns, () => calls.elsewhere.length === 0);
	await Promise.all([mary, john, phone].map(({ context }) => context.close()));
});

test("a missed call is counted in every tab until it is seen", async () => {
	const john = await stage.person("john");
	const tabs = [await john.context.newPage(), await john.context.newPage()];
	for (const tab of tabs) {
		await tab.goto("/kit/john");
		await client(tab);
	}
	const before = await tabs[0].evaluate(() => wc.getMissedCount());
	const mary = await stage.person("mary");
	const marys = await mary.context.newPage();
	await marys.goto("/kit/mary");
	await client(marys);
	await marys.evaluate(() => wc.addCall("p/john-mary", { owner: "mary", ownerType: "user", provider: "webrtc", participants: ["mary", "john"], start: true }));
	await holds(tabs[0], () => calls.incoming.length === 1);
	await marys.evaluate(() => wc.updateCall("p/john-mary", "stopped"));
	for (const tab of tabs) await holds(tab, (n) => calls.missed === n, before + 1);
	const { entries } = await tabs[0].evaluate(() => wc.getHistory({ outcome: "missed" }));
	assert.deepEqual([entries[0].callId, entries[0].outgoing, entries[0].others[0].title, entries[0].unseen], ["p/john-mary", false, "Mary Williams", true]);
	await tabs[0].evaluate(() => calls.readMissed());
	for (const tab of tabs) await holds(tab, () => calls.missed === 0);
	await Promise.all([john, mary].map(({ context }) => context.close()));
});
