// Package storetest proves that an implementation of [webconferencing.Store]
// keeps its contract. A store's own tests are one line:
//
//	storetest.Run(t, func(t *testing.T) webconferencing.Store { return mystore.New() })
//
// and [RunDurable] beside it for a store that outlives its process. What the
// contract leaves open the suite leaves open too.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing"
)

// Run tests everything that the comments of [webconferencing.Store] say. Each
// subtest calls open for a fresh, empty store and closes it in the end if it
// is an [io.Closer]; subtests run in parallel.
func Run(t *testing.T, open func(t *testing.T) webconferencing.Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *fixture)
	}{
		{"Call/RoundTrip", callRoundTrip},
		{"Call/NotFound", callNotFound},
		{"Call/CompareAndSet", callCompareAndSet},
		{"Call/Purge", callPurge},
		{"Call/Ownership", callOwnership},
		{"Calls/KeyOrderAfterLimit", callsQuery},
		{"Calls/ManyPages", callsManyPages},
		{"Calls/KeysMove", callsKeysMove},
		{"Calls/KeysAreNotPrefixes", callsKeysAreNotPrefixes},
		{"Calls/WriteWhileIterating", callsWriteWhileIterating},
		{"Calls/Stop", callsStop},
		{"Due/OrderAndLimit", dueOrderAndLimit},
		{"Due/Moves", dueMoves},
		{"Value/RoundTrip", valueRoundTrip},
		{"Value/CompareAndSet", valueCompareAndSet},
		{"Value/AnyRevision", valueAnyRevision},
		{"Value/Remove", valueRemove},
		{"Value/Expiry", valueExpiry},
		{"Value/Ownership", valueOwnership},
		{"Values/PrefixOrderAfterLimit", valuesQuery},
		{"Values/AnyBytesAndOwnership", valuesAnyBytes},
		{"Values/ManyPages", valuesManyPages},
		{"Values/WriteWhileIterating", valuesWriteWhileIterating},
		{"Commit/Atomic", commitAtomic},
		{"Commit/Position", commitPosition},
		{"Commit/Invalid", commitInvalid},
		{"Events/RoundTrip", eventsRoundTrip},
		{"Events/Topics", eventsTopics},
		{"Events/Pages", eventsPages},
		{"Events/Empty", eventsEmpty},
		{"Events/Ownership", eventsOwnership},
		{"Events/KeepAfterPurge", eventsKeepAfterPurge},
		{"Trim/DropsOldest", trimDropsOldest},
		{"Trim/EverythingKeepsPositions", trimEverything},
		{"Trim/Converges", trimConverges},
		{"Concurrent/Counter", concurrentCounter},
		{"Concurrent/ConflictsDoNotSpread", concurrentConflicts},
		{"Concurrent/ReaderSeesNoHole", concurrentReaders},
		{"Concurrent/Everything", concurrentEverything},
		{"Cancel/Before", cancelBefore},
		{"Cancel/During", cancelDuring},
		{"Cancel/Iteration", cancelIteration},
		{"Close/EveryMethod", closeEveryMethod},
		{"Close/Racing", closeRacing},
		{"Faults/UnknownOutcome", faultsUnknownOutcome},
		{"Faults/Counter", faultsCounter},
		{"Scale/LargeAudience", scaleLargeAudience},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, newFixture(t, open(t)))
		})
	}
}

// fixture is a store with shorthands that fail the test.
type fixture struct {
	webconferencing.Store
	ctx context.Context
}

func newFixture(t *testing.T, s webconferencing.Store) *fixture {
	t.Cleanup(func() {
		if c, ok := s.(io.Closer); ok {
			if err := c.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
	})
	return &fixture{Store: s, ctx: t.Context()}
}

// commit applies a change that must succeed.
func (f *fixture) commit(t *testing.T, c *webconferencing.Change) webconferencing.Position {
	t.Helper()
	p, err := f.Commit(f.ctx, c)
	if err != nil {
		t.Fatalf("Commit: %v", err)
	}
	return p
}

// refuse applies a change that must conflict.
func (f *fixture) refuse(t *testing.T, c *webconferencing.Change) {
	t.Helper()
	if _, err := f.Commit(f.ctx, c); !errors.Is(err, webconferencing.ErrConflict) {
		t.Fatalf("Commit: %v, want ErrConflict", err)
	}
}

// call reads a call that must exist.
func (f *fixture) call(t *testing.T, id webconferencing.CallID) *webconferencing.Call {
	t.Helper()
	c, err := f.Call(f.ctx, id)
	if err != nil {
		t.Fatalf("Call(%q): %v", id, err)
	}
	return c
}

// ids reads the ids of a query.
func (f *fixture) ids(t *testing.T, q webconferencing.CallQuery) []webconferencing.CallID {
	t.Helper()
	var ids []webconferencing.CallID
	for c, err := range f.Calls(f.ctx, q) {
		if err != nil {
			t.Fatalf("Calls(%+v): %v", q, err)
		}
		ids = append(ids, c.ID)
	}
	return ids
}

// events reads events, which must be possible.
func (f *fixture) events(t *testing.T, topic webconferencing.Topic, after webconferencing.Position, limit int) []webconferencing.Event {
	t.Helper()
	events, err := f.Events(f.ctx, topic, after, limit)
	if err != nil {
		t.Fatalf("Events(%q, %d, %d): %v", topic, after, limit, err)
	}
	return events
}

// value reads a value that must exist.
func (f *fixture) value(t *testing.T, key string) *webconferencing.Value {
	t.Helper()
	v, err := f.Value(f.ctx, key)
	if err != nil {
		t.Fatalf("Value(%q): %v", key, err)
	}
	return v
}

func (f *fixture) noValue(t *testing.T, key string) {
	t.Helper()
	if v, err := f.Value(f.ctx, key); !errors.Is(err, webconferencing.ErrNotFound) {
		t.Fatalf("Value(%q) = %+v, %v, want ErrNotFound", key, v, err)
	}
}

// day is where the tests' clock stands.
func day(offset time.Duration) time.Time {
	return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(offset)
}

// put is a change that writes a call at a version after the given one.
func put(id webconferencing.CallID, expect uint64, keys ...string) *webconferencing.Change {
	return &webconferencing.Change{
		Call: &webconferencing.Call{
			ID: id, Version: expect + 1, Title: fmt.Sprintf("version %d", expect+1),
			Owner: webconferencing.Ref{Type: webconferencing.OwnerSpace, ID: "team"},
		},
		Expect: expect,
		Keys:   keys,
	}
}

// event is one that can be told from others by its version.
func event(n uint64, at time.Time, topics ...webconferencing.Topic) webconferencing.Event {
	return webconferencing.Event{
		Topics: topics, Type: webconferencing.EventNoted, CallID: "c", Version: n, Time: at,
	}
}

// versions lists what event was given, for comparing.
func versions(events []webconferencing.Event) []uint64 {
	out := []uint64{}
	for _, e := range events {
		out = append(out, e.Version)
	}
	return out
}
