package webconferencing_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	wc "github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/memstore"
)

// statuses is a directory with statuses that users choose, and claims.
type statuses struct {
	*people
	wc.PresenceClaims

	mu   sync.Mutex
	own  map[wc.UserID]wc.Presence
	fail error
	slow bool
	said []string
}

func newStatuses() *statuses {
	return &statuses{people: newPeople(), own: map[wc.UserID]wc.Presence{"mary": wc.Away, "john": wc.DoNotDisturb, "james": wc.Available}}
}

func (s *statuses) Presence(_ context.Context, id wc.UserID) (wc.Presence, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Show(id, s.own[id]), nil
}

func (s *statuses) choose(id wc.UserID, p wc.Presence) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.own[id] = p
	s.Chose(id)
}

func (s *statuses) ClaimPresence(ctx context.Context, id wc.UserID, p wc.Presence, until time.Time) error {
	s.mu.Lock()
	fail, slow := s.fail, s.slow
	s.said = append(s.said, "claim "+string(id))
	s.mu.Unlock()
	if slow {
		<-ctx.Done()
		return ctx.Err()
	}
	return errors.Join(fail, s.PresenceClaims.ClaimPresence(ctx, id, p, until))
}

func (s *statuses) ReleasePresence(ctx context.Context, id wc.UserID, p wc.Presence) error {
	s.mu.Lock()
	s.said = append(s.said, "release "+string(id))
	s.mu.Unlock()
	return s.PresenceClaims.ReleasePresence(ctx, id, p)
}

func (s *statuses) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	said := s.said
	s.said = nil
	slices.Sort(said)
	return said
}

func wantShown(t *testing.T, s *node, user string, want wc.Presence) {
	t.Helper()
	if got := must[wc.Presence](t)(s.Presence(t.Context(), mary, wc.UserID(user))); got != want {
		t.Errorf("%s is shown as %q, want %q", user, got, want)
	}
}

func TestPresenceFollowsTheSeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := newStatuses()
		s := startNode(t, memstore.New(), dir, wc.Options{})
		defer s.stop()
		ctx := t.Context()
		must[*wc.Call](t)(s.CreateCall(ctx, mary, space("g/p", "product_team", true)))
		first := must[*wc.Admission](t)(s.JoinCall(ctx, mary, "g/p")).Seat
		second := must[*wc.Admission](t)(s.JoinCall(ctx, dev("mary", "m2"), "g/p")).Seat
		must[*wc.Admission](t)(s.JoinCall(ctx, john, "g/p"))
		time.Sleep(2 * time.Second)
		wantShown(t, s, "mary", wc.InCall)
		wantShown(t, s, "john", wc.DoNotDisturb) // silenced, never displaced
		wantShown(t, s, "james", wc.Available)
		if got := dir.take(); !slices.Equal(got, []string{"claim john", "claim mary"}) {
			t.Errorf("the host was asked %q", got)
		}
		// The last seat counts, not the first.
		must[bool](t)(s.LeaveSeat(ctx, mary, first))
		time.Sleep(2 * time.Second)
		wantShown(t, s, "mary", wc.InCall)
		// Long calls are claimed again and again.
		keepAlive(t, s.Service, dev("mary", "m2"), second, 3*time.Minute)
		wantShown(t, s, "mary", wc.InCall)
		must[bool](t)(s.LeaveSeat(ctx, dev("mary", "m2"), second))
		time.Sleep(2 * time.Second)
		wantShown(t, s, "mary", wc.Away) // what the claim displaced
	})
}

func TestPresenceNeverOverwritesAChoice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := newStatuses()
		s := startNode(t, memstore.New(), dir, wc.Options{})
		defer s.stop()
		ctx := t.Context()
		must[*wc.Call](t)(s.CreateCall(ctx, mary, space("g/p", "product_team", true)))
		seat := must[*wc.Admission](t)(s.JoinCall(ctx, mary, "g/p")).Seat
		time.Sleep(2 * time.Second)
		dir.choose("mary", wc.Available)
		keepAlive(t, s.Service, mary, seat, 70*time.Second) // claimed again meanwhile
		wantShown(t, s, "mary", wc.Available)
		must[bool](t)(s.LeaveSeat(ctx, mary, seat))
		time.Sleep(2 * time.Second)
		wantShown(t, s, "mary", wc.Available)
		// The next call is claimed as ever.
		must[*wc.Admission](t)(s.JoinCall(ctx, mary, "g/p"))
		time.Sleep(2 * time.Second)
		wantShown(t, s, "mary", wc.InCall)
	})
}

func TestPresenceEndsWithACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := newStatuses()
		a := startNode(t, memstore.New(), dir, wc.Options{})
		must[*wc.Call](t)(a.CreateCall(t.Context(), mary, space("g/p", "product_team", true)))
		must[*wc.Admission](t)(a.JoinCall(t.Context(), mary, "g/p"))
		time.Sleep(2 * time.Second)
		a.stop()
		wantShown(t, a, "mary", wc.InCall)
		time.Sleep(2 * time.Minute)
		wantShown(t, a, "mary", wc.Away)
	})
}

// Somebody who goes on on another node stays in the call for all to see.
func TestPresenceMovesWithTheSeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, store := newStatuses(), memstore.New()
		a := startNode(t, store, dir, wc.Options{NodeName: "a"})
		b := startNode(t, store, dir, wc.Options{NodeName: "b"})
		defer a.stop()
		defer b.stop()
		must[*wc.Call](t)(a.CreateCall(t.Context(), mary, space("g/p", "product_team", true)))
		must[*wc.Admission](t)(a.JoinCall(t.Context(), mary, "g/p"))
		time.Sleep(2 * time.Second)
		must[wc.SeatRef](t)(b.FindSeat(t.Context(), mary, "g/p"))
		time.Sleep(5 * time.Second)
		if got := dir.take(); !slices.Equal(got, []string{"claim mary", "claim mary"}) {
			t.Errorf("the host was asked %q", got)
		}
		wantShown(t, a, "mary", wc.InCall)
	})
}

// A host that fails or hangs holds up neither calls nor the status of others.
func TestPresenceOfAFailingHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := newStatuses()
		dir.fail = errBoom
		s := startNode(t, memstore.New(), dir, wc.Options{})
		defer s.stop()
		must[*wc.Call](t)(s.CreateCall(t.Context(), mary, space("g/p", "product_team", true)))
		seat := must[*wc.Admission](t)(s.JoinCall(t.Context(), mary, "g/p")).Seat
		keepAlive(t, s.Service, mary, seat, 20*time.Second)
		if n := len(dir.take()); n < 3 || n > 6 {
			t.Errorf("a failing host was asked %d times in 20 s", n)
		}
		dir.mu.Lock()
		dir.fail, dir.slow = nil, true
		dir.mu.Unlock()
		keepAlive(t, s.Service, mary, seat, 20*time.Second)
		dir.mu.Lock()
		dir.slow = false
		dir.mu.Unlock()
		keepAlive(t, s.Service, mary, seat, 20*time.Second)
		wantShown(t, s, "mary", wc.InCall)
	})
}
