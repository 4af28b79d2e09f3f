package boltstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// After a failed commit nobody can tell what is on disk. The handle is given
// up, the file is opened again, and an empty commit proves that the disk takes
// writes and that what can be read is on disk. Only then is anything answered.
// If the proof fails, reads go on where the outcome of every commit is known,
// and the next one who needs the store tries again, not too often.

const (
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 2 * time.Second
	// faultBackoff follows an attempt that panicked, since each of those
	// leaves a memory map behind, and one that found damage, since looking for
	// it takes time and hardly ever has another result.
	faultBackoff = time.Minute
)

// readable returns the handle to read from. It waits for a running attempt to
// recover, and starts one if nothing can be read and it is time to try.
func (s *Store) readable(ctx context.Context) (*handle, error) {
	for {
		s.mu.Lock()
		switch {
		case s.closed:
			s.mu.Unlock()
			return nil, errClosed()
		case ctx.Err() != nil:
			s.mu.Unlock()
			return nil, cancelled(ctx)
		case s.handle != nil:
			h := s.handle
			s.mu.Unlock()
			return h, nil
		}
		attempt, down := s.attemptLocked(), s.down
		s.mu.Unlock()
		if attempt == nil {
			return nil, unavailable(down)
		}
		select {
		case <-attempt:
		case <-ctx.Done():
			return nil, cancelled(ctx)
		}
	}
}

// attemptLocked returns a channel that is closed when the running attempt to
// recover ends. It starts one if there is none and it is time to, else it
// returns nil.
func (s *Store) attemptLocked() chan struct{} {
	if s.attempt == nil && !time.Now().Before(s.retryAt) {
		s.attempt = make(chan struct{})
		s.workers.Go(func() {
			s.writing.Lock()
			defer s.writing.Unlock()
			s.revive()
		})
	}
	return s.attempt
}

// writable returns the handle to write to and holds s.writing, which the
// caller releases. It makes an attempt to recover first if one is needed and
// due.
func (s *Store) writable() (*handle, error) {
	for {
		s.writing.Lock()
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			s.writing.Unlock()
			return nil, errClosed()
		}
		if s.down == nil {
			h := s.handle
			s.mu.Unlock()
			return h, nil
		}
		attempt, down := s.attemptLocked(), s.down
		s.mu.Unlock()
		s.writing.Unlock()
		if attempt == nil {
			return nil, unavailable(down)
		}
		<-attempt
	}
}

// fail declares a handle unusable: nothing more is read from it or written to
// it. Those who ask from now on wait for the recovery, and so may the caller
// with the channel returned.
func (s *Store) fail(h *handle, cause error) (recovered <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.handle == h && !s.closed {
		s.handle = nil
		s.broken = append(s.broken, h)
		s.degradeLocked(cause)
		s.retryAt = time.Now()
		s.attemptLocked()
	}
	if s.attempt == nil {
		done := make(chan struct{})
		close(done)
		return done
	}
	return s.attempt
}

// degrade refuses writes from now on, while reads go on.
func (s *Store) degrade(h *handle, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.handle == h && !s.closed && s.down == nil {
		s.degradeLocked(cause)
		s.retryAt = time.Now().Add(firstBackoff)
	}
}

func (s *Store) degradeLocked(cause error) {
	if s.down == nil {
		s.log.Error("store takes no writes", "path", s.path, "error", cause)
	}
	s.down = cause
}

// revive opens the file anew and ends the running attempt. The caller holds
// s.writing.
func (s *Store) revive() {
	s.mu.Lock()
	defer s.endAttempt()
	if s.closed || s.down == nil {
		s.mu.Unlock()
		return
	}
	if s.handle != nil {
		err := s.handle.inPlace()
		if err == nil && errors.Is(s.down, ErrDamaged) {
			_, err = s.handle.inspect()
		}
		if err != nil {
			// What is open is all there is: go on reading it.
			s.putOff(err)
			s.mu.Unlock()
			return
		}
		s.broken = append(s.broken, s.handle)
		s.handle = nil
	}
	broken, cause := s.broken, s.down
	s.broken = nil
	s.mu.Unlock()
	for _, h := range broken {
		s.retire(h)
	}

	h, err := s.reopen(cause)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.handle = h
	if err != nil {
		s.putOff(err)
		return
	}
	s.down, s.backoff = nil, 0
	s.stats.recoveries.Add(1)
	s.log.Info("store has recovered", "path", s.path)
}

// putOff notes why an attempt failed and when to make the next one; the caller
// holds s.mu.
func (s *Store) putOff(err error) {
	s.down = err
	s.backoff = min(max(2*s.backoff, firstBackoff), lastBackoff)
	if isFault(err) || errors.Is(err, ErrDamaged) {
		s.backoff = faultBackoff
	}
	s.retryAt = time.Now().Add(s.backoff)
}

// retire closes a handle that is no longer used.
func (s *Store) retire(h *handle) {
	if err := h.close(); err != nil {
		s.log.Warn("closing the failed file", "path", s.path, "error", err)
	}
}

// endAttempt lets those go on who wait for it.
func (s *Store) endAttempt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.attempt != nil {
		close(s.attempt)
		s.attempt = nil
	}
}

// reopen returns a new handle after a failure. With an error the handle, if
// any, may be read.
func (s *Store) reopen(cause error) (*handle, error) {
	h, err := openHandle(s.path, s.opts.LockTimeout, false)
	if err == nil {
		if isFault(cause) || errors.Is(cause, ErrDamaged) {
			_, err = h.inspect()
		}
		g := s.loadFrom(h)
		if err == nil {
			err = s.prove(h, nil, g)
		}
		if err == nil {
			return h, nil
		}
		if s.settledAt(h, g) {
			return h, err
		}
		s.retire(h)
		return nil, err
	}
	if errors.Is(err, ErrLocked) || errors.Is(err, ErrDamaged) || isFault(err) {
		return nil, err
	}
	// A file system that became read-only can still be read.
	h, readErr := openHandle(s.path, s.opts.LockTimeout, true)
	if readErr != nil {
		return nil, errors.Join(err, readErr)
	}
	if !s.settledAt(h, s.loadFrom(h)) {
		s.retire(h)
		return nil, err
	}
	return h, err
}

// prove commits nothing but a fixed record, and with it everything that can be
// read, and then opens the handle for reading. Repairs, if any, are part of
// it, and so is the folding of what was pending in the file.
func (s *Store) prove(h *handle, repairs func(*bbolt.Tx) error, g *generation) error {
	id, err := h.update(func(tx *bbolt.Tx) (bool, error) {
		if err := prepareBuckets(tx); err != nil {
			return false, err
		}
		if repairs != nil {
			if err := repairs(tx); err != nil {
				return false, err
			}
		}
		t, err := newTxn(s, loaded(g), tx)
		if err != nil {
			return false, err
		}
		return true, t.foldAll()
	})
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		// Whether this commit took place makes no difference to a reader, if
		// the one before it has no open outcome.
		var unknown *unknownError
		if errors.As(err, &unknown) && repairs == nil && id == s.known+1 {
			s.known = id
		}
		return fmt.Errorf("file takes no writes: %w", err)
	}
	s.install(h, id, newPending(g.number+1))
	return nil
}

// loadFrom returns what is pending in a file that nobody writes to, as far as
// it can be read.
func (s *Store) loadFrom(h *handle) *generation {
	g := newGeneration(0)
	tx, err := h.begin(false)
	if err == nil {
		err = h.read(tx, func(tx *bbolt.Tx) error { return s.load(tx, g) })
	}
	switch {
	case isFault(err):
		s.damage.page(s.log, err)
	case err != nil:
		s.damage.report(s.log, err)
	}
	return g
}

// loaded returns a generation from the file as what is pending.
func loaded(g *generation) *pending {
	p := newPending(g.number + 1)
	p.frozen, p.fold = g, newFolding(g)
	return p
}

// install opens a handle for reading up to a transaction, with what is pending
// in it.
func (s *Store) install(h *handle, id uint64, p *pending) {
	s.pending.mu.Lock()
	defer s.pending.mu.Unlock()
	s.pending.active, s.pending.frozen, s.pending.fold = p.active, p.frozen, p.fold
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settleLocked(h, id)
	s.calls.reset(id)
	s.batches.reset()
}

// settleLocked declares all transactions up to id durable.
func (s *Store) settleLocked(h *handle, id uint64) {
	s.known = max(s.known, id)
	h.durable.Store(id)
}

// settledAt opens a handle for reading whose latest transaction has no open
// outcome, and tells whether it is so.
func (s *Store) settledAt(h *handle, g *generation) bool {
	tx, err := h.begin(false)
	if err != nil {
		return false
	}
	id := uint64(tx.ID())
	h.rollback(tx)
	s.mu.Lock()
	known := s.known
	s.mu.Unlock()
	if id > known {
		return false
	}
	s.install(h, known, loaded(g))
	return true
}
