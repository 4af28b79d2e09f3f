package bayeux

import (
	"sync"
	"time"
)

// holdHooks tells the application of one held connect: first that it is held,
// then that it is not any more, also when both happen at the same time. The
// hooks are called without the lock.
type holdHooks struct {
	mu       sync.Mutex
	telling  bool // OnHold runs
	told     bool // it has run
	over     bool
	timedOut bool
}

// holding tells that a connect of the session is held.
func (srv *Server) holding(s *Session, h *held, timeout time.Duration) {
	if srv.opts.OnHold == nil && srv.opts.OnRelease == nil {
		return
	}
	t := &h.hooks
	t.mu.Lock()
	if t.over {
		t.mu.Unlock()
		return
	}
	t.telling = true
	t.mu.Unlock()
	if hook := srv.opts.OnHold; hook != nil {
		srv.safely("OnHold", func() { hook(s, timeout) })
	}
	t.mu.Lock()
	t.telling, t.told = false, true
	over, timedOut := t.over, t.timedOut
	t.mu.Unlock()
	if over {
		srv.tellRelease(s, timedOut)
	}
}

// released tells that a connect is no longer held. Only the first call counts.
func (srv *Server) released(s *Session, h *held) {
	if srv.rechecks() {
		s.stopReview(h)
	}
	if srv.opts.OnHold == nil && srv.opts.OnRelease == nil {
		return
	}
	s.mu.Lock()
	timedOut := !h.until.IsZero() && !time.Now().Before(h.until)
	s.mu.Unlock()
	t := &h.hooks
	t.mu.Lock()
	first := !t.over
	if first {
		t.over, t.timedOut = true, timedOut
	}
	told := t.told
	t.mu.Unlock()
	if first && told {
		srv.tellRelease(s, timedOut)
	}
}

func (srv *Server) tellRelease(s *Session, timedOut bool) {
	if hook := srv.opts.OnRelease; hook != nil {
		srv.safely("OnRelease", func() { hook(s, timedOut) })
	}
}
