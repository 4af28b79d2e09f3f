package boltstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/webconferencing/webconferencing"
)

// view runs fn in a read transaction on what is known to be on disk. fn may
// run more than once. Faults in the file come back as errors.
func (s *Store) view(ctx context.Context, fn func(tx *bbolt.Tx) error) error {
	for {
		h, err := s.readable(ctx)
		if err != nil {
			return err
		}
		err = h.view(fn)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errUnsettled):
			if err := s.settled(ctx); err != nil {
				return err
			}
		case h.stuck.Load(), errors.Is(err, bolterrors.ErrInvalidMapping):
			s.fail(h, err)
		case errors.Is(err, errRetired):
			// There is another handle by now, or it is known that there is none.
		case isFault(err):
			return unavailable(s.damage.page(s.log, err))
		default:
			s.damage.report(s.log, err)
			return classify(err)
		}
	}
}

// classify gives damage the code that callers expect and leaves other errors
// alone.
func classify(err error) error {
	var c *CorruptError
	if errors.As(err, &c) && !errors.Is(err, webconferencing.ErrPositionGone) {
		return unavailable(err)
	}
	return err
}

// settled waits for the outcome of the running commit.
func (s *Store) settled(ctx context.Context) error {
	s.mu.Lock()
	flight := s.flight
	s.mu.Unlock()
	if flight == nil {
		return nil
	}
	select {
	case <-flight:
		return nil
	case <-ctx.Done():
		return cancelled(ctx)
	}
}

// ready returns why a method that needs no disk can't begin.
func (s *Store) ready(ctx context.Context) error {
	_, err := s.readable(ctx)
	return err
}

// Call implements [webconferencing.Store]. A call whose record is damaged
// gives an error of code [webconferencing.CodeUnavailable] that wraps a
// [*CorruptError].
func (s *Store) Call(ctx context.Context, id webconferencing.CallID) (*webconferencing.Call, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	if e := s.calls.get(id); e != nil {
		return e.call.Clone(), nil
	}
	if id == "" {
		return nil, noSuchCall(id)
	}
	var found *entry
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		b, err := bucketsOf(tx)
		if err != nil {
			return err
		}
		raw := b.calls.Get([]byte(id))
		if raw == nil {
			return noSuchCall(id)
		}
		if found, err = decodeEntry(id, raw); err != nil {
			return err
		}
		s.calls.add(id, found, uint64(tx.ID()))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found.call.Clone(), nil
}

func noSuchCall(id webconferencing.CallID) error {
	return fmt.Errorf("call %q: %w", id, webconferencing.ErrNotFound)
}

// The most that an iterator reads in one transaction: what it yields, bytes on
// disk, and records looked at.
const (
	mostPage      = 64
	mostPageBytes = 1 << 20
	mostLooks     = 1000
)

// Calls implements [webconferencing.Store]. Damaged records are left out and
// reported.
func (s *Store) Calls(ctx context.Context, q webconferencing.CallQuery) iter.Seq2[*webconferencing.Call, error] {
	return func(yield func(*webconferencing.Call, error) bool) {
		p := &callPage{store: s, key: q.Key, after: q.After}
		for left := q.Limit; q.Limit <= 0 || left > 0; {
			p.limit = mostPage
			if q.Limit > 0 {
				p.limit = min(left, mostPage)
			}
			if err := s.view(ctx, p.read); err != nil {
				yield(nil, err)
				return
			}
			for _, e := range p.entries {
				if err := s.ready(ctx); err != nil {
					yield(nil, err)
					return
				}
				left--
				if !yield(e.call.Clone(), nil) {
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

// callPage reads some calls of a query in one transaction.
type callPage struct {
	store *Store
	key   string
	after webconferencing.CallID
	limit int

	entries []*entry
	next    webconferencing.CallID // where the next page goes on
	last    bool                   // there is no next page
}

// read may run again after it failed half-way.
func (p *callPage) read(tx *bbolt.Tx) error {
	b, err := bucketsOf(tx)
	if err != nil {
		return err
	}
	p.entries, p.next, p.last = nil, p.after, false
	if p.key == "" {
		return p.readAll(tx, b)
	}
	return p.readKey(tx, b)
}

func (p *callPage) readAll(tx *bbolt.Tx, b *buckets) error {
	c := b.calls.Cursor()
	k, raw := c.Seek([]byte(p.after))
	if k != nil && string(k) == string(p.after) {
		k, raw = c.Next()
	}
	size := 0
	for ; k != nil; k, raw = c.Next() {
		if len(p.entries) == p.limit || size > mostPageBytes {
			return nil
		}
		// A scan of everything must not push out of the cache what is in use.
		p.add(tx, webconferencing.CallID(k), raw, false)
		size += len(raw)
	}
	p.last = true
	return nil
}

func (p *callPage) readKey(tx *bbolt.Tx, b *buckets) error {
	prefix := prefixed(p.key, nil)
	from := prefixed(p.key, []byte(p.after))
	c := b.keys.Cursor()
	k, _ := c.Seek(from)
	if bytes.Equal(k, from) {
		k, _ = c.Next()
	}
	size := 0
	for ; bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		if len(p.entries) == p.limit || size > mostPageBytes {
			return nil
		}
		id := k[len(prefix):]
		raw := b.calls.Get(id)
		p.add(tx, webconferencing.CallID(id), raw, true)
		size += len(raw)
	}
	p.last = true
	return nil
}

// add appends the entry of a call unless it is damaged or does not belong
// here any more.
func (p *callPage) add(tx *bbolt.Tx, id webconferencing.CallID, raw []byte, keep bool) {
	p.next = id
	e := p.store.calls.get(id)
	if e == nil {
		if raw == nil {
			return
		}
		var err error
		if e, err = decodeEntry(id, raw); err != nil {
			p.store.damage.report(p.store.log, err)
			return
		}
		if keep {
			p.store.calls.add(id, e, uint64(tx.ID()))
		}
	}
	if p.key == "" || e.hasKey(p.key) {
		p.entries = append(p.entries, e)
	}
}

// Due implements [webconferencing.Store]. Calls whose record is known to be
// damaged are left out, so that they can't keep the others from being seen.
func (s *Store) Due(ctx context.Context, until time.Time, limit int) ([]webconferencing.CallID, error) {
	var ids []webconferencing.CallID
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		b, err := bucketsOf(tx)
		if err != nil {
			return err
		}
		ids = nil
		c := b.due.Cursor()
		for k, _ := c.First(); k != nil && len(ids) < limit; k, _ = c.Next() {
			if len(k) < timeLength {
				continue
			}
			if parseTime(k).After(until) {
				break
			}
			id := k[timeLength:]
			if !s.damage.has(kindCall, id) {
				ids = append(ids, webconferencing.CallID(id))
			}
		}
		return nil
	})
	return ids, err
}
