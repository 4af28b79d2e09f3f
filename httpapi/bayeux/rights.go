package bayeux

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// reasonNotGranted is what a client is told if there are authorizers for a
// channel and none of them says anything. It is CometD's text.
const reasonNotGranted = "denied_by_not_granting"

// asksRights reports whether anybody decides about operations on channels.
func (srv *Server) asksRights() bool {
	return srv.opts.Authorize != nil || srv.authorizers
}

// mayDo asks the application and the rules about one operation.
func (srv *Server) mayDo(ctx context.Context, s *Session, op Operation, name string, m *Message) error {
	if hook := srv.opts.Authorize; hook != nil {
		if err := hook(ctx, s, op, name, m); err != nil {
			return err
		}
	}
	if !srv.authorizers || isService(name) {
		return nil
	}
	asked, granted, lacking := false, false, false
	for i := range srv.opts.Channels {
		rule := &srv.opts.Channels[i]
		if rule.Authorize == nil {
			continue
		}
		all, some := overlap(rule.Pattern, name)
		if !some || !all && op != OpSubscribe {
			continue
		}
		yes, err := rule.Authorize(ctx, s, op, name, m)
		if err != nil {
			return err
		}
		if !all && !yes {
			// The subscription would bring messages of channels that this
			// rule guards, whatever wider rules grant.
			lacking = true
		}
		asked, granted = true, granted || yes
	}
	if lacking || asked && !granted {
		return &Refusal{Reason: reasonNotGranted}
	}
	return nil
}

// overlap reports whether a rule's pattern is for all channels that a name
// stands for, which may be a pattern itself, or at least for some.
func overlap(rule, name string) (all, some bool) {
	if rule == name {
		return true, true
	}
	if !isWildcard(name) {
		all = matches(rule, name)
		return all, all
	}
	tree, level := strings.CutSuffix(name, "/*")
	if !level {
		tree = strings.TrimSuffix(name, "/**")
	}
	guarded, ruleIsTree := strings.CutSuffix(rule, "/**")
	guarded, ruleIsLevel := strings.CutSuffix(guarded, "/*")
	inside := func(outer, inner string) bool { return outer == inner || strings.HasPrefix(inner, outer+"/") }
	switch {
	case ruleIsTree && inside(guarded, tree):
		return true, true
	case ruleIsTree && level, ruleIsLevel && level:
		return false, false // another level than that of the name
	case ruleIsTree, ruleIsLevel:
		return false, inside(tree, guarded)
	case level:
		return false, rule[:strings.LastIndexByte(rule, '/')] == tree
	}
	return false, strings.HasPrefix(rule, tree+"/")
}

// Reauthorize asks Options.Authorize and the rules again about each of the
// session's subscriptions, and ends those that are refused now. It returns
// their channels, so that the application can tell the client, which is not told
// otherwise. OnUnsubscribe is called with [ReasonUnauthorized]. The message that
// the hooks see is a subscribe message for that channel without further fields.
// One that does not answer in time leaves the subscription as it is.
func (s *Session) Reauthorize(ctx context.Context) (ended []string) {
	srv := s.srv
	if !srv.asksRights() {
		return nil
	}
	for _, name := range s.Subscriptions() {
		m := &Message{Channel: metaSubscribe, Subscriptions: []string{name}, received: time.Now()}
		err := srv.ask(ctx, srv.guards.authorize, s, func(ctx context.Context) error {
			return srv.mayDo(ctx, s, OpSubscribe, name, m)
		}, nil)
		if errors.Is(err, errHookLate) || errors.Is(err, errHookBusy) {
			continue
		}
		if err != nil && s.unsubscribe(name, ReasonUnauthorized) {
			ended = append(ended, name)
		}
	}
	return ended
}

// reauthorize is Reauthorize for a session that was not looked at for some
// time.
func (s *Session) reauthorize(ctx context.Context) {
	if !s.srv.opts.RecheckSubscriptions {
		return
	}
	now := time.Now()
	last := s.checked.Load()
	if now.UnixNano()-last < int64(s.srv.opts.ReauthenticateEvery) || !s.checked.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	s.Reauthorize(ctx)
}

// hasAuthorizer reports whether a rule has a say about rights.
func hasAuthorizer(rules []ChannelRule) bool {
	return slices.ContainsFunc(rules, func(r ChannelRule) bool { return r.Authorize != nil })
}
