package bayeux

import (
	"cmp"
	"net/http"
	"reflect"
	"time"
)

// A connect that is held for one to two of these gives its goroutine back to
// net/http, which costs about as much as answering it. Sessions that had messages
// a short time ago will have some soon, and are left in peace for longer.
const (
	takeAfter       = 50 * time.Millisecond
	takeLivelyAfter = 2 * time.Second
	lively          = 5 * time.Second // a hold that was shorter
)

// park holds a connect until there is something to say, its time is over or
// its connection is gone. It reports false if there is nothing left to do for
// the request.
func (srv *Server) park(x *exchange, w http.ResponseWriter, control *http.ResponseController) bool {
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
	s.mu.Lock()
	hold = min(hold, cmp.Or(s.ownTimeout, hold))
	h.until = h.since.Add(hold)
	h.timer = time.AfterFunc(hold, h.signal)
	srv.reviewLocked(x, h, hold)
	polls := &srv.polls
	if s.lively {
		polls = &srv.livelyPolls
	}
	s.mu.Unlock()
	var long chan struct{} // told when it has been held for long
	if !srv.opts.HoldInHandler && web != nil && mayTake(w, x.request) {
		long = make(chan struct{}, 1)
		watched := &watched{slow: func() { long <- struct{}{} }}
		polls.enter(watched)
		defer polls.leave(watched)
	}
	for {
		select {
		case <-h.wake:
			h.timer.Stop()
			srv.unhold(h)
			srv.released(s, h)
			srv.lookAround(s, h)
			x.connect = h
			return true
		case <-x.ctx.Done():
			srv.unhold(h)
			s.abandon(h)
			srv.released(s, h)
			return false
		case <-long:
			if srv.takePoll(x, web, w, control) {
				return false
			}
		}
	}
}

// mayTake reports whether the connection of a request may be taken from
// net/http: nothing but net/http itself may know of it.
func mayTake(w http.ResponseWriter, r *http.Request) bool {
	return r.ProtoMajor == 1 && r.ProtoMinor >= 1 && !r.Close && r.TLS == nil && isBare(w)
}

// isBare reports whether a response is that of net/http's server for HTTP/1,
// with no wrapper around it.
func isBare(w http.ResponseWriter) bool {
	t := reflect.TypeOf(w)
	return t.Kind() == reflect.Pointer && t.Elem().PkgPath() == "net/http" && t.Elem().Name() == "response"
}
