package webconferencing

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// take merges one piece of evidence and returns what it means for the seats of
// the call.
func (known connections) take(ev *Evidence, c *Call, now time.Time) []Event {
	name := cmp.Or(ev.Connection, string(ev.Seat), string(ev.User))
	if name == "" {
		return nil // nobody knows who it was
	}
	conn := known[name]
	if conn == nil {
		conn = &connection{}
		known[name] = conn
	}
	conn.Heard = now
	conn.User, conn.Seat = cmp.Or(ev.User, conn.User), cmp.Or(ev.Seat, conn.Seat)
	seat := conn.seat(c)
	before := seat != nil && known.hold(c, seat)
	switch ev.Type {
	case EvidenceJoined:
		conn.join(ev.Time)
	case EvidenceLeft:
		conn.leave(ev.Time)
	}
	if seat == nil {
		return nil
	}
	after := known.hold(c, seat)
	switch {
	case ev.Type == EvidenceJoined && conn.present() && !before:
		return []Event{seatEvidence(EvidenceJoined, seat, ev.Connection)}
	case ev.Type == EvidenceLeft && conn.Gone && !after:
		return []Event{seatEvidence(EvidenceLeft, seat, ev.Connection)}
	}
	return nil
}

func seatEvidence(typ EvidenceType, seat *Seat, name string) Event {
	text := string(typ)
	if name != "" {
		text += " " + name
	}
	return Event{Part: seat.User, Client: seat.Client, Evidence: text}
}

// join notes that the connection came in, unless it left after that.
func (conn *connection) join(at time.Time) {
	if conn.Gone && later(at, conn.Left) {
		conn.Gone = false // the provider gives names a second time
	}
	conn.Here, conn.Missed = true, false
	if !at.IsZero() {
		conn.Joined = at
	}
}

// leave notes that the connection went, unless it came back after that.
func (conn *connection) leave(at time.Time) {
	if conn.Here && later(conn.Joined, at) {
		return
	}
	conn.Gone = true
	if !at.IsZero() {
		conn.Left = at
	}
}

// later tells whether a is known to be after b.
func later(a, b time.Time) bool { return !a.IsZero() && !b.IsZero() && a.After(b) }

// seat is whose connection it is: the seat that the provider named, or the only
// one that its user has.
func (conn *connection) seat(c *Call) *Seat {
	if conn.Seat != "" {
		s := c.seatByID(conn.Seat)
		if s != nil && conn.User != "" && conn.User != s.User {
			return nil // contradicts itself
		}
		return s
	}
	if conn.User == "" || c.seatsOf(conn.User) != 1 {
		return nil
	}
	i := slices.IndexFunc(c.Seats, func(s Seat) bool { return s.User == conn.User })
	return &c.Seats[i]
}

// hold tells whether any connection of a seat is present.
func (known connections) hold(c *Call, seat *Seat) bool {
	for _, conn := range known {
		if conn.present() {
			if s := conn.seat(c); s != nil && s.ID == seat.ID {
				return true
			}
		}
	}
	return false
}

// snapshot merges the answer to a probe that was begun at a time: who is listed
// is present, and a connection that was present before and is missing now is
// gone. Seats that the provider never saw are not judged, their devices may be
// on the way.
func (known connections) snapshot(list []Attendee, c *Call, begun, now time.Time) []Event {
	before := make(map[SeatID]bool)
	for i := range c.Seats {
		before[c.Seats[i].ID] = known.hold(c, &c.Seats[i])
	}
	listed := make(map[string]bool)
	for _, a := range list {
		name := cmp.Or(a.Connection, string(a.Seat), string(a.User))
		if name == "" || len(name) > maxID || len(known) >= 2*maxConnections {
			continue
		}
		listed[name] = true
		conn := known[name]
		if conn == nil {
			conn = &connection{Heard: now}
			known[name] = conn
		}
		conn.User, conn.Seat = cmp.Or(a.User, conn.User), cmp.Or(a.Seat, conn.Seat)
		if conn.Gone && conn.Heard.Before(begun) {
			conn.Gone = false // it is inside, whatever was told before
		}
		conn.Here, conn.Missed = true, false
	}
	for name, conn := range known {
		if !listed[name] && conn.present() && conn.Heard.Before(begun) {
			conn.Missed = true
		}
	}
	var events []Event
	for i := range c.Seats {
		seat := &c.Seats[i]
		switch here := known.hold(c, seat); {
		case here && !before[seat.ID]:
			events = append(events, seatEvidence(EvidenceJoined, seat, ""))
		case !here && before[seat.ID]:
			events = append(events, seatEvidence(EvidenceLeft, seat, ""))
		}
	}
	return events
}

// bound forgets the connections that are gone the longest, then those heard of
// the longest ago, when there are too many.
func (known connections) bound() {
	if len(known) <= maxConnections {
		return
	}
	names := slices.SortedFunc(maps.Keys(known), func(a, b string) int {
		if ha, hb := known[a].present(), known[b].present(); ha != hb {
			if hb {
				return -1
			}
			return 1
		}
		return known[a].Heard.Compare(known[b].Heard)
	})
	for _, name := range names[:len(names)-maxConnections] {
		delete(known, name)
	}
}
