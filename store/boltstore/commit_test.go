package boltstore_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/boltstore"
)

// put is a change that writes a call at the version after the given one, with
// an event and a value that say the same.
func put(id webconferencing.CallID, expect uint64) *webconferencing.Change {
	return &webconferencing.Change{
		Call:     &webconferencing.Call{ID: id, Version: expect + 1, Title: fmt.Sprint(expect + 1)},
		Expect:   expect,
		Keys:     []string{"all", "only/" + string(id)},
		Deadline: time.Unix(int64(expect+1), 0),
		Values: []webconferencing.ValueChange{
			{Key: string(id), Expect: expect, Data: fmt.Append(nil, expect+1)},
		},
		Events: []webconferencing.Event{{
			Topics: []webconferencing.Topic{webconferencing.CallTopic(id), "all"},
			Type:   webconferencing.EventNoted, CallID: id, Version: expect + 1, Time: time.Unix(1, 0),
		}},
	}
}

// waitFor waits until the condition holds, which it must soon.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

// queued is a commit that has been sent off.
type queued struct {
	done chan struct{}
	pos  webconferencing.Position
	err  error
}

// send commits in the background and returns when the store has the change.
func send(t *testing.T, ctx context.Context, s *boltstore.Store, c *webconferencing.Change) *queued {
	t.Helper()
	q := &queued{done: make(chan struct{})}
	before := s.Waiting()
	go func() {
		defer close(q.done)
		q.pos, q.err = s.Commit(ctx, c)
	}()
	waitFor(t, "queue", func() bool {
		select {
		case <-q.done:
			return true
		default:
			return s.Waiting() > before
		}
	})
	return q
}

// hold stops the writer with one change taken, so that those that follow wait
// and are written together.
func hold(t *testing.T, s *boltstore.Store, c *webconferencing.Change) (first *queued, release func()) {
	t.Helper()
	return holdWith(t, t.Context(), s, c)
}

func holdWith(t *testing.T, ctx context.Context, s *boltstore.Store, c *webconferencing.Change) (first *queued, release func()) {
	t.Helper()
	waitFor(t, "idle", s.Idle)
	release = s.HoldWriter()
	first = &queued{done: make(chan struct{})}
	go func() {
		defer close(first.done)
		first.pos, first.err = s.Commit(ctx, c)
	}()
	waitFor(t, "taken", s.Taken)
	return first, release
}

func TestOneTransactionForThoseWhoWait(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "x.db"))
	defer s.Close()
	first, release := hold(t, s, put("first", 0))
	ctx := t.Context()
	one := send(t, ctx, s, put("a", 0))
	two := send(t, ctx, s, put("a", 1)) // builds on one
	stale := send(t, ctx, s, put("a", 0))
	other := send(t, ctx, s, put("b", 0))
	// A value that is at fault must take back nothing but its own change.
	bad := put("c", 0)
	bad.Values[0].Expect = 9
	half := send(t, ctx, s, bad)
	before := s.Stats().Transactions
	release()
	for _, q := range []*queued{first, one, two, stale, other, half} {
		<-q.done
	}
	if first.err != nil || one.err != nil || two.err != nil || other.err != nil {
		t.Errorf("Commit: %v, %v, %v, %v", first.err, one.err, two.err, other.err)
	}
	if !errors.Is(stale.err, webconferencing.ErrConflict) || !errors.Is(half.err, webconferencing.ErrConflict) {
		t.Errorf("Commit: %v, %v, want ErrConflict", stale.err, half.err)
	}
	if !(first.pos < one.pos && one.pos < two.pos && two.pos < other.pos) {
		t.Errorf("positions %d, %d, %d, %d", first.pos, one.pos, two.pos, other.pos)
	}
	if n := s.Stats().Transactions - before; n != 2 {
		t.Errorf("%d transactions, want 2", n)
	}
	if c, err := s.Call(ctx, "a"); err != nil || c.Version != 2 {
		t.Errorf("Call = %+v, %v", c, err)
	}
	if _, err := s.Call(ctx, "c"); !errors.Is(err, webconferencing.ErrNotFound) {
		t.Errorf("Call: %v, want ErrNotFound", err)
	}
	events, err := s.Events(ctx, webconferencing.AllTopics, 0, 10)
	if err != nil || len(events) != 4 || events[3].CallID != "b" {
		t.Errorf("Events = %+v, %v", events, err)
	}
}

func TestCancelledWhileWaiting(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "x.db"))
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	taken, release := holdWith(t, ctx, s, put("taken", 0))
	left := send(t, ctx, s, put("left", 0))
	stays := send(t, t.Context(), s, put("stays", 0))
	cancel()
	<-taken.done
	<-left.done
	if !errors.Is(taken.err, context.Canceled) || !errors.Is(taken.err, webconferencing.ErrOutcomeUnknown) {
		t.Errorf("of the running transaction: %v, want unknown and cancelled", taken.err)
	}
	if !errors.Is(left.err, context.Canceled) || errors.Is(left.err, webconferencing.ErrOutcomeUnknown) {
		t.Errorf("of the queue: %v, want cancelled alone", left.err)
	}
	release()
	<-stays.done
	if stays.err != nil {
		t.Errorf("one caller's cancellation reached another: %v", stays.err)
	}
	if _, err := s.Call(t.Context(), "taken"); err != nil {
		t.Errorf("the transaction was not finished: %v", err)
	}
	if _, err := s.Call(t.Context(), "left"); !errors.Is(err, webconferencing.ErrNotFound) {
		t.Errorf("a withdrawn change was written: %v", err)
	}
}

func TestCloseRefusesThoseWhoWait(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "x.db"))
	taken, release := hold(t, s, put("taken", 0))
	var all []*queued
	for i := range 5 {
		all = append(all, send(t, t.Context(), s, put(webconferencing.CallID(fmt.Sprint(i)), 0)))
	}
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	waitFor(t, "closing", func() bool { return errors.Is(s.Health(), webconferencing.ErrClosed) })
	release()
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
	<-taken.done
	if taken.err != nil && !errors.Is(taken.err, webconferencing.ErrClosed) {
		t.Errorf("Commit: %v, want nil or ErrClosed", taken.err)
	}
	for _, q := range all {
		<-q.done
		if !errors.Is(q.err, webconferencing.ErrClosed) {
			t.Errorf("Commit: %v, want ErrClosed", q.err)
		}
	}
}

func TestManyShareTransactions(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "x.db"))
	defer s.Close()
	const callers, each = 64, 10
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for v := range uint64(each) {
				if _, err := s.Commit(t.Context(), put(webconferencing.CallID(fmt.Sprint(i)), v)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	st := s.Stats()
	if st.Commits != callers*each || st.Transactions > callers*each/2 {
		t.Errorf("%d commits in %d transactions", st.Commits, st.Transactions)
	}
}

// TestNothingBeforeItIsOnDisk: a commit that has been written and not yet
// forced to disk is not shown to anybody.
func TestNothingBeforeItIsOnDisk(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "x.db"))
	defer s.Close()
	if _, err := s.Commit(t.Context(), put("a", 0)); err != nil {
		t.Fatal(err)
	}
	settle := s.Unsettle()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if events, err := s.Events(ctx, "all", 0, 10); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Events = %+v, %v, want to wait", events, err)
	}
	got := make(chan int)
	go func() {
		events, err := s.Events(t.Context(), "all", 0, 10)
		if err != nil {
			t.Error(err)
		}
		got <- len(events)
	}()
	select {
	case n := <-got:
		t.Errorf("Events returned %d events before the commit settled", n)
	case <-time.After(20 * time.Millisecond):
		settle()
		if n := <-got; n != 1 {
			t.Errorf("Events returned %d events", n)
		}
	}
}

func TestFailedCommitIsUnknownAndTheStoreRecovers(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "x.db"))
	defer s.Close()
	ctx := t.Context()
	for round := range uint64(10) {
		if _, err := s.Commit(ctx, put("a", 2*round)); err != nil {
			t.Fatal(err)
		}
		if err := s.BreakFile(); err != nil {
			t.Fatal(err)
		}
		first, release := hold(t, s, put("first", 0))
		one := send(t, ctx, s, put("a", 2*round+1))
		release()
		<-first.done
		<-one.done
		// The first met the broken file, the others the mended one.
		if !errors.Is(first.err, webconferencing.ErrOutcomeUnknown) {
			t.Fatalf("Commit: %v, want ErrOutcomeUnknown", first.err)
		}
		if err := s.Health(); err != nil {
			t.Errorf("Health: %v", err)
		}
		if one.err != nil {
			t.Errorf("Commit: %v", one.err)
		}
		if c, err := s.Call(ctx, "a"); err != nil || c.Version != 2*round+2 {
			t.Errorf("Call = %+v, %v", c, err)
		}
		events, err := s.Events(ctx, webconferencing.CallTopic("a"), 0, 100)
		if err != nil || uint64(len(events)) != 2*round+2 {
			t.Errorf("%d events, %v", len(events), err)
		}
	}
	if st := s.Stats(); st.Failures != 10 || st.Recoveries != 10 {
		t.Errorf("Stats = %+v", st)
	}
}
