package webconferencing

import (
	"context"
	"strings"
	"sync"
	"time"
)

// Action is what somebody wants to do with a call, for an [Authorizer].
type Action string

// The actions.
const (
	ActionRead   Action = "read"   // get it, hear of it, send data, invite
	ActionJoin   Action = "join"   // take a seat
	ActionManage Action = "manage" // change, start, stop, delete
)

// Authorizer replaces the library's rules of who may do what with a call that
// exists. Those rules: participants, members of the owning group and the
// creator read and join; the same without guests manage.
type Authorizer interface {
	// Allow tells whether by may do this. To somebody who may not, the call
	// looks as if it did not exist. It is called without locks, has
	// [Options].CallbackTimeout, and an error refuses the command.
	Allow(ctx context.Context, by Actor, action Action, c *Call) (bool, error)
}

// access asks the directory and the host's authorizer how by stands to a call.
func (s *Service) access(ctx context.Context, by Actor, c *Call, action Action) (access, error) {
	acc := access{by: by, owner: c.Owner}
	if s.opts.Authorizer != nil {
		ok, err := callback(ctx, s, "authorizer", func(ctx context.Context) (bool, error) {
			return s.opts.Authorizer.Allow(ctx, by, action, c.Clone())
		})
		if err != nil {
			return acc, err
		}
		acc.judged, acc.allowed = true, ok
	}
	if !c.IsGroup() {
		return acc, nil
	}
	member, err := s.isMember(ctx, by.User, c.Owner)
	acc.member = member
	return acc, err
}

// mayRead decides who may subscribe to a topic.
func (s *Service) mayRead(ctx context.Context, by Actor, topic Topic) error {
	if err := validActor(by, false); err != nil {
		return err
	}
	kind, id, _ := strings.Cut(string(topic), "/")
	switch kind {
	case "user":
		if UserID(id) == by.User {
			return nil
		}
	case "call":
		if by.Admin {
			return nil
		}
		_, _, err := s.partyCall(ctx, by, CallID(id))
		return err
	case "data":
		_, _, err := s.partyCall(ctx, by, CallID(id))
		return err
	}
	return denied("this is not yours to read")
}

// callback runs a function of the host with a time limit that holds even if it
// ignores its context, and survives its panics. No lock may be held.
func callback[T any](ctx context.Context, s *Service, name string, call func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.CallbackTimeout)
	type answer struct {
		value T
		err   error
	}
	var zero T
	if !s.callbacks.enter(name) {
		cancel()
		return zero, &Error{Code: CodeUnavailable, Message: "the " + name + " does not answer"}
	}
	done := make(chan answer, 1)
	go func() {
		defer cancel()
		defer s.callbacks.leave(name)
		defer func() {
			if v := recover(); v != nil {
				s.logPanic(ctx, name, v)
				done <- answer{err: &Error{Code: CodeInternal, Message: "internal error"}}
			}
		}()
		v, err := call(ctx)
		done <- answer{v, err}
	}()
	select {
	case a := <-done:
		return a.value, a.err
	case <-ctx.Done():
	}
	select {
	case a := <-done: // it may have answered at the last moment
		return a.value, a.err
	case <-time.After(callbackMercy):
		return zero, &Error{Code: CodeUnavailable, Message: "the " + name + " does not answer", Err: ctx.Err()}
	}
}

const (
	callbackMercy = 50 * time.Millisecond // for answers that come with the time limit
	maxRunning    = 1024                  // calls of one callback at once; more fail without waiting
)

// callbackGate counts the host's functions that are running.
type callbackGate struct {
	mu      sync.Mutex
	running map[string]int
}

func (g *callbackGate) enter(name string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running == nil {
		g.running = make(map[string]int)
	}
	if g.running[name] >= maxRunning {
		return false
	}
	g.running[name]++
	return true
}

func (g *callbackGate) leave(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running[name]--
}
