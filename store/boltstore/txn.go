package boltstore

import (
	"bytes"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/webconferencing/webconferencing"
)

// txn applies the changes of one write transaction. An error of one of its
// methods, as opposed to an answer, means that the whole transaction must be
// rolled back.
type txn struct {
	store   *Store
	tx      *bbolt.Tx
	b       *buckets
	now     time.Time
	dirty   bool
	state   journalState
	events  batchBuilder
	trim    time.Time
	answers []answer
	// changed has the entries written, nil for those purged.
	changed map[webconferencing.CallID]*entry
	inexact []webconferencing.CallID // entries not to be cached
}

// answer is what one change of the transaction gets if the commit succeeds.
type answer struct {
	pos webconferencing.Position
	err error
}

func newTxn(s *Store, tx *bbolt.Tx) *txn {
	return &txn{
		store: s, tx: tx, now: time.Now(),
		changed: make(map[webconferencing.CallID]*entry),
	}
}

// run applies the requests one after the other, each seeing what the ones
// before did, and tells whether there is anything to commit.
func (t *txn) run(batch []*request) (bool, error) {
	var err error
	if t.b, err = bucketsOf(t.tx); err != nil {
		return false, err
	}
	if t.state, err = getJournalState(t.b.meta); err != nil {
		return false, err
	}
	t.answers = make([]answer, len(batch))
	for i, r := range batch {
		if refusal := t.check(r); refusal != nil {
			t.answers[i].err = refusal
			continue
		}
		if err := t.apply(r); err != nil {
			return false, err
		}
		t.answers[i].pos = t.state.last
	}
	if err := t.trimJournal(); err != nil {
		return false, err
	}
	if !t.dirty {
		return false, nil
	}
	if err := t.writeEvents(); err != nil {
		return false, err
	}
	if err := t.dropExpired(); err != nil {
		return false, err
	}
	for _, id := range t.inexact {
		if t.changed[id] != nil {
			t.changed[id] = nil
		}
	}
	return true, nil
}

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
		if v != nil && !expired(v, t.now) {
			have = v.Revision
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
	if e, ok := t.changed[id]; ok {
		return e, nil
	}
	// Nobody else writes, so what is cached is what is stored.
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

// value returns the value stored under a key, expired or not, nil if there is
// none.
func (t *txn) value(key string) (*webconferencing.Value, error) {
	raw := t.b.values.Get([]byte(key))
	if raw == nil {
		return nil, nil
	}
	return decodeValue(key, raw)
}

// apply writes a request that has been checked.
func (t *txn) apply(r *request) error {
	if r.hasID {
		if err := t.writeCall(r); err != nil {
			return err
		}
	}
	for _, c := range r.values {
		if err := t.writeValue(c); err != nil {
			return err
		}
	}
	if r.events != nil {
		t.dirty = true
		t.events.add(r.events)
		t.state.last += webconferencing.Position(len(r.events.list))
	}
	if r.trim.After(t.trim) {
		t.trim = r.trim
	}
	return nil
}

// writeCall writes or removes a record and moves its index entries.
func (t *txn) writeCall(r *request) error {
	old, err := t.entry(r.id)
	if err != nil {
		return err
	}
	if old == nil && r.call == nil {
		return nil
	}
	t.dirty = true
	was, is := old, r.call
	if was == nil {
		was = &entry{}
	}
	if is == nil {
		is = &entry{}
	}
	if err := moveKeys(t.b.keys, r.id, was.keys, is.keys); err != nil {
		return err
	}
	if !was.deadline.Equal(is.deadline) {
		if err := move(t.b.due, dueKey(was.deadline, string(r.id)), dueKey(is.deadline, string(r.id))); err != nil {
			return err
		}
	}
	t.changed[r.id] = r.call
	if r.call == nil {
		return t.b.calls.Delete([]byte(r.id))
	}
	if !r.exact {
		t.inexact = append(t.inexact, r.id)
	}
	return t.b.calls.Put([]byte(r.id), r.record)
}

// moveKeys brings the key index from one sorted list to another.
func moveKeys(b *bbolt.Bucket, id webconferencing.CallID, was, is []string) error {
	for len(was) > 0 || len(is) > 0 {
		switch {
		case len(is) == 0 || len(was) > 0 && was[0] < is[0]:
			if err := b.Delete(prefixed(was[0], []byte(id))); err != nil {
				return err
			}
			was = was[1:]
		case len(was) == 0 || is[0] < was[0]:
			if err := b.Put(prefixed(is[0], []byte(id)), nil); err != nil {
				return err
			}
			is = is[1:]
		default:
			was, is = was[1:], is[1:]
		}
	}
	return nil
}

// move replaces an index key by another; nil is none.
func move(b *bbolt.Bucket, was, is []byte) error {
	if was != nil {
		if err := b.Delete(was); err != nil {
			return err
		}
	}
	if is != nil {
		return b.Put(is, nil)
	}
	return nil
}

// dueKey returns the key of an index by time, nil for a time that is never.
func dueKey(at time.Time, name string) []byte {
	if at.IsZero() {
		return nil
	}
	return append(appendTime(make([]byte, 0, timeLength+len(name)), at), name...)
}

// writeValue writes or removes a value and moves its index entry.
func (t *txn) writeValue(c webconferencing.ValueChange) error {
	old, err := t.value(c.Key)
	if err != nil {
		return err
	}
	if old == nil && c.Data == nil {
		return nil
	}
	t.dirty = true
	var was, is []byte
	next := &webconferencing.Value{Key: c.Key, Revision: 1, Data: c.Data, Expires: c.Expires}
	if old != nil {
		was = dueKey(old.Expires, c.Key)
		if !expired(old, t.now) {
			next.Revision = old.Revision + 1
		}
	}
	if c.Data != nil {
		is = dueKey(next.Expires, c.Key)
	}
	if !bytes.Equal(was, is) {
		if err := move(t.b.expiry, was, is); err != nil {
			return err
		}
	}
	if c.Data == nil {
		return t.b.values.Delete([]byte(c.Key))
	}
	return t.b.values.Put([]byte(c.Key), encodeValue(next))
}

// mostExpired is how many expired values one transaction removes.
const mostExpired = 64

// dropExpired removes some of the values whose time has come.
func (t *txn) dropExpired() error {
	var due [][]byte
	c := t.b.expiry.Cursor()
	for k, _ := c.First(); k != nil && len(due) < mostExpired; k, _ = c.Next() {
		if len(k) >= timeLength && parseTime(k).After(t.now) {
			break
		}
		due = append(due, bytes.Clone(k))
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
		if v, err := t.value(string(key)); err == nil && v != nil && expired(v, t.now) {
			if err := t.b.values.Delete(key); err != nil {
				return err
			}
		}
	}
	return nil
}
