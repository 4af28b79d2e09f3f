// Package lazycontext has a context for code that rarely asks for it. Only when
// somebody wants to be told of its end does it make what that takes: a child of
// its parent, and a timer.
package lazycontext

import (
	"context"
	"sync"
	"time"
)

// Context is a context that ends with its parent, at its deadline or by
// [Context.End], which must be called. It must be set up by [Context.Init] and
// not be copied.
type Context struct {
	parent   context.Context
	deadline time.Time // zero for none

	mu     sync.Mutex
	real   context.Context // made when it is needed
	cancel context.CancelFunc
	over   bool // End was called
}

// Init sets the parent and the deadline; the zero time stands for none.
func (c *Context) Init(parent context.Context, deadline time.Time) {
	c.parent, c.deadline = parent, deadline
}

// Lasting returns a context with the values of another one that never ends. It
// keeps no [Context], which may be a part of something larger.
func Lasting(ctx context.Context) context.Context {
	if c, ok := ctx.(*Context); ok {
		ctx = c.parent
	}
	return context.WithoutCancel(ctx)
}

// End cancels the context.
func (c *Context) End() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	if c.cancel != nil {
		c.cancel()
	}
}

func (c *Context) madeLocked() context.Context {
	if c.real == nil {
		if c.deadline.IsZero() {
			c.real, c.cancel = context.WithCancel(c.parent)
		} else {
			c.real, c.cancel = context.WithDeadline(c.parent, c.deadline)
		}
		if c.over {
			c.cancel()
		}
	}
	return c.real
}

// Deadline implements context.Context.
func (c *Context) Deadline() (time.Time, bool) {
	if d, ok := c.parent.Deadline(); c.deadline.IsZero() || ok && d.Before(c.deadline) {
		return d, ok
	}
	return c.deadline, true
}

// Done implements context.Context.
func (c *Context) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.madeLocked().Done()
}

// Err implements context.Context.
func (c *Context) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.real == nil && !c.over && (c.deadline.IsZero() || time.Now().Before(c.deadline)) {
		return c.parent.Err()
	}
	return c.madeLocked().Err()
}

// Value implements context.Context. Once there is a real context it is asked,
// so that package context finds it and needs no goroutine for its children.
func (c *Context) Value(key any) any {
	c.mu.Lock()
	real := c.real
	c.mu.Unlock()
	if real != nil {
		return real.Value(key)
	}
	return c.parent.Value(key)
}
