// Starts, stops and kills the real portal.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
export const root = join(here, "..", "..");

/** The portal's binary: run.sh names the one that it built, else we build it. */
export function portalBinary() {
  if (process.env.PORTAL_BIN) return process.env.PORTAL_BIN;
  const out = join(here, "..", ".build", "portal");
  execFileSync("go", ["build", "-o", out, "./examples/portal"], { cwd: root, stdio: "inherit" });
  return out;
}

/** A folder that is gone after the test. */
export function tempFolder(t) {
  const dir = mkdtempSync(join(tmpdir(), "portal-e2e-"));
  t?.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Runs the binary with arguments; the result tells how it went. */
export function runPortal(args) {
  const child = spawn(portalBinary(), args, { stdio: ["ignore", "pipe", "pipe"] });
  const run = { child, stdout: "", stderr: "", code: undefined, signal: undefined };
  child.stdout.setEncoding("utf8").on("data", (s) => (run.stdout += s));
  child.stderr.setEncoding("utf8").on("data", (s) => (run.stderr += s));
  run.exited = new Promise((resolve) => {
    child.on("close", (code, signal) => {
      run.code = code;
      run.signal = signal;
      resolve(run);
    });
  });
  return run;
}

export class Portal {
  /** @param {{data: string, ring?: string, addr?: string, level?: string, jitsi?: string, link?: string, proxy?: string}} options */
  constructor(options) {
    this.options = options;
    this.addr = options.addr ?? "127.0.0.1:0";
    this.log = "";
  }

  /** Starts the process and returns when it answers. */
  async start() {
    const args = ["-addr", this.addr, "-data", this.options.data, "-log-level", this.options.level ?? "debug"];
    if (this.options.ring) args.push("-ring", this.options.ring);
    if (this.options.jitsi) args.push("-jitsi", this.options.jitsi);
    if (this.options.link) args.push("-link", this.options.link);
    if (this.options.proxy) args.push("-proxy", this.options.proxy);
    this.run = runPortal(args);
    const url = await this.#printedURL(this.run);
    this.url = url;
    this.addr = new URL(url).host; // the next start gets the same port
    return this;
  }

  async #printedURL(run) {
    const deadline = Date.now() + 15_000;
    for (;;) {
      const m = run.stdout.match(/http:\/\/[^\s/]+/);
      if (m) return m[0];
      if (run.code !== undefined) throw new Error(`the portal ended with code ${run.code}: ${run.stderr}`);
      if (Date.now() > deadline) throw new Error(`the portal printed no URL: ${run.stderr}`);
      await sleep(20);
    }
  }

  /** Ends the process as an operator would; returns the exit code. */
  async stop(signal = "SIGTERM") {
    if (!this.run) return undefined;
    const run = this.run;
    if (run.code === undefined && run.signal === undefined) run.child.kill(signal);
    await run.exited;
    this.log += run.stderr;
    this.run = undefined;
    return run.code;
  }

  /** Ends the process as a crash would. */
  kill() {
    return this.stop("SIGKILL");
  }

  get stderr() {
    return this.log + (this.run?.stderr ?? "");
  }
}

/** A running portal that ends with the test. */
export async function startPortal(t, options = {}) {
  const portal = new Portal({ data: tempFolder(t), ...options });
  t?.after(() => portal.kill());
  await portal.start();
  return portal;
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Repeats check until it returns something true, and returns that. */
export async function until(what, check, { timeout = 10_000, every = 100 } = {}) {
  const deadline = Date.now() + timeout;
  let last;
  for (;;) {
    try {
      last = await check();
      if (last) return last;
    } catch (err) {
      last = err;
    }
    if (Date.now() > deadline) throw new Error(`not within ${timeout} ms: ${what} (last: ${last instanceof Error ? last.message : JSON.stringify(last)})`);
    await sleep(every);
  }
}
