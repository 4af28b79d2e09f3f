package bayeux

import (
	"errors"
	"net/http"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/lazycontext"
)

// rechecks reports whether what a client may do is looked at again while it is
// connected.
func (srv *Server) rechecks() bool {
	return srv.opts.Reauthenticate != nil || srv.opts.RecheckSubscriptions && srv.asksRights()
}

// heldReview asks from time to time whether a connect of long-polling may go on
// being held, as is done for a WebSocket: a user who has logged out must not get
// another message by it.
type heldReview struct {
	srv     *Server
	s       *Session
	h       *held
	request *http.Request
	timer   *time.Timer
}

// reviewLocked begins to ask about a connect that is held for so long. The
// session's lock is held.
func (srv *Server) reviewLocked(x *exchange, h *held, hold time.Duration) {
	if hold <= srv.opts.ReauthenticateEvery || !srv.rechecks() {
		return
	}
	v := &heldReview{srv: srv, s: x.session, h: h, request: lasting(x.request)}
	h.review = v
	v.timer = time.AfterFunc(srv.opts.ReauthenticateEvery, v.look)
}

// lasting returns a request that can be asked about when its handler has ended,
// without what only the handler needs.
func lasting(r *http.Request) *http.Request {
	r = r.WithContext(lazycontext.Lasting(r.Context()))
	address := *r.URL
	r.URL, r.Body = &address, http.NoBody
	return r
}

// stopReview ends the asking about a connect that is not held any more.
func (s *Session) stopReview(h *held) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.review != nil {
		h.review.timer.Stop()
		h.review = nil
	}
}

func (v *heldReview) look() {
	v.srv.tasks.begin()
	defer v.srv.tasks.end()
	if !v.current() {
		return
	}
	err := v.srv.recheck(v.request.Context(), v.request, v.s)
	var fault *hookFault
	switch {
	case err == nil:
	case errors.As(err, &fault) && !errors.Is(fault, errHookPanic):
		// It could not be checked: the client has to ask again, and is checked
		// then.
		v.s.turnAway(v.h, fault.status)
	case errors.Is(err, ErrForeign):
		// As for the next request of whoever it is.
		v.s.turnAway(v.h, v.srv.opts.DuplicateConnectStatus)
	default:
		v.s.endNow(ReasonUnauthorized)
	}
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	if v.h.review == v {
		v.timer.Reset(v.srv.opts.ReauthenticateEvery)
	}
}

func (v *heldReview) current() bool {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	return v.h.review == v && v.s.held == v.h
}

// turnAway answers a held connect with an HTTP status, so that no message goes
// out with it.
func (s *Session) turnAway(h *held, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == h {
		s.held, h.away = nil, status
		s.armLocked()
		h.signal()
	}
}
