package bayeux

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
)

// subscribe processes a subscribe message: all its channels or none.
func (x *exchange) subscribe(s *Session, m *Message) {
	o := &x.srv.opts
	if len(m.Subscriptions) > o.MaxSubscriptionsPerRequest {
		x.fail(m, "403:limit:subscribe_denied")
		return
	}
	var wanted []string
	for _, name := range m.Subscriptions {
		switch {
		case isMeta(name) && isWildcard(name):
			x.fail(m, "403:"+reasonPolicy+":create_denied")
			return
		case isMeta(name), name == "/service":
			x.fail(m, "403:"+reasonPolicy+":subscribe_denied")
			return
		case isService(name):
			continue
		case o.DenyWildcards && isWildcard(name):
			x.fail(m, "403:"+reasonPolicy+":subscribe_denied")
			return
		}
		if text := x.authorizeChannel(s, m, OpSubscribe, name); text != "" {
			x.fail(m, text)
			return
		}
		if !slices.Contains(wanted, name) {
			wanted = append(wanted, name)
		}
	}
	added, err := x.enlist(s, m, wanted)
	switch {
	case errors.Is(err, ErrClosed), errors.Is(err, ErrSlow):
		x.fail(m, errSubscribeFailed)
		return
	case errors.Is(err, ErrReplayID):
		x.fail(m, errReplayInvalid)
		return
	case errors.Is(err, errPatternReplay):
		x.fail(m, errReplayPattern)
		return
	case isRefusal(err):
		x.fail(m, refusalText(err, reasonPolicy, "subscribe_denied"))
		return
	case err != nil:
		x.ref = x.srv.note(slog.LevelError, "history cannot be read", slog.Any("channels", wanted), slog.Any("error", err))
		x.fail(m, errInternal)
		return
	}
	if text := x.confirm(s, m, added); text != "" {
		x.fail(m, text)
		return
	}
	x.succeed(m)
}

// enlist adds the session to the channels, replaying what it asks for: all or
// none.
func (x *exchange) enlist(s *Session, m *Message, wanted []string) (added []string, err error) {
	srv := x.srv
	if srv.opts.History == nil {
		return srv.hub.add(s, wanted, srv.opts.MaxSubscriptions)
	}
	ctx := srv.callContext(x.ctx)
	defer ctx.End()
	defer s.wake() // without the locks
	after := make(map[string]int64)
	for _, name := range wanted {
		id, wants, err := replayRequest(m, name)
		switch {
		case err != nil:
			return nil, err
		case wants && isWildcard(name):
			return nil, errPatternReplay
		case wants:
			after[name] = id
		}
	}
	defer srv.sequence.lockAll(maps.Keys(after))()
	missed, err := srv.missed(ctx, s, wanted, after)
	if err != nil {
		return nil, err
	}
	if added, err = srv.hub.add(s, wanted, srv.opts.MaxSubscriptions); err != nil {
		return nil, err
	}
	for _, p := range missed {
		if _, err := s.push(p, 0); err != nil {
			return nil, err // as the session has ended
		}
	}
	return added, nil
}

// authorizeChannel asks the application about one channel. It returns the
// error text of a refusal.
func (x *exchange) authorizeChannel(s *Session, m *Message, op Operation, name string) string {
	if !x.srv.asksRights() {
		return ""
	}
	create, denied := "create_denied", "subscribe_denied"
	if op == OpPublish {
		create, denied = "channel_create_denied", "publish_denied"
	}
	text := denied
	call := func(ctx context.Context) error {
		if !isService(name) && !x.srv.hub.exists(name) {
			if err := x.srv.mayDo(ctx, s, OpCreate, name, m); err != nil {
				text = create
				return err
			}
		}
		return x.srv.mayDo(ctx, s, op, name, m)
	}
	var err error
	if op == OpPublish {
		err = x.askForPublish(x.srv.guards.authorize, s, call)
	} else {
		err = x.ask(x.srv.guards.authorize, s, call, nil)
	}
	if err == nil {
		return ""
	}
	if fault, ok := hookText(err); ok {
		return fault
	}
	return refusalText(err, reasonPolicy, text)
}

// confirm tells the application of new subscriptions. If it refuses one, all
// of the message's are taken back.
func (x *exchange) confirm(s *Session, m *Message, added []string) (failure string) {
	var agreed []string
	done := false
	defer func() {
		if !done {
			x.takeBack(s, added, agreed)
		}
	}()
	for _, name := range added {
		if err := x.announce(s, m, name); err != nil {
			return refusalText(err, reasonPolicy, "subscribe_denied")
		}
		agreed = append(agreed, name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errSubscribeFailed
	}
	for _, name := range added {
		s.subscriptions[name] = true
	}
	done = true
	return ""
}

// announce calls OnSubscribe. If that agrees after it was given up, it hears
// at once that the subscription is over.
func (x *exchange) announce(s *Session, m *Message, name string) error {
	hook := x.srv.opts.OnSubscribe
	if hook == nil {
		return nil
	}
	return x.ask(x.srv.guards.subscribe, s, func(ctx context.Context) error {
		return hook(ctx, s, name, m)
	}, func(err error) {
		if err == nil {
			x.srv.unsubscribed(s, name, ReasonUnsubscribed)
		}
	})
}

// takeBack removes subscriptions that were not confirmed. The hook hears of
// those that it had agreed to.
func (x *exchange) takeBack(s *Session, added, agreed []string) {
	x.srv.hub.remove(s, added...)
	s.mu.Lock()
	reason := ReasonUnsubscribed
	if s.closed {
		reason = s.reason
	}
	for _, name := range added {
		delete(s.subscriptions, name)
	}
	s.mu.Unlock()
	for _, name := range agreed {
		x.srv.unsubscribed(s, name, reason)
	}
}

// unsubscribe processes an unsubscribe message. A channel that the session
// does not have is no error, but one that nobody has is.
func (x *exchange) unsubscribe(s *Session, m *Message) {
	for _, name := range m.Subscriptions {
		switch {
		case isMeta(name), name == "/service":
			x.fail(m, errUnsubscribeFailed)
			return
		case !isService(name) && !x.srv.hub.exists(name) && !s.hasLeft(name):
			x.fail(m, errChannelMissing)
			return
		}
	}
	for _, name := range m.Subscriptions {
		s.Unsubscribe(name)
	}
	x.succeed(m)
}

// Unsubscribe ends the session's subscription to a channel or pattern, without
// telling the client. It reports whether there was one.
func (s *Session) Unsubscribe(channel string) bool { return s.unsubscribe(channel, ReasonUnsubscribed) }

func (s *Session) unsubscribe(channel string, reason Reason) bool {
	s.mu.Lock()
	_, had := s.subscriptions[channel]
	confirmed := s.subscriptions[channel]
	delete(s.subscriptions, channel)
	if had {
		s.leftLocked(channel)
	}
	s.mu.Unlock()
	if !had {
		return false
	}
	s.srv.hub.remove(s, channel)
	if confirmed {
		s.srv.unsubscribed(s, channel, reason)
	}
	return true
}

// mostLeft is how many channels a session remembers that it has left.
const mostLeft = 8

// leftLocked remembers a channel that the session has left, so that a repeated
// message succeeds: clients send it again if they got no reply.
func (s *Session) leftLocked(channel string) {
	if len(s.left) == mostLeft {
		s.left = slices.Delete(s.left, 0, 1)
	}
	s.left = append(s.left, channel)
}

func (s *Session) hasLeft(channel string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.left, channel)
}
