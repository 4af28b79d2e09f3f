package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/webconferencing/webconferencing"
)

// The most that one transaction drops from the journal: batches, and entries
// of the topic index unless a single batch has more.
const (
	mostTrimmedBatches = 1000
	mostTrimmedEntries = 20_000
)

// writeEvents stores the events of the transaction as one batch.
func (t *txn) writeEvents() error {
	if t.events.events == 0 {
		return nil
	}
	payload, topics := t.events.build()
	key := positionKey(t.state.last)
	t.b.log.FillPercent = 0.95 // keys only grow
	if err := t.b.log.Put(key, seal(kindBatch, key, payload)); err != nil {
		return err
	}
	for _, topic := range topics {
		if err := t.b.topics.Put(prefixed(string(topic), key), nil); err != nil {
			return err
		}
	}
	// A second copy, on another page, in case the record of the state is lost.
	if err := t.b.log.SetSequence(uint64(t.state.last)); err != nil {
		return err
	}
	return putJournalState(t.b.meta, t.state)
}

// trimJournal drops the oldest batches as long as all their events are before
// the time asked for.
func (t *txn) trimJournal() error {
	if t.trim.IsZero() {
		return nil
	}
	mark, old := t.oldBatches()
	if mark == t.state.trimmed {
		return nil
	}
	t.dirty = true
	for _, o := range old {
		for _, topic := range o.topics {
			if err := t.b.topics.Delete(prefixed(string(topic), o.key)); err != nil {
				return err
			}
		}
		if err := t.b.log.Delete(o.key); err != nil {
			return err
		}
	}
	t.state.trimmed = mark
	if t.events.events > 0 {
		return nil // writeEvents stores the state
	}
	return putJournalState(t.b.meta, t.state)
}

// oldBatch is a batch to be dropped.
type oldBatch struct {
	key    []byte
	topics []webconferencing.Topic
}

// oldBatches returns the batches to be dropped and the last position that is
// gone without them. A batch that can't be read is passed over and stays.
func (t *txn) oldBatches() (webconferencing.Position, []oldBatch) {
	mark := t.state.trimmed
	var old []oldBatch
	entries := 0
	c := t.b.log.Cursor()
	for k, raw := c.Seek(positionKey(mark + 1)); k != nil && len(old) < mostTrimmedBatches; k, raw = c.Next() {
		if len(k) != positionLength {
			continue
		}
		last := webconferencing.Position(binary.BigEndian.Uint64(k))
		b, _, err := decodeBatchHead(k, raw)
		if err != nil {
			t.store.damage.report(t.store.log, err)
			mark = last
			continue
		}
		entries += len(b.topics)
		if !b.newest.Before(t.trim) || len(old) > 0 && entries > mostTrimmedEntries {
			break
		}
		old = append(old, oldBatch{bytes.Clone(k), b.topics})
		mark = last
	}
	return mark, old
}

// Events implements [webconferencing.Store]. Events that were lost to damage
// are as good as trimmed: a reader that would have met them gets
// [webconferencing.ErrPositionGone], in a chain with a [*CorruptError].
func (s *Store) Events(ctx context.Context, topic webconferencing.Topic, after webconferencing.Position, limit int) ([]webconferencing.Event, error) {
	var out []webconferencing.Event
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		b, err := bucketsOf(tx)
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
		out = []webconferencing.Event{}
		if after >= state.last || limit <= 0 {
			return nil
		}
		r := reader{store: s, b: b, topic: topic, after: after, limit: limit, end: state.last}
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

// index reads the events of one topic.
func (r *reader) index(ctx context.Context) error {
	prefix := prefixed(string(r.topic), nil)
	c := r.b.topics.Cursor()
	for k, _ := c.Seek(prefixed(string(r.topic), positionKey(r.after+1))); len(r.out) < r.limit; k, _ = c.Next() {
		if ctx.Err() != nil {
			return cancelled(ctx)
		}
		key, ok := bytes.CutPrefix(k, prefix)
		if !ok {
			return nil
		}
		if len(key) != positionLength {
			continue // of a longer topic
		}
		b, err := r.batch(key, nil)
		if err != nil {
			return err
		}
		r.out = b.appendEvents(r.out, r.topic, r.after, r.limit)
	}
	return nil
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
