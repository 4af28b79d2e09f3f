// @ts-check
/**
 * What stands in the way of a call on this page, and how it is told.
 *
 * @typedef {import("./types.js").CurrentCall} CurrentCall
 * @typedef {object} Problem
 * @property {string} kind
 * @property {string} title message key, "" for none
 * @property {string} text message key
 * @property {string} [remedy] message key of the button that may help
 * @property {boolean} [away] whether the pictures may stand still
 */

/**
 * The one problem that is worth telling now, the worst first.
 *
 * @param {import("./base-element.js").App} app
 * @param {CurrentCall} current
 * @returns {Problem | null}
 */
export function problemOf({ wc, calls }, { session, problems, url }) {
	const known = new Set([...(problems ?? []), ...(calls.problems ?? [])]);
	if (known.has("refused") || wc.connection === "refused") return screen("refused", { remedy: "problem.reload", away: true });
	if (known.has("waking")) return screen("waking", { away: true });
	if (known.has("offline") || wc.connection === "offline") return screen("offline", { away: true });
	if (known.has("popup_blocked") && url) return screen("popup_blocked", {});
	if (known.has("autoplay_blocked")) return screen("autoplay_blocked", { remedy: "call.playSound" });
	return session ? mediaProblem(session) : null;
}

/** @param {import("./types.js").MediaSession} session */
function mediaProblem(session) {
	const remedy = "media.retry";
	if (session.problem) return { kind: session.problem, title: `problem.${session.problem}`, text: `media.${session.problem}`, remedy };
	if (session.hasAudio && !session.hasVideo) return { kind: "noCamera", title: "", text: "media.noCamera", remedy };
	if (session.hasVideo && !session.hasAudio) return { kind: "noMicrophone", title: "", text: "media.noMicrophone", remedy };
	return null;
}

/**
 * @param {string} kind
 * @param {{remedy?: string, away?: boolean}} how
 * @returns {Problem}
 */
function screen(kind, how) {
	return { kind, title: `problem.${kind}`, text: `problem.${kind}Hint`, ...how };
}
