// Calls through the Jitsi connector, in Chromium, with the fake of its server.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { before, test } from "node:test";
import { accept, callButton, hangUp, hangUpButton, incoming, joinButton, ready, startBrowser, status } from "../lib/browser.mjs";
import { root, until } from "../lib/portal.mjs";

const binary = join(root, "e2e", ".build", "demoportal");

before(() => execFileSync("go", ["build", "-o", binary, "./connector/jitsi/internal/demoportal"], { cwd: root, stdio: "inherit" }));

/** Starts the portal with the fake; the result tells their addresses. */
async function startServers(t, ...args) {
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => child.kill("SIGKILL"));
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (s) => (log += s));
  for await (const line of createInterface(child.stdout)) {
    const { portal, jitsi } = JSON.parse(line);
    return { portal, jitsi, log: () => log };
  }
  throw new Error(`the portal printed no addresses: ${log}`);
}

/** A person's browser, whose pages may report no fault. */
class Person {
  static async signIn(t, browser, servers, user) {
    const context = await browser.newContext({ baseURL: servers.portal, viewport: { width: 1120, height: 760 } });
    const person = new Person();
    Object.assign(person, { context, user, faults: [] });
    await context.exposeBinding("e2eViolation", (_source, text) => person.faults.push(`policy violated: ${text}`));
    await context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (e) => window.e2eViolation(`${e.effectiveDirective} blocked ${e.blockedURI} ${e.sample} on ${e.documentURI}`));
    });
    context.on("weberror", (e) => person.faults.push(`uncaught: ${e.error().stack ?? e.error()}`));
    context.on("console", (m) => process.env.E2E_VERBOSE && console.log(`[${user}] ${m.type()} ${m.text()}`));
    person.page = await context.newPage();
    await person.page.goto(`/login/${user}`);
    await ready(person.page);
    t.after(async () => {
      await context.close().catch(() => {});
      assert.deepEqual(person.faults, [], `faults on the pages of ${user}`);
    });
    return person;
  }

  /** The meeting inside of the call view. */
  get meeting() {
    return this.page.frameLocator("iframe");
  }

  async rest(method, path, data) {
    const headers = { "x-client-id": "rest" };
    const res = await this.context.request.fetch(`/portal/rest/webconferencing${path}`, { method, data, headers });
    const text = await res.text();
    return { status: res.status(), body: text ? JSON.parse(text) : null };
  }
}

/** Who is in which room, as the server has it. */
async function rooms(servers) {
  const res = await fetch(`${servers.jitsi}/_/rooms`);
  return res.json();
}

async function stage(t, users, ...args) {
  const servers = await startServers(t, ...args);
  const browser = await startBrowser(t);
  const people = await Promise.all(users.map((user) => Person.signIn(t, browser, servers, user)));
  return { servers, browser, people };
}

const sees = (person, name) => person.meeting.getByRole("listitem").filter({ hasText: name }).waitFor({ timeout: 15_000 });

/** Mary calls John; both are in the meeting. */
async function inMeeting({ people: [mary, john] }) {
  await callButton(mary.page, "John Smith").click();
  await incoming(john.page).waitFor();
  await accept(john.page);
  await Promise.all([sees(mary, "John Smith"), sees(mary, "Mary Williams"), sees(john, "Mary Williams"), sees(john, "John Smith")]);
}

async function nothingLeft({ servers, people }) {
  for (const { page } of people) {
    if (page.isClosed()) continue;
    await page.locator("iframe").waitFor({ state: "detached", timeout: 20_000 });
    await hangUpButton(page).waitFor({ state: "hidden", timeout: 20_000 });
  }
  await until("all rooms are closed", async () => Object.keys((await rooms(servers)).rooms).length === 0, { timeout: 20_000 });
}

const path = "/calls/p%2Fjohn-mary";

test("two people meet, and one hangs up", async (t) => {
  const world = await stage(t, ["mary", "john"]);
  const [mary, john] = world.people;
  await inMeeting(world);

  const { rooms: open, hooks } = await rooms(world.servers);
  const [[address, inside]] = Object.entries(open);
  assert.match(address, /^[a-z2-7]{30,}$/, "the room's name tells something");
  assert.deepEqual(inside.map((o) => o.Name).sort(), ["John Smith", "Mary Williams"]);
  assert.deepEqual(inside.map((o) => o.Owner).sort(), [false, true], "one of both is moderator");
  await until("the server has told of both", async () => (await rooms(world.servers)).hooks.filter((h) => h.Path === "events/occupant/joined" && h.Status === 204).length === 2);
  assert.ok(hooks.every((h) => h.Status < 300), JSON.stringify(hooks));
  const { body } = await mary.rest("GET", path);
  assert.deepEqual(body.participants.map((p) => p.state), ["joined", "joined"]);

  await status(mary.page).filter({ hasText: /connected/i }).first().waitFor();
  if (process.env.E2E_SHOT) await mary.page.screenshot({ path: process.env.E2E_SHOT });
  await hangUp(mary.page);
  await nothingLeft(world);
  assert.equal(await callButton(john.page, "Mary Williams").isEnabled(), true);
  const { status: gone } = await john.rest("GET", path);
  assert.equal(gone, 404);
});

test("leaving inside of the meeting ends the call", async (t) => {
  const world = await stage(t, ["mary", "john"]);
  await inMeeting(world);
  await world.people[1].meeting.getByRole("button", { name: "Leave meeting" }).click();
  await nothingLeft(world);
});

test("the page's switches work in the meeting, and the other way round", async (t) => {
  const world = await stage(t, ["mary", "john"]);
  await inMeeting(world);
  const [mary] = world.people;
  const inside = mary.meeting.getByRole("button", { name: "Mute me" });
  const outside = mary.page.getByRole("button", { name: "Mute", exact: true });
  await outside.click();
  await until("muted inside", async () => (await inside.getAttribute("aria-pressed")) === "true");
  assert.equal(await outside.getAttribute("aria-pressed"), "true");
  await inside.click();
  await until("unmuted outside", async () => (await outside.getAttribute("aria-pressed")) === "false");
  const screen = mary.meeting.getByRole("button", { name: "Share screen" });
  const share = mary.page.getByRole("button", { name: /screen/i });
  await share.click();
  await until("shared inside", async () => (await screen.getAttribute("aria-pressed")) === "true");
  await until("shared outside", async () => (await share.getAttribute("aria-pressed")) === "true");
});

test("the meeting goes on while the call is minimised and enlarged", async (t) => {
  const world = await stage(t, ["mary", "john"]);
  await inMeeting(world);
  const [mary] = world.people;
  const connections = async () => Object.values((await rooms(world.servers)).rooms).flat().map((o) => o.JID).sort();
  const before = await connections();
  await mary.page.getByRole("button", { name: "Minimise" }).click();
  await mary.page.locator("iframe").waitFor({ state: "hidden" });
  await mary.page.getByRole("button", { name: "Return to the call" }).first().click();
  await mary.page.getByRole("button", { name: "Enlarge" }).click();
  await sees(mary, "John Smith");
  assert.deepEqual(await connections(), before, "somebody entered anew");
  const frame = await mary.page.locator("iframe").boundingBox();
  assert.ok(frame.width > 1000 && frame.height > 500, `the enlarged meeting has ${frame.width} × ${frame.height}`);
  assert.equal(await mary.meeting.locator("html").getAttribute("lang"), "en");
});

test("a closed tab leaves the call", async (t) => {
  const world = await stage(t, ["mary", "john"]);
  await inMeeting(world);
  const [mary, john] = world.people;
  await john.page.close({ runBeforeUnload: false });
  await nothingLeft({ ...world, people: [mary] });
  assert.equal((await mary.rest("GET", path)).status, 404);
});

test("reloading comes back into the meeting", async (t) => {
  const world = await stage(t, ["mary", "john"]);
  await inMeeting(world);
  const [mary, john] = world.people;
  await john.page.reload();
  await ready(john.page);
  await sees(john, "Mary Williams");
  await sees(mary, "John Smith");
  await until("one connection of each", async () => Object.values((await rooms(world.servers)).rooms)[0]?.length === 2);
  assert.equal((await mary.rest("GET", path)).body.state, "started");
});

test("an administrator ends the call and the meeting with it", async (t) => {
  const world = await stage(t, ["mary", "john", "root"]);
  const [, , admin] = world.people;
  await inMeeting(world);
  const { status: stopped } = await admin.rest("POST", `${path}/stop`);
  assert.equal(stopped, 200);
  await nothingLeft(world);
});

test("a space meets; strange names are text", async (t) => {
  const world = await stage(t, ["mary", "john", "james"]);
  const [mary, john, james] = world.people;
  await callButton(mary.page, "Product Team").click();
  await sees(mary, "Mary Williams");
  await incoming(john.page).waitFor();
  await accept(john.page);
  await incoming(james.page).getByRole("button", { name: "Decline" }).click();
  await joinButton(james.page, "Product Team").click();
  await Promise.all([sees(mary, "James <b>O'Hara</b> & Sons"), sees(john, "James <b>O'Hara</b> & Sons"), sees(james, "John Smith")]);
  await hangUp(mary.page);
  await mary.page.locator("iframe").waitFor({ state: "detached" });
  await sees(john, "James"); // the others go on
  await hangUp(john.page);
  await hangUp(james.page);
  await nothingLeft(world);
});

test("a plain frame brings no script of the server into the page", async (t) => {
  const world = await stage(t, ["mary", "john"], "-embed", "frame");
  const [mary] = world.people;
  await inMeeting(world);
  assert.equal(await mary.page.evaluate(() => "JitsiMeetExternalAPI" in window), false);
  const policy = (await mary.context.request.get("/")).headers()["content-security-policy"];
  assert.doesNotMatch(policy, /external_api/);
  await hangUp(mary.page);
  await nothingLeft(world);
});

test("two people meet through Jitsi as a Service", async (t) => {
  const world = await stage(t, ["mary", "john"], "-jaas");
  await inMeeting(world);
  const [[address]] = Object.entries((await rooms(world.servers)).rooms);
  assert.match(address, /^vpaas-magic-cookie-demo\/[a-z2-7]{30,}$/);
  await until("the server has told of both", async () => (await rooms(world.servers)).hooks.filter((h) => h.Path === "jaas" && h.Body.includes("PARTICIPANT_JOINED") && h.Status === 204).length === 2);
  await hangUp(world.people[1].page);
  await nothingLeft(world);
});

test("devices can be chosen first", async (t) => {
  const world = await stage(t, ["mary", "john"], "-prejoin");
  const [mary, john] = world.people;
  await callButton(mary.page, "John Smith").click();
  await mary.meeting.getByRole("button", { name: "Join meeting" }).click();
  await sees(mary, "Mary Williams");
  await incoming(john.page).waitFor();
  await accept(john.page);
  await john.meeting.getByRole("button", { name: "Join meeting" }).click();
  await sees(mary, "John Smith");
  await hangUp(john.page);
  await nothingLeft(world);
});

test("who is refused with an old token comes back with a new one", async (t) => {
  const world = await stage(t, ["mary", "john"]);
  const [mary] = world.people;
  const tokens = [];
  await mary.context.route(`${world.servers.jitsi}/_/join`, (route) => {
    tokens.push(JSON.parse(route.request().postData()).jwt);
    return tokens.length === 1 ? route.fulfill({ status: 403, body: "token is over" }) : route.continue();
  });
  await inMeeting(world);
  assert.equal(tokens.length, 2);
  await hangUp(mary.page);
  await nothingLeft(world);
});

test("a server that does not answer leaves a call that can be ended", async (t) => {
  const world = await stage(t, ["mary", "john"]);
  const [mary, john] = world.people;
  for (const { context } of world.people) await context.route(`${world.servers.jitsi}/**`, (route) => route.abort());
  await callButton(mary.page, "John Smith").click();
  await incoming(john.page).waitFor();
  await accept(john.page);
  await hangUp(mary.page);
  await nothingLeft(world);
});

test("nobody else gets in", async (t) => {
  const world = await stage(t, ["mary", "john", "james"]);
  await inMeeting(world);
  const [[address]] = Object.entries((await rooms(world.servers)).rooms);
  const knock = async (jwt, room = address) => {
    const res = await fetch(`${world.servers.jitsi}/_/join`, { method: "POST", body: JSON.stringify({ room, jwt, name: "Mallory" }) });
    return res.status;
  };
  assert.equal(await knock(""), 403, "without a token");
  const frame = await world.people[0].page.locator("iframe").getAttribute("src");
  const jwt = new URL(frame).searchParams.get("jwt");
  assert.equal(await knock(jwt, "lunch"), 403, "into another room");
  assert.equal(await knock(jwt.replace(/\.[^.]*$/, "."), address), 403, "without a signature");
  const { status: refused } = await world.people[2].rest("POST", `${path}/join`);
  assert.ok(refused === 403 || refused === 404, `james got ${refused}`);
});
