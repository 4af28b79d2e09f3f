package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/webconferencing/webconferencing"
)

// addEvents appends the events of a change to the journal.
func (t *txn) addEvents(p *preparedEvents) error {
	t.dirty = true
	t.state.last += webconferencing.Position(len(p.batch.events))
	key := positionKey(t.state.last)
	t.b.log.FillPercent = 1 // keys only grow
	finish(schema, kindBatch, key, p.record)
	if err := t.b.log.Put(key, p.record); err != nil {
		return err
	}
	p.batch.place(t.state.last)
	p.batch.size = len(p.record)
	t.batches = append(t.batches, p)
	return nil
}

// writeState stores where the journal begins and ends, if that changed.
func (t *txn) writeState() error {
	if t.state == t.was {
		return nil
	}
	// A second copy, on another page, in case the record of the state is lost.
	if err := t.b.log.SetSequence(uint64(t.state.last)); err != nil {
		return err
	}
	return putJournalState(t.b.meta, t.state)
}

// trimJournal drops the oldest batches as long as all their events are before
// the time asked for, most of them at once. What is left the next transactions
// do.
func (t *txn) trimJournal(most int) error {
	if t.trim.IsZero() {
		return nil
	}
	var old [][]byte
	mark, caughtUp := t.state.trimmed, true
	c := t.b.log.Cursor()
	for k, raw := c.Seek(positionKey(mark + 1)); k != nil; k, raw = c.Next() {
		if len(k) != positionLength {
			continue
		}
		last := webconferencing.Position(binary.BigEndian.Uint64(k))
		if last > t.was.last {
			break // came after what was asked for
		}
		if caughtUp = len(old) < most; !caughtUp {
			break
		}
		newest, err := batchTime(k, raw)
		if err != nil { // it can't be read and stays
			t.store.damage.report(t.store.log, err)
			mark = last
			continue
		}
		if !newest.Before(t.trim) {
			break
		}
		old = append(old, bytes.Clone(k))
		mark = last
	}
	if caughtUp {
		t.trim = time.Time{}
	}
	if mark == t.state.trimmed {
		return nil
	}
	t.dirty = true
	for _, k := range old {
		if err := t.b.log.Delete(k); err != nil {
			return err
		}
	}
	t.state.trimmed = mark
	return t.trimTopics()
}

// trimTopics removes the index rows of generations whose batches are all gone.
func (t *txn) trimTopics() error {
	var old [][]byte
	c := t.b.segments.Cursor()
	for k, raw := c.First(); k != nil; k, raw = c.Next() {
		if len(k) < positionLength {
			continue
		}
		last := k[:positionLength]
		if webconferencing.Position(binary.BigEndian.Uint64(last)) > t.state.trimmed || len(old) == mostSegments {
			break
		}
		payload, err := unseal(kindSegment, k, raw)
		if err != nil { // it stays, and so do its topics
			t.store.damage.report(t.store.log, err)
			continue
		}
		d := decoder{b: payload}
		for range d.count() {
			if err := t.b.topics.Delete(prefixed(string(d.bytes()), last)); err != nil {
				return err
			}
		}
		old = append(old, bytes.Clone(k))
	}
	for _, k := range old {
		if err := t.b.segments.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// mostSegments is how many segments of the topic index one transaction
// removes.
const mostSegments = 64

// Events implements [webconferencing.Store]. Events that were lost to damage
// are as good as trimmed: a reader that would have met them gets
// [webconferencing.ErrPositionGone], in a chain with a [*CorruptError].
func (s *Store) Events(ctx context.Context, topic webconferencing.Topic, after webconferencing.Position, limit int) ([]webconferencing.Event, error) {
	out := []webconferencing.Event{}
	r := reader{store: s, topic: topic, after: after, limit: limit}
	err := s.view(ctx, func(v pinned) {
		if topic != webconferencing.AllTopics {
			r.recent = v.batchesLocked(topic, after, limit)
		}
	}, func(tx *bbolt.Tx) error {
		b, err := bucketsOf(tx, bucketMeta, bucketLog, bucketTopics)
		if err != nil {
			return err
		}
		state, err := getJournalState(b.meta)
		if err != nil {
			return err
		}
		if after < state.trimmed {
			return gone(after, fmt.Errorf("the journal begins after %d", state.trimmed))
		}
		out = out[:0]
		if after >= state.last || limit <= 0 {
			return nil
		}
		r.b, r.end, r.out = b, state.last, nil
		if topic == webconferencing.AllTopics {
			err = r.log(ctx)
		} else {
			err = r.index(ctx)
		}
		if err != nil && len(r.out) == 0 {
			return err
		}
		// What stands before the fault is good; the fault is met next time.
		out = append(out, r.out...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func gone(after webconferencing.Position, why error) error {
	return fmt.Errorf("events after %d: %w: %w", after, webconferencing.ErrPositionGone, why)
}

// reader collects the events of one call of Events.
type reader struct {
	store *Store
	b     *buckets
	topic webconferencing.Topic
	after webconferencing.Position
	limit int
	end   webconferencing.Position
	out   []webconferencing.Event
	// recent are batches of the topic that are not in the index yet.
	recent []webconferencing.Position
}

// log reads all events. Positions have no gaps, so that a batch which is
// missing is noticed.
func (r *reader) log(ctx context.Context) error {
	expect := r.after + 1
	c := r.b.log.Cursor()
	for k, raw := c.Seek(positionKey(expect)); len(r.out) < r.limit && expect <= r.end; k, raw = c.Next() {
		if ctx.Err() != nil {
			return cancelled(ctx)
		}
		if len(k) != positionLength {
			return r.lost(positionKey(expect), ErrDamaged)
		}
		b, err := r.batch(k, raw)
		if err != nil {
			return err
		}
		if b.first() > expect {
			return r.lost(positionKey(expect), ErrDamaged)
		}
		r.out = b.appendEvents(r.out, r.topic, r.after, r.limit)
		expect = webconferencing.Position(binary.BigEndian.Uint64(k)) + 1
	}
	return nil
}

// index reads the events of one topic: what the index leads to, then what is
// not in it yet. The two may overlap, and so may rows of the index after a
// crash.
func (r *reader) index(ctx context.Context) error {
	prefix := prefixed(string(r.topic), nil)
	c := r.b.topics.Cursor()
	read := r.after
	for k, raw := c.Seek(prefixed(string(r.topic), positionKey(r.after+1))); len(r.out) < r.limit; k, raw = c.Next() {
		key, ok := bytes.CutPrefix(k, prefix)
		if !ok {
			break
		}
		if len(key) != positionLength {
			continue // of a longer topic
		}
		at, err := decodePositions(k, raw)
		if err != nil {
			r.store.damage.report(r.store.log, err)
			return gone(r.after, err)
		}
		if read, err = r.batches(ctx, at, read); err != nil {
			return err
		}
	}
	_, err := r.batches(ctx, r.recent, read)
	return err
}

// batches reads the events of the topic in the batches given, as far as they
// come after the last one read, which it returns.
func (r *reader) batches(ctx context.Context, at []webconferencing.Position, read webconferencing.Position) (webconferencing.Position, error) {
	for _, p := range at {
		if p <= read || len(r.out) >= r.limit {
			continue
		}
		if ctx.Err() != nil {
			return read, cancelled(ctx)
		}
		b, err := r.batch(positionKey(p), nil)
		if err != nil {
			return read, err
		}
		r.out = b.appendEvents(r.out, r.topic, r.after, r.limit)
		read = p
	}
	return read, nil
}

// batch returns a batch from the cache or from its record, which is looked up
// if it is not given.
func (r *reader) batch(key, raw []byte) (*batch, error) {
	last := webconferencing.Position(binary.BigEndian.Uint64(key))
	if b, ok := r.store.batches.get(last); ok {
		return b, nil
	}
	if raw == nil {
		raw = r.b.log.Get(key)
	}
	b, err := decodeBatch(key, raw)
	if err != nil {
		r.store.damage.report(r.store.log, err)
		return nil, gone(r.after, err)
	}
	r.store.batches.add(last, b)
	return b, nil
}

// lost reports events that should be there.
func (r *reader) lost(key []byte, err error) error {
	err = corrupt(kindBatch, key, err)
	r.store.damage.report(r.store.log, err)
	return gone(r.after, err)
}

// rebuildState finds out where the journal begins and ends when the record of
// it is damaged.
func rebuildState(log *bbolt.Bucket) journalState {
	st := journalState{last: webconferencing.Position(log.Sequence())}
	c := log.Cursor()
	if k, _ := c.Last(); len(k) == positionLength {
		st.last = max(st.last, webconferencing.Position(binary.BigEndian.Uint64(k)))
	}
	st.trimmed = st.last
	for k, raw := c.First(); k != nil; k, raw = c.Next() {
		if b, err := decodeBatch(k, raw); err == nil {
			st.trimmed = b.first() - 1
			break
		}
	}
	return st
}
