// The history and its counter of missed calls.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accept, bothMove, call, Device, hangUp, incoming, startBrowser, withoutCall } from "../lib/browser.mjs";
import { startPortal } from "../lib/portal.mjs";

const link = (page) => page.getByRole("navigation").getByRole("link", { name: /^Calls/ });
const entries = (page) => page.locator("wc-call-history").getByRole("listitem");

async function stage(t, users) {
  const portal = await startPortal(t);
  const browser = await startBrowser(t);
  return Promise.all(users.map((user) => Device.signIn(t, browser, portal, user)));
}

async function miss(caller, page) {
  await call(caller, "john", "John Smith");
  await incoming(page).waitFor();
  await hangUp(caller.page);
  await incoming(page).waitFor({ state: "hidden" });
}

test("every tab counts missed calls until they are seen", async (t) => {
  const [mary, john, phone] = await stage(t, ["mary", "john", "john"]);
  const first = await john.openReady("/portal/");
  const second = await john.openReady("/portal/people/mary", { newTab: true });
  const third = await phone.openReady("/portal/");
  const all = [first, second, third];
  await Promise.all(all.map(async (page) => assert.equal((await link(page).innerText()).trim(), "Calls")));
  await miss(mary, first);
  await Promise.all(all.map((page) => link(page).and(page.getByRole("link", { name: "Calls 1 missed call", exact: true })).waitFor()));
  await miss(mary, first);
  await Promise.all(all.map((page) => page.getByRole("link", { name: "Calls 2 missed calls", exact: true }).waitFor()));

  await john.openReady("/portal/calls");
  await entries(first).nth(1).waitFor();
  assert.match(await entries(first).first().innerText(), /Mary Williams[\s\S]*Missed[\s\S]*New/);
  await first.getByRole("button", { name: "Mark all as seen" }).click();
  await Promise.all(all.map((page) => page.getByRole("link", { name: "Calls", exact: true }).waitFor()));
  await entries(first).first().getByText("New").waitFor({ state: "hidden" });
});

test("the list tells both sides, is searched and filtered, and calls back", async (t) => {
  const [mary, john, james] = await stage(t, ["mary", "john", "james"]);
  await john.openReady("/portal/");
  await miss(james, john.page);
  await call(mary, "john", "John Smith");
  await accept(john.page);
  await bothMove(mary.page, john.page);
  await hangUp(mary.page);
  await withoutCall(john.page);

  const page = await john.openReady("/portal/calls");
  await entries(page).nth(1).waitFor();
  assert.match(await entries(page).nth(0).innerText(), /Mary Williams[\s\S]*Incoming[\s\S]*0:\d\d/);
  assert.match(await entries(page).nth(1).innerText(), /James Davis[\s\S]*Missed/);
  await page.getByRole("searchbox", { name: "Search calls" }).fill("mary");
  await entries(page).nth(1).waitFor({ state: "hidden" });
  assert.match(await entries(page).first().innerText(), /Mary Williams/);
  await page.getByRole("searchbox", { name: "Search calls" }).fill("");
  await page.getByRole("combobox", { name: "Show" }).selectOption("missed");
  await page.locator("wc-call-history li[data-missed]").first().waitFor();
  await entries(page).nth(1).waitFor({ state: "hidden" });
  assert.match(await entries(page).first().innerText(), /James Davis/);

  await mary.openReady("/portal/calls");
  await entries(mary.page).first().waitFor();
  assert.match(await entries(mary.page).first().innerText(), /John Smith[\s\S]*Outgoing/);
  await james.openReady("/portal/calls");
  assert.match(await entries(james.page).first().innerText(), /John Smith[\s\S]*Cancelled/);

  await page.getByRole("button", { name: "Call James Davis" }).click();
  await incoming(james.page).waitFor();
  await accept(james.page);
  await bothMove(page, james.page);
});
