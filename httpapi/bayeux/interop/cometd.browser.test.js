// npm cometd's browser builds, four generations, on both transports in
// Chromium.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { Browser, header } from './browser.js';
import { pause, publish, Server } from './harness.js';

const numbers = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);
const data = tab => tab.messages.items.map(m => m.data);
const firsts = tab => [...new Set(data(tab))];

describe('in Chromium', { concurrency: 4 }, () => {
  let browser;

  before(async () => { browser = await Browser.start(); });
  after(() => browser.close());

  for (const name of ['cometd3', 'cometd5', 'cometd7', 'cometd9']) {
    for (const transport of ['long-polling', 'websocket']) {
      describe(`${name} ${transport}`, { concurrency: 1 }, () => {
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

        const open = async (...extensions) => {
          const tab = await profile.open(server, name, { transport, extensions, channels: ['/a'] });
          const hello = await tab.run('handshake');
          assert.equal(hello.successful, true, JSON.stringify(hello));
          await tab.subscribed.count(1);
          return tab;
        };

        test('conversation', async () => {
          server = await Server.start();
          const tab = await open();
          assert.equal((await tab.run('state')).transport, transport);
          const replies = await tab.run('publish', '/a', ...numbers(0, 20));
          assert.ok(replies.every(r => r.successful), JSON.stringify(replies));
          await publish(server.url, '/a', { text: 'héllo \u2028', n: 1e21 });
          await tab.messages.count(21);
          assert.deepEqual(data(tab), [...numbers(0, 20), { text: 'héllo \u2028', n: 1e21 }]);
          for (const value of [{ q: [1, 2] }, 'text', 0, false, []]) {
            const result = await tab.run('call', 'echo', value);
            assert.equal(result.successful, true);
            assert.deepEqual(result.data, value);
          }
          assert.equal((await tab.run('call', 'nobody', {})).error, '404::service_unknown');
          assert.equal((await tab.run('subscribe', '/service')).error, '403:denied_by_security_policy:subscribe_denied');
          assert.equal((await tab.run('disconnect')).successful, true);
          await publish(server.url, '/a', 'too late');
          assert.equal((await tab.run('state')).status, 'disconnected');
          assert.equal(tab.messages.items.length, 21);
        });

        test('cut connections lose nothing', async () => {
          server = await Server.start();
          const tab = await open('Ack');
          const { id } = await tab.run('state');
          for (let start = 0; start < 60; start += 30) {
            await publish(server.direct, '/a', ...numbers(start, start + 10));
            server.cut();
            await publish(server.direct, '/a', ...numbers(start + 10, start + 20));
            await pause(300);
            server.mend();
            await publish(server.direct, '/a', ...numbers(start + 20, start + 30));
            await tab.messages.until(() => firsts(tab).length >= start + 30, 'complete round');
          }
          assert.deepEqual(firsts(tab), numbers(0, 60));
          assert.equal((await tab.run('state')).id, id);
          assert.equal(tab.handshakes.items.length, 1);
        });

        test('a server restart makes a new session', async () => {
          server = await Server.start();
          const tab = await open('Ack');
          const { id } = await tab.run('state');
          await server.restart();
          await tab.subscribed.count(2);
          assert.notEqual((await tab.run('state')).id, id);
          await publish(server.url, '/a', ...numbers(0, 10));
          await tab.messages.count(10);
          assert.deepEqual(data(tab), numbers(0, 10));
        });

        test('a page reload keeps the session and loses nothing', async () => {
          server = await Server.start({ args: ['-max-interval', '20s'] });
          const tab = await open('Ack', 'Reload');
          const { id } = await tab.run('state');
          let sent = 0;
          let going = true;
          const stream = (async () => {
            while (going) {
              await publish(server.direct, '/a', sent);
              sent++;
              await pause(10);
            }
          })();
          for (let round = 1; round <= 2; round++) {
            await tab.messages.until(() => firsts(tab).length >= round * 10, 'messages before the reload');
            await tab.reload();
            const hello = await tab.run('handshake');
            assert.equal(hello.ext.reload, true, JSON.stringify(hello));
            await tab.subscribed.count(1 + round);
          }
          going = false;
          await stream;
          await publish(server.direct, '/a', sent);
          await tab.messages.until(items => items.some(m => m.data === sent), 'last message');
          assert.deepEqual([...new Set(await tab.run('taken'))], numbers(0, sent + 1));
          const state = await tab.run('state');
          assert.deepEqual([state.id, state.transport], [id, transport]);
        });

        test('clocks are compared', async () => {
          server = await Server.start({ args: ['-timeout', '300ms'] });
          const tab = await open('TimeSync');
          await tab.connects.count(3);
          assert.ok(tab.connects.items.every(m => m.successful), JSON.stringify(tab.connects.items));
          // Later replies have it only while the client's idea is a bad one.
          const { ts } = tab.handshakes.items[0].ext.timesync;
          assert.ok(Math.abs(ts - Date.now()) < 30_000, `server time ${ts}`);
          const { offset, lag } = await tab.run('state');
          // The two clocks are one, so only the way there and back counts.
          assert.ok(lag >= 0 && lag < 5000, `lag ${lag}`);
          assert.ok(Math.abs(offset) <= lag + 20, `offset ${offset}, lag ${lag}`);
        });

        test('binary data', async () => {
          server = await Server.start();
          // At once, each would get a cookie, and the browser keeps only one.
          const sender = await open('Binary');
          const receiver = await open('Binary');
          const bytes = numbers(0, 259).map(n => n & 255);
          const answer = await sender.run('publishBinary', '/a', bytes, { name: 'x' });
          assert.equal(answer.successful, true, JSON.stringify(answer));
          await receiver.messages.count(1);
          assert.deepEqual(receiver.messages.items[0].data, { data: bytes, last: true, meta: { name: 'x' } });
        });

        if (transport === 'websocket') {
          test('no cookie', async () => {
            server = await Server.start();
            const tab = await open();
            assert.deepEqual(await profile.cookies(), []);
            const [{ status, answer }] = await tab.requests('WebSocket', 1);
            assert.deepEqual([status, header(answer, 'set-cookie')], [101, undefined]);
          });
          return;
        }

        test('the browser cookie', async () => {
          server = await Server.start();
          const tab = await open();
          const [cookie, ...others] = await profile.cookies();
          assert.deepEqual(others, []);
          assert.equal(cookie.name, 'BAYEUX_BROWSER');
          assert.deepEqual([cookie.httpOnly, cookie.sameSite, cookie.expires], [true, 'Lax', -1]);
          assert.equal(await tab.page.evaluate(() => document.cookie), '');
          await tab.run('publish', '/a', 1);
          const posts = await tab.requests('POST', 4);
          const sent = posts.map(r => header(r.headers, 'cookie'));
          const expected = `BAYEUX_BROWSER=${cookie.value}`;
          assert.deepEqual(sent, [undefined, ...Array(sent.length - 1).fill(expected)]);
          // Without it the session is out of reach, and a new one is made.
          const { id } = await tab.run('state');
          await profile.context.clearCookies();
          await publish(server.url, '/a', 'wakes the connect');
          await tab.subscribed.count(2);
          assert.notEqual((await tab.run('state')).id, id);
        });

        test('two tabs of one browser', async () => {
          server = await Server.start({ args: ['-max-connects', '1', '-timeout', '2s'] });
          const first = await open();
          await first.connects.count(1);
          const second = await open();
          const advised = m => m.advice?.['multiple-clients'] === true;
          const [crowded, other] = await Promise.any([[first, second], [second, first]].map(async pair => {
            await pair[0].connects.until(items => items.some(advised), 'advice');
            return pair;
          }));
          const [connect] = crowded.connects.items.filter(advised);
          assert.deepEqual([connect.successful, connect.advice.reconnect, connect.advice.interval], [true, 'retry', 2000]);
          await publish(server.url, '/a', 'to both');
          await Promise.all([first.messages.count(1), second.messages.count(1)]);
          // The tab that is left alone is held again.
          await other.close();
          const told = crowded.connects.items.length;
          await crowded.connects.until(items => items.slice(told).some(m => m.successful && !advised(m)), 'held connect');
        });
      });
    }
  }
});
