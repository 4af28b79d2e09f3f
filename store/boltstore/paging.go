package boltstore

import (
	"bytes"
	"context"
	"iter"

	"go.etcd.io/bbolt"
)

// The most that an iterator reads in one transaction: what it yields, bytes on
// disk, and records looked at.
const (
	mostPage      = 64
	mostPageBytes = 1 << 20
	mostLooks     = 1000
)

// portion is what an iterator reads in one transaction.
type portion[T any] struct {
	after string // names up to here were seen before
	limit int

	items []T
	next  string // where the next page goes on
	last  bool   // there is no next page
}

// paged yields pages until there is no more, with nothing locked meanwhile.
// read may run again after it failed half-way.
func paged[T, V any](ctx context.Context, s *Store, after string, limit int, read func(*portion[T]) error, out func(T) V) iter.Seq2[V, error] {
	return func(yield func(V, error) bool) {
		var none V
		p := &portion[T]{after: after}
		for left := limit; limit <= 0 || left > 0; {
			p.limit = mostPage
			if limit > 0 {
				p.limit = min(left, mostPage)
			}
			if err := read(p); err != nil {
				yield(none, err)
				return
			}
			for _, item := range p.items {
				if err := s.ready(ctx); err != nil {
					yield(none, err)
					return
				}
				left--
				if !yield(out(item), nil) {
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

func (p *portion[T]) take(item T) { p.items = append(p.items, item) }

// source says which names there are: the keys of a bucket that begin with
// bound, without strip, and those in also, which is sorted.
type source struct {
	strip, bound []byte
	also         []string
}

// merge goes through the names after p.after in order. For one in the bucket
// it calls stored, for one in also it calls pending, in place of stored if it
// is in both. They take what belongs on the page and return its size.
func (p *portion[T]) merge(c *bbolt.Cursor, from source, stored func(name string, raw []byte) int, pending func(name string) int) {
	p.items, p.next, p.last = nil, p.after, false
	start := append(bytes.Clone(from.strip), p.after...)
	if bytes.Compare(start, from.bound) < 0 {
		start = from.bound
	}
	k, raw := c.Seek(start)
	if p.after != "" && string(k) == string(from.strip)+p.after {
		k, raw = c.Next()
	}
	also := from.also
	for size, looks := 0, 0; ; looks++ {
		there := k != nil && bytes.HasPrefix(k, from.bound)
		if !there && len(also) == 0 {
			p.last = true
			return
		}
		if len(p.items) == p.limit || size > mostPageBytes || looks == mostLooks {
			return
		}
		var name string
		if there {
			name = string(k[len(from.strip):])
		}
		if len(also) > 0 && (!there || also[0] <= name) {
			if there && also[0] == name {
				k, raw = c.Next()
			}
			p.next = also[0]
			size += pending(also[0])
			also = also[1:]
			continue
		}
		p.next = name
		size += stored(name, raw)
		k, raw = c.Next()
	}
}
