package webconferencing_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	wc "github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/memstore"
)

// missOne lets a user miss a call of another one.
func missOne(t *testing.T, s *node, from, to string) {
	t.Helper()
	by := dev(from, from+"1")
	c := must[*wc.Call](t)(s.CreateCall(t.Context(), by, pair(from, to, true)))
	time.Sleep(time.Second)
	must[*wc.Call](t)(s.StopCall(t.Context(), by, c.ID))
	time.Sleep(time.Second)
}

func TestSearchHistoryByName(t *testing.T) {
	one(t, func(t *testing.T, s *node, dir *people) {
		missOne(t, s, "mary", "john")
		missOne(t, s, "james", "john")
		for text, want := range map[string]int{"WILLIAMS": 1, "ames Dav": 1, "mary": 1, "a": 2, "smith": 0, "": 2} {
			if got := past(t, s, "john", wc.HistoryQuery{Text: text}); len(got) != want {
				t.Errorf("%q finds %q, want %d", text, got, want)
			}
		}
		_, err := s.History(t.Context(), john, wc.HistoryQuery{Text: strings.Repeat("x", 256)})
		wantCode(t, err, wc.CodeInvalid)
		// People whom the directory has forgotten are found by their ids.
		dir.mu.Lock()
		delete(dir.users, "mary")
		dir.mu.Unlock()
		if got := past(t, s, "john", wc.HistoryQuery{Text: "mary"}); len(got) != 1 {
			t.Errorf("search finds %q", got)
		}
	})
}

func TestSeenUpToAnEntry(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		missed := func(want int) {
			t.Helper()
			if n := must[int](t)(s.MissedCalls(ctx, john)); n != want {
				t.Errorf("john has missed %d, want %d", n, want)
			}
			unseen := 0
			for _, e := range must[[]wc.HistoryEntry](t)(s.History(ctx, john, wc.HistoryQuery{})) {
				if e.Unseen {
					unseen++
				}
			}
			if unseen != want {
				t.Errorf("%d entries are unseen, want %d", unseen, want)
			}
		}
		missOne(t, s, "mary", "john")
		missOne(t, s, "james", "john")
		newest := must[[]wc.HistoryEntry](t)(s.History(ctx, john, wc.HistoryQuery{}))[0]
		missOne(t, s, "jack", "john")
		missed(3)
		j := listen(t, s.Service, "john")
		if err := s.MarkSeenUpTo(ctx, john, newest.Cursor); err != nil {
			t.Fatal(err)
		}
		missed(1)
		j.want(t, "john", "call_history john")
		// The mark does not go back.
		oldest := must[[]wc.HistoryEntry](t)(s.History(ctx, john, wc.HistoryQuery{After: newest.Cursor}))[0]
		if err := s.MarkSeenUpTo(ctx, john, oldest.Cursor); err != nil {
			t.Fatal(err)
		}
		missed(1)
		wantCode(t, s.MarkSeenUpTo(ctx, john, "nothing"), wc.CodeNotFound)
		wantCode(t, s.MarkSeenUpTo(ctx, mary, newest.Cursor), wc.CodeNotFound)
		// A repeat of an earlier command does not see what came later.
		keyed := john
		keyed.Key = "k"
		if err := s.MarkSeen(ctx, keyed); err != nil {
			t.Fatal(err)
		}
		missOne(t, s, "mary", "john")
		if err := s.MarkSeen(ctx, keyed); err != nil {
			t.Fatal(err)
		}
		missed(1)
	})
}

// A long call that somebody missed and that ended after a short one is seen
// with the list that shows both.
func TestSeenWithOverlappingCalls(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		must[*wc.Call](t)(s.CreateCall(ctx, mary, space("g/p", "product_team", true)))
		seat := must[*wc.Admission](t)(s.JoinCall(ctx, mary, "g/p")).Seat
		keepAlive(t, s.Service, mary, seat, 10*time.Second)
		missOne(t, s, "james", "john")
		keepAlive(t, s.Service, mary, seat, 10*time.Second)
		must[*wc.Call](t)(s.StopCall(ctx, mary, "g/p"))
		list := must[[]wc.HistoryEntry](t)(s.History(ctx, john, wc.HistoryQuery{}))
		if len(list) != 2 || list[0].Call != "p/james@john" {
			t.Fatalf("history is %+v", list)
		}
		if err := s.MarkSeenUpTo(ctx, john, list[0].Cursor); err != nil {
			t.Fatal(err)
		}
		if n := must[int](t)(s.MissedCalls(ctx, john)); n != 0 {
			t.Errorf("john has missed %d", n)
		}
	})
}

// Whoever is erased is in no record, history or timeline afterwards, and not
// in a call either.
func TestEraseAPersonInTheMidstOfCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		s := startNode(t, store, newPeople(), wc.Options{})
		defer s.stop()
		ctx := t.Context()
		keyed := john
		keyed.Key = "k"
		missOne(t, s, "mary", "john")
		missOne(t, s, "john", "mary")
		must[*wc.Call](t)(s.CreateCall(ctx, keyed, space("g/p", "product_team", true)))
		must[*wc.Admission](t)(s.JoinCall(ctx, john, "g/p"))
		must[*wc.Admission](t)(s.JoinCall(ctx, mary, "g/p"))
		must[*wc.Call](t)(s.SetInvites(ctx, mary, "g/p", []wc.Invite{{ID: "john"}, {ID: "jack"}}))
		must[*wc.Call](t)(s.CreateCall(ctx, james, pair("james", "john", true)))
		must[*wc.Call](t)(s.CreateCall(ctx, john, pair("john", "jack", false)))
		m, i := listen(t, s.Service, "mary"), listen(t, s.Service, "james")
		if err := s.EraseUser(ctx, admin, "john"); err != nil {
			t.Fatal(err)
		}
		m.want(t, "mary", "call_updated", "call_leaved john")
		i.want(t, "james", "call_updated", "call_leaved john", "call_updated", "stopped(cancelled)")
		for c, err := range store.Calls(ctx, wc.CallQuery{}) {
			if err != nil {
				t.Fatal(err)
			}
			if c.Participant("john") != nil || c.Present("john") || c.Creator == "john" || c.Starter == "john" || c.Owner.ID == "john" || c.Title == "john" {
				t.Errorf("john is in %+v", c)
			}
			if slices.Contains(c.Invites, wc.Invite{ID: "john"}) || slices.ContainsFunc(c.Origins, func(r wc.Ref) bool { return r.ID == "john" }) {
				t.Errorf("john is in %+v", c)
			}
		}
		for v, err := range store.Values(ctx, wc.ValueQuery{}) {
			if err != nil {
				t.Fatal(err)
			}
			// Call ids are the host's; those of this test are made of names.
			if text := strings.NewReplacer("p/john@mary", "", "p/james@john", "", "p/jack@john", "").Replace(v.Key + string(v.Data)); strings.Contains(text, "john") {
				t.Errorf("john is in %s: %s", v.Key, v.Data)
			}
		}
		if c := must[*wc.Call](t)(s.Call(ctx, mary, "g/p")); !c.Present("mary") || c.State != wc.StateStarted {
			t.Errorf("mary's call is %+v", c)
		}
		if err := s.EraseUser(ctx, admin, "john"); err != nil {
			t.Errorf("a second time: %v", err)
		}
	})
}
