package bayeux

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"
)

// Unlimited switches a limit off where its comment allows that.
const Unlimited = -1

// Identity says who a session belongs to.
type Identity struct {
	// User is the application's name of the user. Sessions are counted and
	// found by it.
	User string

	// Value is anything else that the application wants to find again.
	Value any
}

// Operation is what a client asks leave for.
type Operation string

// The operations that Options.Authorize decides about.
const (
	// OpCreate precedes the first subscription to, or a publish on, a channel
	// that has no subscriber yet. Its refusal reads otherwise than the others do,
	// by which a client can tell whether the channel is in use; a [Refusal] with a
	// Text reads the same.
	OpCreate Operation = "create"
	// OpSubscribe precedes every subscription.
	OpSubscribe Operation = "subscribe"
	// OpPublish precedes every publish, on service channels too, where it is a
	// remote call.
	OpPublish Operation = "publish"
)

// Options configures a [Server]. The zero value is a working server to which
// everybody may connect, subscribe and publish, as CometD's is; a server that
// faces strangers sets at least Authenticate and Authorize.
//
// Hooks run without any lock held, and may call everything in this package
// except Shutdown. A hook that panics refuses the message it was called for.
// One that ends its goroutine, as [testing.T.FailNow] does, may take the
// client's connection with it, as in net/http; its session stays.
//
// Hooks with a context must return when it ends, which is after CallTimeout.
// One that does not is given up: its message is answered "504::timeout", a
// handshake or a request that Reauthenticate was asked about by HTTP 504, on a
// WebSocket by closing it with 1013. What it returns later is ignored, except
// that OnUnsubscribe is called for a subscription that OnSubscribe agreed to
// too late, which may be after OnSessionClosed. While 64 calls of one hook are
// stuck, or 4 of one session, further ones are answered at once by "503::busy"
// or HTTP 503; calls that ran already when a hook got stuck may come on top, as
// at most 1,024 calls of one hook run at a time.
//
// A service handler that does not return in time makes room for the session's
// next call; the bounds of 64 and 4 hold for each handler too. The hooks that a
// publish asks (Incoming, Authorize, OnPublish and filters) are given up only
// with GuardPublish. Hooks without a context, and a History, are always waited
// for: they must not block.
type Options struct {
	// Authenticate decides who a handshake comes from. The request is the one
	// that carries the handshake, on a WebSocket the one that opened it. The
	// handler of that one has returned: its context is not canceled, but what
	// a router takes back when the handler returns must not be read. The
	// message gives access to all its fields and its ext. An error refuses
	// the handshake with "403::handshake_denied"; see [Refusal] for other
	// words. Defaults to accepting everybody with an empty Identity.
	Authenticate func(ctx context.Context, r *http.Request, m *Message) (Identity, error)

	// AllowAnonymous accepts an Identity with an empty User from
	// Authenticate. Defaults to refusing it, unless there is no Authenticate.
	AllowAnonymous bool

	// Reauthenticate is asked on every HTTP request of a session, when a
	// WebSocket first uses a session, and every ReauthenticateEvery on open
	// WebSockets and held connects. It must compare the request's user with the
	// session's. An error ends the session, except that a request of another
	// user than the session's should return [ErrForeign], which leaves the
	// session alone: the request is refused, an open WebSocket closed, a held
	// connect answered with DuplicateConnectStatus. What Authenticate says of
	// requests holds here too. Defaults to no check.
	Reauthenticate func(ctx context.Context, r *http.Request, s *Session) error

	// ReauthenticateEvery is the time between two checks of an open
	// WebSocket or a held connect. Defaults to 10 s.
	ReauthenticateEvery time.Duration

	// Authorize decides about one operation on one channel, which for a remote
	// call is OpPublish on a channel below /service; the message gives access to
	// all its top-level fields. An error refuses; see [Refusal] for
	// the words. A subscription to a pattern is asked about as the pattern,
	// not for each channel that it matches: whoever guards /private/** must
	// refuse /** too, or set DenyWildcards. Meta channels never get here.
	// Subscriptions to service channels have no effect and are not asked
	// about. Rules for some channels only are those of Channels, which also know
	// what a pattern would bring. Defaults to allowing everything.
	Authorize func(ctx context.Context, s *Session, op Operation, channel string, m *Message) error

	// RecheckSubscriptions asks Authorize and the rules again about what a
	// session is subscribed to, whenever Reauthenticate is asked but at most once
	// in ReauthenticateEvery, and ends what is refused; see
	// [Session.Reauthorize]. Defaults to asking when a client subscribes only.
	RecheckSubscriptions bool

	// DenyWildcards refuses subscriptions that end in /* or /**. Defaults to
	// allowing them.
	DenyWildcards bool

	// Incoming sees every message before it is processed, handshakes included,
	// for which the session is nil. An error drops the message: the client is
	// answered "404::message_deleted", or a [Refusal]'s words. Defaults to
	// nothing.
	Incoming func(ctx context.Context, s *Session, m *Message) error

	// HandshakeExt adds members to the ext of the reply to a successful
	// handshake; the values must be valid JSON. Defaults to nothing.
	HandshakeExt func(s *Session, m *Message) map[string]json.RawMessage

	// OnPublish sees every publish that was authorised, before anything is
	// distributed. With handled true the publisher is acknowledged and
	// nothing is distributed. An error refuses with "404::message_deleted",
	// or with a [Refusal]'s words. Defaults to distributing.
	OnPublish func(ctx context.Context, s *Session, m *Message) (handled bool, err error)

	// OnSubscribe is called once a session was added to a channel, before the
	// reply is made; it may Deliver to the session, but what others publish
	// meanwhile may come before that: what was said before a client came is for
	// History. An error takes the session out again and refuses. It is not called for a channel that the
	// session has already. Defaults to nothing.
	OnSubscribe func(ctx context.Context, s *Session, channel string, m *Message) error

	// OnUnsubscribe is called exactly once for every subscription for which
	// OnSubscribe was called without error, also when the session ends.
	// Defaults to nothing.
	OnUnsubscribe func(s *Session, channel string, reason Reason)

	// OnSession is called once when a handshake succeeded, before its reply is
	// sent. Defaults to nothing.
	OnSession func(s *Session)

	// OnSessionClosed is called once when a session has ended, after OnSession
	// has returned and after OnUnsubscribe for each of its channels. The server
	// does not list the session any more. Defaults to nothing.
	OnSessionClosed func(s *Session, reason Reason)

	// OnHold is called when a connect of the session begins to be held, with
	// the time after which it is answered if nothing happens, and OnRelease
	// when it is held no more: timedOut if nothing happened, otherwise because
	// of a message, a newer connect, the end of the session or of the
	// connection. They come in pairs, in this order. OnRelease may run on the
	// goroutine of who published the message. Default to nothing.
	OnHold    func(s *Session, timeout time.Duration)
	OnRelease func(s *Session, timedOut bool)

	// PanicData is the data of a failed remote call whose handler panicked,
	// gave no answer or could not be reached in time. If it is an object it gets
	// the member "ref" when there is a line in the log; see Logger. Defaults to
	// {"code":"SERVER_ERROR","message":"The request failed.","error":true}.
	PanicData json.RawMessage

	// PrivateFields are further top-level fields that are not passed on to
	// the subscribers of a published message, for instance tokens. Fields of
	// the protocol are never passed on. Defaults to none.
	PrivateFields []string

	// RelayExt are the members of a published message's ext that are passed
	// on to subscribers. Defaults to "binary".
	RelayExt []string

	// HideOwnMessages keeps a publisher that is subscribed itself from
	// getting its own message. Defaults to sending it, as CometD does.
	HideOwnMessages bool

	// Channels are rules for some channels: rights, lazy delivery, filters. All rules
	// whose pattern matches apply, in this order. Defaults to none.
	Channels []ChannelRule

	// History keeps published messages, so that clients with the replay
	// extension get what they missed. One replay is at most MaxQueue and
	// MaxQueueBytes, on top of what waits for the session otherwise: a client
	// that asks for everything gets the newest of more, one that has missed more
	// is answered "400::replay_id_invalid", as if its id were too old. Defaults
	// to no replay.
	History History

	// DisableAck switches the acknowledgement extension off. Defaults to
	// offering it.
	DisableAck bool

	// ConnectOnly sends messages with connect replies only, which keeps their
	// order on long-polling without the acknowledgement extension. Defaults
	// to sending them by the first response there is.
	ConnectOnly bool

	// DeliverDuringHandshake sends what was queued while the handshake was
	// processed right behind its reply, which then tells the number in
	// x-messages. Defaults to sending it with the first connect.
	DeliverDuringHandshake bool

	// Timestamp adds the time of sending to every message to clients, in the
	// ISO 8601 form of the specification. Defaults to not doing so.
	Timestamp bool

	// MaxInactivity ends a session that sends nothing but connects for so
	// long; it is checked when a connect comes. Defaults to no such limit.
	MaxInactivity time.Duration

	// DeliveriesAreActivity counts messages to a client as its activity.
	// Defaults to counting messages from it only.
	DeliveriesAreActivity bool

	// Timeout is how long a connect is held when there is nothing to say.
	// Defaults to 30 s.
	Timeout time.Duration

	// Interval is the pause that clients are asked to make between two
	// connects. Defaults to none.
	Interval time.Duration

	// MaxInterval is how long a session lives without a connect, beyond
	// Interval. Defaults to 10 s.
	MaxInterval time.Duration

	// MaxProcessing ends a session whose connect is not answered so long after
	// the time for which it may be held, for instance because a hook that was
	// asked about another message of the same batch is stuck. A session does
	// not expire otherwise while its connect is in progress. Defaults to no
	// such limit.
	MaxProcessing time.Duration

	// MaxTimeout caps the hold that a client may ask for in advice.timeout.
	// Defaults to the larger of Timeout and 60 s.
	MaxTimeout time.Duration

	// MaxClientInterval caps the pause that a client may ask for in
	// advice.interval. Defaults to the larger of Interval and 60 s.
	MaxClientInterval time.Duration

	// AdviseMaxInterval puts maxInterval into the handshake's advice, so that
	// CometD's clients make a new handshake without asking once it has
	// passed. Defaults to leaving it out.
	AdviseMaxInterval bool

	// CallTimeout bounds every hook and every remote call. Defaults to 5 s.
	CallTimeout time.Duration

	// ShutdownGrace is how long Shutdown waits for clients to take what waits
	// for them, and for remote calls that run. Negative ends everything at once.
	// Defaults to 2 s.
	ShutdownGrace time.Duration

	// GuardPublish gives up the hooks of a publish too when they do not return
	// in time. It runs them on a goroutine of their own, which makes a publish
	// with quick hooks about a sixth dearer. Defaults to trusting them to heed
	// their context.
	GuardPublish bool

	// MaxCalls is how many remote calls of one session run at once; they
	// start in the order in which they came. Defaults to 4.
	MaxCalls int

	// MaxPendingCalls is how many remote calls of one session may wait.
	// Further ones are refused. Defaults to 64.
	MaxPendingCalls int

	// MaxMessageBytes limits an HTTP body and a WebSocket message. Defaults
	// to 65,536.
	MaxMessageBytes int

	// MaxBatch limits the messages of one request. Defaults to 64.
	MaxBatch int

	// MaxDepth limits the nesting of JSON, the batch's own array included.
	// Defaults to 32.
	MaxDepth int

	// MaxTokens limits the JSON values and keys of one message. Defaults to
	// 4,096.
	MaxTokens int

	// MaxChannelBytes limits the length of a channel name. Defaults to 255.
	MaxChannelBytes int

	// MaxChannelSegments limits the segments of a channel name. Defaults
	// to 8.
	MaxChannelSegments int

	// MaxMessageRate is how many messages a second one session may send in
	// the long run, and MaxMessageBurst how many at once. Beyond that the
	// server reads more slowly; over HTTP a request that would wait longer
	// than CallTimeout is refused with "429::too_many_messages". They default
	// to 100 and 1,000; MaxMessageRate Unlimited is allowed.
	MaxMessageRate  int
	MaxMessageBurst int

	// MaxHandshakesPerAddress is how many handshakes a second one network
	// address may make; there is a burst of five times as many. Further ones
	// are answered by HTTP 503, on a WebSocket by closing it with 1013.
	// Defaults to 20; Unlimited is allowed.
	MaxHandshakesPerAddress int

	// MaxHandshakesPerUser is the same for one user; further ones are refused
	// with the advice to try again. Defaults to 5; Unlimited is allowed.
	MaxHandshakesPerUser int

	// MaxUnknownPerAddress is how many messages with an unknown session one
	// network address may send a minute, before they get HTTP 429, or close
	// the WebSocket with 1013; known sessions are not concerned. After a
	// restart every client sends one, and many may share an address; the
	// session ids themselves cannot be guessed. Defaults to 600; Unlimited is
	// allowed.
	MaxUnknownPerAddress int

	// ClientAddr tells the network address of a client, for a host behind
	// proxies that it trusts; [ForwardedFor] makes one, for instance
	// ForwardedFor(netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("::1/128")).
	// An empty address is not
	// limited, and of an IPv6 address its network of 64 bits is; see [Customer].
	// Defaults to the address of the connection, or to nothing for a connection
	// from the same machine, which is that of a proxy; headers are never read.
	ClientAddr func(r *http.Request) string

	// MaxSessionsPerAddress is how many sessions one network address may have,
	// and MaxSocketsPerAddress how many WebSockets. Further handshakes are
	// answered by HTTP 503, on a WebSocket by closing it with 1013; further
	// WebSockets are refused with HTTP 503. Default to Unlimited, because whole
	// companies share an address, as do all clients behind a proxy that
	// ClientAddr does not see through.
	MaxSessionsPerAddress int
	MaxSocketsPerAddress  int

	// MaxConnectsPerBrowser is how many connects are held at once for one
	// browser over HTTP/1, where browsers open few connections. The others
	// poll every MultiSessionInterval, or are sent away if that is negative. They
	// default to 4 and 2 s; Unlimited is allowed for the first.
	MaxConnectsPerBrowser int
	MultiSessionInterval  time.Duration

	// MaxConnectsPerBrowserHTTP2 is the same over HTTP/2 and later, where the
	// requests of a browser share a connection; the two are counted apart.
	// Defaults to Unlimited.
	MaxConnectsPerBrowserHTTP2 int

	// MaxSubscriptions limits the channels of one session. Defaults to 128.
	MaxSubscriptions int

	// MaxSubscriptionsPerRequest limits the channels of one subscribe
	// message. Defaults to 32.
	MaxSubscriptionsPerRequest int

	// MaxSessions limits the sessions of the server; further handshakes are
	// answered by HTTP 503. Defaults to 10,000.
	MaxSessions int

	// MaxSessionsPerUser limits the sessions of one user; the one that has
	// been silent for longest makes place if it is not connected, otherwise
	// the handshake is refused. It does not count anonymous sessions.
	// Defaults to 16; Unlimited is allowed.
	MaxSessionsPerUser int

	// MaxQueue and MaxQueueBytes limit what waits for one session, what it
	// has not acknowledged included. Over either the session is ended as
	// slow, as it is if it acknowledges nothing for a minute although the same is
	// sent to it again and again. They default to 1,000 messages and 1 MiB.
	MaxQueue      int
	MaxQueueBytes int

	// MaxResponseBytes is how much of a queue is sent in one HTTP response or
	// WebSocket frame; more follows in the next. Defaults to 262,144.
	MaxResponseBytes int

	// MessagesPerFrame is how many queued messages go into one WebSocket frame;
	// CometD sends 1. It does not concern replies, nor messages that leave with a
	// connect. Defaults to as many as wait, up to MaxResponseBytes.
	MessagesPerFrame int

	// BodyTimeout bounds the reading of an HTTP body or of one WebSocket
	// message once it has begun. Defaults to 10 s.
	BodyTimeout time.Duration

	// WriteTimeout bounds the writing of one HTTP response or WebSocket
	// frame. Defaults to 5 s.
	WriteTimeout time.Duration

	// PingEvery is the time between WebSocket pings, and PingTimeout the time
	// in which the pong must come. They default to 25 s and 10 s.
	PingEvery   time.Duration
	PingTimeout time.Duration

	// DuplicateConnectStatus is the HTTP status of a held connect that a newer
	// one overtook. Browsers repeat some statuses by themselves, 408 among
	// them. Defaults to 500.
	DuplicateConnectStatus int

	// AllowedOrigins are further origins, such as "https://portal.example",
	// whose pages may use the server; they are answered with CORS headers. If
	// one is of another site, not just another host of the same domain, browsers
	// send it the cookie only with Cookie.Partitioned, or Cookie.SameSite None.
	// Defaults to none: only the origin that the server itself is reached by,
	// which is what Host or, of current browsers, Sec-Fetch-Site says; naming that
	// one too does no harm. Faye's client in a browser does not work from other
	// origins, see the package's documentation.
	AllowedOrigins []string

	// AllowedHeaders are further headers that pages of AllowedOrigins may send,
	// for instance "X-CSRF-Token". Defaults to none besides Content-Type,
	// Authorization, X-Requested-With and Pragma.
	AllowedHeaders []string

	// TrustClientSession accepts a session id over HTTP without the browser
	// cookie, for clients that keep no cookies. Whoever has learned the id can use
	// the session then, if Reauthenticate does not object. A WebSocket does not
	// need the cookie in any case, see below. Defaults to requiring it.
	TrustClientSession bool

	// RequireCookieOnWebSocket refuses to let a WebSocket without the browser
	// cookie use a session that was made over HTTP. Faye's client opens its
	// WebSocket before it has the cookie and does not work with it. A wrong
	// cookie is refused in any case. Defaults to accepting a missing one.
	RequireCookieOnWebSocket bool

	// RequireHandshakePerConnection makes a WebSocket use only the sessions
	// whose handshake it carried. Faye's client does not work with it.
	// Defaults to accepting any session of the same client.
	RequireHandshakePerConnection bool

	// WebSocketProtocol is the subprotocol that clients must offer. Defaults
	// to none.
	WebSocketProtocol string

	// StayInHandler keeps requests of long-polling inside of ServeHTTP until they
	// are answered, and their connections with net/http. Otherwise the connection
	// of a client that has a session is taken from net/http: ServeHTTP returns
	// at once, and whoever has something for a waiting client writes the answer,
	// with the headers that middleware has set. That halves the memory of a
	// waiting client and more than halves the work for an answer. Further
	// requests on the connection are given to the Handler of the http.Server as
	// before, as long as they are plain POST requests to a path where this server
	// was reached before and of 8 KiB at most; at any other the connection goes
	// back to the http.Server. Middleware that logs or measures sees such a
	// request end early, without a status, and the context of the request ends
	// with the handler, not with the connection;
	// http.Server.SetKeepAlivesEnabled has no effect on such connections. It is
	// only done for HTTP/1.1 without TLS, with no wrapper around the
	// http.ResponseWriter. Defaults to false.
	StayInHandler bool

	// Cookie describes the browser cookie.
	Cookie CookieOptions

	// DisableWebSocket and DisableLongPolling switch a transport off.
	// Default to both on.
	DisableWebSocket   bool
	DisableLongPolling bool

	// Logger gets what an operator should know. Session ids never appear. Lines
	// about faults have a reference, "ref", which the client is told too: in the
	// ext of the reply, in the data of a failed remote call, as the requestId of
	// an HTTP error or in the reason of a WebSocket's end. Ten such lines a
	// second are written in the long run. Defaults to discarding.
	Logger *slog.Logger
}

// CookieOptions describes the cookie that ties HTTP requests to a browser.
type CookieOptions struct {
	// Name defaults to BAYEUX_BROWSER. With the prefix __Host- browsers take
	// the cookie only if it is Secure, has the path "/" and no domain, with
	// __Secure- if it is Secure.
	Name string
	// Path defaults to "/".
	Path string
	// Domain defaults to none.
	Domain string
	// MaxAge is in seconds. Defaults to a cookie for the browser's session.
	MaxAge int
	// Secure marks the cookie Secure even if the request did not come by
	// HTTPS, for a server behind a proxy that ends TLS. Defaults to Secure
	// exactly on HTTPS.
	Secure bool
	// SameSite defaults to Lax, with Partitioned to None. None implies Secure.
	SameSite http.SameSite
	// Partitioned sets the attribute of that name, which browsers that refuse
	// cookies of third parties ask for, and implies Secure. Defaults to false.
	Partitioned bool
}

// ErrForeign is what Options.Reauthenticate returns for a request that does
// not belong to the session's user. The request is answered as if the session
// did not exist.
var ErrForeign = errors.New("bayeux: request of another user")
