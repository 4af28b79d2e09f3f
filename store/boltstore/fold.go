package boltstore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/webconferencing/webconferencing"
)

// Folding puts the calls, values and topics of the frozen generation in their
// places, in the order of their keys so that neighbours share pages, and a part
// of them with each transaction so that nobody has to wait for all. What was
// written again since is left to the generation that has it. When all is done
// the generation's rows are dropped as a whole.

// folding is the plan for a generation. It does not change but for done.
type folding struct {
	of     *generation
	ids    []webconferencing.CallID
	keys   []string
	topics []webconferencing.Topic
	done   int // steps, of ids, keys and topics in this order
}

func newFolding(g *generation) *folding {
	return &folding{
		of: g, ids: slices.Sorted(maps.Keys(g.calls)), keys: g.keys.all(),
		topics: slices.Sorted(maps.Keys(g.topics)),
	}
}

func (f *folding) steps() int { return len(f.ids) + len(f.keys) + len(f.topics) }

func (f *folding) finished() bool { return f.done > f.steps() }

// segmentTopics is how many topics one row of the segments names.
const segmentTopics = 256

// foldSome makes as many steps as it takes to be ready when the active
// generation is half full, and all if it is full already.
func (t *txn) foldSome() error {
	if t.fold == nil {
		return nil
	}
	active := t.pending.active
	steps := t.fold.steps() + 1
	n := 1 + int(2*float64(steps)*t.pending.fullness(t.written.rows, t.written.bytes))
	if t.pending.fullness(active.rows+t.written.rows, active.bytes+t.written.bytes) >= 1 {
		n = steps
	}
	return t.foldSteps(n)
}

// foldSteps makes n steps or as many as there are. The last one drops the
// generation.
func (t *txn) foldSteps(n int) error {
	f := t.fold
	for ; n > 0 && t.folded <= f.steps(); n-- {
		var err error
		i := t.folded
		switch {
		case i < len(f.ids):
			err = t.foldCall(f.ids[i])
		case i < len(f.ids)+len(f.keys):
			err = t.foldValue(f.keys[i-len(f.ids)])
		case i < f.steps():
			err = t.foldTopic(i - len(f.ids) - len(f.keys))
		default:
			err = t.endFold()
		}
		if err != nil {
			return err
		}
		t.folded++
	}
	return nil
}

// overtaken tells whether a call has a newer row than the frozen one.
func (t *txn) overtaken(id webconferencing.CallID) bool {
	_, newer := t.written.calls[id]
	if active := t.pending.active; !newer && active != t.fold.of {
		_, newer = active.calls[id]
	}
	return newer
}

// foldCall puts a call's record in its place and moves its index entries.
func (t *txn) foldCall(id webconferencing.CallID) error {
	if t.overtaken(id) {
		return nil
	}
	c := t.fold.of.calls[id]
	was, is := &entry{}, c.entry
	if raw := t.b.calls.Get([]byte(id)); raw != nil {
		old, _, err := decodeHead(id, raw)
		if err != nil {
			// It was whole when the newer state was accepted. Index entries that
			// may be left behind are found when the file is opened next.
			t.store.damage.report(t.store.log, err)
		} else {
			was = old
		}
	}
	if is == nil {
		is = &entry{}
	}
	if err := moveKeys(t.b.keys, id, was.keys, is.keys); err != nil {
		return err
	}
	if !was.deadline.Equal(is.deadline) {
		if err := move(t.b.due, dueKey(was.deadline, string(id)), dueKey(is.deadline, string(id))); err != nil {
			return err
		}
	}
	if c.entry == nil {
		return t.b.calls.Delete([]byte(id))
	}
	record, err := t.recordOf(id, c)
	if err != nil {
		return err
	}
	return t.b.calls.Put([]byte(id), record)
}

// recordOf returns the record of a call of the frozen generation.
func (t *txn) recordOf(id webconferencing.CallID, c pendingCall) ([]byte, error) {
	if c.record != nil {
		return c.record, nil
	}
	var raw []byte
	if rows := t.b.pending.Bucket(numberKey(t.fold.of.number)); rows != nil {
		raw = rows.Get(numberKey(c.row))
	}
	_, key, record, err := decodeRow(raw)
	if err == nil && (key != string(id) || record == nil) {
		err = fmt.Errorf("%w: row of another call", ErrDamaged)
	}
	if err == nil {
		return bytes.Clone(record), nil
	}
	t.store.damage.report(t.store.log, corrupt(kindPending, numberKey(c.row), err))
	if c.call == nil {
		return nil, corrupt(kindCall, []byte(id), err)
	}
	// The disk has spoilt it, the memory has not.
	return c.seal(id)
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

// foldValue puts a value's record in its place and moves its index entry. A
// value whose time came meanwhile is not put anywhere.
func (t *txn) foldValue(key string) error {
	_, newer := t.written.values[key]
	if active := t.pending.active; !newer && active != t.fold.of {
		_, newer = active.values[key]
	}
	if newer {
		return nil
	}
	v := t.fold.of.values[key]
	var was, is []byte
	raw := t.b.values.Get([]byte(key))
	if raw != nil {
		if old, err := decodeValue(key, raw); err == nil {
			was = dueKey(old.Expires, key)
		} else {
			t.store.damage.report(t.store.log, err)
		}
	}
	gone := v.gone(t.now)
	if !gone {
		is = dueKey(v.expires, key)
	}
	if !bytes.Equal(was, is) {
		if err := move(t.b.expiry, was, is); err != nil {
			return err
		}
	}
	switch {
	case !gone:
		return t.b.values.Put([]byte(key), v.record)
	case raw != nil:
		return t.b.values.Delete([]byte(key))
	}
	return nil
}

// foldTopic writes the index row of a topic, and before the first of each
// segment the row that will help to remove them.
func (t *txn) foldTopic(i int) error {
	f := t.fold
	last := positionKey(f.of.last)
	if i%segmentTopics == 0 {
		list := f.topics[i:min(len(f.topics), i+segmentTopics)]
		key := binary.BigEndian.AppendUint32(bytes.Clone(last), uint32(i/segmentTopics))
		payload := binary.AppendUvarint(nil, uint64(len(list)))
		for _, topic := range list {
			payload = appendBytes(payload, topic)
		}
		if err := t.b.segments.Put(key, seal(kindSegment, key, payload)); err != nil {
			return err
		}
	}
	at := f.of.topics[f.topics[i]]
	n, _ := slices.BinarySearch(at, t.state.trimmed+1)
	if at = at[n:]; len(at) == 0 {
		return nil
	}
	key := prefixed(string(f.topics[i]), last)
	return t.b.topics.Put(key, seal(kindTopic, key, encodePositions(at)))
}

// endFold drops the rows of the generation, and of those before it that a
// crash left together with it.
func (t *txn) endFold() error {
	var names [][]byte
	c := t.b.pending.Cursor()
	for name, _ := c.First(); name != nil && bytes.Compare(name, numberKey(t.fold.of.number)) <= 0; name, _ = c.Next() {
		names = append(names, bytes.Clone(name))
	}
	for _, name := range names {
		if err := t.b.pending.DeleteBucket(name); err != nil {
			return err
		}
	}
	if t.fold.of.last == 0 {
		return nil
	}
	return putIndexed(t.b.meta, t.fold.of.last)
}

// encodePositions encodes ascending positions by their distances.
func encodePositions(at []webconferencing.Position) []byte {
	b := make([]byte, 0, 4+4*len(at))
	var last webconferencing.Position
	for _, p := range at {
		b = binary.AppendUvarint(b, uint64(p-last))
		last = p
	}
	return b
}

// decodePositions decodes a row of the topic index.
func decodePositions(key, raw []byte) ([]webconferencing.Position, error) {
	payload, err := unseal(kindTopic, key, raw)
	if err != nil {
		return nil, err
	}
	d := decoder{b: payload}
	at := make([]webconferencing.Position, 0, len(payload)/2+1)
	var last webconferencing.Position
	for len(d.b) > 0 {
		last += webconferencing.Position(d.uvarint())
		at = append(at, last)
	}
	if d.err != nil {
		return nil, corrupt(kindTopic, key, d.err)
	}
	return at, nil
}

// foldAll folds both generations.
func (t *txn) foldAll() error {
	if t.fold != nil {
		if err := t.foldSteps(t.fold.steps() + 1); err != nil {
			return err
		}
	}
	t.pending.mu.Lock()
	t.fold, t.folded = newFolding(t.pending.active), 0
	t.pending.mu.Unlock()
	return t.foldSteps(t.fold.steps() + 1)
}
