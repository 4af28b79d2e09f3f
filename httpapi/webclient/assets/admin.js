// @ts-check
/**
 * The web components for administrators, apart from the others so that other
 * people's pages do not load them:
 *
 *     <script type="module" src="/webconferencing/admin.js"></script>
 *
 *     <wc-admin-providers></wc-admin-providers>
 *     <wc-live-calls></wc-live-calls>
 *     <wc-call-timeline></wc-call-timeline>
 *     <wc-space-providers group="product_team" label="Product Team"></wc-space-providers>
 *
 * The last one, which managers of a group may use too, chooses for the whole
 * portal if no group is given. The page's client must have been started, see index.js.
 */
import { AdminProviders } from "./admin-providers.js";
import { CallTimeline } from "./call-timeline.js";
import { LiveCalls } from "./live-calls.js";
import { SpaceProviders } from "./space-providers.js";

for (const [name, type] of /** @type {const} */ ([
	["wc-admin-providers", AdminProviders],
	["wc-call-timeline", CallTimeline],
	["wc-live-calls", LiveCalls],
	["wc-space-providers", SpaceProviders],
])) {
	if (!customElements.get(name)) customElements.define(name, type);
}

export { AdminProviders, CallTimeline, LiveCalls, SpaceProviders };
