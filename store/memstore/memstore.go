// Package memstore keeps calls and journal in memory, for tests and trials.
// Everything is lost with the process; package boltstore keeps it.
package memstore

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/internal/change"
)

// Store is a [webconferencing.Store] in memory. It does no I/O, starts no
// goroutine and asks for the time only to tell whether a Value has expired, so
// that it can be used inside a testing/synctest bubble. All methods may be
// called concurrently.
type Store struct {
	mu      sync.RWMutex
	closed  bool
	calls   map[webconferencing.CallID]*record
	keys    map[string]map[webconferencing.CallID]struct{}
	due     map[webconferencing.CallID]time.Time
	values  values
	journal journal
}

var _ webconferencing.Store = (*Store)(nil)

// record is a call with what the indexes need; it is replaced, never changed.
type record struct {
	call *webconferencing.Call
	keys []string
}

// New returns an empty Store.
func New() *Store {
	return &Store{
		calls:   make(map[webconferencing.CallID]*record),
		keys:    make(map[string]map[webconferencing.CallID]struct{}),
		due:     make(map[webconferencing.CallID]time.Time),
		values:  values{byKey: make(map[string]webconferencing.Value)},
		journal: journal{topics: make(map[webconferencing.Topic][]webconferencing.Position)},
	}
}

// Close makes all methods return [webconferencing.ErrClosed] from now on and
// releases the memory. It may be called again.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.calls, s.keys, s.due = nil, nil, nil
	s.values, s.journal = values{}, journal{}
	return nil
}

// ready returns why a method can't begin; the caller holds the lock.
func (s *Store) ready(ctx context.Context) error {
	if s.closed {
		return fmt.Errorf("memstore: %w", webconferencing.ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("memstore: %w", err)
	}
	return nil
}

// Call implements [webconferencing.Store].
func (s *Store) Call(ctx context.Context, id webconferencing.CallID) (*webconferencing.Call, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	r := s.calls[id]
	if r == nil {
		return nil, fmt.Errorf("call %q: %w", id, webconferencing.ErrNotFound)
	}
	return r.call.Clone(), nil
}

// Calls implements [webconferencing.Store].
func (s *Store) Calls(ctx context.Context, q webconferencing.CallQuery) iter.Seq2[*webconferencing.Call, error] {
	return func(yield func(*webconferencing.Call, error) bool) {
		ids, err := s.ids(ctx, q)
		if err != nil {
			yield(nil, err)
			return
		}
		for n := 0; len(ids) > 0 && (q.Limit <= 0 || n < q.Limit); ids = ids[1:] {
			c, err := s.carrying(ctx, ids[0], q.Key)
			if err != nil {
				yield(nil, err)
				return
			}
			if c == nil {
				continue
			}
			n++
			if !yield(c, nil) {
				return
			}
		}
	}
}

// ids returns the ids that match the query now, sorted.
func (s *Store) ids(ctx context.Context, q webconferencing.CallQuery) ([]webconferencing.CallID, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	var ids []webconferencing.CallID
	if q.Key == "" {
		for id := range s.calls {
			if id > q.After {
				ids = append(ids, id)
			}
		}
	} else {
		for id := range s.keys[q.Key] {
			if id > q.After {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// carrying returns the call if it still exists and carries the key, else nil.
func (s *Store) carrying(ctx context.Context, id webconferencing.CallID, key string) (*webconferencing.Call, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	r := s.calls[id]
	if r == nil {
		return nil, nil
	}
	if _, ok := s.keys[key][id]; key != "" && !ok {
		return nil, nil
	}
	return r.call.Clone(), nil
}

// Due implements [webconferencing.Store].
func (s *Store) Due(ctx context.Context, until time.Time, limit int) ([]webconferencing.CallID, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	var ids []webconferencing.CallID
	for id, at := range s.due {
		if !at.After(until) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b webconferencing.CallID) int {
		return cmp.Or(s.due[a].Compare(s.due[b]), cmp.Compare(a, b))
	})
	return ids[:min(len(ids), max(limit, 0))], nil
}

// Events implements [webconferencing.Store].
func (s *Store) Events(ctx context.Context, topic webconferencing.Topic, after webconferencing.Position, limit int) ([]webconferencing.Event, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	return s.journal.read(topic, after, limit)
}

// Value implements [webconferencing.Store].
func (s *Store) Value(ctx context.Context, key string) (*webconferencing.Value, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	v, ok := s.values.get(key, time.Now())
	if !ok {
		return nil, fmt.Errorf("value %q: %w", key, webconferencing.ErrNotFound)
	}
	v.Data = append([]byte{}, v.Data...)
	return &v, nil
}

// Commit implements [webconferencing.Store].
func (s *Store) Commit(ctx context.Context, c *webconferencing.Change) (webconferencing.Position, error) {
	if err := change.Check(c); err != nil {
		return 0, fmt.Errorf("memstore: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	now := time.Now()
	if err := s.expectations(c, now); err != nil {
		return 0, err
	}
	if c.Call != nil {
		s.write(c)
	}
	s.values.write(c.Values, now)
	if !c.TrimBefore.IsZero() {
		s.journal.trim(c.TrimBefore)
	}
	s.journal.add(change.Events(c.Events))
	return s.journal.last, nil
}

// expectations returns ErrConflict if one of the change's does not hold.
func (s *Store) expectations(c *webconferencing.Change, now time.Time) error {
	if c.Call != nil {
		var have uint64
		if r := s.calls[c.Call.ID]; r != nil {
			have = r.call.Version
		}
		if have != c.Expect || (c.Expect == 0 && s.calls[c.Call.ID] != nil) {
			return fmt.Errorf("call %q is at version %d, not %d: %w",
				c.Call.ID, have, c.Expect, webconferencing.ErrConflict)
		}
	}
	return s.values.expectations(c.Values, now)
}

// write replaces or removes the record of the change's call.
func (s *Store) write(c *webconferencing.Change) {
	id := c.Call.ID
	if old := s.calls[id]; old != nil {
		for _, k := range old.keys {
			delete(s.keys[k], id)
			if len(s.keys[k]) == 0 {
				delete(s.keys, k)
			}
		}
		delete(s.due, id)
		delete(s.calls, id)
	}
	if c.Purge {
		return
	}
	r := &record{call: change.Call(c.Call), keys: change.Keys(c.Keys)}
	s.calls[id] = r
	for _, k := range r.keys {
		if s.keys[k] == nil {
			s.keys[k] = make(map[webconferencing.CallID]struct{})
		}
		s.keys[k][id] = struct{}{}
	}
	if !c.Deadline.IsZero() {
		s.due[id] = change.Time(c.Deadline)
	}
}
