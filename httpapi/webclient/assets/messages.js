// @ts-check
/**
 * English texts of everything that the module shows, by message key. A host
 * replaces them by the same keys in the context's `messages`. `{name}` stands
 * for a value.
 *
 * @type {ReadonlyMap<string, string>}
 */
export const englishMessages = new Map(Object.entries({
	"webconferencing.ok": "OK",
	"webconferencing.cancel": "Cancel",
	"webconferencing.close": "Close",
	"webconferencing.callHeader": "Call",
	"webconferencing.notConfigured": "Calls are not set up.",
	"webconferencing.errorReference": "Error reference: {ref}",

	"webconferencing.button.call": "Call {name}",
	"webconferencing.button.join": "Join {name}",
	"webconferencing.button.callShort": "Call",
	"webconferencing.button.joinShort": "Join",

	"webconferencing.incoming.title": "Incoming call",
	"webconferencing.incoming.from": "{name} is calling you",
	"webconferencing.incoming.group": "{name} started a call in {group}",
	"webconferencing.incoming.accept": "Accept",
	"webconferencing.incoming.decline": "Decline",

	"webconferencing.call.region": "Call with {name}",
	"webconferencing.call.remoteVideo": "Remote video",
	"webconferencing.call.remoteVideoOf": "Remote video: {name}",
	"webconferencing.call.localVideo": "Local video",
	"webconferencing.call.mute": "Mute",
	"webconferencing.call.camera": "Camera",
	"webconferencing.call.hangUp": "Hang up",
	"webconferencing.call.enlarge": "Enlarge",
	"webconferencing.call.openLink": "Open the call",
	"webconferencing.call.playSound": "Play sound",
	"webconferencing.call.muted": "{name} is muted",
	"webconferencing.call.cameraOff": "Camera is off",
	"webconferencing.call.you": "You",

	"webconferencing.status.preparing": "Starting camera and microphone...",
	"webconferencing.status.calling": "Calling {name}...",
	"webconferencing.status.joining": "Connecting...",
	"webconferencing.status.connected": "Connected",
	"webconferencing.status.waiting": "Waiting for others to join...",
	"webconferencing.status.offline": "Offline. Reconnecting...",
	"webconferencing.status.reconnecting": "{name} is reconnecting...",
	"webconferencing.status.joined": "{name} joined",
	"webconferencing.status.left": "{name} left",

	"webconferencing.ended.ended": "Call ended",
	"webconferencing.ended.declined": "declined",
	"webconferencing.ended.missed": "no answer",
	"webconferencing.ended.cancelled": "cancelled",
	"webconferencing.ended.busy": "busy",
	"webconferencing.ended.replaced": "Another call took the place of this one",
	"webconferencing.ended.expired": "Connection lost",
	"webconferencing.ended.elsewhere": "Continued on another device",
	"webconferencing.ended.gone": "This call is over",
	"webconferencing.ended.failed": "The call could not be started",

	"webconferencing.media.denied": "Camera and microphone are blocked. Allow them for this site in the browser's settings. Others can't see or hear you.",
	"webconferencing.media.missing": "No camera or microphone was found. Others can't see or hear you.",
	"webconferencing.media.busy": "Camera and microphone are in use by another program. Others can't see or hear you.",
	"webconferencing.media.insecure": "Camera and microphone work only on a secure (https) page. Others can't see or hear you.",
	"webconferencing.media.noCamera": "No camera: others can hear you but not see you.",
	"webconferencing.media.noMicrophone": "No microphone: others can see you but not hear you.",
	"webconferencing.media.retry": "Try again",

	"webconferencing.error.CLIENT_ERROR": "This can't be done.",
	"webconferencing.error.NOT_FOUND_ERROR": "This call is over or you don't take part in it.",
	"webconferencing.error.ACCESS_ERROR": "You may not do this.",
	"webconferencing.error.SERVER_ERROR": "The server has a problem. Try again later.",
	"webconferencing.error.call_full": "This call is full.",
	"webconferencing.error.provider_inactive": "Calls of this kind are switched off.",
	"webconferencing.error.offline": "There is no connection to the server.",
}));
