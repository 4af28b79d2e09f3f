// The portal behind nginx and HAProxy, as examples/proxies sets them up: TLS and
// HTTP/2 in front, HTTP/1.1 behind.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { kinds, Proxy } from "../../internal/proxies/proxies.mjs";
import { accept, bothMove, call, Device, hangUp, incoming, moves, noCallLeft, remoteVideos, startBrowser, withoutCall } from "../lib/browser.mjs";
import { startPortal } from "../lib/portal.mjs";

for (const kind of [...kinds, "untold"]) {
  describe(kind, () => {
    // A proxy that was told nothing passes no WebSockets on.
    for (const transport of kind === "untold" ? ["long-polling"] : ["WebSocket", "long-polling"]) {
      test(`a call over ${transport} that outlives the portal`, async (t) => {
        const portal = await startPortal(t, { proxy: "127.0.0.1" });
        const proxy = await Proxy.start(kind, portal.addr);
        t.after(() => proxy.close());
        const browser = await startBrowser(t);
        const front = { url: proxy.origin };
        const [mary, john] = await Promise.all(["mary", "john"].map((user) => Device.signIn(t, browser, front, user, { ignoreHTTPSErrors: true })));
        if (transport === "long-polling" && kind !== "untold") {
          for (const { context } of [mary, john]) await context.addInitScript(() => (window.WebSocket = undefined));
        }

        const johnsPage = await john.openReady("/portal/");
        const marysPage = await call(mary, "john", "John Smith");
        await incoming(johnsPage).waitFor();
        await accept(johnsPage);
        await bothMove(marysPage, johnsPage);
        assert.equal(await marysPage.evaluate(() => window.isSecureContext && location.protocol), "https:");
        assert.equal(await marysPage.evaluate(() => performance.getEntriesByType("navigation")[0].nextHopProtocol), "h2");
        for (const cookie of await mary.context.cookies()) assert.equal(cookie.secure, true, cookie.name);
        assert.equal(john.messages.length > 0, transport === "WebSocket", `${john.messages.length} messages over WebSockets`);

        await portal.kill();
        await portal.start();
        await moves(remoteVideos(marysPage).first(), "john, after the restart");
        await hangUp(johnsPage);
        await withoutCall(marysPage, 30_000);
        await withoutCall(johnsPage, 30_000);
        await noCallLeft(mary);
      });
    }
  });
}
