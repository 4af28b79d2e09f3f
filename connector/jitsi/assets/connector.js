// @ts-check
/**
 * The Jitsi connector's browser side: each call is a meeting of the server,
 * embedded in the call view.
 *
 * @typedef {import("../../../httpapi/webclient/assets/types.js").WebConferencing} WebConferencing
 * @typedef {import("../../../httpapi/webclient/assets/types.js").Provider} Provider
 */
import { callIdOf } from "./call-id.js";
import { MeetingSession } from "./session.js";

const type = "jitsi";

/**
 * @param {WebConferencing} wc
 * @returns {Provider}
 */
export function createProvider(wc) {
	return {
		getType: () => type,
		getSupportedTypes: () => [type],
		getTitle: () => wc.getContext().providersConfig?.find((c) => c.type === type)?.title ?? "Jitsi Meet",
		supportsGroups: () => true,
		getCallId: (context) => callIdOf(context),
		async callButton(context) {
			const button = document.createElement("wc-call-button");
			button.setAttribute("provider", type);
			if (context.isSpace && context.spaceId) button.setAttribute("space", context.spaceId);
			else if (context.isRoom && context.roomId) {
				button.setAttribute("room", context.roomId);
				button.setAttribute("room-title", context.roomTitle ?? "");
			} else button.setAttribute("user", context.userId ?? "");
			return button;
		},
		openSession: (options) => new MeetingSession(options, {
			lang: document.documentElement.lang,
			// Joining again keeps the seat and brings a new token.
			renew: async () => (await wc.updateUserCall(options.callId, "joined")).grant ?? null,
		}),
	};
}
