package bayeux

import (
	"context"
	"sync"
)

// tasks counts the goroutines that the server owns, so that Shutdown can wait
// for them. Unlike a WaitGroup it may be added to while it is waited for.
type tasks struct {
	mu    sync.Mutex
	count int
	idle  chan struct{} // closed when count falls to 0; nil if nobody waits
}

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

// spawn runs f in a counted goroutine.
func (t *tasks) spawn(f func()) {
	t.begin()
	go func() {
		defer t.end()
		f()
	}()
}

func (t *tasks) wait(ctx context.Context) error {
	t.mu.Lock()
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
