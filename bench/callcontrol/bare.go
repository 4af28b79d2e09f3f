package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
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

// write is what one commit of the measured side puts: a record under the id of
// its call, an entry of the journal, and values under keys of their own.
type write struct {
	key           []byte
	record, event []byte
	values        [][]byte // their keys
	value         []byte   // what each of them holds
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
		_, err3 := tx.CreateBucketIfNotExists([]byte("values"))
		return errors.Join(err1, err2, err3)
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
	records, journal, values := tx.Bucket([]byte("records")), tx.Bucket([]byte("journal")), tx.Bucket([]byte("values"))
	journal.FillPercent = 1
	var faults []error
	for _, w := range batch {
		b.next++
		faults = append(faults,
			records.Put(w.key, w.record),
			journal.Put(binary.BigEndian.AppendUint64(nil, b.next), w.event))
		for _, key := range w.values {
			faults = append(faults, values.Put(key, w.value))
		}
	}
	return errors.Join(faults...)
}

// write returns when everything is on disk.
func (b *bare) write(w *write) {
	w.done = make(chan struct{})
	b.mu.Lock()
	b.queue = append(b.queue, w)
	b.mu.Unlock()
	select {
	case b.kick <- struct{}{}:
	default:
	}
	<-w.done
}

// bareRate returns how many commits of the volume's mean size a number of
// writers get done in a second, each writing again when its last is on disk,
// and the microseconds of processor time for each. With calls above 0 they put the same keys as the measured side: a call gets
// that many commits, and the next call is another one. With 0 each writer
// overwrites one record for ever and puts no values.
func bareRate(ctx context.Context, dir string, writers int, v volume, calls int, d time.Duration) (rate, cpu float64, err error) {
	b, err := openBare(dir)
	if err != nil {
		return 0, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var n atomic.Int64
	var wg sync.WaitGroup
	start, used := time.Now(), processorTime()
	for i := range writers {
		wg.Go(func() {
			w := &write{
				record: make([]byte, int(v.record)), event: make([]byte, int(v.event)), value: make([]byte, int(v.value)),
			}
			for commit := 0; ctx.Err() == nil; commit++ {
				w.key, w.values = binary.BigEndian.AppendUint64(nil, uint64(i)), nil
				if calls > 0 {
					w.key = fmt.Appendf(nil, "call-%d-%d", i, commit/calls)
				}
				if calls > 0 && commit%calls == calls-1 {
					// The values come when the call ends, one for each person.
					for j := range int(v.values*float64(calls) + 0.5) {
						w.values = append(w.values, fmt.Appendf(nil, "history/user-%06d/%016x/%s", 2*i+j, ^time.Now().UnixMilli(), w.key))
					}
				}
				b.write(w)
				n.Add(1)
			}
		})
	}
	wg.Wait()
	rate = float64(n.Load()) / time.Since(start).Seconds()
	cpu = float64((processorTime() - used).Microseconds()) / float64(n.Load())
	return rate, cpu, b.close()
}

// forcedWrite returns how long single writes take, sorted: one forced write of
// the disk each.
func forcedWrite(dir string, v volume, n int) ([]time.Duration, error) {
	b, err := openBare(dir)
	if err != nil {
		return nil, err
	}
	times := make([]time.Duration, n)
	w := &write{key: []byte("call"), record: make([]byte, int(v.record)), event: make([]byte, int(v.event))}
	for i := range times {
		start := time.Now()
		b.write(w)
		times[i] = time.Since(start)
	}
	slices.Sort(times)
	return times, b.close()
}
