package webconferencing

import (
	"slices"
	"time"
)

// CallID names a call. The connector chooses it; 1 to 255 characters that may
// stand in a Bayeux channel, see [ValidCallID].
type CallID string

// UserID names a user of the host, or a guest.
type UserID string

// ClientID names one device or browser tab of a user.
type ClientID string

// SeatID names one device's presence in one run of a call: 128 random bits
// from the server, known to that device alone.
type SeatID string

// OwnerType says what a call belongs to.
type OwnerType string

// The types of a [Ref].
const (
	OwnerUser       OwnerType = "user"
	OwnerSpace      OwnerType = "space"
	OwnerSpaceEvent OwnerType = "space_event"
	OwnerChatRoom   OwnerType = "chat_room"
)

// IsGroup tells whether calls of this owner type are group calls.
func (t OwnerType) IsGroup() bool { return t != OwnerUser }

// Ref points to a user or group of the host.
type Ref struct {
	Type OwnerType `json:"type"`
	ID   string    `json:"id"`
}

// State of a call. A call that was created but never started has none.
type State string

// The states of a [Call].
const (
	StateNone    State = ""
	StateStarted State = "started"
	StateStopped State = "stopped"
	StatePaused  State = "paused"
)

// PartState says whether a participant is in the call.
type PartState string

// The states of a [Participant]; a participant who never joined the present
// run has none.
const (
	PartNone   PartState = ""
	PartJoined PartState = "joined"
	PartLeft   PartState = "leaved"
)

// PartKind says how a participant belongs to the call.
type PartKind string

// The kinds of a [Participant].
const (
	KindUser     PartKind = "user"        // invited by name or as a member
	KindGuest    PartKind = "guest"       // added to the run, gone when it stops
	KindExternal PartKind = "participant" // unknown to the host's directory
)

// Participant is a person who belongs to a call, inside or not.
type Participant struct {
	ID     UserID    `json:"id"`
	Kind   PartKind  `json:"kind"`
	State  PartState `json:"state,omitempty"`
	Client ClientID  `json:"client,omitempty"` // of the latest join
	// Member tells that the participant came as a member of the owning group
	// and is a party only as long as that holds.
	Member bool `json:"member,omitempty"`
	// Ring is where the ring of this participant stands in the present run.
	Ring RingState `json:"ring,omitempty"`
	// RingingOn are the devices that said that they ring.
	RingingOn []ClientID `json:"ringingOn,omitempty"`
	// Legs are the rings of the devices in RingingOn, and of one that answered
	// or declined without having said so.
	Legs []RingLeg `json:"legs,omitempty"`
	// AnsweredBy is the device that answered the ring.
	AnsweredBy ClientID `json:"answeredBy,omitempty"`
	// RingUntil is when the ring of the participant ends, if not with the
	// call's.
	RingUntil time.Time `json:"ringUntil,omitzero"`
	// RungAgain is how often somebody had the participant rung again in this
	// run.
	RungAgain int `json:"rungAgain,omitempty"`
	// Silent tells that the participant did not want to be disturbed when the
	// call rang.
	Silent bool `json:"silent,omitempty"`
	// Since is when the participant came in; zero while outside.
	Since time.Time `json:"since,omitzero"`
	// Spent is how long the participant was inside before, in this run.
	Spent time.Duration `json:"spent,omitempty"`
	// Devices is how often a device of the participant joined this run.
	Devices int `json:"devices,omitempty"`
}

// RingState is what became of ringing one participant.
type RingState string

// The states of a ring. A participant who is not rung has none.
const (
	RingNone        RingState = ""
	RingRinging     RingState = "ringing"
	RingAnswered    RingState = "answered"
	RingDeclined    RingState = "declined"
	RingBusy        RingState = "busy"        // in another call
	RingMissed      RingState = "missed"      // a device rang, nobody answered
	RingUnreachable RingState = "unreachable" // no device said that it rang
	RingCancelled   RingState = "cancelled"   // the call ended first
	// RingElsewhere is the outcome on a device when another device of the
	// same user answered; only a [RingLeg] has it.
	RingElsewhere RingState = "elsewhere"
)

// Seat is the presence of one device in one run of a call. It is there as
// long as its lease is renewed.
type Seat struct {
	ID     SeatID    `json:"id"`
	User   UserID    `json:"user"`
	Client ClientID  `json:"client"`
	Node   string    `json:"node"` // keeps the lease
	Joined time.Time `json:"joined"`
}

// Invite lets somebody who is no party into the call.
type Invite struct {
	ID    string `json:"id"` // user id, group id, or "*" for everybody
	Group bool   `json:"group,omitempty"`
}

// Everybody is the [Invite].ID that stands for all users.
const Everybody = "*"

// Call is the record of a call: everything the server knows and keeps about
// it. Values that a [Service] returns are the caller's own.
type Call struct {
	ID CallID `json:"id"`
	// Epoch is the number of the present or last run; it grows with each
	// start, also when the id is used again after a removal.
	Epoch uint64 `json:"epoch,omitempty"`
	// Version grows by one with each change of the record.
	Version uint64 `json:"version"`

	Title    string `json:"title,omitempty"`
	Owner    Ref    `json:"owner"`
	Creator  UserID `json:"creator"`
	Starter  UserID `json:"starter,omitempty"` // of the present run
	Provider string `json:"provider"`
	State    State  `json:"state,omitempty"`
	Reason   Reason `json:"reason,omitempty"` // of the last stop

	Created        time.Time `json:"created"`
	Started        time.Time `json:"started,omitzero"` // last start
	Stopped        time.Time `json:"stopped,omitzero"` // last stop
	ScheduledStart time.Time `json:"scheduledStart,omitzero"`
	ScheduledEnd   time.Time `json:"scheduledEnd,omitzero"`
	// Answered is when somebody besides the starter first came in, in this
	// run.
	Answered time.Time `json:"answered,omitzero"`
	// RingUntil is when ringing ends; zero when nobody is rung.
	RingUntil time.Time `json:"ringUntil,omitzero"`
	// RingFor is how long the call rings; zero stands for
	// [Options].RingTimeout.
	RingFor time.Duration `json:"ringFor,omitempty"`
	// Rings is how often the present run has rung by itself.
	Rings int `json:"rings,omitempty"`
	// RingNext is when those who did not answer are rung once more; zero if
	// they are not.
	RingNext time.Time `json:"ringNext,omitzero"`
	// AloneUntil is when a call between users ends in which one person waits
	// and nobody is rung; zero if that is not so.
	AloneUntil time.Time `json:"aloneUntil,omitzero"`
	// EndBy is when the run ends because it has become too old.
	EndBy time.Time `json:"endBy,omitzero"`
	// Removed is when the call was deleted. The record stays for a day so
	// that late commands of the old run are recognised; it is invisible.
	Removed time.Time `json:"removed,omitzero"`

	// InviteID is the secret of the call link; "" while the call is not
	// started.
	InviteID string   `json:"inviteId,omitempty"`
	Invites  []Invite `json:"invites,omitempty"`
	Admitted []UserID `json:"admitted,omitempty"` // by invite, in this run

	Participants []Participant `json:"participants,omitempty"`
	// Origins are whom the call was made for, before members were resolved.
	Origins []Ref  `json:"origins,omitempty"`
	Seats   []Seat `json:"seats,omitempty"`
}

// IsGroup tells whether the call belongs to a space or room.
func (c *Call) IsGroup() bool { return c.Owner.Type.IsGroup() }

// Participant returns the participant with the id, or nil.
func (c *Call) Participant(id UserID) *Participant {
	for i := range c.Participants {
		if c.Participants[i].ID == id {
			return &c.Participants[i]
		}
	}
	return nil
}

// Seat returns the seat of a user's device, or nil.
func (c *Call) Seat(user UserID, client ClientID) *Seat {
	for i := range c.Seats {
		if c.Seats[i].User == user && c.Seats[i].Client == client {
			return &c.Seats[i]
		}
	}
	return nil
}

func (c *Call) seatByID(id SeatID) *Seat {
	for i := range c.Seats {
		if c.Seats[i].ID == id {
			return &c.Seats[i]
		}
	}
	return nil
}

// Present tells whether a user has at least one seat.
func (c *Call) Present(user UserID) bool {
	return slices.ContainsFunc(c.Seats, func(s Seat) bool { return s.User == user })
}

// seatsOf counts the devices of a user.
func (c *Call) seatsOf(user UserID) int {
	n := 0
	for _, s := range c.Seats {
		if s.User == user {
			n++
		}
	}
	return n
}

// present counts the users who have a seat.
func (c *Call) present() int {
	n := 0
	for i, s := range c.Seats {
		if !slices.ContainsFunc(c.Seats[:i], func(o Seat) bool { return o.User == s.User }) {
			n++
		}
	}
	return n
}

// Clone returns a deep copy.
func (c *Call) Clone() *Call {
	d := *c
	d.Invites = slices.Clone(c.Invites)
	d.Admitted = slices.Clone(c.Admitted)
	d.Participants = slices.Clone(c.Participants)
	for i := range d.Participants {
		d.Participants[i].RingingOn = slices.Clone(d.Participants[i].RingingOn)
		d.Participants[i].Legs = slices.Clone(d.Participants[i].Legs)
	}
	d.Origins = slices.Clone(c.Origins)
	d.Seats = slices.Clone(c.Seats)
	return &d
}

// Index keys of a call record.
const (
	liveKey = "live" // started, whether anybody is inside or not
)

func userKey(id UserID) string   { return "user/" + string(id) }
func nodeKey(node string) string { return "node/" + node }

// keys are the index keys under which the store finds the call.
func (c *Call) keys() []string {
	if !c.Removed.IsZero() {
		return nil
	}
	keys := make([]string, 0, len(c.Participants)+2)
	for _, p := range c.Participants {
		keys = append(keys, userKey(p.ID))
	}
	if c.State == StateStarted {
		keys = append(keys, liveKey)
	}
	for i, s := range c.Seats {
		if !slices.ContainsFunc(c.Seats[:i], func(o Seat) bool { return o.Node == s.Node }) {
			keys = append(keys, nodeKey(s.Node))
		}
	}
	return keys
}

// deadline is when the call wants to be looked at again, or zero.
func (c *Call) deadline(l limits) time.Time {
	if !c.Removed.IsZero() {
		return c.Removed.Add(l.tombstone)
	}
	if c.State != StateStarted {
		return time.Time{}
	}
	d := c.EndBy
	for _, t := range []time.Time{c.nextRingEnd(), c.RingNext, c.AloneUntil} {
		if !t.IsZero() && t.Before(d) {
			d = t
		}
	}
	return d
}
