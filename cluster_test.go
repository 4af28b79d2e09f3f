package webconferencing_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	wc "github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/memstore"
)

// badBus loses, doubles and delays what is published, so that it arrives in
// any order.
type badBus struct {
	wc.PubSub
	mu  sync.Mutex
	rng *rand.Rand
	wg  sync.WaitGroup
}

func (b *badBus) Publish(ctx context.Context, topic string, payload []byte) error {
	b.mu.Lock()
	copies, delay := b.rng.IntN(3), time.Duration(b.rng.IntN(3000))*time.Millisecond
	b.mu.Unlock()
	for range copies {
		b.wg.Go(func() {
			time.Sleep(delay) // virtual
			_ = b.PubSub.Publish(context.WithoutCancel(ctx), topic, payload)
		})
	}
	return nil
}

// deafBus says that it works and does nothing.
type deafBus struct{}

func (deafBus) Publish(context.Context, string, []byte) error { return errBoom }
func (deafBus) Subscribe(context.Context, string, func([]byte)) (io.Closer, error) {
	return io.NopCloser(strings.NewReader("")), nil
}

// record keeps a user's events as position and text.
type record struct {
	mu  sync.Mutex
	pos []wc.Position
	got []string
}

func (r *record) add(e *wc.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pos = append(r.pos, e.Position)
	r.got = append(r.got, short(e))
}

func TestTwoNodes(t *testing.T) {
	for _, name := range []string{"good bus", "bad bus", "deaf bus"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testTwoNodes(t, name) })
		})
	}
}

func testTwoNodes(t *testing.T, name string) {
	local := wc.NewLocalPubSub()
	var bus wc.PubSub = local
	var bad *badBus
	switch name {
	case "bad bus":
		bad = &badBus{PubSub: local, rng: rand.New(rand.NewPCG(1, 2))}
		bus = bad
	case "deaf bus":
		bus = deafBus{}
	}
	store, dir := memstore.New(), newPeople()
	a := startNode(t, store, dir, wc.Options{NodeName: "a", PubSub: bus})
	b := startNode(t, store, dir, wc.Options{NodeName: "b", PubSub: bus})
	defer a.stop()
	defer b.stop()
	synctest.Wait()

	atA, atB := &record{}, &record{}
	must[*wc.Subscription](t)(a.Subscribe(t.Context(), john, wc.UserTopic("john"), nil, atA.add))
	must[*wc.Subscription](t)(b.Subscribe(t.Context(), john, wc.UserTopic("john"), nil, atB.add))

	nodes := []*node{a, b}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			n := nodes[i%2]
			call := space(fmt.Sprintf("e/%d", i), "product_team", true)
			call.Owner.Type = wc.OwnerSpaceEvent
			c, err := n.CreateCall(t.Context(), mary, call)
			if err != nil {
				t.Error(err)
				return
			}
			time.Sleep(time.Duration(i*37%500) * time.Millisecond)
			if _, err := nodes[(i+1)%2].JoinCall(t.Context(), mary, c.ID); err != nil {
				t.Error(err)
			}
			if _, err := n.StopCall(t.Context(), mary, c.ID); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	time.Sleep(5 * time.Second)
	synctest.Wait()
	if len(atA.got) != 60 || !slices.Equal(atA.pos, atB.pos) || !slices.Equal(atA.got, atB.got) || !slices.IsSorted(atA.pos) {
		t.Errorf("node a told %d events, node b %d, want 60 each and the same", len(atA.got), len(atB.got))
	}
	if i := firstDouble(atB.pos); i >= 0 {
		t.Errorf("event %d came twice", atB.pos[i])
	}
	if bad != nil {
		bad.wg.Wait()
	}
}

func firstDouble(pos []wc.Position) int {
	for i := 1; i < len(pos); i++ {
		if pos[i] == pos[i-1] {
			return i
		}
	}
	return -1
}

// A node dies: who comes back to the other one stays and nobody is told
// anything, who does not is gone within 30 s, once.
func TestNodeDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus, store, dir := wc.NewLocalPubSub(), memstore.New(), newPeople()
		a := startNode(t, store, dir, wc.Options{NodeName: "a", PubSub: bus})
		b := startNode(t, store, dir, wc.Options{NodeName: "b", PubSub: bus})
		c := startNode(t, store, dir, wc.Options{NodeName: "c", PubSub: bus})
		defer b.stop()
		defer c.stop()
		time.Sleep(time.Minute)
		call := must[*wc.Call](t)(a.CreateCall(t.Context(), mary, space("g/p", "product_team", true)))
		ofMary := must[*wc.Admission](t)(a.JoinCall(t.Context(), mary, call.ID)).Seat
		must[*wc.Admission](t)(a.JoinCall(t.Context(), john, call.ID))
		keepAlive(t, a.Service, mary, ofMary, 10*time.Second)
		in := listen(t, b.Service, "james")
		a.stop()
		died := time.Now()

		time.Sleep(8 * time.Second)
		back := must[wc.SeatRef](t)(b.FindSeat(t.Context(), mary, call.ID))
		if back != ofMary {
			t.Errorf("mary came back to seat %+v, had %+v", back, ofMary)
		}
		for time.Since(died) < 30*time.Second {
			if err := b.RenewSeat(t.Context(), mary, back); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
		}
		in.want(t, "james", "call_leaved john")
		now := must[*wc.Call](t)(b.Call(t.Context(), mary, call.ID))
		if !now.Present("mary") || now.Present("john") {
			t.Errorf("seats are %+v", now.Seats)
		}
		// The seat can be renewed at a third node, which takes it over.
		if err := c.RenewSeat(t.Context(), mary, back); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if n := b.Stats().Seats; n != 0 {
			t.Errorf("the node that gave the seat away keeps %d leases", n)
		}
		keepAlive(t, c.Service, mary, back, 2*time.Minute)
		in.want(t, "james", "call_missed")
	})
}

func TestDeadlinesFireOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus, store, dir := wc.NewLocalPubSub(), memstore.New(), newPeople()
		var nodes []*node
		for _, name := range []string{"a", "b", "c"} {
			n := startNode(t, store, dir, wc.Options{NodeName: name, PubSub: bus})
			defer n.stop()
			nodes = append(nodes, n)
		}
		in := listen(t, nodes[2].Service, "john")
		must[*wc.Call](t)(nodes[0].CreateCall(t.Context(), mary, pair("mary", "john", true)))
		time.Sleep(2 * time.Minute)
		in.want(t, "john", "started", "stopped(missed)")
	})
}

// A process that was away for an hour and comes back alone over the same
// store: who returns keeps the call, and a ring goes on.
func TestRestart(t *testing.T) {
	for _, away := range []time.Duration{0, 20 * time.Second, time.Hour, 30 * 24 * time.Hour} {
		t.Run(away.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, dir := memstore.New(), newPeople()
				a := startNode(t, store, dir, wc.Options{NodeName: "only"})
				synctest.Wait()
				live := must[*wc.Call](t)(a.CreateCall(t.Context(), mary, pair("mary", "john", true)))
				must[*wc.Admission](t)(a.JoinCall(t.Context(), mary, live.ID))
				must[*wc.Admission](t)(a.JoinCall(t.Context(), john, live.ID))
				ringing := must[*wc.Call](t)(a.CreateCall(t.Context(), jack, pair("jack", "james", true)))
				lost := must[*wc.Call](t)(a.CreateCall(t.Context(), james, space("g/s", "sales_team", true)))
				must[*wc.Admission](t)(a.JoinCall(t.Context(), james, lost.ID))
				a.stop()
				time.Sleep(away)

				b := startNode(t, store, dir, wc.Options{NodeName: "only"})
				defer b.stop()
				synctest.Wait()
				m, k := listen(t, b.Service, "mary"), listen(t, b.Service, "jack")
				time.Sleep(10 * time.Second)
				ofMary := must[wc.SeatRef](t)(b.FindSeat(t.Context(), mary, live.ID))
				ofJohn := must[wc.SeatRef](t)(b.FindSeat(t.Context(), john, live.ID))
				for range 9 {
					for who, ref := range map[wc.Actor]wc.SeatRef{mary: ofMary, john: ofJohn} {
						if err := b.RenewSeat(t.Context(), who, ref); err != nil {
							t.Fatal(err)
						}
					}
					time.Sleep(2 * time.Second)
				}
				// 28 s after the start: the call that nobody came back to is
				// over, the ring goes on.
				m.want(t, "mary")
				k.want(t, "jack", "call_leaved james", "stopped(expired)")
				must[*wc.Call](t)(b.Call(t.Context(), jack, ringing.ID))
				time.Sleep(20 * time.Second)
				k.want(t, "jack", "stopped(missed)")
			})
		})
	}
}

// A device that renews stays, one that falls silent is gone within 30 s and
// can't come back to the seat.
func TestSilentDevice(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		c := must[*wc.Call](t)(s.CreateCall(t.Context(), mary, space("g/p", "product_team", true)))
		adm := must[*wc.Admission](t)(s.JoinCall(t.Context(), mary, c.ID))
		in := listen(t, s.Service, "john")
		keepAlive(t, s.Service, mary, adm.Seat, time.Minute)
		in.want(t, "john", "call_missed")
		died := time.Now()
		for len(in.take()) == 0 {
			time.Sleep(time.Second)
			if time.Since(died) > 30*time.Second {
				t.Fatal("a silent device is still in the call after 30 s")
			}
		}
		wantCode(t, s.RenewSeat(t.Context(), mary, adm.Seat), wc.CodeGone)
	})
}

// Closing the connection is not leaving, if the device is back soon.
func TestGrace(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		c := must[*wc.Call](t)(s.CreateCall(t.Context(), mary, pair("mary", "john", true)))
		must[*wc.Admission](t)(s.JoinCall(t.Context(), mary, c.ID))
		ofJohn := must[*wc.Admission](t)(s.JoinCall(t.Context(), john, c.ID)).Seat
		m := listen(t, s.Service, "mary")
		s.DetachSeat(ofJohn)
		time.Sleep(8 * time.Second)
		must[wc.SeatRef](t)(s.FindSeat(t.Context(), john, c.ID))
		time.Sleep(10 * time.Second)
		m.want(t, "mary")
		s.DetachSeat(ofJohn)
		must[*wc.Admission](t)(s.JoinCall(t.Context(), mary, c.ID))
		time.Sleep(12 * time.Second)
		m.want(t, "mary", "call_leaved john", "stopped(expired)")
	})
}

func TestResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, dir := memstore.New(), newPeople()
		a := startNode(t, store, dir, wc.Options{})
		synctest.Wait()
		seen := &record{}
		must[*wc.Subscription](t)(a.Subscribe(t.Context(), john, wc.UserTopic("john"), nil, seen.add))
		c := must[*wc.Call](t)(a.CreateCall(t.Context(), mary, space("g/p", "product_team", true)))
		synctest.Wait()
		a.stop()
		// Committed while nobody dispatches.
		must[*wc.Admission](t)(a.JoinCall(t.Context(), mary, c.ID))
		b := startNode(t, store, dir, wc.Options{})
		defer b.stop()
		synctest.Wait()
		rest := &record{}
		must[*wc.Subscription](t)(b.Subscribe(t.Context(), john, wc.UserTopic("john"), &seen.pos[0], rest.add))
		must[*wc.Call](t)(b.StopCall(t.Context(), mary, c.ID))
		synctest.Wait()
		if want := []string{"call_joined mary", "stopped(ended)"}; !slices.Equal(rest.got, want) {
			t.Errorf("after the restart john was told %q, want %q", rest.got, want)
		}
		time.Sleep(20 * time.Minute) // the history window passes
		_, err := b.Subscribe(t.Context(), john, wc.UserTopic("john"), &seen.pos[0], rest.add)
		wantCode(t, err, wc.CodeGone)
	})
}

// Sixteen devices hammer one call from two nodes; under the race detector.
func TestConcurrentCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus, store, dir := wc.NewLocalPubSub(), memstore.New(), newPeople()
		nodes := []*node{
			startNode(t, store, dir, wc.Options{NodeName: "a", PubSub: bus}),
			startNode(t, store, dir, wc.Options{NodeName: "b", PubSub: bus}),
		}
		defer nodes[0].stop()
		defer nodes[1].stop()
		synctest.Wait()
		must[*wc.Call](t)(nodes[0].CreateCall(t.Context(), mary, space("g/p", "product_team", true)))
		synctest.Wait()
		seen := &record{}
		must[*wc.Subscription](t)(nodes[1].Subscribe(t.Context(), mary, wc.CallTopic("g/p"), nil, seen.add))
		users := []string{"mary", "john", "james"}
		var wg sync.WaitGroup
		for i := range 16 {
			by := dev(users[i%3], fmt.Sprint("d", i))
			n := nodes[i%2]
			wg.Go(func() {
				for range 25 {
					if _, err := n.JoinCall(t.Context(), by, "g/p"); err != nil {
						t.Error(err)
						return
					}
					if _, err := n.LeaveCall(t.Context(), by, "g/p", nil); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		c := must[*wc.Call](t)(nodes[0].Call(t.Context(), mary, "g/p"))
		if len(c.Seats) != 0 || c.State != wc.StateStopped {
			t.Errorf("after all left: %+v", c)
		}
		joined, left := 0, 0
		for _, e := range seen.got {
			switch {
			case strings.HasPrefix(e, "call_joined"):
				joined++
			case strings.HasPrefix(e, "call_leaved"), strings.HasPrefix(e, "call_device_leaved"):
				left++
			}
		}
		if joined != 400 || left != 400 || firstDouble(seen.pos) >= 0 || !slices.IsSorted(seen.pos) {
			t.Errorf("the journal shows %d joins and %d leaves, want 400 each", joined, left)
		}
		for i, n := range nodes {
			if s := n.Stats().Seats; s != 0 {
				t.Errorf("node %d keeps %d leases of nobody", i, s)
			}
		}
	})
}

func TestThousandJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, store := newPeople(), &counting{Store: memstore.New()}
		var members []wc.UserID
		for i := range 1000 {
			id := wc.UserID(fmt.Sprintf("u%d", i))
			dir.users[id] = &wc.User{ID: id}
			members = append(members, id)
		}
		dir.set(wc.OwnerSpace, "all", members...)
		n := startNode(t, store, dir, wc.Options{})
		defer n.stop()
		must[*wc.Call](t)(n.CreateCall(t.Context(), dev("u0", "c"), space("g/all", "all", true)))
		synctest.Wait()
		last := &record{}
		must[*wc.Subscription](t)(n.Subscribe(t.Context(), dev("u999", "c"), wc.UserTopic("u999"), nil, last.add))
		var wg sync.WaitGroup
		for _, id := range members {
			wg.Go(func() {
				if _, err := n.JoinCall(t.Context(), dev(string(id), "c"), "g/all"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		if c := must[*wc.Call](t)(n.Call(t.Context(), dev("u0", "c"), "g/all")); len(c.Seats) != 1000 {
			t.Errorf("%d of 1000 are inside", len(c.Seats))
		}
		if len(last.got) != 1000 {
			t.Errorf("a member was told of %d of 1000 joins", len(last.got))
		}
		t.Logf("%d commits", store.commits.Load())
	})
}
