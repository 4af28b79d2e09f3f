// @ts-check
/**
 * The two ways in which Bayeux batches travel. A transport knows nothing of
 * sessions: it carries arrays of messages and reports when it can't any more.
 *
 * @typedef {Record<string, any>} Message one Bayeux message
 * @typedef {typeof globalThis.WebSocket} SocketClass
 * @typedef {typeof globalThis.fetch} Fetch
 *
 * @typedef {object} TransportEvents
 * @property {(batch: Message[]) => void} onBatch messages from the server
 * @property {(error: TransportError) => void} onLost called once, when the
 *   transport is of no more use
 *
 * @typedef {object} Transport
 * @property {"websocket"|"long-polling"} type
 * @property {(batch: Message[]) => void} send
 * @property {(farewell?: Message[]) => void} close sends the farewell if that
 *   can be done without waiting, and reports nothing afterwards
 */

/** Why a transport ended. */
export class TransportError extends Error {
	/**
	 * @param {string} message
	 * @param {{goingAway?: boolean, status?: number}} [details]
	 */
	constructor(message, details = {}) {
		super(message);
		this.name = "TransportError";
		/** The server said that it shuts down. */
		this.goingAway = details.goingAway ?? false;
		/** HTTP status, 0 when there was none. */
		this.status = details.status ?? 0;
	}
}

/** Largest body or frame that is built from waiting messages, in characters. */
const maxBatchChars = 48_000;

/**
 * Cuts messages into batches that stay below the usual limits of servers.
 *
 * @param {Message[]} messages
 * @returns {Message[][]}
 */
export function inBatches(messages) {
	/** @type {Message[][]} */
	const batches = [];
	let size = Infinity;
	for (const message of messages) {
		const chars = JSON.stringify(message).length;
		if (size + chars > maxBatchChars) {
			batches.push([]);
			size = 0;
		}
		batches[batches.length - 1].push(message);
		size += chars;
	}
	return batches;
}

/**
 * @param {string} text
 * @returns {Message[]}
 */
function parseBatch(text) {
	const value = JSON.parse(text);
	const batch = Array.isArray(value) ? value : [value];
	return batch.filter((m) => m !== null && typeof m === "object");
}

/**
 * Opens a WebSocket transport.
 *
 * @param {string} url with scheme http, https, ws or wss
 * @param {TransportEvents} events
 * @param {{WebSocket: SocketClass, timeout: number, signal: AbortSignal}} options
 * @returns {Promise<Transport>}
 */
export function openSocket(url, events, { WebSocket, timeout, signal }) {
	return new Promise((resolve, reject) => {
		const socket = new WebSocket(url.replace(/^http/, "ws"));
		let open = false;
		let over = false;
		/** @param {TransportError} error */
		const end = (error) => {
			if (over) return;
			over = true;
			clearTimeout(timer);
			signal.removeEventListener("abort", abort);
			socket.close();
			if (open) events.onLost(error);
			else reject(error);
		};
		const abort = () => end(new TransportError("given up"));
		const timer = setTimeout(() => end(new TransportError("the socket did not open in time")), timeout);
		signal.addEventListener("abort", abort);
		if (signal.aborted) abort();
		socket.addEventListener("open", () => {
			if (over) return;
			open = true;
			clearTimeout(timer);
			signal.removeEventListener("abort", abort);
			resolve({
				type: "websocket",
				send(batch) {
					for (const part of inBatches(batch)) socket.send(JSON.stringify(part));
				},
				close(farewell) {
					if (over) return;
					over = true;
					if (farewell && socket.readyState === 1) socket.send(JSON.stringify(farewell));
					socket.close(1000);
				},
			});
		});
		socket.addEventListener("message", (event) => {
			if (over) return;
			/** @type {Message[]} */
			let batch;
			try {
				batch = parseBatch(String(event.data));
			} catch {
				end(new TransportError("the server sent something that is not JSON"));
				return;
			}
			events.onBatch(batch);
		});
		socket.addEventListener("close", (event) => {
			end(new TransportError(`the socket was closed (${event.code})`, { goingAway: event.code === 1001 || event.code === 1012 }));
		});
		socket.addEventListener("error", () => end(new TransportError("the socket failed")));
	});
}

/**
 * Makes a long-polling transport. It has at most two requests under way: the
 * held connect and one with everything else, so that messages keep their order.
 *
 * @param {string} url
 * @param {TransportEvents} events
 * @param {{fetch: Fetch, timeout: number, holdTimeout: () => number}} options
 *   timeouts of one request in milliseconds, for ordinary ones and for connects
 * @returns {Transport}
 */
export function openPolling(url, events, { fetch, timeout, holdTimeout }) {
	const base = url.replace(/^ws/, "http").replace(/\/+$/, "");
	const aborter = new AbortController();
	/** @type {Message[]} */
	let waiting = [];
	let busy = false;
	let over = false;

	/** @param {unknown} cause */
	const lost = (cause) => {
		if (over) return;
		over = true;
		aborter.abort();
		events.onLost(cause instanceof TransportError ? cause : new TransportError(cause instanceof Error ? cause.message : String(cause)));
	};

	/**
	 * @param {Message[]} batch
	 * @param {number} limit
	 */
	const post = async (batch, limit) => {
		const only = batch.length === 1 ? batch[0].channel : "";
		const suffix = only === "/meta/connect" || only === "/meta/handshake" || only === "/meta/disconnect" ? only.slice("/meta".length) : "/";
		const timer = setTimeout(() => lost(new TransportError("the server did not answer in time")), limit);
		try {
			const response = await fetch(base + suffix, {
				method: "POST",
				headers: { "Content-Type": "application/json" },
				credentials: "same-origin",
				cache: "no-store",
				body: JSON.stringify(batch),
				signal: aborter.signal,
			});
			if (response.status !== 200) throw new TransportError(`the server answered ${response.status}`, { status: response.status });
			const answer = parseBatch(await response.text());
			if (over) return;
			if (answer.length === 0) throw new TransportError("the server's answer was empty");
			events.onBatch(answer);
		} finally {
			clearTimeout(timer);
		}
	};

	const pump = async () => {
		if (busy) return;
		busy = true;
		try {
			while (waiting.length > 0 && !over) {
				const [batch] = inBatches(waiting);
				waiting = waiting.slice(batch.length);
				await post(batch, timeout);
			}
		} catch (error) {
			lost(error);
		} finally {
			busy = false;
		}
	};

	return {
		type: "long-polling",
		send(batch) {
			if (over) return;
			for (const message of batch) {
				if (message.channel === "/meta/connect") post([message], holdTimeout()).catch(lost);
				else waiting.push(message);
			}
			void pump();
		},
		close(farewell) {
			if (over) return;
			over = true;
			aborter.abort();
			if (!farewell) return;
			// Outlives the page, which is what a farewell is for.
			fetch(`${base}/`, {
				method: "POST",
				headers: { "Content-Type": "application/json" },
				credentials: "same-origin",
				keepalive: true,
				body: JSON.stringify(farewell),
			}).catch(() => undefined);
		},
	};
}
