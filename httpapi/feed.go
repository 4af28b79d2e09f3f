package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

const (
	// maxReplay bounds what a returning client is sent at once; who missed
	// more has to read the state anew. It leaves room in the session's queue,
	// which would otherwise overflow again and again.
	maxReplay      = 500
	maxReplayBytes = 512 << 10
	// maxSuspended bounds the events that wait for the answer whether their
	// reader may still have them.
	maxSuspended = 64
)

// feed carries the events of one topic to one session's subscription.
type feed struct {
	peer    *peer
	session *bayeux.Session
	channel string
	topic   webconferencing.Topic
	call    webconferencing.CallID // "" on a user's channel
	sub     *webconferencing.Subscription

	mu       sync.Mutex
	mode     feedMode
	waiting  []*webconferencing.Event
	bytes    int
	overflow bool
	checking bool
	closed   bool
}

type feedMode int

const (
	feedReplaying feedMode = iota // collecting the past
	feedLive
	feedSuspended // the reader was not allowed when last asked
)

// subscribe opens the feed of a channel that a session subscribed to, with
// what it missed if it says where it was.
func (a *API) subscribe(ctx context.Context, s *bayeux.Session, channel string, m *bayeux.Message) error {
	p := peerOf(s)
	at := attempt{what: "subscribe", by: webconferencing.Actor{User: p.user}}
	if err := a.openFeed(ctx, s, channel, &at, m); err != nil {
		return a.refuse(ctx, &at, m, err)
	}
	return nil
}

func (a *API) openFeed(ctx context.Context, s *bayeux.Session, channel string, at *attempt, m *bayeux.Message) error {
	p := peerOf(s)
	by, err := p.actor(m.StringField("exoClientId"))
	if err != nil {
		return err
	}
	at.by = by
	f := &feed{peer: p, session: s, channel: channel}
	if id, ok := strings.CutPrefix(channel, callChannel); ok {
		f.call = webconferencing.CallID(id)
		f.topic, at.call = webconferencing.DataTopic(f.call), f.call
	} else {
		f.topic = webconferencing.UserTopic(p.user)
	}
	after, all, err := replayFrom(m, channel)
	if err != nil {
		return err
	}
	if err := f.open(ctx, by, after); err != nil {
		if webconferencing.CodeOf(err) != webconferencing.CodeGone {
			return err
		}
		if !all {
			return replayGone(channel)
		}
		if err := f.open(ctx, by, nil); err != nil {
			return err
		}
	}
	if err := tellStart(m, channel, f.sub.Start()); err != nil {
		f.close()
		return err
	}
	p.put(channel, f)
	if f.call != "" {
		a.presence.attach(ctx, p, by, f.call)
	}
	return nil
}

// replayGone is the answer to a client that was away for too long: it
// subscribes anew and reads the state.
func replayGone(channel string) error {
	return &bayeux.Refusal{Code: http.StatusBadRequest, Reason: channel, Text: "replay_gone"}
}

// tellStart puts into the reply where the subscription begins, as
// {"replay":{"<channel>":N}}, so that a client that has heard nothing yet can
// ask for what came later.
func tellStart(m *bayeux.Message, channel string, start webconferencing.Position) error {
	positions := make(map[string]webconferencing.Position)
	if raw, ok := m.ReplyExt("replay"); ok {
		// A message may subscribe to several channels.
		if err := json.Unmarshal(raw, &positions); err != nil {
			return err
		}
	}
	positions[channel] = start
	raw, err := json.Marshal(positions)
	if err != nil {
		return err
	}
	return m.SetReplyExt("replay", raw)
}

// replayFrom reads ext.replay of a subscribe message: the position after which
// the client wants everything, -1 for only what is new, -2 for everything
// there is.
func replayFrom(m *bayeux.Message, channel string) (after *webconferencing.Position, all bool, err error) {
	raw, ok := m.Ext("replay")
	if !ok {
		return nil, false, nil
	}
	ext, err := lenientArguments(json.RawMessage(raw))
	if err != nil {
		return nil, false, nil // "replay": true and the like ask for nothing
	}
	text := strings.TrimSpace(ext.text(channel))
	if ext.err != nil {
		return nil, false, invalid("replay", "must be a number")
	}
	switch text {
	case "", "-1":
		return nil, false, nil
	case "-2":
		return new(webconferencing.Position), true, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return nil, false, invalid("replay", "must be a number")
	}
	position := webconferencing.Position(n)
	return &position, false, nil
}

// open subscribes to the topic. What the journal holds after the position is
// collected first, so that it can be refused as a whole if it is too much.
func (f *feed) open(ctx context.Context, by webconferencing.Actor, after *webconferencing.Position) error {
	f.mode = feedReplaying
	f.waiting, f.bytes, f.overflow = nil, 0, false
	sub, err := f.peer.api.svc.Subscribe(ctx, by, f.topic, after, f.deliver)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sub = sub
	if f.overflow {
		sub.Close()
		f.waiting = nil
		return &webconferencing.Error{Code: webconferencing.CodeGone, Message: "too much was missed"}
	}
	f.flush()
	return nil
}

// flush sends what has waited and goes live.
func (f *feed) flush() {
	for _, e := range f.waiting {
		f.send(e)
	}
	f.mode, f.waiting, f.bytes = feedLive, nil, 0
}

func (f *feed) close() {
	f.mu.Lock()
	f.closed, f.waiting = true, nil
	sub := f.sub
	f.mu.Unlock()
	if sub != nil {
		sub.Close()
	}
}

// deliver takes one event of the topic. It is called in order and does not
// block.
func (f *feed) deliver(e *webconferencing.Event) {
	if e.Type == webconferencing.EventReset {
		// Events were lost to this process. A new session reads the state.
		f.session.Expel()
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	switch f.mode {
	case feedLive:
		f.send(e)
	case feedReplaying:
		f.bytes += len(e.Data)
		if len(f.waiting) >= maxReplay || f.bytes > maxReplayBytes {
			f.overflow, f.waiting = true, nil
		}
		if !f.overflow {
			f.waiting = append(f.waiting, e)
		}
	case feedSuspended:
		if len(f.waiting) >= maxSuspended {
			f.waiting = nil
			f.session.Expel()
			return
		}
		f.waiting = append(f.waiting, e)
		f.recheckSoon()
	}
}

// send queues an event for the client. A client that is too slow loses its
// session and comes back by position, so there is no error to handle.
func (f *feed) send(e *webconferencing.Event) {
	msg, err := f.peer.api.encoded.get(f.peer.api.bayeux, f.topic, f.channel, e)
	if err != nil {
		f.peer.api.log.Error("event can't be encoded", "call", e.CallID, "position", uint64(e.Position), "error", err)
		return
	}
	if msg != nil {
		_ = f.session.Deliver(msg)
	}
	if f.call == "" && mayChangeMissed(e) {
		f.peer.api.missed.happened(f.peer.user)
	}
}

// recheckSoon asks in the background whether the reader may read again, for
// instance because the call was made anew. f.mu is held.
func (f *feed) recheckSoon() {
	if f.checking {
		return
	}
	f.checking = f.peer.api.background(func(ctx context.Context) {
		f.recheck(ctx)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.checking = false
	})
}

// recheck stops the feed while its reader may not read it. The subscription of
// the session stays, since the same call id may become a call of his again.
func (f *feed) recheck(ctx context.Context) {
	f.mu.Lock()
	sub := f.sub
	f.mu.Unlock()
	err := sub.Recheck(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	switch webconferencing.CodeOf(err) {
	case "":
		if f.mode == feedSuspended {
			f.flush()
		}
	case webconferencing.CodeNotFound, webconferencing.CodeGone, webconferencing.CodeDenied, webconferencing.CodeInvalid:
		f.mode, f.waiting = feedSuspended, nil
	}
}

// unsubscribed closes the feed of a channel. Leaving a call's channel is
// leaving the call, after the grace period.
func (a *API) unsubscribed(s *bayeux.Session, channel string, reason bayeux.Reason) {
	p := peerOf(s)
	f := p.take(channel)
	if f == nil {
		return
	}
	f.close()
	if f.call != "" && reason == bayeux.ReasonUnsubscribed {
		a.presence.release(p, f.call)
	}
}

// encodedEvents remembers the latest events as they go over the wire, since
// one event goes to many sessions.
type encodedEvents struct {
	mu    sync.Mutex
	byKey map[encodedKey]*bayeux.Prepared
	ring  [encodedKept]encodedKey
	next  int
}

// encodedKept is how many messages are remembered. Sessions take an event one
// right after the other, so few are needed.
const encodedKept = 64

type encodedKey struct {
	topic    webconferencing.Topic
	position webconferencing.Position
}

func newEncodedEvents() *encodedEvents {
	return &encodedEvents{byKey: make(map[encodedKey]*bayeux.Prepared, encodedKept)}
}

// get returns the message of an event on a channel, nil if clients are not told
// of the event.
func (c *encodedEvents) get(srv *bayeux.Server, topic webconferencing.Topic, channel string, e *webconferencing.Event) (*bayeux.Prepared, error) {
	key := encodedKey{topic, e.Position}
	c.mu.Lock()
	msg, ok := c.byKey[key]
	c.mu.Unlock()
	if ok {
		return msg, nil
	}
	var data json.RawMessage
	var err error
	if e.Type == webconferencing.EventData {
		data, err = stampData(e)
	} else {
		data, err = viewUserEvent(e)
	}
	if err == nil && data != nil {
		ext := json.RawMessage(`{"replayId":` + strconv.FormatUint(uint64(e.Position), 10) + `}`)
		msg, err = srv.Prepare(channel, data, map[string]json.RawMessage{"ext": ext})
	}
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.byKey[key]; ok {
		return known, nil
	}
	delete(c.byKey, c.ring[c.next])
	c.ring[c.next], c.byKey[key] = key, msg
	c.next = (c.next + 1) % len(c.ring)
	return msg, nil
}
