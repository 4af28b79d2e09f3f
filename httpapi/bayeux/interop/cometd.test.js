// npm cometd, four generations, on both transports.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { adapt } from 'cometd-nodejs-client';
import WebSocket from 'ws';
import { call, Inbox, pause, publish, Server } from './harness.js';

adapt();
globalThis.window.WebSocket = globalThis.WebSocket = WebSocket;
const storage = new Map();
globalThis.window.sessionStorage = {
  getItem: key => storage.get(key) ?? null,
  setItem: (key, value) => storage.set(key, value),
  removeItem: key => storage.delete(key)
};

const require = createRequire(import.meta.url);

async function library(name) {
  const module = await import(name);
  const cometd = module.default ?? module;
  // Before version 8 each extension is a file of its own.
  const extension = kind => cometd[kind] ?? require(`${name}/${kind}.js`);
  return {
    CometD: cometd.CometD, AckExtension: extension('AckExtension'), ReloadExtension: extension('ReloadExtension'),
    TimeSyncExtension: extension('TimeSyncExtension'), BinaryExtension: extension('BinaryExtension')
  };
}

const libraries = new Map();
for (const name of ['cometd3', 'cometd5', 'cometd7', 'cometd9']) libraries.set(name, await library(name));

describe('in Node', { concurrency: 2 }, () => {
  for (const transport of ['long-polling', 'websocket']) {
    // All that run here share the cookies, which belong to one server at a time.
    describe(transport, { concurrency: transport === 'websocket' ? 4 : 1 }, () => {
      for (const [name, lib] of libraries) {
        describe(`${name} ${transport}`, { concurrency: 1 }, () => {
          let server;
          let clients;

          beforeEach(async () => {
            server = await Server.start();
            clients = [];
          });

          afterEach(async () => {
            for (const client of clients) await Promise.race([call(done => client.disconnect(done)), pause(1000)]);
            await server.close();
          });

          // They share the storage of one page as well.
          const options = { name: `${name} ${transport}` };

          const create = (...extensions) => {
            const client = new lib.CometD();
            for (const type of client.getTransportTypes()) if (type !== transport) client.unregisterTransport(type);
            for (const extension of extensions) client.registerExtension(extension, new lib[extension](options));
            client.configure({ url: server.url, logLevel: 'error', backoffIncrement: 200, maxBackoff: 500 });
            clients.push(client);
            return client;
          };

          const connect = async client => {
            const reply = await call(done => client.handshake(done));
            assert.equal(reply.successful, true, JSON.stringify(reply));
            return reply;
          };

          test('conversation', async () => {
            const client = create();
            await connect(client);
            const inbox = new Inbox();
            let subscription;
            const subscribed = await call(done => { subscription = client.subscribe('/chat/*', inbox.put, done); });
            assert.equal(subscribed.successful, true);
            const acknowledged = await call(done => client.publish('/chat/a', { text: 'héllo \u2028', n: 1e21 }, done));
            assert.equal(acknowledged.successful, true);
            await inbox.count(1);
            assert.deepEqual(inbox.items[0].data, { text: 'héllo \u2028', n: 1e21 });
            await publish(server.url, '/chat/b', 'from elsewhere');
            await inbox.count(2);
            assert.equal(inbox.items[1].channel, '/chat/b');
            const unsubscribed = await call(done => client.unsubscribe(subscription, done));
            assert.equal(unsubscribed.successful, true);
            await publish(server.url, '/chat/c', 'too late');
            const left = await call(done => client.disconnect(done));
            assert.equal(left.successful, true);
            assert.equal(inbox.items.length, 2);
          });

          test('remote calls', async () => {
            const client = create();
            await connect(client);
            for (const data of [{ q: [1, 2] }, 'text', 0, false, []]) {
              const result = await call(done => client.remoteCall('echo', data, 5000, done));
              assert.equal(result.successful, true);
              assert.deepEqual(result.data, data);
            }
            const failed = await call(done => client.remoteCall('nobody', {}, 5000, done));
            assert.equal(failed.successful, false);
            assert.equal(failed.error, '404::service_unknown');
          });

          test('batches, also before the handshake has ended', async () => {
            const client = create();
            const inbox = new Inbox();
            const shaken = call(done => client.handshake(done));
            const replies = new Inbox();
            client.batch(() => {
              client.subscribe('/a', inbox.put, replies.put);
              for (let i = 0; i < 20; i++) client.publish('/a', i, replies.put);
            });
            assert.equal((await shaken).successful, true);
            await replies.count(21);
            assert.ok(replies.items.every(r => r.successful));
            await inbox.count(20);
            assert.deepEqual(inbox.items.map(m => m.data), [...Array(20).keys()]);
          });

          test('refusals reach the application', async () => {
            const client = create();
            await connect(client);
            const refused = await call(done => client.subscribe('/service', () => {}, done));
            assert.equal(refused.successful, false);
            assert.equal(refused.error, '403:denied_by_security_policy:subscribe_denied');
            const served = await call(done => client.subscribe('/after', () => {}, done));
            assert.equal(served.successful, true);
          });

          test('held connects', async () => {
            const client = create('TimeSyncExtension');
            const connects = new Inbox();
            client.addListener('/meta/connect', connects.put);
            await connect(client);
            await connects.count(3);
            assert.ok(connects.items.every(m => m.successful), JSON.stringify(connects.items));
          });

          test('binary data', async () => {
            const [sender, receiver] = [create('BinaryExtension'), create('BinaryExtension')];
            await connect(sender);
            await connect(receiver);
            const inbox = new Inbox();
            await call(done => receiver.subscribe('/a', inbox.put, done));
            const bytes = Uint8Array.from({ length: 259 }, (_, i) => i & 255);
            const reply = await call(done => sender.publishBinary('/a', bytes, true, { name: 'x' }, done));
            assert.equal(reply.successful, true, JSON.stringify(reply));
            await inbox.count(1);
            const { data, last, meta } = inbox.items[0].data;
            assert.deepEqual([...new Uint8Array(data.buffer ?? data)], [...bytes]);
            assert.deepEqual([last, meta], [true, { name: 'x' }]);
          });

          test('acknowledged delivery through cut connections', async () => {
            const client = create('AckExtension');
            const hello = await connect(client);
            assert.equal(hello.ext.ack, true);
            const inbox = new Inbox();
            await call(done => client.subscribe('/a', inbox.put, done));
            for (let round = 0; round < 3; round++) {
              await publish(`${server.url}`, '/a', ...Array.from({ length: 10 }, (_, i) => round * 20 + i));
              server.cut();
              await pause(300);
              server.mend();
              await publish(`${server.url}`, '/a', ...Array.from({ length: 10 }, (_, i) => round * 20 + 10 + i));
              await inbox.until(items => new Set(items.map(m => m.data)).size === (round + 1) * 20, 'complete round');
            }
            const firsts = [...new Set(inbox.items.map(m => m.data))];
            assert.deepEqual(firsts, [...Array(60).keys()]);
          });

          test('a short cut keeps the session and its messages', async () => {
            const client = create();
            const shakes = new Inbox();
            client.addListener('/meta/handshake', shakes.put);
            await connect(client);
            const inbox = new Inbox();
            await call(done => client.subscribe('/a', inbox.put, done));
            await pause(200);
            server.cut();
            await pause(500);
            server.mend();
            await publish(server.url, '/a', 'missed');
            await inbox.count(1);
            assert.equal(inbox.items[0].data, 'missed');
            assert.equal(shakes.items.length, 1);
          });

          test('a page reload keeps the session', async () => {
            const before = create('ReloadExtension');
            await connect(before);
            const id = before.getClientId();
            const ready = new Inbox();
            before.addListener('/meta/connect', ready.put);
            await ready.count(1);
            before.reload();
            const after = create('ReloadExtension');
            const hello = await connect(after);
            assert.equal(hello.ext.reload, true);
            assert.equal(after.getClientId(), id);
            const inbox = new Inbox();
            const subscribed = await call(done => after.subscribe('/a', inbox.put, done));
            assert.equal(subscribed.successful, true);
            await publish(server.url, '/a', 1);
            await inbox.count(1);
            clients.shift(); // the page that is gone sends no disconnect
          });

          test('a server restart makes a new handshake', async () => {
            const client = create();
            const shakes = new Inbox();
            const inbox = new Inbox();
            client.addListener('/meta/handshake', m => {
              if (m.successful) client.subscribe('/a', inbox.put, r => r.successful && shakes.put(client.getClientId()));
            });
            client.handshake();
            await shakes.count(1);
            await pause(200);
            await server.restart();
            await shakes.count(2);
            assert.notEqual(shakes.items[0], shakes.items[1]);
            await publish(server.url, '/a', 'after');
            await inbox.until(items => items.some(m => m.data === 'after'), 'message');
          });

          test('a graceful stop and start makes a new handshake', async () => {
            const client = create();
            const shakes = new Inbox();
            client.addListener('/meta/handshake', m => m.successful && shakes.put(client.getClientId()));
            client.handshake();
            await shakes.count(1);
            await pause(200);
            await server.stop();
            await server.restart();
            await shakes.count(2);
          });
        });
      }
    });
  }
});
