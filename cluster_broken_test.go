package webconferencing_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	wc "github.com/webconferencing/webconferencing"
)

// TestBrokenVariantsAreCaught breaks one rule at a time, outside the Service,
// and expects the model to notice: a model that lets these pass proves
// nothing.
func TestBrokenVariantsAreCaught(t *testing.T) {
	variants := map[string]func(control) control{
		"a renewal creates a seat":              func(c control) control { return renewCreates{c} },
		"a renewal of a lost seat is all right": func(c control) control { return renewLies{c} },
		"a leave is not fenced":                 func(c control) control { return leaveUnfenced{c} },
		"a ring has two winners":                func(c control) control { return acceptJoins{c} },
		"a live call gives way to a new one":    func(c control) control { return createEvicts{c} },
		"a seat outlives its device":            func(c control) control { return renewsForAll{c, make(map[wc.SeatRef]wc.Actor)} },
		"an event is lost":                      func(c control) control { return subscribeLoses{c} },
		"an event comes twice":                  func(c control) control { return subscribeDoubles{c} },
	}
	for name, wrap := range variants {
		t.Run(name, func(t *testing.T) {
			const histories = 400
			for seed := range uint64(histories) {
				var flaw error
				synctest.Test(t, func(t *testing.T) {
					flaw = runCluster(t, seeded{rand.New(rand.NewPCG(seed, 1))}, wrap)
				})
				if flaw != nil {
					return
				}
			}
			t.Errorf("none of %d histories shows it", histories)
		})
	}
}

type renewCreates struct{ control }

func (b renewCreates) RenewSeat(ctx context.Context, by wc.Actor, ref wc.SeatRef) error {
	err := b.control.RenewSeat(ctx, by, ref)
	if wc.CodeOf(err) == wc.CodeGone {
		_, err = b.control.JoinCall(ctx, by, ref.Call)
	}
	return err
}

type renewLies struct{ control }

func (b renewLies) RenewSeat(ctx context.Context, by wc.Actor, ref wc.SeatRef) error {
	if err := b.control.RenewSeat(ctx, by, ref); wc.CodeOf(err) != wc.CodeGone {
		return err
	}
	return nil
}

type leaveUnfenced struct{ control }

func (b leaveUnfenced) LeaveCall(ctx context.Context, by wc.Actor, id wc.CallID, _ *wc.LeaveOptions) (*wc.Call, error) {
	return b.control.LeaveCall(ctx, by, id, nil)
}

type acceptJoins struct{ control }

func (b acceptJoins) AcceptCall(ctx context.Context, by wc.Actor, id wc.CallID) (*wc.Admission, error) {
	return b.control.JoinCall(ctx, by, id)
}

type createEvicts struct{ control }

func (b createEvicts) CreateCall(ctx context.Context, by wc.Actor, n wc.NewCall) (*wc.Call, error) {
	c, err := b.control.CreateCall(ctx, by, n)
	if wc.CodeOf(err) == wc.CodeConflict {
		if _, err := b.control.DeleteCall(ctx, by, n.ID); err == nil {
			return b.control.CreateCall(ctx, by, n)
		}
	}
	return c, err
}

// renewsForAll keeps the seats of all devices that ever renewed at this node,
// whoever lives.
type renewsForAll struct {
	control
	seen map[wc.SeatRef]wc.Actor
}

func (b renewsForAll) RenewSeat(ctx context.Context, by wc.Actor, ref wc.SeatRef) error {
	b.seen[ref] = by
	for ref, by := range b.seen {
		_ = b.control.RenewSeat(ctx, by, ref)
	}
	return b.control.RenewSeat(ctx, by, ref)
}

type subscribeLoses struct{ control }

func (b subscribeLoses) Subscribe(ctx context.Context, by wc.Actor, topic wc.Topic, after *wc.Position, deliver func(*wc.Event)) (*wc.Subscription, error) {
	return b.control.Subscribe(ctx, by, topic, after, func(e *wc.Event) {
		if e.Position%7 != 0 {
			deliver(e)
		}
	})
}

type subscribeDoubles struct{ control }

func (b subscribeDoubles) Subscribe(ctx context.Context, by wc.Actor, topic wc.Topic, after *wc.Position, deliver func(*wc.Event)) (*wc.Subscription, error) {
	return b.control.Subscribe(ctx, by, topic, after, func(e *wc.Event) {
		deliver(e)
		if e.Position%7 == 0 {
			deliver(e)
		}
	})
}
