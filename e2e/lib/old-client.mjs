// A client as it was written for the Java server: npm cometd, a token in the
// messages, remote calls. It runs in Node and, unchanged, in a page.

const userChannel = (user) => `/eXo/Application/WebConferencing/user/${user}`;
const callChannel = (id) => `/eXo/Application/WebConferencing/call/${id}`;

export class OldClient {
  /**
   * @param {new () => import("cometd").CometD} CometD
   * @param {{url: string, user: string, token: string, clientId: string, transport: string}} who
   */
  constructor(CometD, who) {
    this.who = who;
    /** Data of the messages on the user channel, in order. */
    this.events = [];
    /** Data of the messages on call channels, in order. */
    this.callData = [];
    this.cometd = new CometD();
    const others = ["websocket", "long-polling", "callback-polling"].filter((type) => type !== who.transport);
    for (const type of others) this.cometd.unregisterTransport(type);
    this.cometd.configure({ url: who.url, logLevel: "warn", useWorkerScheduler: false, autoBatch: false, maxNetworkDelay: 20000 });
    this.subscriptions = new Map();
    // A new session knows nothing of the old one's subscriptions.
    this.cometd.addListener("/meta/handshake", (m) => {
      if (!m.successful) return;
      for (const [channel, handle] of this.subscriptions) this.subscriptions.set(channel, this.cometd.resubscribe(handle, this.#props));
    });
  }

  /** The fields that an old client puts beside the channel. */
  get #props() {
    return { exoId: this.who.user, exoToken: this.who.token, exoClientId: this.who.clientId, exoContainerName: "portal" };
  }

  handshake() {
    return new Promise((resolve) => {
      this.cometd.handshake({ exoId: this.who.user, exoToken: this.who.token }, (m) => {
        resolve(plain(m));
        if (!m.successful) this.cometd.disconnect();
      });
    });
  }

  /** Handshake and the own user channel, as a page does at its start. */
  async start() {
    const m = await this.handshake();
    if (!m.successful) throw new Error(`handshake of ${this.who.user}: ${m.error}`);
    const s = await this.subscribeUser(this.who.user);
    if (!s.successful) throw new Error(`user channel of ${this.who.user}: ${s.error}`);
    return { transport: this.cometd.getTransport().type };
  }

  #subscribe(channel, sink) {
    return new Promise((resolve) => {
      const handle = this.cometd.subscribe(channel, (m) => sink.push(parsed(m.data)), this.#props, (m) => resolve(plain(m)));
      this.subscriptions.set(channel, handle);
    });
  }

  subscribeUser(user) {
    return this.#subscribe(userChannel(user), this.events);
  }

  subscribeCall(id) {
    return this.#subscribe(callChannel(id), this.callData);
  }

  subscribeTo(channel) {
    return this.#subscribe(channel, this.callData);
  }

  unsubscribeCall(id) {
    return new Promise((resolve) => {
      this.cometd.unsubscribe(this.subscriptions.get(callChannel(id)), this.#props, (m) => resolve(plain(m)));
      this.subscriptions.delete(callChannel(id));
    });
  }

  /** Publishes on a call channel; the token is in the data, as old clients do. */
  publishCall(id, data) {
    return this.publishTo(callChannel(id), { ...data, ...this.#props });
  }

  publishTo(channel, data) {
    return new Promise((resolve) => this.cometd.publish(channel, data, this.#props, (m) => resolve(plain(m))));
  }

  /** A remote call; overrides replace the arguments that name the caller. */
  remote(target, args, overrides = {}) {
    return new Promise((resolve) => {
      this.cometd.remoteCall(target, { ...this.#props, ...args, ...overrides }, 15000, this.#props, (m) => {
        resolve({ successful: m.successful, data: parsed(m.data), error: m.error });
      });
    });
  }

  calls(args, overrides) {
    return this.remote("/webconferencing/calls", args, overrides);
  }

  log(args) {
    return this.remote("/webconferencing/logs", args);
  }

  seenEvents() {
    return this.events;
  }

  seenCallData() {
    return this.callData;
  }

  disconnect() {
    if (this.cometd.isDisconnected()) return undefined;
    return new Promise((resolve) => {
      const late = setTimeout(resolve, 3000);
      this.cometd.disconnect({}, () => {
        clearTimeout(late);
        resolve();
      });
    });
  }
}

// What leaves a page must be plain data.
const plain = (m) => JSON.parse(JSON.stringify({ successful: m.successful, error: m.error, data: m.data, ext: m.ext, advice: m.advice, channel: m.channel }));

// Old clients take events as objects or as JSON text.
const parsed = (data) => (typeof data === "string" ? JSON.parse(data) : data);
