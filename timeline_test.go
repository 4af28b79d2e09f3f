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

// TestTimelineMovesAlong: while the events of a call wander from the journal
// to where they are kept for long, moved by two nodes at once, its timeline
// has each of them once and in order.
func TestTimelineMovesAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		store, dir := memstore.New(), newPeople()
		a := startNode(t, store, dir, wc.Options{NodeName: "a", HistoryWindow: 4 * time.Minute})
		defer a.stop()
		b := startNode(t, store, dir, wc.Options{NodeName: "b", HistoryWindow: 4 * time.Minute})
		defer b.stop()
		c := must[*wc.Call](t)(a.CreateCall(ctx, mary, wc.NewCall{
			ID: "g/p", Owner: wc.Ref{Type: wc.OwnerSpace, ID: "product_team"}, Provider: "webrtc", Title: "Product",
		}))
		want := []string{c.Title}
		for i := range 25 {
			title := fmt.Sprint("title ", i)
			must[*wc.Call](t)([]*node{a, b}[i%2].UpdateCall(ctx, mary, c.ID, wc.CallUpdate{Title: &title}))
			want = append(want, title)
			var got []string
			for _, e := range must[[]wc.Event](t)(b.Timeline(ctx, admin, c.ID)) {
				got = append(got, e.Title)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("after %d changes the timeline is %q", i+1, got)
			}
			time.Sleep(31 * time.Second)
		}
		if _, err := store.Events(ctx, wc.CallTopic(c.ID), 0, 1); err == nil {
			t.Error("nothing was dropped from the journal: the test shows nothing")
		}
	})
}

// TestErasedStaysErased: what was in the journal when a person was erased does
// not bring the person back to the timelines.
func TestErasedStaysErased(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		c := must[*wc.Call](t)(s.CreateCall(ctx, mary, pair("mary", "john", true)))
		must[*wc.Admission](t)(s.JoinCall(ctx, mary, c.ID))
		must[*wc.Admission](t)(s.JoinCall(ctx, john, c.ID))
		if err := s.EraseUser(ctx, admin, "john"); err != nil {
			t.Fatal(err)
		}
		check := func() {
			t.Helper()
			list := must[[]wc.Event](t)(s.Timeline(ctx, admin, c.ID))
			if len(list) == 0 {
				t.Error("the timeline is empty")
			}
			for _, e := range list {
				if e.Part == "john" || e.Actor == "john" {
					t.Errorf("transition still names him: %+v", e)
				}
			}
		}
		check()
		time.Sleep(20 * time.Minute)
		check()
	})
}
