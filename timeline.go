package webconferencing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// The timeline of a call is what an administrator reads to learn why the call
// is as it is: every transition with who brought it about, why, where and
// when. It is made of the journal's events. Before the journal drops them they
// are moved to values, many of one call at once, where they stay for as long as
// the history does; a cursor says how far that has got.

const (
	timelinePrefix = "timeline/"
	timelineMax    = 10000 // transitions of one answer
	timelineCursor = "timeline-archived"
	timelineRetry  = 5    // reads of what is being moved meanwhile
	archivePage    = 2000 // events read and moved in one commit
	archivePages   = 8    // moved in one tick of the housekeeping
	archiveValue   = 500  // events in one value
)

// timelineKey puts the transitions of a call in the order of their versions.
// The length stands before the id, so that no id is a prefix of another's keys.
func timelineKey(id CallID) string {
	return fmt.Sprintf("%s%03d/%s/", timelinePrefix, len(id), id)
}

// timelineValue keeps some events of a call, oldest first.
func timelineValue(events []*Event, keep time.Duration) (ValueChange, error) {
	first, last := events[0], events[len(events)-1]
	data, err := json.Marshal(events)
	if err != nil {
		return ValueChange{}, fmt.Errorf("encode timeline: %w", err)
	}
	return ValueChange{
		Key:    fmt.Sprintf("%s%016x/%016x/%016x", timelineKey(first.CallID), first.Epoch, first.Version, first.Position),
		Expect: AnyRevision, Data: data, Expires: last.Time.Add(keep),
	}, nil
}

// timelineValues keeps the events that belong to the timeline of a call.
func timelineValues(events []Event, keep time.Duration) ([]ValueChange, error) {
	byCall := make(map[CallID][]*Event)
	var order []CallID
	for i := range events {
		e := &events[i]
		if e.CallID == "" || !slices.Contains(e.Topics, CallTopic(e.CallID)) {
			continue
		}
		if byCall[e.CallID] == nil {
			order = append(order, e.CallID)
		}
		byCall[e.CallID] = append(byCall[e.CallID], e)
	}
	var values []ValueChange
	for _, id := range order {
		for part := range slices.Chunk(byCall[id], archiveValue) {
			v, err := timelineValue(part, keep)
			if err != nil {
				return nil, err
			}
			values = append(values, v)
		}
	}
	return values, nil
}

// archived returns the position up to which the journal was moved, and the
// revision of that record.
func (s *Service) archived(ctx context.Context) (Position, uint64, error) {
	v, err := s.store.Value(ctx, timelineCursor)
	if errors.Is(err, ErrNotFound) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	n, err := strconv.ParseUint(string(v.Data), 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("position of timelines: %w", err)
	}
	return Position(n), v.Revision, nil
}

// archive moves journal events from before a time to the timelines, some pages
// of them, and reports whether it knows that all are moved. If another node
// does the same it leaves it to that one.
func (s *Service) archive(ctx context.Context, until time.Time, pages int) (done bool, err error) {
	for range pages {
		after, revision, err := s.archived(ctx)
		if err != nil {
			return false, err
		}
		events, err := s.store.Events(ctx, AllTopics, after, archivePage)
		if errors.Is(err, ErrPositionGone) {
			after, events, err = s.archiveLost(ctx, after)
		}
		if err != nil {
			return false, err
		}
		old := slices.IndexFunc(events, func(e Event) bool { return !e.Time.Before(until) })
		if old < 0 {
			old = len(events)
		}
		if old > 0 {
			after = events[old-1].Position
		}
		values, err := timelineValues(events[:old], s.opts.HistoryRetention)
		if err != nil {
			return false, err
		}
		if old > 0 || revision == 0 {
			values = append(values, ValueChange{
				Key: timelineCursor, Expect: revision, Data: strconv.AppendUint(nil, uint64(after), 10),
			})
			if _, err := s.store.Commit(ctx, &Change{Values: values}); errors.Is(err, ErrConflict) {
				return false, nil
			} else if err != nil {
				return false, err
			}
		}
		if old < archivePage {
			return true, nil
		}
	}
	return false, nil
}

// archiveLost finds out where the journal goes on behind a position whose
// events are no longer there: it was trimmed by a version that kept timelines
// in another way, or is damaged.
func (s *Service) archiveLost(ctx context.Context, after Position) (Position, []Event, error) {
	end, err := s.store.Commit(ctx, &Change{})
	if err != nil {
		return after, nil, err
	}
	for step := Position(1); after != 0 && after+step < end; step *= 2 {
		events, err := s.store.Events(ctx, AllTopics, after+step, archivePage)
		if !errors.Is(err, ErrPositionGone) {
			s.logger.WarnContext(ctx, "events are missing from timelines", "after", after, "until", after+step)
			return after + step, events, err
		}
	}
	return end, nil, nil
}

// Timeline returns the transitions of a call and of earlier calls with its id,
// oldest first and the latest 10,000 at most, for administrators. It also
// answers for calls that were removed.
func (s *Service) Timeline(ctx context.Context, by Actor, id CallID) ([]Event, error) {
	const op = "get timeline"
	if !by.Admin {
		return nil, s.wrap(ctx, by, op, denied("only administrators may do this"))
	}
	if err := checkCallID(id); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	list, err := s.timeline(ctx, id)
	return list, s.wrap(ctx, by, op, err)
}

// timeline reads what was moved and then what is still in the journal, again
// if something was moved meanwhile.
func (s *Service) timeline(ctx context.Context, id CallID) (list []Event, err error) {
	for range timelineRetry {
		after, revision, err := s.archived(ctx)
		if err != nil {
			return nil, err
		}
		if list, err = s.oldTimeline(ctx, id); err != nil {
			return nil, err
		}
		for {
			events, err := s.store.Events(ctx, CallTopic(id), after, archivePage)
			if err != nil && !errors.Is(err, ErrPositionGone) {
				return nil, err
			}
			if len(events) == 0 {
				break
			}
			list = lastOf(append(list, events...), timelineMax)
			after = events[len(events)-1].Position
		}
		if _, now, err := s.archived(ctx); err != nil || now == revision {
			return list, err
		}
	}
	return list, nil
}

func (s *Service) oldTimeline(ctx context.Context, id CallID) ([]Event, error) {
	var list []Event
	for v, err := range s.store.Values(ctx, ValueQuery{Prefix: timelineKey(id)}) {
		if err != nil {
			return nil, err
		}
		var events []Event
		if err := json.Unmarshal(v.Data, &events); err != nil {
			return nil, fmt.Errorf("decode timeline: %w", err)
		}
		list = lastOf(append(list, events...), timelineMax)
	}
	return list, nil
}

// lastOf returns the last n events.
func lastOf(list []Event, n int) []Event {
	if extra := len(list) - n; extra > 0 {
		list = append(list[:0], list[extra:]...)
	}
	return list
}
