// Names and titles are text, whatever they contain.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accept, decline, Device, incoming, startBrowser } from "../lib/browser.mjs";
import { startPortal } from "../lib/portal.mjs";

const hostile = `"><img src=x onerror="window.pwned=1"><script>window.pwned=1</script>`;

test("a hostile title of a call is shown as text", async (t) => {
  const portal = await startPortal(t);
  const browser = await startBrowser(t);
  const [mary, john] = await Promise.all(["mary", "john"].map((user) => Device.signIn(t, browser, portal, user)));
  const page = await john.openReady("/portal/");
  const created = await mary.rest("POST", "/calls", {
    id: "g/product_team", owner: "product_team", ownerType: "space", provider: "webrtc", title: hostile, participants: ["mary", "john", "james"], start: true,
  }, { "X-Client-Id": "m1" });
  assert.ok(created.status < 300, JSON.stringify(created));
  assert.equal(created.body.title, hostile);
  await incoming(page).waitFor();
  await accept(page);
  await page.getByLabel("Local video").waitFor();
  await clean(page);
  await page.getByRole("button", { name: "Hang up" }).click();
});

test("hostile names from the portal are shown as text", async (t) => {
  const portal = await startPortal(t);
  const browser = await startBrowser(t);
  const [mary, john] = await Promise.all(["mary", "john"].map((user) => Device.signIn(t, browser, portal, user)));
  // Whatever the portal's own page asks for people, it is told this name.
  for (const device of [mary, john]) {
    await device.context.route("**/portal/rest/webconferencing/user/*", async (route) => {
      const answer = await route.fetch();
      const user = await answer.json();
      await route.fulfill({ response: answer, json: { ...user, title: hostile, firstName: hostile, lastName: "", avatarLink: "javascript:window.pwned=1" } });
    });
  }
  const johnsPage = await john.openReady("/portal/");
  const marysPage = await mary.openReady("/portal/people/john");
  await marysPage.getByRole("button", { name: /^Call / }).click();
  await incoming(johnsPage).waitFor();
  await clean(johnsPage);
  await clean(marysPage);
  await decline(johnsPage);
  await clean(marysPage);
});

test("a hostile address or form value is shown as text", async (t) => {
  const portal = await startPortal(t);
  const browser = await startBrowser(t);
  const mary = await Device.signIn(t, browser, portal, "mary");
  const page = await mary.open(`/portal/people/${encodeURIComponent(hostile)}`);
  await clean(page);

  const context = await browser.newContext({ baseURL: portal.url });
  const form = await context.newPage();
  await form.goto("/login");
  await form.getByLabel("User name").fill(hostile);
  await form.getByLabel("Password").fill("x");
  await form.getByRole("button", { name: "Sign in" }).click();
  await form.getByRole("alert").waitFor();
  assert.equal(await form.getByLabel("User name").inputValue(), hostile);
  await clean(form);
  await context.close();
});

/** Fails if markup became elements or ran. */
async function clean(page) {
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  const injected = await page.evaluate(() => {
    const roots = [document];
    for (const root of roots) for (const e of root.querySelectorAll("*")) if (e.shadowRoot) roots.push(e.shadowRoot);
    return roots.flatMap((root) => [...root.querySelectorAll("img[src='x'], img[onerror], [href^='javascript:'], [src^='javascript:']")]).length;
  });
  assert.equal(injected, 0, "markup in a name became an element");
}
