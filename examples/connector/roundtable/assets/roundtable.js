// The Roundtable connector's browser side: meetings in the call view.
import { createLinkProvider } from "../../link-provider.js";

/** Every connector's module exports this; `wc` is the page's client. */
export function createProvider(wc) {
	const config = wc.getContext().providersConfig?.find((c) => c.type === "roundtable") ?? { type: "roundtable" };
	return {
		...createLinkProvider(config), // names the calls, makes the button
		openSession: () => new RoundtableSession(),
	};
}

/** One call on this device. */
class RoundtableSession extends EventTarget {
	/** What the call view shows. */
	view = document.createElement("iframe");
	/** The meeting has its own switches, so the page shows none. */
	hasAudio = false;
	hasVideo = false;
	muted = false;
	cameraOff = false;
	local = null;
	remotes = [];
	problem = "";

	#onMessage = ({ source, data }) => {
		// The person left inside of the meeting.
		if (source === this.view.contentWindow && data?.roundtable === "left") this.dispatchEvent(new Event("hangup"));
	};

	/** Asks for camera and microphone; the meeting does that by itself. */
	async acquire() {}

	/** This device has its seat; `grant` is what Join returned. */
	async start({ grant }) {
		if (this.view.src) return;
		this.view.title = "Roundtable";
		this.view.allow = "camera; microphone";
		Object.assign(this.view.style, { border: "0", inlineSize: "100%", blockSize: "100%" });
		addEventListener("message", this.#onMessage);
		this.view.src = grant.url;
	}

	setMuted() {}
	setCameraOff() {}
	receive() {}
	dropParty() {}
	refresh() {}

	close() {
		removeEventListener("message", this.#onMessage);
		this.view.remove();
	}
}
