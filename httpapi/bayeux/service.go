package bayeux

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ServiceHandler answers one remote call by calling [Request.Reply] or
// [Request.Fail] before it returns. The context ends with the call's deadline,
// or when the session is kicked, loses its rights or is shut down; a call that
// was accepted before a client left, or was lost, still runs.
type ServiceHandler func(ctx context.Context, s *Session, r *Request)

// Request is one remote call, or one message without id on a service channel.
type Request struct {
	// Message is what the client sent.
	Message *Message

	// Data is the payload, nil if there was none.
	Data json.RawMessage

	session  *Session
	params   map[string]string
	mu       sync.Mutex
	answered bool
}

// Param returns what the named {segment} of the handler's pattern stands for
// in this call, empty if there is none of that name.
func (r *Request) Param(name string) string { return r.params[name] }

// Reply answers with a result, valid JSON; nil is sent as null. The first
// answer counts, later ones get [ErrAnswered]. An answer to a message without
// id is not sent, as the client could not tell what it belongs to.
func (r *Request) Reply(result json.RawMessage) error { return r.answer(result, true) }

// Fail answers with a failure value, otherwise like Reply.
func (r *Request) Fail(data json.RawMessage) error { return r.answer(data, false) }

func (r *Request) answer(data json.RawMessage, ok bool) error {
	fields := map[string]json.RawMessage{"successful": json.RawMessage("false")}
	if ok {
		fields["successful"] = json.RawMessage("true")
	}
	if r.Message.ID != "" {
		fields["id"] = json.RawMessage(`"` + r.Message.ID + `"`)
	}
	p, err := Prepare(r.Message.Channel, data, fields)
	if err != nil {
		return fmt.Errorf("answer remote call: %w", err)
	}
	r.mu.Lock()
	if r.answered {
		r.mu.Unlock()
		return ErrAnswered
	}
	r.answered = true
	r.mu.Unlock()
	if r.Message.ID == "" {
		return nil
	}
	return r.session.Deliver(p)
}

// service is a handler with the segments of its pattern.
type service struct {
	segments []string
	handler  ServiceHandler
	stuck    *atomic.Int32 // calls beyond their deadline
}

// HandleService makes h answer the remote calls on a service channel. The
// pattern may end in /* or /**, and whole segments may be written {name}; see
// [Request.Param]. Of several that match, the one registered first is used.
// It may be called at any time. The error is [ErrChannel] for a pattern that is
// not below /service.
func (srv *Server) HandleService(pattern string, h ServiceHandler) error {
	name, ok := canonicalChannel(pattern, srv.opts.MaxChannelBytes, srv.opts.MaxChannelSegments)
	if !ok || !isService(name) || name == "/service" || h == nil {
		return fmt.Errorf("handle service: %w: %q", ErrChannel, pattern)
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.services = append(srv.services, service{strings.Split(name[1:], "/"), h, new(atomic.Int32)})
	return nil
}

// match compares a channel with the pattern and binds its parameters.
func (v *service) match(segments []string) (map[string]string, bool) {
	var params map[string]string
	for i, want := range v.segments {
		if want == "**" {
			return params, len(segments) > i
		}
		if i >= len(segments) {
			return nil, false
		}
		switch {
		case want == "*" || want == segments[i]:
		case len(want) > 2 && want[0] == '{' && want[len(want)-1] == '}':
			if params == nil {
				params = make(map[string]string)
			}
			params[want[1:len(want)-1]] = segments[i]
		default:
			return nil, false
		}
	}
	return params, len(segments) == len(v.segments)
}

func (srv *Server) serviceFor(channel string) (*service, map[string]string) {
	segments := strings.Split(channel[1:], "/")
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	for i := range srv.services {
		if params, ok := srv.services[i].match(segments); ok {
			found := srv.services[i]
			return &found, params
		}
	}
	return nil, nil
}

// callQueue runs a session's remote calls: in order of arrival, so many at
// once, so many waiting.
type callQueue struct {
	mu      sync.Mutex
	waiting []func() bool
	running int
	life    context.Context // made by the first call
	cancel  context.CancelFunc
	stopped bool
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
	own := m.detach()
	r := &Request{Message: own, Data: own.Data, session: s, params: params}
	done := make(chan struct{})
	if !x.srv.enqueueCall(s, func() bool { defer close(done); return x.srv.runCall(s, r, v) }) {
		return "403:" + reasonLimit + ":publish_denied"
	}
	x.calls = append(x.calls, done)
	return ""
}

// awaitCalls gives quick handlers the chance to have their results in the
// response to the request, instead of waking the held connect.
func (x *exchange) awaitCalls() {
	if len(x.calls) == 0 {
		return
	}
	const patience = 20 * time.Millisecond
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for _, done := range x.calls {
		select {
		case <-done:
		case <-timer.C:
			return
		}
	}
}

func (srv *Server) enqueueCall(s *Session, run func() bool) bool {
	q := &s.calls
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stopped || len(q.waiting) >= srv.opts.MaxPendingCalls {
		return false
	}
	if q.life == nil {
		q.life, q.cancel = context.WithCancel(srv.life)
	}
	q.waiting = append(q.waiting, run)
	if q.running < srv.opts.MaxCalls {
		q.running++
		srv.tasks.spawn(q.drain)
	}
	return true
}

// busy reports whether so many calls are stuck that no further one is tried.
func (v *service) busy(s *Session) bool {
	return v.stuck.Load() >= maxStuck || s.stuck.Load() >= maxStuckOfSession
}

// drain runs what waits. It ends early if a call took so long that another
// goroutine has taken its place.
func (q *callQueue) drain() {
	for {
		q.mu.Lock()
		if len(q.waiting) == 0 {
			q.running--
			q.waiting = nil
			if q.stopped && q.running == 0 {
				q.cancel()
			}
			q.mu.Unlock()
			return
		}
		run := q.waiting[0]
		q.waiting[0] = nil
		q.waiting = q.waiting[1:]
		q.mu.Unlock()
		if !run() {
			return
		}
	}
}

// runCall runs a handler under its deadline. Whatever the handler does, the
// client gets exactly one answer. It reports false if the handler came back so
// late that its place was given away.
func (srv *Server) runCall(s *Session, r *Request, v *service) (inTime bool) {
	// Refused if the handler has answered by then.
	fail := func() { _ = r.Fail(srv.opts.PanicData) }
	defer fail()
	if v.busy(s) {
		return true
	}
	ctx, cancel := context.WithTimeout(s.calls.life, srv.opts.CallTimeout)
	defer cancel()
	var state atomic.Int32
	stop := context.AfterFunc(ctx, func() {
		fail()
		s.stuck.Add(1)
		v.stuck.Add(1)
		if state.CompareAndSwap(callRunning, callAbandoned) {
			srv.tasks.spawn(s.calls.drain)
			return
		}
		s.stuck.Add(-1)
		v.stuck.Add(-1)
	})
	defer stop()
	defer func() {
		if fault := recover(); fault != nil {
			srv.panicked("service handler", fault, debug.Stack())
		}
		if inTime = state.CompareAndSwap(callRunning, callReturned); !inTime {
			s.stuck.Add(-1)
			v.stuck.Add(-1)
		}
	}()
	v.handler(ctx, s, r)
	return true
}
