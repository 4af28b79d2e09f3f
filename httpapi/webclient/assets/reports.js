// @ts-check
/**
 * What was and what is: the user's history, and what administrators ask about
 * calls and providers.
 *
 * @typedef {import("./types.js").HistoryQuery} HistoryQuery
 */
import { ProviderFeatures } from "./provider-features.js";

/** Adds history and administration to the client. */
export class Reports extends ProviderFeatures {
	// --- history ---

	/** @param {HistoryQuery} [query] */
	getHistory(query = {}) {
		return this.command("get_history", given({ ...query }));
	}

	async getMissedCount() {
		const { count } = await this.command("get_missed_count", {});
		return Number(count) || 0;
	}

	/** @param {string} [upTo] cursor of the newest entry that was seen */
	async markSeen(upTo) {
		const { count } = await this.command("mark_seen", given({ upTo }));
		return Number(count) || 0;
	}

	// --- calls, for administrators ---

	/** @param {{cursor?: string, limit?: number}} [page] */
	getLiveCalls(page = {}) {
		return this.command("get_live_calls", given({ ...page }));
	}

	/**
	 * @param {string} id
	 * @param {{cursor?: string, limit?: number}} [page]
	 */
	getTimeline(id, page = {}) {
		return this.command("get_timeline", given({ id, ...page }));
	}

	/** @param {string} id */
	explainCall(id) {
		return this.command("explain", { id });
	}

	/** @param {string} id */
	endCall(id) {
		return this.send("POST", `/admin/calls/${encodeURIComponent(id)}/end`);
	}

	/**
	 * @param {string} id
	 * @param {string} user
	 */
	ringForAdmin(id, user) {
		return this.send("POST", `/admin/calls/${encodeURIComponent(id)}/participants/${encodeURIComponent(user)}/ring`);
	}

	/**
	 * @param {string} id
	 * @param {string} user
	 */
	removeForAdmin(id, user) {
		return this.send("DELETE", `/admin/calls/${encodeURIComponent(id)}/participants/${encodeURIComponent(user)}`);
	}

	/** @param {string} user */
	eraseHistory(user) {
		return this.send("DELETE", `/admin/users/${encodeURIComponent(user)}/history`);
	}

	// --- providers, for administrators ---

	/** @param {string} type */
	getProviderForm(type) {
		return this.rest(`/provider/${encodeURIComponent(type)}/settings-form`);
	}

	/**
	 * @param {string} type
	 * @param {Record<string, string | null>} values null is the default again
	 * @param {string | number} [revision] of the form that was filled in
	 */
	saveProviderForm(type, values, revision) {
		return this.send("PUT", `/provider/${encodeURIComponent(type)}/settings-form`, given({ values, revision }));
	}

	/** @param {string} type */
	getProviderChanges(type) {
		return this.rest(`/provider/${encodeURIComponent(type)}/changes`);
	}

	/** @param {string} type */
	checkProvider(type) {
		return this.rest(`/provider/${encodeURIComponent(type)}/check`);
	}
}

/**
 * Leaves out what was not given, since the server takes every member that is
 * there at its word.
 *
 * @param {Record<string, any>} args
 */
function given(args) {
	return Object.fromEntries(Object.entries(args).filter(([, value]) => value !== undefined && value !== ""));
}
