package bayeux

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/wsframe"
)

// ServiceHandler answers one remote call by calling [Request.Reply] or
// [Request.Fail] before it returns. The context ends with the call's deadline,
// or when the session is kicked, loses its rights or is shut down; a call that
// was accepted before a client left, or was lost, still runs.
type ServiceHandler func(ctx context.Context, s *Session, r *Request)

// Request is one remote call, or one message without id on a service channel.
type Request struct {
	// Message is what the client sent.
	Message *Message

	// Data is the payload, nil if there was none.
	Data json.RawMessage

	session  *Session
	params   map[string]string
	socket   *socket // whose reader runs the handler; nil for another goroutine
	answered atomic.Bool
}

// Param returns what the named {segment} of the handler's pattern stands for
// in this call, empty if there is none of that name.
func (r *Request) Param(name string) string { return r.params[name] }

// Reply answers with a result, valid JSON; nil is sent as null. The first
// answer counts, later ones get [ErrAnswered]. An answer to a message without
// id is not sent, as the client could not tell what it belongs to.
func (r *Request) Reply(result json.RawMessage) error { return r.answer(result, true) }

// Fail answers with a failure value, otherwise like Reply.
func (r *Request) Fail(data json.RawMessage) error { return r.answer(data, false) }

func (r *Request) hasAnswer() bool { return r.answered.Load() }

func (r *Request) answer(data json.RawMessage, ok bool) error {
	if r.hasAnswer() {
		return ErrAnswered
	}
	switch {
	case data == nil:
		data = json.RawMessage("null")
	case len(data) > 0 && len(data) == len(r.Data) && &data[0] == &r.Data[0]:
		// It was checked when it was read.
	default:
		if err := checkData(data); err != nil {
			return fmt.Errorf("answer remote call: %w", err)
		}
	}
	if r.answered.Swap(true) {
		return ErrAnswered
	}
	a := result{id: r.Message.ID, channel: r.Message.Channel, data: data, ok: ok}
	switch {
	case a.id == "":
		return nil
	case r.socket != nil && r.socket.sendResult(r.session, &a):
		return nil
	}
	return r.session.Deliver(a.prepare())
}

// result is the answer to a remote call, of parts that were checked before.
type result struct {
	id      string
	channel string
	data    []byte
	ok      bool
}

// size is about how long the result's JSON is, rather too much than too little.
func (a *result) size() int { return 64 + len(a.channel) + len(a.id) + len(a.data) }

func (a *result) appendTo(b []byte) []byte {
	b = append(b, `{"channel":`...)
	b = appendString(b, a.channel)
	b = append(b, `,"id":"`...)
	b = append(b, a.id...)
	b = append(b, `","successful":`...)
	b = strconv.AppendBool(b, a.ok)
	b = append(b, `,"data":`...)
	b = append(b, a.data...)
	return append(b, '}')
}

// prepare forms the message for a queue.
func (a *result) prepare() *Prepared {
	b := make([]byte, wsframe.HeaderRoom, wsframe.HeaderRoom+a.size())
	b = a.appendTo(append(b, '['))
	return framed(a.channel, append(b, ']'))
}

// service is a handler with the segments of its pattern.
type service struct {
	segments []string
	name     string // the only channel that it is for; empty if it is a pattern
	handler  ServiceHandler
	stuck    atomic.Int32 // calls beyond their deadline
}

// HandleService makes h answer the remote calls on a service channel:
// cometd.remoteCall("who", data, callback) is one on /service/who. Options.Authorize
// is asked about each, as a publish on that channel. The
// pattern may end in /* or /**, and whole segments may be written {name}; see
// [Request.Param]. Of several that match, the one registered first is used.
// It may be called at any time. The error is [ErrChannel] for a pattern that is
// not below /service.
func (srv *Server) HandleService(pattern string, h ServiceHandler) error {
	name, ok := canonicalChannel(pattern, srv.opts.MaxChannelBytes, srv.opts.MaxChannelSegments)
	if !ok || !isService(name) || name == "/service" || h == nil {
		return fmt.Errorf("handle service: %w: %q", ErrChannel, pattern)
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	v := &service{segments: strings.Split(name[1:], "/"), handler: h}
	if !strings.ContainsAny(name, "*{") {
		v.name = name
	}
	srv.services = append(srv.services, v)
	return nil
}

// match compares a channel with the pattern and binds its parameters.
func (v *service) match(segments []string) (map[string]string, bool) {
	var params map[string]string
	for i, want := range v.segments {
		if want == "**" {
			return params, len(segments) > i
		}
		if i >= len(segments) {
			return nil, false
		}
		switch {
		case want == "*" || want == segments[i]:
		case len(want) > 2 && want[0] == '{' && want[len(want)-1] == '}':
			if params == nil {
				params = make(map[string]string)
			}
			params[want[1:len(want)-1]] = segments[i]
		default:
			return nil, false
		}
	}
	return params, len(segments) == len(v.segments)
}

// matches is match for a channel whose segments may not be needed.
func (v *service) matches(channel string, segments *[]string) (map[string]string, bool) {
	if v.name != "" {
		return nil, v.name == channel
	}
	if *segments == nil {
		*segments = strings.Split(channel[1:], "/")
	}
	return v.match(*segments)
}

func (srv *Server) serviceFor(channel string) (*service, map[string]string) {
	var segments []string
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	for _, v := range srv.services {
		if params, ok := v.matches(channel, &segments); ok {
			return v, params
		}
	}
	return nil, nil
}
