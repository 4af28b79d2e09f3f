package webconferencing

import (
	"context"
	"runtime/debug"
	"time"
)

const (
	tick          = time.Second
	trimPeriod    = time.Minute
	restartDelay  = time.Second
	sweepParallel = 16
	duePage       = 256
)

// supervise runs a worker until ctx ends, again and again if it fails.
func (s *Service) supervise(ctx context.Context, name string, work func(context.Context) error) {
	for ctx.Err() == nil {
		err := s.guarded(ctx, name, work)
		if ctx.Err() != nil {
			return
		}
		s.workerFailed(name, err)
		s.logger.ErrorContext(ctx, "worker starts again", "worker", name, "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(restartDelay):
			s.workerRestarts(name)
		}
	}
}

// guarded turns a panic of the worker into its end.
func (s *Service) guarded(ctx context.Context, name string, work func(context.Context) error) error {
	defer func() {
		if v := recover(); v != nil {
			s.logPanic(ctx, name, v)
		}
	}()
	return work(ctx)
}

func (s *Service) logPanic(ctx context.Context, where string, v any) {
	s.logger.ErrorContext(ctx, "panic recovered", "in", where, "panic", v, "stack", string(debug.Stack()))
}

// housekeep does everything that has to happen by itself: expiring seats,
// call deadlines, signs of life, trimming the journal.
func (s *Service) housekeep(ctx context.Context) error {
	if err := s.syncClock(ctx); err != nil {
		return err
	}
	if err := s.timedBeat(ctx); err != nil {
		return err
	}
	if err := s.recoverCalls(ctx); err != nil {
		return err
	}
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	lastBeat := time.Now()
	lastTrim, lastAudit := lastBeat, lastBeat
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		now := time.Now()
		if s.noticeFreeze(); s.freeze.takeThawed() {
			// It must say that it lives before it judges others.
			lastBeat = time.Time{}
		}
		if now.Sub(lastBeat) >= nodeBeat {
			if err := s.syncClock(ctx); err != nil {
				return err
			}
			if err := s.timedBeat(ctx); err != nil {
				return err
			}
			lastBeat = now
			if err := s.sweepLostNodes(ctx); err != nil {
				return err
			}
		}
		if err := s.expireSeats(ctx); err != nil {
			return err
		}
		if err := s.workDeadlines(ctx); err != nil {
			return err
		}
		if now.Sub(lastTrim) >= trimPeriod {
			trimmed, err := s.trim(ctx)
			if err != nil {
				return err
			}
			if trimmed {
				lastTrim = now
			}
		}
		if s.opts.Debug && now.Sub(lastAudit) >= auditPeriod {
			lastAudit = now
			if err := s.auditCalls(ctx); err != nil {
				return err
			}
		}
		s.tickDone(now)
	}
}

// timed bounds a look at the store by commitTimeout: a worker must not wait for
// ever for an answer that got lost.
func timed[T any](ctx context.Context, look func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	return look(ctx)
}

func (s *Service) timedBeat(ctx context.Context) error {
	_, err := timed(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, s.beat(ctx) })
	return err
}

// expireSeats removes the seats of this node whose leases have run out.
func (s *Service) expireSeats(ctx context.Context) error {
	work := make(map[CallID]command)
	for id, cmd := range s.leases.due(s.now()) {
		work[id] = cmd
	}
	return s.sweep(ctx, "expire seats", work)
}

// workDeadlines lets the calls whose time has come act. Calls in trouble don't
// crowd out the others.
func (s *Service) workDeadlines(ctx context.Context) error {
	for {
		now := s.now()
		page := duePage + s.troubles.count(now)
		due, err := timed(ctx, func(ctx context.Context) ([]CallID, error) { return s.store.Due(ctx, now, page) })
		if err != nil {
			return err
		}
		work := make(map[CallID]command, len(due))
		for _, id := range due {
			work[id] = tickCommand{}
		}
		if err := s.sweep(ctx, "deadlines", work); err != nil {
			return err
		}
		if len(due) < page {
			return nil
		}
	}
}

// trim moves old events to the timelines and then drops what is older still
// from the journal. It reports whether it got to the end of it.
func (s *Service) trim(ctx context.Context) (bool, error) {
	now := s.now()
	done, err := s.archive(ctx, now.Add(-s.opts.HistoryWindow/2), archivePages)
	if err != nil || !done {
		return false, err
	}
	_, err = s.store.Commit(ctx, &Change{TrimBefore: now.Add(-s.opts.HistoryWindow)})
	return err == nil, err
}

// syncClock measures by how much the store's clock differs from ours.
func (s *Service) syncClock(ctx context.Context) error {
	if s.timekeeper == nil {
		return nil
	}
	now, err := s.timekeeper.Now(ctx)
	if err != nil {
		return err
	}
	s.clock.set(now)
	return nil
}
