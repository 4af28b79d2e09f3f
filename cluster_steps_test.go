package webconferencing_test

import (
	"context"
	"slices"
	"sync"
	"time"

	wc "github.com/webconferencing/webconferencing"
)

// step does one random thing.
func (c *cluster) step() {
	switch c.src.intN("step", 24) {
	case 0, 1, 2, 3:
		c.pass(time.Duration(c.src.intN("seconds", 20)) * time.Second)
	case 4:
		if i := c.src.intN("node", len(c.nodes)); c.nodes[i] != nil {
			c.crash(i)
		} else {
			c.boot(i)
		}
	case 5:
		if i := c.src.intN("node", len(c.nodes)); c.nodes[i] == nil {
			c.boot(i)
		}
	case 6:
		d := pick(c.src, "device", c.devices)
		d.alive = !d.alive
		if d.alive {
			c.renewAll(d)
		}
	case 7:
		c.roam(pick(c.src, "device", c.devices))
	case 8:
		if d := c.actor(); d != nil {
			c.create(d, pick(c.src, "call", clusterCalls))
		}
	case 9:
		c.staleLeave()
	case 10:
		c.staleRenew()
	case 11:
		c.acceptOnBoth()
	case 12, 13:
		c.atOnce()
	default:
		if d := c.actor(); d != nil {
			c.command(d, pick(c.src, "call", clusterCalls), 3+c.src.intN("command", 13))
		}
	}
}

// actor picks a device that is alive and has a node to talk to.
func (c *cluster) actor() *device {
	d := pick(c.src, "device", c.devices)
	if !d.alive || c.nodes[d.home] == nil {
		return nil
	}
	return d
}

// create calls somebody; a call with people inside must survive it.
func (c *cluster) create(d *device, call wc.NewCall) {
	before := make(map[wc.CallID]*wc.Call)
	for _, n := range clusterCalls {
		before[n.ID] = c.record(n.ID)
	}
	c.command(d, call, 0)
	for id, b := range before {
		after := c.record(id)
		if b != nil && len(b.Seats) > 0 && (after == nil || after.Epoch != b.Epoch || len(after.Seats) == 0) {
			c.fault("%v created %s, and %s with %d people inside was over", d.by, call.ID, id, len(b.Seats))
		}
	}
}

// roam moves a device to another node, as a load balancer would.
func (c *cluster) roam(d *device) {
	if d.sub == nil {
		return
	}
	d.sub.Close()
	d.home = c.src.intN("home", len(c.nodes))
	c.connect(d)
}

// command lets a device do something with a call.
func (c *cluster) command(d *device, call wc.NewCall, what int) {
	ctx, n, id := context.Background(), c.nodes[d.home], call.ID
	switch what {
	case 0, 1, 2:
		_, err := n.CreateCall(ctx, d.by, call)
		c.refused(d, "create", err)
	case 3:
		_, err := n.StartCall(ctx, d.by, id)
		c.refused(d, "start", err)
	case 4, 5:
		a, err := n.JoinCall(ctx, d.by, id)
		c.admitted(d, a, err)
	case 6, 7:
		a, err := n.AcceptCall(ctx, d.by, id)
		c.admitted(d, a, err)
	case 8:
		a, err := n.TakeOver(ctx, d.by, id)
		c.admitted(d, a, err)
	case 9:
		_, err := n.LeaveCall(ctx, d.by, id, nil)
		c.refused(d, "leave", err)
		c.mu.Lock()
		delete(d.seats, id)
		c.mu.Unlock()
	case 10:
		_, err := n.DeclineCall(ctx, d.by, id)
		c.refused(d, "decline", err)
	case 11:
		_, err := n.RefuseBusy(ctx, d.by, id)
		c.refused(d, "busy", err)
	case 12:
		_, err := n.Ringing(ctx, d.by, id)
		c.refused(d, "ringing", err)
	case 13:
		whom := wc.UserID("john")
		if d.by.User == whom {
			whom = "mary"
		}
		_, err := n.RingAgain(ctx, d.by, id, whom)
		c.refused(d, "ring again", err)
	case 14:
		_, err := n.RemoveParticipant(ctx, d.by, id, "james")
		c.refused(d, "remove", err)
	default:
		_, err := n.StopCall(ctx, d.by, id)
		c.refused(d, "stop", err)
	}
}

// staleLeave lets a leave arrive that was held up since an earlier seat.
func (c *cluster) staleLeave() {
	h, n := c.stale()
	if h == nil {
		return
	}
	before := c.record(h.ref.Call)
	_, err := n.LeaveCall(context.Background(), h.dev.by, h.ref.Call, &wc.LeaveOptions{Epoch: h.ref.Epoch, Seat: h.ref.Seat})
	c.refused(h.dev, "stale leave", err)
	if after := c.record(h.ref.Call); before != nil && after != nil && after.Version != before.Version {
		c.fault("the leave of a seat that was gone (%+v) changed the call from version %d to %d", h.ref, before.Version, after.Version)
	}
}

// staleRenew lets a renewal of a seat arrive that is gone.
func (c *cluster) staleRenew() {
	h, n := c.stale()
	if h == nil {
		return
	}
	err := n.RenewSeat(context.Background(), h.dev.by, h.ref)
	if err == nil && !c.fresh(h.ref.Call) || c.stored(h.ref) {
		c.fault("a seat that was gone could be renewed: %+v", h.ref)
	}
	c.refused(h.dev, "stale renewal", err)
}

// stale picks a seat that is not in the store any more, and a node.
func (c *cluster) stale() (*held, *clusterNode) {
	gone := slices.DeleteFunc(slices.Clone(c.old), func(h *held) bool { return c.stored(h.ref) })
	up := c.up()
	if len(gone) == 0 || len(up) == 0 {
		return nil, nil
	}
	return pick(c.src, "stale", gone), pick(c.src, "node", up)
}

// acceptOnBoth lets both devices of a user answer the same ring at once.
func (c *cluster) acceptOnBoth() {
	i := 2 * c.src.intN("user", len(c.devices)/2)
	two := c.devices[i : i+2]
	id := pick(c.src, "call", clusterCalls).ID
	call := c.record(id)
	if call == nil || !rings(call, two[0].by.User) || c.nodes[two[0].home] == nil || c.nodes[two[1].home] == nil {
		return
	}
	var wg sync.WaitGroup
	for _, d := range two {
		wg.Go(func() {
			a, err := c.nodes[d.home].AcceptCall(context.Background(), d.by, id)
			c.admitted(d, a, err)
		})
	}
	wg.Wait()
	if call := c.record(id); call != nil && call.Seat(two[0].by.User, two[0].by.Client) != nil && call.Seat(two[1].by.User, two[1].by.Client) != nil {
		c.fault("both devices of %s won the ring of %s", two[0].by.User, id)
	}
}

func rings(call *wc.Call, user wc.UserID) bool {
	p := call.Participant(user)
	return p != nil && p.Ring == wc.RingRinging
}

// atOnce lets several devices do something with the same call, or the same
// group, at the same time.
func (c *cluster) atOnce() {
	about := pick(c.src, "call", clusterCalls)
	var wg sync.WaitGroup
	for _, i := range []int{0, 2, 4} { // one device each of three users
		call := about
		d := c.devices[i+c.src.intN("which", 2)]
		what := c.src.intN("command", 16)
		if call.Owner.ID == "product_team" {
			call.ID = pick(c.src, "id", []wc.CallID{"g/p", "g/q"})
		}
		if d.alive && c.nodes[d.home] != nil {
			wg.Go(func() { c.command(d, call, what) })
		}
	}
	wg.Wait()
}
