// @ts-check
/**
 * What a tab remembers over a reload: the call that it was in. It is written
 * down only while the page goes away and taken out as soon as the next one
 * starts, so that a duplicated tab does not walk into the call as well.
 */

const callKey = "webconferencing.call";
/** A call left longer ago is not returned to, in ms. */
const maxAge = 60_000;

/**
 * @typedef {object} LeftCall
 * @property {string} callId
 * @property {string} userId
 * @property {string} clientId of the page that went away
 * @property {string} seat
 * @property {number} epoch
 * @property {boolean} muted
 * @property {boolean} cameraOff
 */

/** @param {LeftCall} call */
export function rememberCall(call) {
	try {
		sessionStorage.setItem(callKey, JSON.stringify({ ...call, at: Date.now() }));
	} catch {
		// Storage is switched off or full: the call is lost with the page.
	}
}

/**
 * @param {string} userId
 * @returns {LeftCall | null}
 */
export function takeCall(userId) {
	try {
		const text = sessionStorage.getItem(callKey);
		sessionStorage.removeItem(callKey);
		const left = JSON.parse(text ?? "null");
		const valid = left !== null && typeof left.callId === "string" && left.userId === userId && Math.abs(Date.now() - left.at) < maxAge;
		return valid ? left : null;
	} catch {
		return null;
	}
}
