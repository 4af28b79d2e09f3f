package bayeux

import (
	"slices"
	"time"
)

// queue holds what a session has still to be sent. Its caller locks.
//
// Without acknowledgement, messages that were taken stay at the front, marked
// as in flight, until the write is known to have worked; a failed write leaves
// them where they were. With acknowledgement they stay until the client has
// confirmed the batch in which they were sent.
type queue struct {
	entries []entry
	room    [1]entry // where the first one goes
	bytes   int
	flying  int // leading entries that a writer has in hand

	replayed      int // entries that are from a replay, which has room of its own
	replayedBytes int

	acking bool
	batch  uint64 // number of the next batch; the first is 1
	resent int    // replies in a row that only repeated old batches

	resentSince time.Time // when the first of them was
}

type entry struct {
	message *Prepared // nil if it only keeps a place
	batch   uint64    // batch in which it was last sent, 0 if never
	lazy    time.Time // when a lazy message is due; zero for a prompt one
}

// fits reports whether there is room for a message. Those of a replay do not
// count with others, or a client that had missed as much as may wait would be
// ended as slow by the next message.
func (q *queue) fits(p *Prepared, maxCount, maxBytes int) bool {
	if p.replayed {
		return q.replayed < maxCount && q.replayedBytes+p.cost() <= maxBytes
	}
	return len(q.entries)-q.replayed < maxCount && q.bytes-q.replayedBytes+p.cost() <= maxBytes
}

func (q *queue) push(p *Prepared, lazy time.Time) {
	if q.entries == nil {
		q.entries = q.room[:0]
	}
	q.entries = append(q.entries, entry{message: p, lazy: lazy})
	q.bytes += p.cost()
	if p.replayed {
		q.replayed++
		q.replayedBytes += p.cost()
	}
}

// free gives back the room of a message that is taken out.
func (q *queue) free(p *Prepared) {
	q.bytes -= p.cost()
	if p.replayed {
		q.replayed--
		q.replayedBytes -= p.cost()
	}
}

// take hands out the oldest messages up to maxBytes, at least one. It returns
// nothing while an earlier writer has not finished, so that order is kept.
func (q *queue) take(maxBytes int) []*Prepared { return q.takeInto(nil, maxBytes) }

// takeInto is take into the room that an empty slice has, if that is enough.
func (q *queue) takeInto(list []*Prepared, maxBytes int) []*Prepared {
	if q.flying > 0 || len(q.entries) == 0 {
		return nil
	}
	return q.takeBehind(list, maxBytes)
}

// takeBehind is takeInto for who has what is in flight in hand, and settles it
// together with this.
func (q *queue) takeBehind(list []*Prepared, maxBytes int) []*Prepared {
	first := q.flying
	n, size := first, 0
	for n < len(q.entries) {
		size += len(q.entries[n].message.frame)
		if n > first && size > maxBytes {
			break
		}
		n++
	}
	list = slices.Grow(list, n-first)
	for i := first; i < n; i++ {
		list = append(list, q.entries[i].message)
	}
	if q.acking {
		for i := range q.entries {
			switch e := &q.entries[i]; {
			case i >= n:
				// Cut off by the size limit: an acknowledgement of this
				// batch must not cover it.
				e.batch = 0
			case e.batch == 0:
				e.batch = q.batch
			}
		}
		return list
	}
	q.flying = n
	return list
}

// reserve makes an entry in flight for a message that is written without having
// been in the queue. It reports false if others come before it.
func (q *queue) reserve() bool {
	if q.acking || len(q.entries) > 0 {
		return false
	}
	q.entries, q.flying = append(q.room[:0], entry{}), 1
	return true
}

// reserved reports whether there is such an entry.
func (q *queue) reserved() bool { return len(q.entries) > 0 && q.entries[0].message == nil }

// restore puts the message into that entry after all.
func (q *queue) restore(p *Prepared) {
	q.entries[0].message = p
	q.bytes += p.cost()
}

// settle ends the flight of what take returned.
func (q *queue) settle(written bool) {
	if written {
		q.drop(q.flying)
	}
	q.flying = 0
}

func (q *queue) drop(n int) {
	for i := range q.entries[:n] {
		if p := q.entries[i].message; p != nil {
			q.free(p)
		}
		q.entries[i] = entry{}
	}
	q.entries = q.entries[n:]
	if len(q.entries) == 0 {
		q.entries = nil
	}
}

// nextBatch closes the batch that a connect reply carries and returns its
// number.
func (q *queue) nextBatch() uint64 {
	n := q.batch
	q.batch++
	return n
}

// acknowledge drops what the client has. It reports false for a number that
// was never sent, which changes nothing.
func (q *queue) acknowledge(k int64) bool {
	if k < 0 || uint64(k) >= q.batch {
		return false
	}
	kept := q.entries[:0]
	for _, e := range q.entries {
		if e.batch != 0 && e.batch <= uint64(k) {
			q.free(e.message)
			continue
		}
		kept = append(kept, e)
	}
	clear(q.entries[len(kept):])
	q.entries = kept
	if len(kept) == 0 {
		q.entries = nil
	}
	return true
}

// resending reports whether something waits that was sent before.
func (q *queue) resending() bool {
	return len(q.entries) > 0 && q.entries[0].batch != 0
}

// prompt reports whether something waits that must not be held back now.
func (q *queue) prompt() bool {
	for i := q.flying; i < len(q.entries); i++ {
		// The time is asked for lazy messages only, as it costs.
		if e := &q.entries[i]; e.lazy.IsZero() || !e.lazy.After(time.Now()) {
			return true
		}
	}
	return false
}

// due returns when the first lazy message is due, zero if there is none.
func (q *queue) due() time.Time {
	var first time.Time
	for i := range q.entries {
		if t := q.entries[i].lazy; !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}
