package bayeux

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// LocalSession is a session inside the program, for server code and tests that
// take part as a client does. What it sends passes the same checks and hooks as
// a remote client's: limits, Incoming, Authorize, OnPublish, OnSubscribe,
// filters. The exceptions are Authenticate and Reauthenticate, as there is no
// request, and the message rate. Its session is counted, found, kicked and
// ended by Shutdown like others, but never expires and cannot be used from
// outside.
//
// Its methods may be called concurrently and from hooks and the deliver
// function; concurrent ones take effect in no particular order.
type LocalSession struct {
	srv     *Server
	session *Session
	deliver func(*Delivery)
	done    chan struct{} // closed when the session has ended

	mu         sync.Mutex
	delivering bool
	nextID     uint64
	calls      map[string]chan callResult // results that are waited for, by message id
}

// Delivery is a message to a LocalSession.
type Delivery struct {
	// Channel is the concrete channel of the message.
	Channel string

	// Data is the payload. It must not be changed.
	Data json.RawMessage

	fields []member
}

// Field returns the top-level field of that exact name as raw JSON.
func (d *Delivery) Field(name string) (json.RawMessage, bool) { return lookup(d.fields, name) }

// CallError is the failure of a remote call, as its handler gave it.
type CallError struct {
	// Data is the failure value.
	Data json.RawMessage
}

// Error implements error.
func (e *CallError) Error() string { return fmt.Sprintf("remote call failed: %.200s", e.Data) }

type callResult struct {
	ok   bool
	data json.RawMessage
}

// NewLocalSession makes a session without a client. The identity is taken as it
// is; OnSession is called. Messages are handed to deliver one at a time in
// order, on a goroutine of the server, while publishers go on: those that wait
// are limited by MaxQueue and MaxQueueBytes as for any client, and a session
// that lets them pile up ends with [ReasonSlow]. A nil deliver discards them. A
// panic of deliver is logged and counted.
//
// The error is [ErrClosed] after Shutdown, or a [Refusal] if there are too many
// sessions. Close ends the session. Whoever needs it for long looks at Done and
// makes another. Shutdown waits for a deliver that runs, and for what is queued as
// for any client.
func (srv *Server) NewLocalSession(identity Identity, deliver func(*Delivery)) (*LocalSession, error) {
	if deliver == nil {
		deliver = func(*Delivery) {}
	}
	s := &Session{
		srv: srv, id: newToken(), identity: identity, created: time.Now(), turn: make(chan struct{}, 1),
		transport: "local", subscriptions: make(map[string]bool),
	}
	s.seen.Store(s.created.UnixNano())
	s.active = s.created
	s.queue.batch = 1
	l := &LocalSession{
		srv: srv, session: s, deliver: deliver,
		done: make(chan struct{}), calls: make(map[string]chan callResult),
	}
	s.local = l
	if err := srv.admit(s); err != nil {
		if errors.Is(err, errServerFull) {
			err = &Refusal{Code: 503, Reason: "too_many_sessions"}
		}
		return nil, fmt.Errorf("new local session: %w", err)
	}
	s.open()
	return l, nil
}

// Session returns the session as hooks see it.
func (l *LocalSession) Session() *Session { return l.session }

// Done returns a channel that is closed when the session has ended, for
// whatever reason.
func (l *LocalSession) Done() <-chan struct{} { return l.done }

// Close ends the session with [ReasonDisconnect]; OnUnsubscribe and
// OnSessionClosed have been called when it returns. What is queued is dropped;
// a call of deliver that is running goes on. It may be called again.
func (l *LocalSession) Close() { l.session.endNow(ReasonDisconnect) }

// Subscribe subscribes to channels and patterns, all or none. The error is a
// [Refusal] with the words that a client would be answered, or [ErrClosed] if
// the session has ended.
func (l *LocalSession) Subscribe(ctx context.Context, channels ...string) error {
	return l.subscription(ctx, metaSubscribe, channels)
}

// Unsubscribe ends subscriptions; those that the session does not have are no
// error. Otherwise it is like Subscribe.
func (l *LocalSession) Unsubscribe(ctx context.Context, channels ...string) error {
	return l.subscription(ctx, metaUnsubscribe, channels)
}

func (l *LocalSession) subscription(ctx context.Context, kind string, channels []string) error {
	list := []byte{'['}
	for i, name := range channels {
		if i > 0 {
			list = append(list, ',')
		}
		list = appendString(list, name)
	}
	if err := l.send(ctx, l.newID(), kind, member{"subscription", append(list, ']')}); err != nil {
		return fmt.Errorf("%s: %w", strings.TrimPrefix(kind, "/meta/"), err)
	}
	return nil
}

// Publish publishes data, valid JSON, on a broadcast channel or, without
// waiting for a result, a service channel. The errors are those of Subscribe,
// and [ErrData] for data that is not JSON or over a limit.
func (l *LocalSession) Publish(ctx context.Context, channel string, data json.RawMessage) error {
	if err := l.sendData(ctx, "", channel, data); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

// Send sends one message with fields of one's own: "data" and perhaps "ext" on
// any channel on which Publish may, "subscription" and perhaps "ext", for a
// replay, on /meta/subscribe and /meta/unsubscribe. The values must be valid
// JSON. The fields channel, clientId and id cannot be set. The errors are those
// of Publish, with [ErrData] for such a field too.
func (l *LocalSession) Send(ctx context.Context, channel string, fields map[string]json.RawMessage) error {
	list := make([]member, 0, len(fields))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name == "channel" || name == "clientId" || name == "id" {
			return fmt.Errorf("send: %w: field %q is reserved", ErrData, name)
		}
		list = append(list, member{name, fields[name]})
	}
	if err := l.send(ctx, "", channel, list...); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// sendData sends a message with nothing but data, which is sent as null if it is
// nil.
func (l *LocalSession) sendData(ctx context.Context, id, channel string, data json.RawMessage) error {
	if isMeta(channel) {
		return fmt.Errorf("%w: %q", ErrChannel, channel)
	}
	if data == nil {
		data = json.RawMessage("null")
	}
	return l.send(ctx, id, channel, member{"data", data})
}

// Call makes a remote call on a service channel and waits for its result. A
// failure that the handler reports is a [CallError]; the other errors are those
// of Publish, and the context's. It may be called while deliver runs.
func (l *LocalSession) Call(ctx context.Context, channel string, data json.RawMessage) (json.RawMessage, error) {
	id, result := l.newID(), make(chan callResult, 1)
	l.mu.Lock()
	l.calls[id] = result
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.calls, id)
		l.mu.Unlock()
	}()
	if err := l.sendData(ctx, id, channel, data); err != nil {
		return nil, fmt.Errorf("call: %w", err)
	}
	select {
	case r := <-result:
		if !r.ok {
			return nil, fmt.Errorf("call: %w", &CallError{r.data})
		}
		return r.data, nil
	case <-l.done:
		return nil, fmt.Errorf("call: %w", ErrClosed)
	case <-ctx.Done():
		return nil, fmt.Errorf("call: %w", ctx.Err())
	}
}

func (l *LocalSession) newID() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nextID++
	return strconv.FormatUint(l.nextID, 10)
}

// send processes one message as if a client had sent it.
func (l *LocalSession) send(ctx context.Context, id, channel string, fields ...member) error {
	srv, s := l.srv, l.session
	srv.tasks.begin()
	defer srv.tasks.end()
	if !s.Alive() {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	m, err := l.message(id, channel, fields)
	if err != nil {
		return err
	}
	s.seen.Store(time.Now().UnixNano())
	x := &exchange{srv: srv, ctx: ctx, session: s}
	defer x.release()
	x.run([]*Message{m})
	return l.verdict(x.replies)
}

// message encodes a message and reads it again, so that it passes the checks
// of one from outside.
func (l *LocalSession) message(id, channel string, fields []member) (*Message, error) {
	o := &l.srv.opts
	b := appendMember(nil, "channel", appendString(nil, channel))
	if id != "" {
		b = appendMember(b, "id", appendString(nil, id))
	}
	for _, f := range fields {
		if err := checkJSON(f.value, o.MaxDepth, o.MaxTokens); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrData, f.name, err)
		}
		b = appendMember(b, f.name, f.value)
	}
	if len(b) > o.MaxMessageBytes {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrData, o.MaxMessageBytes)
	}
	list, err := decodeBatch(b, o)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrData, err)
	}
	m := list[0]
	if isMeta(m.Channel) && m.Channel != metaSubscribe && m.Channel != metaUnsubscribe {
		return nil, fmt.Errorf("%w: %q", ErrChannel, channel)
	}
	m.clientID = l.session.id
	return m, nil
}

// verdict reads the reply to a message. That of a service call may come with
// others.
func (l *LocalSession) verdict(replies [][]byte) error {
	for _, raw := range replies {
		var r struct {
			Successful bool
			Error      string
			Ext        json.RawMessage
		}
		if err := json.Unmarshal(raw, &r); err != nil {
			return fmt.Errorf("%w: %w", ErrData, err)
		}
		switch {
		case r.Successful:
		case r.Error == errSessionUnknown:
			return ErrClosed
		default:
			return refusalFrom(r.Error, r.Ext)
		}
	}
	return nil
}

// refusalFrom is the reverse of refusalText.
func refusalFrom(text string, ext json.RawMessage) *Refusal {
	parts := strings.SplitN(text, ":", 3)
	parts = append(parts, "", "")
	code, _ := strconv.Atoi(parts[0])
	return &Refusal{Code: code, Reason: parts[1], Text: parts[2], Ext: ext}
}

// takes reports whether a message is the result of a call that is waited for,
// and hands it over.
func (l *LocalSession) takes(p *Prepared) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.calls) == 0 || !isService(p.channel) {
		return false
	}
	fields := members(p.JSON())
	raw, _ := lookup(fields, "id")
	id, _ := stringValue(raw)
	result := l.calls[id]
	if result == nil {
		return false
	}
	delete(l.calls, id)
	ok, _ := lookup(fields, "successful")
	data, _ := lookup(fields, "data")
	result <- callResult{string(ok) == "true", data}
	return true
}

// kick makes sure that somebody hands out what is queued.
func (l *LocalSession) kick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.delivering {
		l.delivering = true
		l.srv.tasks.spawn(func() { l.drain(nil) })
	}
}

// drain hands out messages, those given first, until there is nothing left.
func (l *LocalSession) drain(list []*Prepared) {
	over := false
	defer func() {
		// The deliver function has ended its goroutine, as a failing test does.
		if !over {
			l.srv.tasks.spawn(func() { l.drain(list) })
		}
	}()
	for {
		for len(list) > 0 {
			p := list[0]
			list = list[1:]
			if l.session.Alive() {
				l.hand(p)
			}
		}
		s := l.session
		s.mu.Lock()
		s.queue.settle(true)
		s.mu.Unlock()
		list = l.next()
		if over = list == nil; over {
			return
		}
	}
}

// next takes what is queued; with nothing it ends the goroutine's duty.
func (l *LocalSession) next() []*Prepared {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.session
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*Prepared
	if !s.closed && s.busy == 0 {
		if s.queue.prompt() {
			list = s.queue.take(s.srv.opts.MaxResponseBytes)
		} else {
			s.delayLocked()
		}
	}
	l.delivering = list != nil
	return list
}

func (l *LocalSession) hand(p *Prepared) {
	defer func() {
		if fault := recover(); fault != nil {
			l.srv.notePanic("deliver function", fault, debug.Stack())
		}
	}()
	fields := members(p.JSON())
	data, _ := lookup(fields, "data")
	l.deliver(&Delivery{Channel: p.channel, Data: data, fields: fields})
}
