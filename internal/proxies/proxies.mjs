// For tests: nginx and HAProxy in front of a server, set up by the very files of
// examples/proxies, of which only the addresses and the certificate change.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import tls from "node:tls";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const examples = fileURLToPath(new URL("../../examples/proxies/", import.meta.url));
const run = promisify(execFile);

/** Those that examples/proxies sets up. */
export const kinds = ["nginx", "haproxy"];

/** One running proxy. Its origin has a certificate that nobody knows. */
export class Proxy {
  #process;
  #folder;
  #command;
  #port;

  /**
   * Starts one of a kind in front of an upstream, "127.0.0.1:8080": one of kinds,
   * or "untold", an nginx that nobody told anything but where that is.
   */
  static async start(kind, upstream) {
    const proxy = new Proxy();
    proxy.#folder = await mkdtemp(join(tmpdir(), "proxy-"));
    try {
      await proxy.#begin(kind, upstream);
    } catch (error) {
      await proxy.close();
      throw error;
    }
    return proxy;
  }

  async #begin(kind, upstream) {
    await makeCertificate(this.#folder);
    this.#port = await freePort();
    this.origin = `https://127.0.0.1:${this.#port}`;
    this.#command = await builders[kind](this.#folder, this.#port, upstream);
    await this.#run();
  }

  async #run() {
    const { program, args } = this.#command;
    const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };
    this.#process = spawn(program, args, { env, stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    this.#process.stderr.on("data", (text) => (said += text));
    const ended = new Promise((_, reject) => {
      this.#process.on("error", reject);
      this.#process.on("exit", () => reject(new Error(`${program} ended: ${said}`)));
    });
    ended.catch(() => {}); // it ends with the test, too
    await Promise.race([ended, listens(this.#port)]);
  }

  /** Makes a new certificate and has the proxy take it while it goes on. */
  async reload() {
    const old = await servedCertificate(this.#port);
    await makeCertificate(this.#folder);
    this.#process.kill(this.#command.reload);
    for (const end = Date.now() + 15_000; (await servedCertificate(this.#port)) === old; ) {
      if (Date.now() > end) throw new Error("the proxy goes on with its old certificate");
      await pause(50);
    }
  }

  /** Ends the proxy with all its connections, and starts it again after a while. */
  async restart(meanwhile) {
    await this.#stop();
    await meanwhile();
    await this.#run();
  }

  async close() {
    await this.#stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #stop() {
    const p = this.#process;
    if (p?.pid && p.exitCode === null && p.signalCode === null) {
      p.kill("SIGTERM");
      await once(p, "exit");
    }
  }
}

// Each writes the files of a kind of proxy into a folder and returns its command,
// and the signal that has it read the files again.
const builders = {
  async nginx(folder, port, upstream) {
    const site = await example("nginx.conf", {
      "server 127.0.0.1:8080;": `server ${upstream};`,
      "listen 443 ssl": `listen 127.0.0.1:${port} ssl`,
      "/etc/ssl/portal.crt": join(folder, "cert.pem"),
      "/etc/ssl/portal.key": join(folder, "key.pem"),
    });
    return nginxWith(folder, site);
  },

  async untold(folder, port, upstream) {
    return nginxWith(folder, `server {
      listen 127.0.0.1:${port} ssl http2;
      ssl_certificate ${folder}/cert.pem;
      ssl_certificate_key ${folder}/key.pem;
      location / { proxy_pass http://${upstream}; }
    }`);
  },

  async haproxy(folder, port, upstream) {
    const file = join(folder, "haproxy.cfg");
    const config = await example("haproxy.cfg", {
      "server portal 127.0.0.1:8080": `server portal ${upstream}`,
      "bind :443": `bind 127.0.0.1:${port}`,
      "/etc/ssl/portal.pem": join(folder, "both.pem"),
    });
    await writeFile(file, config);
    return { program: "haproxy", args: ["-W", "-db", "-f", file], reload: "SIGUSR2" };
  },
};

async function nginxWith(folder, site) {
  await writeFile(join(folder, "site.conf"), site);
  const folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder}/${name};`);
  const around = `pid ${folder}/pid; daemon off; error_log stderr error; events {}
    http { access_log off; ${folders.join(" ")} include site.conf; }`;
  await writeFile(join(folder, "nginx.conf"), around);
  return { program: "nginx", args: ["-p", folder, "-c", "nginx.conf", "-e", "stderr"], reload: "SIGHUP" };
}

/** Reads a file of examples/proxies with other values, each of which must be in it. */
async function example(name, values) {
  let text = await readFile(join(examples, name), "utf8");
  for (const [old, value] of Object.entries(values)) {
    if (!text.includes(old)) throw new Error(`${name} has no ${old}`);
    text = text.replaceAll(old, value);
  }
  return text;
}

async function makeCertificate(folder) {
  const { stdout } = await run("go", ["env", "GOROOT"]);
  const program = join(stdout.trim(), "src/crypto/tls/generate_cert.go");
  await run("go", ["run", program, "-host", "127.0.0.1", "-ecdsa-curve", "P256"], { cwd: folder });
  const read = (name) => readFile(join(folder, name), "utf8");
  await writeFile(join(folder, "both.pem"), (await read("cert.pem")) + (await read("key.pem")), { mode: 0o600 });
}

async function servedCertificate(port) {
  const socket = tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Waits until a port takes connections. */
async function listens(port) {
  for (const end = Date.now() + 15_000; Date.now() < end; ) {
    const socket = net.connect(port, "127.0.0.1");
    const connected = await once(socket, "connect").then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (connected) return;
    await pause(50);
  }
  throw new Error("the proxy does not listen");
}
