package webconferencing_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	wc "github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/faultstore"
	"github.com/webconferencing/webconferencing/store/memstore"
)

func TestExplainALiveCall(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		time.Sleep(2 * time.Second) // the node has said that it lives
		c := must[*wc.Call](t)(s.CreateCall(ctx, mary, space("g/p", "product_team", true)))
		must[*wc.Admission](t)(s.JoinCall(ctx, mary, c.ID))
		must[*wc.Call](t)(s.Ringing(ctx, john, c.ID))
		time.Sleep(10 * time.Second)
		x := must[*wc.Explanation](t)(s.Explain(ctx, admin, c.ID))
		if x.State != wc.StateStarted || x.Summary != "The call goes on because 1 person is inside on 1 device." || x.Last == nil {
			t.Errorf("explanation is %+v", x)
		}
		if len(x.Seats) != 1 || !x.Seats[0].Here || !x.Seats[0].NodeAlive || x.Seats[0].LeaseLeft != 15*time.Second {
			t.Errorf("seats are %+v", x.Seats)
		}
		if len(x.Ringing) != 2 || x.Ringing[0].State != wc.RingRinging || len(x.Ringing[0].Legs) != 1 {
			t.Errorf("rings are %+v", x.Ringing)
		}
		if len(x.Deadlines) != 2 || x.Deadlines[0].What != "ringing ends" || !x.Deadlines[0].At.Equal(c.RingUntil) {
			t.Errorf("deadlines are %+v", x.Deadlines)
		}
		all := strings.Join(x.Sentences, "\n")
		for _, part := range []string{"john is rung until", "on 1 device so far", "mary is inside on device m1", "its lease has 15s left"} {
			if !strings.Contains(all, part) {
				t.Errorf("%q is not among the sentences:\n%s", part, all)
			}
		}
		data, err := json.Marshal(x)
		secret := must[*wc.Call](t)(s.Call(ctx, mary, c.ID)).Seats[0].ID
		if err != nil || strings.Contains(string(data), string(secret)) {
			t.Errorf("a seat's secret came out: %s, %v", data, err)
		}
		seats := must[[]wc.SeatStatus](t)(s.LiveSeats(ctx, admin))
		if len(seats) != 1 || seats[0].User != "mary" || seats[0].Call != c.ID {
			t.Errorf("live seats are %+v", seats)
		}
		_, err = s.Explain(ctx, mary, c.ID)
		wantCode(t, err, wc.CodeDenied)
		_, err = s.LiveSeats(ctx, mary)
		wantCode(t, err, wc.CodeDenied)
		_, err = s.Explain(ctx, admin, "p/nobody")
		wantCode(t, err, wc.CodeNotFound)
	})
}

func TestExplainOtherStates(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		explain := func(id wc.CallID, summary, sentence string) {
			t.Helper()
			x := must[*wc.Explanation](t)(s.Explain(ctx, admin, id))
			if !strings.Contains(x.Summary, summary) || !strings.Contains(strings.Join(x.Sentences, "\n"), sentence) {
				t.Errorf("explanation is %q %q, want %q and %q in it", x.Summary, x.Sentences, summary, sentence)
			}
		}
		must[*wc.Call](t)(s.CreateCall(ctx, mary, space("g/p", "product_team", false)))
		explain("g/p", "never started", "")
		must[*wc.Call](t)(s.CreateCall(ctx, mary, pair("mary", "john", true)))
		explain("p/john@mary", "people are being rung", "john is rung")
		must[*wc.Call](t)(s.DeclineCall(ctx, john, "p/john@mary"))
		explain("p/john@mary", "was removed", "declined, cause command, by john (device j1)")
		time.Sleep(25 * time.Hour)
		explain("p/john@mary", "does not exist any more", "declined, cause command, by john (device j1)")
	})
}

// A seat whose node died is explained by the other node.
func TestExplainALostNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, dir := memstore.New(), newPeople()
		a := startNode(t, store, dir, wc.Options{NodeName: "a"})
		time.Sleep(2 * time.Second)
		must[*wc.Call](t)(a.CreateCall(t.Context(), mary, space("g/p", "product_team", true)))
		must[*wc.Admission](t)(a.JoinCall(t.Context(), mary, "g/p"))
		a.stop()
		b := startNode(t, store, dir, wc.Options{NodeName: "b"})
		defer b.stop()
		time.Sleep(20 * time.Second)
		x := must[*wc.Explanation](t)(b.Explain(t.Context(), admin, "g/p"))
		if all := strings.Join(x.Sentences, "\n"); !strings.Contains(all, "node a, which kept the lease, is lost") {
			t.Errorf("sentences are %s", all)
		}
		time.Sleep(10 * time.Second)
		x = must[*wc.Explanation](t)(b.Explain(t.Context(), admin, "g/p"))
		if all := strings.Join(x.Sentences, "\n"); x.State != wc.StateStopped || !strings.Contains(all, "cause node_lost") || !strings.Contains(all, "last seen") {
			t.Errorf("explanation is %+v", x)
		}
	})
}

func TestForceEnd(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		must[*wc.Call](t)(s.CreateCall(ctx, mary, space("g/p", "product_team", true)))
		must[*wc.Admission](t)(s.JoinCall(ctx, mary, "g/p"))
		m := listen(t, s.Service, "mary")
		_, err := s.ForceEnd(ctx, mary, "g/p", "")
		wantCode(t, err, wc.CodeDenied)
		_, err = s.ForceEnd(ctx, admin, "g/none", "")
		wantCode(t, err, wc.CodeNotFound)
		_, err = s.ForceEnd(ctx, admin, "g/p", strings.Repeat("x", 256))
		wantCode(t, err, wc.CodeInvalid)
		c := must[*wc.Call](t)(s.ForceEnd(ctx, admin, "g/p", "maintenance\nat noon"))
		if c.State != wc.StateStopped || c.Reason != wc.ReasonEnded || len(c.Seats) > 0 {
			t.Errorf("call is %+v", c)
		}
		m.want(t, "mary", "stopped(ended)")
		c = must[*wc.Call](t)(s.ForceEnd(ctx, admin, "g/p", "again"))
		m.want(t, "mary")
		events := must[[]wc.Event](t)(s.Timeline(ctx, admin, "g/p"))
		last := events[len(events)-1]
		if last.Cause != wc.CauseAdmin || last.Actor != "root" || last.Evidence != `maintenance\u000aat noon` || last.Version != c.Version {
			t.Errorf("last transition is %+v", last)
		}
	})
}

// What an administrator does to other people's calls is marked as such.
func TestInterventionsAreMarked(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		must[*wc.Call](t)(s.CreateCall(ctx, mary, space("g/p", "product_team", true)))
		must[*wc.Call](t)(s.StopCall(ctx, admin, "g/p"))
		member := mary
		member.Admin = true
		must[*wc.Call](t)(s.StartCall(ctx, member, "g/p"))
		must[*wc.Call](t)(s.StopCall(ctx, member, "g/p"))
		var causes []string
		for _, e := range must[[]wc.Event](t)(s.Timeline(ctx, admin, "g/p")) {
			causes = append(causes, string(e.Cause))
		}
		if got := strings.Join(causes, " "); got != "command admin command command" {
			t.Errorf("causes are %s", got)
		}
	})
}

// Each transition says what it rests on.
func TestEvidenceInTheTimeline(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		must[*wc.Call](t)(s.CreateCall(ctx, mary, space("g/p", "product_team", true)))
		a := must[*wc.Admission](t)(s.JoinCall(ctx, mary, "g/p"))
		must[*wc.Admission](t)(s.JoinCall(ctx, john, "g/p"))
		s.DetachSeat(a.Seat)
		time.Sleep(time.Minute)
		want := []string{
			"device m1", "device m1", "device j1",
			"connection of the device was lost, last renewed 2000-01-01T00:00:00Z",
			"lease of 25s ran out, last renewed 2000-01-01T00:00:00Z",
		}
		for i, e := range must[[]wc.Event](t)(s.Timeline(ctx, admin, "g/p")) {
			if i < len(want) && e.Evidence != want[i] || e.Cause == "" || e.Node == "" {
				t.Errorf("transition %d is %+v, want the evidence %q", i, e, want[i])
			}
		}
	})
}

// One reference joins what a user saw with the log and the journal.
func TestReferences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log, client bytes.Buffer
		store := faultstore.New(memstore.New())
		s, err := wc.New(store, newPeople(), &wc.Options{
			Providers: []wc.Provider{provider()}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
			CallLog: &wc.CallLogOptions{Handler: slog.NewTextHandler(&client, nil)},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		must[*wc.Call](t)(s.CreateCall(ctx, mary, space("g/p", "product_team", true)))

		store.Inject(faultstore.Fault{Method: faultstore.Commit, Err: errBoom})
		_, err = s.JoinCall(ctx, mary, "g/p")
		var e *wc.Error
		if !errors.As(err, &e) || len(e.Ref) != 12 || e.Code != wc.CodeInternal {
			t.Fatalf("error is %#v", err)
		}
		if !strings.Contains(log.String(), "ref="+e.Ref) || !strings.Contains(log.String(), "boom") || strings.Count(log.String(), "\n") != 1 {
			t.Errorf("the log is %s", log.String())
		}
		if err := s.LogClient(ctx, mary, wc.LogEntry{Level: "error", Message: "join failed", Ref: e.Ref}); err != nil {
			t.Fatal(err)
		}
		if err := s.LogClient(ctx, mary, wc.LogEntry{Level: "error", Message: "forged", Ref: "a b=c"}); err != nil {
			t.Fatal(err)
		}
		if err := s.Shutdown(ctx); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(client.String(), "ref="+e.Ref) || strings.Contains(client.String(), "b=c") {
			t.Errorf("the client log is %s", client.String())
		}

		// The caller may bring the reference along; it is in the journal then.
		by := mary
		by.Ref = "request-1"
		_, err = s.JoinCall(ctx, by, "g/none")
		if !errors.As(err, &e) || e.Ref != "request-1" {
			t.Errorf("error is %#v", err)
		}
		must[*wc.Admission](t)(s.JoinCall(ctx, by, "g/p"))
		by.Ref = "forged\nline"
		must[*wc.Call](t)(s.LeaveCall(ctx, by, "g/p", nil))
		var refs []string
		for _, e := range must[[]wc.Event](t)(s.Timeline(ctx, admin, "g/p")) {
			refs = append(refs, e.Ref)
		}
		if got := strings.Join(refs, ","); !strings.HasPrefix(got, ",request-1,") || strings.Contains(got, "forged") {
			t.Errorf("the journal's references are %q", got)
		}
	})
}

// Refusals have a reference if somebody looks into them.
func TestRefusalsAreLoggedOnDemand(t *testing.T) {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo} {
		var log bytes.Buffer
		s, err := wc.New(memstore.New(), newPeople(), &wc.Options{
			Providers: []wc.Provider{provider()},
			Logger:    slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: level})),
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.JoinCall(t.Context(), mary, "g/none")
		var e *wc.Error
		if !errors.As(err, &e) || (e.Ref != "") != (level == slog.LevelDebug) || strings.Contains(log.String(), "ref=") != (e.Ref != "") {
			t.Errorf("at level %v the error is %#v and the log %q", level, err, log.String())
		}
	}
}
