// Chromium, and pages in it that use the clients' browser builds. The pages are
// of the Bayeux server's origin, with nothing between the two but the proxy of
// bytes; only the scripts come from elsewhere, as from a network that delivers
// them for many sites.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { Inbox } from './harness.js';

const here = dirname(fileURLToPath(import.meta.url));

// Browser is one Chromium and the server of the scripts.
export class Browser {
  #chromium;
  #web;

  static async start() {
    const browser = new Browser();
    browser.#chromium = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
    });
    browser.#web = createServer((request, response) => browser.#serve(request, response));
    browser.#web.listen(0, '127.0.0.1');
    await once(browser.#web, 'listening');
    return browser;
  }

  // origin is that of the scripts, which is foreign to the Bayeux server.
  get origin() { return `http://127.0.0.1:${this.#web.address().port}`; }

  async #serve(request, response) {
    const path = new URL(request.url, this.origin).pathname;
    const script = path.match(/^\/clients\/((?:cometd\d|faye\/client)\/[\w-]+\.js)$/);
    const file = path === '/page.js' ? join(here, 'page.js') : script && join(here, 'node_modules', script[1]);
    if (!file) {
      response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>empty</title>');
      return;
    }
    response.writeHead(200, { 'Content-Type': 'text/javascript', 'Access-Control-Allow-Origin': '*' }).end(await readFile(file));
  }

  // profile is a browser with cookies of its own.
  async profile(options) { return new Profile(this, await this.#chromium.newContext(options)); }

  async close() {
    await this.#chromium.close();
    this.#web.closeAllConnections();
    this.#web.close();
  }
}

class Profile {
  #browser;

  constructor(browser, context) {
    this.#browser = browser;
    this.context = context;
  }

  // open makes a tab at a page of an origin, by default the server's, and in it
  // a client.
  async open(server, client, { origin = server.origin, ...options } = {}) {
    const tab = new Tab(await this.context.newPage(), this.#browser.origin, client, { url: server.url, ...options });
    await tab.begin(origin);
    return tab;
  }

  cookies() { return this.context.cookies(); }

  close() { return this.context.close(); }
}

class Tab {
  #scripts;
  #start;
  #seen = { message: new Inbox(), handshake: new Inbox(), connect: new Inbox(), subscribed: new Inbox() };

  // network has what the page sent to the Bayeux server and what came of it,
  // which a page itself is not told.
  network = new Inbox();

  constructor(page, scripts, client, options) {
    this.page = page;
    this.#scripts = scripts;
    this.#start = [client, options];
  }

  get messages() { return this.#seen.message; }
  get handshakes() { return this.#seen.handshake; }
  get connects() { return this.#seen.connect; }
  get subscribed() { return this.#seen.subscribed; }

  async begin(origin) {
    await this.page.exposeFunction('record', (kind, value) => this.#seen[kind].put(value));
    await this.#watch(this.#start[1].url);
    // The Bayeux server has no page without a client; one that is not found is
    // of its origin too.
    await this.page.goto(`${origin}/none`);
    await this.#load();
  }

  #load() {
    return this.page.evaluate(async ([module, start]) => (await import(module)).start(...start), [`${this.#scripts}/page.js`, this.#start]);
  }

  async #watch(bayeux) {
    const session = await this.page.context().newCDPSession(this.page);
    const requests = new Map();
    const note = (id, values) => {
      if (!requests.has(id)) requests.set(id, {});
      const request = Object.assign(requests.get(id), values);
      // The events of a request come in any order.
      if (request.noted || !request.headers || !request.status || !request.url?.startsWith(bayeux)) return;
      request.noted = true;
      this.network.put(request);
    };
    session.on('Network.requestWillBeSent', ({ requestId, request: { url, method } }) => note(requestId, { url, method }));
    session.on('Network.requestWillBeSentExtraInfo', ({ requestId, headers }) => note(requestId, { headers }));
    session.on('Network.responseReceivedExtraInfo', ({ requestId, statusCode, headers }) => note(requestId, { status: statusCode, answer: headers }));
    session.on('Network.webSocketCreated', ({ requestId, url }) => note(requestId, { url: url.replace('ws', 'http'), method: 'WebSocket' }));
    session.on('Network.webSocketWillSendHandshakeRequest', ({ requestId, request: { headers } }) => note(requestId, { headers }));
    session.on('Network.webSocketHandshakeResponseReceived', ({ requestId, response: { status, headers } }) => note(requestId, { status, answer: headers }));
    session.on('Network.webSocketFrameError', ({ requestId, errorMessage }) => {
      const refused = errorMessage.match(/response code: (\d+)/);
      if (refused) note(requestId, { status: Number(refused[1]) });
    });
    await session.send('Network.enable');
  }

  // requests waits until so many of a method have been answered, and returns all
  // of that method. What the page knows may be ahead of what the test is told.
  async requests(method, count) {
    const these = () => this.network.items.filter(r => r.method === method);
    await this.network.until(() => these().length >= count, `${count} requests by ${method}`);
    return these();
  }

  // run calls a method of the client in the page.
  run(method, ...args) {
    return this.page.evaluate(([method, args]) => window.driven[method](...args), [method, args]);
  }

  // reload loads the page anew, and in it the client.
  async reload() {
    await this.page.reload();
    await this.#load();
  }

  close() { return this.page.close(); }
}

// header finds one by its name in small letters.
export const header = (headers, name) => Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
