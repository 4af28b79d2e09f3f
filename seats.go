package webconferencing

import (
	"context"
	"sync"
	"time"
)

// SeatRef names one device's presence in one run of a call. Renewing and
// leaving by it can't touch another device or a later run.
type SeatRef struct {
	Call  CallID
	Epoch uint64
	Seat  SeatID
}

// lease is how long a seat stays without being renewed. The node that serves
// the device keeps it in memory; the seat itself, and which node that is, are
// in the store. A node that dies is found by its own lease, see nodes.go.
type lease struct {
	user    UserID
	client  ClientID
	epoch   uint64
	version uint64 // of the call when the lease began
	until   time.Time
	renewed time.Time // last sign of life
	why     string    // the lease was cut; "" if it was not
	full    time.Time // what until was before a provider's evidence shortened it
	// expired is final: the seat is about to be removed and is not renewed
	// any more.
	expired bool
}

// leases are the seats that this node keeps.
type leases struct {
	ttl time.Duration

	mu     sync.Mutex
	byCall map[CallID]map[SeatID]*lease
	// underway are the calls that this node is committing, with the highest
	// version that events of other nodes have told of meanwhile.
	underway map[CallID]uint64
	// vouched is until when this node may answer for its seats out of memory:
	// as long as its own sign of life counts, by the monotonic clock.
	vouched time.Time
}

// begin notes that this node works on a call, until end. Only one does so at a
// time for each call.
func (l *leases) begin(id CallID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.underway[id] = 0
}

func (l *leases) end(id CallID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.underway, id)
}

// overtaken reports whether another node has gone further than this record of a
// call, and its events came before the record was followed: then they had nothing
// to make void.
func (l *leases) overtaken(c *Call) bool {
	if c == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.underway[c.ID] > c.Version
}

// follow brings the leases of a call in line with its record as this node just
// committed or read it; nil for a call that is gone.
func (l *leases) follow(id CallID, c *Call, node string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c == nil {
		delete(l.byCall, id)
		return
	}
	kept := l.byCall[id]
	var next map[SeatID]*lease
	for _, s := range c.Seats {
		if s.Node != node {
			continue
		}
		if next == nil {
			next = make(map[SeatID]*lease)
		}
		if old := kept[s.ID]; old != nil {
			next[s.ID] = old
			continue
		}
		next[s.ID] = &lease{user: s.User, client: s.Client, epoch: c.Epoch, version: c.Version, until: now.Add(l.ttl), renewed: now}
	}
	if next == nil {
		delete(l.byCall, id)
		return
	}
	l.byCall[id] = next
}

// observe drops leases that an event of another node made void.
func (l *leases) observe(e *Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if version, ok := l.underway[e.CallID]; ok && e.Version > version {
		l.underway[e.CallID] = e.Version
	}
	for id, s := range l.byCall[e.CallID] {
		if e.Version <= s.version {
			continue
		}
		switch e.Type {
		case EventState:
			if e.State != StateStarted || e.Epoch > s.epoch {
				delete(l.byCall[e.CallID], id)
			}
		case EventLeft, EventDeviceLeft, EventReplaced, EventNoted:
			// Noted with a client: the seat moved to the node of the event.
			if e.Part == s.user && e.Client == s.client && e.Client != "" {
				delete(l.byCall[e.CallID], id)
			}
		}
	}
	if len(l.byCall[e.CallID]) == 0 {
		delete(l.byCall, e.CallID)
	}
}

// vouch lets this node answer for its seats for a time, since it has just said
// that it lives.
func (l *leases) vouch(from time.Time, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.vouched = from.Add(d)
}

// renewHere is renew for a node that may answer without a look at the store. A
// process that stood still may have lost its seats to others and not know it:
// then no lease counts as kept here.
func (l *leases) renewHere(ref SeatRef, user UserID, now time.Time) (kept, held bool) {
	l.mu.Lock()
	t := time.Now()
	// By the wall clock too: the monotonic one may stop with the machine.
	vouched := t.Before(l.vouched) && t.Round(0).Before(l.vouched.Round(0))
	l.mu.Unlock()
	if !vouched {
		return false, false
	}
	return l.renew(ref, user, now)
}

// renew prolongs a lease that is kept here. The first result tells whether it
// is, the second whether it holds.
func (l *leases) renew(ref SeatRef, user UserID, now time.Time) (kept, held bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.byCall[ref.Call][ref.Seat]
	if s == nil {
		return false, false
	}
	if s.expired || s.user != user || ref.Epoch != 0 && ref.Epoch != s.epoch {
		return true, false
	}
	s.until, s.renewed, s.why = now.Add(l.ttl), now, ""
	return true, true
}

// cut shortens a lease and notes why.
func (l *leases) cut(ref SeatRef, until time.Time, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.byCall[ref.Call][ref.Seat]; s != nil && until.Before(s.until) {
		s.until, s.why = until, why
	}
}

// evidence says why a lease ran out.
func (s *lease) evidence(ttl time.Duration) string {
	last := ", last renewed " + s.renewed.Format(time.RFC3339)
	if s.why != "" {
		return s.why + last
	}
	return "lease of " + ttl.String() + " ran out" + last
}

// due marks the leases that have run out, for good, and returns what removes
// their seats.
func (l *leases) due(now time.Time) map[CallID]*expireCommand {
	l.mu.Lock()
	defer l.mu.Unlock()
	var due map[CallID]*expireCommand
	for call, seats := range l.byCall {
		for id, s := range seats {
			if now.Before(s.until) {
				continue
			}
			s.expired = true
			if due == nil {
				due = make(map[CallID]*expireCommand)
			}
			if due[call] == nil {
				due[call] = &expireCommand{evidence: make(map[SeatID]string)}
			}
			due[call].seats = append(due[call].seats, id)
			due[call].evidence[id] = s.evidence(l.ttl)
		}
	}
	return due
}

// stretch prolongs every lease by a time in which this node could not take
// renewals.
func (l *leases) stretch(by time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, seats := range l.byCall {
		for _, s := range seats {
			s.until = s.until.Add(by)
		}
	}
}

// has tells whether the lease of a seat is kept here.
func (l *leases) has(call CallID, seat SeatID) bool {
	_, ok := l.get(call, seat)
	return ok
}

// get returns a lease that is kept here.
func (l *leases) get(call CallID, seat SeatID) (lease, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.byCall[call][seat]; s != nil {
		return *s, true
	}
	return lease{}, false
}

// keptLease is a lease with the names of what it is for.
type keptLease struct {
	lease
	call CallID
	seat SeatID
}

// all returns the leases kept here.
func (l *leases) all() []keptLease {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []keptLease
	for call, seats := range l.byCall {
		for seat, s := range seats {
			list = append(list, keptLease{*s, call, seat})
		}
	}
	return list
}

// users returns who has a seat whose lease is kept here.
func (l *leases) users() map[UserID]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	users := make(map[UserID]bool)
	for _, seats := range l.byCall {
		for _, s := range seats {
			users[s.user] = true
		}
	}
	return users
}

// count returns how many leases are kept.
func (l *leases) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, seats := range l.byCall {
		n += len(seats)
	}
	return n
}

// RenewSeat prolongs the lease of a seat by [Options].SeatTTL: there was a
// sign of life of its device. It is cheap while this node keeps the lease; a
// seat that another node kept moves here. It never creates a seat: when the
// lease has run out or the run is over the error has [CodeGone] and
// [ReasonSeatGone], and the device has to join again.
func (s *Service) RenewSeat(ctx context.Context, by Actor, ref SeatRef) error {
	if kept, held := s.leases.renewHere(ref, by.User, s.now()); kept {
		if !held {
			return s.wrap(ctx, by, "renew seat", seatGone())
		}
		return nil
	}
	_, err := s.attach(ctx, by, ref)
	return s.wrap(ctx, by, "renew seat", err)
}

// FindSeat returns the seat of by's device in the present run of a call and
// renews it, for a device whose connection came back. The error has
// [CodeGone] when there is none.
func (s *Service) FindSeat(ctx context.Context, by Actor, id CallID) (SeatRef, error) {
	ref, err := s.attach(ctx, by, SeatRef{Call: id})
	return ref, s.wrap(ctx, by, "find seat", err)
}

// attach makes this node the keeper of a seat's lease.
func (s *Service) attach(ctx context.Context, by Actor, ref SeatRef) (SeatRef, error) {
	if err := validActor(by, ref.Seat == ""); err != nil {
		return SeatRef{}, err
	}
	c, err := s.change(ctx, by, ref.Call, ActionJoin, nil, func(a access) command {
		return &attachCommand{access: a, epoch: ref.Epoch, seat: ref.Seat}
	})
	if err != nil {
		return SeatRef{}, err
	}
	seat := c.Seat(by.User, by.Client)
	if ref.Seat != "" {
		seat = c.seatByID(ref.Seat)
	}
	if seat == nil {
		return SeatRef{}, seatGone()
	}
	ref = SeatRef{Call: c.ID, Epoch: c.Epoch, Seat: seat.ID}
	if _, held := s.leases.renew(ref, by.User, s.now()); !held {
		return SeatRef{}, seatGone()
	}
	return ref, nil
}

// DetachSeat says that the connection of a seat's device is gone: unless it
// is renewed the seat ends after [Options].LeaveGrace. A seat that is not kept
// here is left alone.
func (s *Service) DetachSeat(ref SeatRef) {
	s.leases.cut(ref, s.now().Add(s.opts.LeaveGrace), "connection of the device was lost")
}
