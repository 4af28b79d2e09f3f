// The portal as a process: how it starts, fails to start, and ends.

import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { contextOf } from "../lib/old-clients.mjs";
import { runPortal, startPortal, tempFolder } from "../lib/portal.mjs";

for (const signal of ["SIGTERM", "SIGINT"]) {
  test(`${signal} ends it in good order`, async (t) => {
    const portal = await startPortal(t);
    const { cookie } = await contextOf(portal, "mary");
    // Somebody waits for events meanwhile.
    const clientId = await longPoll(portal, cookie);
    assert.ok(clientId);
    const began = Date.now();
    assert.equal(await portal.stop(signal), 0, portal.stderr);
    assert.ok(Date.now() - began < 8000, "it took too long");
  });
}

test("it says where it is and who may sign in", async (t) => {
  const portal = await startPortal(t);
  const { stdout } = portal.run;
  assert.match(stdout, /http:\/\/127\.0\.0\.1:\d+\//);
  for (const user of ["mary", "john", "james", "jack", "root"]) assert.match(stdout, new RegExp(`\\b${user}\\b`));
  assert.ok(stdout.includes(portal.options.data));
  assert.equal(statSync(join(portal.options.data, "session.key")).mode & 0o777, 0o600);
});

test("a busy port is one clear line", async (t) => {
  const portal = await startPortal(t);
  const second = await runPortal(["-addr", portal.addr, "-data", tempFolder(t)]).exited;
  failedWithOneLine(second, /address already in use/);
});

test("locked data are one clear line", async (t) => {
  const portal = await startPortal(t);
  const second = await runPortal(["-addr", "127.0.0.1:0", "-data", portal.options.data]).exited;
  failedWithOneLine(second, /another portal|lock|in use/i);
});

function failedWithOneLine(run, text) {
  assert.equal(run.code, 1);
  assert.equal(run.stdout, "");
  assert.equal(run.stderr.trim().split("\n").length, 1, run.stderr);
  assert.match(run.stderr, text);
}

/** Opens a session by long-polling and leaves a request waiting. */
async function longPoll(portal, cookie) {
  const post = async (messages) => {
    const res = await fetch(`${portal.url}/cometd/cometd`, {
      method: "POST",
      headers: { "content-type": "application/json", cookie },
      body: JSON.stringify(messages),
    });
    return res.json();
  };
  const [hello] = await post([{ channel: "/meta/handshake", version: "1.0", id: "1", supportedConnectionTypes: ["long-polling"] }]);
  const connect = { channel: "/meta/connect", clientId: hello.clientId, connectionType: "long-polling", id: "2" };
  await post([{ ...connect, advice: { timeout: 0 } }]);
  post([{ ...connect, id: "3" }]).catch(() => {});
  return hello.clientId;
}
