package webconferencing

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Proposal is a command that is about to be carried out, for [Options].Before.
type Proposal struct {
	// Op is the command: "create call", "start call", "join call", "accept
	// call", "take over call", "update call", "add guest" and so on, as in
	// [Error].Op.
	Op string
	By Actor
	ID CallID
	// Call is the call as it is; nil if there is none yet.
	Call *Call
	// New describes the call to be created. The hook may change its Title,
	// Participants, Spaces and schedule. Nil for other commands.
	New *NewCall
}

// before asks the host's hook whether the command may be carried out. An
// *Error of the hook is told to the caller as it is; any other error refuses
// with [CodeDenied] and is logged.
func (s *Service) before(ctx context.Context, p *Proposal) error {
	if s.opts.Before == nil {
		return nil
	}
	_, err := callback(ctx, s, "before hook", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.opts.Before(ctx, p)
	})
	var e *Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	s.logger.WarnContext(ctx, "command refused by the host", "op", p.Op, "call", p.ID, "user", p.By.User, "error", err)
	return denied("refused by a rule of this portal")
}

// listenRetry is how long a listener waits after an error of its function.
const listenRetry = time.Second

func listenerKey(name string) string { return "listener/" + name }

// Listen hands every event of the journal, in order, to a function of the
// host, until ctx ends. How far it came is kept in the store under the name,
// so a listener that starts again goes on where it stopped and misses nothing
// within [Options].HistoryWindow; an event may come a second time after a
// crash. A new name begins with what happens from now on. If events were lost
// the function is first handed one of type [EventReset].
//
// An error of the function is logged and the event tried again; a panic is an
// error. One name must be listened to once at a time. Data that parties send
// each other ([EventData]) is left out.
func (s *Service) Listen(ctx context.Context, name string, handle func(context.Context, *Event) error) error {
	const op = "listen"
	if err := checkText("name", name, 1, maxID); err != nil {
		return s.wrap(ctx, Actor{}, op, err)
	}
	pos, err := s.listenFrom(ctx, name)
	if err != nil {
		return s.wrap(ctx, Actor{}, op, err)
	}
	moved := make(chan struct{}, 1)
	defer s.hub.watch(moved)()
	timer := time.NewTicker(s.opts.PollInterval)
	defer timer.Stop()
	for {
		pos, err = s.listenOn(ctx, name, pos, handle)
		if err != nil && ctx.Err() == nil {
			s.logger.WarnContext(ctx, "listener has trouble", "listener", name, "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(listenRetry):
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-moved:
		case <-timer.C:
		}
	}
}

// listenFrom is the position at which a listener stopped, or the journal's end
// for a new one.
func (s *Service) listenFrom(ctx context.Context, name string) (Position, error) {
	v, err := s.store.Value(ctx, listenerKey(name))
	if errors.Is(err, ErrNotFound) {
		end, err := s.store.Commit(ctx, &Change{})
		if err != nil {
			return 0, err
		}
		return end, s.noteListened(ctx, name, end)
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(string(v.Data), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("position of listener: %w", err)
	}
	return Position(n), nil
}

func (s *Service) noteListened(ctx context.Context, name string, pos Position) error {
	_, err := s.store.Commit(ctx, &Change{Values: []ValueChange{{
		Key: listenerKey(name), Expect: AnyRevision, Data: strconv.AppendUint(nil, uint64(pos), 10),
	}}})
	return err
}

// listenOn hands over what the journal holds after a position and returns how
// far it came.
func (s *Service) listenOn(ctx context.Context, name string, pos Position, handle func(context.Context, *Event) error) (Position, error) {
	for {
		events, err := s.store.Events(ctx, AllTopics, pos, eventPage)
		if errors.Is(err, ErrPositionGone) {
			if events, err = s.listenReset(ctx); err != nil {
				return pos, err
			}
		}
		if err != nil || len(events) == 0 {
			return pos, err
		}
		start := pos
		for i := range events {
			if err = s.listened(ctx, &events[i], handle); err != nil {
				break
			}
			pos = events[i].Position
		}
		if pos != start {
			err = errors.Join(err, s.noteListened(ctx, name, pos))
		}
		if err != nil {
			return pos, err
		}
	}
}

// listenReset is the one event that says that events were lost.
func (s *Service) listenReset(ctx context.Context) ([]Event, error) {
	end, err := s.store.Commit(ctx, &Change{})
	if err != nil {
		return nil, err
	}
	return []Event{{Type: EventReset, Position: end}}, nil
}

func (s *Service) listened(ctx context.Context, e *Event, handle func(context.Context, *Event) error) (err error) {
	if e.Type == EventData {
		return nil
	}
	defer func() {
		if v := recover(); v != nil {
			s.logPanic(ctx, "listener", v)
			err = errors.New("listener panicked")
		}
	}()
	return handle(ctx, e)
}
