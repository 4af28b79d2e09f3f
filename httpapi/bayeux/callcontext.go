package bayeux

import (
	"context"
	"sync"
	"time"
)

// callContext is a context with a deadline for code that rarely asks for it:
// only when somebody wants to be told of its end is there a timer, and a child
// of the parent.
type callContext struct {
	parent   context.Context
	deadline time.Time

	mu     sync.Mutex
	real   context.Context // made when it is needed
	cancel context.CancelFunc
	over   bool // end was called
}

// callContext returns a context that ends after Options.CallTimeout. Its end
// must be called.
func (srv *Server) callContext(parent context.Context) *callContext {
	return &callContext{parent: parent, deadline: time.Now().Add(srv.opts.CallTimeout)}
}

// end cancels the context.
func (c *callContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	if c.cancel != nil {
		c.cancel()
	}
}

func (c *callContext) madeLocked() context.Context {
	if c.real == nil {
		c.real, c.cancel = context.WithDeadline(c.parent, c.deadline)
		if c.over {
			c.cancel()
		}
	}
	return c.real
}

// Deadline implements context.Context.
func (c *callContext) Deadline() (time.Time, bool) {
	if d, ok := c.parent.Deadline(); ok && d.Before(c.deadline) {
		return d, true
	}
	return c.deadline, true
}

// Done implements context.Context.
func (c *callContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.madeLocked().Done()
}

// Err implements context.Context.
func (c *callContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.real == nil && !c.over && time.Now().Before(c.deadline) {
		return c.parent.Err()
	}
	return c.madeLocked().Err()
}

// Value implements context.Context. Once there is a real context it is asked,
// so that package context finds it and needs no goroutine for its children.
func (c *callContext) Value(key any) any {
	c.mu.Lock()
	real := c.real
	c.mu.Unlock()
	if real != nil {
		return real.Value(key)
	}
	return c.parent.Value(key)
}
