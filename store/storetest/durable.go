package storetest

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing"
)

// RunDurable tests that a store keeps everything when it is closed and opened
// again. Open is called several times with the same folder, which is empty at
// first; what it returns must be an [io.Closer].
func RunDurable(t *testing.T, open func(t *testing.T, dir string) webconferencing.Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, func() *fixture)
	}{
		{"Everything", durableEverything},
		{"Positions", durablePositions},
		{"PositionsOfEmptyJournal", durablePositionsOfEmptyJournal},
		{"ManyTimes", durableManyTimes},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			var last io.Closer
			c.test(t, func() *fixture {
				if last != nil {
					if err := last.Close(); err != nil {
						t.Fatalf("Close: %v", err)
					}
				}
				s := open(t, dir)
				last = s.(io.Closer)
				return newFixture(t, s)
			})
		})
	}
}

func durableEverything(t *testing.T, reopen func() *fixture) {
	f := reopen()
	c := &webconferencing.Change{
		Call: fullCall(), Keys: []string{"k", "live"}, Deadline: day(0),
		Values: []webconferencing.ValueChange{
			{Key: "v", Data: []byte("x"), Expires: time.Now().Add(time.Hour)},
			{Key: "expired", Data: []byte("x"), Expires: time.Now().Add(-time.Hour)},
		},
		Events: []webconferencing.Event{event(1, day(0), "x", "y"), event(2, day(0), "y")},
	}
	f.commit(t, c)
	f.commit(t, put("purged", 0, "k"))
	f.commit(t, &webconferencing.Change{Call: &webconferencing.Call{ID: "purged"}, Expect: 1, Purge: true})
	call, value, events := f.call(t, c.Call.ID), f.value(t, "v"), f.events(t, "y", 0, 10)

	f = reopen()
	if got := f.call(t, c.Call.ID); !reflect.DeepEqual(got, call) {
		t.Errorf("Call:\n got %+v\nwant %+v", got, call)
	}
	if got := f.value(t, "v"); !reflect.DeepEqual(got, value) {
		t.Errorf("Value:\n got %+v\nwant %+v", got, value)
	}
	if got := f.events(t, "y", 0, 10); !reflect.DeepEqual(got, events) {
		t.Errorf("Events:\n got %+v\nwant %+v", got, events)
	}
	f.noValue(t, "expired")
	if ids := f.ids(t, webconferencing.CallQuery{Key: "k"}); !slices.Equal(ids, []webconferencing.CallID{c.Call.ID}) {
		t.Errorf("key leads to %q", ids)
	}
	if ids, err := f.Due(f.ctx, day(0), 10); err != nil || !slices.Equal(ids, []webconferencing.CallID{c.Call.ID}) {
		t.Errorf("Due = %q, %v", ids, err)
	}
	f.refuse(t, put(c.Call.ID, 0))
	f.commit(t, put(c.Call.ID, 1))
	f.refuse(t, setValue("v", 0, "y"))
	f.commit(t, setValue("v", 1, "y"))
	// The old keys and deadline were known and are gone.
	if ids := f.ids(t, webconferencing.CallQuery{Key: "k"}); len(ids) != 0 {
		t.Errorf("key leads to %q", ids)
	}
	if ids, err := f.Due(f.ctx, day(0), 10); err != nil || len(ids) != 0 {
		t.Errorf("Due = %q, %v", ids, err)
	}
}

func durablePositions(t *testing.T, reopen func() *fixture) {
	var last webconferencing.Position
	for i := range uint64(5) {
		f := reopen()
		if i > 0 {
			if got := f.events(t, "x", last-1, 10); len(got) != 1 || got[0].Version != i-1 {
				t.Errorf("Events = %+v", got)
			}
		}
		p := f.commit(t, &webconferencing.Change{Events: []webconferencing.Event{event(i, day(0), "x")}})
		if p <= last {
			t.Errorf("position %d after %d", p, last)
		}
		last = p
	}
	f := reopen()
	if got := versions(f.events(t, webconferencing.AllTopics, 0, 10)); !slices.Equal(got, []uint64{0, 1, 2, 3, 4}) {
		t.Errorf("Events = %d", got)
	}
}

func durablePositionsOfEmptyJournal(t *testing.T, reopen func() *fixture) {
	f := reopen()
	last := f.commit(t, &webconferencing.Change{Events: []webconferencing.Event{event(1, day(0), "x"), event(2, day(0))}})
	f.commit(t, &webconferencing.Change{TrimBefore: day(1)})
	f = reopen()
	if _, err := f.Events(f.ctx, "x", 0, 10); !errors.Is(err, webconferencing.ErrPositionGone) {
		t.Errorf("Events: %v, want ErrPositionGone", err)
	}
	if got := f.events(t, webconferencing.AllTopics, last, 10); len(got) != 0 {
		t.Errorf("Events = %+v", got)
	}
	if p := f.commit(t, &webconferencing.Change{}); p != last {
		t.Errorf("the journal ends at %d, want %d", p, last)
	}
	if p := f.commit(t, &webconferencing.Change{Events: []webconferencing.Event{event(3, day(0))}}); p <= last {
		t.Errorf("position %d was used again after %d", p, last)
	}
}

func durableManyTimes(t *testing.T, reopen func() *fixture) {
	for i := range uint64(20) {
		f := reopen()
		if err := increment(f.ctx, f, "counter"); err != nil {
			t.Fatal(err)
		}
		f.commit(t, put(webconferencing.CallID(fmt.Sprint(i)), 0, "k"))
		counted(t, f, "counter", int(i)+1)
		if ids := f.ids(t, webconferencing.CallQuery{Key: "k"}); len(ids) != int(i)+1 {
			t.Errorf("key leads to %q", ids)
		}
	}
}
