// What stands in the way of a call is told, with what helps.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accessible } from "../lib/accessibility.mjs";
import { accept, bothMove, call, Device, hangUp, hangUpButton, incoming, moves, remoteVideos, startBrowser, withoutCall } from "../lib/browser.mjs";
import { startPortal } from "../lib/portal.mjs";

const told = (page, text) => page.getByRole("alert").filter({ hasText: text });

test("camera and microphone are refused", async (t) => {
  const portal = await startPortal(t);
  const [refusing, browser] = await Promise.all([startBrowser(t, { media: false }), startBrowser(t)]);
  const [mary, john] = await Promise.all([Device.signIn(t, refusing, portal, "mary"), Device.signIn(t, browser, portal, "john")]);
  await john.openReady("/portal/");
  const page = await call(mary, "john", "John Smith");
  await told(page, "Camera and microphone are blocked").waitFor();
  await page.getByRole("button", { name: "Try again" }).waitFor();
  await accessible(page, "refused media");
  // The call goes on: Mary sees and hears, but is not seen.
  await accept(john.page);
  await moves(remoteVideos(page).first(), "john");
  assert.equal(await page.getByRole("button", { name: "Mute" }).isVisible(), false);
  await hangUp(page);
  await withoutCall(john.page);
});

test("there is no connection for a while", async (t) => {
  const portal = await startPortal(t);
  const browser = await startBrowser(t);
  const [mary, john] = await Promise.all(["mary", "john"].map((user) => Device.signIn(t, browser, portal, user)));
  await john.openReady("/portal/");
  const page = await call(mary, "john", "John Smith");
  await accept(john.page);
  await bothMove(page, john.page);
  await mary.context.setOffline(true);
  await told(page, "No connection").waitFor({ timeout: 20_000 });
  assert.ok(await hangUpButton(page).isVisible());
  await mary.context.setOffline(false);
  await told(page, "No connection").waitFor({ state: "hidden", timeout: 20_000 });
  await bothMove(page, john.page);
});

test("whoever is signed out elsewhere is told so", async (t) => {
  const portal = await startPortal(t);
  const browser = await startBrowser(t);
  const [mary, john] = await Promise.all(["mary", "john"].map((user) => Device.signIn(t, browser, portal, user)));
  await john.openReady("/portal/");
  const page = await call(mary, "john", "John Smith");
  await incoming(john.page).waitFor();
  assert.equal((await mary.context.request.post("/logout")).status(), 200);
  await told(page, "You are signed out").waitFor({ timeout: 60_000 });
  await page.getByRole("button", { name: "Reload the page" }).click();
  await page.waitForURL("**/login");
});
