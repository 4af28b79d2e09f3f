package bayeux

import (
	"cmp"
	"net/http"
	"time"
)

// Where a held connect of long-polling waits. What signals it says so in place
// of that, so that it is answered once.
const (
	waitsNowhere int32 = iota // it is still being processed
	waitsInHandler
	waitsOutside // with a connection of the lane
	signalled
)

// signal has the connect answered.
func (h *held) signal() {
	switch h.place.Swap(signalled) {
	case waitsInHandler:
		h.wake <- struct{}{} // has room for the one
	case waitsOutside:
		h.session.srv.answers.enqueue(h)
	}
}

// waitAt begins to wait. It reports false if there is an answer already.
func (h *held) waitAt(place int32) bool { return h.place.CompareAndSwap(waitsNowhere, place) }

// park holds a connect inside of its handler until there is something to say,
// its time is over or its connection is gone. It reports false if there is
// nothing left to do for the request.
func (srv *Server) park(x *exchange, control *http.ResponseController) bool {
	h, s := x.parked, x.session
	hold := x.hold
	web, _ := x.request.Context().Value(http.ServerContextKey).(*http.Server)
	if web != nil && web.WriteTimeout > 0 {
		if control.SetWriteDeadline(time.Now().Add(hold+srv.opts.WriteTimeout)) != nil {
			// The host's deadline cannot be moved, so the answer must be
			// out before it.
			hold = min(hold, web.WriteTimeout/2)
		}
	}
	s.beginHold(x, h, hold)
	h.wake = make(chan struct{}, 1)
	if h.waitAt(waitsInHandler) {
		select {
		case <-h.wake:
		case <-x.ctx.Done():
			if h.place.Swap(signalled) == waitsInHandler {
				srv.giveUp(h)
				return false
			}
		}
	}
	srv.endHold(h)
	x.connect = h
	return true
}

// beginHold sets when a connect's time is over.
func (s *Session) beginHold(x *exchange, h *held, hold time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h.until = h.since.Add(min(hold, cmp.Or(s.ownTimeout, hold)))
	s.holdUntilLocked(h.until)
	s.srv.reviewLocked(x, h, hold)
}

// endHold is called before a held connect is answered.
func (srv *Server) endHold(h *held) {
	srv.unhold(h)
	srv.released(h.session, h)
	srv.lookAround(h.session, h)
}

// giveUp is called for a held connect whose connection is gone.
func (srv *Server) giveUp(h *held) {
	srv.unhold(h)
	h.session.abandon(h)
	srv.released(h.session, h)
}
