package boltstore

import (
	"bytes"
	"os"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/webconferencing/webconferencing"
)

// HoldWriter keeps transactions from starting until release is called.
func (s *Store) HoldWriter() (release func()) {
	s.writing.Lock()
	return s.writing.Unlock
}

// Waiting returns how many changes wait for a transaction, not counting those
// already taken.
func (s *Store) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue)
}

// BreakFile closes the file under the database, so that everything it tries to
// write from now on fails.
func (s *Store) BreakFile() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.handle.file.Close()
}

// Unsettle makes the latest commit look as if it were still being forced to
// disk, until settle is called.
func (s *Store) Unsettle() (settle func()) {
	settled := s.beginFlight()
	durable := s.handle.durable.Load()
	s.handle.durable.Store(durable - 1)
	return func() {
		s.handle.durable.Store(durable)
		s.endFlight(settled)
	}
}

// ForgetCached empties the caches.
func (s *Store) ForgetCached() {
	s.calls.reset(0)
	s.batches.reset()
}

// Edit changes a closed store's file.
func Edit(path string, fn func(tx *bbolt.Tx) error) error {
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.Update(fn)
}

// Reseal returns the record with another schema version and a good checksum.
func Reseal(bucket string, key, raw []byte, schema byte) []byte {
	k := map[string]kind{"meta": kindMeta, "calls": kindCall, "values": kindValue, "log": kindBatch}[bucket]
	out := seal(k, key, raw[frameLength:])
	out[0] = schema
	sum := checksum(k, key, out)
	out[1], out[2], out[3], out[4] = byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum)
	return out
}

// Sealed returns a record of the present schema.
func Sealed(kind_ byte, key, payload []byte) []byte { return seal(kind(kind_), key, payload) }

// DecodeCall decodes a call's record.
func DecodeCall(id webconferencing.CallID, raw []byte) (*webconferencing.Call, []string, error) {
	e, err := decodeEntry(id, raw)
	if err != nil {
		return nil, nil, err
	}
	return e.call, e.keys, nil
}

// EncodeCall encodes a call's record.
func EncodeCall(c *webconferencing.Change) (raw []byte, call *webconferencing.Call, exact bool, err error) {
	e, raw, exact, err := newEntry(c)
	if err != nil {
		return nil, nil, false, err
	}
	return raw, e.call, exact, nil
}

// DecodeValue decodes a value's record.
func DecodeValue(key string, raw []byte) (*webconferencing.Value, error) {
	return decodeValue(key, raw)
}

// DecodeBatch decodes a journal batch.
func DecodeBatch(key, raw []byte) ([]webconferencing.Event, error) {
	b, err := decodeBatch(key, raw)
	if err != nil {
		return nil, err
	}
	return b.events, nil
}

// EncodeBatch encodes the events of several changes as one journal batch.
func EncodeBatch(key []byte, changes ...[]webconferencing.Event) ([]byte, error) {
	p, err := prepareEvents(slices.Concat(changes...))
	if err != nil {
		return nil, err
	}
	finish(schema, kindBatch, key, p.record)
	return p.record, nil
}

// Taken tells whether the worker has taken all changes out of the queue and is
// still at work.
func (s *Store) Taken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.working && len(s.queue) == 0
}

// Idle tells whether nothing is written or waits to be.
func (s *Store) Idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.working
}

// Inspect looks at the structure of a file that nobody writes to.
func Inspect(path string) error {
	h, err := openHandle(path, time.Second, false)
	if err != nil {
		return err
	}
	defer h.close()
	_, err = h.inspect()
	return err
}

// InspectBytes looks at the structure of a file in memory.
func InspectBytes(b []byte) error {
	_, err := inspect(bytes.NewReader(b), os.Getpagesize())
	return err
}

// FreezeAt makes generations of pending changes small.
func (s *Store) FreezeAt(rows int) {
	s.pending.mu.Lock()
	defer s.pending.mu.Unlock()
	s.pending.mostRows = rows
}

// Crash gives the file up as the death of the process does.
func (s *Store) Crash() {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.handle.close()
	s.handle = nil
}
