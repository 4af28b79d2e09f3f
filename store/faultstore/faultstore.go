// Package faultstore wraps a [webconferencing.Store] for tests and makes
// chosen calls of its methods fail, hang, panic or lose their answer. Nothing
// is random: the same faults and the same calls give the same run.
package faultstore

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/webconferencing/webconferencing"
)

// Method names a method of [webconferencing.Store].
type Method string

// The methods that can be made to fail. Any stands for each of them.
const (
	Any    Method = ""
	Call   Method = "Call"
	Calls  Method = "Calls"
	Due    Method = "Due"
	Events Method = "Events"
	Value  Method = "Value"
	Values Method = "Values"
	Commit Method = "Commit"
)

// Fault says which calls go wrong and how. Delay, Panic and Err may be
// combined and happen in this order.
type Fault struct {
	// Method is the method concerned. Defaults to Any.
	Method Method
	// Nth is the first call that goes wrong, counted from the moment the
	// fault was injected, from 1. Defaults to 1.
	Nth int
	// Times is how many calls in a row go wrong, or [Forever]. Defaults to 1.
	Times int

	// Delay is how long the call waits first; it ends early, with the
	// context's error, when the context does. Defaults to none.
	Delay time.Duration
	// Panic is what the call panics with. Defaults to no panic.
	Panic any
	// Err is what the call returns. Without Through the store behind is not
	// reached. Defaults to nil: the call goes on as usual.
	Err error
	// Through lets the call reach the store and take effect; its answer is
	// thrown away and Err or Panic takes its place. With
	// [webconferencing.ErrOutcomeUnknown] as Err this is the commit that took
	// place although nobody could tell. Defaults to false.
	Through bool
}

// Forever in [Fault].Times lets all calls go wrong until [Store.Clear].
const Forever = int(^uint(0) >> 1)

// Record is one call that was made.
type Record struct {
	Method Method
	Fault  *Fault // the fault that struck; nil if none did
}

// keep is how many records are remembered, the latest ones.
const keep = 10_000

// Store is the wrapper. It has no capability beyond
// [webconferencing.Store]; Unwrap returns the store behind. All methods may be
// called concurrently.
type Store struct {
	behind webconferencing.Store

	mu      sync.Mutex
	armed   []*armed
	records []Record
}

// armed is a fault with the calls it has seen.
type armed struct {
	fault Fault
	seen  int
}

var _ webconferencing.Store = (*Store)(nil)

// New returns a wrapper around a store with the faults injected.
func New(behind webconferencing.Store, faults ...Fault) *Store {
	s := &Store{behind: behind}
	s.Inject(faults...)
	return s
}

// Inject adds faults; each counts calls from now on. If several strike the
// same call the one injected first does, and the others have counted it too.
func (s *Store) Inject(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		f.Nth = max(f.Nth, 1)
		f.Times = max(f.Times, 1)
		s.armed = append(s.armed, &armed{fault: f})
	}
}

// Clear removes all faults.
func (s *Store) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed = nil
}

// Records returns the calls made so far, at most the latest 10,000.
func (s *Store) Records() []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.records)
}

// Unwrap returns the store behind.
func (s *Store) Unwrap() any { return s.behind }

// strike counts a call and returns the fault that strikes it, or nil.
func (s *Store) strike(m Method) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	var hit *Fault
	for _, a := range s.armed {
		if a.fault.Method != Any && a.fault.Method != m {
			continue
		}
		a.seen++
		if hit == nil && a.seen >= a.fault.Nth && a.seen-a.fault.Nth < a.fault.Times {
			f := a.fault
			hit = &f
		}
	}
	if len(s.records) == 2*keep {
		s.records = slices.Clone(s.records[keep:])
	}
	s.records = append(s.records, Record{Method: m, Fault: hit})
	return hit
}

// apply makes one call with the fault that strikes it.
func apply[T any](ctx context.Context, s *Store, m Method, call func() (T, error)) (T, error) {
	var none T
	f := s.strike(m)
	if f == nil {
		return call()
	}
	if f.Delay > 0 {
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return none, fmt.Errorf("faultstore: %w", ctx.Err())
		}
	}
	if f.Err == nil && f.Panic == nil {
		return call()
	}
	if f.Through {
		if _, err := call(); err != nil {
			return none, err
		}
	}
	if f.Panic != nil {
		panic(f.Panic)
	}
	return none, f.Err
}

// Call implements [webconferencing.Store].
func (s *Store) Call(ctx context.Context, id webconferencing.CallID) (*webconferencing.Call, error) {
	return apply(ctx, s, Call, func() (*webconferencing.Call, error) { return s.behind.Call(ctx, id) })
}

// Calls implements [webconferencing.Store]. A fault with an error and Through
// yields the calls first and the error last.
func (s *Store) Calls(ctx context.Context, q webconferencing.CallQuery) iter.Seq2[*webconferencing.Call, error] {
	return sequence(ctx, s, Calls, s.behind.Calls(ctx, q))
}

// Values implements [webconferencing.Store]. A fault with an error and Through
// yields the values first and the error last.
func (s *Store) Values(ctx context.Context, q webconferencing.ValueQuery) iter.Seq2[*webconferencing.Value, error] {
	return sequence(ctx, s, Values, s.behind.Values(ctx, q))
}

// sequence makes one call of a method that yields.
func sequence[T any](ctx context.Context, s *Store, m Method, behind iter.Seq2[*T, error]) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		var stopped bool
		_, err := apply(ctx, s, m, func() (struct{}, error) {
			for v, err := range behind {
				if err != nil {
					return struct{}{}, err
				}
				if !yield(v, nil) {
					stopped = true
					break
				}
			}
			return struct{}{}, nil
		})
		if err != nil && !stopped {
			yield(nil, err)
		}
	}
}

// Due implements [webconferencing.Store].
func (s *Store) Due(ctx context.Context, until time.Time, limit int) ([]webconferencing.CallID, error) {
	return apply(ctx, s, Due, func() ([]webconferencing.CallID, error) { return s.behind.Due(ctx, until, limit) })
}

// Events implements [webconferencing.Store].
func (s *Store) Events(ctx context.Context, topic webconferencing.Topic, after webconferencing.Position, limit int) ([]webconferencing.Event, error) {
	return apply(ctx, s, Events, func() ([]webconferencing.Event, error) {
		return s.behind.Events(ctx, topic, after, limit)
	})
}

// Value implements [webconferencing.Store].
func (s *Store) Value(ctx context.Context, key string) (*webconferencing.Value, error) {
	return apply(ctx, s, Value, func() (*webconferencing.Value, error) { return s.behind.Value(ctx, key) })
}

// Commit implements [webconferencing.Store].
func (s *Store) Commit(ctx context.Context, c *webconferencing.Change) (webconferencing.Position, error) {
	return apply(ctx, s, Commit, func() (webconferencing.Position, error) { return s.behind.Commit(ctx, c) })
}
