package bayeux

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
		ctx, cancel := x.srv.callContext(x.ctx)
		defer cancel()
		var err error
		if handled, err = hook(ctx, s, m); err != nil {
			text := errMessageDeleted
			var refusal *Refusal
			if errors.As(err, &refusal) {
				text = refusalText(err, reasonPolicy, "publish_denied")
			}
			x.fail(m, text)
			return
		}
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
		var except *Session
		if x.srv.opts.HideOwnMessages {
			except = s
		}
		x.srv.distribute(x.srv.relay(m), except)
	}
	x.succeed(m)
}

// relay forms what subscribers get of a client's message: its data and the
// fields that are neither the protocol's nor private. Advice or a success flag
// from one client must never steer another.
func (srv *Server) relay(m *Message) *Prepared {
	var extra []member
	for _, f := range m.fields {
		switch f.name {
		case "channel", "clientId", "id", "data", "advice", "successful", "error", "connectionType",
			"subscription", "version", "minimumVersion", "supportedConnectionTypes", "reestablish", "x-messages":
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
	return encodeDelivery(m.Channel, m.Data, extra)
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

// distribute queues a message for every subscriber but one. It returns how
// many got it.
func (srv *Server) distribute(p *Prepared, except *Session) int {
	n := 0
	srv.hub.each(p.channel, func(s *Session) {
		if s != except && s.enqueue(p, 0) == nil {
			n++
		}
	})
	return n
}

// Publish distributes data to all subscribers of a broadcast channel and
// returns how many got it into their queues. It does not ask Authorize or
// OnPublish and never blocks on a client. The error is [ErrChannel] for a
// channel that is not a concrete broadcast channel, [ErrData] for data that is
// not valid JSON, or the context's.
func (srv *Server) Publish(ctx context.Context, channel string, data json.RawMessage) (int, error) {
	if isService(channel) {
		return 0, fmt.Errorf("publish: %w: %q is not a broadcast channel", ErrChannel, channel)
	}
	p, err := srv.Prepare(channel, data, nil)
	if err != nil {
		return 0, fmt.Errorf("publish: %w", err)
	}
	return srv.PublishPrepared(ctx, p)
}

// PublishPrepared is Publish for a message that was encoded before.
func (srv *Server) PublishPrepared(ctx context.Context, p *Prepared) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("publish: %w", err)
	}
	if isService(p.channel) {
		return 0, fmt.Errorf("publish: %w: %q is not a broadcast channel", ErrChannel, p.channel)
	}
	return srv.distribute(p, nil), nil
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
