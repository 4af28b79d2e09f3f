package webconferencing_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	wc "github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/memstore"
)

// frozen is a store as a process sees it that stands still: every access waits
// until it goes on.
type frozen struct {
	wc.Store
	gate atomic.Pointer[chan struct{}] // closed while the process runs
}

func newFrozen(behind wc.Store) *frozen {
	f := &frozen{Store: behind}
	close(f.stop())
	return f
}

// stop lets the process stand still until what it returns is closed.
func (f *frozen) stop() chan struct{} {
	gate := make(chan struct{})
	f.gate.Store(&gate)
	return gate
}

func (f *frozen) wait() { <-*f.gate.Load() }

func (f *frozen) Call(ctx context.Context, id wc.CallID) (*wc.Call, error) {
	f.wait()
	return f.Store.Call(ctx, id)
}

func (f *frozen) Value(ctx context.Context, key string) (*wc.Value, error) {
	f.wait()
	return f.Store.Value(ctx, key)
}

func (f *frozen) Commit(ctx context.Context, c *wc.Change) (wc.Position, error) {
	f.wait()
	return f.Store.Commit(ctx, c)
}

func (f *frozen) Events(ctx context.Context, topic wc.Topic, after wc.Position, limit int) ([]wc.Event, error) {
	f.wait()
	return f.Store.Events(ctx, topic, after, limit)
}

func (f *frozen) Due(ctx context.Context, until time.Time, limit int) ([]wc.CallID, error) {
	f.wait()
	return f.Store.Due(ctx, until, limit)
}

// A node that stood still, while another one took its seats to be lost, must
// not answer for them out of its memory, whoever asks it first (R13).
func TestFrozenNodeDoesNotAnswerForItsSeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind, dir := memstore.New(), newPeople()
		store := newFrozen(behind)
		a := startNode(t, store, dir, wc.Options{NodeName: "a", SeatTTL: 5 * time.Minute})
		b := startNode(t, behind, dir, wc.Options{NodeName: "b"})
		defer a.stop()
		defer b.stop()
		time.Sleep(6 * time.Second)
		must[*wc.Call](t)(a.CreateCall(t.Context(), mary, space("g/p", "product_team", true)))
		adm := must[*wc.Admission](t)(a.JoinCall(t.Context(), mary, "g/p"))
		if err := a.RenewSeat(t.Context(), mary, adm.Seat); err != nil {
			t.Fatal(err)
		}
		goOn := store.stop()
		time.Sleep(50 * time.Second)
		if c := must[*wc.Call](t)(behind.Call(t.Context(), "g/p")); len(c.Seats) != 0 {
			t.Fatalf("the other node left the seats: %+v", c.Seats)
		}
		answer := make(chan error, 1)
		go func() { answer <- a.RenewSeat(context.Background(), mary, adm.Seat) }()
		synctest.Wait()
		select {
		case err := <-answer:
			t.Fatalf("the node answered while it stood still: %v", err)
		default:
		}
		close(goOn)
		if err := <-answer; reason(err) != wc.ReasonSeatGone {
			t.Errorf("the node vouches for a seat that it lost: %v", err)
		}
		time.Sleep(10 * time.Second)
	})
}

// While a node says that it lives, renewing does not touch the store.
func TestRenewingIsCheap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &counting{Store: memstore.New()}
		s := startNode(t, store, newPeople(), wc.Options{})
		defer s.stop()
		time.Sleep(time.Second)
		must[*wc.Call](t)(s.CreateCall(t.Context(), mary, space("g/p", "product_team", true)))
		adm := must[*wc.Admission](t)(s.JoinCall(t.Context(), mary, "g/p"))
		before := store.commits.Load()
		keepAlive(t, s.Service, mary, adm.Seat, 40*time.Second)
		if n := store.commits.Load() - before; n != 0 {
			t.Errorf("%d commits for renewals", n)
		}
	})
}

func TestLeaveSeatIsFenced(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		must[*wc.Call](t)(s.CreateCall(ctx, mary, space("g/p", "product_team", true)))
		old := must[*wc.Admission](t)(s.JoinCall(ctx, mary, "g/p")).Seat
		must[*wc.Admission](t)(s.JoinCall(ctx, john, "g/p"))
		applied := func(by wc.Actor, ref wc.SeatRef) bool {
			t.Helper()
			return must[bool](t)(s.LeaveSeat(ctx, by, ref))
		}
		if applied(john, old) {
			t.Error("john left with mary's seat")
		}
		if !applied(mary, old) || applied(mary, old) {
			t.Error("mary's seat is not left exactly once")
		}
		again := must[*wc.Admission](t)(s.JoinCall(ctx, mary, "g/p")).Seat
		if again.Seat == old.Seat || applied(mary, old) {
			t.Error("a late leave of the old seat took the new one")
		}
		must[*wc.Call](t)(s.StopCall(ctx, john, "g/p"))
		next := must[*wc.Admission](t)(s.JoinCall(ctx, mary, "g/p")).Seat
		if applied(mary, again) || applied(mary, wc.SeatRef{Call: "g/p", Epoch: again.Epoch, Seat: next.Seat}) {
			t.Error("a leave of the earlier run was carried out in this one")
		}
		if applied(mary, wc.SeatRef{Call: "g/none", Epoch: 1, Seat: "x"}) {
			t.Error("a call that does not exist was left")
		}
		_, err := s.LeaveSeat(ctx, mary, wc.SeatRef{Call: "g/p"})
		wantCode(t, err, wc.CodeInvalid)
		if err := s.RenewSeat(ctx, mary, old); reason(err) != wc.ReasonSeatGone {
			t.Errorf("renewal of a left seat: %v", err)
		}
		if c := must[*wc.Call](t)(s.Call(ctx, mary, "g/p")); !c.Present("mary") {
			t.Errorf("call is %+v", c)
		}
	})
}

// poisoned is a store with a record that can't be read.
type poisoned struct {
	wc.Store
	id atomic.Value
}

func (p *poisoned) Call(ctx context.Context, id wc.CallID) (*wc.Call, error) {
	if bad := p.id.Load(); bad == id {
		return nil, errors.New("damaged record")
	}
	return p.Store.Call(ctx, id)
}

// One call that can't be worked on stops no other, and does not make the
// workers start again and again.
func TestOneBadRecordStopsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &poisoned{Store: memstore.New()}
		s := startNode(t, store, newPeople(), wc.Options{})
		defer s.stop()
		synctest.Wait()
		for _, callee := range []string{"john", "james", "jack"} {
			must[*wc.Call](t)(s.CreateCall(t.Context(), mary, pair("mary", callee, true)))
		}
		store.id.Store(wc.CallID("p/john@mary")) // the first to be due
		m := listen(t, s.Service, "mary")
		time.Sleep(50 * time.Second)
		m.want(t, "mary", "stopped(missed)", "stopped(missed)")
		h := s.Health(t.Context())
		if h.Ready || len(h.Problems) != 1 || h.Problems[0] != "1 call can't be worked on" {
			t.Errorf("health is %+v", h)
		}
		store.id.Store(wc.CallID(""))
		time.Sleep(65 * time.Second)
		m.want(t, "mary", "stopped(missed)")
		if h := s.Health(t.Context()); !h.Ready {
			t.Errorf("health is %+v", h)
		}
	})
}
