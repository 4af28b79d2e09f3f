// Group calls in a space and in a chat room.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  accept, callButton, Device, hangUp, hangUpButton, incoming, joinButton, moves, remoteVideos, startBrowser, withoutCall,
} from "../lib/browser.mjs";
import { startPortal, until } from "../lib/portal.mjs";

async function stage(t, users) {
  const portal = await startPortal(t);
  const browser = await startBrowser(t);
  const devices = await Promise.all(users.map((user) => Device.signIn(t, browser, portal, user)));
  return { portal, browser, devices };
}

/** Waits until a page shows this many other people, all of them moving. */
async function sees(page, count, who) {
  await until(`${who} sees ${count} others`, async () => (await remoteVideos(page).count()) === count, { timeout: 30_000 });
  for (let i = 0; i < count; i++) await moves(remoteVideos(page).nth(i), `picture ${i + 1} at ${who}`);
}

test("three people in a space", async (t) => {
  const { devices: [mary, john, james] } = await stage(t, ["mary", "john", "james"]);
  const johnsPage = await john.openReady("/portal/");
  const jamesPage = await james.openReady("/portal/spaces/product_team");
  const marysPage = await mary.openReady("/portal/spaces/product_team");

  await callButton(marysPage, "Product Team").click();
  await hangUpButton(marysPage).waitFor();
  await incoming(johnsPage).waitFor();
  assert.match(await incoming(johnsPage).innerText(), /Product Team/);
  await accept(johnsPage);
  await sees(marysPage, 1, "mary");

  // James was rung as well, and joins by the button of the space later.
  await incoming(jamesPage).waitFor();
  await incoming(jamesPage).getByRole("button", { name: "Decline" }).click();
  await incoming(jamesPage).waitFor({ state: "hidden" });
  assert.ok(await hangUpButton(marysPage).isVisible(), "declining ended the call for the others");
  await joinButton(jamesPage, "Product Team").click();
  await Promise.all([sees(marysPage, 2, "mary"), sees(johnsPage, 2, "john"), sees(jamesPage, 2, "james")]);

  await hangUp(marysPage);
  await withoutCall(marysPage);
  await Promise.all([sees(johnsPage, 1, "john"), sees(jamesPage, 1, "james")]);
  await joinButton(marysPage, "Product Team").waitFor();

  await hangUp(johnsPage);
  await withoutCall(johnsPage);
  assert.ok(await hangUpButton(jamesPage).isVisible(), "a group call ends with the last one, not the last but one");
  await hangUp(jamesPage);
  await withoutCall(jamesPage);
  await callButton(marysPage, "Product Team").waitFor(); // nothing to join any more
  await callButton(jamesPage, "Product Team").waitFor();
});

test("two people in a chat room", async (t) => {
  const { devices: [mary, jack] } = await stage(t, ["mary", "jack"]);
  const jacksPage = await jack.openReady("/portal/");
  const marysPage = await mary.openReady("/portal/rooms/team-welcome");
  await callButton(marysPage, "Welcome").click();
  await incoming(jacksPage).waitFor();
  await accept(jacksPage);
  await Promise.all([sees(marysPage, 1, "mary"), sees(jacksPage, 1, "jack")]);
  await hangUp(jacksPage);
  await hangUp(marysPage);
  await withoutCall(marysPage);
});

test("only members may call a space", async (t) => {
  const { devices: [jack] } = await stage(t, ["jack"]);
  const page = await jack.open("/portal/spaces/product_team");
  assert.equal(await page.getByRole("heading", { name: "Forbidden" }).isVisible(), true);
  assert.equal(await callButton(page, "Product Team").count(), 0);
  assert.equal((await jack.rest("GET", "/space/product_team")).status, 403);
});
