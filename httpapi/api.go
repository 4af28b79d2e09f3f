// Package httpapi connects browsers to a [webconferencing.Service]: REST
// resources, Bayeux with remote calls and event channels, and the files of the
// browser client. Its wire contract is that of eXo's Web Conferencing add-on,
// whose clients work with it unmodified.
//
// An [API] is a set of handlers that the host mounts where it likes:
//
//	api, err := httpapi.New(svc, authenticator, nil)
//	if err != nil {
//		return err
//	}
//	go api.Run(ctx)
//	defer api.Shutdown(context.Background())
//
//	rest := "/portal/rest/webconferencing"
//	mux.Handle(rest+"/", http.StripPrefix(rest, api.REST()))
//	status := "/portal/rest/state/status"
//	mux.Handle(status+"/", http.StripPrefix(status, api.UserStatus()))
//	mux.Handle("/cometd/", api.Bayeux())
//	mux.Handle("/webconferencing/", http.StripPrefix("/webconferencing", api.Client()))
//
// # Who acts
//
// Every request is authenticated anew by the host's [Authenticator]. A Bayeux
// session belongs to the user of its handshake. Nothing in a body can name who
// acts; an exoId that names somebody else is refused.
//
// # Presence
//
// A joined device stays in its call while its Bayeux session shows signs of
// life, or while it sends heartbeats over REST. [API.Run] renews the leases; a
// device that vanished is gone within half a minute.
//
// # Errors
//
// Every failure leaves in one JSON shape, see [WriteError], with a reference
// that stands in the log line of [Options].Logger and, as far as the request
// changed anything, in the call's timeline.
//
// # Administration
//
// Whom the [Authenticator] says to be an administrator can see, over REST and
// by remote calls, which calls there are, what happened to them and why they
// still exist, and can end them. A user token never makes an administrator.
package httpapi

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

const (
	// callbackTimeout bounds what the host is asked on behalf of a request.
	callbackTimeout = 5 * time.Second
	// commandTimeout bounds one command of a client, all callbacks included.
	// Old clients give up after 10 s.
	commandTimeout = 9 * time.Second
)

// Options are the choices that a host has. Nil means all defaults.
type Options struct {
	// ContainerName is the portal's name that clients are told. Defaults to
	// "portal".
	ContainerName string
	// CometdPath is the path at which the host mounted [API.Bayeux], as
	// clients are told. Defaults to "/cometd/cometd".
	CometdPath string

	// TokenKey signs the user tokens that clients present at the Bayeux
	// handshake, at least 32 random bytes. Processes that serve the same
	// users need the same key. Defaults to a key made for this process, with
	// which tokens end when it does.
	TokenKey []byte
	// TokenTTL is how long a token is accepted. A session that was opened by
	// a token ends with it. Defaults to 24 h.
	TokenTTL time.Duration
	// AcceptToken is asked, on every request that a token stands for, whether
	// a token that is otherwise valid still counts, so that a host can void
	// the tokens issued before a sign-out. An error refuses. It may be called
	// concurrently. Defaults to accepting.
	AcceptToken func(ctx context.Context, user webconferencing.UserID, issued time.Time) error

	// TrustedOrigins are further origins, of the form
	// "https://portal.example", whose pages may send requests. Defaults to
	// the origin that a request itself is addressed to.
	TrustedOrigins []string
	// ClientAddr returns the network address of the client, for hosts behind
	// a proxy that they trust to say so; [bayeux.ForwardedFor] makes one.
	// Without it the Bayeux server's limits for one address are off, since all
	// users may seem to come from the proxy. Defaults to the address of the
	// connection, whatever forwarding headers say. Limits count what
	// [bayeux.Customer] makes of it.
	ClientAddr func(*http.Request) string

	// MaxBodyBytes limits a REST body. Defaults to 65,536.
	MaxBodyBytes int64
	// RESTRate limits the REST requests of a user. Defaults to 10 a second
	// and 30 at once.
	RESTRate Rate
	// FailedHandshakeRate limits the Bayeux handshakes from one address that
	// are refused because nobody is signed in; those of people who are signed
	// in are limited by user, see [bayeux.Options]. Defaults to 20 a second
	// and 40 at once.
	FailedHandshakeRate Rate
	// FailedInviteRate limits a user's invite checks that were answered by
	// no, for all calls together. Defaults to 5 a minute and 5 at once.
	FailedInviteRate Rate
	// WebhookRate limits the requests of providers' servers from one address,
	// which nobody signs in for. Defaults to 50 a second and 200 at once.
	WebhookRate Rate

	// RingRate limits how often a user may ring others: by creating a call that
	// starts, starting one, or ringing somebody again. Defaults to 1 a second
	// and 30 at once.
	RingRate Rate

	// Bayeux tunes the Bayeux server: its limits, timings, cookie and
	// transports. The hooks, DenyWildcards and AllowedOrigins are set by this
	// package; sessions of devices that are in a call poll or are pinged every
	// 10 s, whatever Timeout and PingEvery say. Defaults to the defaults of
	// package bayeux with channel names that fit call ids, 64 sessions of a
	// user and one remote call of a session at a time.
	Bayeux *bayeux.Options

	// Logger gets what an operator should know. Defaults to discarding.
	Logger *slog.Logger
}

// API holds the handlers. It is safe for concurrent use.
type API struct {
	svc      *webconferencing.Service
	auth     Authenticator
	opts     Options
	log      *slog.Logger
	tokens   tokens
	bayeux   *bayeux.Server
	presence *presence
	missed   *missed
	names    *names
	encoded  *encodedEvents
	messages catalogue
	assets   *assets
	routes   []route
	csrf     *http.CrossOriginProtection

	webhooks                     *limiter // by address
	webhookSlots                 chan struct{}
	requests, strangers, guesses *limiter
	rings                        *limiter
	lines, refusals              *limiter // of the log

	life   context.Context // of background work, ended by Shutdown
	finish context.CancelFunc

	mu       sync.Mutex
	running  bool
	closed   bool
	finished chan struct{} // closed when Run has returned
	tasks    sync.WaitGroup
}

// New returns an API over a service. It starts nothing; see [API.Run]. All
// faults of the arguments are reported at once.
func New(svc *webconferencing.Service, auth Authenticator, opts *Options) (*API, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	faults := []error{o.complete()}
	if svc == nil {
		faults = append(faults, errors.New("httpapi: service is missing"))
	}
	if auth == nil {
		faults = append(faults, errors.New("httpapi: authenticator is missing"))
	}
	a := &API{
		svc: svc, auth: auth, opts: o, log: o.Logger,
		tokens:  tokens{key: o.TokenKey, ttl: o.TokenTTL},
		encoded: newEncodedEvents(),
		csrf:    http.NewCrossOriginProtection(),

		requests: newLimiter(o.RESTRate), strangers: newLimiter(o.FailedHandshakeRate),
		guesses: newLimiter(o.FailedInviteRate), rings: newLimiter(o.RingRate), lines: newLimiter(Rate{PerSecond: 5, Burst: 50}),
		refusals: newLimiter(Rate{PerSecond: 1, Burst: 30}), finished: make(chan struct{}),
		webhooks: newLimiter(o.WebhookRate), webhookSlots: make(chan struct{}, maxWebhooks),
	}
	a.presence, a.names, a.missed = newPresence(svc), newNames(svc), newMissed(a)
	a.routes = a.routeTable()
	for _, origin := range o.TrustedOrigins {
		if err := a.csrf.AddTrustedOrigin(origin); err != nil {
			faults = append(faults, fmt.Errorf("httpapi: Options.TrustedOrigins: %w", err))
		}
	}
	var err error
	if a.messages, err = loadMessages(); err != nil {
		faults = append(faults, err)
	}
	if a.bayeux, err = a.newBayeux(); err != nil {
		faults = append(faults, err)
	}
	if svc != nil {
		if a.assets, err = loadAssets(svc.Providers()); err != nil {
			faults = append(faults, err)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	a.life, a.finish = context.WithCancel(context.Background())
	return a, nil
}

// complete fills in the defaults and reports what makes no sense.
func (o *Options) complete() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("httpapi: Options."+format, args...))
	}
	if o.ContainerName == "" {
		o.ContainerName = "portal"
	}
	if o.CometdPath == "" {
		o.CometdPath = "/cometd/cometd"
	}
	if u, err := url.Parse(o.CometdPath); err != nil || u.Path == "" {
		fault("CometdPath is %q, which is not a path", o.CometdPath)
	}
	switch {
	case o.TokenKey == nil:
		o.TokenKey = make([]byte, minTokenKey)
		_, _ = rand.Read(o.TokenKey) // never fails
	case len(o.TokenKey) < minTokenKey:
		fault("TokenKey has %d bytes, less than %d", len(o.TokenKey), minTokenKey)
	default:
		o.TokenKey = slices.Clone(o.TokenKey)
	}
	if o.TokenTTL == 0 {
		o.TokenTTL = 24 * time.Hour
	}
	if o.TokenTTL < time.Minute {
		fault("TokenTTL is %v, less than a minute", o.TokenTTL)
	}
	if o.MaxBodyBytes == 0 {
		o.MaxBodyBytes = 64 << 10
	}
	if o.MaxBodyBytes < 1024 || o.MaxBodyBytes > 16<<20 {
		fault("MaxBodyBytes is %d, must be from 1,024 to 16 MiB", o.MaxBodyBytes)
	}
	o.RESTRate = o.RESTRate.or(Rate{PerSecond: 10, Burst: 30})
	o.FailedHandshakeRate = o.FailedHandshakeRate.or(Rate{PerSecond: 20, Burst: 40})
	o.RingRate = o.RingRate.or(Rate{PerSecond: 1, Burst: 30})
	o.FailedInviteRate = o.FailedInviteRate.or(Rate{PerSecond: 5.0 / 60, Burst: 5})
	o.WebhookRate = o.WebhookRate.or(Rate{PerSecond: 50, Burst: 200})
	faults = append(faults,
		o.RESTRate.validate("RESTRate"), o.FailedHandshakeRate.validate("FailedHandshakeRate"),
		o.FailedInviteRate.validate("FailedInviteRate"), o.RingRate.validate("RingRate"), o.WebhookRate.validate("WebhookRate"))
	o.TrustedOrigins = slices.Clone(o.TrustedOrigins)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return errors.Join(faults...)
}

// clientAddr is the network address that a request comes from.
func (o *Options) clientAddr(r *http.Request) string {
	if o.ClientAddr != nil {
		return o.ClientAddr(r)
	}
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return at.Addr().Unmap().WithZone("").String()
}

// customer is who counts for the limits for one address.
func (o *Options) customer(r *http.Request) string { return bayeux.Customer(o.clientAddr(r)) }

// Bayeux returns the handler of calls, events, call data and client logs. It
// does not look at the path, so it can be mounted at any prefix together with
// everything below, and needs no stripping.
func (a *API) Bayeux() http.Handler {
	// Unlike guard this leaves the ResponseWriter as it is: around another one
	// the Bayeux server could not take connections from net/http. It answers for
	// hooks and handlers that panic itself.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil {
				a.notePanic(r, v)
				panic(http.ErrAbortHandler) // whether anything was written is not known
			}
		}()
		if a.sameSite(w, r) {
			a.bayeux.ServeHTTP(w, r)
		}
	})
}

// Token returns a token by which the user's clients can open a Bayeux session
// without being known to the [Authenticator], as the context resource hands it
// to the signed-in user. It is as good as being signed in until it expires.
func (a *API) Token(user webconferencing.UserID) string { return a.tokens.issue(user, time.Now()) }

// Stats are cheap gauges and counters of this process.
type Stats struct {
	Bayeux  bayeux.Stats
	Devices int // joined devices whose leases are renewed here
}

// Stats returns the present numbers.
func (a *API) Stats() Stats {
	return Stats{Bayeux: a.bayeux.Stats(), Devices: a.presence.count()}
}

// Run renews the leases of joined devices and checks that open subscriptions
// are still allowed. It blocks until ctx ends or [API.Shutdown] is called, and
// may be called once. Without it, joined devices are taken for vanished.
func (a *API) Run(ctx context.Context) error {
	a.mu.Lock()
	if a.running {
		a.mu.Unlock()
		return errors.New("httpapi: Run was called before")
	}
	a.running = true
	a.mu.Unlock()
	defer close(a.finished)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(a.life, cancel)
	defer stop()

	var wg sync.WaitGroup
	wg.Go(func() { a.every(ctx, lookEvery, "lease renewal", a.presence.renew) })
	wg.Go(func() { a.every(ctx, recheckEvery, "subscription check", a.recheckSessions) })
	wg.Wait()
	return nil
}

// every does work periodically until ctx ends; a panic costs one round.
func (a *API) every(ctx context.Context, period time.Duration, name string, work func(context.Context)) {
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		func() {
			defer func() {
				if v := recover(); v != nil {
					a.log.ErrorContext(ctx, "panic recovered", "in", name, "panic", v, "stack", string(debug.Stack()))
				}
			}()
			work(ctx)
		}()
	}
}

// background runs work that no request waits for, until it ends or Shutdown
// cancels it. It reports whether the work was taken.
func (a *API) background(work func(context.Context)) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return false
	}
	a.tasks.Go(func() {
		ctx, cancel := context.WithTimeout(a.life, callbackTimeout)
		defer cancel()
		defer func() {
			if v := recover(); v != nil {
				a.log.ErrorContext(ctx, "panic recovered", "in", "background work", "panic", v, "stack", string(debug.Stack()))
			}
		}()
		work(ctx)
	})
	return true
}

// Shutdown ends [API.Run] and all Bayeux sessions; clients are told to come
// back. Joined devices keep their seats for the time of their leases, so that
// they can return to another process or the next one. It waits until all work
// has ended, or for ctx, whose error it returns; it may be called before Run,
// again, and more than once.
func (a *API) Shutdown(ctx context.Context) error {
	a.mu.Lock()
	a.closed = true
	running := a.running
	a.mu.Unlock()
	a.finish()
	err := a.bayeux.Shutdown(ctx)
	done := make(chan struct{})
	go func() {
		a.tasks.Wait()
		if running {
			<-a.finished
		}
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		err = errors.Join(err, ctx.Err())
	}
	if err != nil {
		return fmt.Errorf("httpapi: shutdown: %w", err)
	}
	return nil
}
