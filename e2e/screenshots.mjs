// Takes the pictures of the documentation: node screenshots.mjs
//
// They are written to doc/images; look at them before you commit them.

import { mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { accept, bothMove, call, callButton, Device, incoming, moves, joinButton, remoteVideos, startBrowser } from "./lib/browser.mjs";
import { Portal, root, tempFolder } from "./lib/portal.mjs";

const folder = join(root, "doc", "images");
const largest = 200_000;

async function shot(page, name, { width = 1120, height = 640 } = {}) {
  const path = join(folder, `${name}.png`);
  await page.setViewportSize({ width, height });
  await page.mouse.move(0, height - 1);
  await page.screenshot({ path, animations: "disabled" });
  const { size } = statSync(path);
  console.log(`${name}.png ${(size / 1000).toFixed(0)} kB`);
  if (size > largest) throw new Error(`${name}.png is larger than ${largest / 1000} kB`);
}

mkdirSync(folder, { recursive: true });
const data = tempFolder();
const portal = await new Portal({ data, level: "error" }).start();
const browser = await startBrowser();
try {
  const visitor = await browser.newContext({ baseURL: portal.url });
  const signIn = await visitor.newPage();
  await signIn.goto("/login");
  await shot(signIn, "sign-in");

  const [mary, john, james, root] = await Promise.all(["mary", "john", "james", "root"].map((user) => Device.signIn(undefined, browser, portal, user)));

  await john.openReady("/portal/");
  await mary.openReady("/portal/");
  await shot(mary.page, "people");

  await mary.openReady("/portal/people/john");
  await callButton(mary.page, "John Smith").waitFor();
  await shot(mary.page, "profile", { height: 420 });

  await call(mary, "john", "John Smith");
  await incoming(john.page).waitFor();
  await shot(john.page, "incoming-call");
  await accept(john.page);
  await bothMove(mary.page, john.page);
  await shot(mary.page, "call");
  await john.page.emulateMedia({ colorScheme: "dark" });
  await shot(john.page, "call-dark");
  await john.page.getByRole("button", { name: "Hang up" }).click();
  await john.page.getByRole("button", { name: "Hang up" }).waitFor({ state: "hidden" });

  await mary.openReady("/portal/spaces/product_team");
  await callButton(mary.page, "Product Team").click();
  await accept(john.page);
  await moves(remoteVideos(mary.page).first(), "john");
  await james.openReady("/portal/spaces/product_team");
  await incoming(james.page).getByRole("button", { name: "Decline" }).click();
  await joinButton(james.page, "Product Team").waitFor();
  await shot(james.page, "space", { height: 480 });

  await root.openReady("/portal/admin");
  await shot(root.page, "admin", { height: 420 });

  await james.openReady("/portal/");
  await shot(james.page, "people-phone", { width: 390, height: 760 });

  for (const device of [mary, john, james, root]) await device.finish();
} finally {
  await browser.close();
  await portal.kill();
  rmSync(data, { recursive: true, force: true });
}
