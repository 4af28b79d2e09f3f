// @ts-check
/**
 * Contexts of call buttons: whom a button calls, and on what kind of device.
 *
 * @typedef {import("./types.js").ButtonContext} ButtonContext
 * @typedef {Pick<import("./types.js").WebConferencing, "getUser"|"getUserInfo"|"getSpaceInfo"|"getRoomInfo">} WebConferencing
 */

/**
 * @param {WebConferencing} wc
 * @param {Partial<ButtonContext>} members
 * @param {() => Promise<import("./types.js").User | import("./types.js").Group>} fetchDetails
 * @returns {ButtonContext}
 */
function makeContext(wc, members, fetchDetails) {
	const agent = globalThis.navigator?.userAgent ?? "";
	const isWindowsMobile = /Windows Phone|IEMobile/i.test(agent);
	/** @type {ReturnType<typeof fetchDetails> | null} */
	let details = null;
	return {
		currentUser: wc.getUser(),
		isUser: false,
		isGroup: false,
		isSpace: false,
		isSpaceEvent: false,
		isRoom: false,
		isIOS: !isWindowsMobile && /iPad|iPhone|iPod/.test(agent),
		isAndroid: !isWindowsMobile && /Android/i.test(agent),
		isWindowsMobile,
		...members,
		details() {
			// A failure is not kept, so that a later click tries again.
			details ??= fetchDetails().catch((error) => {
				details = null;
				throw error;
			});
			return details;
		},
	};
}

/**
 * @param {WebConferencing} wc
 * @param {string} userId
 */
export function userContext(wc, userId) {
	return makeContext(wc, { userId, isUser: true }, () => wc.getUserInfo(userId));
}

/**
 * @param {WebConferencing} wc
 * @param {string} spaceId
 */
export function spaceContext(wc, spaceId) {
	return makeContext(wc, { spaceId, isGroup: true, isSpace: true }, () => wc.getSpaceInfo(spaceId));
}

/**
 * @param {WebConferencing} wc
 * @param {string} spaceId
 * @param {() => Promise<import("./types.js").Group>} details
 */
export function spaceEventContext(wc, spaceId, details) {
	return makeContext(wc, { spaceId, isGroup: true, isSpaceEvent: true }, details);
}

/**
 * @param {WebConferencing} wc
 * @param {string} roomId
 * @param {string} [roomTitle]
 * @param {string[]} [members]
 */
export function chatContext(wc, roomId, roomTitle, members) {
	return makeContext(wc, { roomId, roomTitle, roomName: roomId, isGroup: true, isRoom: true }, () => wc.getRoomInfo(roomId, roomTitle, members));
}
