// @ts-check
/**
 * The WebRTC connector's browser side: calls between two and in small groups,
 * every device connected to every other one, signalling over the call channel.
 *
 * @typedef {import("../../../httpapi/webclient/assets/types.js").WebConferencing} WebConferencing
 * @typedef {import("../../../httpapi/webclient/assets/types.js").Provider} Provider
 * @typedef {import("../../../httpapi/webclient/assets/types.js").ButtonContext} ButtonContext
 */
import { callIdOf } from "./call-id.js";
import { IceServers } from "./ice.js";
import { MeshSession } from "./session.js";

const type = "webrtc";

/**
 * @param {WebConferencing} wc
 * @returns {Provider}
 */
export function createProvider(wc) {
	return {
		getType: () => type,
		getSupportedTypes: () => [type],
		getTitle: () => "WebRTC",
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
		openSession: (options) => new MeshSession(options, new IceServers(() => wc.getProviderSettings(type))),
	};
}
