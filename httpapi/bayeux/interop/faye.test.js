// npm faye on both transports.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import faye from 'faye';
import { Inbox, pause, publish, Server } from './harness.js';

describe('in Node', { concurrency: 2 }, () => {
  for (const transport of ['long-polling', 'websocket']) {
    describe(`faye ${transport}`, { concurrency: 1 }, () => {
      let server;
      let clients;

      beforeEach(async () => {
        server = await Server.start();
        clients = [];
      });

      afterEach(async () => {
        for (const client of clients) client.disconnect();
        await pause(100);
        await server.close();
      });

      const create = () => {
        const client = new faye.Client(server.url, { timeout: 10, retry: 1 });
        if (transport === 'long-polling') client.disable('websocket');
        clients.push(client);
        return client;
      };

      test('conversation', async () => {
        const client = create();
        const inbox = new Inbox();
        await client.subscribe('/chat/*', inbox.put);
        for (let i = 0; i < 10; i++) await client.publish('/chat/a', { i });
        await inbox.count(10);
        assert.deepEqual(inbox.items.map(d => d.i), [...Array(10).keys()]);
        await publish(server.url, '/chat/b', 'from elsewhere');
        await inbox.count(11);
        client.unsubscribe('/chat/*');
        await pause(200);
        await publish(server.url, '/chat/b', 'too late');
        await pause(200);
        assert.equal(inbox.items.length, 11);
      });

      test('several channels and clients', async () => {
        const [a, b] = [create(), create()];
        const [atA, atB] = [new Inbox(), new Inbox()];
        // Faye answers an array with an array of subscriptions.
        await Promise.all(a.subscribe(['/x', '/y'], atA.put));
        await b.subscribe('/**', atB.put);
        await Promise.all([a.publish('/x', 1), b.publish('/y', 2), a.publish('/z', 3)]);
        await atA.count(2);
        await atB.count(3);
        assert.deepEqual([...atA.items].sort(), [1, 2]);
        assert.deepEqual([...atB.items].sort(), [1, 2, 3]);
      });

      test('refusals reach the application', async () => {
        const client = create();
        await assert.rejects(Promise.resolve(client.subscribe('/service', () => {})), error => error.code === 403);
      });

      test('connects follow each other', async () => {
        const client = create();
        const inbox = new Inbox();
        await client.subscribe('/a', inbox.put);
        await pause(12_000); // more than two holds
        await publish(server.url, '/a', 1);
        await inbox.count(1);
      });

      test('a short cut keeps messages', async () => {
        const client = create();
        const inbox = new Inbox();
        await client.subscribe('/a', inbox.put);
        await pause(200);
        server.cut();
        await pause(300);
        server.mend();
        await publish(server.url, '/a', 'missed');
        await inbox.count(1);
      });

      test('a server restart subscribes again', async () => {
        const client = create();
        const inbox = new Inbox();
        await client.subscribe('/a', inbox.put);
        await pause(200);
        await server.restart();
        for (let i = 0; i < 60 && inbox.items.length === 0; i++) {
          await publish(server.url, '/a', i);
          await pause(250);
        }
        assert.ok(inbox.items.length > 0, 'nothing came after the restart');
      });
    });
  }
});
