package boltstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/webconferencing/webconferencing"
)

// The buckets. Records live in meta, calls, values, log and pending; the others
// are indexes made from them.
const (
	bucketMeta   = "meta"   // name -> record
	bucketCalls  = "calls"  // call id -> record
	bucketKeys   = "keys"   // prefixed index key, call id
	bucketDue    = "due"    // deadline, call id
	bucketValues = "values" // key -> record
	bucketExpiry = "expiry" // expiry, value key
	bucketLog    = "log"    // last position -> journal batch

	// The index of topics has a row for each topic of a generation: prefixed
	// topic, last position of the generation -> last positions of batches.
	// The segments say which rows to remove when the journal is trimmed: last
	// position of the generation, number -> topics.
	bucketTopics   = "topics"
	bucketSegments = "segments"

	bucketPending = "pending" // generation -> bucket of number -> row
)

func bucketNames() []string {
	return []string{
		bucketMeta, bucketCalls, bucketKeys, bucketDue,
		bucketValues, bucketExpiry, bucketLog, bucketTopics,
		bucketSegments, bucketPending,
	}
}

// The keys of the meta bucket.
const (
	metaSchema  = "schema"
	metaJournal = "journal"
	metaIndexed = "indexed"
)

// buckets are those of one transaction. A file of the first version that could
// not be written to since has neither segments nor pending.
type buckets struct {
	meta, calls, keys, due, values, expiry, log, topics *bbolt.Bucket
	segments, pending                                   *bbolt.Bucket
}

// bucketsOf opens all buckets, or those that are named.
func bucketsOf(tx *bbolt.Tx, some ...string) (*buckets, error) {
	b := &buckets{}
	into := []**bbolt.Bucket{
		&b.meta, &b.calls, &b.keys, &b.due, &b.values, &b.expiry, &b.log, &b.topics,
		&b.segments, &b.pending,
	}
	for i, name := range bucketNames() {
		if len(some) > 0 && !slices.Contains(some, name) {
			continue
		}
		*into[i] = tx.Bucket([]byte(name))
		later := name == bucketSegments || name == bucketPending
		if *into[i] == nil && !(later && firstSchema(b.meta)) {
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
	} else if err := checkSchema(raw); errors.Is(err, ErrNewer) {
		return err
	}
	if firstSchema(meta) {
		if err := migrate(tx); err != nil {
			return err
		}
	}
	return meta.Put([]byte(metaSchema), sealAs(fileSchema, kindMeta, []byte(metaSchema), nil))
}

// migrate gives a file of the first version the buckets that it lacks. Its
// index of topics is made anew from the journal.
func migrate(tx *bbolt.Tx) error {
	for _, name := range []string{bucketTopics, bucketSegments, bucketPending} {
		if err := tx.DeleteBucket([]byte(name)); err != nil && !errors.Is(err, bolterrors.ErrBucketNotFound) {
			return err
		}
		if _, err := tx.CreateBucket([]byte(name)); err != nil {
			return err
		}
	}
	return nil
}

// firstSchema tells whether a file is of the first version.
func firstSchema(meta *bbolt.Bucket) bool {
	raw := meta.Get([]byte(metaSchema))
	return len(raw) > 0 && raw[0] == 1 && checkSchema(raw) == nil
}

// checkSchema returns why a file with this record of its schema can't be used.
func checkSchema(raw []byte) error {
	_, err := unsealUpTo(fileSchema, kindMeta, []byte(metaSchema), raw)
	return err
}

// getIndexed returns the position up to which the index of topics is complete;
// 0 if that is not known.
func getIndexed(meta *bbolt.Bucket) webconferencing.Position {
	payload, err := unseal(kindMeta, []byte(metaIndexed), meta.Get([]byte(metaIndexed)))
	if err != nil || len(payload) != positionLength {
		return 0
	}
	return webconferencing.Position(binary.BigEndian.Uint64(payload))
}

func putIndexed(meta *bbolt.Bucket, p webconferencing.Position) error {
	return meta.Put([]byte(metaIndexed), seal(kindMeta, []byte(metaIndexed), positionKey(p)))
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
