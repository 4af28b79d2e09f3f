// Which providers calls may use: the portal decides, a space may decide for
// itself, and may leave it to the portal again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accessible, tabTo } from "../lib/accessibility.mjs";
import { callButton, Device, hangUp, hangUpButton, startBrowser, withoutCall } from "../lib/browser.mjs";
import { startPortal, until } from "../lib/portal.mjs";

const options = { jitsi: "https://meet.example.org/" }; // the pages do not get there

async function stage(t, users) {
  const portal = await startPortal(t, options);
  const browser = await startBrowser(t);
  return Promise.all(users.map((user) => Device.signIn(t, browser, portal, user)));
}

const choiceOf = (page, name) => page.getByRole("group", { name: name ? `Providers of calls: ${name}` : /^Providers of calls$/ });
const formOf = (page, name) => page.locator("wc-space-providers").filter({ has: choiceOf(page, name) });

async function save(page, name) {
  const form = formOf(page, name);
  await form.getByRole("button", { name: /^Save/ }).click();
  await form.getByRole("status").filter({ hasText: "Saved" }).waitFor();
}

/** Waits until the call button of a page offers a choice of these providers, or none. */
async function offers(device, path, name, expected) {
  const chosen = path.includes("/spaces/") ? device.page.waitForResponse("**/providers/for/**") : null;
  const page = await device.openReady(path);
  await callButton(page, name).waitFor();
  await chosen;
  const more = page.getByRole("button", { name: `Choose a provider for ${name}` });
  if (expected.length < 2) {
    await more.waitFor({ state: "hidden" });
    return;
  }
  await more.click();
  const items = (await page.getByRole("menuitem").allInnerTexts()).map((text) => text.match(/WebRTC|Jitsi Meet/)?.[0]);
  assert.deepEqual(items.sort(), expected);
}

const both = ["Jitsi Meet", "WebRTC"];
const space = "/portal/spaces/product_team";
const person = "/portal/people/mary";
const types = async (device, path) => (await device.rest("GET", path)).body.providers.map((p) => p.type);

test("an administrator lets a space use one provider only, and takes it back", async (t) => {
  const [root, john] = await stage(t, ["root", "john"]);
  await offers(john, space, "Product Team", both);

  const admin = await root.openReady("/portal/admin");
  const choice = choiceOf(admin, "Product Team");
  const form = formOf(admin, "Product Team");
  await choice.waitFor();
  assert.equal(await choice.getByRole("radio", { name: "As in the portal" }).isChecked(), true);
  await form.getByText("In use: WebRTC, Jitsi Meet").waitFor();
  assert.equal(await choice.getByRole("checkbox", { name: "WebRTC" }).isEnabled(), false);
  await choice.getByRole("radio", { name: "Only these:" }).check();
  await choice.getByRole("checkbox", { name: "WebRTC" }).uncheck();
  await accessible(admin, "the choice of a space");
  await save(admin, "Product Team");
  if (process.env.E2E_SHOT) await admin.screenshot({ path: process.env.E2E_SHOT, fullPage: true });

  const path = "/providers/for/space/product_team";
  assert.deepEqual(await types(john, path), ["jitsi"]);
  await offers(john, person, "Mary Williams", both);
  // Which one it is shows when it is used.
  await offers(john, space, "Product Team", ["Jitsi Meet"]);
  await john.page.route(`${options.jitsi}**`, (route) => route.abort());
  const used = john.page.waitForRequest(`${options.jitsi}**`);
  await callButton(john.page, "Product Team").click();
  await used;
  const failed = john.page.getByRole("status").filter({ hasText: /could not/ });
  await hangUpButton(john.page).or(failed).first().waitFor();
  if (await hangUpButton(john.page).isVisible()) await hangUp(john.page);
  await withoutCall(john.page);
  // The other groups go on as they were.
  assert.deepEqual(await types(root, "/providers/for/space/sales_team"), ["webrtc", "jitsi"]);

  await admin.reload();
  assert.equal(await choice.getByRole("checkbox", { name: "WebRTC" }).isChecked(), false);
  assert.equal(await choice.getByRole("checkbox", { name: "Jitsi Meet" }).isChecked(), true);
  await choice.getByRole("radio", { name: "As in the portal" }).check();
  await save(admin, "Product Team");
  await form.getByText("In use: WebRTC, Jitsi Meet").waitFor();
  await offers(john, space, "Product Team", both);
});

test("what the portal chooses is inherited by all who have no choice", async (t) => {
  const [root, john] = await stage(t, ["root", "john"]);
  const admin = await root.openReady("/portal/admin");
  const portal = choiceOf(admin);
  await portal.getByRole("radio", { name: "Only these:" }).check();
  await portal.getByRole("checkbox", { name: "Jitsi Meet" }).uncheck();
  await save(admin);
  // The forms of the same page follow.
  for (const name of ["Product Team", "Sales Team", "Welcome"]) await formOf(admin, name).getByText("In use: WebRTC").waitFor();
  assert.deepEqual(await types(john, "/providers/for/space/product_team"), ["webrtc"]);

  // A choice of nothing is possible, and told.
  const welcome = choiceOf(admin, "Welcome");
  await welcome.getByRole("radio", { name: "Only these:" }).check();
  await welcome.getByRole("checkbox", { name: "WebRTC" }).uncheck();
  await formOf(admin, "Welcome").getByText("Without a provider nobody can call here.").waitFor();
  await save(admin, "Welcome");
  assert.deepEqual(await types(john, "/providers/for/chat_room/team-welcome"), []);

  await portal.getByRole("radio", { name: "All providers" }).check();
  await save(admin);
  await until("all are back", async () => (await types(john, "/providers/for/space/product_team")).length === 2);
  assert.deepEqual(await types(john, "/providers/for/chat_room/team-welcome"), [], "a choice of its own is not the portal's");
});

test("the manager of a space chooses by keyboard, its other members see nothing", async (t) => {
  const [mary, john] = await stage(t, ["mary", "john"]);
  const page = await mary.openReady(space);
  const choice = choiceOf(page, "Product Team");
  await choice.waitFor();
  await tabTo(page, /As in the portal|^input/);
  await page.keyboard.press("ArrowDown");
  assert.equal(await choice.getByRole("radio", { name: "Only these:" }).isChecked(), true);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Space");
  await accessible(page, "the choice on the page of a space");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await formOf(page, "Product Team").getByRole("status").filter({ hasText: "Saved" }).waitFor();
  const { body } = await mary.rest("GET", "/providers/for/space/product_team");
  assert.deepEqual([body.inherited, body.own], [false, ["jitsi"]]);

  // Neither in the page nor for somebody who puts the form there.
  const other = await john.openReady(space);
  assert.equal(await other.locator("wc-space-providers").count(), 0);
  const answered = other.waitForResponse((res) => res.request().method() === "PUT" && res.url().includes("/providers/for/"));
  await other.evaluate(async () => {
    await import("/webconferencing/admin.js");
    const form = document.createElement("wc-space-providers");
    form.setAttribute("group", "product_team");
    document.querySelector("main").append(form);
  });
  assert.equal((await answered).status(), 403);
  await other.waitForLoadState("networkidle");
  assert.equal(await choiceOf(other, "product_team").isVisible(), false);
  assert.equal((await john.rest("PUT", "/providers/for/space/product_team", { providers: null })).status, 403);
});

test("nothing can be saved before it is known what was chosen", async (t) => {
  const [root] = await stage(t, ["root"]);
  const path = "**/providers/for/space/product_team";
  await root.page.route(path, (route) => route.fulfill({ status: 503, json: { code: "SERVER_ERROR", message: "not now" } }));
  const page = await root.openReady("/portal/admin");
  const form = page.locator("wc-space-providers[group=product_team]");
  await form.getByRole("alert").filter({ hasText: "Could not" }).waitFor();
  assert.equal(await form.getByRole("button").count(), 0);
  assert.equal(await form.getByRole("radio").count(), 0);
  // The others are not in need of it, and it recovers with the connection.
  await choiceOf(page, "Sales Team").waitFor();
  await accessible(page, "a choice that could not be loaded");
  await page.unroute(path);
  await root.context.setOffline(true);
  await until("offline", () => page.evaluate(async () => (await (await import("/webconferencing/index.js")).started).wc.connection !== "connected"), { timeout: 30_000 });
  await root.context.setOffline(false);
  await choiceOf(page, "Product Team").waitFor({ timeout: 30_000 });
  assert.equal(await form.getByRole("alert").count(), 0);
});
