package webconferencing

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

// probeEvery is how often a provider is asked who is inside its meetings.
const probeEvery = 30 * time.Second

// probe asks a provider about its started calls, again and again until ctx
// ends. An error says nothing about who is inside, so nothing follows from it.
func (s *Service) probe(ctx context.Context, e *entry) error {
	for pause(ctx, probeEvery) {
		var g errgroup.Group
		g.SetLimit(providerWorkers)
		for c, err := range s.store.Calls(ctx, CallQuery{Key: liveKey}) {
			if err != nil {
				_ = g.Wait()
				return err
			}
			if len(c.Seats) == 0 || !e.supports(c.Provider) {
				continue
			}
			g.Go(func() error {
				if err := s.probeCall(ctx, e, c); err != nil && ctx.Err() == nil {
					s.logger.DebugContext(ctx, "provider does not say who is inside", "provider", e.info.Type, "call", c.ID, "error", err)
				}
				return nil
			})
		}
		_ = g.Wait()
	}
	return nil
}

func (s *Service) probeCall(ctx context.Context, e *entry, c *Call) error {
	req, err := s.registry.request(ctx, e, c)
	if err != nil {
		return err
	}
	begun := s.now()
	list, err := ask(ctx, s.registry, e, func(ctx context.Context) ([]Attendee, error) { return e.prober.Probe(ctx, req) })
	if err != nil {
		return err
	}
	// Seats may have come and gone while the provider was thinking.
	now, err := s.store.Call(ctx, c.ID)
	if err != nil || now.Epoch != c.Epoch || now.State != StateStarted {
		return err
	}
	return s.changeConnections(ctx, now, nil, func(known connections) []Event {
		return known.snapshot(list, now, begun, s.now())
	})
}
