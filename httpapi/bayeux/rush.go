package bayeux

import (
	"sync"
	"sync/atomic"
	"time"
)

// rush makes a pause after many held connects were answered at once: until most
// of their clients have come back and as long again, but not for long. Without
// it a message that follows closely on another is sent to each client by itself,
// while the server is busy with the other clients' requests. With it all of them
// get what has come meanwhile in one response, which costs hardly more than one
// message does. When several pauses in a row brought nothing together there is
// none for a while.
type rush struct {
	awaited atomic.Int64 // how many are still to come back
	until   atomic.Int64 // end of the pause, in Unix nanoseconds
	carried atomic.Int64 // messages in the answers of the present run

	mu      sync.Mutex
	begun   time.Time
	paused  bool          // there was a pause before the present run
	useless int           // pauses in a row that brought nothing together
	vain    time.Time     // when there had been too many of them
	changed chan struct{} // closed when the end comes nearer
	late    int           // clients for whom something was there when they came back
	since   time.Time     // when counting them began
}

const (
	rushSize  = 64
	rushPause = 25 * time.Millisecond // longest pause
	rushTries = 3                     // useless pauses in a row after which there is none
	rushVain  = time.Second           // for so long
)

// over is called when so many were answered in a row.
func (r *rush) over(n int) {
	carried := int(r.carried.Swap(0))
	if n < rushSize {
		return
	}
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !r.paused:
	case carried >= n+n/8:
		r.useless = 0
	default:
		if r.useless++; r.useless == rushTries {
			r.useless, r.vain = 0, now
		}
	}
	r.paused = false
	r.beginLocked(now, n-n/8)
}

// pressed is called for a client for whom something was there when it came back.
// That many are is a rush as well.
func (r *rush) pressed() {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.since) > rushPause {
		r.since, r.late = now, 0
	}
	if r.late++; r.late == rushSize {
		r.beginLocked(now, 1<<30)
	}
}

func (r *rush) beginLocked(now time.Time, awaited int) {
	if now.Sub(r.vain) < rushVain {
		return
	}
	r.begun = now
	r.awaited.Store(int64(awaited))
	r.until.Store(now.Add(rushPause).UnixNano())
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
}

// came is called for each client that comes back.
func (r *rush) came() {
	if r.awaited.Load() <= 0 || r.awaited.Add(-1) != 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if end := r.begun.Add(2 * time.Since(r.begun)).UnixNano(); end < r.until.Load() {
		r.until.Store(end)
		close(r.changed)
		r.changed = nil
	}
}

// pausing reports whether there is a pause.
func (r *rush) pausing() bool { return r.left() > 0 }

// left returns how long the pause still takes.
func (r *rush) left() time.Duration {
	until := r.until.Load()
	if until == 0 {
		return 0
	}
	return time.Duration(until - time.Now().UnixNano())
}

// wait waits for the end of the pause.
func (r *rush) wait() {
	for range 2 { // the end may come nearer once
		d := r.left()
		if d <= 0 {
			return
		}
		r.mu.Lock()
		r.paused = true
		changed := r.changed
		r.mu.Unlock()
		timer := time.NewTimer(d)
		select {
		case <-changed: // never, if it is nil
		case <-timer.C:
		}
		timer.Stop()
	}
}
