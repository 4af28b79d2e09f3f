package memstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/internal/change"
)

// sweepLeast is how many values must have been written before expired ones
// are searched for. The search is linear, so it waits for as many writes again
// as there are records.
const sweepLeast = 256

// values keeps the small records.
type values struct {
	byKey  map[string]webconferencing.Value
	writes int // since the last sweep
}

// get returns the record unless it is absent or expired. Its Data is ours.
func (v *values) get(key string, now time.Time) (webconferencing.Value, bool) {
	val, ok := v.byKey[key]
	if !ok || expired(val, now) {
		return webconferencing.Value{}, false
	}
	return val, true
}

func expired(v webconferencing.Value, now time.Time) bool {
	return !v.Expires.IsZero() && !v.Expires.After(now)
}

func (v *values) expectations(changes []webconferencing.ValueChange, now time.Time) error {
	for _, c := range changes {
		if c.Expect == webconferencing.AnyRevision {
			continue
		}
		// A record that is not there has revision 0.
		if val, _ := v.get(c.Key, now); val.Revision != c.Expect {
			return fmt.Errorf("value %q is at revision %d, not %d: %w",
				c.Key, val.Revision, c.Expect, webconferencing.ErrConflict)
		}
	}
	return nil
}

func (v *values) write(changes []webconferencing.ValueChange, now time.Time) {
	for _, c := range changes {
		if c.Data == nil {
			delete(v.byKey, c.Key)
			continue
		}
		old, _ := v.get(c.Key, now)
		v.byKey[c.Key] = webconferencing.Value{
			Key:      c.Key,
			Revision: old.Revision + 1,
			Data:     slices.Clone(c.Data),
			Expires:  change.Time(c.Expires),
		}
	}
	v.writes += len(changes)
	if v.writes > sweepLeast+len(v.byKey) {
		v.writes = 0
		for k, val := range v.byKey {
			if expired(val, now) {
				delete(v.byKey, k)
			}
		}
	}
}

// Values implements [webconferencing.Store].
func (s *Store) Values(ctx context.Context, q webconferencing.ValueQuery) iter.Seq2[*webconferencing.Value, error] {
	return func(yield func(*webconferencing.Value, error) bool) {
		keys, err := s.valueKeys(ctx, q)
		if err != nil {
			yield(nil, err)
			return
		}
		for n := 0; len(keys) > 0 && (q.Limit <= 0 || n < q.Limit); keys = keys[1:] {
			v, err := s.Value(ctx, keys[0])
			if errors.Is(err, webconferencing.ErrNotFound) {
				continue
			}
			n++
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// valueKeys returns the keys that match the query now, sorted.
func (s *Store) valueKeys(ctx context.Context, q webconferencing.ValueQuery) ([]string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	var keys []string
	for key := range s.values.byKey {
		if strings.HasPrefix(key, q.Prefix) && key > q.After {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys, nil
}
