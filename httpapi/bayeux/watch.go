package bayeux

import (
	"sync"
	"time"
)

// watch notices what takes unusually long. It has one timer for everything, so
// that the usual, quick case costs no timer.
type watch struct {
	tasks *tasks
	tick  time.Duration

	mu      sync.Mutex
	list    []*watched
	timer   *time.Timer
	ticking bool
	quiet   bool // nothing was watched since the last tick
}

// watched is something that is to be quick.
type watched struct {
	// takes is told once, with the lock of the watch, if it is not over after one
	// to two ticks. It must not wait, nor call the watch.
	takes interface{ takesLong() }

	at   int32 // where it is in the list
	seen bool  // by a tick
	told bool  // takes was told
}

// enter begins to watch.
func (w *watch) enter(e *watched) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e.at, e.seen, e.told = int32(len(w.list)), false, false
	w.list = append(w.list, e)
	w.quiet = false
	switch {
	case w.ticking:
	case w.timer == nil:
		w.ticking = true
		w.timer = time.AfterFunc(w.tick, w.look)
	default:
		w.ticking = true
		w.timer.Reset(w.tick)
	}
}

// leave ends watching. It reports whether takesLong was called.
func (w *watch) leave(e *watched) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.told {
		return true
	}
	w.removeLocked(e)
	return false
}

func (w *watch) removeLocked(e *watched) {
	last := len(w.list) - 1
	w.list[e.at] = w.list[last]
	w.list[e.at].at = e.at
	w.list[last] = nil
	w.list = w.list[:last]
}

// look is what the timer does.
func (w *watch) look() {
	w.tasks.begin()
	defer w.tasks.end()
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := 0; i < len(w.list); {
		e := w.list[i]
		if !e.seen {
			e.seen = true
			i++
			continue
		}
		w.removeLocked(e) // another takes its place
		e.told = true
		e.takes.takesLong()
	}
	if len(w.list) == 0 && w.quiet {
		w.ticking = false
		return
	}
	w.quiet = true
	w.timer.Reset(w.tick)
}
