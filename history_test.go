package webconferencing_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	wc "github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/memstore"
)

var admin = wc.Actor{User: "root", Client: "r", Admin: true}

// past is a user's history in a short form, newest first.
func past(t *testing.T, s *node, user string, q wc.HistoryQuery) []string {
	t.Helper()
	var list []string
	for _, e := range must[[]wc.HistoryEntry](t)(s.History(t.Context(), dev(user, "h"), q)) {
		way := "in"
		if e.Outgoing {
			way = "out"
		}
		list = append(list, fmt.Sprintf("%s %s %s", way, e.Outcome, e.Call))
	}
	return list
}

func TestHistoryOutcomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startNode(t, memstore.New(), newPeople(), wc.Options{HistoryRetention: time.Hour})
		defer s.stop()
		ctx := t.Context()
		const id = "p/john@mary"
		ring := func() {
			time.Sleep(time.Second)
			must[*wc.Call](t)(s.CreateCall(ctx, mary, pair("mary", "john", true)))
			must[*wc.Admission](t)(s.JoinCall(ctx, mary, id))
		}
		var wantMary, wantJohn []string
		note := func(m, j wc.Outcome) {
			wantMary = append([]string{"out " + string(m) + " " + id}, wantMary...)
			wantJohn = append([]string{"in " + string(j) + " " + id}, wantJohn...)
		}
		ring()
		must[*wc.Call](t)(s.DeclineCall(ctx, john, id))
		note(wc.OutcomeDeclined, wc.OutcomeDeclined)
		ring()
		must[*wc.Call](t)(s.LeaveCall(ctx, mary, id, nil))
		note(wc.OutcomeCancelled, wc.OutcomeMissed)
		ring()
		must[*wc.Call](t)(s.RefuseBusy(ctx, john, id))
		note(wc.OutcomeBusy, wc.OutcomeBusy)
		must[*wc.Call](t)(s.CreateCall(ctx, mary, pair("mary", "john", true)))
		time.Sleep(50 * time.Second)
		note(wc.OutcomeNoAnswer, wc.OutcomeMissed)
		ring()
		must[*wc.Admission](t)(s.AcceptCall(ctx, john, id))
		must[*wc.Admission](t)(s.JoinCall(ctx, john2, id))
		time.Sleep(10 * time.Second)
		must[*wc.Call](t)(s.LeaveCall(ctx, mary, id, nil))
		note(wc.OutcomeAnswered, wc.OutcomeAnswered)

		if got := past(t, s, "mary", wc.HistoryQuery{}); !slices.Equal(got, wantMary) {
			t.Errorf("mary's history is %q, want %q", got, wantMary)
		}
		if got := past(t, s, "john", wc.HistoryQuery{}); !slices.Equal(got, wantJohn) {
			t.Errorf("john's history is %q, want %q", got, wantJohn)
		}
		last := must[[]wc.HistoryEntry](t)(s.History(ctx, john, wc.HistoryQuery{Limit: 1}))[0]
		if last.Spent != 10*time.Second || last.Devices != 2 || !slices.Equal(last.Others, []wc.UserID{"mary"}) || last.Ended.Sub(last.Started) != 10*time.Second {
			t.Errorf("last entry is %+v", last)
		}
		if got := past(t, s, "john", wc.HistoryQuery{After: last.Cursor, Limit: 2}); !slices.Equal(got, wantJohn[1:3]) {
			t.Errorf("second page is %q", got)
		}
		if got := past(t, s, "john", wc.HistoryQuery{Outcome: wc.OutcomeMissed, With: "mary", Text: "MAR"}); len(got) != 2 {
			t.Errorf("search finds %q", got)
		}
		if got := past(t, s, "john", wc.HistoryQuery{With: "jack"}); len(got) != 0 {
			t.Errorf("search finds %q", got)
		}
		if n := must[int](t)(s.MissedCalls(ctx, john)); n != 2 {
			t.Errorf("john missed %d calls", n)
		}
		if err := s.MarkSeen(ctx, john); err != nil {
			t.Fatal(err)
		}
		if n := must[int](t)(s.MissedCalls(ctx, john)); n != 0 {
			t.Errorf("john has %d unseen calls", n)
		}
		if got := past(t, s, "jack", wc.HistoryQuery{}); len(got) > 0 {
			t.Errorf("jack's history is %q", got)
		}

		wantCode(t, s.EraseUser(ctx, mary, "john"), wc.CodeDenied)
		if err := s.EraseUser(ctx, admin, "john"); err != nil {
			t.Fatal(err)
		}
		if got := past(t, s, "john", wc.HistoryQuery{}); len(got) > 0 {
			t.Errorf("john's history is %q", got)
		}
		for _, e := range must[[]wc.HistoryEntry](t)(s.History(ctx, mary, wc.HistoryQuery{})) {
			if slices.Contains(e.Others, "john") {
				t.Errorf("john is still in %+v", e)
			}
		}
		time.Sleep(time.Hour)
		if got := past(t, s, "mary", wc.HistoryQuery{}); len(got) > 0 {
			t.Errorf("after the retention mary's history is %q", got)
		}
	})
}

func TestHistoryOfGroups(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		must[*wc.Call](t)(s.CreateCall(ctx, mary, space("g/p", "product_team", true)))
		must[*wc.Admission](t)(s.JoinCall(ctx, mary, "g/p"))
		must[*wc.Admission](t)(s.JoinCall(ctx, john, "g/p"))
		time.Sleep(time.Second)
		must[*wc.Call](t)(s.RemoveParticipant(ctx, mary, "g/p", "john"))
		must[*wc.Call](t)(s.StopCall(ctx, mary, "g/p"))
		for user, want := range map[string]string{"mary": "out answered g/p", "john": "in answered g/p", "james": "in missed g/p"} {
			if got := past(t, s, user, wc.HistoryQuery{}); !slices.Equal(got, []string{want}) {
				t.Errorf("%s's history is %q, want %s", user, got, want)
			}
		}
		// Nobody was rung and nobody came: nothing to remember.
		must[*wc.Call](t)(s.DeleteCall(ctx, mary, "g/p"))
		if got := past(t, s, "james", wc.HistoryQuery{}); len(got) != 1 {
			t.Errorf("james's history is %q", got)
		}
	})
}

func TestTimeline(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		c := must[*wc.Call](t)(s.CreateCall(ctx, mary, pair("mary", "john", true)))
		must[*wc.Admission](t)(s.JoinCall(ctx, mary, c.ID))
		time.Sleep(time.Minute) // mary's browser is gone
		if _, err := s.Timeline(ctx, mary, c.ID); wc.CodeOf(err) != wc.CodeDenied {
			t.Errorf("error is %v", err)
		}
		time.Sleep(time.Hour) // the journal is trimmed, the timeline stays
		var got []string
		var version uint64
		for _, e := range must[[]wc.Event](t)(s.Timeline(ctx, admin, c.ID)) {
			got = append(got, short(&e)+" "+string(e.Cause))
			if e.Node == "" || e.Time.IsZero() || e.Version < version {
				t.Errorf("transition is %+v", e)
			}
			version = e.Version
		}
		want := []string{"started command", "call_joined mary command", "call_leaved mary expired", "stopped(expired) expired"}
		if !slices.Equal(got, want) {
			t.Errorf("timeline is %q, want %q", got, want)
		}
		if got := must[[]wc.Event](t)(s.Timeline(ctx, admin, "p/john")); len(got) > 0 {
			t.Errorf("another call's timeline has %d entries", len(got))
		}
	})
}
