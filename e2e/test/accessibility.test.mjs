// All pages and states of a call: for axe-core, in narrow windows, light, dark
// and from right to left.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accessible, fits } from "../lib/accessibility.mjs";
import { Device, startBrowser } from "../lib/browser.mjs";
import { startPortal } from "../lib/portal.mjs";

const looks = {
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  "right to left": { colorScheme: "light", language: "ar" },
  narrow: { colorScheme: "dark", viewport: { width: 320, height: 640 } },
};

async function check(page, what) {
  await fits(page, what);
  await accessible(page, what);
}

for (const [look, { language, ...options }] of Object.entries(looks)) {
  const arrive = async (t, browser, portal, user) => {
    const device = await Device.signIn(t, browser, portal, user, { reducedMotion: "reduce", ...options });
    if (language) await device.context.addCookies([{ name: "portal_language", value: language, url: portal.url }]);
    return device;
  };

  test(`the pages are accessible: ${look}`, async (t) => {
    const portal = await startPortal(t);
    const browser = await startBrowser(t);
    const visitor = await browser.newContext({ baseURL: portal.url, ...options });
    const login = await visitor.newPage();
    await login.goto("/login");
    await check(login, "sign-in");
    await visitor.close();
    const root = await arrive(t, browser, portal, "root");
    for (const path of ["/portal/", "/portal/people/john", "/portal/calls", "/portal/settings", "/portal/admin", "/nowhere"]) {
      const page = await root.openReady(path);
      await page.waitForLoadState("networkidle");
      await check(page, path);
    }
    const mary = await arrive(t, browser, portal, "mary");
    await check(await mary.openReady("/portal/spaces/product_team"), "a space");
    assert.equal(await mary.page.locator("html").getAttribute("dir"), language === "ar" ? "rtl" : "ltr");
  });

  test(`the states of a call are accessible: ${look}`, async (t) => {
    const portal = await startPortal(t);
    const browser = await startBrowser(t);
    const [mary, john, james, root] = await Promise.all(["mary", "john", "james", "root"].map((user) => arrive(t, browser, portal, user)));
    const tablet = await arrive(t, browser, portal, "mary");
    const johnsPage = await john.openReady("/portal/");
    const marysPage = await mary.openReady("/portal/people/john");
    const otherPage = await tablet.openReady("/portal/");
    const button = (page) => page.locator("wc-call-button .call");
    const view = (page, part) => page.locator(`wc-call-view ${part}`);

    await button(marysPage).click();
    const card = johnsPage.locator("wc-incoming-call .card");
    await card.waitFor();
    await check(johnsPage, "an incoming call");
    await view(marysPage, ".danger").waitFor();
    await check(marysPage, "a call that rings");

    await card.locator(".accept").click();
    await view(johnsPage, ".party").waitFor();
    await check(johnsPage, "a call");
    await view(johnsPage, ".corner").first().click();
    await view(johnsPage, ".stage").waitFor({ state: "hidden" });
    await check(johnsPage, "a small call");
    await otherPage.locator("wc-call-bar .row").waitFor();
    await check(otherPage, "a call elsewhere");

    const jamesPage = await james.openReady("/portal/people/john");
    await button(jamesPage).click();
    await card.waitFor();
    await check(johnsPage, "a waiting call");

    const admin = await root.openReady("/portal/admin");
    await admin.locator("wc-live-calls .item").first().waitFor();
    await admin.locator("wc-live-calls .head button").first().click();
    await admin.locator("wc-live-calls .actions button").nth(1).click();
    await admin.locator("wc-call-timeline tbody tr").first().waitFor();
    await check(admin, "the administration");

    await card.locator(".danger").click();
    await view(jamesPage, ".end-actions").waitFor();
    await check(jamesPage, "a declined call");
    await john.context.setOffline(true);
    await view(johnsPage, ".notice").waitFor({ timeout: 20_000 });
    await check(johnsPage, "a call without a network");
    await john.context.setOffline(false);
    await view(johnsPage, ".notice").waitFor({ state: "hidden", timeout: 20_000 });
    await view(johnsPage, ".danger").click();

    const history = await james.openReady("/portal/calls");
    await history.locator("wc-call-history li").first().waitFor();
    await check(history, "the history");
  });
}

test("what is not accessible is noticed", async (t) => {
  const portal = await startPortal(t);
  const browser = await startBrowser(t);
  const mary = await Device.signIn(t, browser, portal, "mary");
  const page = await mary.open("/portal/");
  await page.evaluate(() => {
    const wide = document.createElement("button");
    wide.style.width = "3000px";
    document.querySelector("main").append(wide);
  });
  await assert.rejects(accessible(page, "a button without a name"), /button-name/);
  await assert.rejects(fits(page, "a wide button"), /3000|wide/);
});
