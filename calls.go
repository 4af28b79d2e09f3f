package webconferencing

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// Call returns a call to one of its parties.
func (s *Service) Call(ctx context.Context, by Actor, id CallID) (*Call, error) {
	const op = "get call"
	if err := validActor(by, false); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	c, _, err := s.partyCall(ctx, by, id)
	return c, s.wrap(ctx, by, op, err)
}

// partyCall reads a call and checks that by is a party of it.
func (s *Service) partyCall(ctx context.Context, by Actor, id CallID) (*Call, access, error) {
	if err := checkCallID(id); err != nil {
		return nil, access{}, err
	}
	c, err := s.store.Call(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && !c.Removed.IsZero() {
		return nil, access{}, noSuchCall()
	}
	if err != nil {
		return nil, access{}, err
	}
	acc, err := s.access(ctx, by, c, ActionRead)
	if err != nil {
		return nil, access{}, err
	}
	return c, acc, acc.party(c)
}

// change runs a command that needs to know how by stands to the call.
func (s *Service) change(ctx context.Context, by Actor, id CallID, action Action, once *once, make func(access) command) (*Call, error) {
	if err := checkCallID(id); err != nil {
		return nil, err
	}
	for attempt := 0; attempt < maxAccessAttempts && pauseBefore(ctx, attempt); attempt++ {
		c, err := s.store.Call(ctx, id)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		done, err := s.carriedOut(ctx, once, nil)
		switch {
		case err != nil:
			return nil, err
		case c == nil, !done && !c.Removed.IsZero():
			return nil, noSuchCall()
		case done:
			return c, nil
		}
		acc, err := s.access(ctx, by, c, action)
		if err != nil {
			return nil, err
		}
		c, err = s.submitOnce(ctx, id, make(acc), once)
		if errors.As(err, &staleAccess{}) || errors.Is(err, errClaimed) {
			continue
		}
		return c, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return nil, tooManyChanges()
}

// command runs a command of a user with everything that all of them have in
// common. args are what distinguishes it from another one with the same key.
func (s *Service) command(ctx context.Context, by Actor, op string, id CallID, action Action, args any, make func(access) command) (*Call, error) {
	if err := validActor(by, false); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	once, err := newOnce(by, op, id, args)
	if err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	if s.opts.Before != nil {
		c, _, err := s.partyCall(ctx, by, id)
		if err != nil && CodeOf(err) != CodeNotFound {
			return nil, s.wrap(ctx, by, op, err)
		}
		if err := s.before(ctx, &Proposal{Op: op, By: by, ID: id, Call: c}); err != nil {
			return nil, s.wrap(ctx, by, op, err)
		}
	}
	c, err := s.change(ctx, by, id, action, once, make)
	return c, s.wrap(ctx, by, op, err)
}

// StartCall starts a call and rings everybody but the acting user; members
// that the group gained since its last run are added. Starting a started call
// changes nothing.
func (s *Service) StartCall(ctx context.Context, by Actor, id CallID) (*Call, error) {
	const op = "start call"
	if err := validActor(by, false); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	c, _, err := s.partyCall(ctx, by, id)
	if err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	if _, err := s.registry.usable(ctx, c.Provider, c.Owner); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	var members []UserID
	if c.IsGroup() {
		g, err := s.group(ctx, c.Owner)
		if err != nil {
			return nil, s.wrap(ctx, by, op, err)
		}
		members = g.Members
	}
	asked := s.askBeforeRinging(ctx, id, others(refreshMembers(c.Participants, members), by.User))
	return s.command(ctx, by, op, id, ActionManage, nil, func(a access) command {
		return &startCommand{access: a, members: members, inviteID: newSecret(), rung: asked}
	})
}

// StopCall ends the run of a call for everybody. Stopping a call that is not
// started changes nothing. A call between users is removed by it.
func (s *Service) StopCall(ctx context.Context, by Actor, id CallID) (*Call, error) {
	return s.command(ctx, by, "stop call", id, ActionManage, nil, func(a access) command { return &stopCommand{a} })
}

// DeleteCall ends the run of a call, if it has one, and removes the call. It
// returns the call as it was removed.
func (s *Service) DeleteCall(ctx context.Context, by Actor, id CallID) (*Call, error) {
	return s.command(ctx, by, "delete call", id, ActionManage, nil, func(a access) command { return &deleteCommand{a} })
}

// CallStatus is a call's id and state.
type CallStatus struct {
	ID    CallID
	State State
}

// CallsState returns the group calls that the acting user takes part in, by
// id, with their states.
func (s *Service) CallsState(ctx context.Context, by Actor) ([]CallStatus, error) {
	const op = "list calls"
	if err := validActor(by, false); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	var list []CallStatus
	for c, err := range s.store.Calls(ctx, CallQuery{Key: userKey(by.User)}) {
		if err != nil {
			return nil, s.wrap(ctx, by, op, err)
		}
		if c.IsGroup() && c.Removed.IsZero() {
			list = append(list, CallStatus{ID: c.ID, State: c.State})
		}
	}
	return list, nil
}

// OpenCalls returns the started calls, of users and groups, that the acting
// user is a participant of: what a page that was just opened has to show. A
// participant's Ring tells whether he is being rung.
func (s *Service) OpenCalls(ctx context.Context, by Actor) ([]*Call, error) {
	const op = "list open calls"
	if err := validActor(by, false); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	var list []*Call
	for c, err := range s.store.Calls(ctx, CallQuery{Key: userKey(by.User)}) {
		if err != nil {
			return nil, s.wrap(ctx, by, op, err)
		}
		if c.State != StateStarted {
			continue
		}
		acc, err := s.access(ctx, by, c, ActionRead)
		if err != nil {
			return nil, s.wrap(ctx, by, op, err)
		}
		if acc.party(c) == nil {
			list = append(list, c)
		}
	}
	return list, nil
}

// LiveCalls returns the calls that are started, with their seats, for
// administrators.
func (s *Service) LiveCalls(ctx context.Context, by Actor) ([]*Call, error) {
	const op = "list live calls"
	if !by.Admin {
		return nil, s.wrap(ctx, by, op, denied("only administrators may do this"))
	}
	var list []*Call
	for c, err := range s.store.Calls(ctx, CallQuery{Key: liveKey}) {
		if err != nil {
			return nil, s.wrap(ctx, by, op, err)
		}
		list = append(list, c)
	}
	return list, nil
}

// SendData sends a JSON object to the parties of a started or waiting call, as
// an [EventData] on [DataTopic] with the true sender. It is kept in the
// journal, so a device that reconnects misses nothing.
func (s *Service) SendData(ctx context.Context, by Actor, id CallID, data json.RawMessage) (Position, error) {
	const op = "send data"
	if err := validActor(by, false); err != nil {
		return 0, s.wrap(ctx, by, op, err)
	}
	if len(data) > maxData {
		return 0, s.wrap(ctx, by, op, &Error{Code: CodeLimited, Field: "data", Message: "data is too large"})
	}
	if trimmed := strings.TrimLeft(string(data[:min(len(data), 64)]), " \t\r\n"); !strings.HasPrefix(trimmed, "{") || !json.Valid(data) {
		return 0, s.wrap(ctx, by, op, invalid("data", "is not a JSON object"))
	}
	c, _, err := s.partyCall(ctx, by, id)
	if err != nil {
		return 0, s.wrap(ctx, by, op, err)
	}
	once, err := newOnce(by, op, id, data)
	if err != nil {
		return 0, s.wrap(ctx, by, op, err)
	}
	if done, err := s.carriedOut(ctx, once, nil); done || err != nil {
		return 0, s.wrap(ctx, by, op, err)
	}
	now := s.now()
	change := &Change{Events: []Event{{
		Type: EventData, Topics: []Topic{DataTopic(id)}, CallID: id, Epoch: c.Epoch, Version: c.Version,
		Part: by.User, Client: by.Client, Actor: by.User, Cause: CauseCommand, Node: s.node, Time: now,
		Data: slices.Clone(data),
	}}}
	if once != nil {
		change.Values = append(change.Values, once.change(now))
	}
	pos, err := s.store.Commit(ctx, change)
	if once != nil && errors.Is(err, ErrConflict) {
		return 0, nil // its twin was faster
	}
	if err != nil {
		return 0, s.wrap(ctx, by, op, err)
	}
	s.hub.announce(pos)
	return pos, nil
}
