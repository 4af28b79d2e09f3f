// What a server behind nginx and HAProxy knows of its clients.

import assert from 'node:assert/strict';
import https from 'node:https';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { Server } from './harness.js';
import { Proxied, proxies } from './proxied.js';

const hello = JSON.stringify([{ id: '1', channel: '/meta/handshake', version: '1.0', supportedConnectionTypes: ['long-polling'] }]);

// post sends from an address of this machine.
function post(url, body, { from, headers = {} } = {}) {
  return new Promise((resolve, reject) => {
    const options = { method: 'POST', localAddress: from, rejectUnauthorized: false, headers: { 'Content-Type': 'application/json', ...headers } };
    const request = https.request(url, options, async response => {
      let text = '';
      for await (const part of response.setEncoding('utf8')) text += part;
      resolve({ status: response.statusCode, headers: response.headers, text });
    });
    request.on('error', reject).end(body);
  });
}

for (const kind of proxies) {
  describe(`behind ${kind}`, { concurrency: 1 }, () => {
    let server;
    let front;

    beforeEach(async () => {
      server = await Server.start({ program: 'tuned', args: ['-proxy', '127.0.0.1/32', '-sessions-per-address', '1'] });
      front = await Proxied.start(kind, server);
    });

    afterEach(async () => {
      await front.close();
      await server.close();
    });

    test('an address is the client\'s, whatever it says', async () => {
      const first = await post(front.url, hello, { from: '127.0.0.2' });
      assert.equal(first.status, 200, first.text);
      assert.match(first.headers['set-cookie'][0], /; Secure/);
      const forged = await post(front.url, hello, { from: '127.0.0.2', headers: { 'X-Forwarded-For': '203.0.113.5' } });
      assert.equal(forged.status, 503, forged.text);
      const other = await post(front.url, hello, { from: '127.0.0.3', headers: { 'X-Forwarded-For': '127.0.0.2' } });
      assert.equal(other.status, 200, other.text);
    });
  });
}
