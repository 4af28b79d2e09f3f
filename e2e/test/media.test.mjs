// What somebody in a call shows to the others: camera, screen, which device.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accessible } from "../lib/accessibility.mjs";
import { accept, bothMove, call, Device, hangUp, localVideo, moves, remoteVideos, startBrowser, withoutCall } from "../lib/browser.mjs";
import { startPortal, until } from "../lib/portal.mjs";

async function inCall(t) {
  const portal = await startPortal(t);
  const browser = await startBrowser(t);
  const [mary, john] = await Promise.all(["mary", "john"].map((user) => Device.signIn(t, browser, portal, user)));
  await john.openReady("/portal/");
  const page = await call(mary, "john", "John Smith");
  await accept(john.page);
  await bothMove(page, john.page);
  return { mary, john, marys: page, johns: john.page };
}

/** Size of the picture of the other side, as it arrives. */
const size = (page) => remoteVideos(page).first().evaluate((v) => `${v.videoWidth}x${v.videoHeight}`);
const fit = (page) => remoteVideos(page).first().evaluate((v) => getComputedStyle(v).objectFit);

test("the screen is shared and the camera comes back", async (t) => {
  const { marys, johns } = await inCall(t);
  const button = marys.getByRole("button", { name: "Share screen" });
  assert.equal(await button.getAttribute("aria-pressed"), "false");
  await button.press("Enter");
  await johns.getByText("Mary Williams shares the screen").waitFor();
  assert.equal(await button.getAttribute("aria-pressed"), "true");
  assert.equal(await fit(johns), "contain");
  await moves(remoteVideos(johns).first(), "mary's screen");

  // The camera need not be on for it.
  await marys.getByRole("button", { name: "Camera" }).click();
  await moves(remoteVideos(johns).first(), "mary's screen without her camera");
  await marys.getByRole("button", { name: "Camera" }).click();

  await button.click();
  await johns.getByText("Mary Williams shares the screen").waitFor({ state: "hidden" });
  assert.equal(await fit(johns), "cover");
  await moves(remoteVideos(johns).first(), "mary's camera");
  await hangUp(marys);
  await withoutCall(johns);
});

test("whoever comes later sees the screen as well", async (t) => {
  const portal = await startPortal(t);
  const browser = await startBrowser(t);
  const [mary, john, james] = await Promise.all(["mary", "john", "james"].map((user) => Device.signIn(t, browser, portal, user)));
  await Promise.all([john.openReady("/portal/"), james.openReady("/portal/spaces/product_team")]);
  const marys = await mary.openReady("/portal/spaces/product_team");
  await marys.getByRole("button", { name: "Call Product Team" }).click();
  await accept(john.page);
  await marys.getByRole("button", { name: "Share screen" }).click();
  await john.page.getByText("Mary Williams shares the screen").waitFor();
  await accept(james.page);
  await james.page.getByText("Mary Williams shares the screen").waitFor({ timeout: 20_000 });
  await until("james sees two others", async () => (await remoteVideos(james.page).count()) === 2, { timeout: 30_000 });
  for (let i = 0; i < 2; i++) await moves(remoteVideos(james.page).nth(i), `picture ${i + 1} at james`);
});

test("another camera is chosen, and chosen again in the next call", async (t) => {
  const { mary, marys, johns } = await inCall(t);
  const open = marys.getByRole("button", { name: "Devices" });
  await open.press("Enter");
  const cameras = marys.getByRole("combobox", { name: "Camera" });
  await cameras.waitFor();
  await accessible(marys, "choice of devices");
  const labels = await cameras.getByRole("option").allInnerTexts();
  const used = () => marys.evaluate(() => document.querySelector("wc-call-view").shadowRoot.querySelector(".self video").srcObject.getVideoTracks()[0].label);
  const before = await used();
  const other = labels.at(-1); // Chromium's second one makes pictures of depths, which can't be sent
  assert.notEqual(other, before, `cameras are ${labels}`);
  await cameras.selectOption({ label: other });
  await until("the other camera is used", async () => (await used()) === other);
  await moves(localVideo(marys), "the other camera itself");
  await moves(remoteVideos(johns).first(), "mary by her other camera");
  assert.match(await size(johns), /^\d+x\d+$/);

  await marys.keyboard.press("Escape");
  await cameras.waitFor({ state: "hidden" });
  assert.equal(await open.evaluate((b) => b.getRootNode().activeElement === b), true, "the focus is back at the button");
  await hangUp(marys);
  await withoutCall(johns);

  const next = await call(mary, "john", "John Smith");
  await accept(johns);
  await bothMove(next, johns);
  assert.equal(await used(), other);
});
