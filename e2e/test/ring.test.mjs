// The ends of a call that was never answered, and several devices.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accept, bothMove, call, decline, Device, hangUp, incoming, ready, startBrowser, status, withoutCall } from "../lib/browser.mjs";
import { sleep, startPortal } from "../lib/portal.mjs";

async function stage(t, users, options) {
  const portal = await startPortal(t, options);
  const browser = await startBrowser(t);
  return Promise.all(users.map((user) => Device.signIn(t, browser, portal, user)));
}

test("declining tells the caller", async (t) => {
  const [mary, john] = await stage(t, ["mary", "john"]);
  const johnsPage = await john.openReady("/portal/");
  const marysPage = await call(mary, "john", "John Smith");
  await incoming(johnsPage).waitFor();
  await decline(johnsPage);
  await status(marysPage).filter({ hasText: /declined/i }).first().waitFor();
  await withoutCall(marysPage);
  await withoutCall(johnsPage);
});

test("a cancelled call stops ringing", async (t) => {
  const [mary, john] = await stage(t, ["mary", "john"]);
  const johnsPage = await john.openReady("/portal/");
  const marysPage = await call(mary, "john", "John Smith");
  await incoming(johnsPage).waitFor();
  await hangUp(marysPage);
  await incoming(johnsPage).waitFor({ state: "hidden" });
  await withoutCall(marysPage);
});

test("no answer within the ring time", async (t) => {
  const [mary, john] = await stage(t, ["mary", "john"], { ring: "6s" });
  const johnsPage = await john.openReady("/portal/");
  const marysPage = await call(mary, "john", "John Smith");
  await incoming(johnsPage).waitFor();
  await status(marysPage).filter({ hasText: /no answer/i }).first().waitFor({ timeout: 12_000 });
  await incoming(johnsPage).waitFor({ state: "hidden" });
  await withoutCall(marysPage);
});

test("somebody who is away is rung when they come back in time", async (t) => {
  const [mary, john] = await stage(t, ["mary", "john"]);
  await john.page.goto("about:blank");
  const marysPage = await call(mary, "john", "John Smith");
  const johnsPage = await john.openReady("/portal/");
  await incoming(johnsPage).waitFor();
  await accept(johnsPage);
  await bothMove(marysPage, johnsPage);
});

test("a second device stops ringing when the first accepts", async (t) => {
  const [mary, phone, laptop] = await stage(t, ["mary", "john", "john"]);
  const pages = [await phone.openReady("/portal/"), await laptop.openReady("/portal/people/mary")];
  const marysPage = await call(mary, "john", "John Smith");
  await Promise.all(pages.map((page) => incoming(page).waitFor()));
  await accept(pages[0]);
  await incoming(pages[1]).waitFor({ state: "hidden" });
  await bothMove(marysPage, pages[0]);
  assert.equal(await pages[1].getByRole("button", { name: "Hang up" }).isVisible(), false, "the second device is in the call");

  // Closing the device that only rang ends nothing.
  await laptop.context.close();
  await sleep(2000);
  await bothMove(marysPage, pages[0]);
  await hangUp(marysPage);
  await withoutCall(pages[0]);
});

test("two tabs of one browser ring together and stop together", async (t) => {
  const [mary, john] = await stage(t, ["mary", "john"]);
  const first = await john.openReady("/portal/");
  const second = await john.openReady("/portal/people/mary", { newTab: true });
  await first.bringToFront();
  const marysPage = await call(mary, "john", "John Smith");
  await Promise.all([incoming(first).waitFor(), incoming(second).waitFor()]);
  await accept(first);
  await incoming(second).waitFor({ state: "hidden" });
  await bothMove(marysPage, first);
  await hangUp(first);
  await withoutCall(marysPage);
});

test("two who call each other at once meet in one call", async (t) => {
  const [mary, john] = await stage(t, ["mary", "john"]);
  const [a, b] = await Promise.all([mary.openReady("/portal/people/john"), john.openReady("/portal/people/mary")]);
  await Promise.all([ready(a), ready(b)]);
  await Promise.all([
    a.getByRole("button", { name: "Call John Smith" }).click(),
    b.getByRole("button", { name: "Call Mary Williams" }).click(),
  ]);
  await bothMove(a, b);
  await hangUp(a);
  await withoutCall(b);
});
