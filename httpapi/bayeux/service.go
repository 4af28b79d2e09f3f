package bayeux

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
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
	mu       sync.Mutex
	answered bool
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

func (r *Request) hasAnswer() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.answered
}

func (r *Request) answer(data json.RawMessage, ok bool) error {
	if r.hasAnswer() {
		return ErrAnswered
	}
	p, err := r.encode(data, ok)
	if err != nil {
		return fmt.Errorf("answer remote call: %w", err)
	}
	r.mu.Lock()
	if r.answered {
		r.mu.Unlock()
		return ErrAnswered
	}
	r.answered = true
	r.mu.Unlock()
	if r.Message.ID == "" {
		return nil
	}
	return r.session.Deliver(p)
}

// encode forms the message with the result. The request's own data was checked
// when it was read.
func (r *Request) encode(data json.RawMessage, ok bool) (*Prepared, error) {
	switch {
	case data == nil:
		data = json.RawMessage("null")
	case len(data) == len(r.Data) && &data[0] == &r.Data[0]:
	default:
		if err := checkData(data); err != nil {
			return nil, err
		}
	}
	var room [2]member
	extra := room[:0]
	if id := r.Message.ID; id != "" {
		extra = append(extra, member{"id", []byte(`"` + id + `"`)})
	}
	success := "false"
	if ok {
		success = "true"
	}
	return encodeDelivery(r.Message.Channel, data, append(extra, member{"successful", []byte(success)})), nil
}

// service is a handler with the segments of its pattern.
type service struct {
	segments []string
	name     string // the only channel that it is for; empty if it is a pattern
	handler  ServiceHandler
	stuck    atomic.Int32 // calls beyond their deadline
}

// HandleService makes h answer the remote calls on a service channel. The
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
