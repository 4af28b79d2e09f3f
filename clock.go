package webconferencing

import (
	"sync"
	"time"
)

// clock tells the time that all of a service's decisions use. It starts from
// the wall clock, or the store's, and goes on by the monotonic one, so that
// setting the machine's clock neither ends nor prolongs anything.
type clock struct {
	mu     sync.Mutex
	base   time.Time // the time told when ...
	anchor time.Time // ... the monotonic clock stood here
}

func newClock() *clock {
	now := time.Now()
	return &clock{base: now, anchor: now}
}

// now is in UTC and whole milliseconds, as it is stored.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.base.Add(time.Since(c.anchor)).Round(0).UTC().Truncate(time.Millisecond)
}

// set makes the clock go on from t; it never goes back.
func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if shown := c.base.Add(now.Sub(c.anchor)); t.Before(shown) {
		t = shown
	}
	c.base, c.anchor = t.Round(0), now
}
