package webconferencing

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	troubleFirst = 5 * time.Second // before a call that failed is tried again; doubles ...
	troubleMost  = time.Minute     // ... up to this
	troubleKept  = 10 * time.Minute
)

// troubles are the calls that housekeeping could not work on, although the
// store answers. They are tried again less often, and keep nobody waiting.
type troubles struct {
	mu    sync.Mutex
	calls map[CallID]trouble
}

type trouble struct {
	wait time.Duration
	next time.Time
}

// resting tells whether a call is left alone for now.
func (t *troubles) resting(id CallID, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return now.Before(t.calls[id].next)
}

func (t *troubles) failed(id CallID, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.calls == nil {
		t.calls = make(map[CallID]trouble)
	}
	wait := min(max(2*t.calls[id].wait, troubleFirst), troubleMost)
	t.calls[id] = trouble{wait: wait, next: now.Add(wait)}
}

func (t *troubles) solved(id CallID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.calls, id)
}

// count returns how many calls are in trouble, and forgets those that nobody
// has tried for long: they are gone.
func (t *troubles) count(now time.Time) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, c := range t.calls {
		if now.Sub(c.next) > troubleKept {
			delete(t.calls, id)
		}
	}
	return len(t.calls)
}

// sweep works on calls, a few at once. A call that fails is logged and tried
// again later; the error is that of a store that does not answer.
func (s *Service) sweep(ctx context.Context, what string, work map[CallID]command) error {
	var g errgroup.Group
	g.SetLimit(sweepParallel)
	var mu sync.Mutex
	failed := make(map[CallID]error)
	now := s.now()
	for id, cmd := range work {
		if s.troubles.resting(id, now) {
			continue
		}
		g.Go(func() error {
			if _, err := s.submit(ctx, id, cmd); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed[id] = err
				return nil
			}
			s.troubles.solved(id)
			return nil
		})
	}
	_ = g.Wait() // the functions return no error
	if len(failed) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := s.store.Value(ctx, nodesKey); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	for id, err := range failed {
		s.troubles.failed(id, now)
		s.logger.ErrorContext(ctx, "call can't be worked on", "ref", newRef(), "work", what, "call", string(id), "error", err)
	}
	return nil
}
