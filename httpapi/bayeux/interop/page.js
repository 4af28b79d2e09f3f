// What runs in the page: it loads a client's browser build as a page does, and
// tells the test, by window.record, what the client sees.

const script = url => new Promise((resolve, reject) => {
  const element = document.createElement('script');
  Object.assign(element, { src: url, onload: resolve, onerror: () => reject(new Error(`${url} did not load`)) });
  document.head.append(element);
});

const plain = value => JSON.parse(JSON.stringify(value));

const reply = start => new Promise(resolve => start(message => resolve(plain(message))));

// Versions up to 7 are scripts that fill org.cometd, each extension in a file
// of its own; 9 is a module.
async function loadCometD(name) {
  const at = file => new URL(`clients/${name}/${file}.js`, import.meta.url).href;
  if (name === 'cometd9') return import(at('cometd'));
  await script(at('cometd'));
  for (const kind of ['Ack', 'Reload', 'TimeSync', 'Binary']) await script(at(`${kind}Extension`));
  return window.org.cometd;
}

class CometDPage {
  #client;
  #extensions = {};

  constructor(library, { url, transport, extensions = [], channels = [] }) {
    this.#client = new library.CometD();
    for (const type of this.#client.getTransportTypes()) if (transport && type !== transport) this.#client.unregisterTransport(type);
    for (const name of extensions) {
      this.#extensions[name] = new library[`${name}Extension`]();
      this.#client.registerExtension(name, this.#extensions[name]);
    }
    this.#client.configure({ url, logLevel: 'error', backoffIncrement: 200, maxBackoff: 500 });
    if (extensions.includes('Reload')) addEventListener('pagehide', () => this.#client.reload());
    this.#client.addListener('/meta/connect', message => window.record('connect', plain(message)));
    this.#client.addListener('/meta/handshake', message => {
      window.record('handshake', plain(message));
      if (message.successful) for (const channel of channels) this.subscribe(channel);
    });
  }

  handshake() { return reply(done => this.#client.handshake(done)); }

  subscribe(channel) {
    const take = ({ channel, data }) => {
      // A page that is being left may not get through to the test any more.
      sessionStorage.taken = `${sessionStorage.taken ?? ''}${JSON.stringify(data)},`;
      window.record('message', { channel, data: data?.data instanceof Object ? binary(data) : data });
    };
    return reply(done => this.#client.subscribe(channel, take, message => {
      window.record('subscribed', plain(message));
      done(message);
    }));
  }

  publish(channel, ...data) {
    return Promise.all(data.map(d => reply(done => this.#client.publish(channel, d, done))));
  }

  publishBinary(channel, bytes, meta) {
    return reply(done => this.#client.publishBinary(channel, Uint8Array.from(bytes), true, meta, done));
  }

  call(target, data) { return reply(done => this.#client.remoteCall(target, data, 5000, done)); }

  // taken is the data of all messages, also of those before a reload.
  taken() { return JSON.parse(`[${sessionStorage.taken.slice(0, -1)}]`); }

  state() {
    const time = this.#extensions.TimeSync;
    const transport = this.#client.getTransport();
    return {
      id: this.#client.getClientId(), transport: transport?.getType?.() ?? transport?.type, status: this.#client.getStatus(),
      offset: time?.getTimeOffset(), lag: time?.getNetworkLag()
    };
  }

  disconnect() { return reply(done => this.#client.disconnect(done)); }
}

// Old versions give an ArrayBuffer, new ones a view of it.
const binary = ({ data, last, meta }) => ({ data: [...new Uint8Array(data.buffer ?? data)], last, meta });

class FayePage {
  #client;

  constructor({ Client }, { url, transport }) {
    this.#client = new Client(url, { timeout: 10, retry: 1 });
    if (transport === 'long-polling') this.#client.disable('websocket');
  }

  async subscribe(channel) { await this.#client.subscribe(channel).withChannel((from, data) => window.record('message', { channel: from, data })); }

  async publish(channel, ...data) { for (const d of data) await this.#client.publish(channel, d); }

  disconnect() { this.#client.disconnect(); }
}

// start makes a client; the test calls its methods.
export async function start(name, options) {
  if (name !== 'faye') {
    window.driven = new CometDPage(await loadCometD(name), options);
    return;
  }
  await script(new URL('clients/faye/client/faye-browser-min.js', import.meta.url).href);
  window.driven = new FayePage(window.Faye, options);
}
