package webconferencing

import (
	"slices"
	"time"
)

// RingLeg is the ring of one participant on one of his devices: it begins when
// the device says that it rings and comes to exactly one outcome. Until a
// device says so the call is only offered, and there is no leg.
type RingLeg struct {
	Client ClientID `json:"client"`
	// State is [RingRinging], and afterwards what became of it on this device:
	// one of the other states, [RingElsewhere] if another device answered.
	State RingState `json:"state"`
	// By is the other device of the same user that answered or declined; ""
	// if this one did, or nobody.
	By    ClientID  `json:"by,omitempty"`
	Since time.Time `json:"since"`
	Ended time.Time `json:"ended,omitzero"`
}

// maxRinging is how many devices of one participant are counted.
const maxRinging = 16

// rings begins to ring a participant. Until is zero if the ring ends with the
// call's.
func (p *Participant) rings() {
	p.Ring, p.RingUntil = RingRinging, time.Time{}
	p.RingingOn, p.Legs, p.AnsweredBy = nil, nil, ""
}

// outcome ends the ring of a participant; his legs are ended by endLegs.
func (p *Participant) ringCameTo(outcome RingState) {
	p.Ring, p.RingUntil = outcome, time.Time{}
}

// endLegs gives every device of a participant that rings its outcome, and
// tells his devices. Device is the one that answered or declined, "" if none
// did.
func (t *transition) endLegs(p *Participant, outcome RingState, device ClientID) {
	ended := false
	for i := range p.Legs {
		leg := &p.Legs[i]
		if leg.State != RingRinging {
			continue
		}
		ended = true
		leg.State, leg.Ended = outcome, t.now
		if device != "" && leg.Client != device {
			leg.By = device
			if outcome == RingAnswered {
				leg.State = RingElsewhere
			}
		}
	}
	if !ended {
		return
	}
	t.tell(Event{
		Type: EventRingEnded, Part: p.ID, Client: device, Ring: outcome, Legs: slices.Clone(p.Legs),
	}, []UserID{p.ID})
}

// ringFor is how long people are rung by the call.
func (c *Call) ringFor(l limits) time.Duration {
	if c.RingFor > 0 {
		return c.RingFor
	}
	return l.ring
}

// ringEnd is when the ring of a participant ends.
func (c *Call) ringEnd(p *Participant) time.Time {
	if !p.RingUntil.IsZero() {
		return p.RingUntil
	}
	return c.RingUntil
}

// nextRingEnd is when the first ring ends; zero if nothing rings and nothing
// bounds an empty call.
func (c *Call) nextRingEnd() time.Time {
	next := c.RingUntil
	for i := range c.Participants {
		if p := &c.Participants[i]; p.Ring == RingRinging && !p.RingUntil.IsZero() && p.RingUntil.Before(next) {
			next = p.RingUntil
		}
	}
	return next
}

// ringing tells whether any participant is being rung.
func (c *Call) ringing() bool {
	return slices.ContainsFunc(c.Participants, func(p Participant) bool { return p.Ring == RingRinging })
}

// ringsLater tells whether the call is in the pause before it rings once more.
func (c *Call) ringsLater() bool {
	return !c.RingNext.IsZero() && slices.ContainsFunc(c.Participants, func(p Participant) bool { return p.notReached() })
}

// notReached tells whether the participant was rung in vain.
func (p *Participant) notReached() bool {
	return p.State != PartJoined && (p.Ring == RingMissed || p.Ring == RingUnreachable)
}

// endRing gives up on those whose ring time is over. While somebody waits for
// them and retries are left, they are rung once more after a pause.
func endRing(t *transition) {
	c := t.call
	t.evidence = "nobody answered for " + c.ringFor(t.limits).String()
	var missed []UserID
	for i := range c.Participants {
		p := &c.Participants[i]
		if p.Ring != RingRinging || t.now.Before(c.ringEnd(p)) {
			continue
		}
		outcome := unanswered(p)
		p.ringCameTo(outcome)
		t.endLegs(p, outcome, "")
		missed = append(missed, p.ID)
	}
	if c.ringing() { // somebody was rung later than the others
		if len(missed) > 0 {
			t.tell(Event{Type: EventMissed}, missed)
		}
		return
	}
	c.RingUntil = time.Time{}
	present := c.present()
	if present > 0 && len(missed) > 0 && c.Rings <= t.limits.retries {
		c.RingNext = t.now.Add(t.limits.pause)
	}
	if present == 0 || !c.IsGroup() && present == 1 && !c.ringsLater() {
		reason := ReasonMissed
		if c.answered() {
			reason = ReasonEnded
		}
		t.stop(reason)
		return
	}
	t.tell(Event{Type: EventMissed}, missed)
}

// ringOnceMore rings those who were not reached, after the pause.
func ringOnceMore(t *transition) {
	c := t.call
	c.RingNext = time.Time{}
	ring := &rung{silent: make(map[UserID]bool)}
	var again []UserID
	for i := range c.Participants {
		p := &c.Participants[i]
		if !p.notReached() || p.Kind != KindUser {
			continue
		}
		p.rings()
		ring.silent[p.ID] = p.Silent
		again = append(again, p.ID)
	}
	if len(again) == 0 {
		t.tell(Event{Type: EventNoted}, nil)
		t.settle()
		return
	}
	c.Rings++
	c.RingUntil = t.now.Add(c.ringFor(t.limits))
	t.evidence = "ring again after a pause"
	t.announce(again, ring)
}
