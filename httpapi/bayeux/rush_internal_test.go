package bayeux

import (
	"testing"
	"testing/synctest"
	"time"
)

// The tests of the pause after a rush are internal: how long it is depends on
// how busy the server is, which no client can bring about at will.

// come lets so many clients come back, one in each step.
func (r *rush) come(n int, step time.Duration) {
	for range n {
		time.Sleep(step)
		r.came()
	}
}

func waited(r *rush) time.Duration {
	start := time.Now()
	r.wait()
	return time.Since(start)
}

// inVain makes pauses in a row that bring nothing together.
func (r *rush) inVain(times int) {
	r.over(100)
	for range times {
		waited(r)
		r.carried.Add(100)
		r.over(100)
	}
}

func TestRush(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(r *rush) time.Duration
		want time.Duration
	}{
		{"nothing has happened", waited, 0},
		{"few answers", func(r *rush) time.Duration { r.over(rushSize - 1); return waited(r) }, 0},
		{"nobody comes back", func(r *rush) time.Duration { r.over(rushSize); return waited(r) }, rushPause},
		{"most come back at once", func(r *rush) time.Duration { r.over(rushSize); r.come(rushSize, 0); return waited(r) }, 0},
		{"most come back, and as long again", func(r *rush) time.Duration {
			start := time.Now()
			r.over(80)
			r.come(70, 100*time.Microsecond)
			waited(r)
			return time.Since(start)
		}, 14 * time.Millisecond},
		{"they come back while it waits", func(r *rush) time.Duration {
			r.over(80)
			go r.come(70, 100*time.Microsecond)
			return waited(r)
		}, 14 * time.Millisecond},
		{"too few come back", func(r *rush) time.Duration {
			r.over(80)
			go r.come(69, 100*time.Microsecond)
			return waited(r)
		}, rushPause},
		{"many found something when they came back", func(r *rush) time.Duration {
			for range rushSize {
				r.pressed()
			}
			return waited(r)
		}, rushPause},
		{"many, but not at once", func(r *rush) time.Duration {
			for range rushSize {
				time.Sleep(time.Millisecond)
				r.pressed()
			}
			return waited(r)
		}, 0},
		{"a pause that brought messages together is followed by another", func(r *rush) time.Duration {
			r.over(100)
			waited(r)
			r.carried.Add(113)
			r.over(100)
			return waited(r)
		}, rushPause},
		{"so is one that was in vain", func(r *rush) time.Duration {
			r.inVain(rushTries - 1)
			return waited(r)
		}, rushPause},
		{"but not several in a row", func(r *rush) time.Duration {
			r.inVain(rushTries)
			return waited(r)
		}, 0},
		{"which are forgotten when one was good", func(r *rush) time.Duration {
			r.inVain(rushTries - 1)
			waited(r)
			r.carried.Add(113)
			r.over(100)
			r.inVain(rushTries - 1)
			return waited(r)
		}, rushPause},
		{"or after a while", func(r *rush) time.Duration {
			r.inVain(rushTries)
			time.Sleep(rushVain)
			r.over(100)
			return waited(r)
		}, rushPause},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &rush{}
				if got := c.run(r); got != c.want {
					t.Errorf("waited %v; want %v", got, c.want)
				}
				if r.pausing() {
					t.Error("the pause is not over")
				}
			})
		})
	}
}
