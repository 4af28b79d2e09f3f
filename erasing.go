package webconferencing

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// EraseUser removes a person from what is kept, for administrators: from calls
// that exist, which the person leaves at once, from the person's own history
// and the histories of others, from the timelines of calls. The journal, and
// with it the listeners' way back, holds the person's id for another
// [Options].HistoryWindow. What providers keep themselves, and the host's
// directory, are the host's to erase. It may be repeated after an error.
func (s *Service) EraseUser(ctx context.Context, by Actor, user UserID) error {
	const op = "erase user"
	if !by.Admin {
		return s.wrap(ctx, by, op, denied("only administrators may do this"))
	}
	if err := checkUserID("user", user); err != nil {
		return s.wrap(ctx, by, op, err)
	}
	return s.wrap(ctx, by, op, s.erase(ctx, by, user))
}

func (s *Service) erase(ctx context.Context, by Actor, user UserID) error {
	// Calls first: leaving them writes history and timelines.
	for c, err := range s.store.Calls(ctx, CallQuery{}) {
		if err != nil {
			return err
		}
		if !c.names(user) {
			continue
		}
		if _, err := s.submit(ctx, c.ID, &eraseCommand{by: by, user: user}); err != nil {
			return err
		}
	}
	// What is still in the journal must not come to the timelines afterwards.
	for done := false; !done; {
		var err error
		if done, err = s.archive(ctx, s.now().Add(time.Hour), archivePages); err != nil {
			return err
		}
	}
	scrubs := map[string]func(*Value) ([]byte, bool, error){
		historyPrefix:  func(v *Value) ([]byte, bool, error) { return scrubHistory(v, user) },
		timelinePrefix: func(v *Value) ([]byte, bool, error) { return scrubTimeline(v, user) },
		"credential/": func(v *Value) ([]byte, bool, error) {
			return nil, strings.HasSuffix(v.Key, "/"+string(user)), nil
		},
	}
	for _, prefix := range []string{"once/" + string(user) + "/", accountPrefix(user)} {
		scrubs[prefix] = func(*Value) ([]byte, bool, error) { return nil, true, nil }
	}
	for prefix, scrub := range scrubs {
		if err := s.scrub(ctx, prefix, scrub); err != nil {
			return err
		}
	}
	pos, err := s.store.Commit(ctx, &Change{
		Events: []Event{s.historyEvent(user, Actor{User: by.User, Ref: by.Ref})},
		Values: []ValueChange{{Key: seenKey(user), Expect: AnyRevision}},
	})
	if err == nil {
		s.hub.announce(pos)
	}
	return err
}

// scrub rewrites the values under a prefix; nil data removes a value.
func (s *Service) scrub(ctx context.Context, prefix string, rewrite func(*Value) (data []byte, changed bool, err error)) error {
	for v, err := range s.store.Values(ctx, ValueQuery{Prefix: prefix}) {
		if err != nil {
			return err
		}
		data, changed, err := rewrite(v)
		if err != nil {
			return fmt.Errorf("erase from %q: %w", prefix, err)
		}
		if !changed {
			continue
		}
		change := ValueChange{Key: v.Key, Expect: AnyRevision, Data: data, Expires: v.Expires}
		if _, err := s.store.Commit(ctx, &Change{Values: []ValueChange{change}}); err != nil {
			return err
		}
	}
	return nil
}

// scrubHistory removes the person's own entries, and the person from others'.
func scrubHistory(v *Value, user UserID) ([]byte, bool, error) {
	if strings.HasPrefix(v.Key, historyPrefix+string(user)+"/") {
		return nil, true, nil
	}
	e, err := historyEntry(v, "")
	if err != nil {
		return nil, false, err
	}
	i := slices.Index(e.Others, user)
	own := isOwner(e.Owner, user)
	if i < 0 && !own {
		return nil, false, nil
	}
	if i >= 0 {
		e.Others = slices.Delete(e.Others, i, i+1)
	}
	if own {
		e.Owner.ID, e.Title = "", ""
	}
	data, err := json.Marshal(e)
	return data, true, err
}

// scrubTimeline takes the person out of transitions, which stay.
func scrubTimeline(v *Value, user UserID) ([]byte, bool, error) {
	var events []Event
	if err := json.Unmarshal(v.Data, &events); err != nil {
		return nil, false, err
	}
	changed := false
	for i := range events {
		e := &events[i]
		own := isOwner(e.Owner, user)
		if e.Part != user && e.Actor != user && !own {
			continue
		}
		changed = true
		if e.Part == user {
			e.Part, e.Client, e.Legs = "", "", nil
		}
		if e.Actor == user {
			e.Actor, e.Ref, e.Evidence = "", "", ""
		}
		if own {
			e.Owner.ID, e.Title = "", ""
		}
	}
	if !changed {
		return nil, false, nil
	}
	data, err := json.Marshal(events)
	return data, true, err
}

func isOwner(r Ref, user UserID) bool { return r.Type == OwnerUser && r.ID == string(user) }

// names tells whether the record speaks of a user.
func (c *Call) names(user UserID) bool {
	return c.Participant(user) != nil || c.Creator == user || c.Starter == user || isOwner(c.Owner, user) ||
		slices.Contains(c.Admitted, user) || slices.Contains(c.Invites, Invite{ID: string(user)}) ||
		slices.ContainsFunc(c.Origins, func(r Ref) bool { return isOwner(r, user) })
}

// eraseCommand takes a person out of a record, and first out of the run.
type eraseCommand struct {
	by   Actor
	user UserID
}

func (cmd *eraseCommand) apply(t *transition) error {
	c := t.call
	if c == nil || !c.names(cmd.user) {
		return nil
	}
	t.acts(cmd.by)
	t.cause, t.evidence = CauseAdmin, "this person was erased"
	if c.Removed.IsZero() && c.Participant(cmd.user) != nil {
		takeOut(t, cmd.user)
	}
	c.Participants = slices.DeleteFunc(c.Participants, func(p Participant) bool { return p.ID == cmd.user })
	c.Admitted = without(c.Admitted, cmd.user)
	c.Invites = slices.DeleteFunc(c.Invites, func(i Invite) bool { return !i.Group && i.ID == string(cmd.user) })
	c.Origins = slices.DeleteFunc(c.Origins, func(r Ref) bool { return isOwner(r, cmd.user) })
	if c.Creator == cmd.user {
		c.Creator = ""
	}
	if c.Starter == cmd.user {
		c.Starter = ""
	}
	if isOwner(c.Owner, cmd.user) {
		c.Owner.ID, c.Title = "", ""
	}
	t.tell(Event{Type: EventNoted}, nil)
	return nil
}
