import assert from "node:assert/strict";
import { after, before, test as plainTest } from "node:test";
import { Stage, classicPolicy, client, holds, jqueryFile, kitPage, strictPolicy } from "./chromium.mjs";

const test = (name, run) => plainTest(name, { timeout: 60_000 }, run);
const stage = new Stage();
const classic = ["/webconferencing/exo.js", "/kit/jquery.js", "/kit/connector.js"];

before(async () => {
	await stage.open();
	await stage.serveFile("/kit/jquery.js", jqueryFile());
	await stage.serveFile("/kit/connector.js", new URL("fixtures/classic-connector.js", import.meta.url));
	for (const user of ["mary", "john"]) {
		stage.serve(`/kit/${user}`, kitPage(user, { scripts: classic, body: '<div id="place"></div><wc-call-button user="john"></wc-call-button>' }), "text/html", { "content-security-policy": classicPolicy });
	}
	stage.serve("/kit/early.js", `window.asked = (${askEarly})();`, "text/javascript");
	stage.serve("/kit/plain", kitPage("mary", { scripts: ["/webconferencing/exo.js", "/kit/early.js"] }), "text/html", { "content-security-policy": strictPolicy });
	stage.serve("/kit/by-hand", '<!doctype html><html lang="fr"><head><title>By hand</title><link rel="icon" href="data:,"><script src="/webconferencing/exo.js"></script></head><body></body></html>', "text/html", { "content-security-policy": strictPolicy });
});
after(() => stage.close());

/** Runs in the same turn as exo.js, long before its modules are there. */
async function askEarly() {
	const api = eXo.webConferencing;
	const before = [api.getUser(), api.message("webconferencing.cancel"), api.getAllProviders().length];
	const listening = api.onUserUpdate("mary", () => {});
	api.getLog("webrtc").prefix("early").info("before the start");
	const user = await api.getUserInfo("john");
	listening.off();
	return { before, after: [user.title, api.getUser().id, api.getCurrentSpaceId(), api.message("webconferencing.cancel")] };
}

const saw = (page, what) => holds(page, (text) => window.classicSeen.includes(text), what);

test("a plain script with jQuery makes its button, calls, rings, joins, talks and stops", async () => {
	const mary = await stage.person("mary");
	const john = await stage.person("john");
	const marys = await mary.context.newPage();
	const johns = await john.context.newPage();
	await Promise.all([marys.goto("/kit/mary"), johns.goto("/kit/john")]);
	for (const [page, user] of [[marys, "mary"], [johns, "john"]]) {
		await client(page);
		for (const what of [`init for ${user}`, "configured webrtc", "provider is true"]) await saw(page, what);
	}
	await marys.evaluate(() => eXo.webConferencing.showCallButtons(document.querySelector("#place"), eXo.webConferencing.createUserContext("john")));
	await marys.locator("#place .classic-button", { hasText: "John Smith" }).waitFor();
	assert.equal(await marys.getByRole("button", { name: "Call John Smith" }).count(), 0, "the kit offers no call that it can't hold");
	const popup = marys.waitForEvent("popup");
	await marys.locator("wc-call-button .classic-button", { hasText: "John Smith" }).click();
	await popup;
	await saw(marys, "joined p/john-mary");
	await saw(johns, "rings p/john-mary");
	assert.equal(await johns.evaluate(() => calls.incoming.length), 0, "the page shows no card of its own");
	await johns.locator("#classic-accept", { hasText: "Accept Mary Williams" }).click();
	await saw(johns, "sent");
	await saw(marys, "data hello of john");
	await saw(marys, "in: john");
	await marys.evaluate(() => eXo.webConferencing.deleteCall("p/john-mary"));
	await saw(johns, "stopped p/john-mary");
	assert.ok(!(await marys.evaluate(() => window.classicSeen)).includes("blocked"));
	assert.deepEqual([...mary.faults, ...john.faults], []);
	await Promise.all([mary.context.close(), john.context.close()]);
});

test("its promises are like jQuery's", async () => {
	const { context, faults } = await stage.person("mary");
	const page = await context.newPage();
	await page.goto("/kit/mary");
	await client(page);
	const seen = await page.evaluate(async () => {
		const api = eXo.webConferencing;
		const order = [];
		const told = api.getUserInfo("john").always(() => order.push("always")).done([(user, status) => order.push(`done ${user.id} ${status}`), () => order.push("listed")]).fail(() => order.push("fail"));
		await told;
		told.done(() => order.push("at once"));
		order.push("after");
		const failed = await new Promise((resolve) => api.getUserInfo("nobody").fail((error, status, text) => resolve([error.code, error.error, status, typeof text])));
		const [user, space] = await new Promise((resolve) => jQuery.when(api.getUserInfo("john"), api.getSpaceInfo("product_team")).done((...all) => resolve(all.map((a) => (Array.isArray(a) ? a[0] : a).id))));
		const chained = await api.getUserInfo("john").then((found) => jQuery.Deferred().resolve(found.id, 2).promise());
		const recovered = await api.getCall("p/none").catch((error) => error.code);
		const mixed = api.getUserInfo("john").promise({ own: true });
		let finished = false;
		await api.getUserInfo("john").finally(() => (finished = true));
		return { order, failed, user, space, chained, recovered, own: mixed.own, state: told.state(), finished };
	});
	assert.deepEqual(seen.order, ["always", "done john success", "listed", "at once", "after"]);
	assert.deepEqual(seen.failed, ["NOT_FOUND_ERROR", true, 404, "string"]);
	assert.deepEqual([seen.user, seen.space, seen.chained, seen.recovered, seen.own, seen.state, seen.finished], ["john", "product_team", "john", "NOT_FOUND_ERROR", true, "resolved", true]);
	assert.deepEqual(faults, []);
	await context.close();
});

test("what is asked before the client is there waits, under a strict policy and without jQuery", async () => {
	const { context, faults } = await stage.person("mary");
	const page = await context.newPage();
	await page.goto("/kit/plain");
	const result = await page.evaluate(() => window.asked);
	assert.deepEqual(result, { before: [undefined, "webconferencing.cancel", 0], after: ["John Smith", "mary", null, "Cancel"] });
	assert.deepEqual(faults, []);
	await context.close();
});

test("init with a user and a context starts it, as eXo's pages did", async () => {
	const { context, faults } = await stage.person("mary");
	const page = await context.newPage();
	await page.goto("/kit/by-hand");
	const user = await page.evaluate(async () => {
		const api = eXo.webConferencing;
		const waiting = api.getUserGroupCalls();
		const fetched = await (await fetch("/portal/rest/webconferencing/context?name=mary&lang=fr")).json();
		const me = await api.init({ id: "mary", title: "Mary Williams", type: "user", group: false }, fetched);
		await waiting;
		return [me.id, api.message("webconferencing.cancel"), (await waiting).length];
	});
	assert.deepEqual(user, ["mary", "Annuler", 0]);
	assert.deepEqual(faults, []);
	await context.close();
});

test("every function that old connectors call is there", async () => {
	const { context } = await stage.person("mary");
	const page = await context.newPage();
	await page.goto("/kit/plain");
	const missing = await page.evaluate(() => [
		"init", "update", "getUser", "getCurrentSpaceId", "getCurrentRoomTitle", "getBaseUrl", "addProvider", "findProvider", "getProvider", "getAllProviders",
		"getCall", "addCall", "updateCall", "updateUserCall", "updateParticipants", "updateInvites", "checkInvite", "addGuest", "findIdentities", "findCallId",
		"deleteCall", "getUserGroupCalls", "getUserStatus", "getUserInfo", "getSpaceInfo", "getRoomInfo", "onUserUpdate", "onCallUpdate", "toCallUpdate",
		"getProvidersConfig", "getProviderConfig", "postProviderConfig", "imAccount", "errorText", "showCallPopup", "showCallWindow", "showInfo", "showConfirm",
		"showWarn", "showError", "noticeInfo", "noticeWarn", "noticeError", "message", "loadStyle", "createUserContext", "createSpaceContext",
		"createSpaceEventContext", "createChatContext", "getLog",
	].filter((name) => typeof eXo.webConferencing[name] !== "function"));
	assert.deepEqual(missing, []);
	const log = await page.evaluate(() => Object.keys(eXo.webConferencing.getLog("x").prefix("y")).sort());
	assert.deepEqual(log, ["debug", "error", "info", "lastMessageRef", "prefix", "showError", "trace", "warn"]);
	await context.close();
});
