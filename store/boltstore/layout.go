package boltstore

import (
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/webconferencing/webconferencing"
)

// The buckets. Records live in meta, calls, values and log; the others are
// indexes made from them, with empty values.
const (
	bucketMeta   = "meta"   // name -> record
	bucketCalls  = "calls"  // call id -> record
	bucketKeys   = "keys"   // prefixed index key, call id
	bucketDue    = "due"    // deadline, call id
	bucketValues = "values" // key -> record
	bucketExpiry = "expiry" // expiry, value key
	bucketLog    = "log"    // last position -> journal batch
	bucketTopics = "topics" // prefixed topic, last position of a batch
)

func bucketNames() []string {
	return []string{
		bucketMeta, bucketCalls, bucketKeys, bucketDue,
		bucketValues, bucketExpiry, bucketLog, bucketTopics,
	}
}

// The keys of the meta bucket.
const (
	metaSchema  = "schema"
	metaJournal = "journal"
)

// buckets are those of one transaction.
type buckets struct {
	meta, calls, keys, due, values, expiry, log, topics *bbolt.Bucket
}

func bucketsOf(tx *bbolt.Tx) (*buckets, error) {
	b := &buckets{}
	into := []**bbolt.Bucket{
		&b.meta, &b.calls, &b.keys, &b.due, &b.values, &b.expiry, &b.log, &b.topics,
	}
	for i, name := range bucketNames() {
		if *into[i] = tx.Bucket([]byte(name)); *into[i] == nil {
			return nil, &CorruptError{Record: fmt.Sprintf("bucket %q", name), Err: ErrDamaged}
		}
	}
	return b, nil
}

// prepareBuckets makes the buckets of a new file and checks an old one. It
// always writes something, so that its commit proves that the disk takes
// writes.
func prepareBuckets(tx *bbolt.Tx) error {
	meta := tx.Bucket([]byte(bucketMeta))
	if meta == nil {
		if k, _ := tx.Cursor().First(); k != nil {
			return errors.New("file belongs to another program")
		}
		for _, name := range bucketNames() {
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		meta = tx.Bucket([]byte(bucketMeta))
		if err := putJournalState(meta, journalState{}); err != nil {
			return err
		}
	} else if raw := meta.Get([]byte(metaSchema)); raw == nil {
		return errors.New("file belongs to another program")
	} else if _, err := unseal(kindMeta, []byte(metaSchema), raw); errors.Is(err, ErrNewer) {
		return err
	}
	return meta.Put([]byte(metaSchema), seal(kindMeta, []byte(metaSchema), nil))
}

// journalState says where the journal begins and ends.
type journalState struct {
	last    webconferencing.Position // of the newest event ever
	trimmed webconferencing.Position // of the newest event dropped
}

func getJournalState(meta *bbolt.Bucket) (journalState, error) {
	payload, err := unseal(kindMeta, []byte(metaJournal), meta.Get([]byte(metaJournal)))
	if err != nil {
		return journalState{}, err
	}
	d := decoder{b: payload}
	st := journalState{
		last:    webconferencing.Position(d.uint64()),
		trimmed: webconferencing.Position(d.uint64()),
	}
	if err := d.end(); err != nil {
		return journalState{}, corrupt(kindMeta, []byte(metaJournal), err)
	}
	return st, nil
}

func putJournalState(meta *bbolt.Bucket, st journalState) error {
	payload := binary.BigEndian.AppendUint64(nil, uint64(st.last))
	payload = binary.BigEndian.AppendUint64(payload, uint64(st.trimmed))
	return meta.Put([]byte(metaJournal), seal(kindMeta, []byte(metaJournal), payload))
}
