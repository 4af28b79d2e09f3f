package bayeux

import (
	"net/http"
	"reflect"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/lane"
)

// A session whose last held connect was answered within this time will likely
// have a message soon.
const lively = 5 * time.Second

// goOutside takes a request out of its handler, and its connection out of
// net/http, if that is possible, and answers it or will. It leaves those of
// strangers where they are.
func (srv *Server) goOutside(x *exchange, w http.ResponseWriter, r *http.Request) bool {
	if x.session == nil || x.handshake != nil || x.status != 0 || x.setCookie != "" {
		return false
	}
	if own, ok := w.(*lane.Response); ok {
		if x.parked != nil && !x.session.isLively() {
			own.Shrink()
		}
		p, ok := own.Detach()
		if !ok {
			return false
		}
		if x.runsCalls {
			srv.runCalls(x, own, p)
		} else {
			srv.answerOutside(x, p)
		}
		return true
	}
	if srv.opts.StayInHandler || !mayTake(r) {
		return false
	}
	if !isBare(w) {
		srv.wraps()
		return false
	}
	p, err := srv.lane.Take(w, r)
	if err == nil {
		srv.answerOutside(x, p)
	}
	return err == nil
}

// runCalls runs the calls of a request on the goroutine that reads, so that
// their results go out with the response. If one is slow another goroutine
// answers and reads.
func (srv *Server) runCalls(x *exchange, w *lane.Response, p lane.Pending) {
	calls := borrowed{goOn: func() {
		srv.answerOutside(x, p)
		w.GoOn()
	}}
	x.session.calls.drain(&calls, x.firstCall)
	if calls.moved {
		w.Leave()
		return
	}
	srv.answerOutside(x, p)
}

// mayTake reports whether a request is one whose connection may be taken from
// net/http, if nothing but net/http itself knows of it.
func mayTake(r *http.Request) bool {
	return r.ProtoMajor == 1 && r.ProtoMinor >= 1 && !r.Close && r.TLS == nil
}

// isBare reports whether a response is that of net/http's server for HTTP/1,
// with no wrapper around it.
func isBare(w http.ResponseWriter) bool {
	t := reflect.TypeOf(w)
	return t.Kind() == reflect.Pointer && t.Elem().PkgPath() == "net/http" && t.Elem().Name() == "response"
}

func (s *Session) isLively() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lively
}

// answerOutside answers a request that was detached, now or, for a connect that
// is to be held, when there is something to say.
func (srv *Server) answerOutside(x *exchange, p lane.Pending) {
	rush := srv.answers.rush
	h := x.parked
	if h != nil || x.connect != nil {
		rush.came()
	}
	if h != nil {
		srv.holdOutside(x, p)
		return
	}
	if h = x.connect; h != nil && len(x.replies) == 0 && x.session.hasNews() {
		if rush.pausing() {
			// There will be more news when it is its turn.
			h.pending = p
			h.place.Store(signalled)
			srv.answers.enqueue(h)
			return
		}
		rush.pressed()
	}
	x.awaitCalls()
	srv.answer(x, p)
}

// hasNews reports whether messages wait that a connect's reply could take along.
func (s *Session) hasNews() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue.entries) > 0
}

// holdOutside holds a connect.
func (srv *Server) holdOutside(x *exchange, p lane.Pending) {
	h := x.parked
	h.pending = p
	h.session.beginHold(x, h, x.hold)
	if !h.waitAt(waitsOutside) {
		h.write()
		return
	}
	p.OnGone(func() {
		if h.place.Swap(signalled) == waitsOutside {
			srv.giveUp(h)
		}
	})
}

// write answers a held connect.
func (h *held) write() {
	srv := h.session.srv
	srv.endHold(h)
	x := &exchange{srv: srv, session: h.session, connect: h, parked: h}
	srv.answer(x, h.pending)
	srv.answers.rush.answered(x.carried, h.since)
}

// answer writes the response to a detached request.
func (srv *Server) answer(x *exchange, p lane.Pending) {
	status := http.StatusOK
	body, away, flying := x.assemble()
	if away != 0 {
		status, body = away, nil
	}
	closing := srv.phase.Load() != phaseServing
	rearm := x.connect != nil && away == 0
	p.Answer(status, body, closing, func(err error) {
		if away == 0 {
			x.session.written(flying, err == nil, rearm)
		}
	})
}
