// @ts-check
/**
 * Starts everything on a page:
 *
 *     <script type="application/json" id="webconferencing">{"user": "mary"}</script>
 *     <script type="module" src="/webconferencing/index.js"></script>
 *
 * The configuration has the members of WebConferencingOptions (types.d.ts) and
 * `connectors`, see there. Elements of the module may stand anywhere in the
 * page; the cards of incoming calls and the call view are added if they don't.
 */
import { createCalls } from "./calls.js";
import { connectElements } from "./elements.js";
import { createLinkProvider } from "./link-provider.js";
import { createWebConferencing } from "./webconferencing.js";

export { createCalls, connectElements, createWebConferencing };

/**
 * @typedef {import("./types.js").StartOptions} StartOptions
 * @typedef {import("./types.js").Started} Started
 */

/**
 * Starts the client, its connectors and the elements of this page.
 *
 * @param {StartOptions} options
 * @returns {Promise<Started>}
 */
export async function start({ connectors, ...options }) {
	const wc = createWebConferencing(options);
	wc.loadStyle(new URL("client.css", wc.getAssetsUrl()).href);
	await wc.init();
	const calls = createCalls(wc);
	connectElements({ wc, calls });
	for (const name of ["wc-notices", "wc-incoming-call", "wc-call-view"]) {
		if (!document.querySelector(name)) document.body.append(document.createElement(name));
	}
	// Who adds providers by hand does it now, before running calls are looked for.
	document.dispatchEvent(new CustomEvent("webconferencing-start", { detail: wc }));
	addLinks(wc, connectors);
	await Promise.all(modulesOf(wc, connectors).map((url) => addConnector(wc, url)));
	calls.open();
	return {
		wc,
		calls,
		close() {
			connectElements(null);
			calls.close();
			wc.close();
		},
	};
}

/**
 * Addresses of the connector modules that the page needs: all but those whose
 * providers the page has added itself.
 *
 * @param {import("./types.js").WebConferencing} wc
 * @param {string[]} [connectors]
 */
function modulesOf(wc, connectors) {
	const configs = wc.getContext().providersConfig ?? [];
	const paths = connectors ?? configs.filter((c) => c.active && !wc.findProvider(c.type)).map((c) => c.module);
	return paths.filter((path) => path !== undefined && path !== null).map((path) => new URL(path, wc.getAssetsUrl()).href);
}

/**
 * Adds the providers that have no module: their calls are links.
 *
 * @param {import("./types.js").WebConferencing} wc
 * @param {string[]} [connectors] given, the page brings its own
 */
function addLinks(wc, connectors) {
	if (connectors) return;
	for (const config of wc.getContext().providersConfig ?? []) {
		if (config.active && !config.module && !wc.findProvider(config.type)) wc.addProvider(createLinkProvider(config));
	}
}

/**
 * @param {import("./types.js").WebConferencing} wc
 * @param {string} url
 */
async function addConnector(wc, url) {
	try {
		const { createProvider } = await import(url);
		wc.addProvider(createProvider(wc));
	} catch (error) {
		// One connector that does not load must not take the others with it.
		wc.getLog().error(`The connector ${url} could not be loaded`, error);
	}
}

/** The page's client, if it has a configuration. */
export const started = startFromPage();

/** @returns {Promise<Started | null>} */
async function startFromPage() {
	const config = document.getElementById("webconferencing");
	if (!(config instanceof HTMLScriptElement) || config.type !== "application/json") return null;
	try {
		return await start(JSON.parse(config.textContent || "{}"));
	} catch (error) {
		console.error("web conferencing did not start", error);
		return null;
	}
}
