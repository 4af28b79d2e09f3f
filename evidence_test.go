package webconferencing_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	wc "github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/connector/connectortest"
	"github.com/webconferencing/webconferencing/store/memstore"
)

// hook sends webhooks of the simulated server to a node.
func hook(t *testing.T, s *node) func(wc.WebhookRequest) error {
	return func(r wc.WebhookRequest) error {
		_, err := s.Providers().Webhook(t.Context(), "simulated", r)
		return err
	}
}

func deliver(t *testing.T, s *node, sim *connectortest.Simulated, d connectortest.Delivery) {
	t.Helper()
	if err := sim.Deliver(d, hook(t, s)); err != nil {
		t.Error(err)
	}
	synctest.Wait()
}

func inside(t *testing.T, s *node, id wc.CallID, user wc.UserID) bool {
	t.Helper()
	c, err := s.Call(t.Context(), admin, id)
	if wc.CodeOf(err) == wc.CodeNotFound {
		for _, live := range must[[]*wc.Call](t)(s.LiveCalls(t.Context(), admin)) {
			if live.ID == id {
				return live.Present(user)
			}
		}
		return false
	}
	return c.Present(user)
}

// meet starts a group call with two people in the simulated meeting.
func meet(t *testing.T, s *node, sim *connectortest.Simulated) (m, j *wc.Admission, mc, jc string) {
	t.Helper()
	c := must[*wc.Call](t)(s.CreateCall(t.Context(), mary, simulatedSpace(true)))
	m = must[*wc.Admission](t)(s.JoinCall(t.Context(), mary, c.ID))
	j = must[*wc.Admission](t)(s.JoinCall(t.Context(), john, c.ID))
	mc, jc = sim.Enter(m.Seat, "mary"), sim.Enter(j.Seat, "john")
	return m, j, mc, jc
}

func TestGoneShortensTheLease(t *testing.T) {
	simulated(t, wc.Options{}, func(t *testing.T, s *node, sim *connectortest.Simulated) {
		m, j, _, jc := meet(t, s, sim)
		sim.Exit(j.Seat, jc)
		deliver(t, s, sim, connectortest.Delivery{})
		if !inside(t, s, m.Call.ID, "john") {
			t.Error("john was removed at once")
		}
		wait(14 * time.Second) // half a lease and a tick
		if inside(t, s, m.Call.ID, "john") {
			t.Error("john is still inside, whose connection ended and who does not renew")
		}
		if !inside(t, s, m.Call.ID, "mary") {
			t.Error("mary, of whom nothing was told, is out")
		}
		line := must[[]wc.Event](t)(s.Timeline(t.Context(), admin, m.Call.ID))
		found := false
		for _, e := range line {
			found = found || e.Cause == wc.CauseProvider && e.Part == "john" && e.Evidence == "left "+jc
			if strings.Contains(fmt.Sprintf("%+v", e), string(j.Seat.Seat)) {
				t.Errorf("the timeline shows a seat: %+v", e)
			}
		}
		if !found {
			t.Errorf("the timeline does not say why: %+v", line)
		}
	})
}

// TestProviderCanNotRemoveWhoRenews is the lying provider.
func TestProviderCanNotRemoveWhoRenews(t *testing.T) {
	simulated(t, wc.Options{}, func(t *testing.T, s *node, sim *connectortest.Simulated) {
		m, j, _, jc := meet(t, s, sim)
		sim.Behave(connectortest.Behaviour{Lie: func([]wc.Attendee) []wc.Attendee { return nil }})
		for i := range 12 {
			if i%3 == 0 {
				sim.Exit(j.Seat, jc)
				jc = sim.Enter(j.Seat, "john")
				sim.Exit(j.Seat, jc)
				deliver(t, s, sim, connectortest.Delivery{})
			}
			for by, ref := range map[wc.Actor]wc.SeatRef{mary: m.Seat, john: j.Seat} {
				if err := s.RenewSeat(t.Context(), by, ref); err != nil {
					t.Fatalf("%s after %d s: %v", by.User, i*10, err)
				}
			}
			wait(10 * time.Second)
		}
	})
}

func TestOrderIsToldByTheConnection(t *testing.T) {
	steps := map[string]struct {
		events func(sim *connectortest.Simulated, ref wc.SeatRef, first string)
		stays  bool
	}{
		"old connection leaves after the new one came": {func(sim *connectortest.Simulated, ref wc.SeatRef, first string) {
			sim.Enter(ref, "john")
			sim.Exit(ref, first)
		}, true},
		"new one comes after the old one left": {func(sim *connectortest.Simulated, ref wc.SeatRef, first string) {
			sim.Exit(ref, first)
			sim.Enter(ref, "john")
		}, true},
		"both leave": {func(sim *connectortest.Simulated, ref wc.SeatRef, first string) {
			second := sim.Enter(ref, "john")
			sim.Exit(ref, first)
			sim.Exit(ref, second)
		}, false},
	}
	for name, step := range steps {
		for seed := range uint64(6) {
			t.Run(fmt.Sprintf("%s, order %d", name, seed), func(t *testing.T) {
				simulated(t, wc.Options{}, func(t *testing.T, s *node, sim *connectortest.Simulated) {
					_, j, _, jc := meet(t, s, sim)
					deliver(t, s, sim, connectortest.Delivery{})
					time.Sleep(time.Second)
					step.events(sim, j.Seat, jc)
					deliver(t, s, sim, connectortest.Delivery{Shuffle: true, Double: 0.5, Seed: seed})
					wait(15 * time.Second) // longer than the shortened lease, shorter than a whole one
					if got := inside(t, s, j.Call.ID, "john"); got != step.stays {
						t.Errorf("inside is %v", got)
					}
				})
			})
		}
	}
}

func TestSilenceAndErrorsChangeNothing(t *testing.T) {
	simulated(t, wc.Options{}, func(t *testing.T, s *node, sim *connectortest.Simulated) {
		m, j, mc, jc := meet(t, s, sim)
		deliver(t, s, sim, connectortest.Delivery{})
		sim.Exit(m.Seat, mc)
		sim.Exit(j.Seat, jc)
		deliver(t, s, sim, connectortest.Delivery{Lose: 1})
		sim.Behave(connectortest.Behaviour{Err: errBoom})
		for range 10 {
			wait(9 * time.Second)
			for by, ref := range map[wc.Actor]wc.SeatRef{mary: m.Seat, john: j.Seat} {
				if err := s.RenewSeat(t.Context(), by, ref); err != nil {
					t.Fatal(err)
				}
			}
		}
		if sim.Calls("Probe") < 2 {
			t.Errorf("probed %d times in 90 s", sim.Calls("Probe"))
		}
		line := must[[]wc.Event](t)(s.Timeline(t.Context(), admin, m.Call.ID))
		for _, e := range line {
			if e.Cause == wc.CauseProvider && strings.HasPrefix(e.Evidence, "left") {
				t.Errorf("errors were taken for %+v", e)
			}
		}
	})
}

func TestProbeFindsWhoIsGone(t *testing.T) {
	simulated(t, wc.Options{}, func(t *testing.T, s *node, sim *connectortest.Simulated) {
		m, j, _, jc := meet(t, s, sim)
		deliver(t, s, sim, connectortest.Delivery{})
		// James is on his way: the provider has not seen him.
		james1 := must[*wc.Admission](t)(s.JoinCall(t.Context(), james, m.Call.ID))
		sim.Exit(j.Seat, jc)
		deliver(t, s, sim, connectortest.Delivery{Lose: 1})
		for range 5 {
			wait(7 * time.Second)
			for by, ref := range map[wc.Actor]wc.SeatRef{mary: m.Seat, james: james1.Seat} {
				if err := s.RenewSeat(t.Context(), by, ref); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.RenewSeat(t.Context(), john, j.Seat); err != nil && wc.CodeOf(err) != wc.CodeGone {
				t.Fatal(err)
			}
		}
		gone := 0
		for _, e := range must[[]wc.Event](t)(s.Timeline(t.Context(), admin, m.Call.ID)) {
			if e.Cause == wc.CauseProvider && strings.HasPrefix(e.Evidence, "left") {
				gone++
				if e.Part != "john" {
					t.Errorf("%s is said to have left", e.Part)
				}
			}
		}
		if gone != 1 {
			t.Errorf("%d leaves were noted, want 1", gone)
		}
	})
}

func TestProviderEndsTheRun(t *testing.T) {
	simulated(t, wc.Options{}, func(t *testing.T, s *node, sim *connectortest.Simulated) {
		m, _, _, _ := meet(t, s, sim)
		in := listen(t, s.Service, "mary")
		sim.Finish(m.Seat)
		deliver(t, s, sim, connectortest.Delivery{Double: 1})
		in.want(t, "mary", "stopped(ended)")
		c := must[*wc.Call](t)(s.Call(t.Context(), mary, m.Call.ID))
		if c.State != wc.StateStopped || len(c.Seats) != 0 {
			t.Errorf("the call is %+v", c)
		}
		// The same webhooks once more, late, for a later run.
		must[*wc.Call](t)(s.StartCall(t.Context(), mary, c.ID))
		again := must[*wc.Admission](t)(s.JoinCall(t.Context(), mary, c.ID))
		for _, ev := range []wc.Evidence{
			{Type: wc.EvidenceEnded, Call: c.ID, Epoch: m.Seat.Epoch},
			{Type: wc.EvidenceEnded, Call: c.ID, Time: again.Call.Started.Add(-time.Second)},
			{Type: wc.EvidenceLeft, Call: c.ID, Epoch: m.Seat.Epoch, Attendee: wc.Attendee{User: "mary", Seat: again.Seat.Seat}},
			{Type: "nonsense", Call: c.ID},
			{Type: wc.EvidenceEnded, Call: "no/such/call"},
		} {
			if err := s.TakeEvidence(t.Context(), "simulated", []wc.Evidence{ev}); err != nil {
				t.Error(err)
			}
		}
		wait(15 * time.Second)
		if !inside(t, s, c.ID, "mary") {
			t.Error("evidence of the old run hit the new one")
		}
	})
}

func TestEvidenceIsOfOnesOwnCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := connectortest.NewSimulated(nil)
		other := connectortest.NewSimulated(&connectortest.SimulatedOptions{Type: "other"})
		n := startNode(t, memstore.New(), newPeople(), wc.Options{Providers: []wc.Provider{sim, other}})
		defer n.stop()
		synctest.Wait()
		m, _, _, _ := meet(t, n, sim)
		end := []wc.Evidence{{Type: wc.EvidenceEnded, Call: m.Call.ID}}
		if err := n.TakeEvidence(t.Context(), "other", end); err != nil {
			t.Error(err)
		}
		if !inside(t, n, m.Call.ID, "mary") {
			t.Error("one provider ended another's call")
		}
		_, err := n.Providers().Webhook(t.Context(), "simulated", wc.WebhookRequest{Method: "POST", Body: []byte(`{"type":"ended","call":"g/product"}`)})
		wantCode(t, err, wc.CodeDenied)
		_, err = n.Providers().Webhook(t.Context(), "nobody", wc.WebhookRequest{})
		wantCode(t, err, wc.CodeNotFound)
		wantCode(t, n.TakeEvidence(t.Context(), "simulated", make([]wc.Evidence, 1001)), wc.CodeLimited)
	})
}

// TestContradictingWebhooks lets people come and go while webhooks are lost,
// doubled, late and out of order and the provider lies. Whoever renews stays,
// and whoever does not is gone within a lease.
func TestContradictingWebhooks(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			simulated(t, wc.Options{}, func(t *testing.T, s *node, sim *connectortest.Simulated) {
				chance := rand.New(rand.NewPCG(seed, 7))
				sim.Behave(connectortest.Behaviour{Only: []string{"Probe"}, Lie: func(list []wc.Attendee) []wc.Attendee {
					return list[:chance.IntN(len(list)+1)]
				}})
				m, j, _, jc := meet(t, s, sim)
				for range 20 {
					switch chance.IntN(3) {
					case 0:
						sim.Exit(m.Seat, fmt.Sprintf("conn-%d", chance.IntN(40)))
					case 1:
						jc = sim.Enter(j.Seat, "john")
					default:
						sim.Exit(j.Seat, jc)
					}
					deliver(t, s, sim, connectortest.Delivery{Lose: 0.3, Double: 0.3, Shuffle: true, Keep: 2, Seed: chance.Uint64()})
					if err := s.RenewSeat(t.Context(), mary, m.Seat); err != nil {
						t.Fatalf("mary, who renews, was removed: %v", err)
					}
					wait(8 * time.Second)
				}
				if inside(t, s, m.Call.ID, "john") {
					t.Error("john, who never renewed, is still inside")
				}
			})
		})
	}
}
