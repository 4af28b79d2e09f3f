package webconferencing

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"
)

// auditPeriod is how often [Options].Debug has all live calls looked at.
const auditPeriod = 10 * time.Second

// audit is what debug mode found.
type audit struct {
	mu    sync.Mutex
	found int
	// suspects may be changes under way; what is found twice in a row is a
	// fault.
	suspects map[string]bool
}

func (a *audit) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.found
}

// violated logs broken invariants, each with a reference, and counts them.
func (s *Service) violated(ctx context.Context, id CallID, found []string) {
	for _, what := range found {
		s.logger.ErrorContext(ctx, "invariant violated", "ref", newRef(), "call", string(id), "fault", what)
	}
	s.audit.mu.Lock()
	defer s.audit.mu.Unlock()
	s.audit.found += len(found)
}

// inspect looks at what was just committed, in debug mode.
func (s *Service) inspect(ctx context.Context, before *Call, t *transition) {
	if !s.opts.Debug || t.purge {
		return
	}
	s.violated(ctx, t.call.ID, append(recordFaults(t.call), stepFaults(before, t.call, t.events)...))
}

// auditCalls holds the live calls against the clock, the leases and the claims
// of groups.
func (s *Service) auditCalls(ctx context.Context) error {
	suspects := make(map[string]bool)
	stored := make(map[SeatID]bool)
	suspect := func(id CallID, format string, args ...any) {
		suspects[string(id)+"\x00"+fmt.Sprintf(format, args...)] = true
	}
	now := s.now()
	for c, err := range s.store.Calls(ctx, CallQuery{Key: liveKey}) {
		if err != nil {
			return err
		}
		if d := c.deadline(s.limits); now.Sub(d) > auditPeriod {
			suspect(c.ID, "I3: version %d waits since %s", c.Version, d.Format(time.RFC3339))
		}
		for _, seat := range c.Seats {
			stored[seat.ID] = true
			if seat.Node == s.node && !s.leases.has(c.ID, seat.ID) {
				suspect(c.ID, "I1: the seat of %s on %s in version %d has no lease", seat.User, seat.Client, c.Version)
			}
		}
		if key := claimKey(c); key != "" {
			if v, err := s.store.Value(ctx, key); err != nil || CallID(v.Data) != c.ID {
				suspect(c.ID, "I5: the group's claim is not on version %d", c.Version)
			}
		}
	}
	for _, l := range s.leases.all() {
		if !stored[l.seat] {
			suspect(l.call, "I1: a lease of %s on %s, version %d, has no seat", l.user, l.client, l.version)
		}
		if l.until.Sub(now) > s.opts.SeatTTL+auditPeriod {
			suspect(l.call, "I1: the lease of %s on %s is too long", l.user, l.client)
		}
	}
	s.auditFound(ctx, suspects)
	return nil
}

// auditFound reports what was suspected the last time too.
func (s *Service) auditFound(ctx context.Context, suspects map[string]bool) {
	s.audit.mu.Lock()
	before := s.audit.suspects
	s.audit.suspects = maps.Clone(suspects)
	s.audit.mu.Unlock()
	for key := range suspects {
		if before[key] {
			id, what := splitSuspect(key)
			s.violated(ctx, id, []string{what})
		}
	}
}

func splitSuspect(key string) (CallID, string) {
	for i := range len(key) {
		if key[i] == 0 {
			return CallID(key[:i]), key[i+1:]
		}
	}
	return "", key
}
