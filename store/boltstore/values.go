package boltstore

import (
	"context"
	"fmt"
	"iter"
	"time"

	"go.etcd.io/bbolt"

	"github.com/webconferencing/webconferencing"
)

// Value implements [webconferencing.Store]. A damaged record gives an error of
// code [webconferencing.CodeUnavailable] that wraps a [*CorruptError].
func (s *Store) Value(ctx context.Context, key string) (*webconferencing.Value, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	var v *webconferencing.Value
	c, ok := s.pending.value(key)
	err := error(nil)
	if ok {
		v, err = c.decoded(key)
	} else {
		err = s.view(ctx, func(now pinned) { c, ok = now.valueLocked(key) }, func(tx *bbolt.Tx) error {
			if ok {
				v, err = c.decoded(key)
				return err
			}
			b, err := bucketsOf(tx, bucketValues)
			if err != nil {
				return err
			}
			v = nil
			if raw := b.values.Get([]byte(key)); raw != nil {
				v, err = decodeValue(key, raw)
			}
			return err
		})
	}
	if err != nil {
		s.damage.report(s.log, err)
		return nil, classify(err)
	}
	if v == nil || expired(v, time.Now()) {
		return nil, fmt.Errorf("value %q: %w", key, webconferencing.ErrNotFound)
	}
	return v, nil
}

// decoded returns the value, nil if it was removed.
func (v pendingValue) decoded(key string) (*webconferencing.Value, error) {
	if v.err != nil || v.record == nil {
		return nil, v.err
	}
	return decodeValue(key, v.record)
}

// Values implements [webconferencing.Store]. Damaged records are left out and
// reported.
func (s *Store) Values(ctx context.Context, q webconferencing.ValueQuery) iter.Seq2[*webconferencing.Value, error] {
	return paged(ctx, s, q.After, q.Limit,
		func(p *portion[*webconferencing.Value]) error { return s.readValues(ctx, q.Prefix, p) },
		func(v *webconferencing.Value) *webconferencing.Value { return v })
}

// readValues reads a page of the values whose keys begin with a prefix.
func (s *Store) readValues(ctx context.Context, prefix string, p *portion[*webconferencing.Value]) error {
	var (
		v    pinned
		keys []string
	)
	return s.view(ctx, func(now pinned) {
		v, keys = now, now.valuesLocked(prefix, p.after)
	}, func(tx *bbolt.Tx) error {
		b, err := bucketsOf(tx, bucketValues)
		if err != nil {
			return err
		}
		now := time.Now()
		take := func(val *webconferencing.Value, err error) {
			switch {
			case err != nil:
				s.damage.report(s.log, err)
			case val != nil && !expired(val, now):
				p.take(val)
			}
		}
		p.merge(b.values.Cursor(), source{bound: []byte(prefix), also: keys}, func(key string, raw []byte) int {
			if c, ok := v.value(key); ok { // since the page was begun
				take(c.decoded(key))
				return len(c.record)
			}
			take(decodeValue(key, raw))
			return len(raw)
		}, func(key string) int {
			c, _ := v.value(key)
			take(c.decoded(key))
			return len(c.record)
		})
		return nil
	})
}
