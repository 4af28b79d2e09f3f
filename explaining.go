package webconferencing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Explanation answers why a call is as it is, for administrators.
type Explanation struct {
	ID      CallID `json:"id"`
	State   State  `json:"state"`
	Reason  Reason `json:"reason,omitempty"` // of the last stop
	Epoch   uint64 `json:"epoch"`
	Version uint64 `json:"version"`
	// Removed is when the call was deleted; zero if it was not.
	Removed time.Time `json:"removed,omitzero"`
	// Summary is the answer in one sentence, Sentences are the grounds for it.
	Summary   string       `json:"summary"`
	Sentences []string     `json:"sentences"`
	Seats     []SeatStatus `json:"seats"`
	Ringing   []RingStatus `json:"ringing"`
	// Deadlines are what happens by itself, soonest first.
	Deadlines []Deadline `json:"deadlines"`
	// Last is the latest transition; nil if none is remembered.
	Last *Event `json:"last,omitempty"`
}

// SeatStatus is a seat with its lease, without the secret that a seat's id is.
type SeatStatus struct {
	Call   CallID    `json:"call"`
	User   UserID    `json:"user"`
	Client ClientID  `json:"client"`
	Joined time.Time `json:"joined"`
	// Node keeps the lease; NodeName is its [Options].NodeName, "" if the node
	// left no sign of life.
	Node      string    `json:"node"`
	NodeName  string    `json:"nodeName,omitempty"`
	NodeSeen  time.Time `json:"nodeSeen,omitzero"`
	NodeAlive bool      `json:"nodeAlive"`
	// Here tells that the node that answers keeps the lease; only then
	// Renewed and LeaseLeft are known.
	Here      bool          `json:"here"`
	Renewed   time.Time     `json:"renewed,omitzero"`
	LeaseLeft time.Duration `json:"leaseLeft,omitempty"`
}

// RingStatus is the ring of one participant.
type RingStatus struct {
	User  UserID    `json:"user"`
	State RingState `json:"state"`
	Until time.Time `json:"until,omitzero"` // while it rings
	Legs  []RingLeg `json:"legs,omitempty"`
}

// Deadline is something that happens by itself unless something changes.
type Deadline struct {
	What string    `json:"what"`
	At   time.Time `json:"at"`
}

// Explain answers, for administrators, why a call still exists, or how it
// ended: who holds it, who is rung, what happens next. It also answers for
// calls that were removed while their timeline is kept.
func (s *Service) Explain(ctx context.Context, by Actor, id CallID) (*Explanation, error) {
	const op = "explain call"
	if !by.Admin {
		return nil, s.wrap(ctx, by, op, denied("only administrators may do this"))
	}
	if err := checkCallID(id); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	c, err := s.store.Call(ctx, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, s.wrap(ctx, by, op, err)
	}
	events, err := s.Timeline(ctx, by, id)
	if err != nil {
		return nil, err
	}
	if c == nil && len(events) == 0 {
		return nil, s.wrap(ctx, by, op, noSuchCall())
	}
	x := explain(c, events, s.seatStatuses(c), s.limits)
	x.ID = id
	return x, nil
}

// LiveSeats returns the seats of all started calls, by call, for
// administrators.
func (s *Service) LiveSeats(ctx context.Context, by Actor) ([]SeatStatus, error) {
	const op = "list live seats"
	if !by.Admin {
		return nil, s.wrap(ctx, by, op, denied("only administrators may do this"))
	}
	var list []SeatStatus
	for c, err := range s.store.Calls(ctx, CallQuery{Key: liveKey}) {
		if err != nil {
			return nil, s.wrap(ctx, by, op, err)
		}
		list = append(list, s.seatStatuses(c)...)
	}
	return list, nil
}

func (s *Service) seatStatuses(c *Call) []SeatStatus {
	if c == nil {
		return nil
	}
	now := s.now()
	list := make([]SeatStatus, 0, len(c.Seats))
	for _, seat := range c.Seats {
		st := SeatStatus{Call: c.ID, User: seat.User, Client: seat.Client, Joined: seat.Joined, Node: seat.Node}
		sign, known := s.nodes.sign(seat.Node)
		if known {
			st.NodeName, st.NodeSeen, st.NodeAlive = sign.Name, sign.Seen, now.Sub(sign.Seen) <= nodeTTL
		}
		if l, ok := s.leases.get(c.ID, seat.ID); ok {
			st.Here, st.Renewed, st.LeaseLeft = true, l.renewed, max(l.until.Sub(now), 0)
		}
		list = append(list, st)
	}
	return list
}

// explain puts together what is known of a call; c is nil if only its timeline
// is left.
func explain(c *Call, events []Event, seats []SeatStatus, l limits) *Explanation {
	x := &Explanation{Seats: seats, Sentences: []string{}, Ringing: []RingStatus{}, Deadlines: []Deadline{}}
	if len(events) > 0 {
		x.Last = &events[len(events)-1]
	}
	if c == nil {
		x.Summary = "The call does not exist any more."
		x.say("%s", lastEnd(events))
		return x
	}
	x.State, x.Reason, x.Epoch, x.Version, x.Removed = c.State, c.Reason, c.Epoch, c.Version, c.Removed
	switch {
	case !c.Removed.IsZero():
		x.Summary = "The call was removed; its record only stays so that late commands of the old run are recognised."
		x.by("the record is forgotten", c.Removed.Add(l.tombstone))
		x.say("%s", lastEnd(events))
	case c.State == StateStarted:
		x.started(c, l)
	case c.State == StateNone:
		x.Summary = "The call was created and never started; it stays until somebody starts or deletes it."
	default:
		x.Summary = "The call is not going on; a group's call keeps its record so that it can be started again."
		x.say("%s", lastEnd(events))
	}
	slices.SortStableFunc(x.Deadlines, func(a, b Deadline) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
	return x
}

func (x *Explanation) say(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); text != "" {
		x.Sentences = append(x.Sentences, text)
	}
}

func (x *Explanation) by(what string, at time.Time) {
	if !at.IsZero() {
		x.Deadlines = append(x.Deadlines, Deadline{What: what, At: at})
	}
}

// started explains a run that goes on.
func (x *Explanation) started(c *Call, l limits) {
	for i := range c.Participants {
		p := &c.Participants[i]
		if p.Ring == RingNone {
			continue
		}
		r := RingStatus{User: p.ID, State: p.Ring, Legs: p.Legs}
		if p.Ring == RingRinging {
			r.Until = c.ringEnd(p)
			x.say("%s is rung until %s, on %s so far.", p.ID, clock24(r.Until), counted(len(p.RingingOn), "device", "devices"))
		}
		x.Ringing = append(x.Ringing, r)
	}
	for i := range x.Seats {
		x.seat(&x.Seats[i])
	}
	switch present := c.present(); {
	case present > 0:
		x.Summary = fmt.Sprintf("The call goes on because %s inside on %s.",
			counted(present, "person is", "people are"), counted(len(c.Seats), "device", "devices"))
	case c.ringing():
		x.Summary = "Nobody is inside; the call goes on because people are being rung."
	default:
		x.Summary = "Nobody is inside and nobody is rung; the call waits for the one who started it."
	}
	x.by("ringing ends", c.nextRingEnd())
	x.by("those who did not answer are rung once more", c.RingNext)
	x.by("the call ends, since one person waits alone", c.AloneUntil)
	x.by("the run ends, since it is as old as runs may become", c.EndBy)
	if c.IsGroup() {
		x.say("It ends when the last one leaves.")
		return
	}
	x.say("It ends when fewer than two are left and nobody is rung any more.")
}

func (x *Explanation) seat(s *SeatStatus) {
	name := cmp.Or(s.NodeName, s.Node)
	where := fmt.Sprintf("%s is inside on device %s since %s", s.User, s.Client, clock24(s.Joined))
	switch {
	case s.Here:
		x.say("%s; the device was heard of at %s, its lease has %v left.", where, clock24(s.Renewed), s.LeaseLeft.Round(time.Second))
	case s.NodeAlive:
		x.say("%s; node %s keeps the lease and is alive.", where, name)
	default:
		x.say("%s; node %s, which kept the lease, is lost: the seat goes soon unless the device comes back.", where, name)
	}
}

// lastEnd tells how the last run ended.
func lastEnd(events []Event) string {
	for _, e := range slices.Backward(events) {
		if e.Type != EventState || e.State != StateStopped {
			continue
		}
		text := fmt.Sprintf("Its last run ended at %s: %s, cause %s", clock24(e.Time), e.Reason, e.Cause)
		if e.Actor != "" {
			text += ", by " + string(e.Actor)
		}
		if e.Evidence != "" {
			text += " (" + e.Evidence + ")"
		}
		return text + "."
	}
	return ""
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

func clock24(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
