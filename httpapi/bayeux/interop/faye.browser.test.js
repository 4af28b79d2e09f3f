// npm faye's browser build on both transports in Chromium.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { Browser, header } from './browser.js';
import { pause, publish, Server } from './harness.js';

const data = tab => tab.messages.items.map(m => m.data);

describe('in Chromium', { concurrency: 2 }, () => {
  let browser;

  before(async () => { browser = await Browser.start(); });
  after(() => browser.close());

  for (const transport of ['long-polling', 'websocket']) {
    describe(`faye ${transport}`, { concurrency: 1 }, () => {
      let server;
      let profile;

      beforeEach(async () => {
        server = await Server.start();
        profile = await browser.profile();
      });

      afterEach(async () => {
        await profile.close();
        await server.close();
      });

      const open = async channel => {
        const tab = await profile.open(server, 'faye', { transport });
        await tab.run('subscribe', channel);
        // Faye begins by HTTP and changes over when its socket is open.
        if (transport === 'websocket') await tab.requests('WebSocket', 1);
        return tab;
      };

      const sockets = tab => tab.network.items.filter(r => r.method === 'WebSocket');

      test('conversation', async () => {
        const tab = await open('/chat/*');
        await tab.run('publish', '/chat/a', ...[0, 1, 2, 3, 4].map(i => ({ i })));
        await publish(server.url, '/chat/b', 'from elsewhere');
        await tab.messages.count(6);
        assert.deepEqual(data(tab), [...[0, 1, 2, 3, 4].map(i => ({ i })), 'from elsewhere']);
        assert.equal(tab.messages.items[5].channel, '/chat/b');
        const posts = await tab.requests('POST', transport === 'websocket' ? 1 : 8);
        assert.ok(posts.every(r => r.status === 200), JSON.stringify(posts));
        if (transport === 'websocket') assert.deepEqual([posts.length <= 2, sockets(tab).length], [true, 1]);
        else assert.deepEqual(sockets(tab), []);
        await tab.run('disconnect');
        await pause(200);
        await publish(server.url, '/chat/b', 'too late');
        await pause(200);
        assert.equal(tab.messages.items.length, 6);
      });

      test('a short cut keeps messages', async () => {
        const tab = await open('/a');
        const [{ value }] = await profile.cookies();
        server.cut();
        await pause(100);
        await publish(server.direct, '/a', 1, 2, 3);
        server.mend();
        await tab.messages.count(3);
        assert.deepEqual(data(tab), [1, 2, 3]);
        if (transport === 'websocket') await tab.requests('WebSocket', 2);
        // The first socket is opened before the handshake brings the cookie.
        const cookies = sockets(tab).map(r => header(r.headers, 'cookie'));
        assert.deepEqual(cookies, transport === 'websocket' ? [undefined, `BAYEUX_BROWSER=${value}`] : []);
      });

      test('a server restart subscribes again', async () => {
        const tab = await open('/a');
        await server.restart();
        for (let i = 0; i < 60 && tab.messages.items.length === 0; i++) {
          await publish(server.url, '/a', i);
          await pause(250);
        }
        assert.ok(tab.messages.items.length > 0, 'nothing came after the restart');
      });
    });
  }
});
