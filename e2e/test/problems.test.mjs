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

test("the browser holds back the sound until a click", async (t) => {
  const portal = await startPortal(t);
  const browser = await startBrowser(t);
  const [mary, john] = await Promise.all(["mary", "john"].map((user) => Device.signIn(t, browser, portal, user)));
  // As a browser does that wants a click before it plays what can be heard.
  await john.context.addInitScript(() => {
    let held = true;
    const play = HTMLMediaElement.prototype.play;
    HTMLMediaElement.prototype.play = function () {
      if (!held || this.muted) return play.call(this);
      this.pause();
      return Promise.reject(new DOMException("a click is needed", "NotAllowedError"));
    };
    addEventListener("click", (e) => (held &&= e.composedPath()[0].textContent !== "Play sound"), { capture: true });
  });
  const page = await john.openReady("/portal/");
  await call(mary, "john", "John Smith");
  await accept(page);
  const notice = told(page, "The browser holds back the sound");
  await notice.waitFor();
  const paused = () => remoteVideos(page).first().evaluate((video) => video.paused);
  assert.equal(await paused(), true);
  await accessible(page, "sound held back");
  await page.getByRole("button", { name: "Play sound" }).click();
  await notice.waitFor({ state: "hidden" });
  assert.equal(await paused(), false);
  await moves(remoteVideos(page).first(), "mary");
  await hangUp(page);
  await withoutCall(mary.page);
});
