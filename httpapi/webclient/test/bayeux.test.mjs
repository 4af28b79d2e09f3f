import assert from "node:assert/strict";
import { once } from "node:events";
import { test as plainTest } from "node:test";
import { WebSocket } from "ws";
import { BayeuxClient, BayeuxError } from "../assets/bayeux.js";
import { BayeuxTestServer } from "./bayeux-server.mjs";

const test = (name, run) => plainTest(name, { timeout: 60_000 }, run);
const quick = { timeout: 2000, minBackoff: 5, maxBackoff: 20, socketRetry: 60 };

/** Runs with a server and a maker of clients, and cleans up. */
async function withServer(options, run) {
	const server = await new BayeuxTestServer().start();
	const clients = [];
	const connect = (more = {}) => {
		const client = new BayeuxClient({ url: server.url, WebSocket, ...quick, ...options, ...more });
		clients.push(client);
		client.open();
		return client;
	};
	try {
		await run(server, connect);
	} finally {
		for (const client of clients) client.close();
		await server.stop();
	}
}

async function reached(client, state) {
	while (client.state !== state) await once(client, "state");
}

/** Collects messages and lets a test wait for some number of them. */
function collector() {
	const got = [];
	let wake = () => {};
	return {
		got,
		listener: {
			onMessage(data) {
				got.push(data.n);
				wake();
			},
		},
		async until(count) {
			while (got.length < count) await new Promise((resolve) => (wake = resolve));
		},
	};
}

const transports = { websocket: {}, "long-polling": { WebSocket: null } };

for (const [name, options] of Object.entries(transports)) {
	test(`${name}: handshake, subscribe, publish, remote call`, () =>
		withServer(options, async (server, connect) => {
			const client = connect({ credentials: () => ({ exoId: "mary", exoToken: "t" }), fields: () => ({ exoId: "mary", exoClientId: "c1" }) });
			const seen = collector();
			await client.subscribe("/a", seen.listener).ready;
			await client.publish("/a", { n: 1 });
			await seen.until(1);
			assert.deepEqual(await client.call("/echo", { x: 2 }), { target: "/echo", x: 2 });
			assert.equal(server.handshakes.length, 1);
			assert.deepEqual([server.handshakes[0].exoId, server.handshakes[0].exoToken, server.handshakes[0].version], ["mary", "t", "1.0"]);
			assert.equal(server.subscribes[0].exoClientId, "c1");
			assert.equal(server.published[0].exoToken, undefined);
			assert.equal(server.openSockets, name === "websocket" ? 1 : 0);
		}));

	test(`${name}: a failed remote call rejects with its data`, () =>
		withServer(options, async (server, connect) => {
			server.onCall = () => {
				throw Object.assign(new Error(), { data: { code: "NOT_FOUND_ERROR", message: "no" } });
			};
			await assert.rejects(connect().call("/x", {}), (error) => error instanceof BayeuxError && error.data.code === "NOT_FOUND_ERROR");
		}));

	test(`${name}: nothing is lost or doubled when the connection breaks`, () =>
		withServer(options, async (server, connect) => {
			const client = connect();
			const seen = collector();
			await client.subscribe("/a", seen.listener).ready;
			let n = 0;
			for (let round = 0; round < 5; round++) {
				server.emit("/a", { n: ++n });
				await seen.until(n);
				server.cut();
				server.emit("/a", { n: ++n });
				server.emit("/a", { n: ++n });
				await reached(client, "connected");
				await seen.until(n);
			}
			server.repeat(2);
			server.emit("/a", { n: ++n });
			await seen.until(n);
			assert.deepEqual(seen.got, Array.from({ length: n }, (_, i) => i + 1));
		}));

	test(`${name}: a forgotten session (402) is made anew and subscribed again`, () =>
		withServer(options, async (server, connect) => {
			const client = connect();
			const seen = collector();
			await client.subscribe("/a", seen.listener).ready;
			server.emit("/a", { n: 1 });
			await seen.until(1);
			server.forgetSessions();
			server.emit("/a", { n: 2 });
			await seen.until(2);
			assert.deepEqual(server.subscribes.at(-1).ext, { replay: { "/a": 1 } });
			assert.equal(server.handshakes.length, 2);
		}));

	test(`${name}: a call that meets a forgotten session is carried out once`, () =>
		withServer(options, async (server, connect) => {
			server.hold = 5000;
			const client = connect();
			await client.call("/x", { n: 1 });
			server.forgetSessions();
			assert.equal((await client.call("/x", { n: 2 })).n, 2);
			assert.deepEqual(server.calls.map((c) => c.data.n), [1, 2]);
		}));

	test(`${name}: calls made while offline wait for the connection`, () =>
		withServer(options, async (server, connect) => {
			const client = connect();
			await reached(client, "connected");
			server.sockets = false;
			server.httpStatus = 503;
			server.cut();
			await reached(client, "offline");
			const answer = client.call("/x", { n: 1 }, { timeout: 5000 });
			server.sockets = true;
			server.httpStatus = 0;
			assert.equal((await answer).n, 1);
		}));

	test(`${name}: a position that is gone is told to the owner`, () =>
		withServer(options, async (server, connect) => {
			const client = connect();
			const seen = collector();
			let resets = 0;
			await client.subscribe("/a", { ...seen.listener, onReset: () => resets++ }).ready;
			server.emit("/a", { n: 1 });
			await seen.until(1);
			server.oldest = 5;
			server.forgetSessions();
			await reached(client, "offline");
			await reached(client, "connected");
			assert.equal(resets, 1);
			server.emit("/a", { n: 2 });
			await seen.until(2);
		}));

	test(`${name}: without a position the owner is told after each reconnect, with one never`, () =>
		withServer(options, async (server, connect) => {
			for (const [tells, expected] of [[false, 1], [true, 0]]) {
				server.tellsStart = tells;
				const client = connect();
				let resets = 0;
				await client.subscribe("/quiet", { onMessage() {}, onReset: () => resets++ }).ready;
				server.forgetSessions();
				await reached(client, "offline");
				await reached(client, "connected");
				assert.equal(resets, expected, `server tells the start: ${tells}`);
				client.close();
			}
		}));

	test(`${name}: a refused subscription fails alone`, () =>
		withServer(options, async (server, connect) => {
			server.forbidden.add("/secret");
			const client = connect();
			let told;
			const refused = client.subscribe("/secret", { onMessage() {}, onError: (error) => (told = error) });
			await assert.rejects(refused.ready, { code: "403" });
			assert.equal(told.code, "403");
			const seen = collector();
			await client.subscribe("/a", seen.listener).ready;
			server.emit("/a", { n: 1 });
			await seen.until(1);
			server.forgetSessions();
			server.emit("/a", { n: 2 });
			await seen.until(2);
			assert.equal(server.subscribes.filter((m) => m.subscription === "/secret").length, 1);
		}));

	test(`${name}: unsubscribes with the last listener only`, () =>
		withServer(options, async (server, connect) => {
			const client = connect();
			const first = collector();
			const second = collector();
			const a = client.subscribe("/a", first.listener);
			const b = client.subscribe("/a", second.listener);
			await Promise.all([a.ready, b.ready]);
			assert.equal(server.subscribes.length, 1);
			a.off();
			a.off();
			server.emit("/a", { n: 1 });
			await second.until(1);
			assert.deepEqual(first.got, []);
			b.off();
			await client.call("/sync", {});
			server.emit("/a", { n: 2 });
			await client.call("/sync", {});
			assert.deepEqual(second.got, [1]);
		}));

	test(`${name}: says goodbye when it closes`, () =>
		withServer(options, async (server, connect) => {
			const client = connect();
			await reached(client, "connected");
			client.close();
			while (server.goodbyes === 0) await new Promise((resolve) => setImmediate(resolve));
			await assert.rejects(client.call("/x", {}), { code: "closed" });
			client.open();
			assert.equal((await client.call("/x", { n: 1 })).n, 1);
		}));

	test(`${name}: a refused handshake stops it`, () =>
		withServer(options, async (server, connect) => {
			server.denied = true;
			const client = connect();
			await reached(client, "refused");
			await assert.rejects(client.call("/x", {}), { code: "refused" });
			assert.equal(server.handshakes.length, 1);
			server.denied = false;
			client.open();
			await reached(client, "connected");
		}));

	test(`${name}: suspended, it keeps what waits and comes back`, () =>
		withServer(options, async (server, connect) => {
			const client = connect();
			const seen = collector();
			await client.subscribe("/a", seen.listener).ready;
			server.emit("/a", { n: 1 });
			await seen.until(1);
			client.suspend();
			const answer = client.call("/x", { n: 5 }, { timeout: 5000 });
			server.emit("/a", { n: 2 });
			client.open();
			assert.equal((await answer).n, 5);
			await seen.until(2);
			assert.deepEqual(seen.got, [1, 2]);
		}));
}

test("falls back to long-polling where sockets don't work, and returns to them", () =>
	withServer({}, async (server, connect) => {
		server.sockets = false;
		const client = connect();
		const seen = collector();
		await client.subscribe("/a", seen.listener).ready;
		assert.equal(server.openSockets, 0);
		server.emit("/a", { n: 1 });
		await seen.until(1);
		server.sockets = true;
		while (server.openSockets === 0) await once(client, "state");
		await reached(client, "connected");
		server.emit("/a", { n: 2 });
		await seen.until(2);
		assert.equal(server.openSockets, 1);
		assert.deepEqual(seen.got, [1, 2]);
	}));

test("falls back to long-polling where sockets open but carry nothing", () =>
	withServer({ timeout: 100 }, async (server, connect) => {
		server.mute = true;
		const client = connect({ socketRetry: 60_000 });
		assert.equal((await client.call("/x", { n: 1 }, { timeout: 5000 })).n, 1);
	}));

test("over HTTP data comes in order, with connects only", () =>
	withServer({ WebSocket: null }, async (server, connect) => {
		const client = connect();
		const seen = collector();
		await client.subscribe("/a", seen.listener).ready;
		assert.equal(server.handshakes[0].ext.ack, true);
		for (let n = 1; n <= 200; n++) {
			server.emit("/a", { n });
			if (n % 5 === 0) client.call("/x", {}).catch(() => {}); // still under way at the end
			if (n % 7 === 0) await new Promise(setImmediate);
		}
		await seen.until(200);
		assert.deepEqual(seen.got, Array.from({ length: 200 }, (_, i) => i + 1));
		const numbers = server.acks.filter((ack) => ack !== undefined);
		assert.deepEqual(numbers, [...numbers.keys()], "each batch is acknowledged");
	}));

test("a server without acknowledgements will do", () =>
	withServer({ WebSocket: null }, async (server, connect) => {
		server.knowsAck = false;
		const seen = collector();
		await connect().subscribe("/a", seen.listener).ready;
		server.emit("/a", { n: 1 });
		await seen.until(1);
		assert.ok(server.acks.every((ack) => ack === undefined));
	}));

test("a socket that went dead unseen is found out when woken", () =>
	withServer({ timeout: 150 }, async (server, connect) => {
		server.hold = 60_000;
		const client = connect();
		const seen = collector();
		await client.subscribe("/a", seen.listener).ready;
		server.emit("/a", { n: 1 });
		await seen.until(1);
		server.mute = true;
		server.emit("/a", { n: 2 });
		client.wake();
		await reached(client, "offline");
		server.mute = false;
		await seen.until(2);
	}));

test("a network that says it is gone ends the session at once, and nothing is lost", () =>
	withServer({}, async (server, connect) => {
		server.hold = 60_000;
		const client = connect();
		const seen = collector();
		await client.subscribe("/a", seen.listener).ready;
		server.emit("/a", { n: 1 });
		await seen.until(1);
		client.networkLost();
		await reached(client, "offline");
		server.emit("/a", { n: 2 });
		await seen.until(2);
		client.close();
		client.networkLost();
		assert.equal(client.state, "closed");
		assert.deepEqual(seen.got, [1, 2]);
	}));

test("a probe after a sleep tells that the connection is alive", () =>
	withServer({}, async (server, connect) => {
		server.hold = 60_000;
		const client = connect();
		await reached(client, "connected");
		await client.call("/x", {});
		const alive = once(client, "alive");
		client.wake();
		await alive;
		assert.equal(server.handshakes.length, 1);
	}));

test("a call without an answer times out", () =>
	withServer({}, async (server, connect) => {
		server.onCall = () => undefined;
		await assert.rejects(connect().call("/x", {}, { timeout: 50 }), { code: "timeout" });
	}));

test("messages waiting for a connection are bounded", () =>
	withServer({}, async (server, connect) => {
		server.denied = false;
		server.sockets = false;
		server.httpStatus = 503;
		const client = connect();
		const waiting = Array.from({ length: 1000 }, () => client.publish("/a", {}).catch((error) => error.code));
		await assert.rejects(client.publish("/a", {}), { code: "limited" });
		client.close();
		assert.deepEqual(new Set(await Promise.all(waiting)), new Set(["closed"]));
	}));

test("one listener's mistake does not keep the message from the others", () =>
	withServer({}, async (server, connect) => {
		const client = connect();
		const faults = [];
		process.setUncaughtExceptionCaptureCallback((error) => faults.push(error.message));
		const seen = collector();
		client.subscribe("/a", {
			onMessage() {
				throw new Error("mine");
			},
		});
		await client.subscribe("/a", seen.listener).ready;
		server.emit("/a", { n: 1 });
		await seen.until(1);
		await client.call("/sync", {});
		process.setUncaughtExceptionCaptureCallback(null);
		assert.deepEqual(faults, ["mine"]);
	}));

test("strange messages from the server are survived", () =>
	withServer({}, async (server, connect) => {
		const client = connect();
		const seen = collector();
		await client.subscribe("/a", seen.listener).ready;
		server.emit("/a", JSON.parse('{"n": 1, "__proto__": {"polluted": true}}'));
		await seen.until(1);
		assert.equal({}.polluted, undefined);
		server.onCall = () => ({ channel: 7, id: {}, advice: "none" });
		await client.call("/x", {});
		server.emit("/a", { n: 2 });
		await seen.until(2);
	}));
