package webconferencing

import (
	"context"
	"sync"
	"time"
)

// driveProviders does what providers have to be asked without anybody asking,
// until ctx ends. A provider that does not answer holds up no other.
func (s *Service) driveProviders(ctx context.Context) error {
	var wg sync.WaitGroup
	configurable := false
	for _, e := range s.registry.entries {
		configurable = configurable || e.configurable != nil
		if e.works() {
			wg.Go(func() {
				s.supervise(ctx, "provider "+e.info.Type, func(ctx context.Context) error { return s.driveProvider(ctx, e) })
			})
		}
	}
	if configurable {
		wg.Go(func() {
			s.supervise(ctx, "provider settings", func(ctx context.Context) error {
				s.registry.followSettings(ctx)
				return nil
			})
		})
	}
	wg.Wait()
	<-ctx.Done()
	return nil
}

// driveProvider works for a provider whenever this node leads its work.
func (s *Service) driveProvider(ctx context.Context, e *entry) error {
	job := "provider/" + e.info.Type
	var wg sync.WaitGroup
	end := func() {}
	defer func() {
		end()
		wg.Wait()
		// A node that shuts down still has a moment to say so.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if err := s.resign(ctx, job); err != nil {
			s.logger.WarnContext(ctx, "lead could not be given up", "job", job, "error", err)
		}
	}()
	ticker := time.NewTicker(leadBeat)
	defer ticker.Stop()
	leading := false
	for {
		leads, err := s.lead(ctx, job)
		if err != nil {
			return err
		}
		switch {
		case leads && !leading:
			term, cancel := context.WithCancel(ctx)
			end = cancel
			s.beginTerm(term, e, &wg)
		case !leads && leading:
			end()
			wg.Wait()
		}
		leading = leads
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// beginTerm starts the work for a provider, which goes on until ctx ends.
func (s *Service) beginTerm(ctx context.Context, e *entry, wg *sync.WaitGroup) {
	work := func(name string, f func(context.Context) error) {
		wg.Go(func() { s.supervise(ctx, "provider "+e.info.Type+" "+name, f) })
	}
	if e.updater != nil || e.ender != nil {
		follower := newMeetingFollower(s, e)
		work("meetings", follower.run)
	}
	if e.observer != nil {
		observer := &callObserver{service: s, entry: e}
		work("events", observer.run)
		work("late events", observer.retry)
	}
	if e.prober != nil {
		work("probing", func(ctx context.Context) error { return s.probe(ctx, e) })
	}
}

// backoff is how long to wait after a number of failures in a row.
func backoff(failures int, first, most time.Duration) time.Duration {
	return min(first<<min(max(failures-1, 0), 16), most)
}

// pause waits and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
