package boltstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// Every record on disk is
//
//	schema   1 byte
//	checksum 4 bytes, CRC-32C of kind, key, schema and payload
//	payload
//
// The frame is the same in all schemas, so that an old program can tell a
// newer record from a damaged one. The key is part of the checksum because the
// database has none of its own: a record that turns up under another key is as
// damaged as one whose content changed.
const (
	schema      = 1
	frameLength = 5

	// fileSchema is that of the file as a whole, which its own record bears:
	// 2 since calls and values may be pending.
	fileSchema = 2
)

// kind says which bucket a record belongs to.
type kind byte

const (
	kindMeta  kind = 'm'
	kindCall  kind = 'c'
	kindValue kind = 'v'
	kindBatch kind = 'j'

	kindTopic   kind = 't'
	kindSegment kind = 's'
	kindPending kind = 'p'
	kindRemoved kind = 'x'
)

func (k kind) String() string {
	switch k {
	case kindMeta:
		return "meta"
	case kindCall:
		return "call"
	case kindValue:
		return "value"
	case kindBatch:
		return "journal batch"
	case kindTopic, kindSegment:
		return "topic index"
	case kindPending, kindRemoved:
		return "pending change"
	}
	return fmt.Sprintf("kind %q", byte(k))
}

// What a [CorruptError] may wrap.
var (
	// ErrDamaged: the record's bytes are not the ones that were written.
	ErrDamaged = errors.New("record is damaged")
	// ErrNewer: the record or file was written by a newer version of this
	// package.
	ErrNewer = errors.New("written by a newer version")
)

// CorruptError is the error of a record that can't be served. The record stays
// where it is and all others are served. It wraps [ErrDamaged] or [ErrNewer].
type CorruptError struct {
	Record string // names the record, for example `call "x"`
	Err    error
}

// Error names the record and what is wrong with it.
func (e *CorruptError) Error() string { return e.Record + ": " + e.Err.Error() }

// Unwrap returns what is wrong with the record.
func (e *CorruptError) Unwrap() error { return e.Err }

func corrupt(k kind, key []byte, err error) error {
	name := fmt.Sprintf("%s %q", k, key)
	if k == kindBatch && len(key) == positionLength {
		name = fmt.Sprintf("%s %d", k, binary.BigEndian.Uint64(key))
	}
	return &CorruptError{Record: name, Err: err}
}

// seal returns the record for a payload.
func seal(k kind, key, payload []byte) []byte { return sealAs(schema, k, key, payload) }

func sealAs(version byte, k kind, key, payload []byte) []byte {
	raw := append(blank(len(payload)), payload...)
	finish(version, k, key, raw)
	return raw
}

// blank returns a record without payload, with room for one.
func blank(room int) []byte { return make([]byte, frameLength, frameLength+room) }

// finish fills in the frame of a record whose payload is complete.
func finish(version byte, k kind, key, raw []byte) {
	raw[0] = version
	binary.BigEndian.PutUint32(raw[1:], checksum(k, key, raw))
}

// unseal returns the payload of a record, a part of raw.
func unseal(k kind, key, raw []byte) ([]byte, error) { return unsealUpTo(schema, k, key, raw) }

// unsealUpTo is unseal for records of any schema up to the newest known.
func unsealUpTo(newest byte, k kind, key, raw []byte) ([]byte, error) {
	if len(raw) < frameLength {
		return nil, corrupt(k, key, fmt.Errorf("%w: %d bytes are too few", ErrDamaged, len(raw)))
	}
	if binary.BigEndian.Uint32(raw[1:]) != checksum(k, key, raw) {
		return nil, corrupt(k, key, fmt.Errorf("%w: wrong checksum", ErrDamaged))
	}
	if raw[0] == 0 || raw[0] > newest {
		return nil, corrupt(k, key, fmt.Errorf("%w: schema %d, this one knows %d", ErrNewer, raw[0], newest))
	}
	return raw[frameLength:], nil
}

func checksum(k kind, key, raw []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	head := binary.AppendUvarint(append(make([]byte, 0, 11), byte(k)), uint64(len(key)))
	sum := crc32.Update(0, table, head)
	sum = crc32.Update(sum, table, key)
	sum = crc32.Update(sum, table, raw[:1])
	return crc32.Update(sum, table, raw[frameLength:])
}

// timeLength is the size of an encoded time.
const timeLength = 12

// appendTime encodes a time of any year so that the bytes sort like times.
func appendTime(b []byte, t time.Time) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(t.Unix())^1<<63)
	return binary.BigEndian.AppendUint32(b, uint32(t.Nanosecond()))
}

func parseTime(b []byte) time.Time {
	return time.Unix(int64(binary.BigEndian.Uint64(b)^1<<63), int64(binary.BigEndian.Uint32(b[8:]))).UTC()
}

// positionLength is the size of an encoded position.
const positionLength = 8

func positionKey[P ~uint64](p P) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(p))
}

// prefixed returns name followed by rest in a form in which no name is the
// prefix of another.
func prefixed(name string, rest []byte) []byte {
	b := make([]byte, 2, 2+len(name)+len(rest))
	binary.BigEndian.PutUint16(b, uint16(len(name)))
	b = append(b, name...)
	return append(b, rest...)
}

// decoder takes a payload apart; after the first fault it returns zeros and
// keeps the fault.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail() {
	if d.err == nil {
		d.err = fmt.Errorf("%w: payload ends early", ErrDamaged)
	}
	d.b = nil
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.fail()
		return nil
	}
	out := d.b[:n:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// count reads the number of things that follow, of which each takes at least
// a byte, so that a wrong number can't make us allocate more than there is.
func (d *decoder) count() int {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) time() time.Time {
	if b := d.take(timeLength); b != nil {
		return parseTime(b)
	}
	return time.Time{}
}

// bytes reads a length and as many bytes, which still belong to the payload.
func (d *decoder) bytes() []byte { return d.take(d.count()) }

// end returns the fault, if any, or that bytes are left over.
func (d *decoder) end() error {
	if d.err == nil && len(d.b) > 0 {
		d.err = fmt.Errorf("%w: %d bytes too many", ErrDamaged, len(d.b))
	}
	return d.err
}

func appendBytes[B ~[]byte | ~string](b []byte, s B) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}
