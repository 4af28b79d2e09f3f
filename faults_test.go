package webconferencing_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	wc "github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/faultstore"
	"github.com/webconferencing/webconferencing/store/memstore"
)

// faultStep is a command on a call. It may be sent again if its outcome was not
// clear.
type faultStep struct {
	name string
	run  func(ctx context.Context, s *wc.Service) error
	done func(c *wc.Call) bool // on the stored record
}

// script is a life of a call, command by command.
var script = []faultStep{
	{"create", func(ctx context.Context, s *wc.Service) error {
		_, err := s.CreateCall(ctx, mary, space("g/p", "product_team", true))
		if wc.CodeOf(err) == wc.CodeConflict {
			return nil // the first attempt took place
		}
		return err
	}, func(c *wc.Call) bool { return c.State == wc.StateStarted }},
	{"join", func(ctx context.Context, s *wc.Service) error {
		_, err := s.JoinCall(ctx, mary, "g/p")
		return err
	}, func(c *wc.Call) bool { return c.Present("mary") }},
	{"join too", func(ctx context.Context, s *wc.Service) error {
		_, err := s.JoinCall(ctx, john, "g/p")
		return err
	}, func(c *wc.Call) bool { return c.Present("john") }},
	{"invite", func(ctx context.Context, s *wc.Service) error {
		_, err := s.SetInvites(ctx, john, "g/p", []wc.Invite{{ID: wc.Everybody}})
		return err
	}, func(c *wc.Call) bool { return len(c.Invites) == 1 }},
	{"leave", func(ctx context.Context, s *wc.Service) error {
		_, err := s.LeaveCall(ctx, john, "g/p", nil)
		return err
	}, func(c *wc.Call) bool { return !c.Present("john") }},
	{"stop", func(ctx context.Context, s *wc.Service) error {
		_, err := s.StopCall(ctx, mary, "g/p")
		return err
	}, func(c *wc.Call) bool { return c.State == wc.StateStopped }},
	{"delete", func(ctx context.Context, s *wc.Service) error {
		_, err := s.DeleteCall(ctx, mary, "g/p")
		if wc.CodeOf(err) == wc.CodeNotFound {
			return nil
		}
		return err
	}, func(c *wc.Call) bool { return !c.Removed.IsZero() }},
}

// Whatever goes wrong at whichever access to the store: what was acknowledged
// is there, what failed can be sent again, and state and journal agree.
func TestStoreFaults(t *testing.T) {
	faults := map[string]faultstore.Fault{
		"commit fails":             {Method: faultstore.Commit, Err: errBoom},
		"commit lost, not done":    {Method: faultstore.Commit, Err: wc.ErrOutcomeUnknown},
		"commit lost, but done":    {Method: faultstore.Commit, Err: wc.ErrOutcomeUnknown, Through: true},
		"commit panics":            {Method: faultstore.Commit, Panic: "store"},
		"commit panics after done": {Method: faultstore.Commit, Panic: "store", Through: true},
		"read fails":               {Method: faultstore.Call, Err: errBoom},
		"read panics":              {Method: faultstore.Call, Panic: "store"},
		"value fails":              {Method: faultstore.Value, Err: errBoom},
		"commit hangs":             {Method: faultstore.Commit, Delay: time.Minute},
		"commit hangs, but done":   {Method: faultstore.Commit, Delay: 10 * time.Second, Err: wc.ErrOutcomeUnknown, Through: true},
		"read hangs":               {Method: faultstore.Call, Delay: time.Minute},
		"value hangs":              {Method: faultstore.Value, Delay: time.Minute},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			for nth := 1; nth <= 32; nth++ {
				synctest.Test(t, func(t *testing.T) { runScript(t, script, "g/p", fault, nth) })
				synctest.Test(t, func(t *testing.T) { runScript(t, ringScript, "p/john@mary", fault, nth) })
			}
		})
	}
}

func runScript(t *testing.T, script []faultStep, id wc.CallID, fault faultstore.Fault, nth int) {
	behind := memstore.New()
	store := faultstore.New(behind)
	s, err := wc.New(store, newPeople(), &wc.Options{Providers: []wc.Provider{provider()}, Debug: true})
	if err != nil {
		t.Fatal(err)
	}
	fault.Nth = nth
	store.Inject(fault)
	for _, step := range script {
		err := guard(func() error { return step.run(t.Context(), s) })
		if err != nil {
			var e *wc.Error
			if !errors.As(err, &e) {
				t.Errorf("%s at access %d: the error is a %T: %v", step.name, nth, err, err)
			}
			if err := step.run(t.Context(), s); err != nil {
				t.Fatalf("%s again after %v: %v", step.name, e, err)
			}
		}
		c, err := behind.Call(t.Context(), id)
		if err != nil || !step.done(c) {
			t.Fatalf("%s at access %d was acknowledged, but the record is %+v, %v", step.name, nth, c, err)
		}
		checkJournal(t, behind, c)
	}
	if v := s.Stats().Violations; v > 0 {
		t.Errorf("%d invariants were violated at access %d", v, nth)
	}
}

// guard turns a panic into an error: none may come out of a Service.
func guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic came out: %v", v)
		}
	}()
	return f()
}

// checkJournal makes sure that every version of a call has its events and
// that there are no others.
func checkJournal(t *testing.T, store wc.Store, c *wc.Call) {
	t.Helper()
	events, err := store.Events(t.Context(), wc.CallTopic(c.ID), 0, 10000)
	if err != nil {
		t.Fatal(err)
	}
	var version uint64
	for _, e := range events {
		if e.Version != version && e.Version != version+1 {
			t.Fatalf("version %d follows %d in the journal", e.Version, version)
		}
		version = e.Version
	}
	if version != c.Version {
		t.Fatalf("the journal ends at version %d, the call is at %d", version, c.Version)
	}
}

// A store that fails for a while makes the service unhealthy, not dead: what
// waited happens when the store is back.
func TestStoreIsAwayForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := faultstore.New(memstore.New())
		s := startNode(t, store, newPeople(), wc.Options{})
		defer s.stop()
		time.Sleep(2 * time.Second)
		must[*wc.Call](t)(s.CreateCall(t.Context(), mary, pair("mary", "john", true)))
		must[*wc.Admission](t)(s.JoinCall(t.Context(), mary, "p/john@mary"))
		j := listen(t, s.Service, "john")
		if h := s.Health(t.Context()); !h.Ready {
			t.Errorf("health is %+v", h)
		}
		store.Inject(faultstore.Fault{Times: faultstore.Forever, Err: errBoom})
		time.Sleep(40 * time.Second)
		if h := s.Health(t.Context()); h.Ready || len(h.Problems) == 0 {
			t.Errorf("health without a store is %+v", h)
		}
		_, err := s.CreateCall(t.Context(), jack, pair("jack", "james", true))
		wantCode(t, err, wc.CodeInternal)
		store.Clear()
		time.Sleep(10 * time.Second)
		j.want(t, "john", "call_leaved mary", "stopped(expired)")
		if h := s.Health(t.Context()); !h.Ready {
			t.Errorf("health afterwards is %+v", h)
		}
	})
}
