package bayeux

import "time"

// alarm calls a function at a time that is put off again and again. It leaves a
// timer that fires too early alone, which is cheaper than setting it each time;
// the function then sets it anew. Its session's lock guards it.
type alarm struct {
	timer *time.Timer
	fires time.Time // zero if it does not
}

// set makes sure that ring is called by then.
func (a *alarm) set(t time.Time, ring func()) {
	switch {
	case a.timer == nil:
		a.timer = time.AfterFunc(time.Until(t), ring)
	case a.fires.IsZero() || t.Before(a.fires):
		a.timer.Reset(time.Until(t))
	default:
		return
	}
	a.fires = t
}

// used reports whether it was ever set.
func (a *alarm) used() bool { return a.timer != nil }

// rang notes that the function was called.
func (a *alarm) rang() { a.fires = time.Time{} }

func (a *alarm) stop() {
	if a.timer != nil {
		a.timer.Stop()
	}
}
