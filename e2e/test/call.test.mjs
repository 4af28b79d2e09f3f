// A call between two people, in Chromium, from the button to hanging up.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  accept, bothMove, call, Device, hangUp, incoming, moves, noCallLeft, ready, remoteVideos, startBrowser, withoutCall,
} from "../lib/browser.mjs";
import { sleep, startPortal, until } from "../lib/portal.mjs";

async function stage(t, options) {
  const portal = await startPortal(t, options);
  const browser = await startBrowser(t);
  const [mary, john] = await Promise.all(["mary", "john"].map((user) => Device.signIn(t, browser, portal, user)));
  return { portal, browser, mary, john };
}

/** Mary calls John and both see each other. */
async function inCall({ mary, john }) {
  const johnsPage = await john.openReady("/portal/");
  const marysPage = await call(mary, "john", "John Smith");
  await incoming(johnsPage).waitFor();
  assert.match(await incoming(johnsPage).innerText(), /Mary Williams/);
  await accept(johnsPage);
  await bothMove(marysPage, johnsPage);
  return { marysPage, johnsPage };
}

test("call, mute, camera, hang up", async (t) => {
  const devices = await stage(t);
  const { marysPage, johnsPage } = await inCall(devices);

  const mute = marysPage.getByRole("button", { name: "Mute" });
  assert.equal(await mute.getAttribute("aria-pressed"), "false");
  await mute.click();
  assert.equal(await mute.getAttribute("aria-pressed"), "true");
  await until("silence reaches john", () => quiet(johnsPage), { timeout: 15_000 });
  await mute.click();
  assert.equal(await mute.getAttribute("aria-pressed"), "false");

  const camera = marysPage.getByRole("button", { name: "Camera" });
  const before = await camera.getAttribute("aria-pressed");
  await camera.click();
  assert.notEqual(await camera.getAttribute("aria-pressed"), before);
  await until("john sees no moving picture of mary", () => still(remoteVideos(johnsPage).first()), { timeout: 15_000 });
  await camera.click();
  assert.equal(await camera.getAttribute("aria-pressed"), before);
  await moves(remoteVideos(johnsPage).first(), "mary's picture, switched on again");

  await hangUp(johnsPage);
  await withoutCall(marysPage);
  await withoutCall(johnsPage);
  assert.equal(await marysPage.getByRole("button", { name: "Call John Smith" }).isEnabled(), true);
  await noCallLeft(devices.mary);
});

test("a second call works after the first, in the other direction", async (t) => {
  const devices = await stage(t);
  const { marysPage, johnsPage } = await inCall(devices);
  await hangUp(marysPage);
  await withoutCall(marysPage);
  await withoutCall(johnsPage);

  const page = await call(devices.john, "mary", "Mary Williams");
  await incoming(marysPage).waitFor();
  await accept(marysPage);
  await bothMove(page, marysPage);
  await hangUp(page);
  await withoutCall(marysPage);
});

test("reloading keeps the call", async (t) => {
  const devices = await stage(t);
  const { marysPage, johnsPage } = await inCall(devices);
  await johnsPage.reload();
  await ready(johnsPage);
  await bothMove(marysPage, johnsPage);
  assert.ok(await marysPage.getByRole("button", { name: "Hang up" }).isVisible());

  // And so does the other one's.
  await marysPage.reload();
  await ready(marysPage);
  await bothMove(marysPage, johnsPage);
  await sleep(12_000); // longer than the grace that a vanished page is given
  await bothMove(marysPage, johnsPage);
  for (const device of [devices.mary, devices.john]) {
    assert.ok(device.toldOf("call_joined") > 0, `${device.user}'s messages were not seen`);
    assert.equal(device.toldOf("call_leaved"), 0, `${device.user} was told that somebody left`);
    assert.equal(device.toldOf("call_state", "stopped"), 0, `${device.user} was told that the call ended`);
  }
  await hangUp(marysPage);
  await withoutCall(johnsPage);
  await noCallLeft(devices.mary);
});

test("a call without WebSockets", async (t) => {
  const devices = await stage(t);
  for (const device of [devices.mary, devices.john]) {
    await device.context.addInitScript(() => {
      window.WebSocket = undefined;
    });
  }
  const { marysPage, johnsPage } = await inCall(devices);
  await hangUp(marysPage);
  await withoutCall(marysPage);
  await withoutCall(johnsPage);
  assert.deepEqual(devices.john.messages, [], "a WebSocket was used");
});

/** Whether the remote party's sound is silence: no level in its track. */
async function quiet(page) {
  return remoteVideos(page).first().evaluate(async (video) => {
    const context = new AudioContext();
    await context.resume();
    const analyser = context.createAnalyser();
    context.createMediaStreamSource(new MediaStream(video.srcObject.getAudioTracks())).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    let peak = 0;
    for (let i = 0; i < 25; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100)); // the fake microphone beeps once a second
      analyser.getFloatTimeDomainData(samples);
      peak = Math.max(peak, ...samples.map(Math.abs));
    }
    await context.close();
    return peak < 0.001;
  });
}

/** Whether a video shows no changing picture: hidden, black or without new frames. */
async function still(video) {
  if (!(await video.isVisible())) return true;
  const pictures = [];
  for (let i = 0; i < 6; i++) {
    pictures.push(await video.evaluate((v) => {
      const canvas = new OffscreenCanvas(32, 24);
      const context = canvas.getContext("2d");
      if (v.videoWidth > 0) context.drawImage(v, 0, 0, 32, 24);
      return context.getImageData(0, 0, 32, 24).data.join();
    }));
    await sleep(200);
  }
  return new Set(pictures).size === 1;
}
