package main

import (
	"context"
	"encoding/binary"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
)

// bare writes records and journal entries with nothing but bbolt: one
// goroutine commits together whatever has come meanwhile.
type bare struct {
	db    *bbolt.DB
	mu    sync.Mutex
	queue []*write
	kick  chan struct{}
	done  chan struct{}
	err   error
	next  uint64 // place in the journal
	txns  atomic.Int64
}

type write struct {
	key           uint64
	record, event []byte
	done          chan struct{}
}

func openBare(dir string) (*bare, error) {
	db, err := bbolt.Open(filepath.Join(dir, "bare.db"), 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err1 := tx.CreateBucketIfNotExists([]byte("records"))
		_, err2 := tx.CreateBucketIfNotExists([]byte("journal"))
		return errors.Join(err1, err2)
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	b := &bare{db: db, kick: make(chan struct{}, 1), done: make(chan struct{})}
	go b.work()
	return b, nil
}

func (b *bare) close() error {
	close(b.kick)
	<-b.done
	return errors.Join(b.err, b.db.Close())
}

func (b *bare) work() {
	defer close(b.done)
	for range b.kick {
		for {
			b.mu.Lock()
			batch := b.queue
			b.queue = nil
			b.mu.Unlock()
			if len(batch) == 0 {
				break
			}
			if err := b.db.Update(func(tx *bbolt.Tx) error { return b.put(tx, batch) }); err != nil && b.err == nil {
				b.err = err
			}
			b.txns.Add(1)
			for _, w := range batch {
				close(w.done)
			}
		}
	}
}

func (b *bare) put(tx *bbolt.Tx, batch []*write) error {
	records, journal := tx.Bucket([]byte("records")), tx.Bucket([]byte("journal"))
	var faults []error
	for _, w := range batch {
		b.next++
		faults = append(faults,
			records.Put(binary.BigEndian.AppendUint64(nil, w.key), w.record),
			journal.Put(binary.BigEndian.AppendUint64(nil, b.next), w.event))
	}
	return errors.Join(faults...)
}

// write returns when the record is on disk.
func (b *bare) write(key uint64, record, event []byte) {
	w := &write{key: key, record: record, event: event, done: make(chan struct{})}
	b.mu.Lock()
	b.queue = append(b.queue, w)
	b.mu.Unlock()
	select {
	case b.kick <- struct{}{}:
	default:
	}
	<-w.done
}

// bareRate returns how many writes of the volume's mean size a number of
// writers get done in a second, each writing again when its last is on disk.
func bareRate(ctx context.Context, dir string, writers int, v volume, d time.Duration) (rate float64, err error) {
	b, err := openBare(dir)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var n atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for i := range writers {
		wg.Go(func() {
			record, event := make([]byte, int(v.record)), make([]byte, int(v.event))
			for ctx.Err() == nil {
				b.write(uint64(i), record, event)
				n.Add(1)
			}
		})
	}
	wg.Wait()
	rate = float64(n.Load()) / time.Since(start).Seconds()
	return rate, b.close()
}

// forcedWrite returns how long single writes take, sorted: one forced write of
// the disk each.
func forcedWrite(dir string, v volume, n int) ([]time.Duration, error) {
	b, err := openBare(dir)
	if err != nil {
		return nil, err
	}
	times := make([]time.Duration, n)
	record, event := make([]byte, int(v.record)), make([]byte, int(v.event))
	for i := range times {
		start := time.Now()
		b.write(0, record, event)
		times[i] = time.Since(start)
	}
	slices.Sort(times)
	return times, b.close()
}
