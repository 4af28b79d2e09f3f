package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/faultstore"
)

const crowd = 16 // goroutines of the concurrent tests

// increment raises the version of a call by one, retrying after conflicts.
func increment(ctx context.Context, s webconferencing.Store, id webconferencing.CallID) error {
	for {
		var version uint64
		c, err := s.Call(ctx, id)
		switch {
		case err == nil:
			version = c.Version
		case !errors.Is(err, webconferencing.ErrNotFound):
			return err
		}
		change := put(id, version)
		change.Events = []webconferencing.Event{event(version+1, day(0), webconferencing.CallTopic(id))}
		_, err = s.Commit(ctx, change)
		if !errors.Is(err, webconferencing.ErrConflict) {
			return err
		}
	}
}

// counted checks that the call and its events have counted to n without a
// hole.
func counted(t *testing.T, f *fixture, id webconferencing.CallID, n int) {
	t.Helper()
	if c := f.call(t, id); c.Version != uint64(n) {
		t.Errorf("call %q counted to %d, want %d", id, c.Version, n)
	}
	events := f.events(t, webconferencing.CallTopic(id), 0, n+1)
	if len(events) != n {
		t.Errorf("call %q has %d events, want %d", id, len(events), n)
	}
	for i, e := range events {
		if e.Version != uint64(i+1) {
			t.Fatalf("event %d has version %d", i, e.Version)
		}
	}
}

func concurrentCounter(t *testing.T, f *fixture) {
	const each = 12
	var wg sync.WaitGroup
	for range crowd {
		wg.Go(func() {
			for range each {
				if err := increment(f.ctx, f, "counter"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	counted(t, f, "counter", crowd*each)
}

// concurrentConflicts: changes that conflict and changes that do not arrive
// together.
func concurrentConflicts(t *testing.T, f *fixture) {
	f.commit(t, put("shared", 0))
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range crowd {
		wg.Go(func() {
			c := put("shared", 1)
			c.Events = []webconferencing.Event{event(1, day(0), "shared")}
			switch _, err := f.Commit(f.ctx, c); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, webconferencing.ErrConflict):
				t.Error(err)
			}
		})
		wg.Go(func() {
			if _, err := f.Commit(f.ctx, put(webconferencing.CallID(fmt.Sprint("own-", i)), 0)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || f.call(t, "shared").Version != 2 {
		t.Errorf("%d changes of version 1 succeeded", won.Load())
	}
	if got := f.events(t, "shared", 0, crowd); len(got) != 1 {
		t.Errorf("%d events of one change", len(got))
	}
	if got := f.ids(t, webconferencing.CallQuery{After: "own-"}); len(got) != crowd+1 {
		t.Errorf("calls: %q", got)
	}
}

// concurrentReaders: what a reader of a topic puts together page by page while
// others write is what stands there in the end.
func concurrentReaders(t *testing.T, f *fixture) {
	const each = 25
	done := make(chan struct{})
	var writers, readers sync.WaitGroup
	for w := range crowd {
		writers.Go(func() {
			for i := range each {
				_, err := f.Commit(f.ctx, &webconferencing.Change{Events: []webconferencing.Event{
					event(uint64(i), day(0), "all", webconferencing.Topic(fmt.Sprint("w", w))),
					event(uint64(i), day(0), "all"),
				}})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, topic := range []webconferencing.Topic{webconferencing.AllTopics, "all", "w0", "w1"} {
		readers.Go(func() {
			var seen []webconferencing.Event
			for last := false; ; {
				var after webconferencing.Position
				if len(seen) > 0 {
					after = seen[len(seen)-1].Position
				}
				page, err := f.Events(f.ctx, topic, after, 10)
				if err != nil {
					t.Error(err)
					return
				}
				seen = append(seen, page...)
				if len(page) == 0 && last {
					break
				}
				select {
				case <-done:
					last = true
				default:
				}
			}
			stands, err := f.Events(f.ctx, topic, 0, 10*crowd*each)
			if err != nil || len(stands) != len(seen) {
				t.Errorf("topic %q: read %d of %d events, %v", topic, len(seen), len(stands), err)
				return
			}
			for i := range seen {
				if seen[i].Position != stands[i].Position {
					t.Errorf("topic %q: event %d was at %d, is at %d", topic, i, seen[i].Position, stands[i].Position)
					return
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	if got := f.events(t, "all", 0, 10*crowd*each); len(got) != 2*crowd*each {
		t.Errorf("%d events, want %d", len(got), 2*crowd*each)
	}
}

// concurrentEverything is for the race detector, and checks that a call never
// goes back and that its events are there as soon as it is.
func concurrentEverything(t *testing.T, f *fixture) {
	done := make(chan struct{})
	var writers, others sync.WaitGroup
	ids := []webconferencing.CallID{"a", "b", "c"}
	const each = 15
	for i := range 6 {
		writers.Go(func() {
			for range each {
				if err := increment(f.ctx, f, ids[i%len(ids)]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	until := func(work func() error) {
		others.Go(func() {
			for {
				if err := work(); err != nil {
					t.Error(err)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	var seen uint64
	until(func() error {
		c, err := f.Call(f.ctx, "a")
		if errors.Is(err, webconferencing.ErrNotFound) && seen == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		if c.Version < seen {
			return fmt.Errorf("version %d after %d", c.Version, seen)
		}
		seen = c.Version
		events, err := f.Events(f.ctx, webconferencing.CallTopic("a"), 0, 1000)
		if err == nil && uint64(len(events)) < seen {
			err = fmt.Errorf("version %d has only %d events", seen, len(events))
		}
		return err
	})
	until(func() error {
		for _, err := range f.Calls(f.ctx, webconferencing.CallQuery{}) {
			if err != nil {
				return err
			}
		}
		return nil
	})
	until(func() error { _, err := f.Due(f.ctx, day(0), 10); return err })
	until(func() error {
		_, err := f.Commit(f.ctx, setValue("v", webconferencing.AnyRevision, "x"))
		return err
	})
	until(func() error {
		_, err := f.Value(f.ctx, "v")
		if errors.Is(err, webconferencing.ErrNotFound) {
			err = nil
		}
		return err
	})
	writers.Wait()
	close(done)
	others.Wait()
	for _, id := range ids {
		counted(t, f, id, 2*each)
	}
}

// everyMethod calls each method once and reports what it returned.
func everyMethod(ctx context.Context, s webconferencing.Store) map[string]error {
	out := make(map[string]error)
	_, out["Call"] = s.Call(ctx, "a")
	_, out["Due"] = s.Due(ctx, day(0), 10)
	_, out["Events"] = s.Events(ctx, webconferencing.AllTopics, 0, 10)
	_, out["Events of a topic"] = s.Events(ctx, "x", 0, 10)
	_, out["Value"] = s.Value(ctx, "v")
	_, out["Commit"] = s.Commit(ctx, put("b", 0))
	out["Calls"], out["Calls by key"], out["Values"] = nil, nil, nil
	for _, err := range s.Calls(ctx, webconferencing.CallQuery{}) {
		out["Calls"] = err
	}
	for _, err := range s.Calls(ctx, webconferencing.CallQuery{Key: "k"}) {
		out["Calls by key"] = err
	}
	for _, err := range s.Values(ctx, webconferencing.ValueQuery{}) {
		out["Values"] = err
	}
	return out
}

func cancelBefore(t *testing.T, f *fixture) {
	f.commit(t, put("a", 0, "k"))
	f.commit(t, setValue("v", 0, "x"))
	ctx, cancel := context.WithCancel(f.ctx)
	cancel()
	for method, err := range everyMethod(ctx, f) {
		if !errors.Is(err, context.Canceled) || errors.Is(err, webconferencing.ErrOutcomeUnknown) {
			t.Errorf("%s: %v, want context.Canceled alone", method, err)
		}
	}
	if _, err := f.Call(f.ctx, "b"); !errors.Is(err, webconferencing.ErrNotFound) {
		t.Errorf("a cancelled commit was written: %v", err)
	}
}

// cancelDuring: commits are cancelled at all sorts of moments, and each error
// must be true.
func cancelDuring(t *testing.T, f *fixture) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	result := make(map[webconferencing.CallID]error)
	for w := range crowd {
		wg.Go(func() {
			for i := range 20 {
				id := webconferencing.CallID(fmt.Sprintf("%d-%d", w, i))
				ctx, cancel := context.WithTimeout(f.ctx, time.Duration(w*i)*10*time.Microsecond)
				_, err := f.Commit(ctx, put(id, 0))
				cancel()
				mu.Lock()
				result[id] = err
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	f.commit(t, put("after", 0)) // whatever was running has settled
	for id, err := range result {
		_, absent := f.Call(f.ctx, id)
		switch {
		case err == nil:
			if absent != nil {
				t.Errorf("%q was acknowledged: %v", id, absent)
			}
		case !errors.Is(err, context.DeadlineExceeded):
			t.Errorf("%q: %v, want context.DeadlineExceeded", id, err)
		case !errors.Is(err, webconferencing.ErrOutcomeUnknown) && absent == nil:
			t.Errorf("%q was written although %v", id, err)
		}
	}
}

func cancelIteration(t *testing.T, f *fixture) {
	for i := range 300 {
		f.commit(t, put(webconferencing.CallID(fmt.Sprintf("%03d", i)), 0))
	}
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	var last error
	n := 0
	for _, err := range f.Calls(ctx, webconferencing.CallQuery{}) {
		if last != nil {
			t.Fatal("the error is not the last pair")
		}
		if last = err; err == nil {
			n++
		}
		if n == 3 {
			cancel()
		}
	}
	if n == 300 || !errors.Is(last, context.Canceled) {
		t.Errorf("yielded %d calls and %v after a cancel at 3", n, last)
	}
}

func closeEveryMethod(t *testing.T, f *fixture) {
	c, ok := f.Store.(io.Closer)
	if !ok {
		t.Log("the store can't be closed")
		return
	}
	f.commit(t, put("a", 0, "k"))
	f.commit(t, setValue("v", 0, "x"))
	for range 2 {
		if err := c.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
		for method, err := range everyMethod(f.ctx, f) {
			if !errors.Is(err, webconferencing.ErrClosed) {
				t.Errorf("%s: %v, want ErrClosed", method, err)
			}
		}
	}
}

func closeRacing(t *testing.T, f *fixture) {
	c, ok := f.Store.(io.Closer)
	if !ok {
		t.Log("the store can't be closed")
		return
	}
	var wg sync.WaitGroup
	var started sync.WaitGroup
	started.Add(crowd)
	for w := range crowd {
		wg.Go(func() {
			for i := 0; ; i++ {
				_, err := f.Commit(f.ctx, put(webconferencing.CallID(fmt.Sprintf("%d-%d", w, i)), 0))
				if err == nil {
					for _, err = range f.Calls(f.ctx, webconferencing.CallQuery{Limit: 5}) {
						if err != nil {
							break
						}
					}
				}
				if i == 0 {
					started.Done()
				}
				if err != nil {
					if !errors.Is(err, webconferencing.ErrClosed) {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	started.Wait()
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	wg.Wait()
}

// faultsUnknownOutcome: after an unknown outcome a reader of the store finds
// out, and a repetition with the same expectation can't apply a change twice.
func faultsUnknownOutcome(t *testing.T, f *fixture) {
	for _, took := range []bool{false, true} {
		s := faultstore.New(f.Store, faultstore.Fault{
			Method: faultstore.Commit, Err: webconferencing.ErrOutcomeUnknown, Through: took,
		})
		id := webconferencing.CallID(fmt.Sprint("took-", took))
		c := put(id, 0)
		c.Events = []webconferencing.Event{event(1, day(0), webconferencing.CallTopic(id))}
		if _, err := s.Commit(f.ctx, c); !errors.Is(err, webconferencing.ErrOutcomeUnknown) {
			t.Fatalf("Commit: %v", err)
		}
		if _, err := s.Call(f.ctx, id); (err == nil) != took {
			t.Errorf("took place: %v, but Call says %v", took, err)
		}
		if _, err := s.Commit(f.ctx, c); errors.Is(err, webconferencing.ErrConflict) != took {
			t.Errorf("took place: %v, but the repetition says %v", took, err)
		}
		counted(t, f, id, 1)
	}
}

// faultsCounter counts with every third commit failing in one way or another.
func faultsCounter(t *testing.T, f *fixture) {
	s := faultstore.New(f.Store)
	for i := range 20 {
		s.Inject(faultstore.Fault{
			Method: faultstore.Commit, Nth: 3 * (i + 1), Err: webconferencing.ErrOutcomeUnknown, Through: i%2 == 0,
		})
	}
	const n = 40
	for {
		c, err := s.Call(f.ctx, "counter")
		if err == nil && c.Version == n {
			break
		}
		err = increment(f.ctx, s, "counter")
		if err != nil && !errors.Is(err, webconferencing.ErrOutcomeUnknown) {
			t.Fatal(err)
		}
	}
	counted(t, f, "counter", n)
}

// scaleLargeAudience: a call of 1,000 in which everybody joins. What each
// reads adds up to a million deliveries; storing them must not cost as much.
func scaleLargeAudience(t *testing.T, f *fixture) {
	const people, batch = 1000, 20
	topics := make([]webconferencing.Topic, people)
	for i := range topics {
		topics[i] = webconferencing.UserTopic(webconferencing.UserID(fmt.Sprintf("user-%04d", i)))
	}
	start := time.Now()
	for i := 0; i < people; i += batch {
		c := &webconferencing.Change{}
		for j := range batch {
			c.Events = append(c.Events, event(uint64(i+j), day(0), topics...))
		}
		f.commit(t, c)
	}
	wrote := time.Since(start)
	for _, topic := range []webconferencing.Topic{topics[0], topics[500], topics[999], webconferencing.AllTopics} {
		events := f.events(t, topic, 0, 2*people)
		if len(events) != people {
			t.Fatalf("topic %q has %d events", topic, len(events))
		}
		for i, e := range events {
			if e.Version != uint64(i) {
				t.Fatalf("topic %q: event %d is %d", topic, i, e.Version)
			}
		}
	}
	start = time.Now()
	after := f.events(t, topics[0], 0, people)[people-batch-1].Position
	for _, topic := range topics {
		if events := f.events(t, topic, after, people); len(events) != batch {
			t.Fatalf("topic %q has %d new events", topic, len(events))
		}
	}
	read := time.Since(start)
	t.Logf("wrote in %v, delivered the last batch in %v", wrote, read)
	// Far more than the linear way takes with the race detector on a small and
	// busy machine, and less than an entry for each delivery with a decoding
	// for each reader.
	if wrote > time.Minute || read > time.Minute {
		t.Errorf("cost is not linear: wrote in %v, delivered in %v", wrote, read)
	}
}
