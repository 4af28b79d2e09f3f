/** Uses the public types as a host would; compiled only. */
import { start, started, type Call, type Calls, type LegacyPromise, type Problem, type Provider, type WebConferencing } from "../assets/index.js";
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

/** What a history page and an administration need. */
export async function reports(wc: WebConferencing): Promise<string[]> {
	const { entries, next } = await wc.getHistory({ outcome: "missed", limit: 20 });
	const older = next ? await wc.getHistory({ cursor: next }) : undefined;
	await wc.markSeen(entries[0]?.cursor);
	const { calls, users } = await wc.getLiveCalls();
	const { events } = await wc.getTimeline(calls[0].id);
	const why = await wc.explainCall(calls[0].id);
	const form = await wc.getProviderForm("webrtc");
	await wc.saveProviderForm("webrtc", { [form.settings[0].key]: null }, form.revision);
	const choice = await wc.getProviderChoice({ id: "product_team", type: "space" });
	await wc.setProviderChoice(choice.own, { id: "product_team", type: "space" });
	return [
		...entries.map((e) => `${e.others.map((o) => o.title).join()} ${wc.formatDate(e.started)} ${wc.formatDuration(e.spent)}`),
		String(older?.entries.length), users.mary.title, String(events[0]?.eventType), String(why.summary),
		wc.message("webconferencing.history.missedCount", { count: 2 }), wc.lang, wc.direction,
	];
}

/** What an element of one's own can show of calls. */
export function shown(calls: Calls): string[] {
	calls.addEventListener("change", () => shown(calls));
	for (const call of calls.elsewhere) void calls.takeOver(call.callId);
	for (const ring of calls.incoming) if (ring.waiting && !ring.silent) calls.ignore(ring.callId);
	const problems: Problem[] = calls.problems;
	if (problems.includes("popup_blocked") && calls.current) return [calls.current.url];
	for (const user of calls.current?.unanswered ?? []) void calls.ringAgain(user);
	calls.report("autoplay_blocked", false);
	return [String(calls.missed), calls.answeredElsewhere?.title ?? "", String(calls.current?.ringing)];
}

/** `eXo.webConferencing` for scripts that are typed. */
export function classic(api: { getCall(id: string): LegacyPromise<Call> }): void {
	api.getCall("p/john-mary").done((call: Call) => console.log(call.id)).fail((error: { code: string }) => console.log(error.code)).always(() => undefined);
}

export function parts(): WebConferencing {
	const wc: WebConferencing = createWebConferencing({ user: "mary" });
	createCalls(wc).open();
	return wc;
}
