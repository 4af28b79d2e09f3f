// What administrators see and do: providers, live calls, timelines.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accept, bothMove, call, Device, startBrowser, withoutCall } from "../lib/browser.mjs";
import { startPortal, until } from "../lib/portal.mjs";

async function stage(t, users, options) {
  const portal = await startPortal(t, options);
  const browser = await startBrowser(t);
  return Promise.all(users.map((user) => Device.signIn(t, browser, portal, user)));
}

test("a live call is explained, followed and ended", async (t) => {
  const [root, mary, john] = await stage(t, ["root", "mary", "john"]);
  const admin = await root.openReady("/portal/admin");
  await admin.getByText("No calls are running").waitFor();
  await john.openReady("/portal/");
  await call(mary, "john", "John Smith");
  await accept(john.page);
  await bothMove(mary.page, john.page);

  const live = admin.locator("wc-live-calls");
  await live.getByText("2 inside").waitFor({ timeout: 15_000 });
  await live.getByRole("button", { name: /^Details of/ }).click();
  assert.match(await live.locator(".item").innerText(), /Mary Williams[\s\S]*Device [\s\S]*Inside/);
  await live.getByRole("button", { name: "Why does this call still exist?" }).click();
  await live.getByText(/2 people are inside/).waitFor();

  await live.getByRole("button", { name: "Timeline" }).click();
  const rows = admin.getByRole("region", { name: "Timeline of p/john-mary" }).getByRole("row");
  await rows.filter({ hasText: "John Smith came in" }).waitFor();
  assert.match(await rows.filter({ hasText: "Started" }).innerText(), /Mary Williams/);

  admin.once("dialog", (dialog) => dialog.dismiss());
  await live.getByRole("button", { name: "End the call" }).click();
  assert.ok(await live.getByText("2 inside").isVisible(), "the call ended although that was not confirmed");
  admin.once("dialog", (dialog) => dialog.accept());
  await live.getByRole("button", { name: "End the call" }).click();
  await Promise.all([withoutCall(mary.page), withoutCall(john.page)]);
  await admin.getByText("No calls are running").waitFor();
  await admin.getByRole("button", { name: "Show", exact: true }).click();
  await rows.filter({ hasText: "Stopped" }).filter({ hasText: "An administrator stepped in" }).waitFor();
});

test("a provider is set up, and its secret never comes back", async (t) => {
  const [root, mary] = await stage(t, ["root", "mary"], { jitsi: "https://meet.example.org" });
  const admin = await root.openReady("/portal/admin");
  const bodies = [];
  admin.on("response", async (res) => res.url().includes("settings-form") && bodies.push(await res.text().catch(() => "")));
  await admin.getByRole("button", { name: "Settings: Jitsi Meet" }).click();
  const form = admin.locator("wc-admin-providers form");
  const secret = "a-secret-of-more-than-16-bytes";
  await form.getByLabel("App ID").fill("portal");
  await form.getByLabel("App secret").fill(secret);
  await form.getByRole("button", { name: "Save" }).click();
  await form.getByRole("status").filter({ hasText: "Saved" }).waitFor();
  assert.equal(await form.getByLabel("App secret").inputValue(), "");
  await form.getByText("A value is stored.").waitFor();
  await admin.reload();
  await admin.getByRole("button", { name: "Settings: Jitsi Meet" }).click();
  await until("the form is back", async () => (await form.getByLabel("App ID").inputValue()) === "portal");
  assert.equal(await form.getByLabel("App secret").inputValue(), "");
  assert.ok(bodies.length >= 2 && !bodies.some((body) => body.includes(secret)), "the secret came back");

  // A value that can't be is refused beside its field, and nothing is lost.
  await form.getByLabel("Server").fill("nonsense");
  await form.getByRole("button", { name: "Save" }).click();
  await form.locator("[aria-invalid=true]").waitFor();
  assert.equal(await form.getByLabel("Server").inputValue(), "nonsense");
  assert.equal((await mary.rest("GET", "/provider/jitsi/settings-form")).status, 403);
});
