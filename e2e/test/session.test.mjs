// Signing in and out.

import assert from "node:assert/strict";
import { test } from "node:test";
import { callButton, Device, startBrowser } from "../lib/browser.mjs";
import { startPortal } from "../lib/portal.mjs";

test("sessions survive a restart of the portal", async (t) => {
  const portal = await startPortal(t);
  const browser = await startBrowser(t);
  const mary = await Device.signIn(t, browser, portal, "mary");
  assert.equal(await portal.stop(), 0);
  await portal.start();
  const page = await mary.openReady("/portal/people/john");
  await callButton(page, "John Smith").waitFor();
});

test("signing out ends the connections of other tabs", async (t) => {
  const portal = await startPortal(t);
  const browser = await startBrowser(t);
  const john = await Device.signIn(t, browser, portal, "john");
  const page = await john.openReady("/portal/");
  const other = await john.openReady("/portal/", { newTab: true });
  await other.getByRole("button", { name: "Sign out" }).click();
  await other.waitForURL("**/login");
  await page.evaluate(async () => {
    const { started } = await import("/webconferencing/index.js");
    const { wc } = await started;
    await new Promise((resolve) => {
      const look = () => wc.connection === "refused" && resolve();
      wc.events.addEventListener("connection", look);
      look();
    });
  });
  const res = await john.rest("GET", "/context");
  assert.equal(res.status, 401);
});

test("a wrong password is told, and no session is made", async (t) => {
  const portal = await startPortal(t);
  const browser = await startBrowser(t);
  const context = await browser.newContext({ baseURL: portal.url });
  const page = await context.newPage();
  await page.goto("/login");
  await page.getByLabel("User name").fill("mary");
  await page.getByLabel("Password").fill("wrong");
  const [res] = await Promise.all([page.waitForResponse("**/login"), page.getByRole("button", { name: "Sign in" }).click()]);
  assert.equal(res.status(), 401);
  await page.getByRole("alert").waitFor();
  assert.deepEqual(await context.cookies(), []);
  await context.close();
});
