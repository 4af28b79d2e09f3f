package boltstore

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"math"

	"go.etcd.io/bbolt"

	"github.com/webconferencing/webconferencing"
)

// survey is what verify found out about a file.
type survey struct {
	store *Store
	seed  maphash.Seed
	// Sums of the hashes of all index keys, as the records demand them and as
	// they are. They tell a damaged index from a good one without looking up
	// each key.
	want, have map[string]uint64
	state      *journalState // to be stored in place of the one in the file
	setBack    bool          // the last commit may be missing
}

// setBackGap is how far positions jump when the last commit may be missing, so
// that none is used twice. Readers who meet the gap learn that events are gone.
const setBackGap = 1 << 20

// verify reads all records but the journal and reports damaged ones. It
// returns the repairs to make: indexes are made again from the records if they
// do not fit them. Records are never changed.
func (s *Store) verify(h *handle, setBack bool) (repairs func(*bbolt.Tx) error, err error) {
	h.durable.Store(math.MaxUint64) // nobody else reads it yet
	v := &survey{store: s, seed: maphash.MakeSeed(), setBack: setBack}
	err = h.view(func(tx *bbolt.Tx) error {
		if tx.Bucket([]byte(bucketMeta)) == nil {
			return nil // prepareBuckets decides
		}
		b, err := bucketsOf(tx)
		if err != nil {
			return err
		}
		return v.run(b)
	})
	if isFault(err) {
		// Something in the tree is broken. What can be reached is served.
		s.damage.page(s.log, err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return v.repair, nil
}

func (v *survey) run(b *buckets) error {
	if err := checkSchema(b.meta.Get([]byte(metaSchema))); err != nil {
		if errors.Is(err, ErrNewer) {
			return err
		}
		v.report(err) // prepareBuckets writes it anew
	}
	state, err := getJournalState(b.meta)
	if errors.Is(err, ErrNewer) {
		return err
	}
	if err != nil {
		v.report(err)
		state = rebuildState(b.log)
		v.state = &state
	}
	if v.setBack {
		v.report(&CorruptError{Record: "head of the file", Err: fmt.Errorf("%w: the last commit may be missing", ErrDamaged)})
		state.last += setBackGap
		v.state = &state
	}
	v.want = make(map[string]uint64)
	v.have = make(map[string]uint64)
	v.records(b, v.demand)
	for name, index := range b.indexes() {
		eachKey(index, func(k []byte) { v.have[name] += v.hash(k) })
	}
	return nil
}

func (v *survey) report(err error) { v.store.damage.report(v.store.log, err) }

func (v *survey) hash(k []byte) uint64 { return maphash.Bytes(v.seed, k) }

// demand adds an index key that a record needs to the sums.
func (v *survey) demand(index string, k []byte) error {
	v.want[index] += v.hash(k)
	return nil
}

// indexes are those that can be made from calls and values.
func (b *buckets) indexes() map[string]*bbolt.Bucket {
	return map[string]*bbolt.Bucket{
		bucketKeys: b.keys, bucketDue: b.due, bucketExpiry: b.expiry,
	}
}

func eachKey(b *bbolt.Bucket, fn func(k []byte)) {
	c := b.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		fn(k)
	}
}

// records calls index for each index key that the calls and values need, and
// reports those that are damaged.
func (v *survey) records(b *buckets, index func(name string, k []byte) error) error {
	var last []byte
	c := b.calls.Cursor()
	for k, raw := c.First(); k != nil; k, raw = c.Next() {
		v.order(kindCall, last, k)
		last = k
		id := webconferencing.CallID(k)
		e, _, err := decodeHead(id, raw)
		if err != nil {
			v.report(err)
			continue
		}
		for _, key := range e.keys {
			if err := index(bucketKeys, prefixed(key, k)); err != nil {
				return err
			}
		}
		if due := dueKey(e.deadline, string(id)); due != nil {
			if err := index(bucketDue, due); err != nil {
				return err
			}
		}
	}
	last = nil
	c = b.values.Cursor()
	for k, raw := c.First(); k != nil; k, raw = c.Next() {
		v.order(kindValue, last, k)
		last = k
		val, err := decodeValue(string(k), raw)
		if err != nil {
			v.report(err)
			continue
		}
		if due := dueKey(val.Expires, string(k)); due != nil {
			if err := index(bucketExpiry, due); err != nil {
				return err
			}
		}
	}
	return nil
}

// order reports keys that are not in order: a search may miss them.
func (v *survey) order(k kind, last, key []byte) {
	if last != nil && bytes.Compare(last, key) >= 0 {
		v.report(corrupt(k, key, fmt.Errorf("%w: out of order", ErrDamaged)))
	}
}

// repair makes what is derived anew where it does not fit.
func (v *survey) repair(tx *bbolt.Tx) error {
	if v.want == nil {
		return nil
	}
	b, err := bucketsOf(tx)
	if err != nil {
		return err
	}
	if v.state != nil {
		v.store.log.Error("the record of the journal's end was made anew",
			"last", v.state.last, "trimmed", v.state.trimmed)
		if err := putJournalState(b.meta, *v.state); err != nil {
			return err
		}
	}
	broken := make(map[string]*bbolt.Bucket)
	for name := range b.indexes() {
		if v.want[name] == v.have[name] {
			continue
		}
		v.store.log.Error("an index does not fit the records and was made anew", "index", name)
		if err := tx.DeleteBucket([]byte(name)); err != nil {
			return err
		}
		if broken[name], err = tx.CreateBucket([]byte(name)); err != nil {
			return err
		}
	}
	if len(broken) == 0 {
		return nil
	}
	return v.records(b, func(name string, k []byte) error {
		if index := broken[name]; index != nil {
			return index.Put(k, nil)
		}
		return nil
	})
}
