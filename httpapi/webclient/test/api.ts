/** Uses the public types as a host would; compiled only. */
import { start, started, type Call, type Provider, type WebConferencing } from "../assets/index.js";
import { createCalls } from "../assets/calls.js";
import { createWebConferencing } from "../assets/webconferencing.js";
import { createProvider } from "../../../connector/webrtc/assets/connector.js";

const provider: Provider = {
	getType: () => "link",
	getSupportedTypes: () => ["link"],
	getTitle: () => "Link",
	callButton: async (context) => {
		const button = document.createElement("button");
		button.textContent = (await context.details()).title;
		return button;
	},
};

export async function example(): Promise<void> {
	const { wc, calls, close } = await start({ user: "mary", connectors: [] });
	wc.addProvider(provider);
	wc.addProvider(createProvider(wc));
	const events = wc.onUserUpdate("mary", (event) => console.log(event.eventType, event.callId));
	await events.ready;
	const call: Call = await wc.addCall("p/john-mary", { owner: "mary", ownerType: "user", provider: "link", participants: ["mary", "john"], start: true });
	await wc.updateUserCall(call.id, "joined");
	await calls.hangUp();
	events.off();
	close();
	(await started)?.close();
}

export function parts(): WebConferencing {
	const wc: WebConferencing = createWebConferencing({ user: "mary" });
	createCalls(wc).open();
	return wc;
}
