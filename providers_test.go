package webconferencing_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	wc "github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/connector/connectortest"
	"github.com/webconferencing/webconferencing/store/memstore"
)

// simulated runs f with one node whose provider is simulated.
func simulated(t *testing.T, opts wc.Options, f func(t *testing.T, s *node, sim *connectortest.Simulated)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sim := connectortest.NewSimulated(nil)
		opts.Providers = []wc.Provider{sim}
		n := startNode(t, memstore.New(), newPeople(), opts)
		defer n.stop()
		synctest.Wait()
		f(t, n, sim)
	})
}

func simulatedSpace(start bool) wc.NewCall {
	n := space("g/product", "product_team", start)
	n.Provider = "simulated"
	return n
}

// wait lets the time pass that background work has at most.
func wait(d time.Duration) {
	time.Sleep(d) // virtual
	synctest.Wait()
}

func TestMeetingIsPreparedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, store := connectortest.NewSimulated(nil), memstore.New()
		var nodes []*node
		for range 3 {
			n := startNode(t, store, newPeople(), wc.Options{Providers: []wc.Provider{sim}})
			defer n.stop()
			nodes = append(nodes, n)
		}
		synctest.Wait()
		sim.Behave(connectortest.Behaviour{Delay: 100 * time.Millisecond, Only: []string{"Prepare"}})
		c := must[*wc.Call](t)(nodes[0].CreateCall(t.Context(), mary, simulatedSpace(true)))
		var mu sync.Mutex
		var urls []string
		var moderators int
		var wg sync.WaitGroup
		for i, by := range []wc.Actor{mary, john, john2, james} {
			wg.Go(func() {
				adm, err := nodes[i%3].JoinCall(t.Context(), by, c.ID)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				urls = append(urls, adm.Grant.URL)
				if adm.Grant.Settings["moderator"] == true {
					moderators++
				}
			})
		}
		wg.Wait()
		if len(slices.Compact(urls)) != 1 {
			t.Errorf("people were sent to %q", urls)
		}
		if moderators != 1 {
			t.Errorf("%d moderators, want the starter alone", moderators)
		}
		before := sim.Calls("Prepare")
		if before > 3 {
			t.Errorf("prepared %d times by 3 nodes", before)
		}
		must[*wc.Admission](t)(nodes[1].JoinCall(t.Context(), dev("james", "s2"), c.ID))
		if sim.Calls("Prepare") != before {
			t.Error("a later join prepared again")
		}
	})
}

// TestLoserOfPreparationUsesTheWinners has a provider that breaks its promise
// and makes another meeting each time.
func TestLoserOfPreparationUsesTheWinners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, store := &forgetful{}, memstore.New()
		a := startNode(t, store, newPeople(), wc.Options{Providers: []wc.Provider{p}})
		defer a.stop()
		b := startNode(t, store, newPeople(), wc.Options{Providers: []wc.Provider{p}})
		defer b.stop()
		synctest.Wait()
		n := space("g/product", "product_team", true)
		n.Provider = "forgetful"
		c := must[*wc.Call](t)(a.CreateCall(t.Context(), mary, n))
		var wg sync.WaitGroup
		rooms := make([]string, 2)
		for i, s := range []*node{a, b} {
			wg.Go(func() {
				adm, err := s.JoinCall(t.Context(), []wc.Actor{mary, john}[i], c.ID)
				if err != nil {
					t.Error(err)
					return
				}
				rooms[i] = adm.Grant.Token
			})
		}
		wg.Wait()
		if rooms[0] == "" || rooms[0] != rooms[1] {
			t.Errorf("rooms are %q", rooms)
		}
	})
}

type forgetful struct {
	mu sync.Mutex
	n  int
}

func (f *forgetful) Info() wc.ProviderInfo {
	return wc.ProviderInfo{Type: "forgetful", Title: "F", Groups: true}
}

func (f *forgetful) Prepare(context.Context, *wc.Call) (wc.Meeting, error) {
	time.Sleep(time.Millisecond) // virtual
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	data, err := json.Marshal(f.n)
	return wc.Meeting{Data: data}, err
}

func (f *forgetful) Join(_ context.Context, r wc.JoinRequest) (*wc.Grant, error) {
	return &wc.Grant{Token: string(r.Meeting.Data)}, nil
}

func TestMeetingFollowsTheCall(t *testing.T) {
	simulated(t, wc.Options{}, func(t *testing.T, s *node, sim *connectortest.Simulated) {
		ctx := t.Context()
		c := must[*wc.Call](t)(s.CreateCall(ctx, mary, simulatedSpace(true)))
		adm := must[*wc.Admission](t)(s.JoinCall(ctx, mary, c.ID))
		if sim.Open() != 1 {
			t.Fatalf("%d meetings are open", sim.Open())
		}
		title := "Renamed"
		must[*wc.Call](t)(s.UpdateCall(ctx, mary, c.ID, wc.CallUpdate{Title: &title}))
		wait(time.Second)
		if got := sim.Title(c.ID, adm.Seat.Epoch); got != title {
			t.Errorf("the meeting's title is %q", got)
		}
		told := sim.Calls("UpdateMeeting")
		must[*wc.Admission](t)(s.JoinCall(ctx, john, c.ID))
		wait(time.Second)
		if sim.Calls("UpdateMeeting") != told {
			t.Error("a join alone updated the meeting")
		}
		must[*wc.Call](t)(s.StopCall(ctx, mary, c.ID))
		wait(time.Second)
		if sim.Open() != 0 || sim.Calls("EndMeeting") != 1 {
			t.Errorf("%d meetings are open, ended %d times", sim.Open(), sim.Calls("EndMeeting"))
		}
		wait(time.Minute)
		if sim.Calls("EndMeeting") != 1 {
			t.Error("the end was told again")
		}
	})
}

// TestEndSurvivesCrashAndErrors ends a run while the provider is away and the
// node dies.
func TestEndSurvivesCrashAndErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, store := connectortest.NewSimulated(nil), memstore.New()
		opts := wc.Options{Providers: []wc.Provider{sim}}
		n := startNode(t, store, newPeople(), opts)
		synctest.Wait()
		c := must[*wc.Call](t)(n.CreateCall(t.Context(), mary, simulatedSpace(true)))
		must[*wc.Admission](t)(n.JoinCall(t.Context(), mary, c.ID))
		sim.Behave(connectortest.Behaviour{Err: errBoom})
		must[*wc.Call](t)(n.StopCall(t.Context(), mary, c.ID))
		wait(3 * time.Second)
		n.stop()
		if sim.Open() != 1 || sim.Calls("EndMeeting") == 0 {
			t.Fatalf("%d open, asked %d times", sim.Open(), sim.Calls("EndMeeting"))
		}
		sim.Behave(connectortest.Behaviour{})
		n = startNode(t, store, newPeople(), opts)
		defer n.stop()
		wait(20 * time.Second) // the dead node's lead runs out first
		if sim.Open() != 0 {
			t.Error("the meeting was forgotten")
		}
		// What the provider did not take of the journal comes too, in order.
		var got []string
		for _, e := range sim.Observed() {
			got = append(got, short(&e))
		}
		if !slices.IsSorted(positions(sim.Observed())) || len(got) < 3 || got[0] != "started" || got[len(got)-1] != "stopped(ended)" {
			t.Errorf("the provider was told %q", got)
		}
	})
}

func positions(events []wc.Event) []wc.Position {
	list := make([]wc.Position, len(events))
	for i, e := range events {
		list[i] = e.Position
	}
	return list
}

// TestOneDeadProviderStopsNoOther has one provider that hangs or panics in all
// it does, beside one that works.
func TestOneDeadProviderStopsNoOther(t *testing.T) {
	for name, b := range map[string]connectortest.Behaviour{
		"hangs": {Delay: 20 * time.Second, Hang: true}, "panics": {Panic: true}, "fails": {Err: errBoom},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dead := connectortest.NewSimulated(&connectortest.SimulatedOptions{Type: "dead"})
				sim := connectortest.NewSimulated(nil)
				n := startNode(t, memstore.New(), newPeople(), wc.Options{Providers: []wc.Provider{dead, sim}})
				defer func() {
					n.stop()
					time.Sleep(time.Minute) // what hangs has come back, virtually
				}()
				synctest.Wait()
				dead.Behave(b)
				call := simulatedSpace(true)
				call.ID, call.Owner.ID, call.Provider = "g/sales", "sales_team", "dead"
				c := must[*wc.Call](t)(n.CreateCall(t.Context(), jack, call))
				_, err := n.JoinCall(t.Context(), jack, c.ID)
				if err == nil {
					t.Error("joined a dead provider's call")
				}
				must[*wc.Call](t)(n.CreateCall(t.Context(), mary, simulatedSpace(true)))
				must[*wc.Admission](t)(n.JoinCall(t.Context(), mary, "g/product"))
				must[*wc.Call](t)(n.StopCall(t.Context(), mary, "g/product"))
				wait(time.Second)
				if sim.Open() != 0 || len(sim.Observed()) < 3 {
					t.Errorf("the other provider: %d open, %d events", sim.Open(), len(sim.Observed()))
				}
			})
		})
	}
}

func TestModerate(t *testing.T) {
	simulated(t, wc.Options{}, func(t *testing.T, s *node, sim *connectortest.Simulated) {
		ctx := t.Context()
		c := must[*wc.Call](t)(s.CreateCall(ctx, mary, simulatedSpace(true)))
		for _, by := range []wc.Actor{mary, john, john2} {
			must[*wc.Admission](t)(s.JoinCall(ctx, by, c.ID))
		}
		remove := wc.Moderation{Action: wc.ModerateRemove, User: "john", Client: "j1"}
		wantCode(t, s.Moderate(ctx, john, c.ID, remove), wc.CodeDenied)
		wantCode(t, s.Moderate(ctx, jack, c.ID, remove), wc.CodeNotFound)
		wantCode(t, s.Moderate(ctx, mary, c.ID, wc.Moderation{Action: wc.ModerateAdmit, User: "john"}), wc.CodeUnsupported)
		wantCode(t, s.Moderate(ctx, mary, c.ID, wc.Moderation{Action: wc.ModerateMute, User: "jack"}), wc.CodeNotFound)
		wantCode(t, s.Moderate(ctx, mary, c.ID, remove), "")
		got := must[*wc.Call](t)(s.Call(ctx, mary, c.ID))
		if got.Seat("john", "j1") != nil || got.Seat("john", "j2") == nil {
			t.Errorf("seats are %+v", got.Seats)
		}
		// An administrator need not be a party.
		wantCode(t, s.Moderate(ctx, admin, c.ID, wc.Moderation{Action: wc.ModerateRemove, User: "john"}), "")
		if got := must[*wc.Call](t)(s.Call(ctx, mary, c.ID)); got.Present("john") {
			t.Error("john is still inside")
		}
		if sim.Calls("Moderate") != 2 {
			t.Errorf("the provider was asked %d times", sim.Calls("Moderate"))
		}
	})
}

func TestPanelOfACall(t *testing.T) {
	simulated(t, wc.Options{}, func(t *testing.T, s *node, sim *connectortest.Simulated) {
		ctx := t.Context()
		c := must[*wc.Call](t)(s.CreateCall(ctx, mary, simulatedSpace(true)))
		must[*wc.Admission](t)(s.JoinCall(ctx, mary, c.ID))
		wantCode(t, s.StartRecording(ctx, john, c.ID), wc.CodeDenied)
		wantCode(t, s.StartRecording(ctx, mary, c.ID), "")
		wantCode(t, s.StopRecording(ctx, mary, c.ID), "")
		list := must[[]wc.Recording](t)(s.Recordings(ctx, john, c.ID))
		if len(list) != 1 || !list[0].Finished {
			t.Errorf("recordings are %+v", list)
		}
		_, err := s.Recordings(ctx, jack, c.ID)
		wantCode(t, err, wc.CodeNotFound)
		wantCode(t, s.DeleteRecording(ctx, john, c.ID, "rec-1"), wc.CodeDenied)
		wantCode(t, s.DeleteRecording(ctx, mary, c.ID, "rec-2"), wc.CodeNotFound)
		must[*wc.Call](t)(s.StopCall(ctx, mary, c.ID))
		wait(time.Second)
		if list = must[[]wc.Recording](t)(s.Recordings(ctx, john, c.ID)); len(list) != 1 {
			t.Errorf("after the run the recordings are %+v", list)
		}
		wantCode(t, s.DeleteRecording(ctx, mary, c.ID, "rec-1"), "")
		_, err = s.PhoneNumbers(ctx, mary, c.ID)
		wantCode(t, err, wc.CodeConflict)

		must[*wc.Call](t)(s.StartCall(ctx, mary, c.ID))
		if phones := must[[]wc.PhoneNumber](t)(s.PhoneNumbers(ctx, john, c.ID)); len(phones) != 1 {
			t.Errorf("phones are %+v", phones)
		}
		wantCode(t, s.DialOut(ctx, john, c.ID, "+4930123456"), wc.CodeDenied)
		for _, number := range []string{"", "110", "+", "+0123456", "+49 30 1", "+1234567890123456"} {
			wantCode(t, s.DialOut(ctx, mary, c.ID, number), wc.CodeInvalid)
		}
		wantCode(t, s.DialOut(ctx, mary, c.ID, "+4930123456"), "")
		if items := must[[]wc.InfoItem](t)(s.InfoItems(ctx, john, c.ID)); len(items) != 1 || items[0].URL == "" {
			t.Errorf("info is %+v", items)
		}
	})
}

func TestBusyTimesAreMerged(t *testing.T) {
	simulated(t, wc.Options{}, func(t *testing.T, s *node, sim *connectortest.Simulated) {
		from := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
		within := wc.Interval{From: from, To: from.Add(time.Hour)}
		got := must[[]wc.Interval](t)(s.Busy(t.Context(), mary, "mary", within))
		want := []wc.Interval{{From: from, To: from.Add(10 * time.Minute)}, {From: from.Add(50 * time.Minute), To: within.To}}
		if !slices.Equal(got, want) {
			t.Errorf("busy %v, want %v", got, want)
		}
		_, err := s.Busy(t.Context(), john, "mary", within)
		wantCode(t, err, wc.CodeDenied)
		sim.Behave(connectortest.Behaviour{Err: errBoom})
		if _, err := s.Busy(t.Context(), mary, "mary", within); err == nil {
			t.Error("not knowing looks like being free")
		}
	})
}

func TestMaxPartiesIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := connectortest.NewSimulated(&connectortest.SimulatedOptions{MaxParties: 2})
		dir, store := newPeople(), memstore.New()
		dir.set(wc.OwnerSpace, "product_team", "mary", "john", "james", "jack")
		opts := wc.Options{Providers: []wc.Provider{sim}}
		nodes := []*node{startNode(t, store, dir, opts), startNode(t, store, dir, opts)}
		defer nodes[0].stop()
		defer nodes[1].stop()
		synctest.Wait()
		c := must[*wc.Call](t)(nodes[0].CreateCall(t.Context(), mary, simulatedSpace(true)))
		var wg sync.WaitGroup
		var mu sync.Mutex
		full := 0
		for i, by := range []wc.Actor{mary, john, james, jack} {
			wg.Go(func() {
				_, err := nodes[i%2].JoinCall(t.Context(), by, c.ID)
				var e *wc.Error
				if errors.As(err, &e) && e.Code == wc.CodeLimited && e.Reason == wc.ReasonCallFull {
					mu.Lock()
					defer mu.Unlock()
					full++
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		c = must[*wc.Call](t)(nodes[0].Call(t.Context(), mary, c.ID))
		if full != 2 || len(c.Seats) != 2 {
			t.Errorf("%d were refused, %d are inside", full, len(c.Seats))
		}
		// A second device of somebody inside takes no further room.
		must[*wc.Admission](t)(nodes[0].JoinCall(t.Context(), wc.Actor{User: c.Seats[0].User, Client: "second"}, c.ID))
	})
}

func TestInterceptor(t *testing.T) {
	var seen wc.JoinRequest
	opts := wc.Options{Intercept: wc.Interceptor{
		Join: func(_ context.Context, r *wc.JoinRequest) error {
			if r.Actor.User == "john" {
				return errors.New("not you")
			}
			r.Moderator, r.Actor, r.Seat = false, admin, wc.SeatRef{}
			return nil
		},
		Grant: func(_ context.Context, r wc.JoinRequest, g *wc.Grant) error {
			seen = r
			g.URL += "?tracked=no"
			return nil
		},
	}}
	simulated(t, opts, func(t *testing.T, s *node, _ *connectortest.Simulated) {
		c := must[*wc.Call](t)(s.CreateCall(t.Context(), mary, simulatedSpace(true)))
		adm := must[*wc.Admission](t)(s.JoinCall(t.Context(), mary, c.ID))
		if !strings.HasSuffix(adm.Grant.URL, "?tracked=no") || adm.Grant.Settings["moderator"] != false {
			t.Errorf("the grant is %+v", adm.Grant)
		}
		if seen.Actor.User != "mary" || seen.Seat != adm.Seat {
			t.Errorf("the interceptor changed who joins: %+v", seen)
		}
		_, err := s.JoinCall(t.Context(), john, c.ID)
		wantCode(t, err, wc.CodeDenied)
		if got := must[*wc.Call](t)(s.Call(t.Context(), mary, c.ID)); got.Present("john") {
			t.Error("john stayed without a grant")
		}
	})
}

func TestDiagnosisIsSharedAndSafe(t *testing.T) {
	simulated(t, wc.Options{Logger: slog.New(slog.DiscardHandler)}, func(t *testing.T, s *node, sim *connectortest.Simulated) {
		r := s.Providers()
		_, err := r.Diagnose(t.Context(), mary, "simulated")
		wantCode(t, err, wc.CodeDenied)
		sim.Behave(connectortest.Behaviour{Delay: time.Second})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if d, err := r.Diagnose(t.Context(), admin, "simulated"); err != nil || !d.Ready || d.Details["version"] != "1" {
					t.Errorf("diagnosis is %+v, %v", d, err)
				}
			})
		}
		wg.Wait()
		if sim.Calls("Check") != 1 {
			t.Errorf("checked %d times", sim.Calls("Check"))
		}
		sim.Behave(connectortest.Behaviour{Err: errors.New("https://key:hush@server")})
		wait(11 * time.Second)
		d := must[wc.Diagnosis](t)(r.Diagnose(t.Context(), admin, "simulated"))
		if d.Ready || d.Problem == "" || strings.Contains(d.Problem, "hush") {
			t.Errorf("diagnosis is %+v", d)
		}
	})
}

func TestRegistryHelpers(t *testing.T) {
	simulated(t, wc.Options{}, func(t *testing.T, s *node, _ *connectortest.Simulated) {
		r := s.Providers()
		typ, room, err := r.ParseURL(t.Context(), "https://meet.example/room-7")
		if typ != "simulated" || room != "room-7" || err != nil {
			t.Errorf("parsed as %q, %q, %v", typ, room, err)
		}
		_, _, err = r.ParseURL(t.Context(), "https://elsewhere.example/x")
		wantCode(t, err, wc.CodeNotFound)
		policy := must[wc.ClientPolicy](t)(r.ClientPolicy(t.Context()))
		if !slices.Equal(policy.Sources["frame-src"], []string{"https://meet.example"}) || len(policy.Permissions) != 2 {
			t.Errorf("policy is %+v", policy)
		}
		c := must[wc.ProviderConfig](t)(r.Config(t.Context(), "simulated", ""))
		if !c.OneToOne || !c.Groups || !slices.Contains(c.Features, wc.FeatureRecording) || !slices.Contains(c.Features, "screen") {
			t.Errorf("configuration is %+v", c)
		}
	})
}

func TestMeetingOfAnotherProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, other := connectortest.NewSimulated(nil), connectortest.NewSimulated(&connectortest.SimulatedOptions{Type: "other"})
		n := startNode(t, memstore.New(), newPeople(), wc.Options{Providers: []wc.Provider{sim, other}})
		defer n.stop()
		synctest.Wait()
		c := must[*wc.Call](t)(n.CreateCall(t.Context(), mary, simulatedSpace(true)))
		must[*wc.Admission](t)(n.JoinCall(t.Context(), mary, c.ID))
		must[*wc.Call](t)(n.UpdateCall(t.Context(), mary, c.ID, wc.CallUpdate{Provider: text("other")}))
		must[*wc.Admission](t)(n.JoinCall(t.Context(), john, c.ID))
		wait(11 * time.Second)
		if sim.Open() != 0 || other.Open() != 1 {
			t.Errorf("%d meetings of the first provider are open, %d of the second", sim.Open(), other.Open())
		}
	})
}
