package webconferencing_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	wc "github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/memstore"
)

// A hook that takes too long refuses the command, holds up nobody else, and
// can't change anything afterwards.
func TestSlowHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var late sync.WaitGroup
		s := startNode(t, memstore.New(), newPeople(), wc.Options{CallbackTimeout: 2 * time.Second, Before: func(_ context.Context, p *wc.Proposal) error {
			if p.By.User != "mary" {
				return nil
			}
			late.Add(1)
			defer late.Done()
			<-release // whatever its context says
			p.New.Title = "too late"
			return nil
		}})
		defer s.stop()
		began := time.Now()
		done := make(chan error, 1)
		go func() {
			_, err := s.CreateCall(t.Context(), mary, space("g/p", "product_team", true))
			done <- err
		}()
		synctest.Wait()
		must[*wc.Call](t)(s.CreateCall(t.Context(), john, pair("john", "jack", true)))
		wantCode(t, <-done, wc.CodeUnavailable)
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("the answer took %v", took)
		}
		close(release)
		late.Wait()
		if _, err := s.Call(t.Context(), john, "g/p"); wc.CodeOf(err) != wc.CodeNotFound {
			t.Errorf("the call was made after all: %v", err)
		}
	})
}

// A listener on another node goes on where the first one stopped, also after
// everything it had to hear was trimmed while nobody listened.
func TestListenerMovesAndIsToldOfGaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, dir := memstore.New(), newPeople()
		a := startNode(t, store, dir, wc.Options{NodeName: "a", HistoryWindow: time.Minute})
		defer a.stop()
		b := startNode(t, store, dir, wc.Options{NodeName: "b", HistoryWindow: time.Minute})
		defer b.stop()
		var mu sync.Mutex
		var got []string
		run := func(n *node) (stop func()) {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				done <- n.Listen(ctx, "billing", func(_ context.Context, e *wc.Event) error {
					mu.Lock()
					defer mu.Unlock()
					got = append(got, short(e))
					return nil
				})
			}()
			synctest.Wait()
			return func() {
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
		}
		take := func(want ...string) {
			t.Helper()
			time.Sleep(3 * time.Second)
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(got, want) {
				t.Errorf("handed over %q, want %q", got, want)
			}
			got = nil
		}
		stop := run(a)
		must[*wc.Call](t)(a.CreateCall(t.Context(), mary, space("g/p", "product_team", false)))
		take("call_updated")
		stop()
		must[*wc.Call](t)(a.StartCall(t.Context(), mary, "g/p"))
		stop = run(b)
		take("started")
		stop()
		must[*wc.Call](t)(a.StopCall(t.Context(), mary, "g/p"))
		time.Sleep(5 * time.Minute)
		stop = run(a)
		take("reset ")
		must[*wc.Call](t)(b.DeleteCall(t.Context(), mary, "g/p"))
		take("stopped(ended)")
		stop()
	})
}
