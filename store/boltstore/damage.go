package boltstore

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// mostDamaged bounds the records that are remembered by name.
const mostDamaged = 10_000

// damage remembers the records that can't be served, so that each is reported
// once.
type damage struct {
	mu      sync.Mutex
	records map[string]struct{}
}

// report logs a damaged record unless it is known already.
func (d *damage) report(log *slog.Logger, err error) {
	var c *CorruptError
	if !errors.As(err, &c) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.records[c.Record]; known || len(d.records) == mostDamaged {
		return
	}
	if d.records == nil {
		d.records = make(map[string]struct{})
	}
	d.records[c.Record] = struct{}{}
	log.Error("a record can't be served and is left alone", "record", c.Record, "error", c.Err)
}

// page reports a fault that stems from the file's structure and returns it as
// a *CorruptError.
func (d *damage) page(log *slog.Logger, err error) error {
	var f *faultError
	if errors.As(err, &f) {
		log.Debug("fault in the database file", "panic", f.value, "stack", string(f.stack))
	}
	c := &CorruptError{Record: "page of the file", Err: fmt.Errorf("%w: %w", ErrDamaged, err)}
	d.report(log, c)
	return c
}

// has tells whether a record is known to be damaged.
func (d *damage) has(k kind, key []byte) bool {
	if d.count() == 0 {
		return false
	}
	var c *CorruptError
	errors.As(corrupt(k, key, nil), &c)
	d.mu.Lock()
	defer d.mu.Unlock()
	_, known := d.records[c.Record]
	return known
}

func (d *damage) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.records)
}
