package webconferencing_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	wc "github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/faultstore"
	"github.com/webconferencing/webconferencing/store/memstore"
)

// ringScript is the life of a call between two, for the faults of a store.
var ringScript = []faultStep{
	{"call", func(ctx context.Context, s *wc.Service) error {
		_, err := s.CreateCall(ctx, keyed(mary, "1"), pair("mary", "john", true))
		return err
	}, func(c *wc.Call) bool { return c.State == wc.StateStarted && c.Version == 1 }},
	{"take the seat", func(ctx context.Context, s *wc.Service) error {
		_, err := s.JoinCall(ctx, mary, "p/john@mary")
		return err
	}, func(c *wc.Call) bool { return c.Present("mary") }},
	{"ring", func(ctx context.Context, s *wc.Service) error {
		_, err := s.Ringing(ctx, john, "p/john@mary")
		return err
	}, func(c *wc.Call) bool { return legs(c, "john") == "j1 ringing" }},
	{"ring on the second device", func(ctx context.Context, s *wc.Service) error {
		_, err := s.Ringing(ctx, john2, "p/john@mary")
		return err
	}, func(c *wc.Call) bool { return legs(c, "john") == "j1 ringing, j2 ringing" }},
	{"accept", func(ctx context.Context, s *wc.Service) error {
		_, err := s.AcceptCall(ctx, keyed(john, "2"), "p/john@mary")
		return err
	}, func(c *wc.Call) bool {
		return c.Present("john") && legs(c, "john") == "j1 answered, j2 elsewhere by j1"
	}},
	{"accept on the second device", func(ctx context.Context, s *wc.Service) error {
		_, err := s.AcceptCall(ctx, john2, "p/john@mary")
		if reason(err) == wc.ReasonAnsweredElsewhere {
			return nil
		}
		return errors.Join(err, errors.New("two devices have answered"))
	}, func(c *wc.Call) bool { return len(c.Seats) == 2 }},
	{"go on there", func(ctx context.Context, s *wc.Service) error {
		_, err := s.TakeOver(ctx, john2, "p/john@mary")
		return err
	}, func(c *wc.Call) bool { return c.Seat("john", "j2") != nil && len(c.Seats) == 2 }},
	{"force the end", func(ctx context.Context, s *wc.Service) error {
		_, err := s.ForceEnd(ctx, keyed(admin, "3"), "p/john@mary", "test")
		if wc.CodeOf(err) == wc.CodeNotFound {
			return nil
		}
		return err
	}, func(c *wc.Call) bool { return !c.Removed.IsZero() && len(c.Seats) == 0 }},
	{"call again", func(ctx context.Context, s *wc.Service) error {
		_, err := s.CreateCall(ctx, keyed(john, "4"), pair("john", "mary", true))
		return err
	}, func(c *wc.Call) bool { return c.State == wc.StateStarted && c.Starter == "john" }},
	{"decline", func(ctx context.Context, s *wc.Service) error {
		_, err := s.DeclineCall(ctx, mary, "p/john@mary")
		if wc.CodeOf(err) == wc.CodeNotFound {
			return nil
		}
		return err
	}, func(c *wc.Call) bool { return c.Reason == wc.ReasonDeclined }},
}

func keyed(by wc.Actor, key string) wc.Actor {
	by.Key = key
	return by
}

// While others join and renew on three nodes, one ends the call for all: no
// seat of the ended run is left (C17).
func TestEndRacesJoinsAndRenewals(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			store, dir, bus := memstore.New(), newPeople(), wc.NewLocalPubSub()
			var nodes []*node
			for _, name := range []string{"a", "b", "c"} {
				n := startNode(t, store, dir, wc.Options{NodeName: name, PubSub: bus})
				defer n.stop()
				nodes = append(nodes, n)
			}
			time.Sleep(time.Second)
			must[*wc.Call](t)(nodes[0].CreateCall(t.Context(), mary, space("g/p", "product_team", true)))
			var wg sync.WaitGroup
			for i := range 20 {
				by, n := dev([]string{"mary", "john", "james"}[i%3], fmt.Sprint("d", i)), nodes[i%3]
				wg.Go(func() {
					adm, err := n.JoinCall(t.Context(), by, "g/p")
					if err != nil {
						t.Error(err)
						return
					}
					if err := n.RenewSeat(t.Context(), by, adm.Seat); err != nil && reason(err) != wc.ReasonSeatGone {
						t.Error(err)
					}
				})
				if i == 10 {
					wg.Go(func() { must[*wc.Call](t)(nodes[2].StopCall(t.Context(), mary, "g/p")) })
				}
			}
			wg.Wait()
			c := must[*wc.Call](t)(nodes[0].Call(t.Context(), mary, "g/p"))
			events := must[[]wc.Event](t)(nodes[0].Timeline(t.Context(), admin, "g/p"))
			left := make(map[wc.ClientID]bool) // by the events of the last run
			for _, e := range events {
				switch {
				case e.Type == wc.EventJoined:
					left[e.Client] = true
				case e.Type == wc.EventState && e.State == wc.StateStopped:
					clear(left)
				}
			}
			if len(left) != len(c.Seats) {
				t.Errorf("%d seats, the timeline explains %d", len(c.Seats), len(left))
			}
			time.Sleep(40 * time.Second)
			for _, n := range nodes {
				if got := n.Stats().Seats; got != 0 {
					t.Errorf("%d leases are left", got)
				}
			}
		})
	}
}

// Housekeeping that panics, hangs and finds a heap of work afterwards catches
// up (C15, C16).
func TestHousekeepingCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := faultstore.New(memstore.New())
		s := startNode(t, store, newPeople(), wc.Options{RingTimeout: 20 * time.Second})
		defer s.stop()
		const calls = 400
		for i := range calls {
			n := pair("mary", "john", true)
			n.ID = wc.CallID(fmt.Sprint("p/", i))
			must[*wc.Call](t)(s.CreateCall(t.Context(), mary, n))
		}
		time.Sleep(10 * time.Second)
		store.Inject(
			faultstore.Fault{Method: faultstore.Due, Panic: "sweeper", Times: 10},
			faultstore.Fault{Method: faultstore.Due, Delay: time.Hour, Nth: 11},
		)
		time.Sleep(time.Minute)
		if live := must[[]*wc.Call](t)(s.LiveCalls(t.Context(), admin)); len(live) != 0 {
			t.Errorf("%d of %d calls go on", len(live), calls)
		}
		if h := s.Health(t.Context()); !h.Ready {
			t.Errorf("health is %+v", h)
		}
	})
}

// Two nodes make a call for one group at the same time: there is one (C21).
func TestOneGroupHasOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, dir := memstore.New(), newPeople()
		a, b := startNode(t, store, dir, wc.Options{NodeName: "a"}), startNode(t, store, dir, wc.Options{NodeName: "b"})
		defer a.stop()
		defer b.stop()
		for round := range 50 {
			var wg sync.WaitGroup
			for i, n := range []*node{a, b} {
				id := wc.CallID(fmt.Sprintf("g/%d-%d", round, i))
				by := []wc.Actor{mary, john}[i]
				wg.Go(func() {
					if _, err := n.CreateCall(t.Context(), by, space(string(id), "product_team", true)); err != nil {
						if wc.CodeOf(err) != wc.CodeConflict {
							t.Error(err)
						}
						return
					}
					if _, err := n.JoinCall(t.Context(), by, id); err != nil && wc.CodeOf(err) != wc.CodeNotFound {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			live := must[[]*wc.Call](t)(a.LiveCalls(t.Context(), admin))
			if len(live) != 1 {
				t.Fatalf("round %d: %d live calls of one group", round, len(live))
			}
			must[*wc.Call](t)(a.StopCall(t.Context(), mary, live[0].ID))
		}
	})
}

// Whoever stands in one queue with somebody who wants to make a call for a group
// that has one is not refused for it.
func TestOthersDoNotPayForARefusedCall(t *testing.T) {
	for round := range 300 {
		synctest.Test(t, func(t *testing.T) {
			store, dir := &counting{Store: memstore.New()}, newPeople()
			a, b := startNode(t, store, dir, wc.Options{NodeName: "a"}), startNode(t, store, dir, wc.Options{NodeName: "b"})
			defer a.stop()
			defer b.stop()
			nodes, users := []*node{a, b}, []wc.Actor{mary, john, james}
			var wg sync.WaitGroup
			for i := range 6 {
				id, by, n := wc.CallID(fmt.Sprint("g/", (i+round)%2)), users[i%3], nodes[(i/2+round)%2]
				wg.Go(func() {
					_, err := n.CreateCall(t.Context(), by, space(string(id), "product_team", true))
					if code := wc.CodeOf(err); err != nil && code != wc.CodeConflict {
						t.Errorf("create: %v", err)
					}
					_, err = n.LeaveCall(t.Context(), by, id, nil)
					if code := wc.CodeOf(err); err != nil && code != wc.CodeNotFound {
						t.Errorf("leave: %v", err)
					}
				})
			}
			wg.Wait()
		})
	}
}

// Nodes that start and stop touch no seat of a node that lives (C4).
func TestStartingNodesTouchNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, dir := memstore.New(), newPeople()
		a := startNode(t, store, dir, wc.Options{NodeName: "a"})
		defer a.stop()
		var seats []wc.SeatRef
		var owners []wc.Actor
		for i := range 4 {
			n := space(fmt.Sprint("e/", i), "product_team", true)
			n.Owner.Type = wc.OwnerSpaceEvent
			must[*wc.Call](t)(a.CreateCall(t.Context(), mary, n))
			for d := range 48 {
				by := dev([]string{"mary", "john", "james"}[d%3], fmt.Sprint("d", d))
				seats = append(seats, must[*wc.Admission](t)(a.JoinCall(t.Context(), by, n.ID)).Seat)
				owners = append(owners, by)
			}
		}
		for range 20 {
			b := startNode(t, store, dir, wc.Options{NodeName: "b"})
			time.Sleep(10 * time.Second)
			for i, ref := range seats {
				if err := a.RenewSeat(t.Context(), owners[i], ref); err != nil {
					t.Fatal(err)
				}
			}
			b.stop()
		}
		if n := len(must[[]wc.SeatStatus](t)(a.LiveSeats(t.Context(), admin))); n != len(seats) {
			t.Errorf("%d of %d seats are left", n, len(seats))
		}
	})
}

// A store that answers slowly does not look like a process that stood still:
// the leases run out in their time.
func TestSlowStoreProlongsNoLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := faultstore.New(memstore.New())
		s := startNode(t, store, newPeople(), wc.Options{})
		defer s.stop()
		synctest.Wait()
		must[*wc.Call](t)(s.CreateCall(t.Context(), mary, space("g/p", "product_team", true)))
		must[*wc.Admission](t)(s.JoinCall(t.Context(), mary, "g/p"))
		store.Inject(faultstore.Fault{Method: faultstore.Due, Delay: 5 * time.Second, Times: faultstore.Forever})
		time.Sleep(40 * time.Second)
		if seats := must[[]wc.SeatStatus](t)(s.LiveSeats(t.Context(), admin)); len(seats) > 0 {
			t.Errorf("a silent device is still inside: %+v", seats)
		}
	})
}
