package webconferencing

import (
	"slices"
	"time"
)

// The commands that nobody gives: what time and lost nodes do to a call.

// expireCommand removes seats whose leases, kept by this node, have run out.
type expireCommand struct {
	seats    []SeatID
	evidence map[SeatID]string // nil gives none
}

func (cmd *expireCommand) apply(t *transition) error {
	if t.call == nil {
		return nil
	}
	t.cause = CauseExpired
	t.evidenceOf = func(s Seat) string { return cmd.evidence[s.ID] }
	t.unseat(func(s Seat) bool { return s.Node == t.node && slices.Contains(cmd.seats, s.ID) })
	return nil
}

// nodeLostCommand removes the seats that a dead node kept and that nobody
// came back for.
type nodeLostCommand struct {
	node string
	seen time.Time // its last sign of life; zero if it left none
}

func (cmd *nodeLostCommand) apply(t *transition) error {
	if t.call == nil {
		return nil
	}
	t.cause = CauseNodeLost
	t.evidence = "node " + cmd.node + " is lost and the device did not return"
	if !cmd.seen.IsZero() {
		t.evidence += ", last seen " + cmd.seen.Format(time.RFC3339)
	}
	t.unseat(func(s Seat) bool { return s.Node == cmd.node })
	return nil
}

// tickCommand does what the call's deadline asks for, if it is due.
type tickCommand struct{}

func (tickCommand) apply(t *transition) error {
	c := t.call
	if c == nil {
		return nil
	}
	t.cause = CauseDeadline
	switch {
	case !c.Removed.IsZero():
		if !t.now.Before(c.Removed.Add(t.limits.tombstone)) {
			t.purge, t.changed = true, true
		}
	case c.State != StateStarted:
	case !t.now.Before(c.EndBy):
		t.evidence = "the run is as old as runs may become"
		t.stop(ReasonExpired)
	case !c.AloneUntil.IsZero() && !t.now.Before(c.AloneUntil):
		endAlone(t)
	case !c.RingUntil.IsZero() && !t.now.Before(c.nextRingEnd()):
		endRing(t)
	case !c.RingNext.IsZero() && !t.now.Before(c.RingNext):
		ringOnceMore(t)
	}
	return nil
}

// rearmCommand gives the ring and the run their full time again after a time
// in which no node was there.
type rearmCommand struct{}

func (rearmCommand) apply(t *transition) error {
	c := t.call
	if c == nil || !c.wantsRearm(t.now) {
		return nil
	}
	if !c.RingUntil.IsZero() {
		c.RingUntil = t.now.Add(c.ringFor(t.limits))
		for i := range c.Participants {
			c.Participants[i].RingUntil = time.Time{}
		}
	}
	if !c.AloneUntil.IsZero() {
		c.AloneUntil = t.now.Add(c.aloneFor(t.limits))
	}
	if !t.now.Before(c.EndBy) {
		c.EndBy = t.now.Add(t.limits.maxAge)
	}
	t.tell(Event{Type: EventNoted, Evidence: "no server was there meanwhile"}, nil)
	return nil
}

// wantsRearm tells whether a started call has a deadline that could be unfair
// to those who had no server to talk to.
func (c *Call) wantsRearm(now time.Time) bool {
	return c.State == StateStarted && (!c.RingUntil.IsZero() || !c.AloneUntil.IsZero() || !now.Before(c.EndBy))
}
