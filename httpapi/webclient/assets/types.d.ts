/** Types of the public API of the browser module. */

export type CallState = "started" | "stopped" | "paused" | null;
export type OwnerType = "user" | "space" | "space_event" | "chat_room";
export type StopReason = "ended" | "declined" | "missed" | "cancelled" | "busy" | "replaced" | "expired";

export type RingState = "ringing" | "answered" | "declined" | "busy" | "missed" | "unreachable" | "cancelled" | "elsewhere";

export interface User {
	id: string;
	title: string;
	firstName?: string | null;
	lastName?: string | null;
	type: "user" | "guest" | "participant";
	group: false;
	avatarLink?: string | null;
	profileLink?: string | null;
	imAccounts?: Record<string, { type: string; id: string }[]> | null;
	/** Inside a call: whether the user is in it. */
	state?: "joined" | "leaved" | null;
	/** Inside a call: the device that joined last. */
	clientId?: string | null;
	/** Inside a call: what became of ringing the user. */
	ring?: RingState | null;
	/** The devices that ring now. */
	ringingOn?: string[];
	/** The device that answered. */
	answeredBy?: string | null;
}

export interface Group {
	id: string;
	title: string;
	type: "space" | "space_event" | "chat_room";
	group: true;
	avatarLink?: string | null;
	profileLink?: string | null;
	/** The group's present call. */
	callId?: string | null;
	groupId?: string | null;
	members: Record<string, User>;
}

export interface Call {
	id: string;
	title?: string | null;
	owner: User | Group;
	providerType: string;
	state: CallState;
	lastDate?: string | null;
	startDate?: string | null;
	endDate?: string | null;
	inviteId?: string | null;
	participants: User[];
	origins?: { id: string; type: "user" | "space" }[];
	/** Number of the run, and of the change of the record. */
	epoch?: number;
	version?: number;
	/** Why the last run ended. */
	reason?: StopReason | "" | null;
	ringUntil?: string | null;
	starter?: string | null;
	/** In the answer to joining: this device's seat, and what the provider grants. */
	seat?: string;
	grant?: Grant | null;
}

/** What a provider hands out to somebody who joins. */
export interface Grant {
	url?: string;
	token?: string;
	settings?: Record<string, any>;
	expires?: string | null;
}

/** What makes a call; lists may also be texts joined by `;`. */
export interface CallInfo {
	/** Only where the call is not named otherwise. */
	id?: string;
	owner: string;
	ownerType: OwnerType;
	provider: string;
	title?: string;
	participants?: string[] | string;
	spaces?: string[] | string;
	start?: boolean;
	/** How long it rings, in seconds. */
	ringFor?: number;
	startDate?: string;
	endDate?: string;
}

export interface ProviderConfig {
	type: string;
	title: string;
	description?: string;
	active: boolean;
	logEnabled?: boolean;
	/** Address of the connector's module, relative to the client's assets. */
	module?: string | null;
	supportedTypes?: string[];
	groups?: boolean;
	/** Whether it can hold calls between two. */
	oneToOne?: boolean;
	/** How many may be inside, 0 for no limit of the provider. */
	maxParties?: number;
	features?: string[];
	version?: string;
}

/** What a page needs to start the client: the answer of GET /context. */
export interface Context {
	containerName?: string | null;
	spaceId?: string | null;
	roomTitle?: string | null;
	cometdPath?: string | null;
	cometdToken?: string | null;
	providersConfig?: ProviderConfig[];
	messages?: Record<string, string>;
	/** Language of the messages. */
	lang?: string;
	user?: User;
}

/** An event of a user's channel. */
export interface UserEvent {
	eventType: "call_state" | "call_joined" | "call_leaved" | "call_declined" | "call_missed" | "call_updated" | "call_device_leaved" | "call_seat_replaced" | "call_ringing" | "call_ring_ended" | "call_history" | (string & {});
	callId: string;
	providerType?: string;
	callState?: CallState;
	owner?: { id: string; type: OwnerType };
	part?: { id: string };
	epoch?: number;
	version?: number;
	time?: string;
	clientId?: string;
	title?: string;
	reason?: StopReason | "";
	cause?: string;
	actor?: string;
	/** With `call_ringing`: devices of the person that ring. With `call_history`: missed calls. */
	count?: number;
	/** With `call_ring_ended`. */
	ring?: RingState;
	legs?: { client: string; state: RingState; by?: string }[];
	/** With a start: the user is in another call, or does not want to be disturbed. */
	waiting?: boolean;
	silent?: boolean;
}

/** Whom a button calls. */
export interface ButtonContext {
	currentUser: User;
	userId?: string;
	spaceId?: string;
	roomId?: string;
	roomTitle?: string;
	roomName?: string;
	isUser: boolean;
	isGroup: boolean;
	isSpace: boolean;
	isSpaceEvent: boolean;
	isRoom: boolean;
	isIOS: boolean;
	isAndroid: boolean;
	isWindowsMobile: boolean;
	/** The user or group itself. */
	details(): Promise<User | Group>;
}

/** A connector's browser side. Only the first four members are required. */
export interface Provider {
	getType(): string;
	getSupportedTypes(): string[];
	getTitle(): string;
	callButton(context: ButtonContext): Promise<HTMLElement>;
	init?(context: ButtonContext): Promise<void> | void;
	configure?(config: ProviderConfig): Promise<void> | void;
	showSettings?(): void;
	getCallId?(context: ButtonContext): Promise<string> | string;
	getCallUrl?(id: string): string;
	findCallId?(link: string): string | null;
	/** Whether it can hold calls of groups. Defaults to true. */
	supportsGroups?(): boolean;
	/**
	 * The connector shows incoming and running calls of its own, as scripts
	 * written for eXo do: the page shows no cards for them. Defaults to false.
	 */
	ownsCalls?: boolean;
	/**
	 * Begins the media part of a call on this device. Without it the page shows
	 * a link to the grant's URL instead.
	 */
	openSession?(options: SessionOptions): Promise<MediaSession> | MediaSession;
}

export interface SessionOptions {
	callId: string;
	user: User;
	clientId: string;
	/** The device that this one takes the place of, after a reload. */
	replaces?: string;
	muted?: boolean;
	cameraOff?: boolean;
	/** Sends to the other devices in the call. */
	send(data: Record<string, any>): Promise<void>;
	log: Log;
}

/** A remote device in a call. */
export interface RemoteParty {
	clientId: string;
	userId: string;
	stream: MediaStream | null;
	state: "connecting" | "connected" | "reconnecting";
	muted: boolean;
	cameraOff: boolean;
	/** The picture is a screen: it is shown whole. */
	screen?: boolean;
}

/** A microphone, camera or loudspeaker that may be used. */
export interface MediaDeviceChoice {
	kind: "audioinput" | "videoinput" | "audiooutput";
	id: string;
	/** What the system calls it. */
	label: string;
	/** It is in use. */
	chosen: boolean;
}

/** What became of asking for camera and microphone. */
export type MediaProblem = "" | "denied" | "missing" | "busy" | "insecure";

/**
 * The media of one call on this device. It dispatches `change` whenever one of
 * its properties changed, and `hangup` when the user ended the call inside of
 * its view.
 */
export interface MediaSession extends EventTarget {
	readonly local: MediaStream | null;
	readonly remotes: RemoteParty[];
	readonly muted: boolean;
	readonly cameraOff: boolean;
	readonly hasAudio: boolean;
	readonly hasVideo: boolean;
	readonly problem: MediaProblem;
	/** Asks for camera and microphone; never rejects, see problem. */
	acquire(): Promise<void>;
	/** Begins to talk to the others; the device has joined. */
	start(call: Call): Promise<void>;
	setMuted(muted: boolean): void;
	setCameraOff(off: boolean): void;
	/** Whether the screen is shared; undefined if that is not possible. */
	readonly screen?: boolean;
	/** Shares the screen or stops it; nothing happens if the user picks none. */
	setScreen?(on: boolean): Promise<void>;
	/** Devices to choose from; none before the user has allowed one. */
	readonly devices?: MediaDeviceChoice[];
	chooseDevice?(kind: MediaDeviceChoice["kind"], id: string): Promise<void>;
	/** Id of the loudspeaker on which the others are heard, "" for the system's. */
	readonly output?: string;
	/** A message of another device in the call. */
	receive(data: any): void;
	/** A user, or one device, has left the call. */
	dropParty(userId: string, clientId?: string): void;
	/**
	 * A page of the provider's own, shown instead of pictures. It is put into
	 * the call view once and not moved while the session lasts.
	 */
	readonly view?: HTMLElement | null;
	/** The network changed or the signalling connection is back. */
	refresh(): void;
	close(): void;
}

export interface Log {
	prefix(text: string): Log;
	trace(message: any, error?: any): void;
	debug(message: any, error?: any): void;
	info(message: any, error?: any): void;
	warn(message: any, error?: any): void;
	error(message: any, error?: any): void;
	/** Logs an error and shows it with a reference that finds it in the server's log. */
	showError(title: string, text: string, error?: any): void;
	/** `user-client-timestamp` of the last message. */
	lastMessageRef(): string;
}

export interface CallError {
	code: string;
	message: string;
	error: true;
	reason?: string;
	field?: string;
	/** Leads to the line in the server's log. */
	ref?: string;
	/** With `version_conflict`: the version that the call has. */
	version?: number;
	/** With `answered_elsewhere`: the device that answered. */
	device?: string;
}

export interface HistoryQuery {
	/** Only calls that came to this, for example `missed`. */
	outcome?: string;
	/** Only calls with this person. */
	with?: string;
	/** Part of a title or a name. */
	text?: string;
	/** `next` of the page before. */
	cursor?: string;
	limit?: number;
}

/** One call as the user remembers it. */
export interface HistoryEntry {
	/** Names the entry. */
	cursor: string;
	callId: string;
	epoch: number;
	providerType: string;
	owner: { id: string; type: OwnerType };
	group: boolean;
	title: string;
	/** The user started it. */
	outgoing: boolean;
	outcome: "answered" | "missed" | "declined" | "busy" | "cancelled" | "no_answer" | "failed" | (string & {});
	reason?: StopReason | "";
	started: string;
	ended: string;
	/** How long the user was inside, in ms. */
	spent: number;
	devices: number;
	/** The first of the other parties. */
	others: User[];
	othersTotal: number;
	unseen?: boolean;
}

export interface HistoryPage {
	entries: HistoryEntry[];
	/** Cursor of the next page, null at the end. */
	next?: string | null;
}

/** A running call as administrators see it. */
export interface LiveCall {
	id: string;
	title?: string;
	owner: { id: string; type: OwnerType };
	group: boolean;
	providerType: string;
	state: CallState;
	epoch: number;
	version: number;
	starter?: string;
	started?: string;
	ringUntil?: string | null;
	endBy?: string | null;
	participantsTotal: number;
	seatsTotal: number;
	/** The first of the devices inside. */
	seats: { user: string; clientId: string; node?: string; joined?: string; [more: string]: any }[];
	ringing: { user: string; ringingOn: string[] }[];
	/** The first of the participants. */
	participants?: { user: string; state?: string | null; ring?: RingState | null }[];
}

export interface LiveCalls {
	calls: LiveCall[];
	users: Record<string, User>;
	next?: string | null;
}

/** One change of a call, as administrators see it. */
export interface TimelineEvent {
	eventType: string;
	callId: string;
	epoch: number;
	version: number;
	time: string;
	providerType?: string;
	title?: string;
	state?: CallState;
	reason?: StopReason | "" | null;
	/** Whom it is about, and which device. */
	part?: string | null;
	clientId?: string | null;
	/** Who brought it about; absent: the server. */
	actor?: string | null;
	cause?: string | null;
	/** What the cause rests on. */
	evidence?: string | null;
	node?: string | null;
	/** Reference of the request. */
	ref?: string | null;
	ring?: RingState | null;
	legs?: { clientId: string; state: RingState; by?: string }[];
}

export interface Timeline {
	/** Oldest first. */
	events: TimelineEvent[];
	users: Record<string, User>;
	/** Cursor of the earlier ones. */
	next?: string | null;
}

/** The answer to "why does this call still exist?". */
export interface CallExplanation {
	summary?: string;
	sentences?: string[];
	[more: string]: any;
}

/** One setting of a provider's form. */
export interface ProviderSetting {
	key: string;
	type: "text" | "url" | "number" | "bool" | "secret" | "choice" | "seconds";
	title: string;
	help?: string;
	default?: string;
	required?: boolean;
	choices?: string[];
	min?: number;
	max?: number;
	/** "" for secrets. */
	value: string;
	isSet: boolean;
}

export interface ProviderForm {
	type: string;
	revision: number | string;
	settings: ProviderSetting[];
}

/** A kind of account that a provider brought along. */
export interface AccountType {
	type: string;
	title: string;
}

/** The accounts in somebody's profile. */
export interface UserAccounts {
	/** By type, also by types that can't be set. */
	accounts: Record<string, { type: string; id: string }[]>;
	/** That can be set. */
	types: AccountType[];
}

/** Which providers a group, or the whole portal, uses. */
export interface ProviderChoice {
	providers: ProviderConfig[];
	/** The choice made here, null if it is inherited. */
	own: string[] | null;
	inherited: boolean;
	/** A choice was made, here or above. */
	limited?: boolean;
}

export interface Off {
	off(): void;
}

export interface WebConferencingOptions {
	/** The signed-in user, or the id. */
	user: User | string;
	/** Fetched from the server when absent. */
	context?: Context;
	/** Where REST is mounted. Defaults to `/portal/rest/webconferencing`. */
	baseUrl?: string;
	/** Where user status is mounted. Defaults to `/portal/rest/state/status`. */
	statusUrl?: string;
	/** Where Bayeux is mounted. Defaults to the context's, or `/cometd/cometd`. */
	cometdUrl?: string;
	/** Where the client's assets are mounted. Defaults to where this module is from. */
	assetsUrl?: string;
	/** Language of texts. Defaults to that of the document. */
	lang?: string;
}

export interface WebConferencing {
	/** Unique for this page load. */
	readonly clientId: string;
	/** Present state of the connection to the server. */
	readonly connection: "connecting" | "connected" | "offline" | "refused" | "suspended" | "closed";
	/** Dispatches `connection`, `providers`, `notice` and, after a sleep, `woken`. */
	readonly events: EventTarget;
	/** Language of the texts, as a BCP 47 tag. */
	readonly lang: string;
	readonly direction: "ltr" | "rtl";

	init(user?: User | string, context?: Context): Promise<void>;
	update(context?: Partial<Context>): void;
	close(): void;

	getUser(): User;
	getContext(): Context;
	getCurrentSpaceId(): string | null;
	getCurrentRoomTitle(): string | null;
	getBaseUrl(): string;
	getAssetsUrl(): string;

	addProvider(provider: Provider): void;
	findProvider(type: string): Provider | undefined;
	/** Waits up to ten seconds for the provider to be added. */
	getProvider(type: string): Promise<Provider>;
	getProviders(): Provider[];
	getAllProviders(): Provider[];
	getProvidersConfig(force?: boolean): Promise<ProviderConfig[]>;
	getProviderConfig(type: string): Promise<ProviderConfig>;
	postProviderConfig(type: string, active: boolean): Promise<ProviderConfig>;
	getProviderSettings(type: string): Promise<Record<string, any>>;

	/**
	 * A call. This and all other answers that are calls are not older than what
	 * `onUserUpdate` has told before: they are read again if an event overtook
	 * them.
	 */
	getCall(id: string): Promise<Call>;
	addCall(id: string, info: CallInfo): Promise<Call>;
	/** The info's provider names the call. */
	addCall(info: CallInfo): Promise<Call>;
	updateCall(id: string, stateOrInfo: string | Partial<CallInfo>): Promise<Call>;
	updateUserCall(id: string, state: "joined" | "leaved", fence?: { seat?: string; epoch?: number }): Promise<Call>;
	updateParticipants(id: string, participants: string[]): Promise<Call>;
	updateInvites(id: string, invites: { id: string; type: "user" | "group" }[]): Promise<Call>;
	checkInvite(id: string, inviteId: string): Promise<{ allowed: boolean }>;
	addGuest(id: string, guestId: string): Promise<Call>;
	/** Joins a call that rings, if no other device of the user was quicker. */
	acceptCall(id: string): Promise<Call>;
	/** Refuses a call that rings. */
	declineCall(id: string, reason?: "declined" | "busy"): Promise<Call>;
	/** Gives up a call that rings at others. */
	cancelCall(id: string): Promise<Call>;
	/** Joins on this device; the user's other devices are out of the call. */
	takeOver(id: string): Promise<Call>;
	/** Rings a participant who is not inside once more. */
	ringAgain(id: string, user: string): Promise<Call>;
	removeParticipant(id: string, user: string): Promise<Call>;
	/** Tells the caller that this device rings. */
	confirmRing(id: string): Promise<void>;
	heartbeat(id: string, epoch: number, seat: string): Promise<void>;
	deleteCall(id: string): Promise<Call>;
	findIdentities(name: string): Promise<{ id: string; displayName: string; type: "user" | "group"; avatarUrl?: string }[]>;
	findCallId(link: string, provider: Provider): string | null;
	getUserGroupCalls(): Promise<{ id: string; state: CallState }[]>;
	/** Running calls, also between two, that this user takes part in. */
	getOpenCalls(): Promise<Call[]>;

	getHistory(query?: HistoryQuery): Promise<HistoryPage>;
	/** How many missed calls were not seen yet. */
	getMissedCount(): Promise<number>;
	/** Returns how many unseen ones are left. */
	markSeen(upTo?: string): Promise<number>;

	// For administrators.
	getLiveCalls(page?: { cursor?: string; limit?: number }): Promise<LiveCalls>;
	getTimeline(id: string, page?: { cursor?: string; limit?: number }): Promise<Timeline>;
	explainCall(id: string): Promise<CallExplanation>;
	/** Ends a call for everybody. */
	endCall(id: string): Promise<Call>;
	ringForAdmin(id: string, user: string): Promise<Call>;
	removeForAdmin(id: string, user: string): Promise<Call>;
	eraseHistory(user: string): Promise<any>;
	getProviderForm(type: string): Promise<ProviderForm>;
	saveProviderForm(type: string, values: Record<string, string | null>, revision?: string | number): Promise<ProviderForm>;
	getProviderChanges(type: string): Promise<{ time: string; user: string; keys: string[]; active?: boolean }[]>;
	checkProvider(type: string): Promise<{ ready: boolean; problem?: string; details?: any }>;
	/** Which providers a group uses; of the whole portal without an owner. */
	getProviderChoice(owner?: { id: string; type: OwnerType }): Promise<ProviderChoice>;
	setProviderChoice(providers: string[] | null, owner?: { id: string; type: OwnerType }): Promise<ProviderChoice>;

	// What only some providers can do, see ProviderConfig.features.
	moderate(id: string, action: "remove" | "mute" | "promote" | "demote" | "admit" | "reject", user: string, clientId?: string): Promise<any>;
	getCallInfo(id: string): Promise<any>;
	getPhones(id: string): Promise<any>;
	/** The number is `+` and 4 to 15 digits. */
	dialOut(id: string, number: string): Promise<any>;
	getRecordings(id: string): Promise<any>;
	startRecording(id: string): Promise<any>;
	stopRecording(id: string): Promise<any>;
	deleteRecording(id: string, recording: string): Promise<any>;
	/** Accounts in a profile; of the signed-in user without an id. */
	getAccounts(user?: string): Promise<UserAccounts>;
	/** null removes the account. */
	setAccount(type: string, account: string | null, user?: string): Promise<UserAccounts>;
	/** Begins to connect an account; the browser goes to the answer's url. */
	connectAccount(type: string, redirect: string): Promise<{ url: string }>;
	finishAccount(type: string, params: Record<string, string>): Promise<any>;
	disconnectAccount(type: string): Promise<any>;

	getUserInfo(id: string): Promise<User>;
	getSpaceInfo(id: string): Promise<Group>;
	getRoomInfo(id: string, title?: string, members?: string[]): Promise<Group>;
	getUserStatus(id: string): Promise<{ userId: string; status: string }>;

	onUserUpdate(userId: string, onUpdate: (event: UserEvent) => void, onError?: (error: Error) => void, onReady?: () => void, options?: { onReset?: () => void }): Off & { ready: Promise<void> };
	onCallUpdate(callId: string, onUpdate: (data: any) => void, onError?: (error: Error) => void, onReady?: () => void): Off & { ready: Promise<void> };
	toCallUpdate(callId: string, data: Record<string, any>): Promise<void>;

	createUserContext(userId: string): ButtonContext;
	createSpaceContext(spaceId: string): ButtonContext;
	createSpaceEventContext(spaceId: string, participants?: string[], spaces?: string[]): ButtonContext;
	createChatContext(roomId: string, roomTitle?: string, members?: string[]): ButtonContext;

	imAccount(user: User, type: string): { type: string; id: string } | null;
	/** A number in `count` chooses the plural form. */
	message(key: string, values?: Record<string, string | number>): string;
	formatNumber(value: number): string;
	/** Defaults to a medium date and a short time. "" if it is no moment. */
	formatDate(moment: Date | string | number, options?: Intl.DateTimeFormatOptions): string;
	/** A span in ms as clocks show it. */
	formatDuration(ms: number): string;
	errorText(error: any): string;
	getLog(provider?: string): Log;
	loadStyle(url: string): void;
	showCallPopup(url: string, name: string): Window | null;
	showCallWindow(url: string, name: string): Window | null;
	showInfo(title: string, text: string): void;
	showWarn(title: string, text: string): void;
	showError(title: string, text: string): void;
	showConfirm(title: string, text: string): Promise<boolean>;
	noticeInfo(text: string): void;
	noticeWarn(text: string): void;
	noticeError(text: string): void;
}

/** Detail of a `notice` event. */
export interface Notice {
	level: "info" | "warn" | "error";
	title: string;
	text: string;
	/** Stays until it is closed. */
	modal: boolean;
}

/** Whom to call. */
export interface CallTarget {
	user?: string;
	space?: string;
	room?: string;
	roomTitle?: string;
	/** Type of the provider. Defaults to the first one that fits. */
	provider?: string;
}

/** A call that rings on this page. */
export interface IncomingCall {
	callId: string;
	callerId: string;
	callerName: string;
	avatarLink: string | null;
	/** Name of the group, "" in a call between two. */
	groupTitle: string;
	providerType: string;
	/** Whether this tab is the one that sounds. */
	sounding: boolean;
	/** The user does not want to be disturbed: shown without a sound. */
	silent: boolean;
	/** The user is in another call. */
	waiting: boolean;
}

/** A call that the user is in on another device or in another tab. */
export interface CallElsewhere {
	callId: string;
	title: string;
	group: boolean;
	providerType: string;
	/** When it began, in ms of the Unix epoch. */
	since: number;
	clientId: string;
}

/** A call that rang here and was taken on another device or in another tab. */
export interface AnsweredElsewhere {
	callId: string;
	title: string;
	clientId: string;
	at: number;
}

/** What keeps a call, or its ring, from working. */
export type Problem =
	| "offline"
	/** The machine slept; it is not known yet whether the connection outlived it. */
	| "waking"
	/** The server does not let this user in any more. */
	| "refused"
	| "media_denied"
	| "media_missing"
	| "media_busy"
	| "media_insecure"
	/** The browser wants a click before the others are heard. */
	| "autoplay_blocked"
	/** The browser did not open the call's window. */
	| "popup_blocked"
	/** The browser wants a click before a ring is heard. */
	| "ring_blocked";

/** The call that this page is in, rings out for, or has just ended. */
export interface CurrentCall {
	callId: string;
	phase: "preparing" | "ringing" | "joining" | "active" | "ended";
	group: boolean;
	/** The other person or the group. */
	title: string;
	providerType: string;
	/** On how many devices of others it rings. */
	ringing: number;
	/** Ids of participants who did not answer and can be rung again. */
	unanswered: string[];
	/** What is wrong now. */
	problems: Problem[];
	/** What to tell the user now. */
	status: string;
	reason: string;
	/** Link to the call, for providers that do not run inside the page. */
	url: string;
	since: number;
	session: MediaSession | null;
	/** Names of participants by id, and addresses of their pictures. */
	names: Map<string, string>;
	pictures: Map<string, string>;
}

/** The call controller. Dispatches `change`. */
export interface Calls extends EventTarget {
	readonly current: CurrentCall | null;
	readonly incoming: IncomingCall[];
	/** Calls that go on without this page. */
	readonly elsewhere: CallElsewhere[];
	/** Set for some seconds when another device took a call that rang here. */
	readonly answeredElsewhere: AnsweredElsewhere | null;
	/** How many missed calls were not seen yet. */
	readonly missed: number;
	readonly problems: Problem[];
	start(target: CallTarget): Promise<void>;
	join(callId: string): Promise<void>;
	accept(callId: string): Promise<void>;
	decline(callId: string, reason?: "declined" | "busy"): Promise<void>;
	/** Hides a call that rings, on this page only. */
	ignore(callId: string): void;
	/** Continues a call here; the user's other devices are out of it. */
	takeOver(callId: string): Promise<void>;
	/** Rings somebody once more who did not answer. */
	ringAgain(userId: string): Promise<void>;
	/** Notes that missed calls were seen, all or those up to an entry's cursor. */
	readMissed(upTo?: string): Promise<void>;
	/** Tells of a problem that only an element can see. */
	report(problem: Problem, present: boolean): void;
	hangUp(): Promise<void>;
	setMuted(muted: boolean): void;
	setCameraOff(off: boolean): void;
	/** Asks for camera and microphone again. */
	retryMedia(): Promise<void>;
	/** The group's running call, "" if none; kept up to date, see `change`. */
	groupCall(target: CallTarget): string;
	close(): void;
}

/**
 * What `eXo.webConferencing` (exo.js) returns: a promise that also has the
 * methods of jQuery's. `fail` gets the error, the HTTP status and a text.
 */
export interface LegacyPromise<T = any> extends PromiseLike<T> {
	state(): "pending" | "resolved" | "rejected";
	done(...callbacks: any[]): LegacyPromise<T>;
	fail(...callbacks: any[]): LegacyPromise<T>;
	always(...callbacks: any[]): LegacyPromise<T>;
	progress(...callbacks: any[]): LegacyPromise<T>;
	pipe(onDone?: any, onFail?: any): LegacyPromise;
	catch(onFail: any): LegacyPromise;
	finally(callback: () => void): Promise<T>;
	promise(target?: any): any;
}

/** Options of `start` in index.js. */
export interface StartOptions extends WebConferencingOptions {
	/**
	 * Addresses of connector modules, relative to the client's assets. Defaults
	 * to those of the active providers.
	 */
	connectors?: string[];
}

/** What `start` in index.js has started. */
export interface Started {
	wc: WebConferencing;
	calls: Calls;
	/** Ends calls, connections and elements' content. */
	close(): void;
}
