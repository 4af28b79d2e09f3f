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
// message does. Where clients get messages more rarely they would only get them
// later: when several pauses in a row have brought nothing together there is none,
// until one brings something again that was made because most clients had hardly
// waited.
type rush struct {
	awaited atomic.Int64 // how many are still to come back
	back    atomic.Int64 // how many have come back since ever
	until   atomic.Int64 // end of the pause, in Unix nanoseconds

	// Of the present run:
	answers atomic.Int64
	carried atomic.Int64 // messages in them
	quick   atomic.Int64 // how many of them ended a wait that was shorter than a pause

	mu      sync.Mutex
	begun   time.Time
	paused  bool          // there was a pause before the present run
	useless int           // pauses in a row that brought nothing together
	changed chan struct{} // closed when the end comes nearer
	late    int           // clients for whom something was there when they came back
	since   time.Time     // when counting them began
	backAt  int64         // what back was before that
}

const (
	rushSize  = 64
	rushPause = 25 * time.Millisecond // longest pause
	rushTries = 3                     // useless pauses in a row after which there is none
)

// answered notes an answer that carried so many messages, and since when its
// client had waited; the zero time stands for not at all.
func (r *rush) answered(messages int, since time.Time) {
	r.answers.Add(1)
	r.carried.Add(int64(messages))
	if since.IsZero() || time.Since(since) < rushPause {
		r.quick.Add(1)
	}
}

// over is called when nobody is left to be answered.
func (r *rush) over() {
	n, carried, quick := r.answers.Swap(0), r.carried.Swap(0), r.quick.Swap(0)
	r.mu.Lock()
	defer r.mu.Unlock()
	paused := r.paused
	r.paused = false
	if n < rushSize {
		return
	}
	switch {
	case !paused:
	case carried >= n+n/8:
		r.useless = 0
	case r.useless < rushTries:
		r.useless++
	}
	if r.useless < rushTries || quick >= n-n/4 {
		r.beginLocked(time.Now(), n-n/8)
	}
}

// pressed is called for a client for whom something was there when it came back.
// That many are is a rush as well; where pauses are useless, half of those who
// have come back have to be.
func (r *rush) pressed() {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	back := r.back.Load()
	if r.late == rushSize || now.Sub(r.since) > rushPause {
		r.since, r.late, r.backAt = now, 0, back-1 // this one has
	}
	if r.late++; r.late == rushSize && (r.useless < rushTries || back-r.backAt <= 2*rushSize) {
		r.beginLocked(now, 1<<30)
	}
}

func (r *rush) beginLocked(now time.Time, awaited int64) {
	r.begun = now
	r.awaited.Store(awaited)
	r.until.Store(now.Add(rushPause).UnixNano())
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
}

// came is called for each client that comes back.
func (r *rush) came() {
	r.back.Add(1)
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
