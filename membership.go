package webconferencing

import (
	"crypto/subtle"
	"slices"
	"strconv"
	"time"
)

// removeCommand takes a participant out of the call with all his devices. A
// member of the owning group may come in again.
type removeCommand struct {
	access
	user UserID
}

func (cmd *removeCommand) apply(t *transition) error {
	c, err := t.visible()
	if err != nil {
		return err
	}
	if err := cmd.manager(c); err != nil {
		return err
	}
	if c.Participant(cmd.user) == nil {
		return nil
	}
	t.manages(cmd.access)
	t.cause = CauseRemoved
	takeOut(t, cmd.user)
	return nil
}

// takeOut ends the part that a participant has in the call.
func takeOut(t *transition, user UserID) {
	c := t.call
	told, wasRinging := t.parties(), c.ringing()
	if p := c.Participant(user); c.State == StateStarted {
		t.dropOut(p)
	}
	c.Participants = slices.DeleteFunc(c.Participants, func(p Participant) bool { return p.ID == user })
	c.Admitted = slices.DeleteFunc(c.Admitted, func(id UserID) bool { return id == user })
	t.tell(Event{Type: EventUpdated, Part: user}, told)
	first := len(t.events)
	t.unseat(func(s Seat) bool { return s.User == user })
	for i := first; i < len(t.events); i++ {
		t.events[i].Topics = append(t.events[i].Topics, UserTopic(user))
	}
	if c.State == StateStarted {
		t.quietRing()
		if wasRinging && !c.ringing() && !c.IsGroup() {
			t.settle()
		}
	}
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
	ifVersion    uint64        // 0 = whatever it is
}

func (cmd *updateCommand) apply(t *transition) error {
	c, err := t.visible()
	if err != nil {
		return err
	}
	if err := cmd.manager(c); err != nil {
		return err
	}
	if cmd.ifVersion != 0 && cmd.ifVersion != c.Version {
		return &Error{Code: CodeConflict, Reason: ReasonVersion, Version: c.Version, Message: "the call was changed meanwhile"}
	}
	if cmd.owner != nil && cmd.owner.Type.IsGroup() != c.IsGroup() {
		return invalid("owner", "can't turn a group call into a call between users or back")
	}
	t.manages(cmd.access)
	told, wasRinging := t.parties(), c.ringing()
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
		t.rememberDropped(cmd.participants)
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
		if wasRinging && !c.ringing() && !c.IsGroup() {
			t.settle()
		}
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
	t.acts(cmd.by)
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
	t.acts(cmd.by)
	c.Invites = slices.Clone(cmd.invites)
	if c.InviteID == "" && c.State != StateStopped {
		c.InviteID = cmd.inviteID
	}
	t.tell(Event{Type: EventUpdated}, t.parties())
	return nil
}

// admitCommand checks a call link and remembers whom it let in.
type admitCommand struct {
	by       Actor
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
		return UserID(i.ID) == cmd.by.User
	}) {
		return nil
	}
	cmd.allowed = true
	if slices.Contains(c.Admitted, cmd.by.User) {
		return nil
	}
	if len(c.Admitted) >= t.limits.maxParticipants {
		return tooManyParticipants(t.limits.maxParticipants)
	}
	t.acts(cmd.by)
	c.Admitted = append(c.Admitted, cmd.by.User)
	t.tell(Event{Type: EventNoted, Part: cmd.by.User}, nil)
	return nil
}
