// A meeting page without media: it shows who is there.
const fragment = new URLSearchParams(location.hash.slice(1));
const value = (key, other) => (fragment.has(key) ? JSON.parse(fragment.get(key)) : other);
const api = fragment.has("jitsi_meet_external_api_id");
const at = (id) => document.getElementById(id);
const people = new Map();
let me = "";
let stream;
let over = false;

// Whoever frames the page may talk to it, as with the real one.
const tell = (name, data = {}) => {
	if (api && parent !== window) parent.postMessage({ fake: "jitsi", name, data }, "*");
};

function show() {
	at("people").replaceChildren(
		...[...people].map(([id, name]) => {
			const item = document.createElement("li");
			item.textContent = name || "Fellow Jitster";
			if (id === me) item.dataset.me = "";
			return item;
		}),
	);
}

function finish(text) {
	if (over) return;
	over = true;
	stream?.close();
	at("state").textContent = text;
	people.clear();
	show();
	tell("videoConferenceLeft", { roomName: location.pathname });
	tell("readyToClose");
}

function press(id, event) {
	const on = at(id).getAttribute("aria-pressed") !== "true";
	at(id).setAttribute("aria-pressed", String(on));
	tell(event, event === "audioMuteStatusChanged" ? { muted: on } : { on });
}

async function enter() {
	at("enter").hidden = true;
	const response = await fetch("/_/join", {
		method: "POST",
		body: JSON.stringify({ room: location.pathname.slice(1), jwt: new URLSearchParams(location.search).get("jwt") ?? "", name: value("userInfo.displayName", "") }),
	});
	if (!response.ok) {
		const message = await response.text();
		at("state").textContent = message;
		tell("errorOccurred", { error: { name: "connection.passwordRequired", message, isFatal: true } });
		return;
	}
	const { id, name, owner } = await response.json();
	me = id;
	people.set(id, name);
	at("state").textContent = owner ? "You are the moderator" : "You are in the meeting";
	show();
	stream = new EventSource(`/_/stream?id=${encodeURIComponent(id)}`);
	stream.addEventListener("open", () => tell("videoConferenceJoined", { id, displayName: name, roomName: location.pathname }), { once: true });
	stream.addEventListener("error", () => finish("The connection was lost"));
	stream.addEventListener("message", (e) => {
		const message = JSON.parse(e.data);
		switch (message.name) {
			case "participantJoined":
				people.set(message.data.id, message.data.displayName);
				tell(message.name, message.data);
				break;
			case "participantLeft":
				people.delete(message.data.id);
				tell(message.name, message.data);
				break;
			case "kicked":
				tell("participantKickedOut", { kicked: { id: me, local: true }, kicker: { id: "system" } });
				break;
			case "over":
				finish("The meeting is over");
				break;
			default:
		}
		show();
	});
}

at("subject").textContent = value("config.subject", "");
document.documentElement.lang = value("config.defaultLanguage", "en");
at("leave").addEventListener("click", () => finish("You have left"));
at("mute").addEventListener("click", () => press("mute", "audioMuteStatusChanged"));
at("screen").addEventListener("click", () => press("screen", "screenSharingStatusChanged"));
at("enter").addEventListener("click", enter);
addEventListener("message", ({ source, data }) => {
	if (source !== parent || data?.fake !== "jitsi") return;
	if (data.command === "hangup") finish("You have left");
	if (data.command === "toggleAudio") press("mute", "audioMuteStatusChanged");
	if (data.command === "toggleShareScreen") press("screen", "screenSharingStatusChanged");
});
if (value("config.prejoinConfig", { enabled: false }).enabled) {
	at("enter").hidden = false;
	at("state").textContent = "Ready to join?";
} else enter();
