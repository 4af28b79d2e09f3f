/**
 * Chromium with the example portal, and pages of our own in it.
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";
import { Portal } from "./portal.mjs";

/** No inline script, no inline style, no markup from text. */
export const strictPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; media-src 'self' blob:; require-trusted-types-for 'script'; trusted-types 'none'";
/** For connectors whose jQuery makes elements of text. */
export const classicPolicy = "default-src 'self'; script-src 'self'; img-src 'self' data:";

/** A browser and a portal for all tests of a file. */
export class Stage {
	#files = new Map();

	async open() {
		this.portal = await new Portal().build();
		this.browser = await chromium.launch({
			executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
			args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream=fps=5", "--allow-loopback-in-peer-connection", "--disable-features=LocalNetworkAccessChecks"],
		});
		return this;
	}

	async close() {
		await this.browser?.close();
		await this.portal?.stop();
	}

	/** Serves text at a path of the portal. */
	serve(path, body, type = "text/html", headers = {}) {
		this.#files.set(path, { body, contentType: `${type}; charset=utf-8`, headers });
	}

	async serveFile(path, file) {
		this.serve(path, await readFile(file, "utf8"), "text/javascript");
	}

	/** A person's browser, signed in; faults collects what no page may report. */
	async person(user, options = {}) {
		const context = await this.browser.newContext({ baseURL: this.portal.url, ...options });
		const answer = await context.request.post("/login", { form: { username: user, password: "demo" }, headers: { origin: this.portal.url } });
		if (!answer.ok()) throw new Error(`signing in failed with ${answer.status()}`);
		const faults = [];
		await context.exposeBinding("reportFault", (_source, text) => faults.push(text));
		await context.addInitScript(() => {
			document.addEventListener("securitypolicyviolation", (e) => window.reportFault(`${e.effectiveDirective} blocked ${e.blockedURI} ${e.sample} at ${e.sourceFile}:${e.lineNumber}`));
		});
		context.on("weberror", (e) => faults.push(`uncaught: ${e.error().stack ?? e.error()}`));
		if (process.env.E2E_VERBOSE) context.on("console", (m) => console.log(`[${user}] ${m.text()}`));
		for (const [path, file] of this.#files) await context.route((url) => url.pathname === path, (route) => route.fulfill(file));
		return { context, faults };
	}
}

export const jqueryFile = () => createRequire(import.meta.url).resolve("jquery/dist/jquery.js");

/** Waits until a function returns something true inside of a page. */
export function holds(page, check, arg, timeout = 15_000) {
	return page.waitForFunction(check, arg, { timeout, polling: 50 });
}

/** Puts the started client where tests find it, connected. */
export async function client(page) {
	await page.evaluate(async () => {
		const { started } = await import("/webconferencing/index.js");
		const { wc, calls } = await started;
		Object.assign(window, { wc, calls });
		await new Promise((resolve) => {
			const look = () => wc.connection === "connected" && resolve();
			wc.events.addEventListener("connection", look);
			look();
		});
	});
}

/** A page with the kit and nothing else. */
export function kitPage(user, { lang = "en", body = "", scripts = ["/webconferencing/index.js"] } = {}) {
	const tags = scripts.map((src) => `<script ${src.endsWith("index.js") ? 'type="module" ' : ""}src="${src}"></script>`).join("");
	return `<!doctype html><html lang="${lang}"><head><meta charset="utf-8"><title>Test</title><link rel="icon" href="data:,"><script type="application/json" id="webconferencing">{"user": "${user}"}</script>${tags}</head><body>${body}</body></html>`;
}
