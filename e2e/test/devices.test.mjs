// Calls of people who have several devices, and several calls of one person.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accept, bothMove, call, callButton, Device, hangUp, hangUpButton, incoming, moves, remoteVideos, startBrowser, status, withoutCall } from "../lib/browser.mjs";
import { startPortal } from "../lib/portal.mjs";

const waiting = (page) => page.getByRole("dialog", { name: "Waiting call" });
const bar = (page) => page.getByRole("region", { name: "Ongoing call" });

async function stage(t, users, options) {
  const portal = await startPortal(t, options);
  const browser = await startBrowser(t);
  return Promise.all(users.map((user) => Device.signIn(t, browser, portal, user)));
}

/** Mary and John talk; the others are on the page of people. */
async function talking(t, ...users) {
  const devices = await stage(t, ["mary", "john", ...users]);
  await Promise.all(devices.map((device) => device.openReady("/portal/")));
  const [mary, john] = devices;
  await call(mary, "john", "John Smith");
  await accept(john.page);
  await bothMove(mary.page, john.page);
  return devices;
}

test("the caller sees how many devices ring, and the others learn that one answered", async (t) => {
  const [mary, phone, laptop] = await stage(t, ["mary", "john", "john"]);
  const pages = await Promise.all([phone, laptop].map((device) => device.openReady("/portal/")));
  const marysPage = await call(mary, "john", "John Smith");
  await status(marysPage).filter({ hasText: "Ringing on 2 devices" }).first().waitFor();
  await accept(pages[0]);
  await incoming(pages[1]).waitFor({ state: "hidden" });
  await status(pages[1]).filter({ hasText: "Mary Williams: answered on another of your devices" }).first().waitFor();
  await bothMove(marysPage, pages[0]);
});

test("a call is declined while another goes on", async (t) => {
  const [mary, john, james] = await talking(t, "james");
  const jamesPage = await call(james, "john", "John Smith");
  await waiting(john.page).waitFor();
  assert.match(await waiting(john.page).innerText(), /James Davis is calling you/);
  await waiting(john.page).getByRole("button", { name: "Decline" }).click();
  await status(jamesPage).filter({ hasText: /declined/i }).first().waitFor();
  await waiting(john.page).waitFor({ state: "hidden" });
  await bothMove(mary.page, john.page);
});

test("a waiting call is ignored and rings on", async (t) => {
  const [mary, john, james] = await talking(t, "james");
  const jamesPage = await call(james, "john", "John Smith");
  await waiting(john.page).getByRole("button", { name: "Ignore" }).click();
  await waiting(john.page).waitFor({ state: "hidden" });
  await status(jamesPage).filter({ hasText: /ringing on/i }).first().waitFor();
  await bothMove(mary.page, john.page);
  await hangUp(jamesPage);
  await withoutCall(jamesPage);
});

test("accepting a waiting call ends the other one", async (t) => {
  const [mary, john, james] = await talking(t, "james");
  const jamesPage = await call(james, "john", "John Smith");
  await waiting(john.page).getByRole("button", { name: "End and accept" }).click();
  await withoutCall(mary.page);
  await bothMove(jamesPage, john.page);
  await hangUp(jamesPage);
  await withoutCall(john.page);
});

test("a call goes on on another device of the same person", async (t) => {
  const [mary, john, tablet] = await talking(t, "mary");
  await bar(tablet.page).waitFor();
  assert.match(await bar(tablet.page).innerText(), /John Smith[\s\S]*\d:\d\d/);
  assert.equal(await bar(mary.page).isVisible(), false, "the call of this page is told as being elsewhere");
  await tablet.page.getByRole("button", { name: "Continue here" }).click();
  await status(mary.page).filter({ hasText: "Continued on another device" }).first().waitFor();
  await bothMove(tablet.page, john.page);
  await hangUpButton(mary.page).waitFor({ state: "hidden" });
  await hangUp(tablet.page);
  await withoutCall(john.page);
  await bar(mary.page).waitFor({ state: "hidden" });
});

test("a call on another device is ended from here", async (t) => {
  const [mary, john, tablet] = await talking(t, "mary");
  await tablet.page.getByRole("button", { name: "End there" }).click();
  await withoutCall(mary.page);
  await withoutCall(john.page);
  await bar(tablet.page).waitFor({ state: "hidden" });
});

test("somebody who did not come is rung again in a call of a group", async (t) => {
  const [mary, john, james] = await stage(t, ["mary", "john", "james"]);
  await Promise.all([john, james].map((device) => device.openReady("/portal/")));
  await mary.openReady("/portal/spaces/product_team");
  await callButton(mary.page, "Product Team").click();
  await accept(john.page);
  await moves(remoteVideos(mary.page).first(), "john");
  await incoming(james.page).getByRole("button", { name: "Decline" }).click();
  await mary.page.getByRole("button", { name: "Ring James Davis again" }).click();
  await incoming(james.page).waitFor();
  await accept(james.page);
  await mary.page.getByRole("button", { name: "Ring James Davis again" }).waitFor({ state: "hidden" });
});

test("who was declined calls again", async (t) => {
  const [mary, john] = await stage(t, ["mary", "john"]);
  await john.openReady("/portal/");
  const page = await call(mary, "john", "John Smith");
  await incoming(john.page).getByRole("button", { name: "Decline" }).click();
  await page.getByRole("button", { name: "Call again: John Smith" }).click();
  await accept(john.page);
  await bothMove(page, john.page);
});
