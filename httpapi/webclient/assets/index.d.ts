/** What index.js exports. */
import type { Calls, StartOptions, Started, WebConferencing, WebConferencingOptions } from "./types.js";

export * from "./types.js";

export declare function createWebConferencing(options: WebConferencingOptions): WebConferencing;
export declare function createCalls(wc: WebConferencing): Calls & { open(): void };
export declare function connectElements(app: { wc: WebConferencing; calls: Calls } | null): void;
export declare function start(options: StartOptions): Promise<Started>;
/** The page's client, null if the page has no configuration or it failed. */
export declare const started: Promise<Started | null>;
