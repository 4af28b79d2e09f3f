package webconferencing_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	wc "github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/connector/connectortest"
	"github.com/webconferencing/webconferencing/store/memstore"
)

func TestOneNodeWorksForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, store := connectortest.NewSimulated(nil), memstore.New()
		var nodes []*node
		for range 3 {
			nodes = append(nodes, startNode(t, store, newPeople(), wc.Options{Providers: []wc.Provider{sim}}))
			synctest.Wait()
		}
		defer nodes[1].stop()
		defer nodes[2].stop()
		run := func(n *node) {
			t.Helper()
			ctx, id := t.Context(), wc.CallID("g/product")
			if _, err := n.Call(ctx, mary, id); err != nil {
				must[*wc.Call](t)(n.CreateCall(ctx, mary, simulatedSpace(true)))
			} else {
				must[*wc.Call](t)(n.StartCall(ctx, mary, id))
			}
			must[*wc.Admission](t)(n.JoinCall(ctx, mary, id))
			wait(time.Second)
			must[*wc.Call](t)(n.StopCall(ctx, mary, id))
			wait(time.Second)
		}
		check := func(ends int) {
			t.Helper()
			seen := make(map[wc.Position]int)
			for _, e := range sim.Observed() {
				if seen[e.Position]++; seen[e.Position] > 1 {
					t.Errorf("event %d was told twice", e.Position)
				}
			}
			if got := sim.Calls("EndMeeting"); got != ends {
				t.Errorf("%d ends were told, want %d", got, ends)
			}
		}
		run(nodes[1])
		check(1)
		nodes[0].stop() // the one that leads
		wait(6 * time.Second)
		before := len(sim.Observed())
		run(nodes[2])
		check(2)
		if len(sim.Observed()) == before {
			t.Error("nobody took the work over")
		}
	})
}

// picky takes no events of one call until it is told to.
type picky struct {
	mu      sync.Mutex
	refused wc.CallID
	got     []string
}

func (p *picky) Info() wc.ProviderInfo {
	return wc.ProviderInfo{Type: "picky", Title: "Picky", Groups: true}
}

func (p *picky) CallChanged(_ context.Context, e *wc.Event) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.CallID == p.refused {
		return errBoom
	}
	p.got = append(p.got, fmt.Sprintf("%s %d", e.CallID, e.Position))
	return nil
}

func (p *picky) of(id wc.CallID) (list []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, g := range p.got {
		if len(g) > len(id) && g[:len(id)] == string(id) {
			list = append(list, g)
		}
	}
	return list
}

// TestOneCallHoldsUpNoOther has a provider that chokes on the events of one
// call; they come later, all and in order.
func TestOneCallHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &picky{refused: "g/a"}
		n := startNode(t, memstore.New(), newPeople(), wc.Options{Providers: []wc.Provider{p}})
		defer n.stop()
		synctest.Wait()
		for id, owner := range map[string]string{"g/a": "product_team", "g/b": "sales_team"} {
			call := space(id, owner, true)
			call.Provider = "picky"
			must[*wc.Call](t)(n.CreateCall(t.Context(), james, call))
			must[*wc.Admission](t)(n.JoinCall(t.Context(), james, call.ID))
			must[*wc.Call](t)(n.StopCall(t.Context(), james, call.ID))
		}
		wait(10 * time.Second)
		other := p.of("g/b")
		if len(other) < 3 || len(p.of("g/a")) != 0 {
			t.Errorf("the other call's events are %q", other)
		}
		p.mu.Lock()
		p.refused = ""
		p.mu.Unlock()
		wait(2 * time.Minute)
		late := p.of("g/a")
		if len(late) != len(other) || !slices.IsSorted(late) {
			t.Errorf("the late events are %q", late)
		}
	})
}
