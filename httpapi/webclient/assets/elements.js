// @ts-check
/**
 * The module's web components. Importing this file defines them; they show
 * something once {@link connectElements} was called.
 */
import { connectElements } from "./base-element.js";
import { CallButton } from "./call-button.js";
import { CallView } from "./call-view.js";
import { IncomingCallCards } from "./incoming-call.js";
import { Notices } from "./notices.js";

for (const [name, type] of /** @type {const} */ ([
	["wc-call-button", CallButton],
	["wc-incoming-call", IncomingCallCards],
	["wc-call-view", CallView],
	["wc-notices", Notices],
])) {
	if (!customElements.get(name)) customElements.define(name, type);
}

export { CallButton, CallView, IncomingCallCards, Notices, connectElements };
