// Rings, devices, history and administration on the wire: npm cometd sends the
// commands that came later, beside a client that knows nothing of them.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { nodeClients, signIn } from "../lib/old-clients.mjs";
import { sleep, startPortal, until } from "../lib/portal.mjs";

const id = "p/john-mary";
const newCall = {
  command: "create", id, owner: "mary", ownerType: "user", provider: "webrtc", title: "Mary Williams",
  participants: ["mary", "john"], start: true,
};

function succeeded(reply) {
  assert.equal(reply.successful, true, JSON.stringify(reply));
  return reply.data;
}

function failed(reply, code, reason) {
  assert.equal(reply.successful, false, `it succeeded: ${JSON.stringify(reply.data)}`);
  assert.equal(reply.data.code, code, JSON.stringify(reply.data));
  assert.equal(reply.data.reason, reason, JSON.stringify(reply.data));
  assert.match(reply.data.ref, /^[a-z0-9]{12}$/);
  return reply.data;
}

/** Waits for an event of a type, the nth that fits. */
async function heard(client, type, fits = () => true, nth = 1) {
  const found = () => client.events.filter((e) => e.eventType === type && fits(e));
  await until(`${client.who.clientId} hears ${type}`, () => found().length >= nth).catch((err) => {
    throw new Error(`${err.message}; heard ${JSON.stringify(client.events)}`);
  });
  return found()[nth - 1];
}

/** Sends requests of an administrator; a token in a message never makes one. */
async function administrator(portal) {
  const cookie = await signIn(portal, "root");
  return async (method, path, body) => {
    const headers = { cookie, ...(body && { "content-type": "application/json" }) };
    const res = await fetch(`${portal.url}/portal/rest/webconferencing/admin/${path}`, { method, headers, body: body && JSON.stringify(body) });
    const answer = await res.json();
    assert.equal(res.status, 200, JSON.stringify(answer));
    return answer;
  };
}

const participant = (call, user) => call.participants.find((p) => p.id === user);
const leg = (event, clientId) => event.legs.find((l) => l.clientId === clientId);

for (const transport of ["websocket", "long-polling"]) {
  describe(`devices over ${transport}`, () => {
    async function stage(t, options) {
      const portal = await startPortal(t, options);
      const make = nodeClients(t, portal, transport);
      const client = async (user, clientId) => {
        const c = await make(user, clientId);
        await c.start();
        return c;
      };
      return { portal, client };
    }

    test("one of two devices answers, and everybody learns which", async (t) => {
      const { client } = await stage(t);
      const [mary, phone, desk, old] = [await client("mary", "m1"), await client("john", "phone"), await client("john", "desk"), await client("john", "old")];
      succeeded(await mary.calls(newCall));
      for (const device of [phone, desk]) {
        await heard(device, "call_state", (e) => e.callState === "started");
        succeeded(await device.calls({ command: "ringing", id }));
      }
      assert.equal((await heard(mary, "call_ringing", () => true, 2)).count, 2);
      const joined = succeeded(await phone.calls({ command: "accept", id }));
      assert.ok(joined.seat);
      assert.equal(participant(joined, "john").answeredBy, "phone");
      const late = failed(await desk.calls({ command: "accept", id }), "CLIENT_ERROR", "answered_elsewhere");
      assert.equal(late.device, "phone");
      const ended = await heard(desk, "call_ring_ended");
      assert.equal(ended.ring, "answered");
      assert.equal(leg(ended, "phone").state, "answered");
      assert.deepEqual([leg(ended, "desk").state, leg(ended, "desk").by], ["elsewhere", "phone"]);
      await heard(desk, "call_joined", (e) => e.clientId === "phone");
      // The old client stops ringing by what it has always been told.
      await heard(old, "call_joined", (e) => e.part.id === "john");
      succeeded(await mary.calls({ command: "cancel", id }));
      await heard(old, "call_state", (e) => e.callState === "stopped");
    });

    test("of two devices that accept at the same moment one wins", async (t) => {
      const { client } = await stage(t);
      const [mary, phone, desk] = [await client("mary", "m1"), await client("john", "phone"), await client("john", "desk")];
      for (let round = 0; round < 5; round++) {
        succeeded(await mary.calls(newCall));
        const replies = await Promise.all([phone, desk].map((device) => device.calls({ command: "accept", id })));
        const won = replies.filter((r) => r.successful);
        assert.equal(won.length, 1, JSON.stringify(replies));
        const lost = replies.find((r) => !r.successful);
        failed(lost, "CLIENT_ERROR", "answered_elsewhere");
        assert.equal(lost.data.device, participant(won[0].data, "john").answeredBy);
        succeeded(await mary.calls({ command: "delete", id }));
      }
    });

    test("busy, declined and cancelled reach the other side as such", async (t) => {
      const { client } = await stage(t);
      const [mary, phone, desk] = [await client("mary", "m1"), await client("john", "phone"), await client("john", "desk")];
      for (const [nth, reason] of ["busy", "declined"].entries()) {
        succeeded(await mary.calls(newCall));
        await heard(desk, "call_state", (e) => e.callState === "started", nth + 1);
        succeeded(await desk.calls({ command: "ringing", id }));
        succeeded(await phone.calls({ command: "decline", id, reason }));
        assert.equal((await heard(mary, "call_declined", () => true, nth + 1)).reason, reason);
        assert.equal((await heard(mary, "call_state", (e) => e.callState === "stopped", nth + 1)).reason, reason);
        const ended = await heard(desk, "call_ring_ended", () => true, nth + 1);
        assert.deepEqual([ended.ring, leg(ended, "desk").state, leg(ended, "desk").by], [reason, reason, "phone"]);
      }
      succeeded(await mary.calls(newCall));
      await heard(desk, "call_state", (e) => e.callState === "started", 3);
      succeeded(await desk.calls({ command: "ringing", id }));
      succeeded(await mary.calls({ command: "cancel", id }));
      assert.equal((await heard(desk, "call_state", (e) => e.callState === "stopped", 3)).reason, "cancelled");
      assert.equal(leg(await heard(desk, "call_ring_ended", () => true, 3), "desk").state, "cancelled");
      failed(await phone.calls({ command: "accept", id }), "NOT_FOUND_ERROR");
    });

    test("somebody in a call is told of the next one as waiting", async (t) => {
      const { client } = await stage(t);
      const [mary, john, james] = [await client("mary", "m1"), await client("john", "phone"), await client("james", "x1")];
      const other = "p/james-john";
      succeeded(await james.calls({ ...newCall, id: other, owner: "james", participants: ["james", "john"] }));
      succeeded(await james.calls({ command: "update", id: other, state: "joined" }));
      succeeded(await john.calls({ command: "accept", id: other }));
      succeeded(await mary.calls(newCall));
      assert.equal((await heard(john, "call_state", (e) => e.callId === id)).waiting, true);
      // He ends the one and accepts the other.
      succeeded(await john.calls({ command: "update", id: other, state: "leaved" }));
      succeeded(await john.calls({ command: "accept", id }));
      await heard(james, "call_state", (e) => e.callState === "stopped" && e.callId === other);
      await heard(mary, "call_joined", (e) => e.part.id === "john");
    });

    test("a running call goes on on another device", async (t) => {
      const { client } = await stage(t);
      const [mary, phone, desk] = [await client("mary", "m1"), await client("john", "phone"), await client("john", "desk")];
      succeeded(await mary.calls(newCall));
      succeeded(await mary.calls({ command: "update", id, state: "joined" }));
      const first = succeeded(await phone.calls({ command: "accept", id }));
      const second = succeeded(await desk.calls({ command: "take_over", id }));
      assert.notEqual(second.seat, first.seat);
      assert.equal((await heard(phone, "call_seat_replaced")).clientId, "phone");
      // What the device that is out still says changes nothing.
      succeeded(await phone.calls({ command: "update", id, state: "leaved", seat: first.seat, epoch: first.epoch }));
      failed(await phone.calls({ command: "heartbeat", id, seat: first.seat, epoch: first.epoch }), "NOT_FOUND_ERROR", "seat_gone");
      succeeded(await desk.calls({ command: "heartbeat", id, seat: second.seat, epoch: second.epoch }));
      const now = succeeded(await mary.calls({ command: "get", id }));
      assert.equal(now.state, "started");
      assert.deepEqual([participant(now, "john").state, participant(now, "john").clientId], ["joined", "desk"]);
      await sleep(300);
      assert.equal(mary.events.some((e) => e.eventType === "call_leaved"), false, "mary was told that john left");
    });

    test("missed calls are counted in every tab that asked, also after a crash", async (t) => {
      const { portal, client } = await stage(t);
      const [mary, tab1, tab2, old] = [await client("mary", "m1"), await client("john", "t1"), await client("john", "t2"), await client("john", "old")];
      for (const tab of [tab1, tab2]) assert.equal(succeeded(await tab.calls({ command: "get_missed_count" })).count, 0);
      const key = "once-and-for-all";
      const created = succeeded(await mary.calls({ ...newCall, idempotencyKey: key }));
      succeeded(await mary.calls({ command: "cancel", id }));
      for (const tab of [tab1, tab2]) assert.equal((await heard(tab, "call_history")).count, 1);
      const { entries } = succeeded(await tab1.calls({ command: "get_history", outcome: "missed" }));
      assert.deepEqual(
        entries.map((e) => [e.callId, e.outgoing, e.outcome, e.unseen, e.others[0].title]),
        [[id, false, "missed", true, "Mary Williams"]],
      );

      await portal.kill();
      await portal.start();
      const tab3 = await client("john", "t3");
      assert.equal(succeeded(await tab3.calls({ command: "get_missed_count" })).count, 1);
      // The key of a command from before the crash is remembered.
      const again = await client("mary", "m1");
      const repeated = await again.calls({ ...newCall, idempotencyKey: key });
      assert.ok(!repeated.successful || repeated.data.epoch === created.epoch, JSON.stringify(repeated.data));
      assert.equal(succeeded(await tab3.calls({ command: "mark_seen", upTo: entries[0].cursor })).count, 0);
      assert.equal((await heard(tab3, "call_history")).count, 0);
      assert.equal(old.events.some((e) => e.eventType === "call_history"), false, "a client that did not ask was told");
    });

    test("a reference joins what a user saw with the server's log and the timeline", async (t) => {
      const { portal, client } = await stage(t);
      const [mary, john, james] = [await client("mary", "m1"), await client("john", "phone"), await client("james", "x1")];
      const root = await administrator(portal);
      succeeded(await mary.calls(newCall));
      const { ref } = failed(await james.calls({ command: "get", id }), "NOT_FOUND_ERROR");
      await until("the log has the reference", () => portal.stderr.split("\n").some((line) => line.includes(ref) && line.includes("james")));
      const refused = await james.subscribeCall(id);
      assert.equal(refused.successful, false);
      await until("the log has the other reference", () => portal.stderr.includes(refused.ext.ref));

      failed(await mary.calls({ command: "explain", id }), "ACCESS_ERROR");
      const call = `calls/${encodeURIComponent(id)}`;
      const why = await root("GET", `${call}/explanation`);
      assert.equal(why.state, "started");
      assert.equal(why.ringing[0].user, "john");
      const live = await root("GET", "calls");
      assert.equal(live.calls[0].id, id);
      assert.equal(JSON.stringify(live).includes("inviteId"), false);
      await root("POST", `${call}/end`, { why: "asked on the telephone" });
      for (const party of [mary, john]) assert.equal((await heard(party, "call_state", (e) => e.callState === "stopped")).cause, "admin");
      const timeline = await root("GET", `${call}/timeline`);
      const last = timeline.events.at(-1);
      assert.deepEqual([last.cause, last.evidence, last.actor], ["admin", "asked on the telephone", "root"]);
      for (const e of timeline.events) assert.ok(e.node && e.cause, JSON.stringify(e));
    });
  });
}
