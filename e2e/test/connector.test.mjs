// The connector that doc/connectors.md makes, in Chromium: its last state is
// examples/connector, its first one a link.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { accept, callButton, hangUp, hangUpButton, incoming, ready, startBrowser } from "../lib/browser.mjs";
import { root, tempFolder, until } from "../lib/portal.mjs";

const secret = "a secret that both share";

async function freeAddr() {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${port}`;
}

/** Builds a program of the guide with other addresses, and other files. */
function build(dir, name, pkg, addresses, files = {}) {
  const replace = {};
  for (const file of name === "portal" ? ["main.go", "provider.go"] : []) {
    let text = files[file] ?? readFileSync(join(root, pkg, file), "utf8");
    for (const [from, to] of Object.entries(addresses)) text = text.replaceAll(from, to);
    replace[join(root, pkg, file)] = join(dir, file);
    writeFileSync(join(dir, file), text);
  }
  writeFileSync(join(dir, "overlay.json"), JSON.stringify({ Replace: replace }));
  const out = join(dir, name);
  execFileSync("go", ["build", "-overlay", join(dir, "overlay.json"), "-o", out, `./${pkg}`], { cwd: root, stdio: "inherit" });
  return out;
}

async function start(t, binary, args, addr) {
  const child = spawn(binary, args, { stdio: ["ignore", "ignore", "pipe"] });
  t.after(() => child.kill("SIGKILL"));
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (s) => (log += s));
  await until(`${binary} answers`, async () => (await fetch(`http://${addr}/`)).status > 0, { timeout: 15_000 });
  return () => log;
}

async function stage(t, files) {
  const dir = tempFolder(t);
  const [portal, meetings] = [await freeAddr(), await freeAddr()];
  const addresses = { "127.0.0.1:8080": portal, "127.0.0.1:8082": meetings };
  const toy = build(dir, "toyserver", "examples/connector/toyserver", addresses);
  const log = await start(t, toy, ["-addr", meetings, ...(files ? [] : ["-secret", secret, "-hooks", `http://${portal}/portal/rest/webconferencing/webhook/roundtable`])], meetings);
  await start(t, build(dir, "portal", "examples/connector", addresses, files), [], portal);
  const browser = await startBrowser(t);
  const pages = await Promise.all(["mary", "john"].map(async (username) => {
    const context = await browser.newContext({ baseURL: `http://${portal}`, httpCredentials: { username, password: "demo" }, viewport: { width: 1000, height: 700 } });
    const faults = [];
    await context.exposeBinding("e2eViolation", (_source, text) => faults.push(text));
    await context.addInitScript(() => document.addEventListener("securitypolicyviolation", (e) => window.e2eViolation(`${e.effectiveDirective} blocked ${e.blockedURI}`)));
    context.on("weberror", (e) => faults.push(String(e.error())));
    t.after(() => assert.deepEqual(faults, [], `faults on the pages of ${username}`));
    const page = await context.newPage();
    await page.goto("/");
    await ready(page);
    return page;
  }));
  return { pages, log };
}

test("the connector of the guide meets in the page", async (t) => {
  const { pages: [mary, john], log } = await stage(t);
  await callButton(mary, "John Smith").click();
  await incoming(john).waitFor();
  await accept(john);
  await mary.frameLocator("iframe").getByText("Welcome, Mary Williams").waitFor();
  await john.frameLocator("iframe").getByText("Welcome, John Smith").waitFor();
  await until("the portal was told of both", () => log().match(/has joined/g)?.length === 2);
  if (process.env.E2E_SHOT) await mary.screenshot({ path: process.env.E2E_SHOT });

  await john.frameLocator("iframe").getByRole("button", { name: "Leave the table" }).click();
  for (const page of [mary, john]) {
    await page.locator("iframe").waitFor({ state: "detached", timeout: 20_000 });
    await hangUpButton(page).waitFor({ state: "hidden" });
  }
  await until("the portal believed the server", () => log().match(/answered 20[04]/g)?.length >= 3);
  assert.doesNotMatch(log(), /answered [345]/);
});

test("the twenty lines of the guide's beginning make calls", async (t) => {
  // The first provider, as the guide shows it, beside the portal.
  const guide = readFileSync(join(root, "doc", "connectors.md"), "utf8");
  const [first] = guide.match(/(?<=<!-- file: roundtable\/roundtable.go -->\n```go\n)[^]*?(?=```)/);
  assert.ok(first.split("\n").filter((line) => line.trim() && !line.trim().startsWith("//")).length < 30, "they are many more");
  const provider = first
    .replace("package roundtable", "package main")
    .concat('\nfunc newProvider() (webconferencing.Provider, error) { return &Provider{Server: "http://127.0.0.1:8082"}, nil }\n');
  const { pages: [mary, john] } = await stage(t, { "provider.go": provider });
  const opened = mary.context().waitForEvent("page");
  await callButton(mary, "John Smith").click();
  const table = await opened;
  await table.getByText("Welcome").waitFor({ timeout: 15_000 });
  await incoming(john).waitFor();
  const other = john.context().waitForEvent("page");
  await accept(john);
  await (await other).getByText("Welcome").waitFor({ timeout: 15_000 });
  assert.equal(new URL((await other).url()).pathname, new URL(table.url()).pathname, "they are at different tables");
  await hangUp(mary);
  await hangUpButton(john).waitFor({ state: "hidden" });
});
