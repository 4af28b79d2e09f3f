package webconferencing

import (
	"context"
	"errors"
	"slices"
)

// GroupManager is a [Directory] that knows who manages a group. Without it
// only who started or owns a call moderates it.
type GroupManager interface {
	// IsManager tells whether the user manages the group, or returns
	// [ErrNotFound] if there is no such group.
	IsManager(ctx context.Context, user UserID, group Ref) (bool, error)
}

func (s *Service) isManager(ctx context.Context, user UserID, ref Ref) (bool, error) {
	m, ok := s.directory.(GroupManager)
	if !ok || !ref.Type.IsGroup() {
		return false, nil
	}
	if ref.Type == OwnerSpaceEvent {
		ref.Type = OwnerSpace
	}
	manages, err := callback(ctx, s, "directory", func(ctx context.Context) (bool, error) {
		return m.IsManager(ctx, user, ref)
	})
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return manages && err == nil, err
}

// moderates tells whether somebody has control over the people in a call.
func (s *Service) moderates(ctx context.Context, by Actor, c *Call) (bool, error) {
	p := c.Participant(by.User)
	switch {
	case by.Admin:
		return true, nil
	case p != nil && p.Kind == KindGuest:
		return false, nil
	case c.Starter == by.User, c.Creator == by.User, !c.IsGroup() && c.Owner.ID == string(by.User):
		return true, nil
	}
	return s.isManager(ctx, by.User, c.Owner)
}

// runFor reads a started or past call for something that its provider is asked
// to do, and finds the provider.
func (s *Service) runFor(ctx context.Context, by Actor, id CallID, moderator bool) (*Call, *entry, error) {
	if err := validActor(by, false); err != nil {
		return nil, nil, err
	}
	c, _, err := s.partyCall(ctx, by, id)
	if err != nil && !(by.Admin && c != nil) {
		return nil, nil, err
	}
	if moderator {
		switch allowed, err := s.moderates(ctx, by, c); {
		case err != nil:
			return nil, nil, err
		case !allowed:
			return nil, nil, denied("only those who moderate the call may do this")
		}
	}
	e, err := s.registry.find(c.Provider)
	return c, e, err
}

// notStarted is the error of acting inside a call that does not run.
func notStarted() error { return conflict(ReasonNotStarted, "the call is not started") }

// Moderation is what [Service.Moderate] is to do.
type Moderation struct {
	Action ModerationAction
	User   UserID
	// Client is the device to act on. Defaults to all of the user's.
	Client ClientID
}

// Moderate acts on a person in a call through the provider, for those who
// moderate the call: whoever started or owns it, managers of its group and
// administrators. [ModerateRemove] also takes the person's devices out of the
// call at once. Asking for what the provider can't do has [CodeUnsupported].
func (s *Service) Moderate(ctx context.Context, by Actor, id CallID, m Moderation) error {
	const op = "moderate call"
	c, e, err := s.runFor(ctx, by, id, true)
	if err != nil {
		return s.wrap(ctx, by, op, err)
	}
	if e.moderator == nil {
		return s.wrap(ctx, by, op, cannot("moderate"))
	}
	if err := checkUserID("user", m.User); err != nil {
		return s.wrap(ctx, by, op, err)
	}
	if c.State != StateStarted {
		return s.wrap(ctx, by, op, notStarted())
	}
	req := ModerationRequest{Action: m.Action, User: m.User}
	switch seat := c.Seat(m.User, m.Client); {
	case m.Client != "" && seat == nil, c.Participant(m.User) == nil:
		return s.wrap(ctx, by, op, &Error{Code: CodeNotFound, Reason: ReasonNotParticipant, Message: "this person or device is not in the call", Err: ErrNotFound})
	case m.Client != "":
		req.Seat = seat.ID
	}
	if req.MeetingRequest, err = s.registry.request(ctx, e, c); err != nil {
		return s.wrap(ctx, by, op, err)
	}
	_, err = ask(ctx, s.registry, e, func(ctx context.Context) (struct{}, error) {
		if !slices.Contains(e.moderator.ModerationActions(), m.Action) {
			return struct{}{}, cannot("do this to people in a call")
		}
		return struct{}{}, e.moderator.Moderate(ctx, req)
	})
	if err != nil {
		return s.wrap(ctx, by, op, err)
	}
	if m.Action == ModerateRemove {
		_, err = s.submit(ctx, id, &expelCommand{by: by.User, epoch: c.Epoch, user: m.User, client: m.Client})
	}
	s.logger.InfoContext(ctx, "call moderated", "call", id, "action", m.Action, "user", m.User, "by", by.User)
	return s.wrap(ctx, by, op, err)
}

// expelCommand takes a person's devices, or one of them, out of a run. Who may
// do this was found out before.
type expelCommand struct {
	by     UserID
	epoch  uint64
	user   UserID
	client ClientID // "" for all
}

func (cmd *expelCommand) apply(t *transition) error {
	c := t.call
	if c == nil || c.Epoch != cmd.epoch || c.State != StateStarted {
		return nil
	}
	t.actor, t.cause = cmd.by, CauseRemoved
	t.unseat(func(s Seat) bool { return s.User == cmd.user && (cmd.client == "" || s.Client == cmd.client) })
	return nil
}
