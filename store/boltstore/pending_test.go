package boltstore_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/boltstore"
)

// TestDamagedPendingChange: a change whose row was damaged before it got to its
// place makes its own call unreadable, and nothing else.
func TestDamagedPendingChange(t *testing.T) {
	path := filepath.Join(quickDir(t), "x.db")
	s := open(t, path)
	for i := range 20 {
		if _, err := s.Commit(t.Context(), put(counterID(i), 0)); err != nil {
			t.Fatal(err)
		}
	}
	s.Crash()
	damaged := 0
	if err := boltstore.Edit(path, func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("pending")).ForEachBucket(func(name []byte) error {
			rows := tx.Bucket([]byte("pending")).Bucket(name)
			return rows.ForEach(func(k, v []byte) error {
				// One row holds the call, another one its value.
				if bytes.Contains(v[:20], []byte(counterID(7))) {
					damaged++
					raw := bytes.Clone(v)
					raw[len(raw)-1] ^= 1
					return rows.Put(bytes.Clone(k), raw)
				}
				return nil
			})
		})
	}); err != nil || damaged != 2 {
		t.Fatal(damaged, err)
	}
	for range 2 { // the second time everything is in its place
		s = open(t, path)
		for i := range 20 {
			id := counterID(i)
			_, err1 := s.Call(t.Context(), id)
			_, err2 := s.Value(t.Context(), string(id))
			var c *boltstore.CorruptError
			if bad := i == 7; errors.As(err1, &c) != bad || errors.As(err2, &c) != bad {
				t.Errorf("%s: %v, %v", id, err1, err2)
			}
		}
		if _, err := s.Commit(t.Context(), put(counterID(7), 1)); !errors.Is(err, boltstore.ErrDamaged) {
			t.Errorf("Commit: %v", err)
		}
		if n := s.Stats().Damaged; n != 2 {
			t.Errorf("Damaged = %d", n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTrimmedTopicsLeaveNothing: when the journal is empty so is its index.
func TestTrimmedTopicsLeaveNothing(t *testing.T) {
	path := filepath.Join(quickDir(t), "x.db")
	s := open(t, path)
	s.FreezeAt(30)
	for i := range 200 {
		if _, err := s.Commit(t.Context(), put(counterID(i%10), uint64(i/10))); err != nil {
			t.Fatal(err)
		}
		if i%60 == 59 {
			s.Crash()
			s = open(t, path)
			s.FreezeAt(30)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	if _, err := s.Commit(t.Context(), &webconferencing.Change{TrimBefore: time.Now()}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := boltstore.Edit(path, func(tx *bbolt.Tx) error {
		for _, name := range []string{"log", "topics", "segments", "pending"} {
			if k, _ := tx.Bucket([]byte(name)).Cursor().First(); k != nil {
				return fmt.Errorf("%s still has %q", name, k)
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// TestFirstVersion opens a file as the first version of this package left it.
func TestFirstVersion(t *testing.T) {
	f := newSample(t)
	path := f.copy(t, func(b []byte) []byte { return b })
	if err := boltstore.Edit(path, func(tx *bbolt.Tx) error {
		meta := tx.Bucket([]byte("meta"))
		key := []byte("schema")
		errs := []error{
			meta.Put(key, boltstore.Reseal("meta", key, meta.Get(key), 1)), meta.Delete([]byte("indexed")),
			tx.DeleteBucket([]byte("pending")), tx.DeleteBucket([]byte("segments")), tx.DeleteBucket([]byte("topics")),
		}
		topics, err := tx.CreateBucket([]byte("topics"))
		if err != nil {
			return err
		}
		for i := range f.events {
			for _, topic := range f.events[i].Topics {
				row := binary.BigEndian.AppendUint16(nil, uint16(len(topic)))
				row = binary.BigEndian.AppendUint64(append(row, topic...), uint64(f.events[i].Position))
				errs = append(errs, topics.Put(row, nil))
			}
		}
		return errors.Join(errs...)
	}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s := open(t, path)
		if n := f.read(t, s); n.failed+n.missing > 0 {
			t.Errorf("%+v", n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := boltstore.Inspect(path); err != nil {
		t.Error(err)
	}
}

// TestReadersWhileFolding: whoever reads while changes move to their places
// sees each call and value, and nothing that was overtaken.
func TestReadersWhileFolding(t *testing.T) {
	s, err := boltstore.Open(filepath.Join(quickDir(t), "x.db"), &boltstore.Options{CachedCalls: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.FreezeAt(40)
	const calls, versions = 12, 60
	for i := range calls {
		if _, err := s.Commit(t.Context(), put(counterID(i), 0)); err != nil {
			t.Fatal(err)
		}
	}
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for i := range calls {
		writers.Go(func() {
			for v := uint64(1); v < versions; v++ {
				if _, err := s.Commit(t.Context(), put(counterID(i), v)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			var last [calls]uint64
			for {
				select {
				case <-done:
					return
				default:
				}
				readAround(t, s, &last)
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
}

// readAround reads everything in every way; last has the versions seen before.
func readAround(t *testing.T, s *boltstore.Store, last *[12]uint64) {
	ctx := t.Context()
	for i := range *last {
		c, err := s.Call(ctx, counterID(i))
		if err != nil || c.Version < last[i] {
			t.Errorf("Call = %+v, %v after version %d", c, err, last[i])
			return
		}
		last[i] = c.Version
		events, err := s.Events(ctx, webconferencing.CallTopic(counterID(i)), 0, 1000)
		if err != nil || uint64(len(events)) < c.Version || events[len(events)-1].Version != uint64(len(events)) {
			t.Errorf("%d events after version %d, %v", len(events), c.Version, err)
			return
		}
		v, err := s.Value(ctx, string(counterID(i)))
		if err != nil || v.Revision < c.Version {
			t.Errorf("Value = %+v, %v after version %d", v, err, c.Version)
			return
		}
	}
	n := 0
	for _, err := range s.Calls(ctx, webconferencing.CallQuery{Key: "all"}) {
		if n++; err != nil {
			t.Error(err)
		}
	}
	values := 0
	for _, err := range s.Values(ctx, webconferencing.ValueQuery{Prefix: "counter-"}) {
		if values++; err != nil {
			t.Error(err)
		}
	}
	due, err := s.Due(ctx, time.Now(), 100)
	if n != len(*last) || values != n || len(due) != n || err != nil {
		t.Errorf("%d calls, %d values, %d due, %v", n, values, len(due), err)
	}
}
