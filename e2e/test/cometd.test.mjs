// The wire contract, driven by npm cometd as an old client does: in Node over
// both transports, and in Chromium.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { call, decline, Device, incoming, startBrowser, status } from "../lib/browser.mjs";
import { nodeClients, pageClients } from "../lib/old-clients.mjs";
import { sleep, startPortal, until } from "../lib/portal.mjs";

const oneToOne = "p/john-mary";
const groupCall = "g/product_team";
const userOwner = { type: "user", id: "mary" };

/** The old event types of a client's user channel, one short text for each. */
async function transcript(client) {
  const events = await client.seenEvents();
  return events.flatMap((e) => {
    switch (e.eventType) {
      case "call_state":
        return [`${e.callState} ${e.callId} of ${e.owner.type}:${e.owner.id} by ${e.providerType}`];
      case "call_joined":
        return [`joined ${e.callId} ${e.part.id} of ${e.owner.type}:${e.owner.id} by ${e.providerType}`];
      case "call_leaved":
        return [`left ${e.callId} ${e.part.id} of ${e.owner.type}:${e.owner.id} by ${e.providerType}`];
      default:
        return []; // as old clients do
    }
  });
}

/** Waits for a transcript and makes sure that nothing more comes. */
async function told(client, name, want) {
  await until(`${name} is told ${JSON.stringify(want)}`, async () => (await transcript(client)).length >= want.length).catch(() => {});
  await sleep(150);
  assert.deepEqual(await transcript(client), want, `what ${name} was told`);
}

function failed(reply, code, text) {
  assert.equal(reply.successful, false, `the call succeeded: ${JSON.stringify(reply.data)}`);
  assert.equal(reply.data?.code, code, JSON.stringify(reply));
  assert.equal(reply.data.error, true);
  assert.equal(typeof reply.data.message, "string");
  if (text) assert.match(reply.data.message, text);
  return reply.data;
}

function succeeded(reply) {
  assert.equal(reply.successful, true, JSON.stringify(reply));
  assert.notEqual(reply.data?.error, true, JSON.stringify(reply.data));
  return reply.data;
}

const createOneToOne = {
  command: "create", id: oneToOne, owner: "mary", ownerType: "user", provider: "webrtc", title: "Mary Williams",
  participants: "mary;john", start: true,
};

const createGroup = {
  command: "create", id: groupCall, owner: "product_team", ownerType: "space", provider: "webrtc", title: "Product Team",
  participants: "mary;john;james", start: true,
};

function contract(name, setup) {
  describe(name, () => {
    test("who may listen", async (t) => {
      const make = await setup(t);
      const mary = await make("mary", "m1");
      await mary.start();
      for (const channel of [
        "/eXo/Application/WebConferencing/user/john",
        "/eXo/Application/WebConferencing/user/*",
        "/eXo/Application/WebConferencing/**",
        "/**",
        "/eXo/Application/WebConferencing/call/p/jack-james",
      ]) {
        const m = await mary.subscribeTo(channel);
        assert.equal(m.successful, false, `subscribed to ${channel}`);
        assert.match(m.error, /^403:/, channel);
        assert.equal(m.data, undefined, "a refusal has no data");
      }
      const m = await mary.publishTo("/eXo/Application/WebConferencing/user/mary", { eventType: "call_state" });
      assert.equal(m.successful, false, "published on a user channel");
    });

    test("one-to-one call from create to leave", async (t) => {
      const make = await setup(t);
      const [mary, john, james] = [await make("mary", "m1"), await make("john", "j1"), await make("james", "x1")];
      await Promise.all([mary.start(), john.start(), james.start()]);

      failed(await mary.calls({ command: "get", id: oneToOne }), "NOT_FOUND_ERROR");

      const created = succeeded(await mary.calls(createOneToOne));
      assert.equal(created.id, oneToOne);
      assert.equal(created.state, "started");
      assert.equal(created.providerType, "webrtc");
      assert.equal(created.title, "Mary Williams");
      assert.equal(created.owner.id, "mary");
      assert.equal(created.owner.type, "user");
      assert.match(created.lastDate, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      assert.deepEqual(created.participants.map((p) => p.id).sort(), ["john", "mary"]);
      const part = created.participants.find((p) => p.id === "john");
      assert.equal(part.title, "John Smith");
      assert.equal(part.type, "user");
      assert.equal(part.group, false);
      assert.match(part.avatarLink, /\/portal\/avatars\/john\.svg\?v=1$/);
      assert.ok(part.state == null, "nobody has joined yet");

      const owner = `of user:mary by webrtc`;
      await told(john, "john", [`started ${oneToOne} ${owner}`]);
      await told(mary, "mary", []);

      // Subscribing comes before joining, as old connectors do.
      assert.equal((await mary.subscribeCall(oneToOne)).successful, true);
      succeeded(await mary.calls({ command: "update", id: oneToOne, state: "joined" }));
      assert.equal((await john.subscribeCall(oneToOne)).successful, true);
      const joined = succeeded(await john.calls({ command: "update", id: oneToOne, state: "joined" }));
      assert.equal(joined.participants.find((p) => p.id === "john").state, "joined");
      assert.equal(joined.participants.find((p) => p.id === "john").clientId, "j1");
      const both = [`joined ${oneToOne} mary ${owner}`, `joined ${oneToOne} john ${owner}`];
      await told(mary, "mary", both);
      await told(john, "john", [`started ${oneToOne} ${owner}`, ...both]);

      const conflict = failed(await john.calls({ ...createOneToOne, owner: "john" }), "CLIENT_ERROR");
      assert.equal(conflict.reason, "call_conflict");

      // What the parties send each other.
      assert.equal((await mary.publishCall(oneToOne, { offer: "sdp", exoClientId: "forged" })).successful, true);
      await until("john has the offer", async () => (await john.seenCallData()).length > 0);
      const [data] = await john.seenCallData();
      assert.equal(data.offer, "sdp");
      assert.equal(data.exoId, "mary");
      assert.equal(data.exoClientId, "m1");
      assert.equal("exoToken" in data, false, "the sender's token was handed out");

      // Somebody else sees no call at all.
      failed(await james.calls({ command: "get", id: oneToOne }), "NOT_FOUND_ERROR");
      failed(await james.calls({ command: "update", id: oneToOne, state: "joined" }), "NOT_FOUND_ERROR");
      failed(await james.calls({ command: "delete", id: oneToOne }), "NOT_FOUND_ERROR");
      assert.equal((await james.subscribeCall(oneToOne)).successful, false);
      assert.equal((await james.publishCall(oneToOne, { offer: "x" })).successful, false);
      assert.equal(succeeded(await james.calls({ command: "check_invite", id: oneToOne, inviteId: "guess" })).allowed, false);
      // And nobody acts for somebody else.
      failed(await james.calls({ command: "get", id: oneToOne }, { exoId: "mary" }), "ACCESS_ERROR");

      // One party leaves, the other is left alone, the call is over.
      succeeded(await john.calls({ command: "update", id: oneToOne, state: "leaved" }));
      const end = [`left ${oneToOne} john ${owner}`, `stopped ${oneToOne} ${owner}`];
      const tail = async (client) => (await transcript(client)).slice(-2);
      await until("mary is told the end", async () => (await tail(mary)).includes(end[1]));
      assert.ok((await transcript(mary)).includes(end[0]), "mary was not told that john left");
      failed(await mary.calls({ command: "get", id: oneToOne }), "NOT_FOUND_ERROR");
      await told(james, "james", []);
      assert.equal((await john.seenCallData()).length, 1, "john got more data than was sent");
    });

    test("declining and deleting", async (t) => {
      const make = await setup(t);
      const [mary, john] = [await make("mary", "m1"), await make("john", "j1")];
      await Promise.all([mary.start(), john.start()]);

      succeeded(await mary.calls(createOneToOne));
      succeeded(await john.calls({ command: "update", id: oneToOne, state: "leaved" }));
      await until("mary is told the end", async () => (await transcript(mary)).some((e) => e.startsWith("stopped")));
      assert.equal((await mary.seenEvents()).find((e) => e.callState === "stopped").reason, "declined");
      failed(await john.calls({ command: "get", id: oneToOne }), "NOT_FOUND_ERROR");

      succeeded(await mary.calls(createOneToOne));
      const removed = succeeded(await mary.calls({ command: "delete", id: oneToOne }));
      assert.equal(removed.state, "stopped");
      failed(await mary.calls({ command: "delete", id: oneToOne }), "NOT_FOUND_ERROR");
      const owner = "of user:mary by webrtc";
      const stops = async (client) => (await transcript(client)).filter((e) => e === `stopped ${oneToOne} ${owner}`).length;
      for (const client of [mary, john]) await until("both are told twice", async () => (await stops(client)) === 2);
    });

    test("group call", async (t) => {
      const make = await setup(t);
      const [mary, john, james] = [await make("mary", "m1"), await make("john", "j1"), await make("james", "x1")];
      await Promise.all([mary.start(), john.start(), james.start()]);
      const owner = "of space:product_team by webrtc";

      const created = succeeded(await mary.calls(createGroup));
      assert.equal(created.owner.type, "space");
      assert.equal(created.owner.group, true);
      assert.equal(created.owner.title, "Product Team");
      assert.equal(typeof created.inviteId, "string", "a started call has an invite link");
      assert.deepEqual(created.participants.map((p) => p.id).sort(), ["james", "john", "mary"]);
      const rung = [`started ${groupCall} ${owner}`];
      await told(john, "john", rung);
      await told(james, "james", rung);
      await told(mary, "mary", []);
      failed(await john.calls(createGroup), "CLIENT_ERROR");

      for (const [client, id] of [[mary, "mary"], [john, "john"]]) {
        assert.equal((await client.subscribeCall(groupCall)).successful, true);
        succeeded(await client.calls({ command: "update", id: groupCall, state: "joined" }));
        await until(`james is told that ${id} joined`, async () => (await transcript(james)).includes(`joined ${groupCall} ${id} ${owner}`));
      }
      assert.deepEqual(succeeded(await james.calls({ command: "get_calls_state", id: "james" })), [{ id: groupCall, state: "started" }]);
      failed(await james.calls({ command: "get_calls_state", id: "mary" }), "ACCESS_ERROR");

      // Declining a group call silences james and nobody else.
      succeeded(await james.calls({ command: "update", id: groupCall, state: "leaved" }));
      assert.equal(succeeded(await mary.calls({ command: "get", id: groupCall })).state, "started");

      // Leaving by leaving the channel, as a closed page does.
      assert.equal((await john.unsubscribeCall(groupCall)).successful, true);
      await until("mary is told that john left", async () => (await transcript(mary)).includes(`left ${groupCall} john ${owner}`), { timeout: 20_000 });
      succeeded(await mary.calls({ command: "update", id: groupCall, state: "leaved" }));
      await until("james is told the end", async () => (await transcript(james)).includes(`stopped ${groupCall} ${owner}`));
      const stopped = succeeded(await james.calls({ command: "get", id: groupCall }));
      assert.equal(stopped.state, "stopped");
      assert.ok(stopped.inviteId == null, "the invite link outlived the call");

      // Starting it again tells everybody, the starter included.
      const before = (await transcript(john)).length;
      succeeded(await john.calls({ command: "update", id: groupCall, state: "started" }));
      await until("john is told the start", async () => (await transcript(john)).slice(before).includes(rung[0]));
      await until("mary is told the start", async () => (await transcript(mary)).at(-1) === rung[0]);
      succeeded(await john.calls({ command: "update", id: groupCall, state: "stopped" }));
    });

    test("a client that vanishes has left", async (t) => {
      const make = await setup(t);
      const [mary, john] = [await make("mary", "m1"), await make("john", "j1")];
      await Promise.all([mary.start(), john.start()]);
      succeeded(await mary.calls(createOneToOne));
      for (const client of [mary, john]) {
        assert.equal((await client.subscribeCall(oneToOne)).successful, true);
        succeeded(await client.calls({ command: "update", id: oneToOne, state: "joined" }));
      }
      await john.disconnect();
      const end = [`left ${oneToOne} john of user:mary by webrtc`, `stopped ${oneToOne} of user:mary by webrtc`];
      await until("mary is told", async () => (await transcript(mary)).includes(end[1]), { timeout: 30_000 });
      assert.deepEqual((await transcript(mary)).slice(-2), end);
      failed(await mary.calls({ command: "get", id: oneToOne }), "NOT_FOUND_ERROR");
    });

    test("participants, guests and invites", async (t) => {
      const make = await setup(t);
      const [mary, jack] = [await make("mary", "m1"), await make("jack", "k1")];
      await Promise.all([mary.start(), jack.start()]);

      const created = succeeded(await mary.calls(createGroup));
      failed(await jack.calls({ command: "get", id: groupCall }), "NOT_FOUND_ERROR");
      failed(await jack.calls({ command: "add_guest", id: groupCall, guestId: "jack" }), "NOT_FOUND_ERROR");
      assert.equal(succeeded(await jack.calls({ command: "check_invite", id: groupCall, inviteId: created.inviteId })).allowed, false);

      succeeded(await mary.calls({ command: "update_invites", id: groupCall, invites: [{ id: "jack", type: "user" }] }));
      assert.equal(succeeded(await jack.calls({ command: "check_invite", id: groupCall, inviteId: "wrong" })).allowed, false);
      assert.equal(succeeded(await jack.calls({ command: "check_invite", id: groupCall, inviteId: created.inviteId })).allowed, true);
      const withGuest = succeeded(await jack.calls({ command: "add_guest", id: groupCall, guestId: "jack" }));
      assert.equal(withGuest.participants.find((p) => p.id === "jack").type, "guest");
      failed(await jack.calls({ command: "update", id: groupCall, state: "stopped" }), "ACCESS_ERROR", /guest/);

      const updated = succeeded(await mary.calls({ command: "update", id: groupCall, participants: ["mary", "john"] }));
      assert.deepEqual(updated.participants.filter((p) => p.type === "user").map((p) => p.id).sort(), ["john", "mary"]);

      const renamed = succeeded(await mary.calls({
        command: "update", id: groupCall,
        info: { owner: "product_team", ownerType: "space", provider: "webrtc", title: "Weekly", participants: "mary;john;james" },
      }));
      assert.equal(renamed.title, "Weekly");
      assert.equal(renamed.state, "started", "a change of the title changed the state");

      const found = succeeded(await mary.calls({ command: "get_org_identities", name: "j" }));
      assert.deepEqual(found.map((i) => i.displayName), ["Jack Miller", "James Davis", "John Smith"]);
      for (const i of found) assert.equal(i.type, "user");
      assert.deepEqual(succeeded(await mary.calls({ command: "get_org_identities", name: "product" })).map((i) => [i.id, i.type]), [["/spaces/product_team", "group"]]);
    });

    test("every failure answers", async (t) => {
      const make = await setup(t);
      const mary = await make("mary", "m1");
      await mary.start();
      failed(await mary.calls({ command: "get" }), "CLIENT_ERROR", /\bid\b/);
      failed(await mary.calls({ id: oneToOne }), "CLIENT_ERROR", /command/);
      failed(await mary.calls({ command: "dance", id: oneToOne }), "CLIENT_ERROR", /command/);
      failed(await mary.calls({ ...createOneToOne, provider: "nobody_has_it" }), "CLIENT_ERROR", /provider/i);
      failed(await mary.calls({ ...createOneToOne, title: "x".repeat(256) }), "CLIENT_ERROR", /title/);
      failed(await mary.calls({ ...createOneToOne, id: "x".repeat(256) }), "CLIENT_ERROR", /\bid\b/);
      failed(await mary.calls({ ...createOneToOne, ownerType: "planet" }), "CLIENT_ERROR", /ownerType/i);
      failed(await mary.calls({ command: "update", id: oneToOne, state: "joined" }), "NOT_FOUND_ERROR");
      failed(await mary.calls({ command: "update", id: oneToOne, state: "leaved" }), "NOT_FOUND_ERROR");
      const hostile = succeeded(await mary.calls({ ...createOneToOne, title: "<img src=x onerror=alert(1)> \u202e" }));
      assert.equal(hostile.title, "<img src=x onerror=alert(1)> \u202e", "a title is text, handed on as it is");
    });

    test("client log", async (t) => {
      const make = await setup(t);
      const mary = await make("mary", "m1");
      await mary.start();
      const entry = (message) => ({ data: message, level: "info", provider: "webrtc", prefix: "call", timestamp: "2026-03-21T16:05:39.546Z", exoClientId: "m1" });
      assert.deepEqual(succeeded(await mary.log(entry("Starting call"))), {});
      assert.deepEqual(succeeded(await mary.log({ ...entry(""), data: { message: "as an object" } })), {});
      assert.deepEqual(succeeded(await mary.log(entry("two\nlines \u001b[31m"))), {});
      await setup.portal.stop(); // writes what is waiting
      const lines = setup.portal.stderr.split("\n").filter((line) => line.includes("[webrtc.call]"));
      assert.ok(lines.some((l) => l.includes("[webrtc.call] mary-m1 Starting call -- 2026-03-21T16:05:39.546Z")), lines.join("\n"));
      assert.ok(lines.some((l) => l.includes("as an object")), lines.join("\n"));
      assert.ok(lines.some((l) => l.includes("two") && l.includes("lines")), "a line was forged");
    });
  });
}

for (const transport of ["websocket", "long-polling"]) {
  const setup = async (t) => {
    setup.portal = await startPortal(t);
    return nodeClients(t, setup.portal, transport);
  };
  contract(`cometd in Node, ${transport}`, setup);

  test(`a false token is refused, ${transport}`, async (t) => {
    const make = await setup(t);
    const real = await make("john", "j1");
    for (const token of ["", "nonsense", real.who.token, `${real.who.token}x`]) {
      const client = await make("mary", "m1", { token });
      const m = await client.handshake();
      assert.equal(m.successful, false, `handshake with the token ${JSON.stringify(token)}`);
      assert.match(m.error, /^403:/);
    }
  });
}

let browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser.close());

test("old clients stay in their call when the portal is killed", async (t) => {
  const portal = await startPortal(t);
  const mary = await nodeClients(t, portal, "websocket")("mary", "m1");
  const john = await nodeClients(t, portal, "long-polling")("john", "j1");
  await Promise.all([mary.start(), john.start()]);
  succeeded(await mary.calls(createOneToOne));
  for (const client of [mary, john]) {
    assert.equal((await client.subscribeCall(oneToOne)).successful, true);
    succeeded(await client.calls({ command: "update", id: oneToOne, state: "joined" }));
  }
  await portal.kill();
  await portal.start();
  await sleep(40_000); // longer than a seat lives without its device
  const call = succeeded(await mary.calls({ command: "get", id: oneToOne }));
  assert.equal(call.state, "started");
  assert.deepEqual(call.participants.map((p) => p.state), ["joined", "joined"]);
  assert.equal((await john.publishCall(oneToOne, { candidate: "x" })).successful, true);
  await until("mary has the data", async () => (await mary.seenCallData()).some((d) => d.candidate === "x" && d.exoClientId === "j1"));
  succeeded(await john.calls({ command: "update", id: oneToOne, state: "leaved" }));
  await until("mary is told the end", async () => (await transcript(mary)).at(-1) === `stopped ${oneToOne} of user:mary by webrtc`);
  assert.equal((await transcript(mary)).filter((e) => e.startsWith("stopped")).length, 1);
});

test("an old client and a page of today talk to each other", async (t) => {
  const portal = await startPortal(t);
  const make = nodeClients(t, portal, "long-polling");
  const mary = await make("mary", "m1");
  await mary.start();
  const john = await Device.signIn(t, browser, portal, "john");
  const page = await john.openReady("/portal/");

  succeeded(await mary.calls(createOneToOne));
  await incoming(page).waitFor();
  assert.match(await incoming(page).innerText(), /Mary Williams/);
  await decline(page);
  await until("mary is told", async () => (await transcript(mary)).includes(`stopped ${oneToOne} of user:mary by webrtc`));

  // And the other way round.
  const before = mary.seenEvents().length;
  await call(john, "mary", "Mary Williams");
  await until("mary is rung", async () => mary.seenEvents().slice(before).some((e) => e.callState === "started" && e.callId === oneToOne));
  succeeded(await mary.calls({ command: "update", id: oneToOne, state: "leaved" }));
  await status(john.page).filter({ hasText: /declined/i }).first().waitFor();
});

for (const transport of ["websocket", "long-polling"]) {
  const setup = async (t) => {
    setup.portal = await startPortal(t);
    return pageClients(t, setup.portal, browser, transport, Device);
  };
  contract(`cometd in Chromium, ${transport}`, setup);
}
