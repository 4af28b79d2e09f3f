package bayeux

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
)

// publish processes a message on a broadcast or service channel.
func (x *exchange) publish(s *Session, m *Message) {
	switch {
	case isMeta(m.Channel):
		x.fail(m, "403:"+reasonPolicy+":channel_create_denied")
		return
	case m.Channel == "/service":
		x.fail(m, "403:"+reasonPolicy+":publish_denied")
		return
	case isWildcard(m.Channel):
		x.fail(m, errChannelInvalid)
		return
	case m.Data == nil && !isService(m.Channel):
		x.fail(m, errDataMissing)
		return
	}
	if text := x.authorizeChannel(s, m, OpPublish, m.Channel); text != "" {
		x.fail(m, text)
		return
	}
	handled := false
	if hook := x.srv.opts.OnPublish; hook != nil {
		var verdict bool
		err := x.askForPublish(x.srv.guards.publish, s, func(ctx context.Context) (err error) {
			verdict, err = hook(ctx, s, m)
			return err
		})
		if err != nil {
			x.fail(m, deletedText(err))
			return
		}
		handled = verdict
	}
	x.srv.stats.published.Add(1)
	switch {
	case handled:
	case isService(m.Channel):
		if text := x.call(s, m); text != "" {
			x.fail(m, text)
			return
		}
	default:
		if text := x.broadcast(s, m); text != "" {
			x.fail(m, text)
			return
		}
	}
	x.succeed(m)
}

// broadcast distributes a client's message. It returns the error text if a
// filter or the history refused it.
func (x *exchange) broadcast(s *Session, m *Message) string {
	data, err := x.filter(s, m)
	if err != nil || data == nil {
		if errors.Is(err, errFilterData) {
			x.ref = x.srv.note(slog.LevelWarn, "filter made a message invalid", slog.String("channel", m.Channel), slog.Any("error", err))
		}
		return deletedText(err)
	}
	ctx := x.srv.callContext(x.ctx)
	defer ctx.End()
	var except *Session
	if s.hidesOwn.Load() || x.srv.hidesOwn(m.Channel) {
		except = s
	}
	if _, err = x.srv.record(ctx, m.Channel, data, x.srv.relayed(m), except); err != nil {
		x.ref = x.srv.note(slog.LevelWarn, "message not recorded", slog.String("channel", m.Channel), slog.Any("error", err))
		return errMessageDeleted
	}
	return ""
}

// deletedText is the error text for a message that a hook dropped.
func deletedText(err error) string {
	if text, ok := hookText(err); ok {
		return text
	}
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusalText(err, reasonPolicy, "publish_denied")
	}
	return errMessageDeleted
}

// record keeps a message if there is a history, and distributes it.
func (srv *Server) record(ctx context.Context, channel string, data []byte, extra []member, except *Session) (int, error) {
	if srv.opts.History == nil {
		return srv.distribute(srv.encode(channel, data, extra), except, step.run), nil
	}
	var later []step
	n, err := srv.recordInTurn(ctx, channel, data, extra, except, func(next step) {
		if !next.isNothing() {
			later = append(later, next)
		}
	})
	for _, next := range later {
		next.run()
	}
	return n, err
}

// recordInTurn keeps and distributes a message before the next one of the
// channel, and leaves what has to follow to the caller.
func (srv *Server) recordInTurn(ctx context.Context, channel string, data []byte, extra []member, except *Session, later func(step)) (int, error) {
	defer srv.sequence.lock(channel).Unlock()
	data, err := srv.opts.History.Record(ctx, channel, data)
	if err == nil {
		err = checkData(data)
	}
	if err != nil {
		return 0, err
	}
	return srv.distribute(srv.encode(channel, data, extra), except, later), nil
}

// relayed returns what subscribers get of a client's message besides its data:
// the fields that are neither the protocol's nor private. Advice or a success
// flag from one client must never steer another.
func (srv *Server) relayed(m *Message) []member {
	var extra []member
	for _, f := range m.others {
		switch f.name {
		case "advice", "successful", "error", "subscription", "version", "minimumVersion", "supportedConnectionTypes",
			"reestablish", "x-messages":
			continue
		case "ext":
			if ext := srv.relayExt(m); ext != nil {
				extra = append(extra, member{"ext", ext})
			}
			continue
		}
		if !slices.Contains(srv.opts.PrivateFields, f.name) {
			extra = append(extra, f)
		}
	}
	return extra
}

func (srv *Server) relayExt(m *Message) []byte {
	var ext []byte
	for _, f := range m.ext {
		if slices.Contains(srv.opts.RelayExt, f.name) {
			ext = appendMember(ext, f.name, f.value)
		}
	}
	return ext
}

// distribute queues a message for every subscriber but one, and hands over what
// follows from that. It returns how many got it.
func (srv *Server) distribute(p *Prepared, except *Session, follow func(step)) int {
	n, lazy := 0, srv.lazyFor(p.channel)
	srv.hub.each(p.channel, func(s *Session) {
		if s == except {
			return
		}
		if next, err := s.push(p, lazy); err == nil {
			n++
			follow(next)
		}
	})
	return n
}

// Publish distributes data to all subscribers of a broadcast channel, after
// Options.History has recorded it, and returns how many got it into their queues.
// It does not ask Authorize, OnPublish or filters and never blocks on a client.
// The error is [ErrChannel] for a channel that is not a concrete broadcast
// channel, [ErrData] for data that is not valid JSON, also from the history, or
// the history's or the context's.
func (srv *Server) Publish(ctx context.Context, channel string, data json.RawMessage) (int, error) {
	if isService(channel) {
		return 0, fmt.Errorf("publish: %w: %q is not a broadcast channel", ErrChannel, channel)
	}
	p, err := srv.Prepare(channel, data, nil)
	if err != nil {
		return 0, fmt.Errorf("publish: %w", err)
	}
	if srv.opts.History == nil {
		return srv.PublishPrepared(ctx, p)
	}
	n, err := srv.record(ctx, p.channel, data, nil, nil)
	if err != nil {
		return n, fmt.Errorf("publish: %w", err)
	}
	return n, nil
}

// PublishPrepared is Publish for a message that was encoded before. It does
// not go into Options.History.
func (srv *Server) PublishPrepared(ctx context.Context, p *Prepared) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("publish: %w", err)
	}
	if isService(p.channel) {
		return 0, fmt.Errorf("publish: %w: %q is not a broadcast channel", ErrChannel, p.channel)
	}
	return srv.distribute(p, nil, step.run), nil
}

// Deliver queues a message for every session of one user, whether or not they
// are subscribed, and returns how many got it.
func (srv *Server) Deliver(user string, p *Prepared) int {
	n := 0
	for _, s := range srv.UserSessions(user) {
		if s.Deliver(p) == nil {
			n++
		}
	}
	return n
}
