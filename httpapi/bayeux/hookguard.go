package bayeux

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/lazycontext"
)

// Bounds for hooks that do not come back. A client that keeps asking must not
// use up what there is for all, hence the bound for one session.
const (
	maxStuck          = 64   // calls of one hook beyond their deadline
	maxStuckOfSession = 4    // the same for one session, all hooks together
	maxHookCalls      = 1024 // calls of one hook at once; others wait
)

// hookFault is the error of a hook that did not answer.
type hookFault struct {
	status int    // for what cannot be answered by a Bayeux message
	code   string // the same
	text   string // the Bayeux error
	ref    string // of the log line about it; empty if there is none
}

func (f *hookFault) Error() string { return "bayeux: hook failed: " + f.text }

// Is implements what errors.Is asks for: the reference makes no difference.
func (f *hookFault) Is(target error) bool {
	other, ok := target.(*hookFault)
	return ok && other.text == f.text
}

// named returns the fault with the reference of its log line.
func (f *hookFault) named(ref string) *hookFault {
	c := *f
	c.ref = ref
	return &c
}

var (
	errHookLate  = &hookFault{status: http.StatusGatewayTimeout, code: "hook_timeout", text: errTimeout}
	errHookBusy  = &hookFault{status: http.StatusServiceUnavailable, code: "hook_busy", text: errBusy}
	errHookPanic = &hookFault{status: http.StatusInternalServerError, code: "internal", text: errInternal}
)

// hookGuard bounds the calls of one hook.
type hookGuard struct {
	name  string
	slots chan struct{} // a token for each call that runs
	stuck atomic.Int32
}

func newHookGuard(name string) *hookGuard {
	return &hookGuard{name: name, slots: make(chan struct{}, maxHookCalls)}
}

// hookGuards are the guards of a server's hooks.
type hookGuards struct {
	authenticate, reauthenticate, authorize, incoming, publish, subscribe, filter *hookGuard
}

func newHookGuards() hookGuards {
	return hookGuards{
		authenticate: newHookGuard("Authenticate"), reauthenticate: newHookGuard("Reauthenticate"),
		authorize: newHookGuard("Authorize"), incoming: newHookGuard("Incoming"),
		publish: newHookGuard("OnPublish"), subscribe: newHookGuard("OnSubscribe"), filter: newHookGuard("Filters"),
	}
}

// The states of a hookCall.
const (
	callRunning int32 = iota
	callReturned
	callAbandoned
)

// hookCall is one call of a hook on a goroutine of its own.
type hookCall struct {
	srv   *Server
	guard *hookGuard
	s     *Session // nil for Authenticate
	state atomic.Int32
	done  chan error
	late  func(error)
}

// callContext returns a context that ends after Options.CallTimeout. Its End
// must be called.
func (srv *Server) callContext(parent context.Context) *lazycontext.Context {
	c := new(lazycontext.Context)
	c.Init(parent, time.Now().Add(srv.opts.CallTimeout))
	return c
}

// ask calls a hook and waits for it until its deadline. What the hook sets must
// be read only if the error is not a hookFault, since a hook that was given up
// may still be running. If it returns after that, late, unless nil, gets its
// result.
func (srv *Server) ask(ctx context.Context, g *hookGuard, s *Session, hook func(context.Context) error, late func(error)) error {
	if g.stuck.Load() >= maxStuck || s != nil && s.stuck.Load() >= maxStuckOfSession {
		return errHookBusy
	}
	until := time.Now().Add(srv.opts.CallTimeout)
	own := srv.callContext(ctx)
	defer own.End()
	if err := g.enter(own); err != nil {
		return err
	}
	c := &hookCall{srv: srv, guard: g, s: s, done: make(chan error, 1), late: late}
	srv.tasks.spawn(func() { c.run(own, hook) })
	err, returned := c.wait(until)
	if !returned {
		return srv.noteLate(g)
	}
	if errors.Is(err, context.DeadlineExceeded) && errors.Is(own.Err(), context.DeadlineExceeded) {
		return srv.noteLate(g)
	}
	return err
}

// enter waits for a slot.
func (g *hookGuard) enter(ctx context.Context) error {
	select {
	case g.slots <- struct{}{}:
		return nil
	default:
	}
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errHookBusy
	}
}

func (c *hookCall) run(ctx context.Context, hook func(context.Context) error) {
	var err error = errHookPanic
	defer func() {
		// Nothing to recover from but no result either: the hook has ended
		// its goroutine, as a failing test does.
		if fault := recover(); fault != nil || err == errHookPanic {
			err = errHookPanic.named(c.srv.notePanic(c.guard.name, fault, debug.Stack()))
		}
		<-c.guard.slots
		if c.state.CompareAndSwap(callRunning, callReturned) {
			c.done <- err
			return
		}
		c.count(-1)
		if c.late != nil {
			c.srv.safely(c.guard.name, func() { c.late(err) })
		}
	}()
	err = hook(ctx)
}

// wait returns the hook's error, or gives it up at its deadline. That the
// client is gone is no reason to give up: what it sent may still take effect.
func (c *hookCall) wait(until time.Time) (err error, returned bool) {
	timer := time.NewTimer(max(time.Until(until), time.Millisecond))
	defer timer.Stop()
	select {
	case err = <-c.done:
		return err, true
	case <-timer.C:
	}
	c.count(1)
	if c.state.CompareAndSwap(callRunning, callAbandoned) {
		return nil, false
	}
	c.count(-1)
	return <-c.done, true
}

func (c *hookCall) count(n int32) {
	c.guard.stuck.Add(n)
	if c.s != nil {
		c.s.stuck.Add(n)
	}
}

// ask calls a hook for a message. Once one has not come back, the others of
// the same request are not tried, as each would take as long.
func (x *exchange) ask(g *hookGuard, s *Session, hook func(context.Context) error, late func(error)) error {
	if x.hookLate {
		return errHookBusy
	}
	x.mayTakeLong()
	err := x.srv.ask(x.ctx, g, s, hook, late)
	x.hookLate = errors.Is(err, errHookLate)
	return x.noted(err)
}

// askForPublish is ask for the hooks of a publish, which is what a server does
// most: unless Options.GuardPublish is set they run on this goroutine, since
// handing them to another would cost as much as the publish itself takes here.
func (x *exchange) askForPublish(g *hookGuard, s *Session, hook func(context.Context) error) error {
	if x.srv.opts.GuardPublish {
		return x.ask(g, s, hook, nil)
	}
	x.mayTakeLong()
	ctx := x.srv.callContext(x.ctx)
	defer ctx.End()
	err := hook(ctx)
	if errors.Is(err, context.DeadlineExceeded) && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return x.noted(x.srv.noteLate(g))
	}
	return err
}

// noted keeps the reference of a hook's fault for the reply to the message.
func (x *exchange) noted(err error) error {
	var fault *hookFault
	if errors.As(err, &fault) {
		x.ref = fault.ref
	}
	return err
}

// unavailable answers a whole request for a hook that did not answer. It
// reports false if the error is another.
func (x *exchange) unavailable(err error) bool {
	var fault *hookFault
	if !errors.As(err, &fault) || errors.Is(fault, errHookPanic) {
		return false
	}
	x.status, x.code = fault.status, fault.code
	x.ref = cmp.Or(fault.ref, x.ref)
	return true
}

// hookText returns the Bayeux error of a hook that did not answer.
func hookText(err error) (string, bool) {
	var fault *hookFault
	if errors.As(err, &fault) {
		return fault.text, true
	}
	return "", false
}

// recheck asks the application whether the request may use the session, and
// looks again at its subscriptions if that is due. A panic counts as a no.
func (srv *Server) recheck(ctx context.Context, r *http.Request, s *Session) error {
	if hook := srv.opts.Reauthenticate; hook != nil {
		err := srv.ask(ctx, srv.guards.reauthenticate, s, func(ctx context.Context) error { return hook(ctx, r, s) }, nil)
		if err != nil {
			return fmt.Errorf("reauthenticate: %w", err)
		}
	}
	s.reauthorize(ctx)
	return nil
}
