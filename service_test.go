package webconferencing_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	wc "github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/memstore"
)

var (
	mary  = dev("mary", "m1")
	john  = dev("john", "j1")
	john2 = dev("john", "j2")
	james = dev("james", "s1")
	jack  = dev("jack", "k1")
)

func TestNewReportsAllFaults(t *testing.T) {
	_, err := wc.New(nil, nil, &wc.Options{
		RingTimeout: time.Millisecond, MaxSeats: -1,
		Providers: []wc.Provider{provider(), provider(), anyProvider{wc.ProviderInfo{Type: "Bad Type", Title: "x"}}},
	})
	for _, want := range []string{"store", "directory", "RingTimeout", "MaxSeats", `"webrtc" is taken`, "Bad Type"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
}

func TestCallBetweenTwo(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		m, j := listen(t, s.Service, "mary"), listen(t, s.Service, "john")
		ctx := t.Context()
		c := must[*wc.Call](t)(s.CreateCall(ctx, mary, pair("mary", "john", true)))
		if c.State != wc.StateStarted || c.InviteID == "" || c.RingUntil.IsZero() {
			t.Errorf("created call is %+v", c)
		}
		j.want(t, "john", "started")
		m.want(t, "mary")

		must[*wc.Admission](t)(s.JoinCall(ctx, mary, c.ID))
		m.want(t, "mary", "call_joined mary")
		j.want(t, "john", "call_joined mary")

		adm := must[*wc.Admission](t)(s.JoinCall(ctx, john, c.ID))
		m.want(t, "mary", "call_joined john")
		j.want(t, "john", "call_joined john")
		if !adm.Call.RingUntil.IsZero() {
			t.Error("it still rings after the answer")
		}

		c = must[*wc.Call](t)(s.LeaveCall(ctx, john, c.ID, nil))
		m.want(t, "mary", "call_leaved john", "stopped(ended)")
		j.want(t, "john", "call_leaved john", "stopped(ended)")
		if c.State != wc.StateStopped || c.InviteID != "" {
			t.Errorf("call after the end is %+v", c)
		}
		_, err := s.Call(ctx, mary, c.ID)
		wantCode(t, err, wc.CodeNotFound)
		// The late leave of the other side changes nothing.
		_, err = s.LeaveCall(ctx, mary, c.ID, nil)
		wantCode(t, err, wc.CodeNotFound)
		m.want(t, "mary")
	})
}

func TestUnansweredCalls(t *testing.T) {
	tests := []struct {
		name string
		end  func(ctx context.Context, s *wc.Service, id wc.CallID) error
		want string
	}{
		{"decline", func(ctx context.Context, s *wc.Service, id wc.CallID) error {
			_, err := s.DeclineCall(ctx, john, id)
			return err
		}, "stopped(declined)"},
		{"leave without joining", func(ctx context.Context, s *wc.Service, id wc.CallID) error {
			_, err := s.LeaveCall(ctx, john, id, nil)
			return err
		}, "stopped(declined)"},
		{"caller hangs up", func(ctx context.Context, s *wc.Service, id wc.CallID) error {
			_, err := s.LeaveCall(ctx, mary, id, nil)
			return err
		}, "stopped(cancelled)"},
		{"caller stops", func(ctx context.Context, s *wc.Service, id wc.CallID) error {
			_, err := s.StopCall(ctx, mary, id)
			return err
		}, "stopped(cancelled)"},
		{"callee stops", func(ctx context.Context, s *wc.Service, id wc.CallID) error {
			_, err := s.StopCall(ctx, john, id)
			return err
		}, "stopped(declined)"},
	}
	for _, joined := range []bool{true, false} {
		for _, tt := range tests {
			name := tt.name
			if !joined {
				name += " before the caller is inside"
			}
			t.Run(name, func(t *testing.T) {
				one(t, func(t *testing.T, s *node, _ *people) {
					c := must[*wc.Call](t)(s.CreateCall(t.Context(), mary, pair("mary", "john", true)))
					if joined {
						must[*wc.Admission](t)(s.JoinCall(t.Context(), mary, c.ID))
					}
					m, j := listen(t, s.Service, "mary"), listen(t, s.Service, "john")
					if err := tt.end(t.Context(), s.Service, c.ID); err != nil {
						t.Fatal(err)
					}
					for who, in := range map[string]*inbox{"mary": m, "john": j} {
						got := in.take()
						if len(got) == 0 || got[len(got)-1] != tt.want {
							t.Errorf("%s was told %q, want %s at last", who, got, tt.want)
						}
					}
				})
			})
		}
	}
}

func TestNoAnswer(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		m, j := listen(t, s.Service, "mary"), listen(t, s.Service, "john")
		c := must[*wc.Call](t)(s.CreateCall(t.Context(), mary, pair("mary", "john", true)))
		adm := must[*wc.Admission](t)(s.JoinCall(t.Context(), mary, c.ID))
		keepAlive(t, s.Service, mary, adm.Seat, 40*time.Second)
		m.want(t, "mary", "call_joined mary")
		time.Sleep(7 * time.Second)
		m.want(t, "mary", "stopped(missed)")
		j.want(t, "john", "started", "call_joined mary", "stopped(missed)")
	})
}

func TestSecondDeviceAndStaleLeave(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		c := must[*wc.Call](t)(s.CreateCall(ctx, mary, pair("mary", "john", true)))
		must[*wc.Admission](t)(s.JoinCall(ctx, mary, c.ID))
		first := must[*wc.Admission](t)(s.JoinCall(ctx, john, c.ID))
		again := must[*wc.Admission](t)(s.JoinCall(ctx, john, c.ID))
		if first.Seat != again.Seat {
			t.Error("joining twice gave another seat")
		}
		m := listen(t, s.Service, "mary")
		must[*wc.Admission](t)(s.JoinCall(ctx, john2, c.ID))
		m.want(t, "mary", "call_joined john")
		must[*wc.Call](t)(s.LeaveCall(ctx, john, c.ID, nil))
		m.want(t, "mary", "call_device_leaved john")
		// A tab that is not inside can't take the other one out, by decline,
		// by leaving again, or with another's seat.
		must[*wc.Call](t)(s.LeaveCall(ctx, john, c.ID, nil))
		must[*wc.Call](t)(s.LeaveCall(ctx, dev("john", "j3"), c.ID, nil))
		must[*wc.Call](t)(s.DeclineCall(ctx, john, c.ID))
		must[*wc.Call](t)(s.LeaveCall(ctx, john2, c.ID, &wc.LeaveOptions{Seat: first.Seat.Seat, Epoch: first.Seat.Epoch}))
		m.want(t, "mary")
		wantCode(t, s.RenewSeat(ctx, john, first.Seat), wc.CodeGone)
	})
}

func TestLeaveOfAnEarlierRun(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		c := must[*wc.Call](t)(s.CreateCall(ctx, mary, space("g/product_team", "product_team", true)))
		old := must[*wc.Admission](t)(s.JoinCall(ctx, mary, c.ID))
		must[*wc.Call](t)(s.StopCall(ctx, mary, c.ID))
		time.Sleep(time.Second)
		now := must[*wc.Admission](t)(s.JoinCall(ctx, mary, c.ID))
		if now.Seat.Epoch <= old.Seat.Epoch || now.Seat.Seat == old.Seat.Seat {
			t.Fatalf("seats of two runs: %+v, %+v", old.Seat, now.Seat)
		}
		got := must[*wc.Call](t)(s.LeaveCall(ctx, mary, c.ID, &wc.LeaveOptions{Seat: old.Seat.Seat, Epoch: old.Seat.Epoch}))
		if !got.Present("mary") {
			t.Error("a leave of the earlier run took the new seat")
		}
		wantCode(t, s.RenewSeat(ctx, mary, old.Seat), wc.CodeGone)
	})
}

func TestGroupCall(t *testing.T) {
	one(t, func(t *testing.T, s *node, dir *people) {
		ctx := t.Context()
		m, j, d := listen(t, s.Service, "mary"), listen(t, s.Service, "john"), listen(t, s.Service, "james")
		c := must[*wc.Call](t)(s.CreateCall(ctx, mary, space("g/product_team", "product_team", true)))
		m.want(t, "mary")
		j.want(t, "john", "started")
		d.want(t, "james", "started")

		must[*wc.Call](t)(s.DeclineCall(ctx, james, c.ID))
		m.want(t, "mary", "call_declined james")
		d.want(t, "james", "call_declined james", "call_leaved james")
		j.want(t, "john", "call_declined james")

		must[*wc.Admission](t)(s.JoinCall(ctx, mary, c.ID))
		must[*wc.Admission](t)(s.JoinCall(ctx, john, c.ID))
		m.want(t, "mary", "call_joined mary", "call_joined john")
		must[*wc.Call](t)(s.LeaveCall(ctx, mary, c.ID, nil))
		c = must[*wc.Call](t)(s.LeaveCall(ctx, john, c.ID, nil))
		m.want(t, "mary", "call_leaved mary", "call_leaved john", "stopped(ended)")
		if c.State != wc.StateStopped || c.InviteID != "" {
			t.Errorf("after the last left: %+v", c)
		}
		j.take()
		d.take()

		// The space gained a member and lost one; a start tells everybody.
		dir.set(wc.OwnerSpace, "product_team", "mary", "john", "jack")
		k := listen(t, s.Service, "jack")
		c = must[*wc.Call](t)(s.StartCall(ctx, john, c.ID))
		m.want(t, "mary", "started")
		j.want(t, "john", "started")
		k.want(t, "jack", "started")
		d.want(t, "james")
		_, err := s.Call(ctx, james, c.ID)
		wantCode(t, err, wc.CodeNotFound)
		if st := must[[]wc.CallStatus](t)(s.CallsState(ctx, jack)); len(st) != 1 || st[0] != (wc.CallStatus{ID: c.ID, State: wc.StateStarted}) {
			t.Errorf("jack's calls: %v", st)
		}

		must[*wc.Call](t)(s.DeleteCall(ctx, mary, c.ID))
		m.want(t, "mary", "stopped(ended)")
		_, err = s.Call(ctx, mary, c.ID)
		wantCode(t, err, wc.CodeNotFound)
	})
}

func TestWalkingInStartsQuietly(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		c := must[*wc.Call](t)(s.CreateCall(ctx, mary, space("g/product_team", "product_team", false)))
		if c.State != wc.StateNone {
			t.Errorf("state is %q", c.State)
		}
		j := listen(t, s.Service, "john")
		must[*wc.Admission](t)(s.JoinCall(ctx, mary, c.ID))
		j.want(t, "john", "call_joined mary")
		if c = must[*wc.Call](t)(s.Call(ctx, john, c.ID)); c.State != wc.StateStarted || !c.RingUntil.IsZero() {
			t.Errorf("call is %+v", c)
		}
	})
}

func TestConflicts(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		p := pair("mary", "john", true)
		must[*wc.Call](t)(s.CreateCall(ctx, mary, p))
		j := listen(t, s.Service, "john")
		// Two who call each other at once meet in one call.
		_, err := s.CreateCall(ctx, john, p)
		wantCode(t, err, wc.CodeConflict)
		// Nobody is inside yet: the dead call makes room.
		must[*wc.Call](t)(s.CreateCall(ctx, mary, p))
		j.want(t, "john", "stopped(replaced)", "started")
		time.Sleep(15 * time.Second)
		must[*wc.Call](t)(s.CreateCall(ctx, john, p))
		j.want(t, "john", "stopped(replaced)")
		must[*wc.Admission](t)(s.JoinCall(ctx, mary, p.ID))
		_, err = s.CreateCall(ctx, john, p)
		wantCode(t, err, wc.CodeConflict)
		var e *wc.Error
		if !errors.As(err, &e) || e.Reason != wc.ReasonCallConflict {
			t.Errorf("error is %#v", err)
		}
		// A stranger can't take the id of a dead call.
		must[*wc.Call](t)(s.LeaveCall(ctx, mary, p.ID, nil))
		p.Start = false
		must[*wc.Call](t)(s.CreateCall(ctx, mary, p))
		foreign := pair("jack", "james", true)
		foreign.ID = p.ID
		_, err = s.CreateCall(ctx, jack, foreign)
		wantCode(t, err, wc.CodeConflict)

		// A group has one call: an idle one is replaced, a live one is not.
		must[*wc.Call](t)(s.CreateCall(ctx, mary, space("g/a", "product_team", true)))
		_, err = s.CreateCall(ctx, mary, space("g/a", "product_team", true))
		wantCode(t, err, wc.CodeConflict)
		j.take()
		must[*wc.Call](t)(s.CreateCall(ctx, john, space("g/b", "product_team", true)))
		j.want(t, "john", "stopped(replaced)")
		_, err = s.Call(ctx, mary, "g/a")
		wantCode(t, err, wc.CodeNotFound)
		if id := must[wc.CallID](t)(s.GroupCall(ctx, mary, wc.Ref{Type: wc.OwnerSpace, ID: "product_team"})); id != "g/b" {
			t.Errorf("the group's call is %q", id)
		}
		must[*wc.Admission](t)(s.JoinCall(ctx, mary, "g/b"))
		_, err = s.CreateCall(ctx, john, space("g/c", "product_team", true))
		wantCode(t, err, wc.CodeConflict)
		// Space events may be several.
		for _, id := range []string{"e/1", "e/2"} {
			n := space(id, "product_team", false)
			n.Owner.Type = wc.OwnerSpaceEvent
			must[*wc.Call](t)(s.CreateCall(ctx, mary, n))
		}
	})
}

func TestStrangersSeeNothing(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		c := must[*wc.Call](t)(s.CreateCall(ctx, mary, pair("mary", "john", true)))
		title := "x"
		for name, try := range map[string]func() error{
			"get":          func() error { _, err := s.Call(ctx, jack, c.ID); return err },
			"join":         func() error { _, err := s.JoinCall(ctx, jack, c.ID); return err },
			"leave":        func() error { _, err := s.LeaveCall(ctx, jack, c.ID, nil); return err },
			"decline":      func() error { _, err := s.DeclineCall(ctx, jack, c.ID); return err },
			"start":        func() error { _, err := s.StartCall(ctx, jack, c.ID); return err },
			"stop":         func() error { _, err := s.StopCall(ctx, jack, c.ID); return err },
			"delete":       func() error { _, err := s.DeleteCall(ctx, jack, c.ID); return err },
			"update":       func() error { _, err := s.UpdateCall(ctx, jack, c.ID, wc.CallUpdate{Title: &title}); return err },
			"participants": func() error { _, err := s.SetParticipants(ctx, jack, c.ID, []wc.UserID{"jack"}); return err },
			"guest":        func() error { _, err := s.AddGuest(ctx, jack, c.ID, "jack"); return err },
			"invites":      func() error { _, err := s.SetInvites(ctx, jack, c.ID, nil); return err },
			"data":         func() error { _, err := s.SendData(ctx, jack, c.ID, []byte(`{}`)); return err },
			"find seat":    func() error { _, err := s.FindSeat(ctx, jack, c.ID); return err },
			"data topic": func() error {
				_, err := s.Subscribe(ctx, jack, wc.DataTopic(c.ID), nil, func(*wc.Event) {})
				return err
			},
			"call topic": func() error {
				_, err := s.Subscribe(ctx, jack, wc.CallTopic(c.ID), nil, func(*wc.Event) {})
				return err
			},
		} {
			err := try()
			wantCode(t, err, wc.CodeNotFound)
			missing := c.ID
			c.ID = "p/none"
			if other := try(); err != nil && other != nil && err.Error() != other.Error() {
				t.Errorf("%s tells a foreign call (%v) from a missing one (%v)", name, err, other)
			}
			c.ID = missing
		}
		_, err := s.Subscribe(ctx, jack, wc.UserTopic("mary"), nil, func(*wc.Event) {})
		wantCode(t, err, wc.CodeDenied)
		_, err = s.Subscribe(ctx, jack, wc.AllTopics, nil, func(*wc.Event) {})
		wantCode(t, err, wc.CodeDenied)
		_, err = s.CreateCall(ctx, mary, space("g/s", "sales_team", true))
		wantCode(t, err, wc.CodeDenied)
		_, err = s.Call(ctx, wc.Actor{}, c.ID)
		wantCode(t, err, wc.CodeDenied)
	})
}

func TestGuests(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		c := must[*wc.Call](t)(s.CreateCall(ctx, mary, space("g/p", "product_team", true)))
		must[*wc.Admission](t)(s.JoinCall(ctx, mary, c.ID))
		if ok := must[bool](t)(s.CheckInvite(ctx, jack, c.ID, c.InviteID)); ok {
			t.Error("somebody who was not invited is let in")
		}
		c = must[*wc.Call](t)(s.SetInvites(ctx, john, c.ID, []wc.Invite{{ID: "/spaces/sales_team", Group: true}}))
		if ok := must[bool](t)(s.CheckInvite(ctx, jack, c.ID, "wrong")); ok {
			t.Error("a wrong invite id lets in")
		}
		if ok := must[bool](t)(s.CheckInvite(ctx, jack, "g/none", c.InviteID)); ok {
			t.Error("a missing call lets in")
		}
		_, err := s.AddGuest(ctx, jack, c.ID, "jack")
		wantCode(t, err, wc.CodeNotFound)
		if ok := must[bool](t)(s.CheckInvite(ctx, jack, c.ID, c.InviteID)); !ok {
			t.Fatal("a member of the invited space is not let in")
		}
		_, err = s.AddGuest(ctx, jack, c.ID, "root")
		wantCode(t, err, wc.CodeNotFound)
		c = must[*wc.Call](t)(s.AddGuest(ctx, jack, c.ID, "jack"))
		if p := c.Participant("jack"); p == nil || p.Kind != wc.KindGuest {
			t.Fatalf("jack is %+v", p)
		}
		must[*wc.Admission](t)(s.JoinCall(ctx, jack, c.ID))
		_, err = s.StopCall(ctx, jack, c.ID)
		wantCode(t, err, wc.CodeDenied)
		k := listen(t, s.Service, "jack")
		must[*wc.Call](t)(s.StopCall(ctx, mary, c.ID))
		k.want(t, "jack", "stopped(ended)")
		_, err = s.Call(ctx, jack, c.ID)
		wantCode(t, err, wc.CodeNotFound)
		if ok := must[bool](t)(s.CheckInvite(ctx, jack, c.ID, c.InviteID)); ok {
			t.Error("the link works after the end")
		}
	})
}

func TestUpdate(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		c := must[*wc.Call](t)(s.CreateCall(ctx, mary, space("g/p", "product_team", true)))
		must[*wc.Admission](t)(s.JoinCall(ctx, mary, c.ID))
		must[*wc.Admission](t)(s.JoinCall(ctx, john, c.ID))
		j := listen(t, s.Service, "john")
		title := "Weekly"
		start := time.Now().Add(time.Hour)
		c = must[*wc.Call](t)(s.UpdateCall(ctx, mary, c.ID, wc.CallUpdate{Title: &title, ScheduledStart: &start}))
		if c.Title != title || !c.ScheduledStart.Equal(start.Truncate(time.Millisecond)) || c.Owner.ID != "product_team" {
			t.Errorf("updated call is %+v", c)
		}
		j.want(t, "john", "call_updated")
		c = must[*wc.Call](t)(s.SetParticipants(ctx, mary, c.ID, []wc.UserID{"mary", "james", "someone.outside"}))
		j.want(t, "john", "call_updated", "call_leaved john")
		if len(c.Participants) != 3 || c.Present("john") || !c.Present("mary") || c.Participant("someone.outside").Kind != wc.KindExternal {
			t.Errorf("participants are %+v, seats %+v", c.Participants, c.Seats)
		}
		long := strings.Repeat("é", 256)
		_, err := s.UpdateCall(ctx, mary, c.ID, wc.CallUpdate{Title: &long})
		wantCode(t, err, wc.CodeInvalid)
		bad := "nothing"
		_, err = s.UpdateCall(ctx, mary, c.ID, wc.CallUpdate{Provider: &bad})
		wantCode(t, err, wc.CodeInvalid)
	})
}

func TestBadArgumentsAreNamed(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		for field, spoil := range map[string]func(*wc.NewCall){
			"id":           func(n *wc.NewCall) { n.ID = wc.CallID(strings.Repeat("x", 256)) },
			"title":        func(n *wc.NewCall) { n.Title = strings.Repeat("x", 256) },
			"owner":        func(n *wc.NewCall) { n.Owner.ID = "jack" },
			"ownerType":    func(n *wc.NewCall) { n.Owner.Type = "planet" },
			"provider":     func(n *wc.NewCall) { n.Provider = "jitsi" },
			"participants": func(n *wc.NewCall) { n.Participants = []wc.UserID{"mary"} },
			"spaces":       func(n *wc.NewCall) { n.Spaces = []string{"nowhere"} },
			"endDate": func(n *wc.NewCall) {
				n.ScheduledStart = time.Now()
				n.ScheduledEnd = n.ScheduledStart.Add(-time.Minute)
			},
		} {
			n := pair("mary", "john", true)
			spoil(&n)
			_, err := s.CreateCall(t.Context(), mary, n)
			var e *wc.Error
			if !errors.As(err, &e) || e.Code != wc.CodeInvalid || e.Field != field {
				t.Errorf("%s: error is %#v", field, err)
			}
		}
		for _, id := range []wc.CallID{"", "/", "a//b", "a/", "/a", "a/*/b", "**", "a/ /b", "ä", "a%b", "a\nb"} {
			if wc.ValidCallID(id) {
				t.Errorf("%q is taken for a call id", id)
			}
		}
		for _, id := range []wc.CallID{"g/product_team", "p/a-b", "p_a-b", "p/john.smith@mary", "x"} {
			if !wc.ValidCallID(id) {
				t.Errorf("%q is refused as a call id", id)
			}
		}
	})
}

func TestDataReachesParties(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		c := must[*wc.Call](t)(s.CreateCall(ctx, mary, pair("mary", "john", true)))
		first := must[wc.Position](t)(s.SendData(ctx, mary, c.ID, []byte(`{"n":1}`)))
		must[wc.Position](t)(s.SendData(ctx, mary, c.ID, []byte(`{"n":2}`)))
		in := make(chan *wc.Event, 10)
		sub, err := s.Subscribe(ctx, john, wc.DataTopic(c.ID), &first, func(e *wc.Event) { in <- e })
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		must[wc.Position](t)(s.SendData(ctx, mary, c.ID, []byte(`{"n":3}`)))
		synctest.Wait()
		close(in)
		var got []string
		for e := range in {
			got = append(got, string(e.Data)+" from "+string(e.Actor)+"-"+string(e.Client))
		}
		if strings.Join(got, " ") != `{"n":2} from mary-m1 {"n":3} from mary-m1` {
			t.Errorf("received %q", got)
		}
		for _, bad := range []string{``, `[]`, `"x"`, `{`, `null`, `{"a":1} x`} {
			_, err := s.SendData(ctx, mary, c.ID, []byte(bad))
			wantCode(t, err, wc.CodeInvalid)
		}
	})
}

func TestProviderSwitch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		n := startNode(t, store, newPeople(), wc.Options{})
		defer n.stop()
		_, err := n.Providers().SetActive(t.Context(), mary, "webrtc", false)
		wantCode(t, err, wc.CodeDenied)
		root := wc.Actor{User: "root", Client: "r", Admin: true}
		must[wc.ProviderConfig](t)(n.Providers().SetActive(t.Context(), root, "webrtc", false))
		_, err = n.CreateCall(t.Context(), mary, pair("mary", "john", true))
		wantCode(t, err, wc.CodeInvalid)
		other := startNode(t, store, newPeople(), wc.Options{NodeName: "other"})
		defer other.stop()
		if c := must[wc.ProviderConfig](t)(other.Providers().Config(t.Context(), "webrtc", "fr")); c.Active {
			t.Error("the other node does not see the switch")
		}
	})
}

// hostile is a directory that panics, hangs or lies.
type hostile struct {
	*people
	mode string
}

func (h *hostile) Group(ctx context.Context, ref wc.Ref) (*wc.Group, error) {
	switch h.mode {
	case "panic":
		panic("directory")
	case "hang":
		<-ctx.Done()
		return nil, ctx.Err()
	case "nil":
		return nil, nil
	case "fail":
		return nil, errBoom
	}
	return h.people.Group(ctx, ref)
}

func TestHostileDirectory(t *testing.T) {
	for mode, code := range map[string]wc.Code{
		"panic": wc.CodeInternal, "hang": wc.CodeUnavailable, "nil": wc.CodeInternal, "fail": wc.CodeInternal,
	} {
		t.Run(mode, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := &hostile{newPeople(), mode}
				n := startNode(t, memstore.New(), dir, wc.Options{Logger: slog.New(slog.DiscardHandler)})
				defer n.stop()
				_, err := n.CreateCall(t.Context(), mary, space("g/p", "product_team", true))
				wantCode(t, err, code)
				dir.mode = ""
				must[*wc.Call](t)(n.CreateCall(t.Context(), mary, space("g/p", "product_team", true)))
			})
		})
	}
}

func TestKeysMakeRepeatsSafe(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		j := listen(t, s.Service, "john")
		keyed := func(by wc.Actor, key string) wc.Actor { by.Key = key; return by }
		first := must[*wc.Call](t)(s.CreateCall(ctx, keyed(mary, "k1"), pair("mary", "john", true)))
		again := must[*wc.Call](t)(s.CreateCall(ctx, keyed(mary, "k1"), pair("mary", "john", true)))
		if first.Epoch != again.Epoch || first.Version != again.Version {
			t.Errorf("the repeat made another call: %+v, %+v", first, again)
		}
		j.want(t, "john", "started")
		other := pair("mary", "john", true)
		other.Title = "other"
		_, err := s.CreateCall(ctx, keyed(mary, "k1"), other)
		wantCode(t, err, wc.CodeInvalid)
		// Another user's key is another key.
		must[wc.Position](t)(s.SendData(ctx, keyed(john, "k1"), first.ID, []byte(`{}`)))

		must[*wc.Admission](t)(s.JoinCall(ctx, mary, first.ID))
		j.take()
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if _, err := s.LeaveCall(ctx, keyed(mary, "k2"), first.ID, nil); err != nil {
					t.Error(err)
				}
				if _, err := s.SendData(ctx, keyed(john, "k3"), first.ID, []byte(`{"n":1}`)); err != nil && wc.CodeOf(err) != wc.CodeNotFound {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		j.want(t, "john", "call_leaved mary", "stopped(cancelled)")
		time.Sleep(25 * time.Hour)
		_, err = s.LeaveCall(ctx, keyed(mary, "k2"), first.ID, nil)
		wantCode(t, err, wc.CodeNotFound)
	})
}
