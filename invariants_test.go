package webconferencing

import (
	"strings"
	"testing"
	"time"
)

// sound is a started call in which two people talk and a third is rung.
func sound() *Call {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return &Call{
		ID: "x", Epoch: 7, Version: 5, State: StateStarted, Starter: "a", Rings: 1, RingUntil: now.Add(time.Minute), EndBy: now.Add(time.Hour),
		Owner: Ref{Type: OwnerUser, ID: "a"},
		Participants: []Participant{
			{ID: "a", Kind: KindUser, State: PartJoined}, {ID: "b", Kind: KindUser, State: PartJoined, Ring: RingAnswered},
			{ID: "c", Kind: KindUser, Ring: RingRinging, Legs: []RingLeg{
				{Client: "1", State: RingRinging, Since: now}, {Client: "2", State: RingMissed, Since: now, Ended: now},
			}},
		},
		Seats: []Seat{{ID: "s1", User: "a", Client: "1", Node: "n"}, {ID: "s2", User: "b", Client: "1", Node: "n"}},
	}
}

func TestSoundRecordHasNoFaults(t *testing.T) {
	if found := recordFaults(sound()); len(found) > 0 {
		t.Errorf("found %q", found)
	}
	next := sound()
	next.Version++
	if found := stepFaults(sound(), next, []Event{event(6, EventUpdated)}); len(found) > 0 {
		t.Errorf("found %q", found)
	}
}

func event(version uint64, typ EventType) Event {
	return Event{Type: typ, CallID: "x", Epoch: 7, Version: version, State: StateStarted, Topics: []Topic{CallTopic("x")}}
}

// Each invariant is broken once and must be missed.
func TestBrokenRecordsAreFound(t *testing.T) {
	tests := map[string]struct {
		want string
		harm func(c *Call)
	}{
		"seats after the end":              {"I4: 2 seats", func(c *Call) { c.State = StateStopped }},
		"a ring after the end":             {"I3: a call that is not started rings", func(c *Call) { c.State = StateStopped }},
		"a removed call that goes on":      {"I4: a removed call", func(c *Call) { c.Removed = c.EndBy }},
		"no end":                           {"I3: the run has no end", func(c *Call) { c.EndBy = time.Time{} }},
		"an empty call with nothing to it": {"I3: nobody is inside", func(c *Call) { c.Seats, c.RingUntil = nil, time.Time{} }},
		"a ring without an end":            {"I3: somebody is rung for ever", func(c *Call) { c.RingUntil = time.Time{} }},
		"waiting alone for ever": {"I3: somebody waits alone", func(c *Call) {
			c.Seats, c.RingUntil, c.Participants[2].Ring = c.Seats[:1], time.Time{}, RingDeclined
		}},
		"a seat nobody keeps":        {"I1: a seat of a has no id or no keeper", func(c *Call) { c.Seats[0].Node = "" }},
		"a seat of a stranger":       {"I3: z has a seat", func(c *Call) { c.Seats[0].User = "z" }},
		"two seats of a device":      {"I5: a device of a has two seats", func(c *Call) { c.Seats[1].User = "a" }},
		"one seat twice":             {"I5: a device of b has two seats", func(c *Call) { c.Seats[1].ID = "s1" }},
		"inside without a seat":      {`I3: b is "joined", but present is false`, func(c *Call) { c.Seats = c.Seats[:1] }},
		"ringing inside":             {"I3: b rings and is inside", func(c *Call) { c.Participants[1].Ring = RingRinging }},
		"a leg that rings on":        {"I3: the leg of c on 1 rings on", func(c *Call) { c.Participants[2].Ring = RingDeclined }},
		"a leg that ended and rings": {"I3: the leg of c on 1 is ringing", func(c *Call) { c.Participants[2].Legs[0].Ended = c.EndBy }},
		"two legs of a device":       {"I5: device 1 of c has two legs", func(c *Call) { c.Participants[2].Legs[1].Client = "1" }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := sound()
			test.harm(c)
			wantFault(t, recordFaults(c), test.want)
		})
	}
}

func wantFault(t *testing.T, found []string, want string) {
	t.Helper()
	for _, f := range found {
		if strings.HasPrefix(f, want) {
			return
		}
	}
	t.Errorf("found %q, want %q", found, want)
}

func TestBrokenStepsAreFound(t *testing.T) {
	tests := map[string]struct {
		want   string
		events []Event
		harm   func(before, after *Call)
	}{
		"an epoch that goes back":         {"I5: the epoch went", []Event{event(6, EventUpdated)}, func(_, after *Call) { after.Epoch-- }},
		"a run that begins again":         {"I4: run 7 began again", []Event{event(6, EventState)}, func(before, _ *Call) { before.State = StateStopped }},
		"a version without events":        {"I6: the record is at version 6", nil, func(*Call, *Call) {}},
		"a version left out":              {"I6: an event of version 7", []Event{event(7, EventUpdated)}, func(_, after *Call) { after.Version = 7 }},
		"an event of another call":        {"I6: a call_updated is not on", []Event{{Type: EventUpdated, Version: 6, CallID: "y"}}, func(*Call, *Call) {}},
		"an end that nobody hears of":     {"I6: run 7 ended without an event", []Event{event(6, EventUpdated)}, func(_, after *Call) { after.State, after.Seats = StateStopped, nil }},
		"an end that is none":             {"I6: run 7 goes on", []Event{ended(6)}, func(*Call, *Call) {}},
		"a second outcome of a leg":       {"I8: the leg of c on 2 had come to missed", []Event{event(6, EventUpdated)}, func(_, after *Call) { after.Participants[2].Legs[1].State = RingAnswered }},
		"a leg that vanishes":             {"I8: the leg of c on 2 vanished", []Event{event(6, EventUpdated)}, func(_, after *Call) { after.Participants[2].Legs = after.Participants[2].Legs[:1] }},
		"a seat from nowhere":             {"I8: a seat of b on 1 came without a join", []Event{event(6, EventNoted)}, func(before, _ *Call) { before.Seats = before.Seats[:1] }},
		"a seat that goes without a word": {"I2: the seat of b on 1 went", []Event{event(6, EventUpdated)}, func(_, after *Call) { after.Seats = after.Seats[:1] }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before, after := sound(), sound()
			after.Version++
			test.harm(before, after)
			wantFault(t, stepFaults(before, after, test.events), test.want)
		})
	}
}

func ended(version uint64) Event {
	e := event(version, EventState)
	e.State = StateStopped
	return e
}

// Variants of commands that break a rule, as a careless change would, are
// caught by the check that runs after every commit in debug mode.
func TestBrokenCommandsAreCaught(t *testing.T) {
	variants := map[string]struct {
		want  string
		apply func(t *transition)
	}{
		"a renewal that creates": {"I8: a seat of c on 9 came without a join", func(t *transition) {
			t.call.Seats = append(t.call.Seats, Seat{ID: "s9", User: "c", Client: "9", Node: "n"})
			t.tell(Event{Type: EventNoted}, nil)
		}},
		"a leave that is not fenced": {"I2: the seat of b on 1 went without a word", func(t *transition) {
			t.call.Seats = t.call.Seats[:1]
			t.tell(Event{Type: EventLeft, Part: "a", Client: "1"}, nil)
		}},
		"two winners of a ring": {"I8: the leg of c on 2 had come to missed", func(t *transition) {
			p := t.call.Participant("c")
			for i := range p.Legs {
				p.Legs[i].State, p.Legs[i].Ended = RingAnswered, t.now
			}
			t.tell(Event{Type: EventUpdated}, nil)
		}},
		"an end that leaves seats": {"I4: 2 seats", func(t *transition) {
			t.call.State = StateStopped
			t.tell(Event{Type: EventState}, nil)
		}},
	}
	for name, v := range variants {
		t.Run(name, func(t *testing.T) {
			before := sound()
			tr := &transition{now: time.Date(2026, 1, 1, 0, 0, 9, 0, time.UTC), node: "n", call: before.Clone()}
			if err := tr.run(commandFunc(v.apply)); err != nil {
				t.Fatal(err)
			}
			wantFault(t, append(recordFaults(tr.call), stepFaults(before, tr.call, tr.events)...), v.want)
		})
	}
}

type commandFunc func(*transition)

func (f commandFunc) apply(t *transition) error {
	f(t)
	return nil
}
