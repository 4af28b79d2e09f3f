package webconferencing_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	wc "github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/memstore"
)

// legs are the rings of a user's devices in a short form.
func legs(c *wc.Call, user wc.UserID) string {
	p := c.Participant(user)
	if p == nil {
		return "gone"
	}
	return legList(p.Legs)
}

func legList(list []wc.RingLeg) string {
	var all []string
	for _, l := range list {
		s := fmt.Sprintf("%s %s", l.Client, l.State)
		if l.By != "" {
			s += " by " + string(l.By)
		}
		all = append(all, s)
	}
	return strings.Join(all, ", ")
}

// outcomes returns what the journal says of each device's ring; each may come
// to an outcome once a ring.
func outcomes(t *testing.T, s *node, id wc.CallID) []string {
	t.Helper()
	var list []string
	for _, e := range must[[]wc.Event](t)(s.Timeline(t.Context(), admin, id)) {
		if e.Type == wc.EventRingEnded {
			list = append(list, fmt.Sprintf("%s %s: %s", e.Part, e.Ring, legList(e.Legs)))
		}
	}
	return list
}

func TestEveryDeviceComesToOneOutcome(t *testing.T) {
	const id = "p/john@mary"
	tests := map[string]struct {
		end  func(t *testing.T, s *node)
		want string
	}{
		"answered": {func(t *testing.T, s *node) {
			must[*wc.Admission](t)(s.AcceptCall(t.Context(), john, id))
		}, "john answered: j1 answered, j2 elsewhere by j1"},
		"answered by a device that had not said that it rings": {func(t *testing.T, s *node) {
			must[*wc.Admission](t)(s.AcceptCall(t.Context(), dev("john", "j3"), id))
		}, "john answered: j1 elsewhere by j3, j2 elsewhere by j3"},
		"declined": {func(t *testing.T, s *node) {
			must[*wc.Call](t)(s.DeclineCall(t.Context(), john2, id))
		}, "john declined: j1 declined by j2, j2 declined"},
		"declined by stopping": {func(t *testing.T, s *node) {
			must[*wc.Call](t)(s.StopCall(t.Context(), john, id))
		}, "john declined: j1 declined, j2 declined by j1"},
		"busy": {func(t *testing.T, s *node) {
			must[*wc.Call](t)(s.RefuseBusy(t.Context(), john, id))
		}, "john busy: j1 busy, j2 busy by j1"},
		"cancelled": {func(t *testing.T, s *node) {
			must[*wc.Call](t)(s.LeaveCall(t.Context(), mary, id, nil))
		}, "john cancelled: j1 cancelled, j2 cancelled"},
		"deleted": {func(t *testing.T, s *node) {
			must[*wc.Call](t)(s.DeleteCall(t.Context(), mary, id))
		}, "john cancelled: j1 cancelled, j2 cancelled"},
		"missed": {func(t *testing.T, s *node) {
			for range 10 {
				_, _ = s.FindSeat(t.Context(), mary, id)
				time.Sleep(5 * time.Second)
			}
		}, "john missed: j1 missed, j2 missed"},
		"replaced": {func(t *testing.T, s *node) {
			must[*wc.Call](t)(s.LeaveCall(t.Context(), mary, id, nil))
			must[*wc.Call](t)(s.CreateCall(t.Context(), mary, pair("mary", "john", true)))
		}, "john cancelled: j1 cancelled, j2 cancelled"},
		"removed": {func(t *testing.T, s *node) {
			must[*wc.Call](t)(s.RemoveParticipant(t.Context(), mary, id, "john"))
		}, "john cancelled: j1 cancelled, j2 cancelled"},
		"erased": {func(t *testing.T, s *node) {
			if err := s.EraseUser(t.Context(), admin, "mary"); err != nil {
				t.Fatal(err)
			}
		}, "john cancelled: j1 cancelled, j2 cancelled"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			one(t, func(t *testing.T, s *node, _ *people) {
				must[*wc.Call](t)(s.CreateCall(t.Context(), mary, pair("mary", "john", true)))
				must[*wc.Admission](t)(s.JoinCall(t.Context(), mary, id))
				must[*wc.Call](t)(s.Ringing(t.Context(), john, id))
				c := must[*wc.Call](t)(s.Ringing(t.Context(), john2, id))
				if got := legs(c, "john"); got != "j1 ringing, j2 ringing" {
					t.Errorf("legs are %s", got)
				}
				j := listen(t, s.Service, "john")
				test.end(t, s)
				if told := j.take(); !slices.Contains(told, "call_ring_ended john") {
					t.Errorf("john's devices are told %q", told)
				}
				if got := outcomes(t, s, id); !slices.Equal(got, []string{test.want}) {
					t.Errorf("outcomes are %q, want %q", got, test.want)
				}
				if name == "replaced" {
					return // a new run has new legs
				}
				// Whatever comes later changes no leg.
				_, _ = s.Ringing(t.Context(), dev("john", "late"), id)
				_, _ = s.DeclineCall(t.Context(), john2, id)
				if got := outcomes(t, s, id); len(got) != 1 {
					t.Errorf("a leg had another outcome: %q", got)
				}
			})
		})
	}
}

func TestLoserLearnsWhichDeviceAnswered(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		c := must[*wc.Call](t)(s.CreateCall(t.Context(), mary, space("g/p", "product_team", true)))
		must[*wc.Admission](t)(s.AcceptCall(t.Context(), john, c.ID))
		_, err := s.AcceptCall(t.Context(), john2, c.ID)
		var e *wc.Error
		if !errors.As(err, &e) || e.Reason != wc.ReasonAnsweredElsewhere || e.Device != "j1" {
			t.Errorf("error is %#v", err)
		}
	})
}

func TestRingRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startNode(t, memstore.New(), quietJohn{newPeople()}, wc.Options{RingRetries: 2, RingTimeout: 20 * time.Second, RingPause: 10 * time.Second})
		defer s.stop()
		synctest.Wait()
		n := pair("mary", "john", true)
		n.RingFor = 10 * time.Second
		c := must[*wc.Call](t)(s.CreateCall(t.Context(), mary, n))
		adm := must[*wc.Admission](t)(s.JoinCall(t.Context(), mary, c.ID))
		must[*wc.Call](t)(s.Ringing(t.Context(), john, c.ID))
		time.Sleep(500 * time.Millisecond) // between the ticks of the service
		j := listen(t, s.Service, "john")
		silent := 0
		sub := must[*wc.Subscription](t)(s.Subscribe(t.Context(), john, wc.UserTopic("john"), nil, func(e *wc.Event) {
			if e.Silent {
				silent++
			}
		}))
		defer sub.Close()
		keepAlive(t, s.Service, mary, adm.Seat, 15*time.Second)
		j.want(t, "john", "call_ring_ended john", "call_missed")
		keepAlive(t, s.Service, mary, adm.Seat, 10*time.Second)
		j.want(t, "john", "started")
		if c = must[*wc.Call](t)(s.Call(t.Context(), mary, c.ID)); c.Rings != 2 || legs(c, "john") != "" {
			t.Errorf("second ring of %+v", c)
		}
		keepAlive(t, s.Service, mary, adm.Seat, 20*time.Second)
		j.want(t, "john", "call_missed", "started")
		keepAlive(t, s.Service, mary, adm.Seat, 5*time.Second)
		j.want(t, "john", "stopped(missed)")
		if silent != 2 {
			t.Errorf("%d of the repeated rings were silent, want 2", silent)
		}
	})
}

func TestRetryEndsWithWhatPeopleDo(t *testing.T) {
	opts := wc.Options{RingRetries: 1, RingTimeout: 10 * time.Second, RingPause: 10 * time.Second}
	tests := map[string]struct {
		do   func(t *testing.T, s *node, id wc.CallID) error
		live bool
	}{
		"the callee declines in the pause": {func(t *testing.T, s *node, id wc.CallID) error {
			_, err := s.DeclineCall(t.Context(), john, id)
			return err
		}, false},
		"the caller leaves in the pause": {func(t *testing.T, s *node, id wc.CallID) error {
			_, err := s.LeaveCall(t.Context(), mary, id, nil)
			return err
		}, false},
		"the callee joins in the pause": {func(t *testing.T, s *node, id wc.CallID) error {
			_, err := s.JoinCall(t.Context(), john, id)
			return err
		}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := startNode(t, memstore.New(), newPeople(), opts)
				defer s.stop()
				c := must[*wc.Call](t)(s.CreateCall(t.Context(), mary, pair("mary", "john", true)))
				must[*wc.Admission](t)(s.JoinCall(t.Context(), mary, c.ID))
				time.Sleep(12 * time.Second)
				if err := test.do(t, s, c.ID); err != nil {
					t.Fatal(err)
				}
				j := listen(t, s.Service, "john")
				time.Sleep(10 * time.Second)
				if got := j.take(); slices.Contains(got, "started") {
					t.Errorf("john is rung again: %q", got)
				}
				live := must[[]*wc.Call](t)(s.LiveCalls(t.Context(), admin))
				if (len(live) == 1) != test.live {
					t.Errorf("live calls: %+v", live)
				}
			})
		})
	}
}

func TestRingAgainIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startNode(t, memstore.New(), newPeople(), wc.Options{MaxRingAgain: 2})
		defer s.stop()
		ctx := t.Context()
		c := must[*wc.Call](t)(s.CreateCall(ctx, mary, space("g/p", "product_team", true)))
		must[*wc.Admission](t)(s.JoinCall(ctx, mary, c.ID))
		for range 2 {
			must[*wc.Call](t)(s.DeclineCall(ctx, john, c.ID))
			must[*wc.Call](t)(s.RingAgain(ctx, mary, c.ID, "john"))
		}
		must[*wc.Call](t)(s.DeclineCall(ctx, john, c.ID))
		_, err := s.RingAgain(ctx, mary, c.ID, "john")
		wantCode(t, err, wc.CodeLimited)
		if reason(err) != wc.ReasonRingLimit {
			t.Errorf("reason is %q", reason(err))
		}
		_, err = s.RingAgain(ctx, mary, c.ID, "mary")
		wantCode(t, err, wc.CodeInvalid)
		_, err = s.RingAgain(ctx, james, c.ID, "john") // he is outside himself
		wantCode(t, err, wc.CodeDenied)
	})
}

// Ringing one person again does not prolong the rings of others.
func TestRingsEndEachInItsTime(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		c := must[*wc.Call](t)(s.CreateCall(ctx, mary, space("g/p", "product_team", true)))
		adm := must[*wc.Admission](t)(s.JoinCall(ctx, mary, c.ID))
		must[*wc.Call](t)(s.DeclineCall(ctx, john, c.ID))
		keepAlive(t, s.Service, mary, adm.Seat, 30*time.Second)
		must[*wc.Call](t)(s.RingAgain(ctx, mary, c.ID, "john"))
		keepAlive(t, s.Service, mary, adm.Seat, 20*time.Second)
		c = must[*wc.Call](t)(s.Call(ctx, mary, c.ID))
		if c.Participant("james").Ring != wc.RingUnreachable || c.Participant("john").Ring != wc.RingRinging {
			t.Errorf("participants are %+v", c.Participants)
		}
		keepAlive(t, s.Service, mary, adm.Seat, 30*time.Second)
		c = must[*wc.Call](t)(s.Call(ctx, mary, c.ID))
		if c.Participant("john").Ring != wc.RingUnreachable || !c.RingUntil.IsZero() {
			t.Errorf("call is %+v", c)
		}
	})
}

func TestRingForIsBounded(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		for _, d := range []time.Duration{-1, time.Second, time.Hour} {
			n := pair("mary", "john", true)
			n.RingFor = d
			_, err := s.CreateCall(t.Context(), mary, n)
			wantCode(t, err, wc.CodeInvalid)
		}
	})
}

// Somebody who accepts while the caller never comes in does not wait for ever.
func TestWaitingAloneEnds(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		c := must[*wc.Call](t)(s.CreateCall(t.Context(), mary, pair("mary", "john", true)))
		adm := must[*wc.Admission](t)(s.AcceptCall(t.Context(), john, c.ID))
		j := listen(t, s.Service, "john")
		keepAlive(t, s.Service, john, adm.Seat, 40*time.Second)
		j.want(t, "john")
		time.Sleep(10 * time.Second)
		j.want(t, "john", "stopped(ended)")
		// Who walks into a call that rings nobody has more time.
		c = must[*wc.Call](t)(s.CreateCall(t.Context(), mary, pair("mary", "john", false)))
		adm = must[*wc.Admission](t)(s.JoinCall(t.Context(), mary, c.ID))
		m := listen(t, s.Service, "mary")
		keepAlive(t, s.Service, mary, adm.Seat, 4*time.Minute+50*time.Second)
		m.want(t, "mary")
		time.Sleep(12 * time.Second)
		m.want(t, "mary", "stopped(missed)")
	})
}
