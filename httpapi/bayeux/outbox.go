package bayeux

import (
	"runtime"
	"sync"
)

// outbox is the sockets or held connects that have something to write, in the
// order in which that came up. A few goroutines write for all of them, and only
// while there is something: one for each would cost more than the writing. Each
// is in it once at most, as its own writer.
type outbox struct {
	tasks *tasks
	rush  *rush  // what to do about many at once; may be nil
	ended func() // called when a goroutine has nothing left; may be nil

	mu      sync.Mutex
	ready   []writer
	next    int // what of ready has been taken
	running int // goroutines that write
}

// writer writes what it has without waiting.
type writer interface{ write() }

// enqueue has something written soon.
func (o *outbox) enqueue(k writer) {
	o.mu.Lock()
	o.ready = append(o.ready, k)
	start := o.running < runtime.NumCPU()
	if start {
		o.running++
	}
	o.mu.Unlock()
	if start {
		o.tasks.spawn(o.empty)
	}
}

// empty writes for all that wait.
func (o *outbox) empty() {
	if o.rush != nil {
		o.rush.wait()
	}
	for {
		k := o.take()
		if k == nil {
			if o.rush != nil {
				o.rush.over()
			}
			if o.ended != nil {
				o.ended()
			}
			return
		}
		k.write()
	}
}

// take returns the next in line. Without one the caller counts as ended.
func (o *outbox) take() writer {
	o.mu.Lock()
	defer o.mu.Unlock()
	const few = 1 << 10
	switch n := len(o.ready) - o.next; {
	case n == 0:
		o.ready, o.next = o.ready[:0], 0
		if cap(o.ready) > few {
			o.ready = nil // a rush must not leave its memory behind
		}
		o.running--
		return nil
	case o.next > few && o.next > n:
		// Under load there may always be somebody left.
		copy(o.ready, o.ready[o.next:])
		clear(o.ready[n:])
		o.ready, o.next = o.ready[:n], 0
	}
	k := o.ready[o.next]
	o.ready[o.next] = nil
	o.next++
	return k
}
