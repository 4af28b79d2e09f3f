// What people set for themselves: language, appearance, being disturbed, tone.

import assert from "node:assert/strict";
import { test } from "node:test";
import { call, Device, hangUp, incoming, startBrowser, status } from "../lib/browser.mjs";
import { startPortal } from "../lib/portal.mjs";

async function stage(t, users) {
  const portal = await startPortal(t);
  const browser = await startBrowser(t);
  return Promise.all(users.map((user) => Device.signIn(t, browser, portal, user)));
}

test("language and appearance hold for page and elements", async (t) => {
  const [john] = await stage(t, ["john"]);
  const page = await john.openReady("/portal/settings");
  await page.getByRole("combobox", { name: "Language" }).selectOption("ar");
  await page.getByRole("radio", { name: "Dark" }).check();
  await page.getByRole("button", { name: "Save" }).click();
  await page.waitForURL("**/portal/settings?saved");
  assert.deepEqual(await page.locator("html").evaluate((e) => [e.lang, e.dir, getComputedStyle(e).colorScheme]), ["ar", "rtl", "dark"]);
  // An element of the library follows: light text, from right to left.
  const tone = page.locator("wc-ring-tone legend");
  await tone.filter({ hasText: /\S/ }).waitFor();
  const [direction, color] = await tone.evaluate((e) => [getComputedStyle(e).direction, getComputedStyle(e).color]);
  assert.equal(direction, "rtl");
  assert.ok(color.match(/\d+/g).slice(0, 3).every((part) => Number(part) > 128), `text is ${color} on dark`);
});

test("who does not want to be disturbed is rung silently", async (t) => {
  const [mary, john] = await stage(t, ["mary", "john"]);
  const page = await john.openReady("/portal/settings");
  await page.getByRole("radio", { name: "do not disturb" }).check();
  await page.getByRole("button", { name: "Save" }).click();
  await page.waitForURL("**/portal/settings?saved");
  await john.openReady("/portal/");
  const marysPage = await call(mary, "john", "John Smith");
  await incoming(page).waitFor();
  assert.match(await incoming(page).innerText(), /Ringing silently: do not disturb/);
  assert.equal(await incoming(page).getByRole("button", { name: "Silence" }).count(), 0);
  assert.match(await marysPage.locator("main").innerText(), /do not disturb/);
  await hangUp(marysPage);
});

test("a ring is silenced without being refused", async (t) => {
  const [mary, john] = await stage(t, ["mary", "john"]);
  const page = await john.openReady("/portal/");
  await page.locator("h1").click(); // a page that was never touched may not sound
  const marysPage = await call(mary, "john", "John Smith");
  await incoming(page).getByRole("button", { name: "Silence" }).click();
  await incoming(page).getByText("The ring tone is off for this call.").waitFor();
  await status(marysPage).filter({ hasText: /ringing on 1 device/i }).first().waitFor();
  await hangUp(marysPage);
  await incoming(page).waitFor({ state: "hidden" });
});

test("the ring tone is kept in the browser", async (t) => {
  const [john] = await stage(t, ["john"]);
  const page = await john.openReady("/portal/settings");
  await page.getByRole("radio", { name: "No sound" }).check();
  await page.reload();
  await page.getByRole("radio", { name: "No sound" }).waitFor();
  assert.equal(await page.getByRole("radio", { name: "No sound" }).isChecked(), true);
  assert.equal(await page.getByRole("button", { name: "Listen" }).isVisible(), false);
});
