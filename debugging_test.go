package webconferencing_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	wc "github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/memstore"
)

// losing is a store that loses seats, as an error in one could.
type losing struct{ wc.Store }

func (l losing) Commit(ctx context.Context, c *wc.Change) (wc.Position, error) {
	if c.Call != nil && len(c.Call.Seats) > 0 {
		less := *c
		less.Call = c.Call.Clone()
		less.Call.Seats = nil
		c = &less
	}
	return l.Store.Commit(ctx, c)
}

// Debug mode finds what goes wrong behind the service's back, says so with a
// reference, counts it and makes the service unhealthy.
func TestDebugModeFindsFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s, err := wc.New(losing{memstore.New()}, newPeople(), &wc.Options{
			Providers: []wc.Provider{provider()}, Debug: true, Logger: slog.New(slog.NewTextHandler(&log, nil)), SeatTTL: time.Hour,
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		synctest.Wait()
		must[*wc.Call](t)(s.CreateCall(ctx, mary, space("g/p", "product_team", true)))
		must[*wc.Admission](t)(s.JoinCall(ctx, mary, "g/p"))
		time.Sleep(35 * time.Second)
		h := s.Health(ctx)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if n := s.Stats().Violations; n == 0 || h.Ready || !strings.Contains(strings.Join(h.Problems, ", "), "violated, see the log") {
			t.Errorf("%d violations, health is %+v", n, h)
		}
		if !strings.Contains(log.String(), "I1: a lease of mary on m1") || !strings.Contains(log.String(), "ref=") {
			t.Errorf("the log is %s", log.String())
		}
	})
}

// When all have left nothing of them is left in the service (I9).
func TestGaugesReturnToZero(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		for range 3 {
			must[*wc.Call](t)(s.CreateCall(ctx, mary, pair("mary", "john", true)))
			in := listen(t, s.Service, "mary")
			must[*wc.Admission](t)(s.JoinCall(ctx, mary, "p/john@mary"))
			must[*wc.Admission](t)(s.JoinCall(ctx, john, "p/john@mary"))
			must[*wc.Call](t)(s.LeaveCall(ctx, mary, "p/john@mary", nil))
			in.sub.Close()
			time.Sleep(time.Second)
		}
		if got := s.Stats(); got != (wc.Stats{}) {
			t.Errorf("gauges are %+v", got)
		}
	})
}
