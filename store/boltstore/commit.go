package boltstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/internal/change"
)

// Changes that arrive while a transaction is running wait in a queue and are
// written together by the next one. It is run by a goroutine that lives as
// long as the queue has something in it, so that no caller has to stay longer
// than its context when the disk is slow.

// The most that one transaction writes: changes, and bytes unless a single
// change has more.
const (
	mostChanges = 2048
	mostBytes   = 4 << 20
)

// request is a change on its way. It shares nothing with the caller.
type request struct {
	call   *entry // nil if no call is written
	id     webconferencing.CallID
	hasID  bool // a call is written or purged
	expect uint64
	record []byte // of call
	exact  bool   // call is what record decodes to
	values []webconferencing.ValueChange
	events *preparedEvents
	trim   time.Time
	size   int

	taken bool // guarded by Store.mu: out of the queue
	done  chan struct{}
	pos   webconferencing.Position // valid once done is closed
	err   error
}

// newRequest checks, encodes and copies a change.
func newRequest(c *webconferencing.Change) (*request, error) {
	if err := change.Check(c); err != nil {
		return nil, err
	}
	r := &request{done: make(chan struct{}), trim: c.TrimBefore}
	var err error
	if c.Call != nil {
		r.id, r.hasID, r.expect = c.Call.ID, true, c.Expect
		if !c.Purge {
			if r.call, r.record, r.exact, err = newEntry(c); err != nil {
				return nil, err
			}
		}
	}
	r.size = len(r.record)
	r.values = slices.Clone(c.Values)
	for i := range r.values {
		v := &r.values[i]
		v.Data = slices.Clone(v.Data)
		v.Expires = change.Time(v.Expires)
		r.size += len(v.Data)
	}
	if len(c.Events) > 0 {
		if r.events, err = prepareEvents(c.Events); err != nil {
			return nil, err
		}
		r.size += len(r.events.record)
	}
	return r, nil
}

// finish gives the request its answer; it is called once.
func (r *request) finish(pos webconferencing.Position, err error) {
	r.pos, r.err = pos, err
	close(r.done)
}

// Commit implements [webconferencing.Store]. While the disk takes no writes it
// returns an error of code [webconferencing.CodeUnavailable], and nothing was
// written.
func (s *Store) Commit(ctx context.Context, c *webconferencing.Change) (webconferencing.Position, error) {
	r, err := newRequest(c)
	if err != nil {
		return 0, fmt.Errorf("boltstore: %w", err)
	}
	if err := s.enqueue(ctx, r); err != nil {
		return 0, err
	}
	select {
	case <-r.done:
		return r.pos, r.err
	case <-ctx.Done():
	}
	if s.withdraw(r) {
		return 0, cancelled(ctx)
	}
	select {
	case <-r.done:
		return r.pos, r.err
	default:
		return 0, fmt.Errorf("boltstore: %w: %w", webconferencing.ErrOutcomeUnknown, ctx.Err())
	}
}

func (s *Store) enqueue(ctx context.Context, r *request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed()
	}
	if ctx.Err() != nil {
		return cancelled(ctx)
	}
	s.queue = append(s.queue, r)
	if s.enough != nil && len(s.queue) >= s.wanted {
		close(s.enough)
		s.enough = nil
	}
	if !s.working {
		s.working = true
		s.workers.Go(s.work)
	}
	return nil
}

// withdraw takes a request out of the queue and tells whether it was there.
func (s *Store) withdraw(r *request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.taken {
		return false
	}
	i := slices.Index(s.queue, r)
	if i < 0 {
		return false
	}
	s.queue = slices.Delete(s.queue, i, i+1)
	return true
}

// work writes until the queue is empty.
func (s *Store) work() {
	for {
		batch := s.take()
		if batch == nil {
			return
		}
		start := time.Now()
		s.write(batch)
		s.gather(len(batch), min(time.Since(start)/4, longestGather))
	}
}

// longestGather bounds the time for which a transaction waits for company.
const longestGather = 2 * time.Millisecond

// gather waits until those who were answered just now are back with their next
// change, but not long. Without it they would miss the next transaction, which
// begins at once for those who came during the last, and each of two groups
// would wait for the other one's disk writes as well as for its own.
func (s *Store) gather(answered int, longest time.Duration) {
	if answered < 2 {
		return
	}
	s.mu.Lock()
	s.enough, s.wanted = make(chan struct{}), answered+len(s.queue)
	enough := s.enough
	s.mu.Unlock()
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case <-enough:
	case <-timer.C:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.enough = nil
}

// take returns the requests of the next transaction, nil if there are none.
func (s *Store) take() []*request {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := 0
	n := 0
	for n < len(s.queue) && n < mostChanges {
		size += s.queue[n].size
		if n > 0 && size > mostBytes {
			break
		}
		s.queue[n].taken = true
		n++
	}
	batch := slices.Clone(s.queue[:n])
	s.queue = slices.Delete(s.queue, 0, n)
	if n == 0 {
		s.queue, s.working = nil, false
		return nil
	}
	return batch
}

// write runs one transaction for the requests and answers them.
func (s *Store) write(batch []*request) {
	h, err := s.writable()
	if err != nil {
		for _, r := range batch {
			r.finish(0, err)
		}
		return
	}
	settled := s.beginFlight()
	var t *txn
	id, err := h.update(func(tx *bbolt.Tx) (bool, error) {
		var err error
		if t, err = newTxn(s, s.pending, tx); err != nil {
			return false, err
		}
		return t.run(batch)
	})
	var unknown *unknownError
	switch {
	case err == nil:
		s.succeed(h, t, id)
		s.endFlight(settled)
		s.writing.Unlock()
		for i, r := range batch {
			r.finish(t.answers[i].pos, t.answers[i].err)
		}
	case errors.As(err, &unknown):
		s.stats.failures.Add(1)
		recovered := s.fail(h, err)
		s.endFlight(settled)
		s.writing.Unlock()
		<-recovered
		for _, r := range batch {
			r.finish(0, fmt.Errorf("boltstore: %w: %w", webconferencing.ErrOutcomeUnknown, err))
		}
	default:
		s.endFlight(settled)
		s.writing.Unlock()
		s.refuse(h, batch, err)
	}
}

// succeed makes a transaction's changes visible.
func (s *Store) succeed(h *handle, t *txn, id uint64) {
	if !t.dirty {
		s.count(t)
		return
	}
	t.publish(h, id)
	s.stats.transactions.Add(1)
	s.count(t)
}

func (s *Store) count(t *txn) {
	for _, a := range t.answers {
		switch {
		case a.err == nil:
			s.stats.commits.Add(1)
		case errors.Is(a.err, webconferencing.ErrConflict):
			s.stats.conflicts.Add(1)
		}
	}
}

// refuse answers requests of a transaction that failed before anything was
// written. If it was the fault of one of them the others must not suffer, so
// each is tried alone.
func (s *Store) refuse(h *handle, batch []*request, err error) {
	switch {
	case errors.Is(err, errMisplaced):
		s.degrade(h, err)
	case h.stuck.Load(), errors.Is(err, bolterrors.ErrInvalidMapping):
		<-s.fail(h, err)
	case errors.Is(err, errRetired):
	case len(batch) > 1:
		for _, r := range batch {
			s.write([]*request{r})
		}
		return
	}
	if isFault(err) {
		err = s.damage.page(s.log, err)
	}
	for _, r := range batch {
		r.finish(0, unavailable(err))
	}
}

// beginFlight notes that a commit is running.
func (s *Store) beginFlight() chan struct{} {
	settled := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flight = settled
	return settled
}

// endFlight lets those readers go on who wait for the commit's outcome.
func (s *Store) endFlight(settled chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flight = nil
	close(settled)
}
