package webconferencing

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// A user has seen his history up to a time; missed calls that ended later are
// what the counter shows.

func seenKey(user UserID) string { return "seen/" + string(user) }

// missedAfter tells whether the call was missed and ended after a time.
func (e *HistoryEntry) missedAfter(seen int64) bool {
	return e.Outcome == OutcomeMissed && e.Ended.UnixMilli() > seen
}

// seenUntil returns up to when the user has seen the history, in milliseconds,
// and the revision of the value that says so.
func (s *Service) seenUntil(ctx context.Context, user UserID) (int64, uint64, error) {
	v, err := s.store.Value(ctx, seenKey(user))
	if errors.Is(err, ErrNotFound) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	seen, err := strconv.ParseInt(string(v.Data), 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("decode seen: %w", err)
	}
	return seen, v.Revision, nil
}

// MissedCalls counts the calls that the acting user missed and has not seen
// in the history, up to 99.
func (s *Service) MissedCalls(ctx context.Context, by Actor) (int, error) {
	const op = "count missed calls"
	if err := validActor(by, false); err != nil {
		return 0, s.wrap(ctx, by, op, err)
	}
	seen, _, err := s.seenUntil(ctx, by.User)
	if err != nil {
		return 0, s.wrap(ctx, by, op, err)
	}
	prefix := historyPrefix + string(by.User) + "/"
	n := 0
	for v, err := range s.store.Values(ctx, ValueQuery{Prefix: prefix}) {
		if err != nil {
			return 0, s.wrap(ctx, by, op, err)
		}
		e, err := historyEntry(v, prefix)
		if err != nil {
			return 0, s.wrap(ctx, by, op, err)
		}
		if n == maxMissed || e.Started.Add(s.opts.MaxCallAge).UnixMilli() <= seen {
			break // no run that began before can have ended after
		}
		if e.missedAfter(seen) {
			n++
		}
	}
	return n, nil
}

// MarkSeen says that the acting user has seen the history up to now. His
// devices are told by an [EventHistory].
func (s *Service) MarkSeen(ctx context.Context, by Actor) error {
	const op = "mark history as seen"
	if err := validActor(by, false); err != nil {
		return s.wrap(ctx, by, op, err)
	}
	return s.wrap(ctx, by, op, s.markSeen(ctx, by, op, "", s.now()))
}

// MarkSeenUpTo is MarkSeen for the entry with this cursor and the older ones:
// what was missed since the list was read stays unseen. The error has
// [CodeNotFound] if there is no such entry any more.
func (s *Service) MarkSeenUpTo(ctx context.Context, by Actor, cursor string) error {
	const op = "mark history as seen"
	if err := validActor(by, false); err != nil {
		return s.wrap(ctx, by, op, err)
	}
	until, err := s.endedUpTo(ctx, by.User, cursor)
	if err != nil {
		return s.wrap(ctx, by, op, err)
	}
	return s.wrap(ctx, by, op, s.markSeen(ctx, by, op, cursor, until))
}

// endedUpTo is when the last of an entry and the older ones ended. The list is
// in the order of the starts, so a long call may have ended after a later one.
func (s *Service) endedUpTo(ctx context.Context, user UserID, cursor string) (time.Time, error) {
	prefix := historyPrefix + string(user) + "/"
	v, err := s.store.Value(ctx, prefix+cursor)
	if errors.Is(err, ErrNotFound) {
		return time.Time{}, &Error{Code: CodeNotFound, Field: "cursor", Message: "no such entry of the history", Err: err}
	}
	if err != nil {
		return time.Time{}, err
	}
	first, err := historyEntry(v, prefix)
	if err != nil {
		return time.Time{}, err
	}
	until := first.Ended
	for v, err := range s.store.Values(ctx, ValueQuery{Prefix: prefix, After: v.Key}) {
		if err != nil {
			return time.Time{}, err
		}
		e, err := historyEntry(v, prefix)
		if err != nil {
			return time.Time{}, err
		}
		if e.Started.Add(s.opts.MaxCallAge).Before(until) {
			break
		}
		if e.Ended.After(until) {
			until = e.Ended
		}
	}
	return until, nil
}

// markSeen moves the mark, never back.
func (s *Service) markSeen(ctx context.Context, by Actor, op, cursor string, until time.Time) error {
	once, err := newOnce(by, op, "", cursor)
	if err != nil {
		return err
	}
	for attempt := 0; pauseBefore(ctx, attempt) && attempt < maxAccessAttempts; attempt++ {
		if done, err := s.carriedOut(ctx, once, nil); done || err != nil {
			return err
		}
		seen, revision, err := s.seenUntil(ctx, by.User)
		if err != nil {
			return err
		}
		change := &Change{Events: []Event{s.historyEvent(by.User, by)}, Values: []ValueChange{{
			Key: seenKey(by.User), Expect: revision, Data: strconv.AppendInt(nil, max(seen, until.UnixMilli()), 10),
		}}}
		if once != nil {
			change.Values = append(change.Values, once.change(s.now()))
		}
		pos, err := s.store.Commit(ctx, change)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err == nil {
			s.hub.announce(pos)
		}
		return err
	}
	return tooManyChanges()
}

// historyEvent tells a user's devices that his history has to be read anew.
func (s *Service) historyEvent(user UserID, by Actor) Event {
	return Event{
		Type: EventHistory, Topics: []Topic{UserTopic(user)}, Part: user, Client: by.Client,
		Actor: by.User, Cause: CauseCommand, Node: s.node, Time: s.now(), Ref: cleanRef(by.Ref),
	}
}
