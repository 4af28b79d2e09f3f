package bayeux

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/lazycontext"
)

// callTick is the pace at which running calls are looked at: one that takes
// between one and two of them no longer keeps a WebSocket from being read.
const callTick = 4 * time.Millisecond

// callQueue runs a session's remote calls: in order of arrival, so many at
// once, so many waiting.
type callQueue struct {
	mu      sync.Mutex
	waiting []*call
	running int
	life    context.Context // made by the first call
	cancel  context.CancelFunc
	stopped bool
}

// call is one remote call.
type call struct {
	watched
	srv     *Server
	s       *Session
	r       Request
	v       *service
	ctx     lazycontext.Context
	state   atomic.Int32
	disarm  func() bool   // stops the clock that gives the call up; nil without one
	done    chan struct{} // closed when it is over; nil if nobody waits
	borrows *borrowed     // whose goroutine it runs on; nil for one of its own
}

// borrowed is the reader of a connection that runs the calls of what it has just
// read, which is much cheaper than a goroutine for them. When a call turns out to
// be slow the goroutine stays with the calls, and another one goes on in its
// place.
type borrowed struct {
	socket *socket // nil for another connection
	goOn   func()  // what to do in its place; not for a WebSocket
	moved  bool    // another goroutine is in its place
}

// stop takes no further calls. Those that a client was told are accepted still
// run, unless the session ended because it must not act any more.
func (q *callQueue) stop(reason Reason) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopped = true
	switch reason {
	case ReasonKicked, ReasonUnauthorized, ReasonShutdown:
	default:
		return
	}
	q.waiting = nil
	if q.cancel != nil {
		q.cancel()
	}
}

// call hands a message to its handler. It returns the error text if there is
// none or if too many calls wait.
func (x *exchange) call(s *Session, m *Message) string {
	v, params := x.srv.serviceFor(m.Channel)
	if v == nil {
		return errServiceUnknown
	}
	if v.busy(s) {
		return errBusy
	}
	c := &call{srv: x.srv, s: s, v: v}
	c.r.Message, c.r.Data, c.r.session, c.r.params = m, m.Data, s, params
	if x.socket == nil && !x.outside {
		c.done = make(chan struct{})
	}
	if !x.enqueueCall(s, c) {
		return "403:" + reasonLimit + ":publish_denied"
	}
	if c.done != nil {
		x.calls = append(x.calls, c.done)
	}
	return ""
}

// enqueueCall puts a call into its session's queue. Who reads a WebSocket, or a
// connection that is outside of net/http, runs the calls itself, after it has
// answered the messages; the first of them does not get into the queue.
func (x *exchange) enqueueCall(s *Session, c *call) bool {
	q := &s.calls
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting := len(q.waiting)
	if x.firstCall != nil {
		waiting++
	}
	if q.stopped || waiting >= x.srv.opts.MaxPendingCalls {
		return false
	}
	if q.life == nil {
		q.life, q.cancel = context.WithCancel(x.srv.life)
	}
	free := !x.runsCalls && q.running < x.srv.opts.MaxCalls
	if free && (x.socket != nil || x.outside) && waiting == 0 && x.size == 1 {
		x.runsCalls, x.firstCall = true, c
		q.running++
		return true
	}
	c.detach(x.size)
	q.waiting = append(q.waiting, c)
	switch {
	case !free:
	case x.socket != nil || x.outside:
		x.runsCalls = true
		q.running++
	default:
		q.running++
		x.srv.tasks.spawn(func() { q.drain(nil, nil) })
	}
	return true
}

// detach gives the call a message of its own: it may run while the reply to the
// message is being formed, and others of the request need not be kept for it.
func (c *call) detach(messages int) {
	if messages > 1 {
		c.r.Message = c.r.Message.detach()
	} else {
		own := *c.r.Message
		c.r.Message = &own
	}
	c.r.Data = c.r.Message.Data
}

// awaitCalls gives quick handlers the chance to have their results in the
// response to the request, instead of waking the held connect.
func (x *exchange) awaitCalls() {
	if len(x.calls) == 0 {
		return
	}
	const patience = 20 * time.Millisecond
	var timer *time.Timer
	for _, done := range x.calls {
		select {
		case <-done:
			continue
		default:
		}
		if timer == nil {
			timer = time.NewTimer(patience)
			defer timer.Stop()
		}
		select {
		case <-done:
		case <-timer.C:
			return
		}
	}
}

// busy reports whether so many calls are stuck that no further one is tried.
func (v *service) busy(s *Session) bool {
	return v.stuck.Load() >= maxStuck || s.stuck.Load() >= maxStuckOfSession
}

// drain runs the first call, if there is one, and what waits. It ends early if a
// call took so long that another goroutine has taken its place.
func (q *callQueue) drain(b *borrowed, first *call) {
	c, running := first, false
	defer func() {
		// The handler has ended its goroutine, as a failing test does.
		if running && c.state.Load() != callAbandoned {
			c.srv.tasks.spawn(func() { q.drain(nil, nil) })
		}
	}()
	// Nobody cancels while a call runs unless those that wait are dropped too.
	if c != nil && q.life.Err() != nil {
		c = nil
	}
	for {
		if c != nil {
			running = true
			inTime := c.runOn(b)
			running = false
			if !inTime {
				return
			}
		}
		if c = q.next(); c == nil {
			return
		}
	}
}

// next takes the call that has waited longest. Without any there is a goroutine
// less.
func (q *callQueue) next() *call {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.running--
		q.waiting = nil
		if q.stopped && q.running == 0 {
			q.cancel()
		}
		return nil
	}
	c := q.waiting[0]
	q.waiting[0] = nil
	q.waiting = q.waiting[1:]
	return c
}

// runOn runs the call on a goroutine that may be borrowed.
func (c *call) runOn(b *borrowed) (inTime bool) {
	if b != nil && !b.moved {
		c.borrows, c.r.socket = b, b.socket
	}
	return c.run()
}

// topUp starts the goroutines that calls may have and that were saved while it
// looked as if all were quick.
func (q *callQueue) topUp(srv *Server) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for n := len(q.waiting); n > 0 && q.running < srv.opts.MaxCalls; n-- {
		q.running++
		srv.tasks.spawn(func() { q.drain(nil, nil) })
	}
}

// run runs the handler under its deadline. Whatever the handler does, the
// client gets exactly one answer. It reports false if the handler came back so
// late that its place was given away.
func (c *call) run() (inTime bool) {
	if c.done != nil {
		defer close(c.done)
	}
	defer c.conclude()
	if c.v.busy(c.s) {
		c.fail("")
		return true
	}
	c.ctx.Init(c.s.calls.life, time.Now().Add(c.srv.opts.CallTimeout))
	c.takes = c
	c.srv.calls.enter(&c.watched)
	defer func() { inTime = c.returned(recover()) }()
	c.v.handler(&c.ctx, c.s, &c.r)
	return true
}

// fail answers for the handler, which is refused if that has answered by then.
func (c *call) fail(ref string) { _ = c.r.Fail(withRef(c.srv.opts.PanicData, ref)) }

// conclude answers for a handler that has come back without an answer.
func (c *call) conclude() {
	if c.r.hasAnswer() {
		return
	}
	ref := ""
	if c.r.Message.ID != "" && c.s.Alive() {
		ref = c.note(slog.LevelWarn, "service handler gave no answer")
	}
	c.fail(ref)
}

// note logs a fault of the handler.
func (c *call) note(level slog.Level, text string) (ref string) {
	return c.srv.note(level, text, slog.String("channel", c.r.Message.Channel), slog.String("user", c.s.identity.User))
}

// returned ends a call whose handler has come back. It reports whether that was
// in time.
func (c *call) returned(fault any) bool {
	if fault != nil {
		c.fail(c.srv.notePanic("service handler "+c.r.Message.Channel, fault, debug.Stack()))
	}
	slow := c.srv.calls.leave(&c.watched)
	inTime := c.state.CompareAndSwap(callRunning, callReturned)
	if slow {
		c.disarm()
		if c.borrows != nil {
			c.borrows.moved = true
		}
	}
	c.ctx.End()
	if !inTime {
		c.s.stuck.Add(-1)
		c.v.stuck.Add(-1)
	}
	return inTime
}

// takesLong sets the clock that gives the call up, and lets another goroutine do
// what the one that it has borrowed is for.
func (c *call) takesLong() {
	c.disarm = context.AfterFunc(&c.ctx, c.abandon)
	c.s.calls.topUp(c.srv)
	switch b := c.borrows; {
	case b == nil:
	case b.socket != nil:
		c.srv.tasks.start(b.socket.goOn)
	default:
		c.srv.tasks.start(b.goOn)
	}
}

// abandon answers for a call whose time is over.
func (c *call) abandon() {
	ref := ""
	if errors.Is(c.ctx.Err(), context.DeadlineExceeded) {
		ref = c.note(slog.LevelError, "service handler did not return in time")
	}
	c.fail(ref)
	c.s.stuck.Add(1)
	c.v.stuck.Add(1)
	if c.state.CompareAndSwap(callRunning, callAbandoned) {
		c.srv.tasks.spawn(func() { c.s.calls.drain(nil, nil) })
		return
	}
	c.s.stuck.Add(-1)
	c.v.stuck.Add(-1)
}
