package httpapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// The channels of the wire contract.
const (
	userChannel  = "/eXo/Application/WebConferencing/user/"
	callChannel  = "/eXo/Application/WebConferencing/call/"
	callsService = "/service/webconferencing/calls"
	logsService  = "/service/webconferencing/logs"
)

// evidenceEvery is how often a device in a call gives a sign of life: the time
// that its connects are held, and between two WebSocket pings. With the lease
// of 25 s and the look every 2 s a vanished device is gone within 30 s.
const evidenceEvery = 10 * time.Second

// newBayeux makes the Bayeux server and gives it our hooks.
func (a *API) newBayeux() (*bayeux.Server, error) {
	var o bayeux.Options
	if a.opts.Bayeux != nil {
		o = *a.opts.Bayeux
	}
	o.Authenticate, o.AllowAnonymous = a.handshake, false
	o.Reauthenticate = a.reauthenticate
	o.Authorize, o.DenyWildcards = a.authorize, true
	o.OnPublish = a.publish
	o.OnSubscribe, o.OnUnsubscribe = a.subscribe, a.unsubscribed
	o.OnSession, o.OnSessionClosed = a.sessionOpened, a.sessionClosed
	o.AllowedOrigins = a.opts.TrustedOrigins
	if a.opts.ClientAddr != nil {
		o.ClientAddr = a.opts.ClientAddr
	} else if o.ClientAddr == nil {
		// Behind a proxy everybody has one address. After a restart all of
		// them come back at once, and must not wait for each other.
		o.MaxHandshakesPerAddress = cmp.Or(o.MaxHandshakesPerAddress, bayeux.Unlimited)
		o.MaxUnknownPerAddress = cmp.Or(o.MaxUnknownPerAddress, bayeux.Unlimited)
	}
	o.PanicData = errorView{Code: wireServerError, Message: "internal error", Error: true}.json()
	// A call id of 255 characters and its prefix; ids have slashes in them.
	o.MaxChannelBytes = cmp.Or(o.MaxChannelBytes, 320)
	o.MaxChannelSegments = cmp.Or(o.MaxChannelSegments, 132)
	// Each tab and device is a session, and people keep many tabs.
	o.MaxSessionsPerUser = cmp.Or(o.MaxSessionsPerUser, 64)
	// One after the other: a client that hangs up while it is still joining
	// must not be in the call afterwards.
	o.MaxCalls = cmp.Or(o.MaxCalls, 1)
	o.CallTimeout = cmp.Or(o.CallTimeout, commandTimeout)
	if o.Logger == nil {
		o.Logger = a.log
	}
	srv, err := bayeux.New(&o)
	if err != nil {
		return nil, err
	}
	return srv, errors.Join(
		srv.HandleService(callsService, a.service(a.callCommand)),
		srv.HandleService(logsService, a.service(a.logCommand)),
	)
}

// refusal turns a failure into the words in which Bayeux refuses.
func refusal(view errorView, status int) *bayeux.Refusal {
	r := &bayeux.Refusal{Code: status, Reason: cmp.Or(view.Reason, strings.ToLower(view.Code))}
	switch status {
	case http.StatusForbidden, http.StatusNotFound, http.StatusUnauthorized:
		// The same words whether the thing does not exist or belongs to
		// somebody else.
		r.Code, r.Reason = http.StatusForbidden, ""
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		r.Retry = true
	}
	return r
}

// handshake decides who a new session belongs to. Those who are signed in are
// never kept out by a flood of others from their address.
func (a *API) handshake(ctx context.Context, r *http.Request, m *bayeux.Message) (bayeux.Identity, error) {
	now := time.Now()
	p, err := a.identify(ctx, r, m, now)
	if errors.Is(err, ErrUnauthenticated) {
		if wait, ok := a.strangers.allow(a.opts.customer(r), now); !ok {
			err = tooManyRequests(wait)
		}
	}
	if err != nil {
		// Whom the message names is not known to be true, so it is neither
		// logged as the user nor counted against him.
		at := attempt{what: "handshake", request: requestName(r)}
		return bayeux.Identity{}, a.refuse(ctx, &at, m, err)
	}
	return bayeux.Identity{User: string(p.user), Value: p}, nil
}

// identify asks the host, then looks at the token. A handshake that names
// another user than the one who is signed in is refused.
func (a *API) identify(ctx context.Context, r *http.Request, m *bayeux.Message, now time.Time) (*peer, error) {
	named := m.StringField("exoId")
	actor, err := a.authenticate(ctx, r)
	if err == nil {
		if named != "" && named != string(actor.User) {
			return nil, accessDenied("somebody else is signed in")
		}
		return newPeer(a, actor, nil), nil
	}
	if !errors.Is(err, ErrUnauthenticated) {
		return nil, err
	}
	token, err := a.checkToken(ctx, m.StringField("exoToken"), now)
	if err != nil {
		return nil, err
	}
	if named != "" && named != string(token.user) {
		return nil, ErrUnauthenticated
	}
	return newPeer(a, webconferencing.Actor{User: token.user}, &token), nil
}

func (a *API) checkToken(ctx context.Context, text string, now time.Time) (userToken, error) {
	token, err := a.tokens.check(text, now)
	if err != nil {
		return userToken{}, ErrUnauthenticated
	}
	return token, a.acceptToken(ctx, token)
}

func (a *API) acceptToken(ctx context.Context, token userToken) error {
	if a.opts.AcceptToken == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callbackTimeout)
	defer cancel()
	if err := a.opts.AcceptToken(ctx, token.user, token.issued); err != nil {
		return ErrUnauthenticated
	}
	return nil
}

// reauthenticate checks that a request may use a session: its user is still
// signed in, or the token still counts, and nobody else is signed in.
func (a *API) reauthenticate(ctx context.Context, r *http.Request, s *bayeux.Session) error {
	p := peerOf(s)
	actor, err := a.authenticate(ctx, r)
	switch {
	case err == nil && actor.User != p.user:
		return bayeux.ErrForeign
	case err == nil:
		p.confirmed(actor)
	case !errors.Is(err, ErrUnauthenticated):
		// The host can't tell at the moment. Ending every session for that
		// would end every call; for a while the last answer holds.
		if p.unconfirmedFor() > authenticationPatience {
			return err
		}
		if a.mayLog() {
			a.log.WarnContext(ctx, "authentication failed, the last answer holds", "user", p.user, "error", err)
		}
	case p.token == nil:
		return err
	case !time.Now().Before(p.token.expires):
		return ErrUnauthenticated
	default:
		if err := a.acceptToken(ctx, *p.token); err != nil {
			return err
		}
	}
	return nil
}

// authorize decides what a session may subscribe to and publish on, as far as
// the channel's name tells; the service decides about calls.
func (a *API) authorize(ctx context.Context, s *bayeux.Session, op bayeux.Operation, channel string, m *bayeux.Message) error {
	if op == bayeux.OpCreate {
		return nil // what follows, a subscription or a publish, is decided below
	}
	p := peerOf(s)
	refuse := func(why string) error {
		at := attempt{what: "use of " + channel, by: webconferencing.Actor{User: p.user}}
		return a.refuse(ctx, &at, m, accessDenied(why))
	}
	if named := m.StringField("exoId"); named != "" && named != string(p.user) {
		return refuse("exoId names somebody else")
	}
	switch op {
	case bayeux.OpSubscribe:
		if user, ok := strings.CutPrefix(channel, userChannel); ok && user == string(p.user) {
			return nil
		}
		if strings.HasPrefix(channel, callChannel) {
			return nil
		}
	case bayeux.OpPublish:
		if channel == callsService || channel == logsService || strings.HasPrefix(channel, callChannel) {
			return nil
		}
	}
	return refuse("the channel is not for clients, or not for this one")
}

// publish takes what a party sends on a call's channel. It reaches the others,
// and the sender, out of the journal.
func (a *API) publish(ctx context.Context, s *bayeux.Session, m *bayeux.Message) (bool, error) {
	id, ok := strings.CutPrefix(m.Channel, callChannel)
	if !ok {
		return false, nil // a remote call
	}
	p := peerOf(s)
	at := attempt{what: "publish", by: webconferencing.Actor{User: p.user}, call: webconferencing.CallID(id)}
	if err := a.publishData(ctx, p, &at, m); err != nil {
		return false, a.refuse(ctx, &at, m, err)
	}
	return true, nil
}

func (a *API) publishData(ctx context.Context, p *peer, at *attempt, m *bayeux.Message) error {
	data, obj, err := cleanData(m.Data)
	if err != nil {
		return err
	}
	if named, ok := stringOf(obj.Get("exoId")); ok && named != "" && named != string(p.user) {
		return accessDenied("exoId names somebody else")
	}
	client, _ := stringOf(obj.Get("exoClientId"))
	if at.by, err = p.actor(cmp.Or(client, m.StringField("exoClientId"))); err != nil {
		at.by.User = p.user
		return err
	}
	_, err = a.svc.SendData(ctx, at.by, at.call, data)
	return err
}

// mayLog keeps a fault that every request meets from filling the log.
func (a *API) mayLog() bool {
	_, ok := a.lines.allow("", time.Now())
	return ok
}

// service makes a remote call's handler of a command.
func (a *API) service(command func(context.Context, *invocation) (any, error)) bayeux.ServiceHandler {
	return func(ctx context.Context, s *bayeux.Session, r *bayeux.Request) {
		// A command that was accepted takes place, even if its client has
		// hung up meanwhile: it may be the hanging up.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commandTimeout)
		defer cancel()
		p := peerOf(s)
		in := &invocation{peer: p, attempt: attempt{ref: newRef(), what: "remote call", by: webconferencing.Actor{User: p.user}}}
		result, err := a.invoke(ctx, in, r.Data, command)
		if err == nil {
			var raw json.RawMessage
			if raw, err = json.Marshal(result); err == nil {
				err = r.Reply(raw)
			}
		}
		if err != nil && !errors.Is(err, bayeux.ErrClosed) && !errors.Is(err, bayeux.ErrAnswered) && !errors.Is(err, bayeux.ErrSlow) {
			view, _ := a.fail(ctx, &in.attempt, err)
			_ = r.Fail(view.json()) // the session may have ended meanwhile
		}
	}
}

// invoke carries out a command; a panic of it is a failure with a reference
// like any other.
func (a *API) invoke(ctx context.Context, in *invocation, data json.RawMessage, command func(context.Context, *invocation) (any, error)) (result any, err error) {
	defer func() {
		if v := recover(); v != nil {
			a.log.ErrorContext(ctx, "panic recovered", "in", "remote call", "ref", in.ref, "panic", v, "stack", string(debug.Stack()))
			result, err = nil, errors.New("panic")
		}
	}()
	args, err := lenientArguments(data)
	if err != nil {
		return nil, err
	}
	in.args = args
	if named := args.text("exoId"); named != "" && named != string(in.peer.user) {
		return nil, accessDenied("exoId names somebody else")
	}
	by, err := in.peer.actor(args.text("exoClientId"))
	if err != nil {
		return nil, err
	}
	by.Key, by.Ref = args.text("idempotencyKey"), in.ref
	in.by = by
	return command(ctx, in)
}

func (a *API) sessionOpened(s *bayeux.Session) { peerOf(s).opened(s) }

func (a *API) sessionClosed(s *bayeux.Session, reason bayeux.Reason) {
	p := peerOf(s)
	p.over.Store(true)
	a.missed.closed(p)
	a.presence.closed(p, reason != bayeux.ReasonShutdown)
}
