package bayeux

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// Calls beyond those that may run at once wait, and are refused when their
// deadline comes first.
func TestHookCallsAtOnceAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, err := New(nil)
		if err != nil {
			t.Fatal(err)
		}
		g, gone := newHookGuard("test"), make(chan struct{})
		block := func(context.Context) error { <-gone; return nil }
		results := make(chan error, maxHookCalls)
		for range maxHookCalls {
			go func() { results <- srv.ask(t.Context(), g, nil, block, nil) }()
		}
		synctest.Wait()
		time.Sleep(time.Second)
		start := time.Now()
		waiting := make(chan error, 1)
		go func() { waiting <- srv.ask(t.Context(), g, nil, block, nil) }()
		for range maxHookCalls {
			if err := <-results; !errors.Is(err, errHookLate) {
				t.Fatalf("got %v", err)
			}
		}
		if err := <-waiting; !errors.Is(err, errHookBusy) || time.Since(start) != srv.opts.CallTimeout {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		close(gone)
		synctest.Wait()
		if n := g.stuck.Load(); n != 0 || len(g.slots) != 0 {
			t.Errorf("%d stuck, %d slots taken", n, len(g.slots))
		}
		if err := srv.ask(t.Context(), g, nil, func(context.Context) error { return nil }, nil); err != nil {
			t.Error(err)
		}
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
