package webconferencing

import (
	"slices"
	"time"
)

// This file and those with commands (commands.go, ringing.go, membership.go,
// upkeep.go) are the pure state machine: a command is applied to a call at a
// given time and yields the changed call and its events. There is no I/O, no
// clock and no chance in it, so that it can be tested a million steps a minute;
// see queue.go for what surrounds it.

// limits are the options that transitions depend on.
type limits struct {
	ring            time.Duration // how long participants are rung
	retries         int           // how often those who did not answer are rung once more
	pause           time.Duration // before that
	ringAgain       int           // how often one participant can be rung again in a run
	grace           time.Duration // for a starter to take his seat
	maxAge          time.Duration // of a run
	history         time.Duration // how long entries of the history are kept
	tombstone       time.Duration // how long a removed call is remembered
	maxParticipants int
	maxSeats        int
	maxParties      map[string]int // people inside, by provider; none without an entry
}

// command is one wish to change a call. apply must return its error before it
// changes anything.
type command interface {
	apply(t *transition) error
}

// transition carries a call through one command or several.
type transition struct {
	now    time.Time
	node   string
	limits limits

	call   *Call // nil while there is none; a working copy
	events []Event
	values []ValueChange // idempotency keys and entries of the history
	purge  bool

	// Of the command being applied.
	actor    UserID
	device   ClientID // of the actor; "" if nobody acts
	cause    Cause
	evidence string
	ref      string
	changed  bool
	// evidenceOf is the evidence for taking a seat; nil if it is evidence.
	evidenceOf func(Seat) string
}

// run applies one command. The call's version grows by one if it changed.
func (t *transition) run(cmd command) error {
	t.actor, t.device, t.cause, t.evidence, t.ref, t.changed = "", "", CauseCommand, "", "", false
	t.evidenceOf = nil
	first := len(t.events)
	if err := cmd.apply(t); err != nil {
		return err
	}
	if !t.changed {
		return nil
	}
	t.boundWaiting()
	t.call.Version++
	for i := first; i < len(t.events); i++ {
		t.events[i].Version = t.call.Version
	}
	return nil
}

// acts notes whose command it is.
func (t *transition) acts(by Actor) {
	t.actor, t.device, t.ref = by.User, by.Client, cleanRef(by.Ref)
	if by.Client != "" {
		t.evidence = deviceEvidence(by.Client)
	}
}

// deviceEvidence names a device; its id comes from the client.
func deviceEvidence(c ClientID) string { return "device " + oneLine(string(c)) }

// manages notes whose command it is; for an administrator who is no party of
// the call it is an intervention.
func (t *transition) manages(a access) {
	t.acts(a.by)
	if a.by.Admin && !a.member && t.call.Participant(a.by.User) == nil {
		t.cause = CauseAdmin
	}
}

// visible returns the call unless there is none or it was removed.
func (t *transition) visible() (*Call, error) {
	if t.call == nil || !t.call.Removed.IsZero() {
		return nil, noSuchCall()
	}
	return t.call, nil
}

// tell emits an event about the call to the users given; the call's own topic
// always has it.
func (t *transition) tell(e Event, to []UserID) {
	c := t.call
	e.CallID, e.Epoch = c.ID, c.Epoch
	e.Provider, e.Owner, e.Title, e.State = c.Provider, c.Owner, c.Title, c.State
	e.Actor, e.Cause, e.Node, e.Time, e.Ref = t.actor, t.cause, t.node, t.now, t.ref
	if e.Evidence == "" {
		e.Evidence = t.evidence
	}
	e.Topics = make([]Topic, 0, len(to)+1)
	e.Topics = append(e.Topics, CallTopic(c.ID))
	for _, id := range to {
		e.Topics = append(e.Topics, UserTopic(id))
	}
	t.events = append(t.events, e)
	t.changed = true
}

// parties are the users who are told about the call. Participants whom the
// directory does not know have no topic.
func (t *transition) parties() []UserID {
	ids := make([]UserID, 0, len(t.call.Participants))
	for _, p := range t.call.Participants {
		if p.Kind != KindExternal {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

func without(ids []UserID, id UserID) []UserID {
	return slices.DeleteFunc(slices.Clone(ids), func(o UserID) bool { return o == id })
}

// rung is what was found out about the people to be rung: who is in another
// call, and who does not want to hear it.
type rung struct {
	busy   map[UserID]bool
	silent map[UserID]bool
	refuse bool // turn busy people down instead of letting the call wait
}

// start begins a new run. With ring, everybody but the starter is rung; a
// call that starts because somebody walked in rings nobody.
func (t *transition) start(by UserID, inviteID string, ring *rung) {
	c := t.call
	c.Epoch = max(c.Epoch+1, uint64(t.now.UnixMilli()))
	c.State, c.Reason = StateStarted, ""
	c.Started, c.Starter = t.now, by
	c.Seats, c.Admitted, c.Answered = nil, nil, time.Time{}
	c.RingUntil, c.RingNext, c.Rings = time.Time{}, time.Time{}, 0
	c.EndBy = t.now.Add(t.limits.maxAge)
	if c.InviteID == "" {
		c.InviteID = inviteID
	}
	for i := range c.Participants {
		p := &c.Participants[i]
		*p = Participant{ID: p.ID, Kind: p.Kind, Member: p.Member}
		switch {
		case ring == nil || p.ID == by || p.Kind != KindUser:
		case ring.busy[p.ID] && ring.refuse:
			p.Ring = RingBusy
		default:
			p.Ring = RingRinging
		}
	}
	if ring != nil {
		c.RingUntil, c.Rings = t.now.Add(c.ringFor(t.limits)), 1
	}
}

// announce tells the users that the call has started, each whether he is in
// another call or does not want to be disturbed. If all who were wanted are
// busy the call ends at once.
func (t *transition) announce(to []UserID, ring *rung) {
	var groups [4][]UserID
	for _, id := range to {
		i := 0
		if ring.busy[id] {
			i++
		}
		if ring.silent[id] {
			i += 2
		}
		if p := t.call.Participant(id); p != nil {
			if p.Ring == RingBusy {
				continue // he is not bothered
			}
			p.Silent = ring.silent[id]
		}
		groups[i] = append(groups[i], id)
	}
	for i, ids := range groups {
		if i == 0 || len(ids) > 0 {
			t.tell(Event{Type: EventState, Waiting: i&1 != 0, Silent: i&2 != 0}, ids)
		}
	}
	busy := func(p Participant) bool { return p.Ring == RingBusy }
	if !t.call.IsGroup() && !t.call.ringing() && slices.ContainsFunc(t.call.Participants, busy) {
		t.stop(ReasonBusy)
	}
}

// stop ends the run and tells everybody. A call between users is removed, a
// group's call stays without its guests and invites.
func (t *transition) stop(reason Reason) {
	c := t.call
	told, ran := t.parties(), c.State == StateStarted
	c.State, c.Reason, c.Stopped = StateStopped, reason, t.now
	t.tell(Event{Type: EventState, Reason: reason}, told)
	c.Seats, c.Admitted, c.Invites, c.InviteID = nil, nil, nil, ""
	c.RingUntil, c.RingNext, c.EndBy = time.Time{}, time.Time{}, time.Time{}
	for i := range c.Participants {
		p := &c.Participants[i]
		if p.State == PartJoined {
			p.State = PartLeft
			p.goOut(t.now)
		}
		if p.Ring == RingRinging {
			var device ClientID
			outcome := RingCancelled
			switch {
			case reason == ReasonMissed:
				outcome = unanswered(p)
			case reason == ReasonDeclined && p.ID == t.actor:
				outcome, device = RingDeclined, t.device // by stopping it, as old clients do
			}
			p.ringCameTo(outcome)
			t.endLegs(p, outcome, device)
		}
	}
	if ran {
		for i := range c.Participants {
			t.remember(&c.Participants[i])
		}
	}
	c.Participants = slices.DeleteFunc(c.Participants, func(p Participant) bool { return p.Kind == KindGuest })
	if !c.IsGroup() {
		c.Removed = t.now
	}
}

// goOut counts the time that the participant was inside.
func (p *Participant) goOut(now time.Time) {
	p.Spent += now.Sub(p.Since)
	p.Since = time.Time{}
}

// unanswered is what became of a ring that nobody took.
func unanswered(p *Participant) RingState {
	if len(p.RingingOn) == 0 {
		return RingUnreachable
	}
	return RingMissed
}

// unseat takes the seats that gone selects out of the call, tells everybody,
// and ends the run if nobody worth it is left. It reports whether there were
// any.
func (t *transition) unseat(gone func(Seat) bool) bool {
	c := t.call
	var left []Seat
	c.Seats = slices.DeleteFunc(c.Seats, func(s Seat) bool {
		if !gone(s) {
			return false
		}
		left = append(left, s)
		return true
	})
	if len(left) == 0 {
		return false
	}
	for i, s := range left {
		e := Event{Type: EventDeviceLeft, Part: s.User, Client: s.Client}
		if t.evidenceOf != nil {
			e.Evidence = t.evidenceOf(s)
		}
		last := !slices.ContainsFunc(left[i+1:], func(o Seat) bool { return o.User == s.User })
		if last && !c.Present(s.User) {
			e.Type = EventLeft
			if p := c.Participant(s.User); p != nil {
				p.State = PartLeft
				p.goOut(t.now)
			}
		}
		t.tell(e, t.parties())
	}
	t.settle()
	return true
}

// settle stops a started call that has nobody left to wait for.
func (t *transition) settle() {
	c := t.call
	if c.State != StateStarted {
		return
	}
	present := c.present()
	if present > 1 || present == 1 && (c.IsGroup() || c.ringing() || c.ringsLater()) {
		return
	}
	switch {
	case t.cause == CauseExpired || t.cause == CauseNodeLost:
		t.stop(ReasonExpired)
	case !c.IsGroup() && !c.answered():
		t.stop(ReasonCancelled)
	default:
		t.stop(ReasonEnded)
	}
}

// quietRing stops the ring clock when there is nobody left to ring; while
// nobody is inside the clock goes on, it then bounds the empty call.
func (t *transition) quietRing() {
	if c := t.call; !c.ringing() && len(c.Seats) > 0 {
		c.RingUntil = time.Time{}
	}
}

// answered tells whether anybody but the starter was in this run.
func (c *Call) answered() bool { return !c.Answered.IsZero() }

// access is what the directory said about the acting user before the command
// was queued; the state machine asks nobody.
type access struct {
	by     Actor
	owner  Ref  // the group whose members were looked up
	member bool // by belongs to it
	// verdict of the host's own Authorizer, if it has one.
	judged, allowed bool
}

// staleAccess is returned when the call's owner changed after the membership
// was looked up.
type staleAccess struct{}

func (staleAccess) Error() string { return "owner changed meanwhile" }

func (a access) check(c *Call) error {
	if c.IsGroup() && a.owner != c.Owner {
		return staleAccess{}
	}
	return nil
}

// party decides who reads the call and joins it: participants, members of the
// owning group, the creator.
func (a access) party(c *Call) error {
	if err := a.check(c); err != nil {
		return err
	}
	if a.judged {
		if a.allowed {
			return nil
		}
		return noSuchCall()
	}
	if p := c.Participant(a.by.User); p != nil && (!p.Member || a.member) {
		return nil
	}
	if c.IsGroup() && a.member || !c.IsGroup() && c.Creator == a.by.User {
		return nil
	}
	return noSuchCall()
}

// manager decides who changes, starts and stops the call: parties that are
// not guests, and administrators.
func (a access) manager(c *Call) error {
	if err := a.check(c); err != nil {
		return err
	}
	if a.by.Admin {
		return nil
	}
	if err := a.party(c); err != nil {
		return err
	}
	if a.judged {
		return nil
	}
	if p := c.Participant(a.by.User); p != nil && p.Kind == KindGuest && !a.member {
		return denied("guests may not do this")
	}
	return nil
}
