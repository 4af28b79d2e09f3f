// Accounts in profiles, of a kind that a provider brought along and checks.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accessible, fits } from "../lib/accessibility.mjs";
import { Device, startBrowser } from "../lib/browser.mjs";
import { startPortal, until } from "../lib/portal.mjs";

const link = "https://meet.example.org/{room}";
const sentence = /A handle begins with @/;
const hostile = `"><img src=x onerror="window.pwned=1"><script>window.pwned=1</script>`;

const accounts = (page) => page.locator("wc-user-accounts");
const field = (page) => accounts(page).getByRole("textbox", { name: "Handle" });
const save = (page) => accounts(page).getByRole("button", { name: "Save" });
const remove = (page) => accounts(page).getByRole("button", { name: "Remove" });
const told = (page, text) => accounts(page).getByRole("status").filter({ hasText: text }).waitFor({ state: "attached" });

async function stage(t, users, options) {
  const portal = await startPortal(t, { link });
  const browser = await startBrowser(t);
  return Promise.all(users.map((user) => Device.signIn(t, browser, portal, user, options)));
}

test("an account is checked, kept, shown to others and removed", async (t) => {
  const [mary, john] = await stage(t, ["mary", "john"]);
  const page = await mary.openReady("/portal/people/mary");

  await field(page).fill(hostile);
  await save(page).click();
  const refused = accounts(page).getByRole("alert").filter({ hasText: sentence });
  await refused.waitFor();
  const [invalid, describedBy, focus] = await field(page).evaluate((e) => [e.getAttribute("aria-invalid"), e.getRootNode().getElementById(e.getAttribute("aria-describedby")).textContent, e.getRootNode().activeElement === e]);
  assert.equal(invalid, "true");
  assert.match(describedBy, sentence);
  assert.equal(focus, true, "the field at fault has the focus");
  assert.equal(await field(page).inputValue(), hostile, "what was typed is still there");
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  assert.deepEqual((await mary.rest("GET", "/users/mary/accounts")).body.accounts, {});
  await accessible(page, "a refused account");

  // Without a mouse.
  await field(page).fill(" @mary.w ");
  await page.keyboard.press("Enter");
  await told(page, "Account saved");
  assert.equal(await field(page).inputValue(), "@mary.w", "the form that the provider gave it");
  assert.equal(await field(page).getAttribute("aria-invalid"), null);
  await page.reload();
  await until("the account was kept", async () => (await field(page).inputValue()) === "@mary.w");

  const johnsPage = await john.openReady("/portal/people/mary");
  await accounts(johnsPage).getByRole("listitem").filter({ hasText: /Handle\s+@mary\.w/ }).waitFor();
  assert.equal(await field(johnsPage).count(), 0, "somebody else's account can be changed");
  assert.equal((await john.rest("PUT", "/users/mary/accounts/handle", { account: "@john" })).status, 403);
  await accessible(johnsPage, "a profile with an account");

  await field(page).focus();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await told(page, "Account removed");
  await remove(page).waitFor({ state: "hidden" });
  assert.equal(await field(page).inputValue(), "");
  assert.equal(await field(page).evaluate((e) => e.getRootNode().activeElement === e), true, "the focus got lost with the button");
  await johnsPage.reload();
  await johnsPage.getByRole("heading", { name: "Mary Williams" }).waitFor();
  await johnsPage.waitForLoadState("networkidle");
  assert.equal(await accounts(johnsPage).getByRole("region").count(), 0, "nothing is shown of somebody without accounts");
});

test("nothing is shown where no provider brings accounts", async (t) => {
  const portal = await startPortal(t);
  const browser = await startBrowser(t);
  const mary = await Device.signIn(t, browser, portal, "mary");
  for (const path of ["/portal/people/mary", "/portal/people/john", "/portal/settings"]) {
    const answer = mary.page.waitForResponse((r) => r.url().endsWith("/accounts"));
    const page = await mary.openReady(path);
    assert.equal((await answer).status(), 200);
    await page.waitForLoadState("networkidle");
    assert.equal(await accounts(page).evaluate((e) => e.getBoundingClientRect().height), 0, path);
  }
});

test("hostile accounts are text", async (t) => {
  const [john] = await stage(t, ["john"]);
  await john.context.route("**/users/mary/accounts", (route) => route.fulfill({
    json: { accounts: { [hostile]: [{ type: hostile, id: "javascript:window.pwned=1" }], handle: [{ type: "handle", id: hostile }] }, types: [{ type: "handle", title: hostile }] },
  }));
  const page = await john.openReady("/portal/people/mary");
  await accounts(page).getByRole("listitem").first().waitFor();
  const texts = await accounts(page).locator("li").allTextContents();
  assert.deepEqual(texts, [`${hostile} javascript:window.pwned=1`, `${hostile} ${hostile}`]);
  assert.equal(await accounts(page).locator("img, script, a").count(), 0);
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  await fits(page, "a profile with long accounts");
});

test("an answer that fails can be asked for again", async (t) => {
  const [mary] = await stage(t, ["mary"]);
  await mary.context.route("**/users/mary/accounts", (route) => route.fulfill({ status: 500, json: { code: "SERVER_ERROR", message: "x", error: true } }), { times: 1 });
  const page = await mary.openReady("/portal/people/mary");
  await accounts(page).getByText("The accounts could not be loaded.").waitFor();
  await accounts(page).getByRole("button", { name: "Try again" }).click();
  await field(page).waitFor();
  assert.equal(await accounts(page).getByRole("button", { name: "Try again" }).count(), 0);
});

for (const [look, { language, ...options }] of Object.entries({
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  "right to left": { colorScheme: "light", language: "ar" },
  narrow: { colorScheme: "dark", viewport: { width: 320, height: 640 } },
})) {
  test(`accounts are accessible: ${look}`, async (t) => {
    const [mary] = await stage(t, ["mary"], { reducedMotion: "reduce", ...options });
    if (language) await mary.context.addCookies([{ name: "portal_language", value: language, url: mary.portal.url }]);
    assert.equal((await mary.rest("PUT", "/users/mary/accounts/handle", { account: "@mary.w" })).status, 200);
    for (const path of ["/portal/people/mary", "/portal/settings"]) {
      const page = await mary.openReady(path);
      await field(page).waitFor();
      await field(page).fill("wrong");
      await accounts(page).locator("button[type=submit]").click();
      await accounts(page).getByRole("alert").filter({ hasText: sentence }).waitFor();
      await fits(page, path);
      await accessible(page, path);
    }
  });
}
