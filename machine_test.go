package webconferencing

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestMachine drives the pure state machine with random commands of several
// users and devices, at random times, and looks at the call after each.
func TestMachine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			m.step()
		}
		m.finish()
	})
}

var (
	modelUsers   = []UserID{"a", "b", "c", "d"} // d is no member and not invited
	modelClients = []ClientID{"1", "2"}
	modelLimits  = limits{ring: 45 * time.Second, retries: 1, pause: 10 * time.Second, ringAgain: 3, maxAge: time.Hour, tombstone: 24 * time.Hour, maxParticipants: 4, maxSeats: 5}
)

type model struct {
	t      *rapid.T
	group  bool
	call   *Call
	now    time.Time
	nodes  []string
	seats  []SeatRef // every seat ever given
	owners map[SeatID]UserID
	serial int
	live   map[uint64]int // how often each run ended
	// outcomes are what people's histories say of each run.
	outcomes map[uint64]map[UserID]HistoryEntry
}

func newModel(t *rapid.T) *model {
	return &model{
		t: t, group: rapid.Bool().Draw(t, "group"), nodes: []string{"n1", "n2"},
		now:    time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		owners: make(map[SeatID]UserID), live: make(map[uint64]int),
		outcomes: make(map[uint64]map[UserID]HistoryEntry),
	}
}

func (m *model) access(user UserID, client ClientID) access {
	a := access{by: Actor{User: user, Client: client}}
	if m.call != nil {
		a.owner = m.call.Owner
	}
	a.member = m.group && user != "d"
	return a
}

func (m *model) create(user UserID) command {
	c := &createCommand{id: "x", provider: "p", inviteID: m.secret(), start: rapid.Bool().Draw(m.t, "start")}
	if rapid.IntRange(0, 3).Draw(m.t, "busy") == 0 {
		c.rung = &rung{busy: map[UserID]bool{"b": true}, refuse: rapid.Bool().Draw(m.t, "refuse")}
	}
	c.owner = Ref{Type: OwnerUser, ID: "a"}
	c.participants = []Participant{{ID: "a", Kind: KindUser}, {ID: "b", Kind: KindUser}}
	if m.group {
		c.owner = Ref{Type: OwnerSpace, ID: "s"}
		c.participants = []Participant{{ID: "a", Kind: KindUser, Member: true}, {ID: "b", Kind: KindUser, Member: true}, {ID: "c", Kind: KindUser, Member: true}}
	}
	c.access = access{by: Actor{User: user}, owner: c.owner, member: m.group && user != "d"}
	return c
}

func (m *model) secret() string {
	m.serial++
	return fmt.Sprint("secret", m.serial)
}

func (m *model) command() command {
	t := m.t
	user := rapid.SampledFrom(modelUsers).Draw(t, "user")
	acc := m.access(user, rapid.SampledFrom(modelClients).Draw(t, "client"))
	var ref SeatRef
	if len(m.seats) > 0 {
		ref = rapid.SampledFrom(m.seats).Draw(t, "seat")
	}
	switch rapid.IntRange(0, 27).Draw(t, "command") {
	case 0, 1:
		return m.create(user)
	case 2:
		return &startCommand{access: acc, members: []UserID{"a", "b", "c"}, inviteID: m.secret()}
	case 3:
		return &stopCommand{acc}
	case 4:
		return &deleteCommand{acc}
	case 5, 6, 7, 8:
		return &joinCommand{access: acc, seat: SeatID(m.secret()), inviteID: m.secret()}
	case 9, 10:
		return &leaveCommand{by: acc.by}
	case 11:
		return &leaveCommand{by: acc.by, epoch: ref.Epoch, seat: ref.Seat}
	case 12:
		return &expireCommand{seats: []SeatID{ref.Seat}}
	case 13:
		return &nodeLostCommand{node: rapid.SampledFrom(m.nodes).Draw(t, "lost")}
	case 14:
		return &attachCommand{access: acc, epoch: ref.Epoch, seat: ref.Seat}
	case 15:
		parts := []Participant{{ID: "a", Kind: KindUser}}
		for _, id := range []UserID{"b", "c"} {
			if rapid.Bool().Draw(t, "keep") {
				parts = append(parts, Participant{ID: id, Kind: KindUser})
			}
		}
		return &updateCommand{access: acc, participants: parts}
	case 16, 17:
		return &ringingCommand{acc}
	case 18:
		return &ringAgainCommand{access: acc, user: rapid.SampledFrom(modelUsers).Draw(t, "again")}
	case 19:
		return &removeCommand{access: acc, user: rapid.SampledFrom(modelUsers).Draw(t, "remove")}
	case 20, 21:
		return &joinCommand{access: acc, seat: SeatID(m.secret()), inviteID: m.secret(), accept: true}
	case 22:
		return &joinCommand{access: acc, seat: SeatID(m.secret()), inviteID: m.secret(), takeover: true}
	case 23:
		return &leaveCommand{by: Actor{User: user}, device: acc.by.Client}
	case 24:
		return &leaveCommand{by: Actor{User: user}, device: acc.by.Client, why: ReasonBusy}
	case 25:
		return &forceEndCommand{by: Actor{User: "root", Admin: true}}
	case 26:
		if rapid.IntRange(0, 9).Draw(t, "rarely") == 0 {
			return &eraseCommand{by: Actor{User: "root", Admin: true}, user: user}
		}
		return tickCommand{}
	default:
		return &guestCommand{access: acc, guest: "d"}
	}
}

func (m *model) step() {
	m.now = m.now.Add(time.Duration(rapid.IntRange(0, 20000).Draw(m.t, "ms")) * time.Millisecond)
	m.run(tickCommand{}) // what is due happens first
	m.run(m.command())
}

// run applies a command as the queue does and checks what came of it.
func (m *model) run(cmd command) {
	t := &transition{now: m.now, node: rapid.SampledFrom(m.nodes).Draw(m.t, "node"), limits: modelLimits}
	before := m.call
	if before != nil {
		t.call = before.Clone()
	}
	err := t.run(cmd)
	if err != nil {
		if !sameRecord(t.call, before) || len(t.events) > 0 {
			m.t.Fatalf("%T failed (%v) and left a change", cmd, err)
		}
		return
	}
	if t.purge {
		m.call = nil
		return
	}
	m.checkVersion(cmd, before, t)
	m.noteHistory(t.values)
	if t.call != nil {
		if found := append(recordFaults(t.call), stepFaults(before, t.call, t.events)...); len(found) > 0 {
			m.t.Fatalf("%T: %q", cmd, found)
		}
	}
	m.call = t.call
	m.checkEvents(before, t.events)
	if m.call != nil {
		m.checkCall(cmd, before)
	}
}

func (m *model) checkVersion(cmd command, before *Call, t *transition) {
	if t.call == nil {
		return
	}
	var version uint64
	if before != nil {
		version = before.Version
	}
	switch {
	case len(t.events) == 0 && before != nil && !sameRecord(before, t.call):
		m.t.Fatalf("%T changed the call without an event", cmd)
	case len(t.events) > 0 && t.call.Version != version+1:
		m.t.Fatalf("%T moved the version from %d to %d", cmd, version, t.call.Version)
	}
	if before != nil && t.call.Epoch < before.Epoch {
		m.t.Fatalf("%T moved the epoch back", cmd)
	}
}

// noteHistory keeps what is written into histories; a later entry of the same
// person and run takes the place of an earlier one.
func (m *model) noteHistory(values []ValueChange) {
	for _, v := range values {
		var e HistoryEntry
		if err := json.Unmarshal(v.Data, &e); err != nil {
			m.t.Fatal(err)
		}
		user, _, _ := strings.Cut(strings.TrimPrefix(v.Key, historyPrefix), "/")
		if m.outcomes[e.Epoch] == nil {
			m.outcomes[e.Epoch] = make(map[UserID]HistoryEntry)
		}
		m.outcomes[e.Epoch][UserID(user)] = e
	}
}

// checkHistory makes sure that both sides of each run tell the same story. Who
// was taken out before its end has an entry without a reason.
func (m *model) checkHistory() {
	for epoch, entries := range m.outcomes {
		answered, outgoing := 0, 0
		for user, e := range entries {
			if e.Ended.Before(e.Started) || e.Spent < 0 || e.Spent > e.Ended.Sub(e.Started) || (e.Spent > 0) && e.Devices == 0 {
				m.t.Fatalf("%s's entry is %+v", user, e)
			}
			if e.Outgoing {
				outgoing++
				continue
			}
			if e.Outcome == OutcomeAnswered {
				answered++
			}
		}
		if outgoing > 1 {
			m.t.Fatalf("run %d was started by several: %+v", epoch, entries)
		}
		for user, e := range entries {
			if e.Outgoing && e.Reason != "" && (e.Outcome == OutcomeAnswered) != (answered > 0) {
				m.t.Fatalf("run %d: %s's call was %s, %d say that they answered: %+v", epoch, user, e.Outcome, answered, entries)
			}
		}
	}
}

// checkEvents counts the ends of each run.
func (m *model) checkEvents(before *Call, events []Event) {
	if c := m.call; c != nil && c.State == StateStarted {
		m.live[c.Epoch] += 0
	}
	for _, e := range events {
		if e.Version == 0 || e.CallID == "" || !slices.Contains(e.Topics, CallTopic("x")) {
			m.t.Fatalf("event without a call: %+v", e)
		}
		if e.Type == EventState && e.State == StateStopped && before != nil && before.State == StateStarted && before.Epoch == e.Epoch {
			m.live[e.Epoch]++
		}
	}
}

func (m *model) checkCall(cmd command, before *Call) {
	t, c := m.t, m.call
	if c.State != StateStarted && (len(c.Seats) > 0 || !c.RingUntil.IsZero() || c.ringing()) {
		t.Fatalf("%T left %+v in a call that is not started", cmd, c)
	}
	if c.State == StateStarted && len(c.Seats) == 0 && c.RingUntil.IsZero() {
		t.Fatalf("%T left a started call with nobody in it and nothing to end it: %+v", cmd, c)
	}
	if !c.RingUntil.IsZero() && c.RingUntil.After(m.now.Add(modelLimits.ring)) {
		t.Fatalf("%T rings longer than allowed", cmd)
	}
	seen := make(map[string]bool)
	for _, s := range c.Seats {
		key := string(s.User) + "/" + string(s.Client)
		if seen[key] || c.Participant(s.User) == nil {
			t.Fatalf("%T left seats %+v with participants %+v", cmd, c.Seats, c.Participants)
		}
		seen[key] = true
		if m.owners[s.ID] == "" {
			m.owners[s.ID] = s.User
			m.seats = append(m.seats, SeatRef{Call: c.ID, Epoch: c.Epoch, Seat: s.ID})
		}
		if m.owners[s.ID] != s.User {
			t.Fatalf("seat %s went from %s to %s", s.ID, m.owners[s.ID], s.User)
		}
		if before != nil && before.Epoch == c.Epoch && before.seatByID(s.ID) == nil {
			if _, ok := cmd.(*joinCommand); !ok {
				t.Fatalf("%T made a seat", cmd)
			}
		}
	}
	for _, p := range c.Participants {
		if p.Ring == RingRinging && p.State == PartJoined {
			t.Fatalf("%T left %+v ringing inside the call", cmd, p)
		}
		if (p.State == PartJoined) != c.Present(p.ID) {
			t.Fatalf("%T left %+v with seats %+v", cmd, p, c.Seats)
		}
	}
	m.checkFencing(cmd, before)
	m.checkAccept(cmd, before)
}

// checkAccept makes sure that one device answers a ring.
func (m *model) checkAccept(cmd command, before *Call) {
	join, ok := cmd.(*joinCommand)
	if !ok || !join.accept || before == nil || before.Epoch != m.call.Epoch {
		return
	}
	for _, s := range before.Seats {
		if s.User == join.by.User && s.Client != join.by.Client && m.call.seatByID(join.seat) != nil &&
			before.Participant(s.User).Ring == RingAnswered {
			m.t.Fatalf("device %s answered after %s", join.by.Client, s.Client)
		}
	}
}

// checkFencing makes sure that only those are taken out who may be.
func (m *model) checkFencing(cmd command, before *Call) {
	leave, ok := cmd.(*leaveCommand)
	if !ok || before == nil || before.State != StateStarted || m.call.Epoch != before.Epoch || m.call.State != StateStarted {
		return
	}
	for _, s := range before.Seats {
		gone := m.call.seatByID(s.ID) == nil
		mine := s.User == leave.by.User && (leave.seat == s.ID || leave.seat == "" && s.Client == leave.by.Client)
		if gone && (!mine || leave.epoch != 0 && leave.epoch != before.Epoch) {
			m.t.Fatalf("leave %+v took seat %+v", leave, s)
		}
	}
}

// finish lets everybody vanish: every run must have ended once.
func (m *model) finish() {
	for _, n := range m.nodes {
		m.run(&nodeLostCommand{node: n})
	}
	for range 6 {
		m.now = m.now.Add(modelLimits.ring + time.Second)
		m.run(tickCommand{})
	}
	if m.call != nil && m.call.State == StateStarted {
		m.t.Fatalf("the call never ends: %+v", m.call)
	}
	m.checkHistory()
	for epoch, n := range m.live {
		if n != 1 {
			m.t.Fatalf("run %d ended %d times", epoch, n)
		}
	}
	m.now = m.now.Add(25 * time.Hour)
	m.run(tickCommand{})
	if m.call != nil && !m.call.Removed.IsZero() {
		m.t.Fatal("a removed call is kept for ever")
	}
}
