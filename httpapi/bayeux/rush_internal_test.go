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

// run answers so many clients, each of which has waited for so long.
func (r *rush) run(n, messages int, wait time.Duration) {
	for i := range n {
		carried := messages / n
		if i < messages%n {
			carried++
		}
		r.answered(carried, time.Now().Add(-wait))
	}
	r.over()
}

// lateOnes lets clients come back, some of whom find something there.
func (r *rush) lateOnes(n, others int) {
	for range others {
		r.came()
	}
	for range n {
		r.came()
		r.pressed()
	}
}

// inVain makes pauses in a row that bring nothing together.
func (r *rush) inVain(times int) {
	r.run(100, 100, time.Second)
	for range times {
		waited(r)
		r.run(100, 100, time.Second)
	}
}

// afterMixed answers, when pauses are useless, clients of whom some have waited
// for long and others for hardly less than a pause.
func (r *rush) afterMixed(long, hardly int) time.Duration {
	r.inVain(rushTries)
	for range long {
		r.answered(1, time.Now().Add(-time.Second))
	}
	r.run(hardly, hardly, rushPause-1)
	return waited(r)
}

func TestRush(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(r *rush) time.Duration
		want time.Duration
	}{
		{"nothing has happened", waited, 0},
		{"few answers", func(r *rush) time.Duration { r.run(rushSize-1, rushSize-1, 0); return waited(r) }, 0},
		{"nobody comes back", func(r *rush) time.Duration { r.run(rushSize, rushSize, 0); return waited(r) }, rushPause},
		{"most come back at once", func(r *rush) time.Duration { r.run(rushSize, rushSize, 0); r.come(rushSize, 0); return waited(r) }, 0},
		{"most come back, and as long again", func(r *rush) time.Duration {
			start := time.Now()
			r.run(80, 80, 0)
			r.come(70, 100*time.Microsecond)
			waited(r)
			return time.Since(start)
		}, 14 * time.Millisecond},
		{"they come back while it waits", func(r *rush) time.Duration {
			r.run(80, 80, 0)
			go r.come(70, 100*time.Microsecond)
			return waited(r)
		}, 14 * time.Millisecond},
		{"too few come back", func(r *rush) time.Duration {
			r.run(80, 80, 0)
			go r.come(69, 100*time.Microsecond)
			return waited(r)
		}, rushPause},
		{"many found something when they came back", func(r *rush) time.Duration { r.lateOnes(rushSize, 0); return waited(r) }, rushPause},
		{"many, but not at once", func(r *rush) time.Duration {
			for range rushSize {
				time.Sleep(time.Millisecond)
				r.lateOnes(1, 0)
			}
			return waited(r)
		}, 0},
		{"a pause that brought messages together is followed by another", func(r *rush) time.Duration {
			r.run(100, 100, 0)
			waited(r)
			r.run(100, 112, time.Second)
			return waited(r)
		}, rushPause},
		{"so is one that was in vain", func(r *rush) time.Duration {
			r.inVain(rushTries - 1)
			return waited(r)
		}, rushPause},
		{"but not several in a row", func(r *rush) time.Duration { r.inVain(rushTries); return waited(r) }, 0},
		{"which are forgotten when one was good", func(r *rush) time.Duration {
			r.inVain(rushTries - 1)
			waited(r)
			r.run(100, 112, time.Second)
			r.inVain(rushTries - 1)
			return waited(r)
		}, rushPause},
		{"few answers after a pause say nothing", func(r *rush) time.Duration {
			for range 2 * rushTries {
				r.run(100, 100, time.Second)
				waited(r)
				r.run(1, 1, time.Second)
			}
			r.run(100, 100, time.Second)
			return waited(r)
		}, rushPause},
		{"useless ones do not come back by themselves", func(r *rush) time.Duration {
			r.inVain(rushTries)
			time.Sleep(time.Hour)
			r.run(100, 200, rushPause)
			return waited(r)
		}, 0},
		{"they do when most have hardly waited", func(r *rush) time.Duration { return r.afterMixed(25, 75) }, rushPause},
		{"not when too many have waited", func(r *rush) time.Duration { return r.afterMixed(26, 74) }, 0},
		{"who has not waited at all has hardly waited", func(r *rush) time.Duration {
			r.inVain(rushTries)
			for range rushSize {
				r.answered(1, time.Time{})
			}
			r.over()
			return waited(r)
		}, rushPause},
		{"and stay when one has brought something", func(r *rush) time.Duration {
			r.inVain(rushTries)
			r.run(100, 100, 0)
			waited(r)
			r.run(100, 112, time.Second)
			waited(r)
			r.run(100, 100, time.Second)
			return waited(r)
		}, rushPause},
		{"but not when it has brought nothing", func(r *rush) time.Duration {
			r.inVain(rushTries)
			r.run(100, 100, 0)
			waited(r)
			r.run(100, 111, time.Second)
			return waited(r)
		}, 0},
		{"half of those who came back found something", func(r *rush) time.Duration {
			r.inVain(rushTries)
			r.lateOnes(1, 0)
			r.lateOnes(rushSize-1, rushSize)
			return waited(r)
		}, rushPause},
		{"most of those who came back did not", func(r *rush) time.Duration {
			r.inVain(rushTries)
			r.lateOnes(1, 0)
			r.lateOnes(rushSize-1, rushSize+1)
			return waited(r)
		}, 0},
		{"but half of the next did", func(r *rush) time.Duration {
			r.inVain(rushTries)
			r.lateOnes(1, 0)
			r.lateOnes(rushSize-1, rushSize+1)
			r.lateOnes(rushSize, 0)
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
