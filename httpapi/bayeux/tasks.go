package bayeux

import (
	"context"
	"sync"
	"time"
)

// tasks counts the goroutines that the server owns, so that Shutdown can wait
// for them. Unlike a WaitGroup it may be added to while it is waited for.
//
// Goroutines that have done their work wait a little for more, because growing
// a new stack costs more than most of the work does.
type tasks struct {
	mu      sync.Mutex
	count   int
	idle    chan struct{} // closed when count falls to 0; nil if nobody waits
	spare   []chan func() // goroutines without work, the one that stopped last at the end
	unused  int           // the fewest spare ones since the last look
	looking bool          // there will be another look
	over    bool          // nobody waits for work any more
}

const (
	maxSpare   = 64          // goroutines without work
	spareCheck = time.Second // between two looks at them
)

func (t *tasks) begin() {
	t.mu.Lock()
	t.count++
	t.mu.Unlock()
}

func (t *tasks) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count--; t.count == 0 && t.idle != nil {
		close(t.idle)
		t.idle = nil
	}
}

// start runs f, which may live long, in a counted goroutine with a stack of its
// own.
func (t *tasks) start(f func()) {
	t.begin()
	go func() {
		defer t.end()
		f()
	}()
}

// spawn runs f, which is expected to end soon, in a counted goroutine.
func (t *tasks) spawn(f func()) {
	t.mu.Lock()
	if n := len(t.spare); n > 0 {
		c := t.spare[n-1]
		t.spare = t.spare[:n-1]
		t.unused = min(t.unused, n-1)
		t.mu.Unlock()
		c <- f
		return
	}
	t.count++
	t.mu.Unlock()
	go t.work(f)
}

func (t *tasks) work(f func()) {
	defer t.end()
	c := make(chan func(), 1)
	for f != nil {
		f()
		if !t.rest(c) {
			return
		}
		f = <-c
	}
}

// rest makes a goroutine one of those that wait for work, unless there are
// enough.
func (t *tasks) rest(c chan func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over || len(t.spare) >= maxSpare {
		return false
	}
	t.spare = append(t.spare, c)
	if !t.looking {
		t.looking, t.unused = true, 0
		time.AfterFunc(spareCheck, t.look)
	}
	return true
}

// look dismisses the goroutines that were not needed since the last look.
func (t *tasks) look() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dismissLocked(t.unused)
	t.unused = len(t.spare)
	t.looking = len(t.spare) > 0
	if t.looking {
		time.AfterFunc(spareCheck, t.look)
	}
}

func (t *tasks) dismissLocked(n int) {
	for _, c := range t.spare[:n] {
		close(c)
	}
	kept := copy(t.spare, t.spare[n:])
	clear(t.spare[kept:])
	t.spare = t.spare[:kept]
}

// wait ends the goroutines without work and waits for the others.
func (t *tasks) wait(ctx context.Context) error {
	t.mu.Lock()
	t.over, t.unused = true, 0
	t.dismissLocked(len(t.spare))
	if t.count == 0 {
		t.mu.Unlock()
		return nil
	}
	if t.idle == nil {
		t.idle = make(chan struct{})
	}
	idle := t.idle
	t.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
