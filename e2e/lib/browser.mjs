// Chromium with a fake camera, and people who use the portal in it.

import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { until } from "./portal.mjs";

const launch = {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream=fps=10,device-count=3", // several pictures share two cores
    "--allow-loopback-in-peer-connection", // a machine may have no other network
  ],
};

/** A browser that ends with the test; without media it refuses camera and microphone. */
export async function startBrowser(t, { media = true } = {}) {
  const args = media ? launch.args : [...launch.args.filter((arg) => !arg.includes("fake-ui")), "--deny-permission-prompts"];
  const browser = await chromium.launch({ ...launch, args });
  t?.after(() => browser.close());
  return browser;
}

/** A browser in a process of its own, to be killed. */
export async function startBrowserProcess(t) {
  const server = await chromium.launchServer(launch);
  const browser = await chromium.connect(server.wsEndpoint());
  t.after(() => server.kill());
  return { browser, process: server.process() };
}

/** One device of one user: a browser context with its own cookies. */
export class Device {
  /** Signs a user in. */
  static async signIn(t, browser, portal, user, options = {}) {
    const context = await browser.newContext({ baseURL: portal.url, viewport: { width: 1120, height: 760 }, ...options });
    const device = new Device(context, portal, user);
    await device.#watch();
    const page = await device.open("/login");
    await page.getByLabel("User name").fill(user);
    await page.getByLabel("Password").fill("demo");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL("**/portal/");
    t?.after(() => device.finish());
    return device;
  }

  constructor(context, portal, user) {
    this.context = context;
    this.portal = portal;
    this.user = user;
    /** What no page may report: violated policies and uncaught errors. */
    this.faults = [];
    /** Messages of the user channel that came over WebSockets. */
    this.messages = [];
  }

  async #watch() {
    await this.context.exposeBinding("e2eViolation", (_source, text) => this.faults.push(`policy violated: ${text}`));
    await this.context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (e) => {
        window.e2eViolation(`${e.effectiveDirective} blocked ${e.blockedURI} ${e.sample} at ${e.sourceFile}:${e.lineNumber} on ${e.documentURI}`);
      });
    });
    this.context.on("page", (page) => page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => this.#note(payload))));
    this.context.on("weberror", (e) => this.faults.push(`uncaught on ${e.page()?.url()}: ${e.error().stack ?? e.error()}`));
    this.context.on("console", (m) => {
      if (/content security policy|trusted(html|script)/i.test(m.text())) this.faults.push(`console: ${m.text()}`);
      else if (process.env.E2E_VERBOSE) console.log(`[${this.user}] ${m.type()} ${m.text()}`);
    });
  }

  #note(payload) {
    const channel = `/eXo/Application/WebConferencing/user/${this.user}`;
    for (const message of JSON.parse(payload)) if (message.channel === channel && message.data) this.messages.push(message);
  }

  /** How often the user was told of a call's stop, or of somebody's leaving. */
  toldOf(eventType, callState) {
    return this.messages.filter(({ data }) => data.eventType === eventType && (!callState || data.callState === callState)).length;
  }

  /** Opens a path of the portal in the first or a further tab. */
  async open(path, { newTab = false } = {}) {
    if (newTab || !this.page) {
      const page = await this.context.newPage();
      this.page ??= page;
      await page.goto(path);
      return page;
    }
    await this.page.goto(path);
    return this.page;
  }

  /** Opens a path and waits until events arrive there. */
  async openReady(path, options) {
    const page = await this.open(path, options);
    await ready(page);
    return page;
  }

  /** Sends a request with the user's cookie and returns the answer. */
  async rest(method, path, data, headers = {}) {
    const res = await this.context.request.fetch(`/portal/rest/webconferencing${path}`, { method, data, headers });
    const text = await res.text();
    return { status: res.status(), body: text ? JSON.parse(text) : null };
  }

  /** Fails if a page reported something that it must not. */
  checkFaults() {
    assert.deepEqual(this.faults, [], `faults on the pages of ${this.user}`);
  }

  async finish() {
    await this.context.close().catch(() => {}); // the browser may have been killed
    this.checkFaults();
  }
}

/** Waits until the page's client is connected and its connectors are there. */
export async function ready(page) {
  await page.evaluate(async () => {
    const { started } = await import("/webconferencing/index.js");
    const client = await started;
    if (!client) throw new Error("the client did not start");
    const { wc } = client;
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the client is ${wc.connection}`)), 15_000);
      const look = () => {
        if (wc.connection !== "connected") return;
        clearTimeout(timer);
        wc.events.removeEventListener("connection", look);
        resolve();
      };
      wc.events.addEventListener("connection", look);
      look();
    });
  });
}

// What people see and do.

export const callButton = (page, name) => page.getByRole("button", { name: `Call ${name}` });
export const joinButton = (page, name) => page.getByRole("button", { name: `Join ${name}` });
export const incoming = (page) => page.getByRole("dialog", { name: "Incoming call" });
export const accept = (page) => incoming(page).getByRole("button", { name: "Accept" }).click();
export const decline = (page) => incoming(page).getByRole("button", { name: "Decline" }).click();
export const hangUpButton = (page) => page.getByRole("button", { name: "Hang up" });
export const hangUp = (page) => hangUpButton(page).click();
export const remoteVideos = (page) => page.getByLabel(/^Remote video/);
export const localVideo = (page) => page.getByLabel("Local video");
export const status = (page) => page.getByRole("status");

/** Waits until a video shows a picture that really changes. */
export async function moves(video, what) {
  await video.waitFor({ state: "visible", timeout: 20_000 });
  const seen = new Set();
  let first;
  await until(`${what} moves`, async () => {
    const now = await video.evaluate((v) => {
      const canvas = new OffscreenCanvas(32, 24);
      const context = canvas.getContext("2d");
      if (v.videoWidth > 0) context.drawImage(v, 0, 0, 32, 24);
      const pixels = context.getImageData(0, 0, 32, 24).data;
      return { frames: v.getVideoPlaybackQuality().totalVideoFrames, paused: v.paused, width: v.videoWidth, picture: pixels.join() };
    });
    first ??= now.frames;
    if (now.width > 0) seen.add(now.picture);
    return !now.paused && now.frames >= first + 10 && seen.size >= 3;
  }, { timeout: 30_000, every: 250 });
}

/** Waits until both sides of a one-to-one call see each other and themselves. */
export async function bothMove(a, b) {
  await Promise.all([
    moves(remoteVideos(a).first(), "the first one's remote video"),
    moves(remoteVideos(b).first(), "the second one's remote video"),
    moves(localVideo(a), "the first one's local video"),
    moves(localVideo(b), "the second one's local video"),
  ]);
}

/** Waits until a page shows no call any more. */
export async function withoutCall(page, timeout = 10_000) {
  await hangUpButton(page).waitFor({ state: "hidden", timeout });
  await localVideo(page).waitFor({ state: "hidden", timeout });
  await incoming(page).waitFor({ state: "hidden", timeout });
}

/** Waits until the server knows no call between Mary and John any more. */
export async function noCallLeft(device) {
  await until("the call is gone", async () => (await device.rest("GET", "/calls/p%2Fjohn-mary")).status === 404);
}

/** Calls a person from the profile page and returns that page. */
export async function call(device, user, name) {
  const page = await device.openReady(`/portal/people/${user}`);
  await callButton(page, name).click();
  return page;
}
