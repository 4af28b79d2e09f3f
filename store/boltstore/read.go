package boltstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/webconferencing/webconferencing"
)

// view runs fn in a read transaction on what is known to be on disk. What is
// pending goes with it: look, unless nil, sees it as it is in the transaction.
// Both may run more than once. Faults in the file come back as errors.
func (s *Store) view(ctx context.Context, look func(pinned), fn func(tx *bbolt.Tx) error) error {
	for {
		h, err := s.readable(ctx)
		if err != nil {
			return err
		}
		tx, err := s.beginPinned(h, look)
		if err == nil {
			err = h.read(tx, fn)
		}
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

// beginPinned starts a read transaction and calls look while nothing of what
// is pending can change.
func (s *Store) beginPinned(h *handle, look func(pinned)) (*bbolt.Tx, error) {
	p := s.pending
	p.mu.RLock()
	defer p.mu.RUnlock()
	tx, err := h.beginSettled()
	if err == nil && look != nil {
		look(p.pinLocked())
	}
	return tx, err
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
	var (
		found *entry
		c     pendingCall
		ok    bool
	)
	err := s.view(ctx, func(v pinned) { c, ok = v.callLocked(id) }, func(tx *bbolt.Tx) (err error) {
		if ok {
			if found, err = c.decoded(id); err == nil && found == nil {
				err = noSuchCall(id)
			}
			return err
		}
		b, err := bucketsOf(tx, bucketCalls)
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

// Calls implements [webconferencing.Store]. Damaged records are left out and
// reported.
func (s *Store) Calls(ctx context.Context, q webconferencing.CallQuery) iter.Seq2[*webconferencing.Call, error] {
	return paged(ctx, s, string(q.After), q.Limit,
		func(p *portion[*entry]) error { return s.readCalls(ctx, q.Key, p) },
		func(e *entry) *webconferencing.Call { return e.call.Clone() })
}

// readCalls reads a page of the calls that carry a key, of all if it is "".
func (s *Store) readCalls(ctx context.Context, key string, p *portion[*entry]) error {
	var (
		v   pinned
		ids []string
	)
	return s.view(ctx, func(now pinned) {
		v, ids = now, now.callsLocked(key, p.after)
	}, func(tx *bbolt.Tx) error {
		b, err := bucketsOf(tx, bucketCalls, bucketKeys)
		if err != nil {
			return err
		}
		take := func(id webconferencing.CallID, e *entry, err error) {
			switch {
			case err != nil:
				s.damage.report(s.log, err)
			case e != nil && (key == "" || e.hasKey(key)):
				p.take(e)
			}
		}
		from, prefix := b.calls, []byte(nil)
		if key != "" {
			from, prefix = b.keys, prefixed(key, nil)
		}
		p.merge(from.Cursor(), source{strip: prefix, bound: prefix, also: ids}, func(name string, raw []byte) int {
			id := webconferencing.CallID(name)
			if c, ok := v.call(id); ok { // since the page was begun, or without the key
				e, err := c.decoded(id)
				take(id, e, err)
				return 0
			}
			if key != "" {
				raw = b.calls.Get([]byte(name))
			}
			e := s.calls.get(id)
			if e == nil && raw != nil {
				if e, err = decodeEntry(id, raw); err == nil && key != "" {
					// A scan of everything must not push out of the cache what
					// is in use.
					s.calls.add(id, e, uint64(tx.ID()))
				}
				take(id, e, err)
				return len(raw)
			}
			take(id, e, nil)
			return len(raw)
		}, func(name string) int {
			id := webconferencing.CallID(name)
			c, ok := v.call(id)
			if !ok {
				return 0
			}
			e, err := c.decoded(id)
			take(id, e, err)
			if e == nil {
				return 0
			}
			return e.size
		})
		return nil
	})
}

// Due implements [webconferencing.Store]. Calls whose record is known to be
// damaged are left out, so that they can't keep the others from being seen.
func (s *Store) Due(ctx context.Context, until time.Time, limit int) ([]webconferencing.CallID, error) {
	var (
		ids []webconferencing.CallID
		v   pinned
		due []dueCall
	)
	err := s.view(ctx, func(now pinned) { v, due = now, now.dueLocked(until) }, func(tx *bbolt.Tx) error {
		b, err := bucketsOf(tx, bucketDue)
		if err != nil {
			return err
		}
		ids = nil
		also := due
		c := b.due.Cursor()
		k, _ := c.First()
		for len(ids) < limit {
			if len(k) > 0 && len(k) < timeLength {
				k, _ = c.Next()
				continue
			}
			var next dueCall
			stored := k != nil
			if stored {
				next = dueCall{parseTime(k), webconferencing.CallID(k[timeLength:])}
				stored = !next.at.After(until)
			}
			switch {
			case !stored && len(also) == 0:
				return nil
			case !stored || len(also) > 0 && also[0].before(next):
				ids = append(ids, also[0].id)
				also = also[1:]
				continue
			}
			k, _ = c.Next()
			if c, pending := v.call(next.id); pending {
				// It comes by itself unless it was changed since this was begun.
				late := c.entry != nil && !c.deadline.IsZero() && !c.deadline.After(until)
				if !late || slices.ContainsFunc(due, func(d dueCall) bool { return d.id == next.id }) {
					continue
				}
			}
			if !s.damage.has(kindCall, []byte(next.id)) {
				ids = append(ids, next.id)
			}
		}
		return nil
	})
	return ids, err
}
