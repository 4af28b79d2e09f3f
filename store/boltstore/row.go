package boltstore

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/webconferencing/webconferencing"
)

// A row of the pending bucket is
//
//	kind     1 byte, of the record
//	removed  1 byte, 1 if the call or value was removed
//	key      length and bytes
//	record   as it will stand in its place; of something removed an empty one
//
// The record's checksum covers the kind and the key, so the row needs none.

// encodeRow appends a row; record is nil if something was removed.
func encodeRow(b []byte, k kind, key string, record []byte) []byte {
	b = append(b, byte(k), 0)
	if record == nil {
		b[len(b)-1] = 1
		record = seal(kindRemoved, append([]byte{byte(k)}, key...), nil)
	}
	b = appendBytes(b, key)
	return append(b, record...)
}

// decodeRow returns a row's key and record, which is nil if something was
// removed; they are parts of raw. The record is not checked.
func decodeRow(raw []byte) (k kind, key string, record []byte, err error) {
	d := decoder{b: raw}
	head := d.take(2)
	name := d.bytes()
	if d.err != nil {
		return 0, "", nil, d.err
	}
	k, key = kind(head[0]), string(name)
	if k != kindCall && k != kindValue || head[1] > 1 {
		return 0, "", nil, fmt.Errorf("%w: unknown row", ErrDamaged)
	}
	if head[1] == 1 {
		_, err := unseal(kindRemoved, append([]byte{byte(k)}, key...), d.b)
		return k, key, nil, err
	}
	return k, key, d.b, nil
}

func numberKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// load puts the rows in the file, and the journal batches that are not in the
// topic index, into a generation. Rows that are damaged are reported; where
// it is known what they were about, that counts as damaged too.
func (s *Store) load(tx *bbolt.Tx, g *generation) error {
	if tx.Bucket([]byte(bucketMeta)) == nil {
		return nil // a new file
	}
	b, err := bucketsOf(tx)
	if err != nil {
		return err
	}
	if b.pending != nil {
		c := b.pending.Cursor()
		for name, _ := c.First(); name != nil; name, _ = c.Next() {
			rows := b.pending.Bucket(name)
			if rows == nil || len(name) != 8 {
				continue
			}
			g.number = max(g.number, binary.BigEndian.Uint64(name))
			in := rows.Cursor()
			for k, raw := in.First(); k != nil; k, raw = in.Next() {
				s.loadRow(g, k, raw)
			}
		}
	}
	state, err := getJournalState(b.meta)
	if err != nil {
		return err
	}
	c := b.log.Cursor()
	for k, raw := c.Seek(positionKey(max(state.trimmed, getIndexed(b.meta)) + 1)); k != nil; k, raw = c.Next() {
		batch, _, err := decodeBatchHead(k, raw)
		if err != nil || len(k) != positionLength {
			s.damage.report(s.log, err)
			continue
		}
		g.addBatch(batch.topics, webconferencing.Position(binary.BigEndian.Uint64(k)))
	}
	return nil
}

func (s *Store) loadRow(g *generation, k, raw []byte) {
	g.rows++
	g.bytes += len(raw)
	of, key, record, err := decodeRow(raw)
	if err != nil {
		s.damage.report(s.log, corrupt(kindPending, k, err))
		return
	}
	record = append([]byte(nil), record...)
	if of == kindValue {
		v := pendingValue{}
		if len(record) > 0 {
			v.record = record
			if val, err := decodeValue(key, record); err == nil {
				v.revision, v.expires = val.Revision, val.Expires
			} else {
				v.err = err
			}
		}
		g.setValue(key, v)
		return
	}
	id := webconferencing.CallID(key)
	c := pendingCall{}
	if len(record) > 0 {
		c.record = record
		if c.entry, _, c.err = decodeHead(id, record); c.err != nil {
			c.entry = &entry{}
		}
	}
	g.setCall(id, c)
}
