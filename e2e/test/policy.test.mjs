// The pages' policy holds, and the watch that every test keeps sees it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Device, startBrowser } from "../lib/browser.mjs";
import { startPortal, until } from "../lib/portal.mjs";

const breaches = {
  "an inline script": [/trusted-types|script-src/, () => {
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    document.head.append(script);
  }],
  "markup from text": [/trusted-types/, () => {
    document.body.innerHTML = "<b>text</b>";
  }],
  "a foreign script": [/script-src|trusted-types/, () => {
    document.head.append(Object.assign(document.createElement("script"), { src: "http://127.0.0.1:9/x.js" }));
  }],
  "a foreign request": [/connect-src/, () => fetch("http://127.0.0.1:9/").catch(() => {})],
  "a foreign socket": [/connect-src/, () => {
    new WebSocket("ws://127.0.0.1:9/");
  }],
  "a foreign frame": [/frame-src|default-src/, () => {
    document.body.append(Object.assign(document.createElement("iframe"), { src: "http://127.0.0.1:9/" }));
  }],
  "an inline style": [/style-src/, () => {
    document.body.setAttribute("style", "color: red");
  }],
};

for (const [name, [directive, breach]] of Object.entries(breaches)) {
  test(`${name} is refused and noticed`, async (t) => {
    const portal = await startPortal(t);
    const browser = await startBrowser(t);
    const mary = await Device.signIn(t, browser, portal, "mary");
    mary.checkFaults();
    await mary.page.evaluate(breach).catch(() => {}); // it may throw
    await until(`${name} is reported`, () => mary.faults.some((fault) => directive.test(fault)));
    assert.equal(await mary.page.evaluate(() => window.ran), undefined);
    mary.faults.length = 0;
  });
}

test("an uncaught error is noticed", async (t) => {
  const portal = await startPortal(t);
  const browser = await startBrowser(t);
  const mary = await Device.signIn(t, browser, portal, "mary");
  await mary.page.evaluate(() => setTimeout(() => {
    throw new Error("on purpose");
  }));
  await until("the error is reported", () => mary.faults.some((fault) => fault.includes("on purpose")));
  mary.faults.length = 0;
});

test("another site can't frame a page or use the portal", async (t) => {
  const portal = await startPortal(t);
  const browser = await startBrowser(t);
  const mary = await Device.signIn(t, browser, portal, "mary");
  const res = await mary.context.request.get("/portal/");
  const policy = res.headers()["content-security-policy"];
  assert.match(policy, /frame-ancestors 'none'/);
  assert.match(policy, /default-src 'self'/);
  assert.doesNotMatch(policy, /unsafe/);
  for (const path of ["/portal/rest/webconferencing/calls", "/cometd/cometd"]) {
    const post = await mary.context.request.post(path, { data: [], headers: { origin: "https://evil.example", "sec-fetch-site": "cross-site" } });
    assert.equal(post.status(), 403, path);
  }
});
