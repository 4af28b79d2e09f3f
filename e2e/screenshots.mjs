// Takes the pictures of the documentation: node screenshots.mjs
//
// They are written to doc/images; look at them before you commit them.

import { mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { accept, bothMove, call, callButton, Device, hangUp, incoming, joinButton, moves, remoteVideos, startBrowser, status } from "./lib/browser.mjs";
import { Portal, root, tempFolder } from "./lib/portal.mjs";

const folder = process.env.IMAGES ?? join(root, "doc", "images");
const largest = 200_000;

async function shot(page, name, { width = 1120, height = 640 } = {}) {
  const path = join(folder, `${name}.png`);
  await page.setViewportSize({ width, height });
  await page.mouse.move(0, height - 1);
  await page.waitForTimeout(150); // what the size changes is drawn
  await page.screenshot({ path, animations: "disabled" });
  const { size } = statSync(path);
  console.log(`${name}.png ${(size / 1000).toFixed(0)} kB`);
  if (size > largest) throw new Error(`${name}.png is larger than ${largest / 1000} kB`);
}

/** Takes the picture of a page in dark, too. */
async function darkShot(page, name, options) {
  await page.emulateMedia({ colorScheme: "dark" });
  await shot(page, `${name}-dark`, options);
  await page.emulateMedia({ colorScheme: "light" });
}

/** Opens a path in Arabic, from right to left, and takes its picture. */
async function arabicShot(device, path, name, ready, options) {
  await device.context.addCookies([{ name: "portal_language", value: "ar", url: device.portal.url }]);
  await device.openReady(path);
  await ready();
  await shot(device.page, `${name}-rtl`, options);
  await device.context.clearCookies({ name: "portal_language" });
}

mkdirSync(folder, { recursive: true });
const data = tempFolder();
const portal = await new Portal({ data, level: "error", jitsi: "https://meet.example.org" }).start();
const browser = await startBrowser();
try {
  const visitor = await browser.newContext({ baseURL: portal.url });
  const signIn = await visitor.newPage();
  await signIn.goto("/login");
  await shot(signIn, "sign-in");

  const signedIn = (user) => Device.signIn(undefined, browser, portal, user);
  const [mary, john, james, admin, tablet] = await Promise.all(["mary", "john", "james", "root", "mary"].map(signedIn));

  await john.openReady("/portal/");
  await tablet.openReady("/portal/");
  await mary.openReady("/portal/");
  await shot(mary.page, "people");

  await mary.openReady("/portal/people/john");
  await mary.page.getByRole("button", { name: "Choose a provider for John Smith" }).click();
  await shot(mary.page, "profile", { height: 420 });
  await mary.page.keyboard.press("Escape");

  await call(mary, "john", "John Smith");
  await incoming(john.page).waitFor();
  await status(mary.page).filter({ hasText: "Ringing on 1 device" }).first().waitFor();
  await shot(john.page, "incoming-call");
  await darkShot(john.page, "incoming-call");
  await accept(john.page);
  await bothMove(mary.page, john.page);
  await shot(mary.page, "call");
  await darkShot(mary.page, "call");
  await shot(tablet.page, "call-elsewhere", { height: 420 });

  await james.openReady("/portal/people/john");
  await callButton(james.page, "John Smith").click();
  await john.page.getByRole("dialog", { name: "Waiting call" }).waitFor();
  await shot(john.page, "waiting-call", { height: 760 });

  await admin.openReady("/portal/admin");
  await admin.page.getByRole("button", { name: /^Details of .*Mary/ }).click();
  await admin.page.getByRole("button", { name: "Why does this call still exist?" }).last().click();
  await admin.page.waitForTimeout(1000);
  await admin.page.evaluate(() => scrollTo(0, 0));
  await shot(admin.page, "admin", { height: 1080 });
  await darkShot(admin.page, "admin", { height: 1080 });

  await john.page.getByRole("dialog", { name: "Waiting call" }).getByRole("button", { name: "Decline" }).click();
  await james.page.getByRole("button", { name: /^Call again/ }).waitFor();
  await shot(james.page, "declined", { height: 480 });

  await tablet.page.getByRole("button", { name: "Continue here" }).click();
  await moves(remoteVideos(tablet.page).first(), "john");
  await hangUp(john.page);
  await admin.page.locator("wc-call-timeline input").fill("p/john-mary");
  await admin.page.getByRole("button", { name: "Show", exact: true }).click();
  await admin.page.locator("wc-call-timeline tbody tr").first().waitFor();
  await admin.page.locator("wc-call-timeline").evaluate((e) => e.scrollIntoView());
  await shot(admin.page, "timeline", { height: 900 });

  // Two calls that nobody takes, for the history.
  for (const caller of [james, mary]) {
    await call(caller, "john", "John Smith");
    await incoming(john.page).waitFor();
    await hangUp(caller.page);
    await incoming(john.page).waitFor({ state: "hidden" });
  }
  await mary.openReady("/portal/spaces/product_team");
  await callButton(mary.page, "Product Team").click();
  await accept(john.page);
  await moves(remoteVideos(mary.page).first(), "john");
  await james.openReady("/portal/spaces/product_team");
  await incoming(james.page).getByRole("button", { name: "Decline" }).click();
  await joinButton(james.page, "Product Team").waitFor();
  await shot(james.page, "space", { height: 480 });
  await hangUp(mary.page);
  await hangUp(john.page);

  const history = () => john.page.locator("wc-call-history li").nth(3).waitFor();
  await john.openReady("/portal/calls");
  await history();
  await shot(john.page, "history");
  await darkShot(john.page, "history");
  await arabicShot(john, "/portal/calls", "history", history);
  await call(mary, "john", "John Smith");
  await john.page.locator("wc-incoming-call .card").waitFor();
  await shot(john.page, "incoming-call-rtl");
  await hangUp(mary.page);

  await john.openReady("/portal/settings");
  await shot(john.page, "settings", { height: 760 });
  await james.openReady("/portal/");
  await shot(james.page, "people-phone", { width: 390, height: 760 });

  for (const device of [mary, john, james, admin, tablet]) await device.finish();
} finally {
  await browser.close();
  await portal.kill();
  rmSync(data, { recursive: true, force: true });
}
