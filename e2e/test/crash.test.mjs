// What happens to calls when a browser or the portal is killed.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  accept, bothMove, call, callButton, Device, hangUp, incoming, moves, noCallLeft, remoteVideos, startBrowser, startBrowserProcess,
  status, withoutCall,
} from "../lib/browser.mjs";
import { sleep, startPortal } from "../lib/portal.mjs";

test("a killed browser is out of the call within 30 s", async (t) => {
  const portal = await startPortal(t);
  const browser = await startBrowser(t);
  const doomed = await startBrowserProcess(t);
  const mary = await Device.signIn(t, browser, portal, "mary");
  const john = await Device.signIn(t, doomed.browser, portal, "john");
  const johnsPage = await john.openReady("/portal/");
  const marysPage = await call(mary, "john", "John Smith");
  await accept(johnsPage);
  await bothMove(marysPage, johnsPage);

  doomed.process.kill("SIGKILL");
  const killed = Date.now();
  await status(marysPage).filter({ hasText: /ended|left|gone|lost/i }).first().waitFor({ timeout: 30_000 });
  await withoutCall(marysPage, 30_000 - (Date.now() - killed));
  t.diagnostic(`told after ${((Date.now() - killed) / 1000).toFixed(1)} s`);
  await noCallLeft(mary);
  assert.equal(mary.toldOf("call_state", "stopped"), 1);
});

test("the portal is killed while a call rings: the ring goes on", async (t) => {
  const portal = await startPortal(t);
  const browser = await startBrowser(t);
  const [mary, john] = await Promise.all(["mary", "john"].map((user) => Device.signIn(t, browser, portal, user)));
  const johnsPage = await john.openReady("/portal/");
  const marysPage = await call(mary, "john", "John Smith");
  await incoming(johnsPage).waitFor();
  await portal.kill();
  await sleep(1500);
  await portal.start();
  await sleep(1500);
  assert.ok(await incoming(johnsPage).isVisible(), "the card vanished with the portal");
  await accept(johnsPage);
  await bothMove(marysPage, johnsPage);
  await hangUp(johnsPage);
  await withoutCall(marysPage);
  await withoutCall(johnsPage);
});

test("the portal is killed while a call rings: it still ends once", async (t) => {
  const portal = await startPortal(t, { ring: "8s" });
  const browser = await startBrowser(t);
  const [mary, john] = await Promise.all(["mary", "john"].map((user) => Device.signIn(t, browser, portal, user)));
  const johnsPage = await john.openReady("/portal/");
  const marysPage = await call(mary, "john", "John Smith");
  await incoming(johnsPage).waitFor();
  await portal.kill();
  await sleep(1500);
  await portal.start();
  await status(marysPage).filter({ hasText: /no answer/i }).first().waitFor({ timeout: 25_000 });
  await incoming(johnsPage).waitFor({ state: "hidden", timeout: 10_000 });
  await withoutCall(marysPage);
  await noCallLeft(mary);
  for (const device of [mary, john]) assert.equal(device.toldOf("call_state", "stopped"), 1, `how often ${device.user} was told the end`);
});

test("the portal is killed during a call: the call goes on", async (t) => {
  const portal = await startPortal(t);
  const browser = await startBrowser(t);
  const [mary, john] = await Promise.all(["mary", "john"].map((user) => Device.signIn(t, browser, portal, user)));
  const johnsPage = await john.openReady("/portal/");
  const marysPage = await call(mary, "john", "John Smith");
  await accept(johnsPage);
  await bothMove(marysPage, johnsPage);

  await portal.kill();
  await moves(remoteVideos(marysPage).first(), "john, without a portal");
  await portal.start();
  // Longer than a seat may go without its device after a restart.
  for (let i = 0; i < 8; i++) {
    await sleep(5000);
    await moves(remoteVideos(marysPage).first(), "john, after the restart");
    await moves(remoteVideos(johnsPage).first(), "mary, after the restart");
  }
  await hangUp(marysPage);
  await withoutCall(marysPage);
  await withoutCall(johnsPage);
  for (const device of [mary, john]) assert.equal(device.toldOf("call_state", "stopped"), 1, `how often ${device.user} was told the end`);

  // And everything is as good as new.
  await callButton(marysPage, "John Smith").click();
  await accept(johnsPage);
  await bothMove(marysPage, johnsPage);
});
