// What the tests share: the server as a process of its own, and a proxy in
// front of it that can cut every connection.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { createInterface } from 'node:readline';

const programs = { example: process.env.BAYEUX_SERVER, tuned: process.env.BAYEUX_TUNED_SERVER };
if (!programs.example || !programs.tuned) throw new Error('BAYEUX_SERVER and BAYEUX_TUNED_SERVER must name the server programs; see run.sh');

export class Server {
  #program;
  #args;
  #process;
  #port = 0;
  #proxy;
  #pairs = new Set();
  #open = true;

  constructor(program, args) {
    this.#program = programs[program];
    this.#args = args;
  }

  // start runs examples/bayeux, or tuned, with further flags.
  static async start({ program = 'example', args = [] } = {}) {
    const server = new Server(program, args);
    await server.#spawn();
    server.#proxy = net.createServer(client => server.#join(client));
    server.#proxy.listen(0, '127.0.0.1');
    await once(server.#proxy, 'listening');
    return server;
  }

  get origin() { return `http://127.0.0.1:${this.#proxy.address().port}`; }

  get url() { return `${this.origin}/cometd`; }

  // direct goes around the proxy, so that it works while that is cut.
  get direct() { return `http://127.0.0.1:${this.#port}/cometd`; }

  async #spawn() {
    const args = ['-addr', `127.0.0.1:${this.#port}`, '-timeout', '5s', '-max-interval', '5s', ...this.#args];
    this.#process = spawn(this.#program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    for await (const line of createInterface(this.#process.stderr)) {
      const found = line.match(/url=http:\/\/127\.0\.0\.1:(\d+)\//);
      if (found) {
        this.#port = Number(found[1]);
        break;
      }
    }
    if (!this.#port) throw new Error('the server did not start');
    this.#process.stderr?.resume();
  }

  #join(client) {
    if (!this.#open) return client.destroy();
    const upstream = net.connect(this.#port, '127.0.0.1');
    const pair = [client, upstream];
    this.#pairs.add(pair);
    const end = () => {
      pair.forEach(socket => socket.destroy());
      this.#pairs.delete(pair);
    };
    for (const [from, to] of [[client, upstream], [upstream, client]]) {
      from.on('error', end).on('close', end);
      from.pipe(to);
    }
  }

  // cut drops all connections and refuses new ones until mend.
  cut() {
    this.#open = false;
    for (const pair of this.#pairs) pair.forEach(socket => socket.resetAndDestroy());
  }

  mend() { this.#open = true; }

  async stop(signal = 'SIGINT') {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill(signal);
    await once(this.#process, 'exit');
    this.#port = 0; // another server may get it
  }

  // restart ends the server hard and starts another behind the same address.
  async restart() {
    await this.stop('SIGKILL');
    await this.#spawn();
  }

  async close() {
    await this.stop();
    this.cut();
    this.#proxy.close();
  }
}

// Inbox collects what comes and lets a test wait for it.
export class Inbox {
  items = [];
  #waiting = [];

  put = item => {
    this.items.push(item);
    this.#waiting = this.#waiting.filter(check => !check());
  };

  // until waits until the condition holds for the items.
  until(condition, what, limit = 15_000) {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (!condition(this.items)) return false;
        clearTimeout(timer);
        resolve(this.items);
        return true;
      };
      const timer = setTimeout(() => reject(new Error(`no ${what} in time; got ${JSON.stringify(this.items)}`)), limit);
      if (!check()) this.#waiting.push(check);
    });
  }

  count(n) { return this.until(items => items.length >= n, `${n} items`); }
}

// call turns a function with a callback into a promise.
export const call = f => new Promise(resolve => f(resolve));

export const pause = ms => new Promise(done => setTimeout(done, ms));

// Sender is a client that only publishes, by bare HTTP.
export class Sender {
  #url;
  #headers = {};
  #client;

  static async open(url) {
    const sender = new Sender();
    sender.#url = url;
    const [[hello], [cookie]] = await sender.#post([{ id: 'h', channel: '/meta/handshake', version: '1.0', supportedConnectionTypes: ['long-polling'] }]);
    sender.#client = hello.clientId;
    sender.#headers = { Cookie: cookie.split(';')[0] };
    return sender;
  }

  async #post(messages) {
    const response = await fetch(this.#url, {
      method: 'POST', headers: { 'Content-Type': 'application/json', ...this.#headers }, body: JSON.stringify(messages), signal: AbortSignal.timeout(30_000)
    });
    if (!response.ok) throw new Error(`status ${response.status}`);
    return [await response.json(), response.headers.getSetCookie()];
  }

  async #send(messages) {
    const [replies] = await this.#post(messages.map(m => ({ ...m, clientId: this.#client })));
    const failed = replies.find(m => !m.successful);
    if (failed) throw new Error(JSON.stringify(failed));
  }

  publish(channel, ...data) { return this.#send(data.map((d, i) => ({ id: String(i), channel, data: d }))); }

  close() { return this.#send([{ id: 'd', channel: '/meta/disconnect' }]); }
}

// publish sends messages as a client of its own.
export async function publish(url, channel, ...data) {
  const sender = await Sender.open(url);
  await sender.publish(channel, ...data);
  await sender.close();
}
