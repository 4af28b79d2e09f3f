package boltstore

import (
	"bytes"
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
	var v *webconferencing.Value
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		b, err := bucketsOf(tx)
		if err != nil {
			return err
		}
		v = nil
		if raw := b.values.Get([]byte(key)); raw != nil {
			v, err = decodeValue(key, raw)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if v == nil || expired(v, time.Now()) {
		return nil, fmt.Errorf("value %q: %w", key, webconferencing.ErrNotFound)
	}
	return v, nil
}

// Values implements [webconferencing.Store]. Damaged records are left out and
// reported.
func (s *Store) Values(ctx context.Context, q webconferencing.ValueQuery) iter.Seq2[*webconferencing.Value, error] {
	return func(yield func(*webconferencing.Value, error) bool) {
		p := &valuePage{store: s, prefix: q.Prefix, after: q.After}
		for left := q.Limit; q.Limit <= 0 || left > 0; {
			p.limit = mostPage
			if q.Limit > 0 {
				p.limit = min(left, mostPage)
			}
			if err := s.view(ctx, p.read); err != nil {
				yield(nil, err)
				return
			}
			for _, v := range p.values {
				if err := s.ready(ctx); err != nil {
					yield(nil, err)
					return
				}
				left--
				if !yield(v, nil) {
					return
				}
			}
			if p.last {
				return
			}
			p.after = p.next
		}
	}
}

// valuePage reads some values of a query in one transaction.
type valuePage struct {
	store  *Store
	prefix string
	after  string
	limit  int

	values []*webconferencing.Value
	next   string // where the next page goes on
	last   bool   // there is no next page
}

// read may run again after it failed half-way. It looks at a bounded number of
// records, whether they are yielded or not.
func (p *valuePage) read(tx *bbolt.Tx) error {
	b, err := bucketsOf(tx)
	if err != nil {
		return err
	}
	p.values, p.next, p.last = nil, p.after, false
	now := time.Now()
	from := max(p.prefix, p.after)
	c := b.values.Cursor()
	k, raw := c.Seek([]byte(from))
	if k != nil && from == p.after && string(k) == p.after {
		k, raw = c.Next()
	}
	size, seen := 0, 0
	for ; k != nil && bytes.HasPrefix(k, []byte(p.prefix)); k, raw = c.Next() {
		if len(p.values) == p.limit || size > mostPageBytes || seen == mostLooks {
			return nil
		}
		p.next = string(k)
		size += len(raw)
		seen++
		v, err := decodeValue(p.next, raw)
		switch {
		case err != nil:
			p.store.damage.report(p.store.log, err)
		case !expired(v, now):
			p.values = append(p.values, v)
		}
	}
	p.last = true
	return nil
}
