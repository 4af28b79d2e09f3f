package bayeux

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/lane"
	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/wsframe"
)

// Server is a Bayeux server. It is safe for concurrent use.
type Server struct {
	opts     Options
	log      *slog.Logger
	hub      *hub
	tasks    tasks
	calls    watch      // remote calls that run
	io       watch      // bodies that are read and responses that are written
	lane     *lane.Lane // connections of long-polling that have left net/http
	stats    counters
	upgrader *wsframe.Upgrader
	outbox   outbox // of WebSockets
	answers  outbox // of held connects outside of their handlers
	joined   joinedFrame
	spares   spares
	sequence *sequence
	key      []byte // signs browser cookies
	life     context.Context
	finish   context.CancelFunc
	crowded  atomic.Int64 // when crowding last logged, in Unix seconds
	deaf     atomic.Bool  // it was logged that deadlines cannot be set
	hearing  atomic.Bool  // deadlines can be set

	handshakesByAddr *limiter
	handshakesByUser *limiter
	unknownByAddr    *limiter
	sessionsByAddr   tally
	socketsByAddr    tally
	banishment       banishment
	guards           hookGuards
	authorizers      bool // a rule has one
	host             hostCheck
	faults           faultLog
	refusals         faultLog

	browserMu sync.Mutex
	browsers  map[string]int // held connects by browser cookie

	mu       sync.RWMutex
	sessions map[string]*Session
	locals   int // how many of them are local
	users    map[string]map[*Session]struct{}
	sockets  map[*socket]struct{}
	services []*service

	phase atomic.Int32 // changed with mu held
}

// New makes a server. Options may be nil. All that is wrong with them is
// reported at once, each fault naming its field.
func New(options *Options) (*Server, error) {
	o := options.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	up, err := newUpgrader(&o)
	if err != nil {
		return nil, err
	}
	srv := &Server{
		opts: o, upgrader: up, log: o.Logger, hub: newHub(), key: []byte(newToken()),
		sessions:    make(map[string]*Session),
		users:       make(map[string]map[*Session]struct{}),
		sockets:     make(map[*socket]struct{}),
		authorizers: hasAuthorizer(o.Channels), sequence: newSequence(), browsers: make(map[string]int), guards: newHookGuards(),
		handshakesByAddr: newLimiter(o.MaxHandshakesPerAddress, time.Second, 5*o.MaxHandshakesPerAddress),
		handshakesByUser: newLimiter(o.MaxHandshakesPerUser, time.Second, 5*o.MaxHandshakesPerUser),
		unknownByAddr:    newLimiter(o.MaxUnknownPerAddress, time.Minute, o.MaxUnknownPerAddress),
	}
	srv.calls.tasks, srv.calls.tick = &srv.tasks, callTick
	srv.sessionsByAddr.limit, srv.socketsByAddr.limit = o.MaxSessionsPerAddress, o.MaxSocketsPerAddress
	srv.outbox.tasks, srv.outbox.ended = &srv.tasks, srv.joined.forget
	srv.answers.tasks, srv.answers.rush = &srv.tasks, &rush{}
	srv.lane = lane.New(lane.Options{Start: srv.tasks.start, Spawn: srv.tasks.spawn, ReadTimeout: o.BodyTimeout, WriteTimeout: o.WriteTimeout})
	srv.io.tasks, srv.io.tick = &srv.tasks, min(250*time.Millisecond, o.BodyTimeout/4, o.WriteTimeout/4)
	srv.life, srv.finish = context.WithCancel(context.Background())
	return srv, nil
}

// Run waits for the context and then shuts the server down, giving clients
// five seconds. The server works without it; sessions expire by themselves.
func (srv *Server) Run(ctx context.Context) error {
	<-ctx.Done()
	const grace = 5 * time.Second
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	return srv.Shutdown(stop)
}

// Shutdown ends all sessions, and loses nothing that was accepted if clients take
// it within Options.ShutdownGrace, or half of the time that the context leaves,
// whichever is shorter. Until then remote calls that run may finish, and clients
// are given what waits for them. Handshakes and new requests get HTTP 503, and
// further messages "503::shutdown". Each session ends as soon as there is nothing
// left for it: a held connect is answered so that the client comes back, a
// WebSocket is closed with 1001, hooks are called with [ReasonShutdown].
//
// It waits until every goroutine of the server has ended, running handlers and
// deliver functions included, or for the context, whose error it returns. It may
// be called again, and before the server was used. It must not be called from a
// hook.
func (srv *Server) Shutdown(ctx context.Context) error {
	srv.enter(phaseDraining)
	srv.drain(ctx)
	srv.enter(phaseClosed)
	for s := range srv.Sessions() {
		s.end(ReasonShutdown)
	}
	for _, k := range srv.openSockets() {
		k.leave(closeGoingAway, "Server shutdown")
	}
	srv.finish()
	srv.lane.Close()
	err := srv.tasks.wait(ctx)
	if err != nil {
		for _, k := range srv.openSockets() {
			k.conn.Abort()
		}
		return fmt.Errorf("shut down bayeux server: %w", err)
	}
	return nil
}

// enter begins a phase. No session is added once it returns.
func (srv *Server) enter(phase int32) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.phase.Store(max(phase, srv.phase.Load()))
}

func (srv *Server) openSockets() []*socket {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	list := make([]*socket, 0, len(srv.sockets))
	for k := range srv.sockets {
		list = append(list, k)
	}
	return list
}

// ServeHTTP implements http.Handler. The path has no meaning, so that the
// server can be mounted anywhere together with everything below.
func (srv *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	phase := srv.phase.Load()
	h := w.Header()
	values := [...]string{"no-store", "nosniff"}
	h["Cache-Control"], h["X-Content-Type-Options"] = values[0:1:1], values[1:2:2]
	srv.lookAtHost(r)
	upgrade := isUpgrade(r)
	if r.Method != http.MethodPost {
		srv.leaveBody(w, r)
	}
	if fault := srv.checkOrigin(w, r, upgrade); fault != "" {
		srv.leaveBody(w, r)
		writeFaultRef(w, http.StatusForbidden, "cross_site", srv.noteForeign(r, fault))
		return
	}
	if phase == phaseClosed || phase == phaseDraining && upgrade {
		srv.leaveBody(w, r)
		h.Set("Retry-After", "1")
		writeFault(w, http.StatusServiceUnavailable, codeShutdown)
		return
	}
	switch {
	case upgrade && r.ContentLength != 0:
		writeFault(w, http.StatusBadRequest, "bad_upgrade")
	case upgrade && !srv.opts.DisableWebSocket:
		srv.serveSocket(w, r)
	case r.Method == http.MethodOptions:
		w.WriteHeader(http.StatusOK)
	case r.Method == http.MethodPost && !srv.opts.DisableLongPolling:
		srv.servePost(w, r)
	case r.Method == http.MethodPost:
		srv.leaveBody(w, r)
		writeFault(w, http.StatusBadRequest, "unknown_transport")
	case isCallbackPolling(r):
		writeFault(w, http.StatusNotFound, "unknown_transport")
	default:
		h.Set("Allow", "POST, OPTIONS")
		writeFault(w, http.StatusBadRequest, "unknown_transport")
	}
}

// leaveBody is called before an answer to a request whose body is not read.
// net/http reads it then, to find the next request, and would wait for it for
// ever.
func (srv *Server) leaveBody(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength == 0 {
		return
	}
	w.Header().Set("Connection", "close")
	// Behind a wrapper that hides it the host's own deadline is all there is.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(srv.opts.BodyTimeout))
}

// writeFault answers a request that never became Bayeux messages.
func writeFault(w http.ResponseWriter, status int, code string) { writeFaultRef(w, status, code, "") }

// writeFaultRef is writeFault with the reference of a log line. Without one the
// answer still has a name, by which it can be told from others.
func writeFaultRef(w http.ResponseWriter, status int, code, ref string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A client that is gone does not need to know.
	_, _ = fmt.Fprintf(w, `{"error":%q,"requestId":%q}`, code, cmp.Or(ref, newRef()))
}

// crowding logs that a limit of the server was reached, once a minute at most,
// since whoever causes it could fill the log.
func (srv *Server) crowding(what string) {
	now := time.Now().Unix()
	last := srv.crowded.Load()
	if now-last >= 60 && srv.crowded.CompareAndSwap(last, now) {
		srv.log.Warn("bayeux: refusing clients", "reason", "too many "+what)
	}
}

// safely runs a hook that cannot refuse.
func (srv *Server) safely(where string, f func()) {
	defer func() {
		if fault := recover(); fault != nil {
			srv.notePanic(where, fault, debug.Stack())
		}
	}()
	f()
}

func (srv *Server) sessionOpened(s *Session) {
	if hook := srv.opts.OnSession; hook != nil {
		srv.safely("OnSession", func() { hook(s) })
	}
}

func (srv *Server) sessionClosed(s *Session, reason Reason) {
	if hook := srv.opts.OnSessionClosed; hook != nil {
		srv.safely("OnSessionClosed", func() { hook(s, reason) })
	}
}

func (srv *Server) unsubscribed(s *Session, channel string, reason Reason) {
	if hook := srv.opts.OnUnsubscribe; hook != nil {
		srv.safely("OnUnsubscribe", func() { hook(s, channel, reason) })
	}
}
