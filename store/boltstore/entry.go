package boltstore

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/internal/change"
)

// entry is a call as it is stored: what the indexes need stands before the
// JSON, so that most of the work needs none. Entries are shared between the
// cache and all readers and never changed.
type entry struct {
	version  uint64
	deadline time.Time
	keys     []string
	call     *webconferencing.Call // nil if only the head was decoded
	size     int                   // of the record, in bytes
}

// newEntry returns the entry of a change's call and its record. The entry is
// exactly what decoding the record gives; exact is false if that is not sure.
func newEntry(c *webconferencing.Change) (e *entry, raw []byte, exact bool, err error) {
	e = &entry{
		version:  c.Call.Version,
		deadline: change.Time(c.Deadline),
		keys:     change.Keys(c.Keys),
		call:     change.Call(c.Call),
	}
	raw, err = e.seal(c.Call.ID)
	if err != nil {
		return nil, nil, false, err
	}
	e.size = len(raw)
	// JSON can't hold bytes that are not UTF-8 and says so with this escape.
	return e, raw, !bytes.Contains(raw, []byte(`\ufffd`)), nil
}

// seal returns the entry's record.
func (e *entry) seal(id webconferencing.CallID) ([]byte, error) {
	text, err := json.Marshal(e.call)
	if err != nil {
		return nil, fmt.Errorf("call %q: %w", id, err)
	}
	room := 8 + timeLength + binary.MaxVarintLen32 + len(text)
	for _, k := range e.keys {
		room += len(k) + binary.MaxVarintLen16
	}
	raw := binary.BigEndian.AppendUint64(blank(room), e.version)
	raw = appendTime(raw, e.deadline)
	raw = binary.AppendUvarint(raw, uint64(len(e.keys)))
	for _, k := range e.keys {
		raw = appendBytes(raw, k)
	}
	raw = append(raw, text...)
	finish(schema, kindCall, []byte(id), raw)
	return raw, nil
}

// decodeHead decodes all of an entry but the call.
func decodeHead(id webconferencing.CallID, raw []byte) (*entry, []byte, error) {
	payload, err := unseal(kindCall, []byte(id), raw)
	if err != nil {
		return nil, nil, err
	}
	d := decoder{b: payload}
	e := &entry{version: d.uint64(), deadline: d.time(), size: len(raw)}
	e.keys = make([]string, d.count())
	for i := range e.keys {
		e.keys[i] = string(d.bytes())
	}
	if d.err != nil {
		return nil, nil, corrupt(kindCall, []byte(id), d.err)
	}
	return e, d.b, nil
}

// decodeEntry decodes a call's record. It keeps nothing of raw.
func decodeEntry(id webconferencing.CallID, raw []byte) (*entry, error) {
	e, text, err := decodeHead(id, raw)
	if err != nil {
		return nil, err
	}
	e.call = new(webconferencing.Call)
	if err := json.Unmarshal(text, e.call); err != nil {
		return nil, corrupt(kindCall, []byte(id), fmt.Errorf("%w: %w", ErrDamaged, err))
	}
	return e, nil
}

// encodeValue returns the record of a value.
func encodeValue(v *webconferencing.Value) []byte {
	raw := binary.BigEndian.AppendUint64(blank(8+timeLength+len(v.Data)), v.Revision)
	raw = appendTime(raw, v.Expires)
	raw = append(raw, v.Data...)
	finish(schema, kindValue, []byte(v.Key), raw)
	return raw
}

// decodeValue decodes a value's record. It keeps nothing of raw.
func decodeValue(key string, raw []byte) (*webconferencing.Value, error) {
	payload, err := unseal(kindValue, []byte(key), raw)
	if err != nil {
		return nil, err
	}
	d := decoder{b: payload}
	v := &webconferencing.Value{Key: key, Revision: d.uint64(), Expires: d.time()}
	if d.err != nil {
		return nil, corrupt(kindValue, []byte(key), d.err)
	}
	v.Data = append([]byte{}, d.b...)
	return v, nil
}

func expired(v *webconferencing.Value, now time.Time) bool {
	return !v.Expires.IsZero() && !v.Expires.After(now)
}

// hasKey tells whether the call is found by an index key.
func (e *entry) hasKey(key string) bool {
	_, found := slices.BinarySearch(e.keys, key)
	return found
}
