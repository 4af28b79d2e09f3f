package webconferencing

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// maxAsked is how many people are asked for their state before they are rung.
// In larger groups everybody is rung alike.
const maxAsked = 50

// BusyPolicy says what happens to a call for somebody who is in another one.
type BusyPolicy string

// The busy policies.
const (
	// CallWaiting rings as usual; the event says that the user is in a call.
	CallWaiting BusyPolicy = "waiting"
	// RefuseBusyCalls turns the call down for him, and ends it with
	// [ReasonBusy] if nobody else was called.
	RefuseBusyCalls BusyPolicy = "refuse"
)

// askBeforeRinging finds out who of the people to be rung is in another call
// or does not want to be disturbed. Not knowing it is no reason not to ring.
func (s *Service) askBeforeRinging(ctx context.Context, id CallID, people []UserID) *rung {
	r := &rung{
		busy: make(map[UserID]bool), silent: make(map[UserID]bool),
		refuse: s.opts.WhenBusy == RefuseBusyCalls,
	}
	if len(people) > maxAsked {
		return r
	}
	_, presence := s.directory.(PresenceSource)
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(lookups)
	for _, user := range people {
		g.Go(func() error {
			busy := s.inAnotherCall(ctx, id, user)
			silent := false
			if presence {
				p, err := s.presence(ctx, user)
				silent = err == nil && p == DoNotDisturb
			}
			mu.Lock()
			defer mu.Unlock()
			r.busy[user], r.silent[user] = busy, silent
			return nil
		})
	}
	_ = g.Wait() // the functions return no error
	return r
}

func (s *Service) inAnotherCall(ctx context.Context, id CallID, user UserID) bool {
	for c, err := range s.store.Calls(ctx, CallQuery{Key: userKey(user)}) {
		if err != nil {
			return false
		}
		if c.ID != id && c.State == StateStarted && c.Present(user) {
			return true
		}
	}
	return false
}

// Ringing says that by's device rings, so that the caller learns it and the
// outcome of an unanswered call tells "missed" from "unreachable". For a call
// that does not ring it changes nothing.
func (s *Service) Ringing(ctx context.Context, by Actor, id CallID) (*Call, error) {
	const op = "acknowledge ring"
	if err := validActor(by, true); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	return s.command(ctx, by, op, id, ActionRead, nil, func(a access) command { return &ringingCommand{a} })
}

// RingAgain rings a participant who is not in the call, for a whole ring time
// from now on. People who are inside, the starter and administrators may do it,
// [Options].MaxRingAgain times for each participant in a run; after that the
// error has [CodeLimited] and [ReasonRingLimit].
func (s *Service) RingAgain(ctx context.Context, by Actor, id CallID, user UserID) (*Call, error) {
	const op = "ring again"
	if err := checkUserID("user", user); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	asked := s.askBeforeRinging(ctx, id, []UserID{user})
	asked.refuse = false // somebody insists
	return s.command(ctx, by, op, id, ActionManage, user, func(a access) command {
		return &ringAgainCommand{access: a, user: user, rung: asked}
	})
}

// RemoveParticipant takes a user out of a call with all his devices. Members
// of the owning group may come in again, others may not.
func (s *Service) RemoveParticipant(ctx context.Context, by Actor, id CallID, user UserID) (*Call, error) {
	const op = "remove participant"
	if err := checkUserID("user", user); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	return s.command(ctx, by, op, id, ActionManage, user, func(a access) command {
		return &removeCommand{access: a, user: user}
	})
}

// tooLate refuses an accept of a ring that was answered on another device or
// is over; the caller learns by which device.
func (cmd *joinCommand) tooLate(c *Call) error {
	if !cmd.accept {
		return nil
	}
	p := c.Participant(cmd.by.User)
	switch {
	case c.State != StateStarted || p == nil:
		return conflict(ReasonNotRinging, "the call does not ring")
	case p.Ring == RingAnswered && c.Seat(cmd.by.User, cmd.by.Client) == nil:
		return &Error{
			Code: CodeConflict, Reason: ReasonAnsweredElsewhere, Device: p.AnsweredBy,
			Message: "the call was answered on another device",
		}
	case p.Ring == RingDeclined:
		return conflict(ReasonNotRinging, "the call was declined on another device")
	}
	return nil
}

// ringingCommand notes that a device of a rung participant rings.
type ringingCommand struct{ access }

func (cmd *ringingCommand) apply(t *transition) error {
	c, err := t.visible()
	if err != nil {
		return err
	}
	p := c.Participant(cmd.by.User)
	if p == nil {
		return noSuchCall()
	}
	if c.State != StateStarted || p.Ring != RingRinging ||
		slices.Contains(p.RingingOn, cmd.by.Client) || len(p.RingingOn) >= maxRinging {
		return nil
	}
	t.acts(cmd.by)
	p.RingingOn = append(p.RingingOn, cmd.by.Client)
	p.Legs = append(p.Legs, RingLeg{Client: cmd.by.Client, State: RingRinging, Since: t.now})
	t.tell(Event{Type: EventRinging, Part: p.ID, Client: cmd.by.Client, Count: len(p.RingingOn)}, []UserID{c.Starter})
	return nil
}

// ringAgainCommand rings participants who are not in the call once more.
type ringAgainCommand struct {
	access
	user UserID
	rung *rung
}

func (cmd *ringAgainCommand) apply(t *transition) error {
	c, err := t.visible()
	if err != nil {
		return err
	}
	if err := cmd.manager(c); err != nil {
		return err
	}
	p := c.Participant(cmd.user)
	switch {
	case cmd.user == cmd.by.User:
		return invalid("user", "is yourself")
	case !cmd.by.Admin && cmd.by.User != c.Starter && !c.Present(cmd.by.User):
		return denied("only people in the call may ring others")
	case p == nil || p.Kind == KindExternal:
		return invalid("user", "is no participant that can be rung")
	case c.State != StateStarted:
		return conflict(ReasonNotStarted, "the call is not started")
	case c.Present(cmd.user) || p.Ring == RingRinging:
		return nil
	}
	if p.RungAgain >= t.limits.ringAgain {
		return &Error{Code: CodeLimited, Reason: ReasonRingLimit, Message: "this person was rung often enough"}
	}
	t.manages(cmd.access)
	for i := range c.Participants { // their time is not prolonged by it
		if o := &c.Participants[i]; o.Ring == RingRinging && o.RingUntil.IsZero() {
			o.RingUntil = c.RingUntil
		}
	}
	p.rings()
	p.RungAgain++
	c.RingUntil = t.now.Add(c.ringFor(t.limits))
	t.announce([]UserID{cmd.user}, cmp.Or(cmd.rung, &rung{}))
	return nil
}

// giveUp is a starter's hanging up before being inside: between users it
// cancels the call unless others have met in it, a group is not disturbed.
func giveUp(t *transition) {
	c := t.call
	if c.IsGroup() || c.present() > 1 {
		return
	}
	t.stop(stopReason(c, c.Starter))
}

// decline refuses the call: in a group call it silences the user's own
// devices, between users it ends the call unless others are still wanted.
func decline(t *transition, p *Participant, why Reason) {
	c := t.call
	if p.Ring == RingDeclined || p.Ring == RingBusy {
		return
	}
	outcome := RingDeclined
	if why == ReasonBusy {
		outcome = RingBusy
	}
	p.ringCameTo(outcome)
	id := p.ID
	t.tell(Event{Type: EventDeclined, Part: id, Client: t.device, Reason: why}, t.parties())
	t.endLegs(p, outcome, t.device)
	if c.IsGroup() {
		t.tell(Event{Type: EventLeft, Part: id}, []UserID{id})
		t.quietRing()
		return
	}
	if c.ringing() || c.ringsLater() || c.present() > 1 {
		t.quietRing()
		return
	}
	t.stop(why)
}
