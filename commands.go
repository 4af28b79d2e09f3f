package webconferencing

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// createCommand makes a call. The participants were resolved before.
type createCommand struct {
	access
	id           CallID
	owner        Ref
	provider     string
	title        string
	participants []Participant
	origins      []Ref
	start        bool
	ringFor      time.Duration
	from, to     time.Time
	inviteID     string
	rung         *rung
}

func (cmd *createCommand) apply(t *transition) error {
	t.acts(cmd.by)
	old := t.call
	if old != nil && old.Removed.IsZero() {
		if err := cmd.mayReplace(t, old); err != nil {
			return err
		}
		if old.State == StateStarted {
			t.stop(ReasonReplaced)
		}
	}
	c := &Call{
		ID: cmd.id, Title: cmd.title, Owner: cmd.owner, Creator: cmd.by.User, Provider: cmd.provider,
		Created: t.now, ScheduledStart: cmd.from, ScheduledEnd: cmd.to, InviteID: cmd.inviteID,
		RingFor: cmd.ringFor, Participants: slices.Clone(cmd.participants), Origins: slices.Clone(cmd.origins),
	}
	if old != nil {
		c.Epoch, c.Version = old.Epoch, old.Version
	}
	t.call = c
	if !cmd.start {
		t.tell(Event{Type: EventUpdated}, t.parties())
		return nil
	}
	ring := cmp.Or(cmd.rung, &rung{})
	t.start(cmd.by.User, cmd.inviteID, ring)
	t.announce(without(t.parties(), cmd.by.User), ring)
	return nil
}

// mayReplace lets a dead call between users make room for a new one under the
// same id, for one of its own parties. A call that began to ring a moment ago
// is not dead for those who are rung: the two are calling each other.
func (cmd *createCommand) mayReplace(t *transition, old *Call) error {
	alive := old.State == StateStarted && (len(old.Seats) > 0 ||
		old.ringing() && old.Starter != cmd.by.User && t.now.Sub(old.Started) < t.limits.grace)
	if old.IsGroup() || old.Participant(cmd.by.User) == nil || alive {
		return conflict(ReasonCallConflict, "a call with this id exists already")
	}
	return nil
}

// replaceCommand removes a group's call to make room for another one; it
// refuses while somebody is inside.
type replaceCommand struct{ access }

func (cmd *replaceCommand) apply(t *transition) error {
	t.acts(cmd.by)
	t.cause = CauseReplaced
	c := t.call
	if c == nil || !c.Removed.IsZero() {
		return nil
	}
	if err := cmd.manager(c); err != nil {
		return err
	}
	if len(c.Seats) > 0 {
		return conflict(ReasonCallConflict, "the group is in another call")
	}
	return removeCall(t, ReasonReplaced)
}

// startCommand starts a call and tells all parties, the starter included.
// Members that the owning group gained since are added, those it lost leave.
type startCommand struct {
	access
	members  []UserID // of the owning group
	inviteID string
	rung     *rung
}

func (cmd *startCommand) apply(t *transition) error {
	c, err := t.visible()
	if err != nil {
		return err
	}
	if err := cmd.manager(c); err != nil {
		return err
	}
	if c.State == StateStarted {
		return nil
	}
	if c.IsGroup() {
		parts := refreshMembers(c.Participants, cmd.members)
		if len(parts) > t.limits.maxParticipants {
			return tooManyParticipants(t.limits.maxParticipants)
		}
		c.Participants = parts
	}
	t.manages(cmd.access)
	ring := cmp.Or(cmd.rung, &rung{})
	t.start(cmd.by.User, cmd.inviteID, ring)
	t.announce(t.parties(), ring)
	return nil
}

func refreshMembers(parts []Participant, members []UserID) []Participant {
	is := make(map[UserID]bool, len(members))
	for _, id := range members {
		is[id] = true
	}
	kept := make([]Participant, 0, len(members))
	for _, p := range parts {
		if p.Member && !is[p.ID] {
			continue
		}
		kept = append(kept, p)
		delete(is, p.ID)
	}
	for _, id := range members {
		if is[id] {
			delete(is, id)
			kept = append(kept, Participant{ID: id, Kind: KindUser, Member: true})
		}
	}
	return kept
}

// stopCommand ends the run.
type stopCommand struct{ access }

func (cmd *stopCommand) apply(t *transition) error {
	c, err := t.visible()
	if err != nil {
		return err
	}
	if err := cmd.manager(c); err != nil {
		return err
	}
	if c.State != StateStarted {
		return nil
	}
	t.manages(cmd.access)
	t.stop(stopReason(c, cmd.by.User))
	return nil
}

// stopReason names what stopping an unanswered call between users means.
func stopReason(c *Call, by UserID) Reason {
	switch {
	case c.IsGroup() || c.answered():
		return ReasonEnded
	case by == c.Starter || c.Participant(by) == nil:
		return ReasonCancelled
	}
	return ReasonDeclined
}

// deleteCommand ends the run and removes the call.
type deleteCommand struct{ access }

func (cmd *deleteCommand) apply(t *transition) error {
	c, err := t.visible()
	if err != nil {
		return err
	}
	if err := cmd.manager(c); err != nil {
		return err
	}
	t.manages(cmd.access)
	return removeCall(t, stopReason(c, cmd.by.User))
}

// removeCall tells all parties that the call has stopped, whether it ran or
// not, and turns the record into a tombstone.
func removeCall(t *transition, reason Reason) error {
	t.stop(reason)
	t.call.Removed = t.now
	return nil
}

// maxUserSeats is how many devices of one user can be in a call.
const maxUserSeats = 16

// joinCommand gives a device a seat, and starts the call if need be.
type joinCommand struct {
	access
	seat     SeatID
	inviteID string
	// accept refuses to join when another device of the user was faster.
	accept bool
	// takeover moves the user here: his other devices lose their seats.
	takeover bool
}

func (cmd *joinCommand) apply(t *transition) error {
	c, err := t.visible()
	if err != nil {
		return err
	}
	if err := cmd.party(c); err != nil {
		return err
	}
	if err := cmd.tooLate(c); err != nil {
		return err
	}
	t.acts(cmd.by)
	if s := c.Seat(cmd.by.User, cmd.by.Client); s != nil && c.State == StateStarted {
		moveSeat(t, s)
		if cmd.takeover {
			takeOver(t, cmd.by)
		}
		return nil
	}
	if c.State == StateStarted && len(c.Seats) >= t.limits.maxSeats && !(cmd.takeover && c.Present(cmd.by.User)) {
		return &Error{Code: CodeLimited, Reason: ReasonCallFull, Message: "the call is full"}
	}
	if c.State == StateStarted && !cmd.takeover && c.seatsOf(cmd.by.User) >= maxUserSeats {
		return &Error{Code: CodeLimited, Reason: ReasonCallFull, Message: "too many devices of one user are in the call"}
	}
	if most := t.limits.maxParties[c.Provider]; most > 0 && c.State == StateStarted && !c.Present(cmd.by.User) && c.present() >= most {
		return &Error{Code: CodeLimited, Reason: ReasonCallFull, Message: fmt.Sprintf("this call is full: it has room for %d people", most)}
	}
	known := c.Participant(cmd.by.User) != nil
	if !known && len(c.Participants) >= t.limits.maxParticipants {
		return tooManyParticipants(t.limits.maxParticipants)
	}
	if !known {
		c.Participants = append(c.Participants, Participant{ID: cmd.by.User, Kind: KindUser, Member: cmd.member})
	}
	if c.State != StateStarted {
		t.start(cmd.by.User, cmd.inviteID, nil)
	}
	c.Seats = append(c.Seats, Seat{ID: cmd.seat, User: cmd.by.User, Client: cmd.by.Client, Node: t.node, Joined: t.now})
	p := c.Participant(cmd.by.User)
	if p.State != PartJoined {
		p.Since = t.now
	}
	p.State, p.Client = PartJoined, cmd.by.Client
	p.Devices++
	if p.ID != c.Starter && !c.answered() {
		c.Answered = t.now
	}
	if p.Ring != RingNone {
		if p.Ring != RingAnswered {
			p.AnsweredBy = cmd.by.Client
		}
		p.ringCameTo(RingAnswered)
	}
	t.quietRing()
	t.tell(Event{Type: EventJoined, Part: p.ID, Client: p.Client}, t.parties())
	t.endLegs(p, RingAnswered, cmd.by.Client)
	if cmd.takeover {
		takeOver(t, cmd.by)
	}
	return nil
}

// takeOver takes the seats of the user's other devices. The others see no
// leave, since the user stays.
func takeOver(t *transition, by Actor) {
	c := t.call
	t.cause = CauseTakeover
	c.Seats = slices.DeleteFunc(c.Seats, func(s Seat) bool {
		if s.User != by.User || s.Client == by.Client {
			return false
		}
		t.tell(Event{Type: EventReplaced, Part: s.User, Client: s.Client}, []UserID{s.User})
		return true
	})
}

// moveSeat notes that this node keeps the seat's lease from now on.
func moveSeat(t *transition, s *Seat) {
	if s.Node == t.node {
		return
	}
	s.Node = t.node
	t.tell(Event{Type: EventNoted, Part: s.User, Client: s.Client}, nil)
}

// attachCommand moves a device's seat to this node: its connection came back
// here. It never creates a seat.
type attachCommand struct {
	access
	epoch uint64 // 0 = the present one
	seat  SeatID // "" = the seat of by's client
}

func (cmd *attachCommand) apply(t *transition) error {
	c, err := t.visible()
	if err != nil {
		return err
	}
	if err := cmd.party(c); err != nil {
		return err
	}
	s := c.Seat(cmd.by.User, cmd.by.Client)
	if cmd.seat != "" {
		s = c.seatByID(cmd.seat)
	}
	if s == nil || s.User != cmd.by.User || cmd.epoch != 0 && cmd.epoch != c.Epoch {
		return seatGone()
	}
	t.acts(cmd.by)
	moveSeat(t, s)
	return nil
}

func seatGone() error {
	return &Error{Code: CodeGone, Reason: ReasonSeatGone, Message: "this device is no longer in the call"}
}

// leaveCommand takes a device out of the call. From somebody who was never in
// this run it is a decline; from a device that is not inside (any more) it
// changes nothing.
type leaveCommand struct {
	by    Actor
	epoch uint64 // 0 = the present one
	seat  SeatID // "" = the seat of by's client
	why   Reason // of a decline; "" = ReasonDeclined
	// device declines; by of a decline has none, since it must not leave.
	device ClientID

	applied bool // the answer: whether anything came of it
}

func (cmd *leaveCommand) apply(t *transition) error {
	cmd.applied = false
	err := cmd.leave(t)
	cmd.applied = err == nil && t.changed
	return err
}

func (cmd *leaveCommand) leave(t *transition) error {
	c, err := t.visible()
	if err != nil {
		return err
	}
	p := c.Participant(cmd.by.User)
	if p == nil {
		return noSuchCall()
	}
	if c.State != StateStarted || cmd.epoch != 0 && cmd.epoch != c.Epoch {
		return nil
	}
	t.acts(cmd.by)
	if cmd.device != "" {
		t.device, t.evidence = cmd.device, deviceEvidence(cmd.device)
	}
	if cmd.seat == "" && p.State == PartNone {
		if p.ID == c.Starter {
			giveUp(t)
		} else {
			decline(t, p, cmp.Or(cmd.why, ReasonDeclined))
		}
		return nil
	}
	s := c.Seat(cmd.by.User, cmd.by.Client)
	if cmd.seat != "" {
		s = c.seatByID(cmd.seat)
	}
	if s == nil || s.User != cmd.by.User {
		return nil
	}
	id := s.ID
	t.unseat(func(o Seat) bool { return o.ID == id })
	return nil
}
