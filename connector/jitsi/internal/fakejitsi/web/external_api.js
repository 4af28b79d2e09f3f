// Behaves like the browser API of Jitsi Meet, as far as it is documented:
// new JitsiMeetExternalAPI(domain, options), events, executeCommand, dispose.
(() => {
	let count = 0;

	class JitsiMeetExternalAPI {
		#frame;
		#origin;
		#id = ++count;
		#listeners = new Map();
		#onMessage = (e) => this.#receive(e);

		constructor(domain, options = {}) {
			const { roomName, parentNode = document.body, jwt, lang, userInfo, configOverwrite = {}, noSSL, width = "100%", height = "100%", onload } = options;
			this.#origin = `${noSSL ? "http" : "https"}://${domain}`;
			const url = new URL(`${this.#origin}/${roomName}`);
			if (jwt) url.searchParams.set("jwt", jwt);
			const parts = Object.entries({ ...configOverwrite, ...(lang ? { defaultLanguage: lang } : {}) }).map(([k, v]) => `config.${k}=${encodeURIComponent(JSON.stringify(v))}`);
			if (userInfo?.displayName) parts.push(`userInfo.displayName=${encodeURIComponent(JSON.stringify(userInfo.displayName))}`);
			url.hash = [`jitsi_meet_external_api_id=${this.#id}`, ...parts].join("&");
			this.#frame = document.createElement("iframe");
			this.#frame.name = `jitsiConferenceFrame${this.#id}`;
			this.#frame.allow = "autoplay; camera; clipboard-write; compute-pressure; display-capture; hid; microphone; screen-wake-lock; speaker-selection";
			this.#frame.allowFullscreen = true;
			this.#frame.style.border = "0";
			this.#frame.style.width = typeof width === "number" ? `${width}px` : width;
			this.#frame.style.height = typeof height === "number" ? `${height}px` : height;
			if (onload) this.#frame.onload = onload;
			this.#frame.src = url.href;
			window.addEventListener("message", this.#onMessage);
			parentNode.appendChild(this.#frame);
		}

		#receive({ source, origin, data }) {
			if (source !== this.#frame.contentWindow || origin !== this.#origin || data?.fake !== "jitsi") return;
			for (const listener of [...(this.#listeners.get(data.name) ?? [])]) listener(data.data ?? {});
		}

		addListener(name, listener) {
			this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
			return this;
		}

		addEventListener(name, listener) {
			this.addListener(name, listener);
		}

		removeListener(name, listener) {
			this.#listeners.set(name, (this.#listeners.get(name) ?? []).filter((l) => l !== listener));
			return this;
		}

		executeCommand(command, ...args) {
			this.#frame.contentWindow?.postMessage({ fake: "jitsi", command, args }, this.#origin);
		}

		getIFrame() {
			return this.#frame;
		}

		dispose() {
			window.removeEventListener("message", this.#onMessage);
			this.#listeners.clear();
			this.#frame.remove();
		}
	}

	window.JitsiMeetExternalAPI = JitsiMeetExternalAPI;
})();
