// Package webconferencing gives a portal video calls: it rings, knows who is
// in a call, tells every browser tab, and hands out what the call provider
// needs. It has no server of its own: a host makes a [Service] and mounts the
// handlers of package httpapi.
//
// The media flow through a provider (WebRTC between the browsers, Jitsi, the
// host's own), this package is the control plane. Everything it knows is in a
// [Store], everything it does goes through a Service:
//
//	store, err := boltstore.Open("calls.db", nil)
//	if err != nil {
//		return err
//	}
//	defer store.Close()
//	rtc, err := webrtc.New(nil)
//	if err != nil {
//		return err
//	}
//	svc, err := webconferencing.New(store, directory, &webconferencing.Options{
//		Providers: []webconferencing.Provider{rtc},
//	})
//	if err != nil {
//		return err
//	}
//	go svc.Run(ctx)
//	defer svc.Shutdown(context.Background())
//
// # Calls
//
// A call belongs to a user, a space, a space's event or a chat room. It is
// created, started, joined, left and stopped; whoever is inside holds a seat
// for each device, and a seat lives as long as its lease is renewed. Nobody
// stays in a call by accident, and nobody who is there is removed: see
// [Service.RenewSeat].
//
// # Events
//
// Every change is committed together with its events. [Service.Subscribe]
// delivers them in order, each once, and goes on from any position within the
// history window, across restarts and nodes.
//
// # Errors
//
// Every error of a Service is an [*Error] with a [Code]. [CodeUnavailable]
// means that the outcome is not known; the same command may be sent again.
//
// # Concurrency
//
// A Service and everything it returns may be used by any number of goroutines,
// except that a returned [Call] belongs to its caller. Several Services, in
// one process or many, that share a Store act as nodes of one cluster.
package webconferencing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Options are the choices that a host has. Nil means all defaults.
type Options struct {
	// Providers are the connectors that calls can use. Defaults to none, and
	// then no call can be made.
	Providers []Provider
	// PubSub carries hints between nodes. Defaults to none but this process.
	PubSub PubSub
	// Authorizer replaces the rules of who may do what with a call. Defaults
	// to the rules described at [Authorizer].
	Authorizer Authorizer
	// Before is asked before a command of a user is carried out; an error
	// refuses it. It is not asked about leaving, which nobody can be refused.
	// It is called without locks and has CallbackTimeout. Defaults to none.
	Before func(ctx context.Context, p *Proposal) error
	// Intercept lets the host change what providers are asked and answer when
	// a device joins. Defaults to leaving it as it is.
	Intercept Interceptor
	// Logger gets the service's own log. Defaults to none.
	Logger *slog.Logger
	// NodeName names this node in the journal and in log lines; nodes that
	// share a store need different names. Defaults to the host name.
	NodeName string

	// RingTimeout is how long people are rung. Defaults to 45 s.
	RingTimeout time.Duration
	// MaxRingTimeout is the longest ring that a call may ask for with
	// [NewCall].RingFor. Defaults to 3 min, or RingTimeout if that is longer.
	MaxRingTimeout time.Duration
	// RingRetries is how often people who did not answer are rung once more by
	// the call itself while somebody waits for them, at most 10. Defaults to 0.
	RingRetries int
	// RingPause is the time between two such rings. Defaults to 10 s.
	RingPause time.Duration
	// MaxRingAgain is how often one participant can be rung again in a run by
	// [Service.RingAgain]. Defaults to 10.
	MaxRingAgain int
	// SeatTTL is how long a device stays in a call without a sign of life.
	// Defaults to 25 s.
	SeatTTL time.Duration
	// LeaveGrace is how long a device stays whose connection was closed, so
	// that reloading a page is not leaving. Defaults to 10 s.
	LeaveGrace time.Duration
	// MaxCallAge ends a run that lasts longer. Defaults to 24 h.
	MaxCallAge time.Duration
	// PollInterval is how often the journal is looked at without a hint.
	// Defaults to 2 s.
	PollInterval time.Duration
	// HistoryWindow is how long events are kept for those who return.
	// Defaults to 10 min.
	HistoryWindow time.Duration
	// HistoryRetention is how long past calls stay in people's history, and
	// transitions in a call's timeline. Defaults to 90 days.
	HistoryRetention time.Duration
	// CallbackTimeout is how long the host's directory, authorizer and
	// providers may take. Defaults to 5 s.
	CallbackTimeout time.Duration

	// MaxParticipants of one call. Defaults to 1,000.
	MaxParticipants int
	// MaxSeats is how many devices may be in one call. Defaults to 1,000.
	MaxSeats int

	// WhenBusy says what happens to a call for somebody who is in another
	// one. Defaults to CallWaiting.
	WhenBusy BusyPolicy

	// Debug has the invariants of calls checked after every commit, and those
	// of all live calls every 10 s. What is violated is logged at error level
	// with a reference, counted in [Stats] and a problem of [Health]. It costs
	// processor time and reads of the store. Defaults to off.
	Debug bool

	// CallLog says where the clients' log goes. Defaults to Logger.
	CallLog *CallLogOptions
}

// Service is the one door to calls: every change and every question passes
// through it, from whichever side it comes.
type Service struct {
	store Store
	// timekeeper is the store, if it knows the time.
	timekeeper StoreClock
	directory  Directory
	opts       Options
	limits     limits
	logger     *slog.Logger
	registry   *Registry
	calllog    *CallLog
	clock      *clock
	node       string // of this start
	hub        *hub
	leases     *leases
	nodes      nodeTable
	started    time.Time

	queues    queues
	troubles  troubles
	audit     audit
	freeze    freezeWatch
	callbacks callbackGate

	mu       sync.Mutex
	running  bool
	closed   bool
	cancel   context.CancelFunc
	finished chan struct{}
	lastTick time.Time
	failures map[string]error
}

// New returns a Service over a store and a directory. It starts nothing; see
// [Service.Run]. All faults of the arguments are reported at once.
func New(store Store, directory Directory, opts *Options) (*Service, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	faults := []error{o.complete()}
	if store == nil {
		faults = append(faults, errors.New("store is missing"))
	}
	if directory == nil {
		faults = append(faults, errors.New("directory is missing"))
	}
	registry, err := newRegistry(o.Providers)
	faults = append(faults, err)
	calllog, err := NewCallLog(o.CallLog)
	faults = append(faults, err)
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("webconferencing: %w", err)
	}
	s := &Service{
		directory: directory, opts: o, logger: o.Logger,
		registry: registry, calllog: calllog, clock: newClock(),
		node:   uuid.NewString(),
		leases: &leases{ttl: o.SeatTTL, byCall: make(map[CallID]map[SeatID]*lease), underway: make(map[CallID]uint64)},
		nodes:  nodeTable{signs: make(map[string]nodeSign), traceless: make(map[string]bool), swept: make(map[string]bool)},
		queues: queues{byCall: make(map[CallID]*callQueue)},
		limits: limits{
			ring: o.RingTimeout, retries: o.RingRetries, pause: o.RingPause, ringAgain: o.MaxRingAgain,
			grace: o.LeaveGrace, maxAge: o.MaxCallAge, history: o.HistoryRetention, tombstone: nodeForget,
			maxParticipants: o.MaxParticipants, maxSeats: o.MaxSeats, maxParties: registry.maxParties(),
		},
		failures: make(map[string]error),
		finished: make(chan struct{}),
	}
	s.store = safeStore{behind: store, caught: s.logPanic}
	s.timekeeper, _ = store.(StoreClock)
	s.hub = newHub(s.store, o.Logger)
	s.started = s.clock.now()
	registry.service = s
	return s, nil
}

// complete fills in the defaults and reports what makes no sense.
func (o *Options) complete() error {
	var faults []error
	duration := func(d *time.Duration, name string, def, least time.Duration) {
		if *d == 0 {
			*d = def
		}
		if *d < least {
			faults = append(faults, fmt.Errorf("Options.%s is %v, less than %v", name, *d, least))
		}
	}
	number := func(n *int, name string, def int) {
		if *n == 0 {
			*n = def
		}
		if *n < 2 {
			faults = append(faults, fmt.Errorf("Options.%s is %d, less than 2", name, *n))
		}
	}
	duration(&o.RingTimeout, "RingTimeout", 45*time.Second, time.Second)
	duration(&o.MaxRingTimeout, "MaxRingTimeout", max(3*time.Minute, o.RingTimeout), max(minRing, o.RingTimeout))
	duration(&o.RingPause, "RingPause", 10*time.Second, time.Second)
	duration(&o.SeatTTL, "SeatTTL", 25*time.Second, 3*time.Second)
	duration(&o.LeaveGrace, "LeaveGrace", 10*time.Second, time.Second)
	duration(&o.MaxCallAge, "MaxCallAge", 24*time.Hour, time.Minute)
	duration(&o.PollInterval, "PollInterval", 2*time.Second, 10*time.Millisecond)
	duration(&o.HistoryWindow, "HistoryWindow", 10*time.Minute, time.Second)
	duration(&o.HistoryRetention, "HistoryRetention", 90*24*time.Hour, time.Minute)
	duration(&o.CallbackTimeout, "CallbackTimeout", 5*time.Second, 10*time.Millisecond)
	number(&o.MaxParticipants, "MaxParticipants", 1000)
	number(&o.MaxSeats, "MaxSeats", 1000)
	if o.MaxRingAgain == 0 {
		o.MaxRingAgain = 10
	}
	if o.MaxRingAgain < 0 {
		faults = append(faults, fmt.Errorf("Options.MaxRingAgain is %d, less than 0", o.MaxRingAgain))
	}
	if o.RingRetries < 0 || o.RingRetries > 10 {
		faults = append(faults, fmt.Errorf("Options.RingRetries is %d, not between 0 and 10", o.RingRetries))
	}
	switch o.WhenBusy {
	case "":
		o.WhenBusy = CallWaiting
	case CallWaiting, RefuseBusyCalls:
	default:
		faults = append(faults, fmt.Errorf("Options.WhenBusy is %q, none of the policies", o.WhenBusy))
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.PubSub == nil {
		o.PubSub = NewLocalPubSub()
	}
	if o.NodeName == "" {
		o.NodeName, _ = os.Hostname() // an unknown name does no harm
	}
	if o.CallLog == nil {
		o.CallLog = &CallLogOptions{Handler: o.Logger.Handler()}
	}
	return errors.Join(faults...)
}

// now is the service's time, see clock.
func (s *Service) now() time.Time { return s.clock.now() }

// Run does what has to happen by itself: it delivers events, ends seats and
// rings whose time is over, and writes the client log. It blocks until ctx
// ends or [Service.Shutdown] is called, and may be called once. Commands work
// without it, but nobody hears of them.
func (s *Service) Run(ctx context.Context) error {
	s.mu.Lock()
	if s.running {
		s.mu.Unlock()
		return errors.New("webconferencing: Run was called before")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.running, s.cancel = true, cancel
	if s.closed {
		cancel()
	}
	s.mu.Unlock()
	defer close(s.finished)

	var wg sync.WaitGroup
	for name, work := range map[string]func(context.Context) error{
		"dispatch":     func(ctx context.Context) error { return s.hub.run(ctx, s.opts.PollInterval, s.observe) },
		"hints":        func(ctx context.Context) error { return s.hub.hints(ctx, s.opts.PubSub, s.node) },
		"housekeeping": s.housekeep,
		"call log":     s.calllog.Run,
		"presence":     s.claimPresence,
		"freeze watch": s.watchFreeze,
		"providers":    s.driveProviders,
	} {
		wg.Go(func() { s.supervise(ctx, name, work) })
	}
	wg.Wait()
	return nil
}

// observe sees every event of the journal before the subscribers do.
func (s *Service) observe(e *Event) {
	switch {
	case e.Cause == CauseProvider && e.Type == EventNoted:
		s.observeEvidence(e)
	case e.Node != s.node && e.Type != EventData:
		s.leases.observe(e)
	}
}

// Shutdown ends [Service.Run], waits for it until ctx ends, and writes out the
// client log. It may be called before Run, more than once, and again after it
// returned ctx's error. It closes nothing that was handed to [New].
func (s *Service) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	running := s.running
	if s.cancel != nil {
		s.cancel()
	}
	s.mu.Unlock()
	if running {
		select {
		case <-s.finished:
		case <-ctx.Done():
			return fmt.Errorf("webconferencing: shutdown: %w", ctx.Err())
		}
	}
	s.calllog.Flush(ctx)
	return nil
}

// Health says whether the service can do its work.
type Health struct {
	Ready    bool     // housekeeping runs and the store answers
	Problems []string // authored texts, safe to show to an operator
}

// Health looks at the store and the workers.
func (s *Service) Health(ctx context.Context) Health {
	var h Health
	ctx, cancel := context.WithTimeout(ctx, s.opts.CallbackTimeout)
	defer cancel()
	if _, err := s.store.Value(ctx, nodesKey); err != nil && !errors.Is(err, ErrNotFound) {
		h.Problems = append(h.Problems, "the store does not answer")
	}
	if n := s.troubles.count(s.now()); n > 0 {
		h.Problems = append(h.Problems, counted(n, "call", "calls")+" can't be worked on")
	}
	if n := s.audit.count(); n > 0 {
		h.Problems = append(h.Problems, counted(n, "invariant was", "invariants were")+" violated, see the log")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.running:
		h.Problems = append(h.Problems, "Run was not called")
	case s.closed:
		h.Problems = append(h.Problems, "shutting down")
	case !s.lastTick.IsZero() && time.Since(s.lastTick) > 5*tick:
		h.Problems = append(h.Problems, "housekeeping is late")
	}
	for name := range s.failures {
		h.Problems = append(h.Problems, name+" failed and starts again")
	}
	h.Ready = len(h.Problems) == 0
	return h
}

func (s *Service) tickDone(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastTick = now
}

func (s *Service) workerRestarts(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.failures, name)
}

func (s *Service) workerFailed(name string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures[name] = err
}

// Stats are cheap gauges of this node.
type Stats struct {
	Seats         int // whose leases are kept here
	Subscriptions int
	Violations    int // of invariants, found with [Options].Debug
}

// Stats returns this node's gauges.
func (s *Service) Stats() Stats {
	return Stats{Seats: s.leases.count(), Subscriptions: s.hub.count(), Violations: s.audit.count()}
}

// Providers returns the service's providers.
func (s *Service) Providers() *Registry { return s.registry }
