package bayeux

import (
	"context"
	"slices"
	"time"
)

// The phases of a server's life.
const (
	phaseServing  int32 = iota
	phaseDraining       // nothing new is accepted; what was is still dealt with
	phaseClosed         // nothing is answered any more
)

// drainTick is the pace at which sessions are looked at while they are drained.
const drainTick = 20 * time.Millisecond

// drain gives what was accepted the time to reach its clients: messages that
// clients are sending, then calls that run, then what waits in queues. Each
// session ends as soon as nothing is left to do for it.
func (srv *Server) drain(ctx context.Context) {
	limit := srv.opts.ShutdownGrace
	if limit < 0 {
		return
	}
	if end, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(end)/2) // the rest is for ending
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	wait := func(list []*Session, done func(*Session) bool) {
		for {
			if list = slices.DeleteFunc(list, done); len(list) == 0 {
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}
	// What one session sends may be for any other, which therefore has to stay.
	wait(slices.Collect(srv.Sessions()), (*Session).isDone)
	wait(slices.Collect(srv.Sessions()), func(s *Session) bool {
		if !s.isDrained() {
			return false
		}
		s.end(ReasonShutdown)
		return true
	})
}

// isDone reports whether nothing is being done that the client asked for, save
// for a connect.
func (s *Session) isDone() bool { return len(s.turn) == 0 && s.calls.isIdle() }

// isDrained reports whether nothing waits for the client. Lazy messages have
// nothing to wait for any more.
func (s *Session) isDrained() bool {
	s.mu.Lock()
	if len(s.queue.entries) == 0 {
		defer s.mu.Unlock()
		return s.busy == 0
	}
	s.queue.hasten()
	next := s.wakeLocked()
	s.mu.Unlock()
	next.run()
	return false
}

func (q *callQueue) isIdle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.running == 0 && len(q.waiting) == 0
}

// hasten makes lazy messages due.
func (q *queue) hasten() {
	for i := range q.entries {
		q.entries[i].lazy = time.Time{}
	}
}

// isLate reports whether a message comes too late to be processed, as the server
// is about to end. How a client takes what waits for it, and leaves, is not.
func (x *exchange) isLate(s *Session, m *Message) bool {
	if x.srv.phase.Load() == phaseServing || s.local != nil {
		return false
	}
	switch m.Channel {
	case metaConnect, metaUnsubscribe, metaDisconnect:
		return false
	}
	return true
}
