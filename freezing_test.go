package webconferencing

import (
	"testing"
	"time"
)

// Leases are prolonged by the time in which the process stood still, and only
// by that.
func TestFreezeProlongsLeases(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var f freezeWatch
	for _, step := range []struct{ after, want time.Duration }{
		{time.Hour, 0}, // the first look
		{tick, 0}, {tick + freezeGap, 0}, {tick, 0},
		{tick + freezeGap + time.Millisecond, tick + freezeGap + time.Millisecond},
		{tick, 0}, {time.Minute, time.Minute},
	} {
		now = now.Add(step.after)
		if got := f.look(now); got != step.want {
			t.Errorf("after %v it stood still for %v, want %v", step.after, got, step.want)
		}
		if thawed := f.takeThawed(); thawed != (step.want > 0) {
			t.Errorf("after %v thawed is %t", step.after, thawed)
		}
	}
	l := &leases{ttl: 25 * time.Second, byCall: make(map[CallID]map[SeatID]*lease)}
	l.follow("x", sound(), "n", now)
	l.stretch(time.Minute)
	if due := l.due(now.Add(time.Minute + 24*time.Second)); len(due) > 0 {
		t.Errorf("due in the time that was given: %v", due)
	}
	if due := l.due(now.Add(time.Minute + 25*time.Second)); len(due) != 1 {
		t.Errorf("not due afterwards: %v", due)
	}
}
