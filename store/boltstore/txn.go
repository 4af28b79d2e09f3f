package boltstore

import (
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/webconferencing/webconferencing"
)

// txn applies the changes of one write transaction. An error of one of its
// methods, as opposed to an answer, means that the whole transaction must be
// rolled back. In memory it changes nothing: publish does when it is durable.
type txn struct {
	store   *Store
	pending *pending
	tx      *bbolt.Tx
	b       *buckets
	now     time.Time
	dirty   bool
	state   journalState
	was     journalState // before
	answers []answer
	// written is what goes into the pending bucket.
	written *generation
	batches []*preparedEvents // in the journal, in order
	// changed has the entries written, nil for those purged or not to be
	// cached.
	changed map[webconferencing.CallID]*entry

	trim   time.Time // what is older is to be trimmed; zero is nothing
	fold   *folding  // nil if nothing is frozen
	folded int       // how far fold got
}

// answer is what one change of the transaction gets if the commit succeeds.
type answer struct {
	pos webconferencing.Position
	err error
}

// newTxn begins to apply changes; the caller holds Store.writing.
func newTxn(s *Store, p *pending, tx *bbolt.Tx) (*txn, error) {
	t := &txn{
		store: s, pending: p, tx: tx, now: time.Now(), written: newGeneration(0),
		changed: make(map[webconferencing.CallID]*entry),
		trim:    s.trimBefore, fold: p.fold,
	}
	if t.fold != nil {
		t.folded = t.fold.done
	}
	var err error
	if t.b, err = bucketsOf(tx); err == nil {
		t.state, err = getJournalState(t.b.meta)
		t.was = t.state
	}
	return t, err
}

// run applies the requests one after the other, each seeing what the ones
// before did, and tells whether there is anything to commit.
func (t *txn) run(batch []*request) (bool, error) {
	t.answers = make([]answer, len(batch))
	asked := false // to trim the journal
	for i, r := range batch {
		if refusal := t.check(r); refusal != nil {
			t.answers[i].err = refusal
			continue
		}
		if err := t.apply(r); err != nil {
			return false, err
		}
		t.answers[i].pos = t.state.last
		asked = asked || !r.trim.IsZero()
	}
	if !t.dirty && !asked {
		return false, nil
	}
	if err := t.writeRows(); err != nil {
		return false, err
	}
	// What has to be cleared away keeps pace with what is written.
	share := leastCleared + 2*(len(t.batches)+int(t.written.rows))
	if asked {
		share = max(share, mostTrimmed)
	}
	if err := t.trimJournal(share); err != nil {
		return false, err
	}
	if !t.dirty {
		return false, nil
	}
	if err := t.writeState(); err != nil {
		return false, err
	}
	if err := t.foldSome(); err != nil {
		return false, err
	}
	return true, t.dropExpired(share)
}

// leastCleared is how many expired values and old journal batches a
// transaction removes at least, if there are any; mostTrimmed is how many
// batches one does that was asked to.
const (
	leastCleared = 64
	mostTrimmed  = 4000
)

// check returns why a request can't be applied.
func (t *txn) check(r *request) error {
	if r.hasID {
		e, err := t.entry(r.id)
		if err != nil {
			t.store.damage.report(t.store.log, err)
			return unavailable(err)
		}
		var have uint64
		if e != nil {
			have = e.version
		}
		if have != r.expect || (r.expect == 0 && e != nil) {
			return fmt.Errorf("call %q is at version %d, not %d: %w",
				r.id, have, r.expect, webconferencing.ErrConflict)
		}
	}
	for _, c := range r.values {
		v, err := t.value(c.Key)
		if err != nil {
			t.store.damage.report(t.store.log, err)
			return unavailable(err)
		}
		if c.Expect == webconferencing.AnyRevision {
			continue
		}
		var have uint64
		if !v.gone(t.now) {
			have = v.revision
		}
		if have != c.Expect {
			return fmt.Errorf("value %q is at revision %d, not %d: %w",
				c.Key, have, c.Expect, webconferencing.ErrConflict)
		}
	}
	return nil
}

// entry returns the head of a call's entry as it is now, nil if there is none.
func (t *txn) entry(id webconferencing.CallID) (*entry, error) {
	if c, ok := t.written.calls[id]; ok {
		return c.entry, nil
	}
	// Nobody else writes, so what is pending stays so and what is cached is
	// what is stored.
	if c, ok := t.pending.call(id); ok {
		return c.entry, c.err
	}
	if e := t.store.calls.get(id); e != nil {
		return e, nil
	}
	raw := t.b.calls.Get([]byte(id))
	if raw == nil {
		return nil, nil
	}
	e, _, err := decodeHead(id, raw)
	return e, err
}

// value returns what is stored under a key, expired or not.
func (t *txn) value(key string) (pendingValue, error) {
	if v, ok := t.written.values[key]; ok {
		return v, nil
	}
	if v, ok := t.pending.value(key); ok {
		return v, v.err
	}
	raw := t.b.values.Get([]byte(key))
	if raw == nil {
		return pendingValue{}, nil
	}
	v, err := decodeValue(key, raw)
	if err != nil {
		return pendingValue{}, err
	}
	return pendingValue{revision: v.Revision, expires: v.Expires, record: raw}, nil
}

// apply writes a request that has been checked.
func (t *txn) apply(r *request) error {
	if r.hasID {
		if err := t.setCall(r); err != nil {
			return err
		}
	}
	for _, c := range r.values {
		if err := t.setValue(c); err != nil {
			return err
		}
	}
	if r.events != nil {
		if err := t.addEvents(r.events); err != nil {
			return err
		}
	}
	if r.trim.After(t.trim) {
		t.trim = r.trim
	}
	return nil
}

// setCall notes the new state of a call.
func (t *txn) setCall(r *request) error {
	if r.call == nil {
		old, err := t.entry(r.id)
		if err != nil || old == nil {
			return err
		}
	}
	t.dirty = true
	c := pendingCall{entry: r.call, record: r.record}
	if r.call != nil && !r.exact {
		head := *r.call
		head.call = nil // to be decoded from the record
		c.entry = &head
	}
	t.written.calls[r.id] = c
	t.changed[r.id] = c.entry
	return nil
}

// setValue notes the new state of a value.
func (t *txn) setValue(c webconferencing.ValueChange) error {
	old, err := t.value(c.Key)
	if err != nil || old.record == nil && c.Data == nil {
		return err
	}
	t.dirty = true
	if c.Data == nil {
		t.written.values[c.Key] = pendingValue{}
		return nil
	}
	v := pendingValue{revision: 1, expires: c.Expires}
	if !old.gone(t.now) {
		v.revision = old.revision + 1
	}
	v.record = encodeValue(&webconferencing.Value{Key: c.Key, Revision: v.revision, Data: c.Data, Expires: c.Expires})
	t.written.values[c.Key] = v
	return nil
}

// writeRows appends the states noted to the pending bucket.
func (t *txn) writeRows() error {
	if len(t.written.calls)+len(t.written.values) == 0 {
		return nil
	}
	active := t.pending.active
	rows, err := t.b.pending.CreateBucketIfNotExists(numberKey(active.number))
	if err != nil {
		return err
	}
	rows.FillPercent = 1 // keys only grow
	put := func(k kind, key string, record []byte) (uint64, error) {
		n := active.rows + t.written.rows
		row := encodeRow(make([]byte, 0, len(key)+len(record)+32), k, key, record)
		t.written.rows++
		t.written.bytes += len(row)
		return n, rows.Put(numberKey(n), row)
	}
	for id, c := range t.written.calls {
		if c.row, err = put(kindCall, string(id), c.record); err != nil {
			return err
		}
		t.written.calls[id] = c
	}
	for key, v := range t.written.values {
		if _, err := put(kindValue, key, v.record); err != nil {
			return err
		}
	}
	return nil
}

// dropExpired removes some of the values whose time has come. One that is
// pending under the same key is not concerned: it stands for itself.
func (t *txn) dropExpired(most int) error {
	var due [][]byte
	c := t.b.expiry.Cursor()
	for k, _ := c.First(); k != nil && len(due) < most; k, _ = c.Next() {
		if len(k) >= timeLength && parseTime(k).After(t.now) {
			break
		}
		due = append(due, append([]byte(nil), k...))
	}
	for _, k := range due {
		if err := t.b.expiry.Delete(k); err != nil {
			return err
		}
		if len(k) < timeLength {
			continue
		}
		key := k[timeLength:]
		// A damaged record stays, it only leaves the index.
		if raw := t.b.values.Get(key); raw != nil {
			if v, err := decodeValue(string(key), raw); err == nil && expired(v, t.now) {
				if err := t.b.values.Delete(key); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// publish shows everybody what the transaction did. The caller holds
// Store.writing, and the transaction number id is on disk.
func (t *txn) publish(h *handle, id uint64) {
	s := t.store
	s.calls.publish(t.changed, id)
	for _, e := range t.batches {
		if e.exact {
			s.batches.add(e.batch.last(), e.batch)
		}
	}
	s.trimBefore = t.trim
	p := t.pending
	p.mu.Lock()
	defer p.mu.Unlock()
	p.active.add(t.written)
	for _, e := range t.batches {
		p.active.addBatch(e.topics, e.batch.last())
	}
	if t.fold != nil {
		t.fold.done = t.folded
		if t.fold.finished() {
			p.frozen, p.fold = nil, nil
		}
	}
	if p.frozen == nil && p.fullness(p.active.rows, p.active.bytes) >= 1 {
		p.frozen, p.active = p.active, newGeneration(p.active.number+1)
		p.fold = newFolding(p.frozen)
	}
	s.mu.Lock()
	s.settleLocked(h, id)
	s.mu.Unlock()
}
