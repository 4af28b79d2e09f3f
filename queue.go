package webconferencing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// Commands on one call pass one after the other. What waits for the same call
// is decided together and committed once, by whichever caller happens to be
// first; no goroutine of our own is involved. Commands on different calls meet
// again in the store, which may share one disk write among them.

// commitTimeout bounds one batch, whoever waits for it.
const commitTimeout = 15 * time.Second

// A batch that lost against another node's is decided anew, a few times at
// once and then after random pauses of at most maxPause, until commitTimeout
// is over: a number of attempts would let the faster node starve the other.
const (
	quickAttempts = 3
	maxPause      = 64 * time.Millisecond
)

// maxAccessAttempts is how often a command is begun anew because who may do it,
// or the group's call, changed meanwhile.
const maxAccessAttempts = 20

// errClaimed is returned to a create command when the group got another call
// meanwhile.
var errClaimed = errors.New("the group has another call")

// request is one command on its way through the queue.
type request struct {
	cmd  command
	once *once         // nil without an idempotency key
	lead chan struct{} // closed when this request's caller has to run the next batch
	done chan struct{} // closed when call and err are set
	call *Call
	err  error
}

// callQueue holds the requests that wait for one call.
type callQueue struct {
	waiting []*request
}

// queues are the queues of the calls that are being changed now.
type queues struct {
	mu     sync.Mutex
	byCall map[CallID]*callQueue
}

// enter adds a request and reports whether its caller has to run the batch.
func (q *queues) enter(id CallID, r *request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	cq := q.byCall[id]
	if cq == nil {
		q.byCall[id] = &callQueue{waiting: []*request{r}}
		return true
	}
	cq.waiting = append(cq.waiting, r)
	return false
}

// take removes what waits, for the batch about to run.
func (q *queues) take(id CallID) []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	cq := q.byCall[id]
	batch := cq.waiting
	cq.waiting = nil
	return batch
}

// pass hands the queue to the next waiting caller, or closes it.
func (q *queues) pass(id CallID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	cq := q.byCall[id]
	if len(cq.waiting) == 0 {
		delete(q.byCall, id)
		return
	}
	close(cq.waiting[0].lead)
}

// submit runs a command on a call and returns the call as the command left it.
// Once a command is queued its outcome is waited for, however impatient ctx
// is: a batch takes milliseconds and is bounded, and who does not wait would
// have to be told "unknown".
func (s *Service) submit(ctx context.Context, id CallID, cmd command) (*Call, error) {
	return s.submitOnce(ctx, id, cmd, nil)
}

// submitOnce is submit for a command that may be sent again.
func (s *Service) submitOnce(ctx context.Context, id CallID, cmd command, once *once) (*Call, error) {
	for attempt := 0; ; attempt++ {
		c, err := s.enqueue(ctx, id, cmd, once)
		if !errors.Is(err, errClaimed) || claims(cmd) {
			return c, err
		}
		// Another command of the batch wanted a group that has a call. It is
		// answered; this one has to do with it no longer.
		if attempt == maxAccessAttempts || !pauseBefore(ctx, attempt) {
			return nil, tooManyChanges()
		}
	}
}

// claims tells whether a command can make a call the one of a group.
func claims(cmd command) bool {
	switch c := cmd.(type) {
	case *createCommand:
		return true
	case *updateCommand:
		return c.owner != nil
	}
	return false
}

// enqueue lets a command take its turn.
func (s *Service) enqueue(ctx context.Context, id CallID, cmd command, once *once) (*Call, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := &request{cmd: cmd, once: once, lead: make(chan struct{}), done: make(chan struct{})}
	if s.queues.enter(id, r) {
		s.runBatch(ctx, id)
		return r.call, r.err
	}
	select {
	case <-r.lead:
		s.runBatch(ctx, id)
	case <-r.done:
	}
	return r.call, r.err
}

// runBatch decides and commits what waits for a call.
func (s *Service) runBatch(ctx context.Context, id CallID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	batch := s.queues.take(id)
	defer s.queues.pass(id)
	defer func() {
		if v := recover(); v != nil {
			s.logPanic(ctx, "command on call "+string(id), v)
			for _, r := range batch {
				r.call, r.err = nil, &Error{Code: CodeInternal, Message: "internal error"}
			}
		}
		for _, r := range batch {
			close(r.done)
		}
	}()
	if err := s.decideAndCommit(ctx, id, batch); err != nil {
		for _, r := range batch {
			r.call, r.err = nil, err
		}
	}
}

// decideAndCommit applies the batch to the stored call until a commit holds.
// A returned error is the answer to every request of the batch.
func (s *Service) decideAndCommit(ctx context.Context, id CallID, batch []*request) error {
	s.leases.begin(id)
	defer s.leases.end(id)
	for attempt := 0; pauseBefore(ctx, attempt); attempt++ {
		stored, err := s.store.Call(ctx, id)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		t, err := s.decide(ctx, stored, batch)
		if err != nil {
			return err
		}
		if !t.anyChange(stored) {
			err := s.rememberKeys(ctx, t)
			if errors.Is(err, ErrConflict) || errors.Is(err, ErrOutcomeUnknown) {
				continue // the keys tell which commands were carried out
			}
			s.followLeases(ctx, id, stored)
			return err
		}
		err = s.commit(ctx, stored, t)
		if errors.Is(err, ErrOutcomeUnknown) {
			err = s.resolve(ctx, stored, t)
		}
		switch {
		case err == nil:
			s.followLeases(ctx, id, t.call)
			s.inspect(ctx, stored, t)
			return nil
		case errors.Is(err, ErrConflict):
			continue
		}
		return err
	}
	return tooManyChanges()
}

// followLeases brings the leases of a call in line with its record. If another
// node went further meanwhile, it takes that node's record: what its events made
// void before must not come back.
func (s *Service) followLeases(ctx context.Context, id CallID, c *Call) {
	for attempt := 0; ; attempt++ {
		s.leases.follow(id, c, s.node, s.now())
		if !s.leases.overtaken(c) || attempt == maxAccessAttempts || !pauseBefore(ctx, attempt) {
			return
		}
		fresh, err := s.store.Call(ctx, id)
		if err != nil && !errors.Is(err, ErrNotFound) {
			// The leases of seats that are gone end when nobody renews them.
			s.logger.WarnContext(ctx, "leases may be behind", "call", string(id), "error", err)
			return
		}
		c = fresh
	}
}

func tooManyChanges() error {
	return &Error{Code: CodeUnavailable, Message: "too many changes at once, please try again", Err: ErrConflict}
}

// pauseBefore waits before an attempt and reports whether ctx allows it.
func pauseBefore(ctx context.Context, attempt int) bool {
	if attempt < quickAttempts {
		return ctx.Err() == nil
	}
	longest := min(time.Millisecond<<min(attempt-quickAttempts, 10), maxPause)
	pause := time.NewTimer(rand.N(longest))
	defer pause.Stop()
	select {
	case <-pause.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// decide applies each request's command in turn to a copy of the stored call.
// A command that was carried out before is answered, not applied.
func (s *Service) decide(ctx context.Context, stored *Call, batch []*request) (*transition, error) {
	t := &transition{now: s.now(), node: s.node, limits: s.limits}
	if stored != nil {
		t.call = stored.Clone()
	}
	for _, r := range batch {
		r.call = nil
		done, err := s.carriedOut(ctx, r.once, t.values)
		if err != nil && CodeOf(err) != CodeInvalid {
			return nil, err
		}
		r.err = err
		if !done && err == nil {
			r.err = t.run(r.cmd)
			if r.err == nil && r.once != nil {
				t.values = append(t.values, r.once.change(t.now))
			}
		}
		if r.err == nil && t.call != nil {
			r.call = t.call.Clone()
		}
	}
	return t, nil
}

// rememberKeys writes the keys of commands that changed nothing: sent again
// later, when they would change something, they must not.
func (s *Service) rememberKeys(ctx context.Context, t *transition) error {
	if len(t.values) == 0 {
		return nil
	}
	_, err := s.store.Commit(ctx, &Change{Values: t.values})
	return err
}

func (t *transition) anyChange(stored *Call) bool {
	if t.call == nil {
		return false
	}
	return stored == nil || t.call.Version != stored.Version
}

// commit writes the decided call, its index keys, deadline and events, and the
// group's claim on it, at once.
func (s *Service) commit(ctx context.Context, stored *Call, t *transition) error {
	change := &Change{Call: t.call, Events: t.events, Purge: t.purge}
	if stored != nil {
		change.Expect = stored.Version
	}
	if !t.purge {
		change.Keys = t.call.keys()
		change.Deadline = t.call.deadline(t.limits)
	}
	claims, err := s.claimChanges(ctx, stored, t.call)
	if err != nil {
		return err
	}
	change.Values = append(claims, t.values...)
	pos, err := s.store.Commit(ctx, change)
	if err != nil {
		return err
	}
	s.hub.announce(pos)
	return nil
}

// resolve finds out whether a commit of unknown outcome took place.
func (s *Service) resolve(ctx context.Context, stored *Call, t *transition) error {
	now, err := s.store.Call(ctx, t.call.ID)
	switch {
	case errors.Is(err, ErrNotFound):
		if t.purge {
			return nil
		}
		if stored == nil {
			return ErrConflict // not done; decide anew
		}
		return ErrOutcomeUnknown
	case err != nil:
		return errors.Join(ErrOutcomeUnknown, err)
	case stored != nil && now.Version == stored.Version:
		return ErrConflict
	case !t.purge && sameRecord(now, t.call):
		s.hub.announce(0)
		return nil
	}
	return ErrOutcomeUnknown
}

// sameRecord compares what two records look like in a store.
func sameRecord(a, b *Call) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// claimKey is the value under which a group's only call is found; "" for
// calls that don't have to be the only one.
func claimKey(c *Call) string {
	if c == nil || !c.Removed.IsZero() || !c.IsGroup() || c.Owner.Type == OwnerSpaceEvent {
		return ""
	}
	return groupClaim(c.Owner)
}

func groupClaim(r Ref) string { return "owner/" + string(r.Type) + "/" + r.ID }

// claimChanges moves the group's claim along with the call, by compare and
// set, so that two nodes can't give one group two calls.
func (s *Service) claimChanges(ctx context.Context, before, after *Call) ([]ValueChange, error) {
	from, to := claimKey(before), claimKey(after)
	if from == to {
		return nil, nil
	}
	var changes []ValueChange
	if to != "" {
		v, err := s.store.Value(ctx, to)
		switch {
		case errors.Is(err, ErrNotFound):
			changes = append(changes, ValueChange{Key: to, Data: []byte(after.ID)})
		case err != nil:
			return nil, err
		case string(v.Data) != string(after.ID):
			return nil, errClaimed
		}
	}
	if from != "" {
		v, err := s.store.Value(ctx, from)
		switch {
		case errors.Is(err, ErrNotFound):
		case err != nil:
			return nil, err
		case string(v.Data) == string(after.ID):
			changes = append(changes, ValueChange{Key: from, Expect: v.Revision})
		}
	}
	return changes, nil
}
