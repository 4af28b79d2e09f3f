package webconferencing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	meetingSweep    = 10 * time.Second
	meetingRetry    = 5 * time.Second
	meetingMaxRetry = 5 * time.Minute
	providerWorkers = 8 // calls of one provider worked on at once
)

// meetingFollower tells a provider of changed and ended runs. What it has to do
// is in the store: the journal only tells it where to look at once, and the
// sweep finds what a crash or an error left.
type meetingFollower struct {
	service *Service
	entry   *entry
	failed  map[string]meetingFailure // by key of the open record
}

// meetingFailure is when a run is tried again.
type meetingFailure struct {
	times int
	next  time.Time
}

func newMeetingFollower(s *Service, e *entry) *meetingFollower {
	return &meetingFollower{service: s, entry: e, failed: make(map[string]meetingFailure)}
}

func (f *meetingFollower) run(ctx context.Context) error {
	s := f.service
	pos, err := s.store.Commit(ctx, &Change{})
	if err != nil {
		return err
	}
	moved := make(chan struct{}, 1)
	defer s.hub.watch(moved)()
	poll := time.NewTicker(s.opts.PollInterval)
	defer poll.Stop()
	var swept time.Time
	for {
		if now := time.Now(); swept.IsZero() || now.Sub(swept) >= meetingSweep {
			swept = now
			if err := f.settle(ctx, ""); err != nil {
				return err
			}
		}
		var calls []CallID
		if calls, pos, err = f.touched(ctx, pos); err != nil {
			return err
		}
		for _, id := range calls {
			if err := f.settle(ctx, fmt.Sprintf("%03d/%s/", len(id), id)); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-moved:
		case <-poll.C:
		}
	}
}

// touched returns the calls of the provider that changed after a position, and
// the position up to which that holds.
func (f *meetingFollower) touched(ctx context.Context, pos Position) ([]CallID, Position, error) {
	s := f.service
	calls := make(map[CallID]bool)
	for {
		events, err := s.store.Events(ctx, AllTopics, pos, eventPage)
		if errors.Is(err, ErrPositionGone) {
			// The next sweep finds what was missed.
			end, err := s.store.Commit(ctx, &Change{})
			return nil, end, err
		}
		if err != nil {
			return nil, pos, err
		}
		for _, e := range events {
			pos = e.Position
			if (e.Type == EventState || e.Type == EventUpdated) && f.entry.supports(e.Provider) {
				calls[e.CallID] = true
			}
		}
		if len(events) < eventPage {
			return slices.Sorted(maps.Keys(calls)), pos, nil
		}
	}
}

// settle does what is to be done about the open runs whose keys continue the
// provider's prefix with rest. An error of the provider is for the next sweep.
func (f *meetingFollower) settle(ctx context.Context, rest string) error {
	s := f.service
	type task struct {
		key      string
		revision uint64
		record   openRecord
		err      error
	}
	var tasks []*task
	for v, err := range s.store.Values(ctx, ValueQuery{Prefix: openPrefix(f.entry.info.Type) + rest}) {
		if err != nil {
			return err
		}
		if wait, failed := f.failed[v.Key]; failed && rest == "" && time.Now().Before(wait.next) {
			continue
		}
		t := &task{key: v.Key, revision: v.Revision}
		if err := json.Unmarshal(v.Data, &t.record); err != nil {
			return fmt.Errorf("decode open meeting: %w", err)
		}
		tasks = append(tasks, t)
	}
	var g errgroup.Group
	g.SetLimit(providerWorkers)
	for _, t := range tasks {
		g.Go(func() error {
			t.err = f.settleRun(ctx, t.key, t.revision, t.record)
			return nil
		})
	}
	_ = g.Wait()
	for _, t := range tasks {
		if t.err == nil || ctx.Err() != nil {
			delete(f.failed, t.key)
			continue
		}
		times := f.failed[t.key].times + 1
		f.failed[t.key] = meetingFailure{times, time.Now().Add(backoff(times, meetingRetry, meetingMaxRetry))}
		s.logger.WarnContext(ctx, "provider could not follow a call", "provider", f.entry.info.Type,
			"call", t.record.Call, "epoch", t.record.Epoch, "failures", times, "error", t.err)
	}
	return nil
}

// settleRun tells the provider of one run's change or end.
func (f *meetingFollower) settleRun(ctx context.Context, key string, revision uint64, rec openRecord) error {
	s := f.service
	c, err := s.store.Call(ctx, rec.Call)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	m, kept, err := s.registry.storedMeeting(ctx, f.entry, rec.Call, rec.Epoch)
	if err != nil {
		return err
	}
	if c == nil {
		c = &Call{ID: rec.Call, Provider: rec.Provider}
	}
	req := MeetingRequest{Call: c.Clone(), Meeting: m}
	if c.State == StateStarted && c.Epoch == rec.Epoch && f.entry.supports(c.Provider) {
		return f.update(ctx, req, key, rec, revision, kept)
	}
	if f.entry.ender != nil {
		// The record may be that of a later run by now.
		req.Call.Epoch, req.Call.Provider, req.Call.State = rec.Epoch, rec.Provider, StateStopped
		err := tell(ctx, s.registry, f.entry, func(ctx context.Context) error { return f.entry.ender.EndMeeting(ctx, req) })
		if err != nil {
			return err
		}
	}
	_, err = s.store.Commit(ctx, &Change{Values: []ValueChange{{Key: key, Expect: AnyRevision}}})
	return err
}

// update tells the provider of a changed title, schedule or people.
func (f *meetingFollower) update(ctx context.Context, req MeetingRequest, key string, rec openRecord, revision, kept uint64) error {
	s, print := f.service, told(req.Call)
	if f.entry.updater == nil || rec.Told == print {
		return nil
	}
	m, err := ask(ctx, s.registry, f.entry, func(ctx context.Context) (Meeting, error) { return f.entry.updater.UpdateMeeting(ctx, req) })
	if err != nil {
		return err
	}
	rec.Told = print
	open, err := s.registry.openChange(f.entry, rec, revision)
	if err != nil {
		return err
	}
	keep, err := s.registry.keepMeeting(f.entry, rec.Call, rec.Epoch, kept, m)
	if err != nil {
		return err
	}
	_, err = s.store.Commit(ctx, &Change{Values: []ValueChange{keep, open}})
	if errors.Is(err, ErrConflict) {
		return nil // changed again; the next look tells the provider anew
	}
	return err
}
