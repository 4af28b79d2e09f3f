package webconferencing

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// The timeline of a call is what an administrator reads to learn why the call
// is as it is: every transition with who brought it about, why, where and
// when. It holds the same events as the journal, for longer.

const (
	timelinePrefix = "timeline/"
	timelineMax    = 10000 // transitions of one answer
)

// timelineKey puts the transitions of a call in the order of their versions.
// The length stands before the id, so that no id is a prefix of another's keys.
func timelineKey(id CallID) string {
	return fmt.Sprintf("%s%03d/%s/", timelinePrefix, len(id), id)
}

// timelineValue keeps the events of one commit.
func timelineValue(events []Event, keep time.Duration) (ValueChange, error) {
	last := events[len(events)-1]
	data, err := json.Marshal(events)
	if err != nil {
		return ValueChange{}, fmt.Errorf("encode timeline: %w", err)
	}
	return ValueChange{
		Key:    fmt.Sprintf("%s%016x/%016x", timelineKey(last.CallID), last.Epoch, last.Version),
		Expect: AnyRevision, Data: data, Expires: last.Time.Add(keep),
	}, nil
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
	var list []Event
	for v, err := range s.store.Values(ctx, ValueQuery{Prefix: timelineKey(id)}) {
		if err != nil {
			return nil, s.wrap(ctx, by, op, err)
		}
		var events []Event
		if err := json.Unmarshal(v.Data, &events); err != nil {
			return nil, s.wrap(ctx, by, op, fmt.Errorf("decode timeline: %w", err))
		}
		list = append(list, events...)
		if extra := len(list) - timelineMax; extra > 0 {
			list = append(list[:0], list[extra:]...)
		}
	}
	return list, nil
}
