// Makes old clients in Node or in a page of Chromium.

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CometD } from "cometd";
import { adapt } from "cometd-nodejs-client";
import { OldClient } from "./old-client.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const cometdFolder = join(here, "..", "node_modules", "cometd");

/** What the portal tells a signed-in user's page. */
export async function contextOf(portal, user) {
  const cookie = await signIn(portal, user);
  const res = await fetch(`${portal.url}/portal/rest/webconferencing/context`, { headers: { cookie } });
  if (res.status !== 200) throw new Error(`context of ${user}: ${res.status} ${await res.text()}`);
  return { cookie, context: await res.json() };
}

/** Signs in without a browser and returns the cookie. */
export async function signIn(portal, user, password = "demo") {
  const res = await fetch(`${portal.url}/login`, {
    method: "POST",
    redirect: "manual",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ username: user, password }),
  });
  if (res.status !== 303) throw new Error(`sign-in of ${user}: ${res.status}`);
  return res.headers.get("set-cookie").split(";")[0];
}

/** A maker of clients that run in this process; only the token signs them in. */
export function nodeClients(t, portal, transport) {
  adapt();
  console.debug = () => {}; // the adapter turns it on
  window.XMLHttpRequest = requestOfContext(window.XMLHttpRequest.UNSENT);
  return async function make(user, clientId, overrides = {}) {
    const { context } = await contextOf(portal, user);
    const client = new OldClient(CometD, {
      url: portal.url + context.cometdPath,
      user,
      token: context.cometdToken,
      clientId,
      transport,
      ...overrides,
    });
    const polling = client.cometd.findTransport("long-polling");
    if (polling) polling.context = ownRequests();
    t.after(() => client.disconnect());
    return client;
  };
}

/** The adapter's requests with cookies of their own, as each browser has them. */
function ownRequests() {
  const shared = { XMLHttpRequest: window.XMLHttpRequest, WebSocket: window.WebSocket };
  adapt();
  const { XMLHttpRequest } = window;
  Object.assign(window, shared);
  console.debug = () => {};
  return XMLHttpRequest;
}

/** A request that becomes one of the class that a transport has as context. */
function requestOfContext(UNSENT) {
  return class {
    static UNSENT = UNSENT;
    constructor() {
      let request;
      return new Proxy(this, {
        set(_, name, value) {
          if (name === "context") request = new value();
          else request[name] = value;
          return true;
        },
        get: (_, name) => (typeof request[name] === "function" ? request[name].bind(request) : request[name]),
      });
    }
  };
}

/** A maker of clients that run in pages, one page each. */
export function pageClients(t, portal, browser, transport, Device) {
  return async function make(user, clientId, overrides = {}) {
    const device = await Device.signIn(t, browser, portal, user);
    // A document of the portal under its policy, without the portal's client.
    await device.context.route("**/e2e/**", (route) => route.fulfill(asset(new URL(route.request().url()))));
    const page = await device.open("/portal/static/portal.css");
    await page.evaluate(
      async ([who, overrides]) => {
        const [{ CometD }, { OldClient }] = await Promise.all([import("/e2e/cometd/cometd.js"), import("/e2e/old-client.mjs")]);
        const context = await (await fetch("/portal/rest/webconferencing/context")).json();
        window.oldClient = new OldClient(CometD, { url: location.origin + context.cometdPath, token: context.cometdToken, ...who, ...overrides });
      },
      [{ user, clientId, transport }, overrides],
    );
    return new Proxy({}, {
      get: (_, method) =>
        method === "then" ? undefined : (...args) => page.evaluate(([method, args]) => window.oldClient[method](...args), [method, args]),
    });
  };
}

function asset({ pathname: path }) {
  const file = path.startsWith("/e2e/cometd/") ? join(cometdFolder, path.slice("/e2e/cometd/".length)) : join(here, path.slice("/e2e/".length));
  return { contentType: "text/javascript", body: readFileSync(file, "utf8") };
}
