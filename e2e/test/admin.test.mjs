// The administrator's switch.

import assert from "node:assert/strict";
import { test } from "node:test";
import { callButton, Device, incoming, startBrowser } from "../lib/browser.mjs";
import { startPortal } from "../lib/portal.mjs";

const newCall = { id: "p/john-mary", owner: "mary", ownerType: "user", provider: "webrtc", title: "x", participants: ["mary", "john"], start: true };

test("switching calls off and on", async (t) => {
  const portal = await startPortal(t);
  const browser = await startBrowser(t);
  const [root, mary] = await Promise.all(["root", "mary"].map((user) => Device.signIn(t, browser, portal, user)));
  const marysPage = await mary.openReady("/portal/people/john");
  await callButton(marysPage, "John Smith").waitFor();

  const admin = await root.open("/portal/admin");
  const toggle = admin.getByRole("switch", { name: "WebRTC" });
  assert.equal(await toggle.getAttribute("aria-checked"), "true");
  await toggle.click();
  await admin.locator('[role=switch][aria-checked="false"]').waitFor();

  await mary.open("/portal/people/john");
  await marysPage.getByRole("heading", { name: "John Smith" }).waitFor();
  assert.equal(await callButton(marysPage, "John Smith").count(), 0, "the button is still there");
  const refused = await mary.rest("POST", "/calls", newCall, { "X-Client-Id": "m1" });
  assert.ok(refused.status >= 400, `a call was created: ${refused.status}`);
  assert.equal(refused.body.error, true);

  // Kept over a restart.
  assert.equal(await portal.stop(), 0);
  await portal.start();
  await mary.open("/portal/people/john");
  assert.equal(await callButton(marysPage, "John Smith").count(), 0, "the restart switched calls on");

  await root.open("/portal/admin");
  assert.equal(await toggle.getAttribute("aria-checked"), "false");
  await toggle.click();
  await admin.locator('[role=switch][aria-checked="true"]').waitFor();
  await mary.openReady("/portal/people/john");
  await callButton(marysPage, "John Smith").waitFor();
  const accepted = await mary.rest("POST", "/calls", newCall, { "X-Client-Id": "m1" });
  assert.ok(accepted.status < 300, JSON.stringify(accepted));
});

test("only administrators", async (t) => {
  const portal = await startPortal(t);
  const browser = await startBrowser(t);
  const mary = await Device.signIn(t, browser, portal, "mary");
  const res = await mary.context.request.get("/portal/admin");
  assert.equal(res.status(), 403);
  const post = await mary.context.request.post("/portal/admin/providers/webrtc", { form: { active: "false" } });
  assert.equal(post.status(), 403);
  assert.equal((await mary.rest("GET", "/providers/configuration")).status, 403);
  const page = await mary.openReady("/portal/people/john");
  await callButton(page, "John Smith").waitFor();
  assert.equal(await page.getByRole("link", { name: "Administration" }).count(), 0);
  assert.equal(await incoming(page).isVisible(), false);
});
