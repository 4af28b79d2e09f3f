/** What strangers write is text, wherever the kit shows it. */
import assert from "node:assert/strict";
import { after, before, test as plainTest } from "node:test";
import { Stage, client, holds, kitPage, strictPolicy } from "./chromium.mjs";
import { hostile } from "./fixtures/hostile.mjs";

const test = (name, run) => plainTest(name, { timeout: 120_000 }, run);
const stage = new Stage();
const elements = '<wc-call-button user="mary"></wc-call-button><wc-call-button space="product_team"></wc-call-button><wc-call-bar></wc-call-bar><wc-missed-count></wc-missed-count><wc-call-history></wc-call-history>';
const links = ["javascript:pwned()", "data:text/html,<script>pwned()</script>", "https://127.0.0.1:9/x.png\" onerror=\"pwned()", "//evil.example/x.png", "\u0001javascript:pwned()"];

before(async () => {
	await stage.open();
	for (const user of ["mary", "john"]) stage.serve(`/kit/${user}`, kitPage(user, { body: elements }), "text/html", { "content-security-policy": strictPolicy });
});
after(() => stage.close());

/** A page to which the server gives everybody a hostile name and picture. */
async function open(user, name, link) {
	const person = await stage.person(user);
	const { context } = person;
	person.name = name;
	person.link = link;
	await context.addInitScript(() => {
		window.pwned = () => window.reportFault("pwned");
	});
	const twist = (text) => JSON.stringify(renamed(JSON.parse(text), person));
	await context.route(/\/portal\/rest\/webconferencing\/(user|space|calls|history)/, async (route) => {
		const answer = await route.fetch();
		const text = await answer.text();
		await route.fulfill({ response: answer, body: answer.headers()["content-type"]?.includes("json") ? twist(text) : text });
	});
	await context.routeWebSocket(/cometd/, (socket) => {
		const server = socket.connectToServer();
		server.onMessage((text) => socket.send(twist(text)));
	});
	person.page = await context.newPage();
	await person.page.goto(`/kit/${user}`);
	await client(person.page);
	return person;
}

/** Puts the name wherever the server tells one. */
function renamed(value, { name, link }) {
	if (Array.isArray(value)) return value.map((item) => renamed(item, { name, link }));
	if (value === null || typeof value !== "object") return value;
	return Object.fromEntries(Object.entries(value).map(([key, item]) => {
		if (["title", "firstName", "lastName", "displayName"].includes(key) && typeof item === "string") return [key, name];
		if (["avatarLink", "profileLink"].includes(key)) return [key, link];
		return [key, renamed(item, { name, link })];
	}));
}

/** All text in the page and in the elements' shadows, and what must not be there. */
const look = (page) => page.evaluate(() => {
	const found = { text: "", bad: [] };
	const walk = (root) => {
		for (const node of root.querySelectorAll("*")) {
			if (node.shadowRoot) walk(node.shadowRoot);
			if (["SCRIPT", "IFRAME", "OBJECT", "EMBED", "BASE", "META", "TEMPLATE", "STYLE"].includes(node.tagName) && !document.head.contains(node) && node.textContent.includes("pwned")) found.bad.push(node.outerHTML);
			if (["IFRAME", "OBJECT", "EMBED", "BASE", "TEMPLATE"].includes(node.tagName)) found.bad.push(node.outerHTML);
			for (const { name, value } of node.attributes) {
				if (name.startsWith("on") || name === "style" || name === "srcdoc") found.bad.push(`${name}=${value}`);
				if (["href", "src", "action", "formaction", "xlink:href"].includes(name) && !/^(https?:|blob:|data:,|\/)/.test(value)) found.bad.push(`${name}=${value}`);
			}
		}
		found.text += root.textContent ?? "";
		for (const node of root.querySelectorAll("[aria-label]")) found.text += node.getAttribute("aria-label");
	};
	walk(document);
	for (const key of ["polluted"]) if ({}[key] !== undefined) found.bad.push("prototype");
	return found;
});

test("a corpus of hostile names stays text in cards, calls, history and notices", async () => {
	const mary = await stage.person("mary");
	const marys = await mary.context.newPage();
	await marys.goto("/kit/mary");
	await client(marys);
	const john = await open("john", hostile[0], links[0]);
	for (const [index, name] of hostile.entries()) {
		john.name = name;
		john.link = links[index % links.length];
		await marys.evaluate(() => wc.addCall("p/john-mary", { owner: "mary", ownerType: "user", provider: "webrtc", participants: ["mary", "john"], start: true }));
		await holds(john.page, (text) => calls.incoming[0]?.callerName === text, JSON.parse(JSON.stringify(name)));
		await john.page.evaluate((text) => {
			wc.showError(text, text);
			wc.noticeInfo(text);
			for (const button of document.querySelectorAll("wc-call-button")) button.setAttribute("name", text);
		}, name);
		const { text, bad } = await look(john.page);
		assert.deepEqual(bad, [], name);
		if (name.trim()) assert.ok(text.includes(await john.page.evaluate((t) => Object.assign(document.createElement("p"), { textContent: t }).textContent, name)), `shown as it is: ${name}`);
		await marys.evaluate(() => wc.updateCall("p/john-mary", "stopped"));
		await holds(john.page, () => calls.incoming.length === 0);
	}
	assert.deepEqual(john.faults.filter((fault) => !fault.startsWith("img-src")), []);
	await Promise.all([mary.context.close(), john.context.close()]);
});

test("a call with somebody of a hostile name shows it as text too", async () => {
	const mary = await stage.person("mary");
	const marys = await mary.context.newPage();
	await marys.goto("/kit/mary");
	await client(marys);
	for (const index of [1, 3, 9, 14]) {
		const john = await open("john", hostile[index], links[index % links.length]);
		await marys.evaluate(() => calls.start({ user: "john" }));
		await holds(john.page, () => calls.incoming.length === 1);
		await john.page.evaluate(() => calls.accept("p/john-mary"));
		await holds(john.page, () => calls.current?.phase === "active");
		const { text, bad } = await look(john.page);
		assert.deepEqual(bad, [], hostile[index]);
		assert.ok(text.includes(hostile[index]), hostile[index]);
		await john.page.evaluate(() => calls.hangUp());
		await holds(marys, () => calls.current === null || calls.current.phase === "ended");
		assert.deepEqual(john.faults.filter((fault) => !fault.startsWith("img-src")), []);
		await john.context.close();
	}
	await mary.context.close();
});
