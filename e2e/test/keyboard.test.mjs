// A call without a mouse, and without eyes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { focused, tabTo } from "../lib/accessibility.mjs";
import { bothMove, callButton, Device, hangUpButton, incoming, startBrowser, withoutCall } from "../lib/browser.mjs";
import { startPortal, until } from "../lib/portal.mjs";

async function stage(t, users, options) {
  const portal = await startPortal(t, options);
  const browser = await startBrowser(t);
  return Promise.all(users.map((user) => Device.signIn(t, browser, portal, user)));
}

const focus = (page, name) => until(`the focus is on ${name}`, async () => name.test(await focused(page)));

test("calling, answering, muting and hanging up by keyboard", async (t) => {
  const [mary, john] = await stage(t, ["mary", "john"]);
  const johnsPage = await john.openReady("/portal/");
  const marysPage = await mary.openReady("/portal/people/john");
  await callButton(marysPage, "John Smith").waitFor();
  await tabTo(marysPage, /button: Call John Smith/);
  await marysPage.keyboard.press("Enter");
  await incoming(johnsPage).waitFor();
  await focus(johnsPage, /^dialog: Incoming call/); // nothing had it before
  await tabTo(johnsPage, /button: Accept/);
  await johnsPage.keyboard.press("Enter");
  await bothMove(marysPage, johnsPage);

  await focus(johnsPage, /Call with Mary Williams/); // goes on in the call
  await tabTo(johnsPage, /button: Mute/);
  await johnsPage.keyboard.press("Space");
  assert.equal(await johnsPage.getByRole("button", { name: "Mute" }).getAttribute("aria-pressed"), "true");
  await tabTo(johnsPage, /button: Minimise/, { key: "Shift+Tab" });
  await johnsPage.keyboard.press("Enter");
  await focus(johnsPage, /button: Return to the call/);
  await tabTo(johnsPage, /button: Hang up/);
  await johnsPage.keyboard.press("Enter");
  await withoutCall(johnsPage);
  await withoutCall(marysPage);
  // The button of the call never lost its place in the order.
  assert.match(await focused(marysPage), /button: Call John Smith/);
});

test("a call does not take the focus from who types", async (t) => {
  const [mary, john] = await stage(t, ["mary", "john"]);
  const page = await john.openReady("/portal/calls");
  const search = page.getByRole("searchbox", { name: "Search calls" });
  await search.click();
  await page.keyboard.type("ma");
  await mary.openReady("/portal/people/john");
  await callButton(mary.page, "John Smith").click();
  await incoming(page).waitFor();
  await page.keyboard.type("ry");
  assert.equal(await search.inputValue(), "mary");
  // The card can be reached, and gives the focus back when it goes.
  await incoming(page).getByRole("button", { name: "Decline" }).focus();
  await page.keyboard.press("Enter");
  await incoming(page).waitFor({ state: "hidden" });
  await focus(page, /Search calls/);
});

test("what happens is said", async (t) => {
  const [mary, john] = await stage(t, ["mary", "john"]);
  const page = await john.openReady("/portal/");
  await mary.openReady("/portal/people/john");
  await callButton(mary.page, "John Smith").click();
  await page.getByRole("alert").filter({ hasText: "Mary Williams is calling you" }).waitFor({ state: "attached" });
  const card = await incoming(page).evaluate((e) => [e.getAttribute("aria-labelledby"), e.getAttribute("aria-describedby")].map((ids) => ids.split(" ").map((id) => e.getRootNode().getElementById(id)?.textContent).join(" ").trim()));
  assert.deepEqual(card, ["Incoming call", "Mary Williams is calling you By WebRTC"]);
  await incoming(page).getByRole("button", { name: "Accept" }).click();
  await page.getByRole("status").filter({ hasText: "Connected" }).first().waitFor();
  await page.getByRole("region", { name: "Call with Mary Williams" }).waitFor();
  await hangUpButton(mary.page).click();
  await page.getByRole("status").filter({ hasText: "Call ended" }).first().waitFor();
});

test("the provider is chosen by keyboard and remembered", async (t) => {
  const [mary] = await stage(t, ["mary"], { jitsi: "https://meet.example.org" });
  const page = await mary.openReady("/portal/people/john");
  const choice = page.getByRole("button", { name: "Choose a provider for John Smith" });
  await choice.waitFor();
  await choice.focus();
  await page.keyboard.press("ArrowDown");
  await focus(page, /menuitem: Call with WebRTC/);
  await page.keyboard.press("ArrowUp"); // and around
  await focus(page, /menuitem: Call with Jitsi Meet/);
  await page.keyboard.press("Escape");
  await focus(page, /button: Choose a provider/);
  assert.equal(await choice.getAttribute("aria-expanded"), "false");
  await page.keyboard.press("ArrowUp");
  await page.route("https://meet.example.org/**", (route) => route.abort());
  await page.keyboard.press("Enter");
  await hangUpButton(page).or(page.getByRole("status").filter({ hasText: /could not/ })).first().waitFor();
  if (await hangUpButton(page).isVisible()) await hangUpButton(page).click();
  await withoutCall(page);
  await page.reload();
  await choice.click();
  const preferred = page.getByRole("menuitem").filter({ hasText: "Preferred" });
  assert.match(await preferred.innerText(), /Jitsi Meet/);
});
