// @ts-check
/**
 * The module's web components. Importing this file defines them; they show
 * something once {@link connectElements} was called. Those for administrators
 * are in admin.js.
 */
import { connectElements } from "./base-element.js";
import { CallBar } from "./call-bar.js";
import { CallButton } from "./call-button.js";
import { CallHistory } from "./call-history.js";
import { CallView } from "./call-view.js";
import { IncomingCallCards } from "./incoming-call.js";
import { MissedCount } from "./missed-count.js";
import { Notices } from "./notices.js";
import { RingToneChoice } from "./ring-tone.js";
import { UserAccounts } from "./user-accounts.js";

for (const [name, type] of /** @type {const} */ ([
	["wc-call-bar", CallBar],
	["wc-call-button", CallButton],
	["wc-call-history", CallHistory],
	["wc-call-view", CallView],
	["wc-incoming-call", IncomingCallCards],
	["wc-missed-count", MissedCount],
	["wc-notices", Notices],
	["wc-ring-tone", RingToneChoice],
	["wc-user-accounts", UserAccounts],
])) {
	if (!customElements.get(name)) customElements.define(name, type);
}

export { CallBar, CallButton, CallHistory, CallView, IncomingCallCards, MissedCount, Notices, RingToneChoice, UserAccounts, connectElements };
