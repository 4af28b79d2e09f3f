package webconferencing_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	wc "github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/memstore"
)

// TestClusterModel lets devices of several users do random things at two or
// three nodes that share a store and a bus which loses, doubles and delays,
// while nodes crash and come back and devices vanish and return. What has to
// hold is in cluster_invariants_test.go.
func TestClusterModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var flaw error
		var thrown any // by rapid, which must see it on its own goroutine
		synctest.Test(t, func(t *testing.T) {
			defer func() { thrown = recover() }()
			flaw = runCluster(t, drawn{rt}, nil)
		})
		if thrown != nil {
			panic(thrown)
		}
		if flaw != nil {
			rt.Fatal(flaw)
		}
	})
}

const clusterSteps = 80

// source makes the choices of a history.
type source interface {
	intN(what string, n int) int
}

type drawn struct{ t *rapid.T }

func (d drawn) intN(what string, n int) int { return rapid.IntRange(0, n-1).Draw(d.t, what) }

type seeded struct{ rng *rand.Rand }

func (s seeded) intN(_ string, n int) int { return s.rng.IntN(n) }

func pick[T any](s source, what string, of []T) T { return of[s.intN(what, len(of))] }

// control is what devices use of a Service. The deliberately broken variants
// stand between.
type control interface {
	CreateCall(context.Context, wc.Actor, wc.NewCall) (*wc.Call, error)
	StartCall(context.Context, wc.Actor, wc.CallID) (*wc.Call, error)
	StopCall(context.Context, wc.Actor, wc.CallID) (*wc.Call, error)
	DeleteCall(context.Context, wc.Actor, wc.CallID) (*wc.Call, error)
	JoinCall(context.Context, wc.Actor, wc.CallID) (*wc.Admission, error)
	AcceptCall(context.Context, wc.Actor, wc.CallID) (*wc.Admission, error)
	TakeOver(context.Context, wc.Actor, wc.CallID) (*wc.Admission, error)
	LeaveCall(context.Context, wc.Actor, wc.CallID, *wc.LeaveOptions) (*wc.Call, error)
	DeclineCall(context.Context, wc.Actor, wc.CallID) (*wc.Call, error)
	RefuseBusy(context.Context, wc.Actor, wc.CallID) (*wc.Call, error)
	Ringing(context.Context, wc.Actor, wc.CallID) (*wc.Call, error)
	RingAgain(context.Context, wc.Actor, wc.CallID, wc.UserID) (*wc.Call, error)
	RemoveParticipant(context.Context, wc.Actor, wc.CallID, wc.UserID) (*wc.Call, error)
	RenewSeat(context.Context, wc.Actor, wc.SeatRef) error
	Subscribe(context.Context, wc.Actor, wc.Topic, *wc.Position, func(*wc.Event)) (*wc.Subscription, error)
}

// cluster is a small world of nodes and devices.
type cluster struct {
	t     *testing.T
	src   source
	wrap  func(control) control
	store wc.Store
	bus   *badBus
	dir   *people

	nodes   []*clusterNode
	devices []*device
	seats   map[wc.SeatID]*held // every seat ever given
	old     []*held             // in the order in which they were given
	crashed time.Time           // last

	mu   sync.Mutex
	flaw error // the first one found
}

// clusterNode is a place for a node; node is nil while it is down.
type clusterNode struct {
	*node
	control
	since time.Time
}

// device is a browser of a user.
type device struct {
	by    wc.Actor
	home  int
	alive bool // renews its seats
	seats map[wc.CallID]*held

	sub *wc.Subscription // nil while its node is down
	mu  sync.Mutex
	got []wc.Position
}

// held is a seat as its device knows it.
type held struct {
	ref     wc.SeatRef
	dev     *device
	renewed time.Time
}

var clusterCalls = []wc.NewCall{
	pair("mary", "john", true), pair("james", "mary", true),
	space("g/p", "product_team", true), space("g/q", "product_team", true),
	{ID: "g/room", Owner: wc.Ref{Type: wc.OwnerChatRoom, ID: "team-welcome"}, Provider: "webrtc", Title: "room", Start: true},
}

func runCluster(t *testing.T, src source, wrap func(control) control) error {
	if wrap == nil {
		wrap = func(c control) control { return c }
	}
	c := &cluster{
		t: t, src: src, wrap: wrap, store: memstore.New(), dir: newPeople(), seats: make(map[wc.SeatID]*held),
		bus:   &badBus{PubSub: wc.NewLocalPubSub(), rng: rand.New(rand.NewPCG(1, uint64(src.intN("bus", 1000))))},
		nodes: make([]*clusterNode, 2+src.intN("nodes", 2)),
	}
	defer c.close()
	for i := range c.nodes {
		c.boot(i)
	}
	for i, user := range []string{"mary", "john", "james", "jack"} {
		for j := range 2 {
			d := &device{by: dev(user, fmt.Sprint(user, j)), home: (i + j) % len(c.nodes), alive: true, seats: make(map[wc.CallID]*held)}
			c.devices = append(c.devices, d)
			c.connect(d)
		}
	}
	for step := 0; step < clusterSteps && c.flaw == nil; step++ {
		c.step()
		synctest.Wait()
		c.checkRecords()
	}
	if c.flaw == nil {
		c.quiet()
	}
	if c.flaw != nil {
		return fmt.Errorf("%w\n%s", c.flaw, c.story())
	}
	return nil
}

func (c *cluster) fault(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flaw == nil {
		c.flaw = fmt.Errorf(format, args...)
	}
}

func (c *cluster) boot(i int) {
	n := startNode(c.t, c.store, c.dir, wc.Options{NodeName: fmt.Sprint("n", i), PubSub: c.bus, HistoryWindow: 240 * time.Hour})
	c.nodes[i] = &clusterNode{node: n, control: c.wrap(n.Service), since: time.Now()}
	synctest.Wait()
	for _, d := range c.devices {
		if d.sub == nil {
			c.connect(d)
		}
	}
}

func (c *cluster) crash(i int) {
	c.nodes[i].stop()
	c.nodes[i], c.crashed = nil, time.Now()
	for _, d := range c.devices {
		if d.home == i {
			d.sub = nil
			c.connect(d)
		}
	}
}

// connect subscribes a device at its node, or at another one if that is down,
// and goes on where it was.
func (c *cluster) connect(d *device) {
	if c.nodes[d.home] == nil {
		d.home = slices.IndexFunc(c.nodes, func(n *clusterNode) bool { return n != nil })
	}
	if d.home < 0 {
		d.home = 0
		return
	}
	d.mu.Lock()
	var after wc.Position
	if len(d.got) > 0 {
		after = d.got[len(d.got)-1]
	}
	d.mu.Unlock()
	sub, err := c.nodes[d.home].Subscribe(context.Background(), d.by, wc.UserTopic(d.by.User), &after, func(e *wc.Event) {
		d.mu.Lock()
		defer d.mu.Unlock()
		if e.Type == wc.EventReset {
			c.fault("%v was told to start over", d.by)
		}
		d.got = append(d.got, e.Position)
	})
	if err != nil {
		c.fault("%v can't subscribe: %w", d.by, err)
		return
	}
	d.sub = sub
}

func (c *cluster) close() {
	for _, d := range c.devices {
		if d.sub != nil {
			d.sub.Close()
		}
	}
	for _, n := range c.nodes {
		if n != nil {
			n.stop()
		}
	}
	c.bus.wg.Wait()
}

// up returns the nodes that run.
func (c *cluster) up() []*clusterNode {
	return slices.DeleteFunc(slices.Clone(c.nodes), func(n *clusterNode) bool { return n == nil })
}

// pass lets time go by; devices that are alive renew every five seconds.
func (c *cluster) pass(d time.Duration) {
	for d > 0 && c.flaw == nil {
		slice := min(d, 5*time.Second)
		time.Sleep(slice)
		d -= slice
		for _, dv := range c.devices {
			if dv.alive {
				c.renewAll(dv)
			}
		}
	}
}

func (c *cluster) renewAll(d *device) {
	n := c.nodes[d.home]
	if n == nil {
		return
	}
	for id, h := range d.seats {
		switch err := n.RenewSeat(context.Background(), d.by, h.ref); {
		case err == nil:
			h.renewed = time.Now()
			if !c.stored(h.ref) && !c.fresh(h.ref.Call) {
				c.fault("%v renewed a seat that is not there: %+v", d.by, h.ref)
			}
		case wc.CodeOf(err) == wc.CodeGone || wc.CodeOf(err) == wc.CodeNotFound || wc.CodeOf(err) == wc.CodeDenied:
			delete(d.seats, id)
			c.checkLoss(h)
		default:
			c.fault("%v renewing %+v: %w", d.by, h.ref, err)
		}
	}
}

// record reads a call as it is stored; nil if there is none.
func (c *cluster) record(id wc.CallID) *wc.Call {
	call, err := c.store.Call(context.Background(), id)
	if err != nil && !errors.Is(err, wc.ErrNotFound) {
		c.fault("read %s: %w", id, err)
	}
	return call
}

// stored tells whether the store holds a seat.
func (c *cluster) stored(ref wc.SeatRef) bool {
	call := c.record(ref.Call)
	return call != nil && call.Epoch == ref.Epoch && slices.ContainsFunc(call.Seats, func(s wc.Seat) bool { return s.ID == ref.Seat })
}

// fresh tells whether a call changed so lately that a node which keeps leases
// of it may not know yet: what the bus loses is found by polling.
func (c *cluster) fresh(id wc.CallID) bool {
	events := c.journal(wc.CallTopic(id))
	return len(events) > 0 && time.Since(events[len(events)-1].Time) < slack
}

// admitted notes what a device was given.
func (c *cluster) admitted(d *device, a *wc.Admission, err error) {
	if c.refused(d, "join", err) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.seats[a.Seat.Seat]
	if h == nil {
		h = &held{ref: a.Seat, dev: d}
		c.seats[a.Seat.Seat] = h
		c.old = append(c.old, h)
	}
	h.renewed = time.Now()
	d.seats[a.Seat.Call] = h
}

// refused tells whether a command failed, and whether that is in order.
func (c *cluster) refused(d *device, what string, err error) bool {
	switch wc.CodeOf(err) {
	case wc.CodeConflict, wc.CodeDenied, wc.CodeNotFound, wc.CodeGone, wc.CodeInvalid, wc.CodeUnsupported, wc.CodeLimited:
	default:
		if err != nil {
			c.fault("%v: %s: %w", d.by, what, err)
		}
	}
	return err != nil
}
