// A server as it is seen through a proxy.

import { kinds, Proxy } from '../../../internal/proxies/proxies.mjs';

export const proxies = kinds;

export class Proxied {
  #proxy;
  #server;

  static async start(kind, server) {
    const proxied = new Proxied();
    proxied.#server = server;
    proxied.#proxy = await Proxy.start(kind, new URL(server.origin).host);
    return proxied;
  }

  get origin() { return this.#proxy.origin; }

  get url() { return `${this.origin}/cometd`; }

  // direct goes around the proxy.
  get direct() { return this.#server.direct; }

  reload() { return this.#proxy.reload(); }

  restart(meanwhile) { return this.#proxy.restart(meanwhile); }

  close() { return this.#proxy.close(); }
}
