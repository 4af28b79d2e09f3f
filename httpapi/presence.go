package httpapi

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/webconferencing/webconferencing"
)

// lookEvery is how often the signs of life of joined devices are looked at. A
// lease runs from the look that found the sign, so this adds to the time in
// which a vanished device is noticed.
const lookEvery = 2 * time.Second

// renewParallel is how many leases are renewed at once. Nearly all of them are
// kept in memory; the others need the store.
const renewParallel = 8

// connection is what presence wants to know of a Bayeux session.
type connection interface {
	// heard is when something last arrived from the client.
	heard() time.Time
	// gone tells whether the session has ended. It does so before closed is
	// called for the connection.
	gone() bool
	// quicken asks for a sign of life every few seconds.
	quicken(bool)
}

// deviceKey names a device as it takes part in one call.
type deviceKey struct {
	call   webconferencing.CallID
	user   webconferencing.UserID
	client webconferencing.ClientID
}

// device is a device that has a connection to its call: one that joined over
// the connection, or subscribed to the call's channel by it.
type device struct {
	holders map[connection]struct{}
	seated  bool
	seat    webconferencing.SeatRef
	renewed time.Time // the sign of life that the lease was last renewed for
}

// presence ties the seats of calls to Bayeux sessions: a seat is renewed while
// one of its sessions shows signs of life, and let go when the last of them has
// gone. What it does is only ever about leases; who is in a call is decided by
// the service.
type presence struct {
	svc *webconferencing.Service

	mu      sync.Mutex
	devices map[deviceKey]*device
	held    map[connection]map[deviceKey]struct{}
}

func newPresence(svc *webconferencing.Service) *presence {
	return &presence{
		svc: svc, devices: make(map[deviceKey]*device), held: make(map[connection]map[deviceKey]struct{}),
	}
}

func keyOf(by webconferencing.Actor, call webconferencing.CallID) deviceKey {
	return deviceKey{call: call, user: by.User, client: by.Client}
}

// hold notes that a connection stands for a device. A command may be carried
// out after its session has ended; then there is nothing to note.
func (p *presence) hold(conn connection, key deviceKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if conn.gone() {
		return
	}
	d := p.devices[key]
	if d == nil {
		d = &device{holders: make(map[connection]struct{})}
		p.devices[key] = d
	}
	d.holders[conn] = struct{}{}
	if p.held[conn] == nil {
		p.held[conn] = make(map[deviceKey]struct{})
	}
	p.held[conn][key] = struct{}{}
}

// joined gives a device the seat that it got over a connection.
func (p *presence) joined(conn connection, key deviceKey, ref webconferencing.SeatRef) {
	p.hold(conn, key)
	p.seat(key, ref)
}

// joinedElsewhere gives a device the seat that it got over REST. It lives by
// heartbeats, unless the device has a connection too.
func (p *presence) joinedElsewhere(key deviceKey, ref webconferencing.SeatRef) {
	p.mu.Lock()
	held := p.devices[key] != nil
	p.mu.Unlock()
	if held {
		p.seat(key, ref)
	}
}

// seat gives a held device its seat. If its connections have gone meanwhile
// the seat is let go.
func (p *presence) seat(key deviceKey, ref webconferencing.SeatRef) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.devices[key]
	if d == nil {
		p.svc.DetachSeat(ref)
		return
	}
	d.seated, d.seat, d.renewed = true, ref, time.Now()
	for conn := range d.holders {
		conn.quicken(true)
	}
}

// stand forgets the seat of a device that left; its connections stay.
func (p *presence) stand(key deviceKey, ref webconferencing.SeatRef) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.devices[key]
	if d == nil || !d.seated || ref != (webconferencing.SeatRef{}) && d.seat != ref {
		return
	}
	d.seated = false
	for conn := range d.holders {
		conn.quicken(p.anySeat(conn))
	}
}

// anySeat tells whether a connection stands for any joined device.
func (p *presence) anySeat(conn connection) bool {
	for key := range p.held[conn] {
		if p.devices[key].seated {
			return true
		}
	}
	return false
}

// release ends a connection's standing for its devices in one call.
func (p *presence) release(conn connection, call webconferencing.CallID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key := range p.held[conn] {
		if key.call == call {
			p.drop(conn, key, true)
		}
	}
	conn.quicken(p.anySeat(conn))
}

// closed ends everything that a connection stood for. Without detach the seats
// keep the time that their leases have, for clients that come back to another
// process.
func (p *presence) closed(conn connection, detach bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key := range p.held[conn] {
		p.drop(conn, key, detach)
	}
}

func (p *presence) drop(conn connection, key deviceKey, detach bool) {
	delete(p.held[conn], key)
	if len(p.held[conn]) == 0 {
		delete(p.held, conn)
	}
	d := p.devices[key]
	delete(d.holders, conn)
	if len(d.holders) > 0 {
		return
	}
	delete(p.devices, key)
	if d.seated && detach {
		p.svc.DetachSeat(d.seat)
	}
}

// attach gives a device that is back at its call's channel its seat, if it
// still has one.
func (p *presence) attach(ctx context.Context, conn connection, by webconferencing.Actor, call webconferencing.CallID) {
	key := keyOf(by, call)
	p.hold(conn, key)
	ref, err := p.svc.FindSeat(ctx, by, call)
	if err != nil {
		return // nearly always: it has not joined yet
	}
	p.seat(key, ref)
}

// count returns how many joined devices have a connection here.
func (p *presence) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, d := range p.devices {
		if d.seated {
			n++
		}
	}
	return n
}

// renewal is one lease to renew.
type renewal struct {
	key  deviceKey
	ref  webconferencing.SeatRef
	sign time.Time
}

// due lists the seats whose devices showed a sign of life since their leases
// were last renewed.
func (p *presence) due() []renewal {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []renewal
	for key, d := range p.devices {
		if !d.seated {
			continue
		}
		var sign time.Time
		for conn := range d.holders {
			if t := conn.heard(); t.After(sign) {
				sign = t
			}
		}
		if sign.After(d.renewed) {
			list = append(list, renewal{key: key, ref: d.seat, sign: sign})
		}
	}
	return list
}

// renew prolongs the leases of all devices that live.
func (p *presence) renew(ctx context.Context) {
	var g errgroup.Group
	g.SetLimit(renewParallel)
	for _, r := range p.due() {
		g.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, callbackTimeout)
			defer cancel()
			by := webconferencing.Actor{User: r.key.user, Client: r.key.client}
			switch err := p.svc.RenewSeat(ctx, by, r.ref); webconferencing.CodeOf(err) {
			case "":
				p.noteRenewed(r)
			case webconferencing.CodeGone, webconferencing.CodeNotFound, webconferencing.CodeDenied:
				p.stand(r.key, r.ref)
			}
			return nil // anything else: the next look tries again
		})
	}
	_ = g.Wait() // the functions return no error
}

func (p *presence) noteRenewed(r renewal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := p.devices[r.key]; d != nil && d.seat == r.ref && r.sign.After(d.renewed) {
		d.renewed = r.sign
	}
}
