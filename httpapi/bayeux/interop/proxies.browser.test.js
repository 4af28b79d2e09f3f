// Browsers that reach the server through nginx and HAProxy: TLS and HTTP/2 up to
// the proxy, a few shared connections behind it.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { Browser } from './browser.js';
import { pause, publish, Sender, Server } from './harness.js';
import { Proxied, proxies } from './proxied.js';

const data = tab => tab.messages.items.map(m => m.data);

describe('in Chromium', { concurrency: 2 }, () => {
  let browser;

  before(async () => { browser = await Browser.start(); });
  after(() => browser.close());

  // Neither Host nor Upgrade nor HTTP/1.1 gets through.
  for (const name of ['cometd3', 'cometd9', 'faye']) {
    test(`${name} gets through a proxy that was told nothing`, async () => {
      const profile = await browser.profile({ ignoreHTTPSErrors: true });
      const server = await Server.start();
      const front = await Proxied.start('untold', server);
      const tab = await profile.open(front, name, { channels: ['/a'] });
      if (name === 'faye') await tab.run('subscribe', '/a');
      else await tab.run('handshake');
      if (name !== 'faye') await tab.subscribed.count(1);
      await tab.run('publish', '/a', 0, 1, 2);
      await publish(front.direct, '/a', 3);
      await tab.messages.count(4);
      assert.deepEqual(data(tab), [0, 1, 2, 3]);
      await profile.close();
      await front.close();
      await server.close();
    });
  }

  for (const kind of proxies) {
    describe(kind, { concurrency: 1 }, () => {
      let server;
      let front;
      let profile;

      const start = async (...args) => {
        server = await Server.start({ program: 'tuned', args: ['-proxy', '127.0.0.1/32', ...args] });
        front = await Proxied.start(kind, server);
      };

      beforeEach(async () => {
        server = front = undefined;
        profile = await browser.profile({ ignoreHTTPSErrors: true });
      });

      afterEach(async () => {
        await profile.close();
        await front?.close();
        await server?.close();
      });

      const begin = async (name, transport, extensions) => {
        const tab = await profile.open(front, name, { transport, extensions, channels: ['/a'] });
        if (name === 'faye') {
          await tab.run('subscribe', '/a');
          return tab;
        }
        const hello = await tab.run('handshake');
        assert.equal(hello.successful, true, JSON.stringify(hello));
        await tab.subscribed.count(1);
        return tab;
      };

      for (const transport of ['long-polling', 'websocket']) {
        for (const name of ['cometd3', 'cometd9', 'faye']) {
          test(`${name} converses on ${transport}`, async () => {
            await start();
            // More than one, which share what the proxy has.
            const tabs = [await begin(name, transport), await begin(name, transport)];
            await tabs[0].run('publish', '/a', 0, 1, 2);
            await publish(front.direct, '/a', 3);
            for (const tab of tabs) {
              await tab.messages.count(4);
              assert.deepEqual(data(tab), [0, 1, 2, 3]);
              if (name !== 'faye') assert.equal(tab.handshakes.items.length, 1);
            }
            if (transport === 'long-polling') {
              const used = await tabs[0].page.evaluate(url => performance.getEntriesByType('resource').filter(e => e.name.startsWith(url)).map(e => e.nextHopProtocol), front.url);
              assert.deepEqual([...new Set(used)], ['h2']);
              const [cookie] = await profile.cookies();
              assert.equal(cookie.secure, true, JSON.stringify(cookie));
            } else if (name !== 'faye') {
              assert.deepEqual(tabs[0].network.items.map(r => r.method), ['WebSocket']);
            }
          });
        }

        test(`a poll or socket outlives quiet times on ${transport}`, async () => {
          await start('-timeout', '20s');
          const tab = await begin('cometd9', transport);
          await pause(8000);
          await publish(front.direct, '/a', 'late');
          await tab.messages.count(1);
          assert.equal(tab.handshakes.items.length, 1);
        });

        test(`the server starts anew on ${transport}`, async () => {
          await start();
          const tab = await begin('cometd9', transport);
          await publish(front.direct, '/a', 'before');
          await tab.messages.count(1);
          await server.restart();
          await tab.subscribed.count(2);
          await publish(front.direct, '/a', 'after');
          await tab.messages.count(2);
          assert.deepEqual(data(tab), ['before', 'after']);
        });

        for (const disturbance of ['reload', 'restart']) {
          test(`nothing is lost by a ${disturbance} of the proxy on ${transport}`, async () => {
            await start();
            const tab = await begin('cometd9', transport, ['Ack']);
            const sender = await Sender.open(front.direct);
            const noticed = () => tab.connects.until(items => items.some(m => !m.successful), 'failed connect');
            const sent = [];
            let disturbed;
            let over = false;
            while (sent.length < 150 || !over) {
              if (sent.length === 50) disturbed = front[disturbance](noticed).finally(() => { over = true; });
              sent.push(sent.length);
              await sender.publish('/a', sent.at(-1));
              await pause(10);
            }
            await disturbed;
            await tab.messages.count(sent.length);
            assert.deepEqual(data(tab), sent);
            assert.equal(tab.handshakes.items.length, 1);
          });
        }

        test(`the server is told of a tab that was closed on ${transport}`, async () => {
          // Were it not told, it would hold the connect, or wait for the ping,
          // for longer than this test waits.
          await start('-timeout', '100s', '-max-interval', '1s', '-sessions-per-address', '1');
          const gone = await begin('cometd9', transport);
          await pause(1000); // so that the connect is held
          await gone.close();
          const next = await profile.open(front, 'cometd9', { transport, channels: ['/a'] });
          await next.run('handshake');
          // The client tries until there is room for its session.
          await next.subscribed.count(1);
        });
      }
    });
  }
});
