package webconferencing

import (
	"crypto/subtle"
	"slices"
	"strconv"
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
	from, to     time.Time
	inviteID     string
}

func (cmd *createCommand) apply(t *transition) error {
	t.actor = cmd.by.User
	old := t.call
	if old != nil && old.Removed.IsZero() {
		if err := cmd.mayReplace(old); err != nil {
			return err
		}
		if old.State == StateStarted {
			t.stop(ReasonReplaced)
		}
	}
	c := &Call{
		ID: cmd.id, Title: cmd.title, Owner: cmd.owner, Creator: cmd.by.User, Provider: cmd.provider,
		Created: t.now, ScheduledStart: cmd.from, ScheduledEnd: cmd.to, InviteID: cmd.inviteID,
		Participants: slices.Clone(cmd.participants), Origins: slices.Clone(cmd.origins),
	}
	if old != nil {
		c.Epoch, c.Version = old.Epoch, old.Version
	}
	t.call = c
	if !cmd.start {
		t.tell(Event{Type: EventUpdated}, t.parties())
		return nil
	}
	t.start(cmd.by.User, cmd.inviteID, true)
	t.tell(Event{Type: EventState}, without(t.parties(), cmd.by.User))
	return nil
}

// mayReplace lets a dead call between users make room for a new one under the
// same id, for one of its own parties.
func (cmd *createCommand) mayReplace(old *Call) error {
	if old.IsGroup() || old.Participant(cmd.by.User) == nil ||
		old.State == StateStarted && len(old.Seats) > 0 {
		return conflict(ReasonCallConflict, "a call with this id exists already")
	}
	return nil
}

// replaceCommand removes a group's call to make room for another one; it
// refuses while somebody is inside.
type replaceCommand struct{ access }

func (cmd *replaceCommand) apply(t *transition) error {
	t.actor, t.cause = cmd.by.User, CauseReplaced
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
	t.actor = cmd.by.User
	t.start(cmd.by.User, cmd.inviteID, true)
	t.tell(Event{Type: EventState}, t.parties())
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
	t.actor = cmd.by.User
	t.stop(stopReason(c, cmd.by.User))
	return nil
}

// stopReason names what stopping an unanswered call between users means.
func stopReason(c *Call, by UserID) Reason {
	switch {
	case c.IsGroup() || c.answered():
		return ReasonEnded
	case by == c.Starter:
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
	t.actor = cmd.by.User
	return removeCall(t, stopReason(c, cmd.by.User))
}

// removeCall tells all parties that the call has stopped, whether it ran or
// not, and turns the record into a tombstone.
func removeCall(t *transition, reason Reason) error {
	t.stop(reason)
	t.call.Removed = t.now
	return nil
}

// joinCommand gives a device a seat, and starts the call if need be.
type joinCommand struct {
	access
	seat     SeatID
	inviteID string
}

func (cmd *joinCommand) apply(t *transition) error {
	c, err := t.visible()
	if err != nil {
		return err
	}
	if err := cmd.party(c); err != nil {
		return err
	}
	t.actor = cmd.by.User
	if s := c.Seat(cmd.by.User, cmd.by.Client); s != nil && c.State == StateStarted {
		moveSeat(t, s)
		return nil
	}
	if c.State == StateStarted && len(c.Seats) >= t.limits.maxSeats {
		return &Error{Code: CodeLimited, Reason: ReasonCallFull, Message: "the call is full"}
	}
	known := c.Participant(cmd.by.User) != nil
	if !known && len(c.Participants) >= t.limits.maxParticipants {
		return tooManyParticipants(t.limits.maxParticipants)
	}
	if !known {
		c.Participants = append(c.Participants, Participant{ID: cmd.by.User, Kind: KindUser, Member: cmd.member})
	}
	if c.State != StateStarted {
		t.start(cmd.by.User, cmd.inviteID, false)
	}
	c.Seats = append(c.Seats, Seat{ID: cmd.seat, User: cmd.by.User, Client: cmd.by.Client, Node: t.node, Joined: t.now})
	p := c.Participant(cmd.by.User)
	p.State, p.Client = PartJoined, cmd.by.Client
	if p.Ring != RingNone {
		p.Ring = RingAnswered
	}
	t.quietRing()
	t.tell(Event{Type: EventJoined, Part: p.ID, Client: p.Client}, t.parties())
	return nil
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
	t.actor = cmd.by.User
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
}

func (cmd *leaveCommand) apply(t *transition) error {
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
	t.actor = cmd.by.User
	if cmd.seat == "" && p.State == PartNone {
		if p.ID == c.Starter {
			giveUp(t)
		} else {
			decline(t, p)
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
func decline(t *transition, p *Participant) {
	c := t.call
	if p.Ring == RingDeclined {
		return
	}
	p.Ring = RingDeclined
	id := p.ID
	t.tell(Event{Type: EventDeclined, Part: id}, t.parties())
	if c.IsGroup() {
		t.tell(Event{Type: EventLeft, Part: id}, []UserID{id})
		t.quietRing()
		return
	}
	if c.ringing() || c.present() > 1 {
		t.quietRing()
		return
	}
	t.stop(ReasonDeclined)
}

// updateCommand replaces parts of a call's description.
type updateCommand struct {
	access
	owner        *Ref
	title        *string
	provider     *string
	from, to     *time.Time
	participants []Participant // nil keeps them
	origins      []Ref         // nil keeps them
}

func (cmd *updateCommand) apply(t *transition) error {
	c, err := t.visible()
	if err != nil {
		return err
	}
	if err := cmd.manager(c); err != nil {
		return err
	}
	if cmd.owner != nil && cmd.owner.Type.IsGroup() != c.IsGroup() {
		return invalid("owner", "can't turn a group call into a call between users or back")
	}
	t.actor = cmd.by.User
	told := t.parties()
	if cmd.owner != nil {
		c.Owner = *cmd.owner
	}
	if cmd.title != nil {
		c.Title = *cmd.title
	}
	if cmd.provider != nil {
		c.Provider = *cmd.provider
	}
	if cmd.from != nil {
		c.ScheduledStart = *cmd.from
	}
	if cmd.to != nil {
		c.ScheduledEnd = *cmd.to
	}
	if cmd.origins != nil {
		c.Origins = slices.Clone(cmd.origins)
	}
	if cmd.participants != nil {
		setParticipants(c, cmd.participants)
	}
	for _, id := range t.parties() {
		if !slices.Contains(told, id) {
			told = append(told, id)
		}
	}
	t.tell(Event{Type: EventUpdated}, told)
	t.cause = CauseRemoved
	if t.unseat(func(s Seat) bool { return c.Participant(s.User) == nil }) {
		// Those taken out are no parties any more, but must learn of it.
		for i := range t.events {
			if e := &t.events[i]; e.Type == EventLeft && c.Participant(e.Part) == nil && !slices.Contains(e.Topics, UserTopic(e.Part)) {
				e.Topics = append(e.Topics, UserTopic(e.Part))
			}
		}
	}
	if c.State == StateStarted {
		t.quietRing()
	}
	return nil
}

// setParticipants makes exactly these the participants; who stays keeps what
// the run knows of him.
func setParticipants(c *Call, parts []Participant) {
	next := make([]Participant, 0, len(parts))
	for _, p := range parts {
		if old := c.Participant(p.ID); old != nil {
			kept := *old
			kept.Kind, kept.Member = p.Kind, p.Member
			if old.Kind == KindGuest {
				kept.Kind = KindGuest
			}
			p = kept
		}
		next = append(next, p)
	}
	c.Participants = next
}

// guestCommand adds a guest to the run.
type guestCommand struct {
	access
	guest UserID
}

func (cmd *guestCommand) apply(t *transition) error {
	c, err := t.visible()
	if err != nil {
		return err
	}
	self := cmd.by.User == cmd.guest && slices.Contains(c.Admitted, cmd.guest)
	if err := cmd.party(c); err != nil && !self {
		return err
	}
	if c.Participant(cmd.guest) != nil {
		return nil
	}
	if len(c.Participants) >= t.limits.maxParticipants {
		return tooManyParticipants(t.limits.maxParticipants)
	}
	t.actor = cmd.by.User
	c.Participants = append(c.Participants, Participant{ID: cmd.guest, Kind: KindGuest})
	t.tell(Event{Type: EventUpdated, Part: cmd.guest}, t.parties())
	return nil
}

func tooManyParticipants(n int) error {
	return &Error{Code: CodeLimited, Field: "participants", Message: "participants are limited to " + strconv.Itoa(n)}
}

// invitesCommand replaces the list of those who may come in by the call link.
type invitesCommand struct {
	access
	invites  []Invite
	inviteID string
}

func (cmd *invitesCommand) apply(t *transition) error {
	c, err := t.visible()
	if err != nil {
		return err
	}
	if err := cmd.party(c); err != nil {
		return err
	}
	t.actor = cmd.by.User
	c.Invites = slices.Clone(cmd.invites)
	if c.InviteID == "" && c.State != StateStopped {
		c.InviteID = cmd.inviteID
	}
	t.tell(Event{Type: EventUpdated}, t.parties())
	return nil
}

// admitCommand checks a call link and remembers whom it let in.
type admitCommand struct {
	by       UserID
	inviteID string
	groups   []string // group ids among the invites that by belongs to
	allowed  bool     // the answer
}

func (cmd *admitCommand) apply(t *transition) error {
	cmd.allowed = false
	c, err := t.visible()
	if err != nil || c.InviteID == "" ||
		subtle.ConstantTimeCompare([]byte(c.InviteID), []byte(cmd.inviteID)) != 1 {
		return nil //nolint:nilerr // a missing call is "not allowed", like a wrong id
	}
	if !slices.ContainsFunc(c.Invites, func(i Invite) bool {
		switch {
		case i.ID == Everybody:
			return true
		case i.Group:
			return slices.Contains(cmd.groups, i.ID)
		}
		return UserID(i.ID) == cmd.by
	}) {
		return nil
	}
	cmd.allowed = true
	if slices.Contains(c.Admitted, cmd.by) {
		return nil
	}
	if len(c.Admitted) >= t.limits.maxParticipants {
		return tooManyParticipants(t.limits.maxParticipants)
	}
	t.actor = cmd.by
	c.Admitted = append(c.Admitted, cmd.by)
	t.tell(Event{Type: EventNoted, Part: cmd.by}, nil)
	return nil
}
