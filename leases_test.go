package webconferencing

import (
	"testing"
	"time"
)

// The events of another node may be here before this node has followed what it
// committed itself before them.
func TestEventsAheadOfTheLeases(t *testing.T) {
	l := &leases{ttl: time.Minute, byCall: make(map[CallID]map[SeatID]*lease), underway: make(map[CallID]uint64)}
	c := sound()
	c.ID = "x"
	l.begin("x")
	l.observe(&Event{CallID: "x", Type: EventState, State: StateStopped, Version: c.Version + 1})
	l.follow("x", c, "n", time.Now())
	if l.count() == 0 {
		t.Fatal("the record has no seat of this node")
	}
	if !l.overtaken(c) {
		t.Error("leases of a run that is over are taken for good")
	}
	over := c.Clone()
	over.Version++
	over.Seats = nil
	l.follow("x", over, "n", time.Now())
	if l.overtaken(over) || l.count() != 0 {
		t.Errorf("%d leases are left", l.count())
	}
	l.end("x")
	l.observe(&Event{CallID: "x", Type: EventState, State: StateStopped, Version: over.Version + 1})
	if len(l.underway) != 0 {
		t.Error("what is not under way is remembered")
	}
}
