package bayeux

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
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
	// that has no subscriber yet.
	OpCreate Operation = "create"
	// OpSubscribe precedes every subscription.
	OpSubscribe Operation = "subscribe"
	// OpPublish precedes every publish, on service channels too.
	OpPublish Operation = "publish"
)

// Options configures a [Server]. The zero value is a working server to which
// everybody may connect, subscribe and publish, as CometD's is; a server that
// faces strangers sets at least Authenticate and Authorize.
//
// Hooks run on the goroutine of the request, without any lock held, and may
// call everything in this package except Shutdown. A hook that panics refuses
// the message it was called for.
type Options struct {
	// Authenticate decides who a handshake comes from. The request is the one
	// that carries the handshake, on a WebSocket the one that opened it. The
	// message gives access to all its fields and its ext. An error refuses
	// the handshake with "403::handshake_denied"; see [Refusal] for other
	// words. Defaults to accepting everybody with an empty Identity.
	Authenticate func(ctx context.Context, r *http.Request, m *Message) (Identity, error)

	// AllowAnonymous accepts an Identity with an empty User from
	// Authenticate. Defaults to refusing it.
	AllowAnonymous bool

	// Reauthenticate is asked on every HTTP request of a session, when a
	// WebSocket first uses a session, and every ReauthenticateEvery on open
	// WebSockets. It must compare the request's user with the session's. An
	// error ends the session, except that a request of another user than the
	// session's should return [ErrForeign], which refuses the request and
	// leaves the session alone. Defaults to no check.
	Reauthenticate func(ctx context.Context, r *http.Request, s *Session) error

	// ReauthenticateEvery is the time between two checks of an open
	// WebSocket. Defaults to 10 s.
	ReauthenticateEvery time.Duration

	// Authorize decides about one operation on one channel; the message gives
	// access to all its top-level fields. An error refuses; see [Refusal] for
	// the words. Meta channels never get here. Subscriptions to service
	// channels have no effect and are not asked about. Defaults to allowing
	// everything.
	Authorize func(ctx context.Context, s *Session, op Operation, channel string, m *Message) error

	// DenyWildcards refuses subscriptions that end in /* or /**. Defaults to
	// allowing them.
	DenyWildcards bool

	// OnPublish sees every publish that was authorised, before anything is
	// distributed. With handled true the publisher is acknowledged and
	// nothing is distributed. An error refuses with "404::message_deleted",
	// or with a [Refusal]'s words. Defaults to distributing.
	OnPublish func(ctx context.Context, s *Session, m *Message) (handled bool, err error)

	// OnSubscribe is called once a session was added to a channel, before the
	// reply is made; it may Deliver to the session. An error takes the
	// session out again and refuses. It is not called for a channel that the
	// session has already. Defaults to nothing.
	OnSubscribe func(ctx context.Context, s *Session, channel string, m *Message) error

	// OnUnsubscribe is called exactly once for every subscription for which
	// OnSubscribe was called without error, also when the session ends.
	// Defaults to nothing.
	OnUnsubscribe func(s *Session, channel string, reason Reason)

	// OnSession is called when a handshake succeeded, before its reply is
	// sent. Defaults to nothing.
	OnSession func(s *Session)

	// OnSessionClosed is called once when a session has ended, after
	// OnUnsubscribe for each of its channels. Defaults to nothing.
	OnSessionClosed func(s *Session, reason Reason)

	// PanicData is the data of a failed remote call whose handler panicked,
	// gave no answer or could not be reached in time. Defaults to
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

	// Timeout is how long a connect is held when there is nothing to say.
	// Defaults to 30 s.
	Timeout time.Duration

	// Interval is the pause that clients are asked to make between two
	// connects. Defaults to none.
	Interval time.Duration

	// MaxInterval is how long a session lives without a connect, beyond
	// Interval. Defaults to 10 s.
	MaxInterval time.Duration

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
	// slow. They default to 1,000 messages and 1 MiB.
	MaxQueue      int
	MaxQueueBytes int

	// MaxResponseBytes is how much of a queue is sent in one HTTP response or
	// WebSocket frame; more follows in the next. Defaults to 262,144.
	MaxResponseBytes int

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
	// whose pages may use the server; they are answered with CORS headers.
	// Defaults to none: only the origin that the server itself is reached by.
	AllowedOrigins []string

	// TrustClientSession accepts a session id over HTTP without the browser
	// cookie, for clients that keep no cookies. Defaults to requiring it.
	TrustClientSession bool

	// RequireCookieOnWebSocket refuses to let a WebSocket without the browser
	// cookie use a session that was made over HTTP. Faye's client opens its
	// WebSocket before it has the cookie and does not work with it. A wrong
	// cookie is refused in any case. Defaults to accepting a missing one.
	RequireCookieOnWebSocket bool

	// Cookie describes the browser cookie.
	Cookie CookieOptions

	// DisableWebSocket and DisableLongPolling switch a transport off.
	// Default to both on.
	DisableWebSocket   bool
	DisableLongPolling bool

	// Logger gets what an operator should know. Session ids never appear.
	// Defaults to discarding.
	Logger *slog.Logger
}

// CookieOptions describes the cookie that ties HTTP requests to a browser.
type CookieOptions struct {
	// Name defaults to BAYEUX_BROWSER.
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
	// SameSite defaults to Lax. None implies Secure.
	SameSite http.SameSite
	// Partitioned sets the attribute of that name and implies Secure.
	Partitioned bool
}

// ErrForeign is what Options.Reauthenticate returns for a request that does
// not belong to the session's user. The request is answered as if the session
// did not exist.
var ErrForeign = errors.New("bayeux: request of another user")

// withDefaults returns a filled copy.
func (o *Options) withDefaults() Options {
	var c Options
	if o != nil {
		c = *o
	}
	c.AllowAnonymous = c.AllowAnonymous || c.Authenticate == nil
	c.ReauthenticateEvery = cmp.Or(c.ReauthenticateEvery, 10*time.Second)
	c.Timeout = cmp.Or(c.Timeout, 30*time.Second)
	c.MaxInterval = cmp.Or(c.MaxInterval, 10*time.Second)
	c.MaxTimeout = cmp.Or(c.MaxTimeout, max(c.Timeout, time.Minute))
	c.MaxClientInterval = cmp.Or(c.MaxClientInterval, max(c.Interval, time.Minute))
	c.CallTimeout = cmp.Or(c.CallTimeout, 5*time.Second)
	c.MaxCalls = cmp.Or(c.MaxCalls, 4)
	c.MaxPendingCalls = cmp.Or(c.MaxPendingCalls, 64)
	c.MaxMessageBytes = cmp.Or(c.MaxMessageBytes, 64<<10)
	c.MaxBatch = cmp.Or(c.MaxBatch, 64)
	c.MaxDepth = cmp.Or(c.MaxDepth, 32)
	c.MaxTokens = cmp.Or(c.MaxTokens, 4096)
	c.MaxChannelBytes = cmp.Or(c.MaxChannelBytes, 255)
	c.MaxChannelSegments = cmp.Or(c.MaxChannelSegments, 8)
	c.MaxSubscriptions = cmp.Or(c.MaxSubscriptions, 128)
	c.MaxSubscriptionsPerRequest = cmp.Or(c.MaxSubscriptionsPerRequest, 32)
	c.MaxSessions = cmp.Or(c.MaxSessions, 10_000)
	c.MaxSessionsPerUser = cmp.Or(c.MaxSessionsPerUser, 16)
	c.MaxQueue = cmp.Or(c.MaxQueue, 1000)
	c.MaxQueueBytes = cmp.Or(c.MaxQueueBytes, 1<<20)
	c.MaxResponseBytes = cmp.Or(c.MaxResponseBytes, 256<<10)
	c.BodyTimeout = cmp.Or(c.BodyTimeout, 10*time.Second)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, 5*time.Second)
	c.PingEvery = cmp.Or(c.PingEvery, 25*time.Second)
	c.PingTimeout = cmp.Or(c.PingTimeout, 10*time.Second)
	c.DuplicateConnectStatus = cmp.Or(c.DuplicateConnectStatus, http.StatusInternalServerError)
	c.Cookie.Name = cmp.Or(c.Cookie.Name, "BAYEUX_BROWSER")
	c.Cookie.Path = cmp.Or(c.Cookie.Path, "/")
	c.Cookie.SameSite = cmp.Or(c.Cookie.SameSite, http.SameSiteLaxMode)
	if c.PanicData == nil {
		c.PanicData = json.RawMessage(`{"code":"SERVER_ERROR","message":"The request failed.","error":true}`)
	}
	if c.RelayExt == nil {
		c.RelayExt = []string{"binary"}
	}
	c.RelayExt = append([]string(nil), c.RelayExt...)
	c.PrivateFields = append([]string(nil), c.PrivateFields...)
	c.AllowedOrigins = append([]string(nil), c.AllowedOrigins...)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// validate reports everything that is wrong with filled options.
func (o *Options) validate() error {
	var faults []error
	fault := func(field, format string, args ...any) {
		faults = append(faults, fmt.Errorf("bayeux: Options.%s "+format, append([]any{field}, args...)...))
	}
	for _, d := range o.durations() {
		if d.value < 0 || d.value == 0 && d.name != "Interval" {
			fault(d.name, "must be positive, is %v", d.value)
		}
	}
	for _, n := range o.counts() {
		if n.value < n.least || n.value > n.most {
			fault(n.name, "must be from %d to %d, is %d", n.least, n.most, n.value)
		}
	}
	if o.MaxSessionsPerUser < 1 && o.MaxSessionsPerUser != Unlimited {
		fault("MaxSessionsPerUser", "must be positive or Unlimited, is %d", o.MaxSessionsPerUser)
	}
	if o.MaxTimeout < o.Timeout {
		fault("MaxTimeout", "must not be below Timeout")
	}
	for _, origin := range o.AllowedOrigins {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != origin || strings.Contains(origin, "*") {
			fault("AllowedOrigins", "holds %q, which is not of the form scheme://host[:port]", origin)
		}
	}
	if err := checkJSON(o.PanicData, o.MaxDepth, o.MaxTokens); err != nil {
		fault("PanicData", "must be valid JSON")
	}
	if o.DisableLongPolling && o.DisableWebSocket {
		fault("DisableLongPolling", "and DisableWebSocket must not both be set")
	}
	return errors.Join(faults...)
}

type namedDuration struct {
	name  string
	value time.Duration
}

func (o *Options) durations() []namedDuration {
	return []namedDuration{
		{"ReauthenticateEvery", o.ReauthenticateEvery}, {"Timeout", o.Timeout}, {"Interval", o.Interval},
		{"MaxInterval", o.MaxInterval}, {"MaxTimeout", o.MaxTimeout}, {"MaxClientInterval", o.MaxClientInterval},
		{"CallTimeout", o.CallTimeout}, {"BodyTimeout", o.BodyTimeout}, {"WriteTimeout", o.WriteTimeout},
		{"PingEvery", o.PingEvery}, {"PingTimeout", o.PingTimeout},
	}
}

type namedCount struct {
	name               string
	value, least, most int
}

func (o *Options) counts() []namedCount {
	return []namedCount{
		{"MaxCalls", o.MaxCalls, 1, 1024}, {"MaxPendingCalls", o.MaxPendingCalls, 1, 1 << 16},
		{"MaxMessageBytes", o.MaxMessageBytes, 64, 64 << 20}, {"MaxBatch", o.MaxBatch, 1, 1 << 16},
		{"MaxDepth", o.MaxDepth, 4, 1000}, {"MaxTokens", o.MaxTokens, 16, 1 << 24},
		{"MaxChannelBytes", o.MaxChannelBytes, 16, 4096}, {"MaxChannelSegments", o.MaxChannelSegments, 2, 256},
		{"MaxSubscriptions", o.MaxSubscriptions, 1, 1 << 20},
		{"MaxSubscriptionsPerRequest", o.MaxSubscriptionsPerRequest, 1, 1 << 16},
		{"MaxSessions", o.MaxSessions, 1, 1 << 24}, {"MaxQueue", o.MaxQueue, 1, 1 << 24},
		{"MaxQueueBytes", o.MaxQueueBytes, 1024, 1 << 30}, {"MaxResponseBytes", o.MaxResponseBytes, 1024, 1 << 30},
		{"DuplicateConnectStatus", o.DuplicateConnectStatus, 400, 599},
	}
}
