package webconferencing

import (
	"fmt"
	"slices"
)

// What must hold for every call at any time, and for every step from one
// record to the next, whatever was commanded. doc/reliability.md names them;
// [Options].Debug has them looked at after each commit.

// faults collects what does not hold.
type faults []string

func (f *faults) unless(ok bool, format string, args ...any) {
	if !ok {
		*f = append(*f, fmt.Sprintf(format, args...))
	}
}

// recordFaults looks at one record.
func recordFaults(c *Call) []string {
	var f faults
	started := c.State == StateStarted
	f.unless(started || len(c.Seats) == 0, "I4: %d seats in a call that is not started", len(c.Seats))
	f.unless(started || !c.ringing() && c.RingUntil.IsZero() && c.RingNext.IsZero() && c.AloneUntil.IsZero(),
		"I3: a call that is not started rings or waits")
	f.unless(c.Removed.IsZero() || !started, "I4: a removed call is started")
	if started {
		f.unless(!c.EndBy.IsZero(), "I3: the run has no end")
		f.unless(len(c.Seats) > 0 || !c.RingUntil.IsZero(), "I3: nobody is inside and nothing ends the call")
		f.unless(!c.ringing() || !c.RingUntil.IsZero(), "I3: somebody is rung for ever")
		f.unless(!c.waitsAlone() || !c.AloneUntil.IsZero(), "I3: somebody waits alone and nothing ends it")
	}
	seatFaults(c, &f)
	for i := range c.Participants {
		p := &c.Participants[i]
		f.unless((p.State == PartJoined) == c.Present(p.ID), "I3: %s is %q, but present is %t", p.ID, p.State, c.Present(p.ID))
		f.unless(p.Ring != RingRinging || p.State != PartJoined, "I3: %s rings and is inside", p.ID)
		legFaults(p, &f)
	}
	return f
}

func seatFaults(c *Call, f *faults) {
	for i, s := range c.Seats {
		f.unless(s.ID != "" && s.Node != "", "I1: a seat of %s has no id or no keeper", s.User)
		f.unless(c.Participant(s.User) != nil, "I3: %s has a seat and is no participant", s.User)
		f.unless(!slices.ContainsFunc(c.Seats[:i], func(o Seat) bool {
			return o.ID == s.ID || o.User == s.User && o.Client == s.Client
		}), "I5: a device of %s has two seats", s.User)
	}
}

func legFaults(p *Participant, f *faults) {
	for i, leg := range p.Legs {
		f.unless((leg.State == RingRinging) == leg.Ended.IsZero(), "I3: the leg of %s on %s is %s and ended at %v", p.ID, leg.Client, leg.State, leg.Ended)
		f.unless(leg.State != RingRinging || p.Ring == RingRinging, "I3: the leg of %s on %s rings on", p.ID, leg.Client)
		f.unless(!slices.ContainsFunc(p.Legs[:i], func(o RingLeg) bool { return o.Client == leg.Client }),
			"I5: device %s of %s has two legs", leg.Client, p.ID)
	}
}

// stepFaults looks at a step and its events. Before is nil if there was no
// record.
func stepFaults(before, after *Call, events []Event) []string {
	var f faults
	var old Call
	if before != nil {
		old = *before
	}
	f.unless(after.ID != "" && (before == nil || old.ID == after.ID), "I5: the call %s became %s", old.ID, after.ID)
	f.unless(after.Epoch >= old.Epoch, "I5: the epoch went from %d to %d", old.Epoch, after.Epoch)
	f.unless(old.State == StateStarted || after.State != StateStarted || after.Epoch > old.Epoch, "I4: run %d began again", old.Epoch)
	versionFaults(old.Version, after, events, &f)
	if before != nil {
		endFaults(before, after, events, &f)
		legStepFaults(before, after, &f)
	}
	seatStepFaults(before, after, events, &f)
	return f
}

// versionFaults: versions grow by one, and each has its events.
func versionFaults(version uint64, after *Call, events []Event, f *faults) {
	for _, e := range events {
		f.unless(e.Version == version || e.Version == version+1, "I6: an event of version %d follows version %d", e.Version, version)
		f.unless(e.CallID == after.ID && slices.Contains(e.Topics, CallTopic(after.ID)), "I6: a %s is not on the call's topic", e.Type)
		version = e.Version
	}
	f.unless(version == after.Version, "I6: the record is at version %d, its events end at %d", after.Version, version)
}

// endFaults: a run that is over ended once, and everybody was told.
func endFaults(before, after *Call, events []Event, f *faults) {
	if before.State != StateStarted {
		return
	}
	ends := 0
	for _, e := range events {
		if e.Type == EventState && e.State == StateStopped && e.Epoch == before.Epoch {
			ends++
		}
	}
	over := after.State != StateStarted || after.Epoch != before.Epoch
	f.unless(!over || ends > 0, "I6: run %d ended without an event", before.Epoch)
	f.unless(over || ends == 0, "I6: run %d goes on after its end", before.Epoch)
}

// legStepFaults: what a leg came to is final.
func legStepFaults(before, after *Call, f *faults) {
	if before.Epoch != after.Epoch || after.Rings != before.Rings {
		return
	}
	for i := range before.Participants {
		p := &before.Participants[i]
		q := after.Participant(p.ID)
		if q == nil || q.RungAgain != p.RungAgain {
			continue
		}
		for _, leg := range p.Legs {
			j := slices.IndexFunc(q.Legs, func(o RingLeg) bool { return o.Client == leg.Client })
			f.unless(j >= 0, "I8: the leg of %s on %s vanished", p.ID, leg.Client)
			f.unless(j < 0 || leg.State == RingRinging || q.Legs[j] == leg, "I8: the leg of %s on %s had come to %s", p.ID, leg.Client, leg.State)
		}
	}
}

// seatStepFaults: a seat comes with a join only, never a second time, and goes
// with an event that says so.
func seatStepFaults(before, after *Call, events []Event, f *faults) {
	told := func(s Seat, epoch uint64, types ...EventType) bool {
		return slices.ContainsFunc(events, func(e Event) bool {
			return e.Epoch == epoch && e.Part == s.User && e.Client == s.Client && slices.Contains(types, e.Type)
		})
	}
	for _, s := range after.Seats {
		if before == nil || before.seatByID(s.ID) == nil {
			f.unless(told(s, after.Epoch, EventJoined), "I8: a seat of %s on %s came without a join", s.User, s.Client)
		}
	}
	if before == nil || before.Epoch != after.Epoch || after.State != StateStarted {
		return
	}
	for _, s := range before.Seats {
		if after.seatByID(s.ID) == nil {
			f.unless(told(s, before.Epoch, EventLeft, EventDeviceLeft, EventReplaced), "I2: the seat of %s on %s went without a word", s.User, s.Client)
		}
	}
}
