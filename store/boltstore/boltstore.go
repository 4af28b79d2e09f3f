// Package boltstore keeps calls and journal in one file on disk, for a portal
// that runs as one process. What [Store.Commit] acknowledges has been forced to
// disk; changes that arrive together share that cost.
//
// The file is never read past a checksum. A record that is damaged, or that a
// newer version wrote, is reported and left alone, and all others are served.
// When the disk fails the store refuses writes, says so by [Store.Health], and
// goes on by itself when the cause is gone.
package boltstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/webconferencing/webconferencing"
)

// ErrLocked means that another process, or another Store of this one, has the
// file open.
var ErrLocked = errors.New("file is in use by another store")

// Options are what can be adjusted about a [Store]. The zero value is good for
// production.
type Options struct {
	// Logger is told about damaged records, and when the store stops and
	// begins again to take writes. Defaults to none.
	Logger *slog.Logger
	// LockTimeout is how long Open waits for the file's lock; at least 1 ms.
	// Defaults to 1 s.
	LockTimeout time.Duration
	// CachedCalls is how many calls are kept decoded in memory, from 1 to
	// 1,000,000. Defaults to 10,000.
	CachedCalls int
	// CacheBytes bounds the memory of the cached calls, measured by their size
	// on disk; at least 1 MiB. An eighth of it is for the latest events. In
	// memory they take about three times as much. Defaults to 32 MiB.
	CacheBytes int
}

func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.LockTimeout == 0 {
		c.LockTimeout = time.Second
	}
	if c.CachedCalls == 0 {
		c.CachedCalls = 10_000
	}
	if c.CacheBytes == 0 {
		c.CacheBytes = 32 << 20
	}
	var errs []error
	if c.LockTimeout < time.Millisecond {
		errs = append(errs, fmt.Errorf("Options.LockTimeout is %v, less than 1 ms", c.LockTimeout))
	}
	if c.CachedCalls < 1 || c.CachedCalls > 1_000_000 {
		errs = append(errs, fmt.Errorf("Options.CachedCalls is %d, not 1 to 1,000,000", c.CachedCalls))
	}
	if c.CacheBytes < 1<<20 {
		errs = append(errs, fmt.Errorf("Options.CacheBytes is %d, less than 1 MiB", c.CacheBytes))
	}
	return c, errors.Join(errs...)
}

// Store is a [webconferencing.Store] in a file. All methods may be called
// concurrently. It has no goroutine of its own while nothing is being written.
type Store struct {
	path    string
	opts    Options
	log     *slog.Logger
	calls   *callCache
	batches *batchCache
	damage  damage
	stats   counters

	pending *pending

	// writing is held by whoever writes or replaces the handle.
	writing sync.Mutex
	workers sync.WaitGroup
	// trimBefore is what the journal has yet to be trimmed to; zero is nothing.
	// It is guarded by writing.
	trimBefore time.Time

	mu      sync.Mutex // guards what follows
	closed  bool
	handle  *handle       // nil while nothing can be read
	down    error         // why writes are refused; nil when all is well
	broken  []*handle     // no longer used and not yet closed
	retryAt time.Time     // when to try again
	backoff time.Duration // between the last attempt and retryAt
	attempt chan struct{} // closed when the running attempt to recover ends
	flight  chan struct{} // closed when the running commit has settled
	known   uint64        // no transaction up to this one has an open outcome
	queue   []*request
	working bool
	enough  chan struct{} // closed when wanted requests are in the queue; nil if nobody waits
	wanted  int
}

var _ webconferencing.Store = (*Store)(nil)

// counters are the parts of [Stats] that only grow.
type counters struct {
	commits, transactions, conflicts, failures, recoveries atomic.Uint64
}

// Open opens the file at path or makes a new one, with the folder if need be,
// for the owner alone. It reads all calls and the structure of the file once to
// look for damage, about a second for 100,000 calls. If the structure is
// damaged the store opens and serves what can be read, but takes no writes, as
// [Store.Health] tells. Open returns an error that wraps [ErrLocked] if another
// process has the file open, and one that wraps [ErrNewer] or [ErrDamaged] if
// the file as a whole can't be used. The caller closes the store.
func Open(path string, opts *Options) (*Store, error) {
	o, err := opts.withDefaults()
	if path == "" {
		err = errors.Join(errors.New("path is empty"), err)
	}
	if err != nil {
		return nil, fmt.Errorf("boltstore: %w", err)
	}
	s := &Store{
		opts:    o,
		log:     o.Logger,
		calls:   newCallCache(o.CachedCalls, o.CacheBytes),
		batches: newBatchCache(o.CacheBytes / 8),
		pending: newPending(1),
	}
	// The working directory may change under us, and the file is opened again
	// after a fault of the disk.
	if s.path, err = filepath.Abs(path); err == nil {
		err = s.start()
	}
	if err != nil {
		return nil, fmt.Errorf("boltstore: open %s: %w", path, err)
	}
	return s, nil
}

// start creates the file if need be, opens, checks and repairs it.
func (s *Store) start() error {
	if err := create(s.path); err != nil {
		var exists *fs.PathError
		if errors.As(err, &exists) {
			return err
		}
		return fmt.Errorf("create: %w", err)
	}
	h, err := openHandle(s.path, s.opts.LockTimeout, false)
	if err != nil {
		return err
	}
	setBack, damaged := h.inspect()
	repairs, err := s.verify(h, setBack)
	g := s.loadFrom(h)
	switch {
	case err != nil:
	case errors.Is(damaged, ErrDamaged):
		return s.startDamaged(h, damaged, g)
	case damaged != nil:
		err = damaged
	default:
		err = s.prove(h, repairs, g)
	}
	if err != nil {
		return errors.Join(err, h.close())
	}
	s.handle = h
	return nil
}

// startDamaged serves from a file that must not be written to what can be read
// of it.
func (s *Store) startDamaged(h *handle, cause error, g *generation) error {
	s.install(h, h.durable.Load(), loaded(g))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handle = h
	s.degradeLocked(cause)
	s.putOff(cause)
	return nil
}

// Close waits for the running transaction, refuses the waiting ones with
// [webconferencing.ErrClosed] and closes the file. Closing again does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		s.workers.Wait()
		return nil
	}
	s.closed = true
	waiting := s.queue
	s.queue = nil
	s.mu.Unlock()
	for _, r := range waiting {
		r.finish(0, errClosed())
	}
	s.workers.Wait()
	s.settleDown()

	s.mu.Lock()
	open := s.broken
	if s.handle != nil {
		open = append(open, s.handle)
	}
	s.handle, s.broken = nil, nil
	s.mu.Unlock()
	s.calls.reset(0)
	s.batches.reset()
	var errs []error
	for _, h := range open {
		errs = append(errs, h.close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("boltstore: close: %w", err)
	}
	return nil
}

// settleDown puts what is pending in its place, if the file takes writes, so
// that a closed file has nothing left to do. Else it is done when the file is
// opened next.
func (s *Store) settleDown() {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	h, down := s.handle, s.down
	s.mu.Unlock()
	if h == nil || down != nil || s.pending.empty() {
		return
	}
	if _, err := h.update(func(tx *bbolt.Tx) (bool, error) {
		t, err := newTxn(s, s.pending, tx)
		if err != nil {
			return false, err
		}
		return true, t.foldAll()
	}); err != nil {
		s.log.Warn("changes stay pending until the store is opened again", "path", s.path, "error", err)
	}
}

// Stats are gauges and counters of a [Store] since it was opened.
type Stats struct {
	CachedCalls  int    // calls in memory
	Pending      int    // changes that are on disk, but not yet in their places
	Damaged      int    // records found that can't be served
	Commits      uint64 // changes written
	Conflicts    uint64 // changes refused with ErrConflict
	Transactions uint64 // by which the changes were written
	Failures     uint64 // transactions that failed with an open outcome
	Recoveries   uint64 // times the store recovered from a failure
}

// Stats returns the present figures. It does no I/O.
func (s *Store) Stats() Stats {
	return Stats{
		CachedCalls:  s.calls.len(),
		Pending:      s.pending.rows(),
		Damaged:      s.damage.count(),
		Commits:      s.stats.commits.Load(),
		Conflicts:    s.stats.conflicts.Load(),
		Transactions: s.stats.transactions.Load(),
		Failures:     s.stats.failures.Load(),
		Recoveries:   s.stats.recoveries.Load(),
	}
}

// Health returns nil if the store takes writes, else why it does not. It does
// no I/O itself but lets the store try to recover when it is time to.
func (s *Store) Health() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return errClosed()
	case s.down == nil:
		return nil
	}
	s.attemptLocked()
	return fmt.Errorf("boltstore: %s takes no writes: %w", s.path, s.down)
}

func errClosed() error { return fmt.Errorf("boltstore: %w", webconferencing.ErrClosed) }

// unavailable is the error of something that can't be had at present and that
// was not changed.
func unavailable(err error) error {
	var e *webconferencing.Error
	if errors.As(err, &e) {
		return err
	}
	message := "the storage is not available at present, please try again"
	var c *CorruptError
	if errors.As(err, &c) {
		message = "a stored record can't be read at present"
	}
	return &webconferencing.Error{
		Code: webconferencing.CodeUnavailable, Op: "boltstore", Message: message, Err: err,
	}
}

// cancelled wraps the error of a context that ended.
func cancelled(ctx context.Context) error { return fmt.Errorf("boltstore: %w", ctx.Err()) }
