package webconferencing_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	wc "github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/memstore"
)

func reason(err error) string {
	var e *wc.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

func TestCallerLearnsThatItRings(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		c := must[*wc.Call](t)(s.CreateCall(ctx, mary, pair("mary", "john", true)))
		m, j := listen(t, s.Service, "mary"), listen(t, s.Service, "john")
		must[*wc.Call](t)(s.Ringing(ctx, john, c.ID))
		must[*wc.Call](t)(s.Ringing(ctx, john, c.ID))
		c = must[*wc.Call](t)(s.Ringing(ctx, john2, c.ID))
		m.want(t, "mary", "call_ringing john", "call_ringing john")
		j.want(t, "john")
		if on := c.Participant("john").RingingOn; !slices.Equal(on, []wc.ClientID{"j1", "j2"}) {
			t.Errorf("it rings on %v", on)
		}
		time.Sleep(50 * time.Second)
		m.want(t, "mary", "stopped(missed)")
	})
}

func TestOneDeviceAnswers(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		c := must[*wc.Call](t)(s.CreateCall(ctx, mary, pair("mary", "john", true)))
		must[*wc.Admission](t)(s.JoinCall(ctx, mary, c.ID))
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for _, client := range []string{"1", "2", "3", "4", "5"} {
			wg.Go(func() {
				_, err := s.AcceptCall(ctx, dev("john", client), c.ID)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					won++
				case reason(err) != wc.ReasonAnsweredElsewhere:
					t.Errorf("a loser is told %v", err)
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Errorf("%d devices won", won)
		}
		if c = must[*wc.Call](t)(s.Call(ctx, mary, c.ID)); len(c.Seats) != 2 {
			t.Errorf("seats are %+v", c.Seats)
		}
		// A decline on another device does not end what was accepted.
		must[*wc.Call](t)(s.DeclineCall(ctx, dev("john", "9"), c.ID))
		must[*wc.Call](t)(s.Call(ctx, mary, c.ID))
	})
}

func TestAcceptTooLate(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		c := must[*wc.Call](t)(s.CreateCall(ctx, mary, space("g/p", "product_team", true)))
		must[*wc.Call](t)(s.DeclineCall(ctx, john, c.ID))
		_, err := s.AcceptCall(ctx, john2, c.ID)
		if reason(err) != wc.ReasonNotRinging {
			t.Errorf("accept after a decline: %v", err)
		}
		must[*wc.Call](t)(s.StopCall(ctx, mary, c.ID))
		_, err = s.AcceptCall(ctx, james, c.ID)
		if reason(err) != wc.ReasonNotRinging {
			t.Errorf("accept after the end: %v", err)
		}
	})
}

func TestContinueHere(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		c := must[*wc.Call](t)(s.CreateCall(ctx, mary, pair("mary", "john", true)))
		must[*wc.Admission](t)(s.JoinCall(ctx, mary, c.ID))
		old := must[*wc.Admission](t)(s.AcceptCall(ctx, john, c.ID))
		m, j := listen(t, s.Service, "mary"), listen(t, s.Service, "john")
		now := must[*wc.Admission](t)(s.TakeOver(ctx, john2, c.ID))
		m.want(t, "mary", "call_joined john")
		j.want(t, "john", "call_joined john", "call_seat_replaced john")
		if len(now.Call.Seats) != 2 || now.Call.Seat("john", "j1") != nil {
			t.Errorf("seats are %+v", now.Call.Seats)
		}
		wantCode(t, s.RenewSeat(ctx, john, old.Seat), wc.CodeGone)
		must[*wc.Call](t)(s.LeaveCall(ctx, john, c.ID, &wc.LeaveOptions{Seat: old.Seat.Seat, Epoch: old.Seat.Epoch}))
		m.want(t, "mary")
	})
}

func TestBusy(t *testing.T) {
	for _, policy := range []wc.BusyPolicy{wc.CallWaiting, wc.RefuseBusyCalls} {
		t.Run(string(policy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := startNode(t, memstore.New(), newPeople(), wc.Options{WhenBusy: policy})
				defer s.stop()
				ctx := t.Context()
				c := must[*wc.Call](t)(s.CreateCall(ctx, mary, pair("mary", "john", true)))
				must[*wc.Admission](t)(s.JoinCall(ctx, mary, c.ID))
				must[*wc.Admission](t)(s.JoinCall(ctx, john, c.ID))
				k, j := listen(t, s.Service, "jack"), listen(t, s.Service, "john")
				var waiting []bool
				sub := must[*wc.Subscription](t)(s.Subscribe(ctx, john, wc.UserTopic("john"), nil, func(e *wc.Event) { waiting = append(waiting, e.Waiting) }))
				defer sub.Close()
				second := must[*wc.Call](t)(s.CreateCall(ctx, jack, pair("jack", "john", true)))
				if policy == wc.RefuseBusyCalls {
					if second.State != wc.StateStopped || second.Reason != wc.ReasonBusy {
						t.Errorf("call is %+v", second)
					}
					k.want(t, "jack", "stopped(busy)")
					return
				}
				j.want(t, "john", "started")
				if !slices.Equal(waiting, []bool{true}) {
					t.Errorf("waiting is %v", waiting)
				}
				must[*wc.Call](t)(s.RefuseBusy(ctx, john, second.ID))
				k.want(t, "jack", "call_declined john", "stopped(busy)")
			})
		})
	}
}

// quietJohn does not want to be disturbed.
type quietJohn struct{ *people }

func (quietJohn) Presence(_ context.Context, id wc.UserID) (wc.Presence, error) {
	if id == "john" {
		return wc.DoNotDisturb, nil
	}
	return wc.Available, nil
}

func TestDoNotDisturbIsSilentNotHidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startNode(t, memstore.New(), quietJohn{newPeople()}, wc.Options{})
		defer s.stop()
		synctest.Wait()
		silent := make(map[string]bool)
		for _, who := range []string{"john", "james"} {
			sub := must[*wc.Subscription](t)(s.Subscribe(t.Context(), dev(who, "x"), wc.UserTopic(wc.UserID(who)), nil, func(e *wc.Event) { silent[who] = e.Silent }))
			defer sub.Close()
		}
		must[*wc.Call](t)(s.CreateCall(t.Context(), mary, space("g/p", "product_team", true)))
		synctest.Wait()
		if len(silent) != 2 || !silent["john"] || silent["james"] {
			t.Errorf("silent is %v", silent)
		}
	})
}

func TestRingAgainAndRemove(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		c := must[*wc.Call](t)(s.CreateCall(ctx, mary, space("g/p", "product_team", true)))
		adm := must[*wc.Admission](t)(s.JoinCall(ctx, mary, c.ID))
		must[*wc.Call](t)(s.DeclineCall(ctx, john, c.ID))
		keepAlive(t, s.Service, mary, adm.Seat, 50*time.Second)
		j, d := listen(t, s.Service, "john"), listen(t, s.Service, "james")
		must[*wc.Call](t)(s.RingAgain(ctx, mary, c.ID, "john"))
		j.want(t, "john", "started")
		d.want(t, "james")
		_, err := s.RingAgain(ctx, mary, c.ID, "nobody")
		wantCode(t, err, wc.CodeInvalid)
		must[*wc.Admission](t)(s.AcceptCall(ctx, john, c.ID))
		must[*wc.Admission](t)(s.JoinCall(ctx, john2, c.ID))
		j.take()
		c = must[*wc.Call](t)(s.RemoveParticipant(ctx, mary, c.ID, "john"))
		j.want(t, "john", "call_updated", "call_device_leaved john", "call_leaved john")
		if c.Present("john") || c.Participant("john") != nil {
			t.Errorf("john is still there: %+v", c)
		}
		// An administrator may, a stranger may not.
		_, err = s.RemoveParticipant(ctx, jack, c.ID, "mary")
		wantCode(t, err, wc.CodeNotFound)
		root := wc.Actor{User: "root", Client: "r", Admin: true}
		live := must[[]*wc.Call](t)(s.LiveCalls(ctx, root))
		if len(live) != 1 || live[0].ID != c.ID {
			t.Errorf("live calls: %v", live)
		}
		_, err = s.LiveCalls(ctx, mary)
		wantCode(t, err, wc.CodeDenied)
		if c = must[*wc.Call](t)(s.StopCall(ctx, root, c.ID)); c.State != wc.StateStopped {
			t.Errorf("call is %+v", c)
		}
	})
}

func TestUpdateAtVersion(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		c := must[*wc.Call](t)(s.CreateCall(t.Context(), mary, space("g/p", "product_team", true)))
		title := "a"
		c = must[*wc.Call](t)(s.UpdateCall(t.Context(), mary, c.ID, wc.CallUpdate{Title: &title, IfVersion: c.Version}))
		_, err := s.UpdateCall(t.Context(), mary, c.ID, wc.CallUpdate{Title: &title, IfVersion: c.Version - 1})
		var e *wc.Error
		if !errors.As(err, &e) || e.Reason != wc.ReasonVersion || e.Version != c.Version {
			t.Errorf("error is %#v", err)
		}
	})
}

func TestBeforeHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ops []string
		s := startNode(t, memstore.New(), newPeople(), wc.Options{Before: func(_ context.Context, p *wc.Proposal) error {
			ops = append(ops, p.Op)
			switch {
			case p.By.User == "jack":
				return errBoom
			case p.By.User == "james":
				return &wc.Error{Code: wc.CodeDenied, Message: "not on Sundays"}
			case p.Op == "create call":
				p.New.Title = "by rule"
				p.New.ID = "elsewhere"
			case p.Op == "stop call" && p.Call.Title == "by rule":
				panic("hook")
			}
			return nil
		}})
		defer s.stop()
		ctx := t.Context()
		c := must[*wc.Call](t)(s.CreateCall(ctx, mary, space("g/p", "product_team", true)))
		if c.Title != "by rule" || c.ID != "g/p" {
			t.Errorf("call is %+v", c)
		}
		_, err := s.CreateCall(ctx, jack, pair("jack", "mary", true))
		wantCode(t, err, wc.CodeDenied)
		if strings.Contains(err.Error(), "boom") {
			t.Errorf("the hook's own words came out: %v", err)
		}
		_, err = s.JoinCall(ctx, james, c.ID)
		if wc.CodeOf(err) != wc.CodeDenied || !strings.Contains(err.Error(), "not on Sundays") {
			t.Errorf("error is %v", err)
		}
		_, err = s.StopCall(ctx, mary, c.ID)
		wantCode(t, err, wc.CodeInternal)
		must[*wc.Admission](t)(s.JoinCall(ctx, mary, c.ID))
		must[*wc.Call](t)(s.LeaveCall(ctx, mary, c.ID, nil))
		if want := []string{"create call", "create call", "join call", "stop call", "join call"}; !slices.Equal(ops, want) {
			t.Errorf("asked about %q, want %q", ops, want)
		}
	})
}

// A listener that dies and starts again is handed everything, in order.
func TestListen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startNode(t, memstore.New(), newPeople(), wc.Options{})
		defer s.stop()
		synctest.Wait()
		var mu sync.Mutex
		var got []string
		fail := 1
		run := func() (stop func()) {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				if err := s.Listen(ctx, "test", func(_ context.Context, e *wc.Event) error {
					mu.Lock()
					defer mu.Unlock()
					switch fail--; fail {
					case 0:
						return errBoom
					case -2:
						panic("listener")
					}
					got = append(got, short(e))
					return nil
				}); err != nil {
					t.Error(err)
				}
			}()
			synctest.Wait()
			return func() { cancel(); <-done }
		}
		stop := run()
		must[*wc.Call](t)(s.CreateCall(t.Context(), mary, space("g/p", "product_team", true)))
		must[*wc.Admission](t)(s.JoinCall(t.Context(), mary, "g/p"))
		time.Sleep(5 * time.Second)
		stop()
		must[wc.Position](t)(s.SendData(t.Context(), mary, "g/p", []byte(`{}`)))
		must[*wc.Admission](t)(s.JoinCall(t.Context(), john, "g/p"))
		stop = run()
		must[*wc.Call](t)(s.StopCall(t.Context(), mary, "g/p"))
		time.Sleep(5 * time.Second)
		stop()
		if want := []string{"started", "call_joined mary", "call_joined john", "stopped(ended)"}; !slices.Equal(got, want) {
			t.Errorf("handed over %q, want %q", got, want)
		}
	})
}
