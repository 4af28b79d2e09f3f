// Pages of other origins, as Chromium treats them.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { Browser, header } from './browser.js';
import { publish, Server } from './harness.js';

const data = tab => tab.messages.items.map(m => m.data);
const outcomes = tab => tab.network.items.map(r => `${r.method} ${r.status}`);

describe('in Chromium', { concurrency: 3 }, () => {
  let browser;

  before(async () => { browser = await Browser.start(); });
  after(() => browser.close());

  for (const name of ['cometd3', 'cometd5', 'cometd7', 'cometd9']) {
    describe(name, { concurrency: 1 }, () => {
      let server;
      let profile;

      beforeEach(async () => {
        server = undefined;
        profile = await browser.profile();
      });

      afterEach(async () => {
        await profile.close();
        await server?.close();
      });

      const open = (transport, origin = browser.origin) => profile.open(server, name, { origin, transport, channels: ['/a'] });

      const converse = async tab => {
        const hello = await tab.run('handshake');
        assert.equal(hello.successful, true, JSON.stringify(hello));
        await tab.subscribed.count(1);
        await tab.run('publish', '/a', 0, 1, 2);
        await publish(server.url, '/a', 3);
        await tab.messages.count(4);
        assert.deepEqual(data(tab), [0, 1, 2, 3]);
        assert.equal(tab.handshakes.items.length, 1);
      };

      const sent = async tab => (await tab.requests('POST', 4)).map(r => header(r.headers, 'cookie')?.split('=')[0]);

      for (const transport of ['long-polling', 'websocket']) {
        test(`an origin that is allowed on ${transport}`, async () => {
          server = await Server.start({ program: 'tuned', args: ['-origins', `https://portal.example,${browser.origin}`] });
          const tab = await open(transport);
          await converse(tab);
          if (transport === 'websocket') {
            await tab.requests('WebSocket', 1);
            assert.deepEqual(outcomes(tab), ['WebSocket 101']);
            return;
          }
          const cookies = await sent(tab);
          assert.ok(outcomes(tab).includes('OPTIONS 200'), outcomes(tab).join());
          assert.deepEqual(cookies, [undefined, ...Array(cookies.length - 1).fill('BAYEUX_BROWSER')]);
        });

        test(`an origin that is not allowed on ${transport}`, async () => {
          server = await Server.start({ program: 'tuned', args: ['-origins', 'https://portal.example'] });
          const tab = await open(transport);
          const hello = await tab.run('handshake');
          assert.equal(hello.successful, false, JSON.stringify(hello));
          // No request of the protocol got as far as to the server's answer.
          const expected = transport === 'websocket' ? 'WebSocket 403' : 'OPTIONS 403';
          await tab.network.until(items => items.length > 0, 'refusal');
          assert.deepEqual([...new Set(outcomes(tab))], [expected]);
          assert.deepEqual(await profile.cookies(), []);
        });
      }

      test('a page of another site has the cookie if it is partitioned', async () => {
        const { port } = new URL(browser.origin);
        const origin = `http://localhost:${port}`;
        server = await Server.start({ program: 'tuned', args: ['-origins', origin, '-partitioned'] });
        const tab = await open('long-polling', origin);
        await converse(tab);
        const cookies = await sent(tab);
        assert.deepEqual(cookies, [undefined, ...Array(cookies.length - 1).fill('BAYEUX_BROWSER')]);
        const [cookie] = await profile.cookies();
        assert.deepEqual([cookie.httpOnly, cookie.secure, cookie.sameSite], [true, true, 'None']);
      });
    });
  }

  test('the handshake by JSONP that Faye tries is refused', async () => {
    const profile = await browser.profile();
    const server = await Server.start({ program: 'tuned', args: ['-origins', browser.origin] });
    try {
      const tab = await profile.open(server, 'faye', { origin: browser.origin, transport: 'long-polling' });
      void tab.run('subscribe', '/a').catch(() => {}); // never comes to an end
      await tab.network.count(2);
      assert.deepEqual([...new Set(outcomes(tab))], ['GET 403']);
      assert.deepEqual(await profile.cookies(), []);
    } finally {
      await profile.close();
      await server.close();
    }
  });

  test('what needs no leave of CORS is refused too', async () => {
    const profile = await browser.profile();
    const server = await Server.start();
    try {
      const tab = await profile.open(server, 'cometd9', { origin: browser.origin, transport: 'long-polling' });
      await tab.page.evaluate(async url => {
        const body = JSON.stringify([{ id: '1', channel: '/meta/handshake', version: '1.0', supportedConnectionTypes: ['long-polling'] }]);
        await fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include', body });
        await fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include', body: new URLSearchParams({ message: body }) });
        await fetch(`${url}?message=${encodeURIComponent(body)}&jsonp=done`, { mode: 'no-cors', credentials: 'include' });
      }, server.url);
      await tab.network.count(3);
      assert.deepEqual(outcomes(tab), ['POST 403', 'POST 403', 'GET 403']);
      assert.deepEqual(await profile.cookies(), []);
    } finally {
      await profile.close();
      await server.close();
    }
  });
});
