package webconferencing

import (
	"context"
	"sync"
	"time"
)

// freezeGap is by how much a tick is late when the process was stopped.
const freezeGap = 2 * time.Second

// freezeWatch notices that the whole process stood still. It watches time pass
// and nothing else, so that a slow store does not look like it.
type freezeWatch struct {
	mu     sync.Mutex
	seen   time.Time
	thawed bool
}

// look returns how long the process stood still before now, or zero.
func (f *freezeWatch) look(now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	gap := now.Sub(f.seen)
	first := f.seen.IsZero()
	f.seen = now
	if first || gap <= tick+freezeGap {
		return 0
	}
	f.thawed = true
	return gap
}

// takeThawed tells whether the process stood still since the last call.
func (f *freezeWatch) takeThawed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	thawed := f.thawed
	f.thawed = false
	return thawed
}

// noticeFreeze prolongs the leases by a time in which nobody could renew.
func (s *Service) noticeFreeze() {
	if gap := s.freeze.look(time.Now()); gap > 0 {
		s.leases.stretch(gap)
	}
}

// watchFreeze looks again and again until ctx ends.
func (s *Service) watchFreeze(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		s.noticeFreeze()
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}
