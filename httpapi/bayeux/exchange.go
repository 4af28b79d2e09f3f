package bayeux

import (
	"context"
	"crypto/subtle"
	"errors"
	"math"
	"net/http"
	"runtime/debug"
	"time"
)

// exchange is the processing of one HTTP request or one WebSocket frame.
type exchange struct {
	srv     *Server
	ctx     context.Context
	request *http.Request // on a WebSocket the one that opened it
	socket  *socket       // nil for HTTP
	session *Session
	browser string // the request's browser cookie

	size      int  // messages in the request
	throttled bool // they were counted
	tooMany   bool // and are too many
	carrying  bool // it is the session's turn
	hushing   bool // session.busy was raised
	cleared   bool // it stopped the clock that ends the session
	handshake []byte
	greeting  []*Prepared // messages that go with the handshake's reply
	replies   [][]byte
	room      [2][]byte // for replies
	connect   *held     // connect to be answered with the messages
	before    int       // replies that go before that of the connect
	parked    *held     // connect to be held
	hold      time.Duration
	own       *ownFrame // replies of a WebSocket; nil if there are none
	setCookie string
	status    int    // HTTP status instead of replies, if not 0
	code      string // and its error code
	calls     []chan struct{}
	runsCalls bool // the session's calls wait for this exchange to run them
	firstCall *call
	calling   borrowed
	list      [1]*Message // room for the messages
	outside   bool        // the request is on a connection of the lane
	stranger  bool        // the first message had no session that it may use
	final     bool        // the client was told that there is no way back
	hookLate  bool        // a hook was given up
	carried   int         // queued messages in the response
	ref       string      // of the log line about the present message; empty if there is none
}

func (x *exchange) transport() string {
	if x.socket != nil {
		return "websocket"
	}
	return "long-polling"
}

// run processes the messages in order.
func (x *exchange) run(list []*Message) {
	x.size = len(list)
	now := time.Now()
	for _, m := range list {
		m.received = now
	}
	for i, m := range list {
		if m.Channel == metaHandshake && m.fault == "" {
			// The specification lets a handshake only be alone.
			for _, other := range list[:i] {
				x.fail(other, errProtocolViolation)
			}
			x.guard(m, func() { x.shake(m) })
			for _, other := range list[i+1:] {
				x.fail(other, errProtocolViolation)
			}
			return
		}
	}
	if lone := list[0]; len(list) == 1 && lone.Channel == metaConnect {
		x.guard(lone, func() { x.one(lone, true) })
		return
	}
	for _, m := range list {
		x.guard(m, func() { x.one(m, false) })
	}
}

// guard turns a panic of a hook into a refusal of the message.
func (x *exchange) guard(m *Message, f func()) {
	if x.status == 0 {
		x.ref = ""
	}
	defer func() {
		if fault := recover(); fault != nil {
			x.ref = x.srv.notePanic("message", fault, debug.Stack())
			x.fail(m, errInternal)
		}
	}()
	f()
}

func (x *exchange) add(r *reply) {
	if r.to.ext != nil {
		r.ext = x.srv.timesync(r.to, r.ext)
	}
	if x.socket != nil {
		if x.own == nil {
			x.own = x.srv.spares.frame()
		}
		x.own.add(r)
		return
	}
	if x.replies == nil {
		x.replies = x.room[:0]
	}
	x.replies = append(x.replies, r.encode())
}

func (x *exchange) fail(m *Message, text string) {
	r := &reply{to: m, err: text, ref: x.ref, bare: text == errTimeout}
	if text == errSessionUnknown && m.Channel == metaConnect {
		if x.final {
			r.advice = adviceNone
		} else {
			r.advice = adviceHandshake
		}
	}
	x.add(r)
}

func (x *exchange) succeed(m *Message) { x.add(&reply{to: m, ok: true}) }

// one processes a message other than a handshake.
func (x *exchange) one(m *Message, alone bool) {
	s := x.find(m)
	switch {
	case x.session != nil && !x.throttle(x.session): // whatever is wrong with it
		x.fail(m, errTooManyMessages)
		return
	case m.fault != "":
		x.fail(m, m.fault)
		return
	case s == nil:
		x.fail(m, errSessionUnknown)
		return
	case m.misuse != "":
		x.fail(m, m.misuse)
		return
	case !alone && !x.carry(s):
		x.fail(m, errTooManyMessages)
		return
	}
	if x.isLate(s, m) {
		x.fail(m, errShutdown)
		return
	}
	if text := x.incoming(s, m); text != "" {
		x.fail(m, text)
		return
	}
	switch m.Channel {
	case metaConnect:
		x.connectTo(s, m, alone)
	case metaSubscribe:
		x.subscribe(s, m)
	case metaUnsubscribe:
		x.unsubscribe(s, m)
	case metaDisconnect:
		x.succeed(m)
		s.endNow(ReasonDisconnect)
	default:
		x.publish(s, m)
	}
}

// incoming lets the application see a message first. It returns the error text
// if the application drops it.
func (x *exchange) incoming(s *Session, m *Message) string {
	if x.srv.opts.Incoming == nil {
		return ""
	}
	hook := x.srv.opts.Incoming
	call := func(ctx context.Context) error { return hook(ctx, s, m) }
	var err error
	if isMeta(m.Channel) {
		err = x.ask(x.srv.guards.incoming, s, call, nil)
	} else {
		err = x.askForPublish(x.srv.guards.incoming, s, call)
	}
	if err != nil {
		if text, ok := hookText(err); ok {
			return text
		}
		var refusal *Refusal
		if errors.As(err, &refusal) {
			return refusalText(err, reasonPolicy, "message_denied")
		}
		return errMessageDeleted
	}
	return ""
}

// carry waits for the session's turn and holds back its other ways to the
// client, so that what this request causes goes out with its own response.
func (x *exchange) carry(s *Session) bool {
	// What a local session sends may come from a hook that has the turn.
	if x.carrying || s.local != nil {
		return true
	}
	if len(s.turn) > 0 {
		x.mayTakeLong()
	}
	if !s.await(x.ctx) {
		return false
	}
	x.carrying = true
	if x.socket == nil {
		x.hush(s)
	}
	return true
}

// throttle slows the client down to its rate, once for a request. A WebSocket
// is never refused: while this waits its next frame is not read.
func (x *exchange) throttle(s *Session) bool {
	if s.local != nil {
		return true
	}
	if x.throttled {
		return !x.tooMany
	}
	x.throttled = true
	limit := x.srv.opts.CallTimeout
	if x.socket != nil {
		limit = math.MaxInt64
	}
	wait, ok := s.slowDown(x.size, limit)
	x.tooMany = !ok
	if wait > 0 {
		x.mayTakeLong()
		s.postpone(wait)
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-x.ctx.Done():
		}
	}
	return ok
}

// await waits for the session's turn, unless too many do so already.
func (s *Session) await(ctx context.Context) bool {
	select {
	case s.turn <- struct{}{}:
		return true
	default:
	}
	const most = 16
	s.mu.Lock()
	if s.waiting >= most {
		s.mu.Unlock()
		return false
	}
	s.waiting++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.waiting--
		s.mu.Unlock()
	}()
	select {
	case s.turn <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// hush keeps messages in the queue until the request is answered.
func (x *exchange) hush(s *Session) {
	s.mu.Lock()
	s.busy++
	x.hushing = true
	s.mu.Unlock()
}

// settleLocked undoes carry and hush. The session's lock is held.
func (x *exchange) settleLocked() {
	if x.hushing {
		x.hushing = false
		x.session.busy--
	}
	if x.carrying {
		x.carrying = false
		<-x.session.turn
	}
}

// release undoes carry if the request did not come to its regular end.
func (x *exchange) release() {
	s := x.session
	if s == nil {
		return
	}
	s.mu.Lock()
	x.settleLocked()
	// Only if it failed half-way: otherwise its answer has started the clock, and
	// a newer connect may have stopped it again since.
	failed := x.cleared && x.connect == nil && x.parked == nil && x.handshake == nil
	if failed && s.deadline.IsZero() && s.held == nil {
		s.armLocked()
	}
	next := s.wakeLocked()
	s.mu.Unlock()
	next.run()
}

// find returns the session that a message belongs to, nil if it has none or
// may not use it. The first message of a request decides for all.
func (x *exchange) find(m *Message) *Session {
	if x.session == nil && x.socket != nil {
		if s := x.socket.latest(); s != nil && sameText(s.id, m.clientID) && s.touch(m) {
			x.session = s
			return s
		}
		x.session = x.socket.bound()
	}
	if x.session != nil {
		if !sameText(x.session.id, m.clientID) || !x.session.touch(m) {
			return nil
		}
		return x.session
	}
	if x.stranger {
		return nil
	}
	s := x.srv.byID(m.clientID)
	if s == nil || x.socket != nil && x.srv.opts.RequireHandshakePerConnection || !x.mayUse(s) {
		x.stranger = true
		if s == nil && x.srv.phase.Load() != phaseServing {
			x.status, x.code = http.StatusServiceUnavailable, codeShutdown
			return nil
		}
		if s == nil && x.srv.banished(m.clientID) {
			x.final = true
		}
		if !x.final && x.status == 0 && !x.srv.unknownByAddr.allow(x.srv.customer(x.request)) {
			x.status, x.code = http.StatusTooManyRequests, "too_many_unknown_sessions"
			x.srv.crowding("messages with unknown sessions from one address; a host behind a proxy sets Options.ClientAddr")
		}
		return nil
	}
	if x.socket != nil && !x.socket.bind(s) {
		return nil
	}
	x.session = s
	s.touch(m)
	return s
}

// mayUse checks that the request comes from the browser and the user to whom
// the session belongs.
func (x *exchange) mayUse(s *Session) bool {
	switch {
	case x.browser != "" && s.browser != "":
		if x.cookie(func(value string) bool { return sameText(value, s.browser) }) == "" {
			return false
		}
	case x.socket != nil:
		if s.browser != "" && x.srv.opts.RequireCookieOnWebSocket {
			return false
		}
	case !x.srv.opts.TrustClientSession:
		return false
	}
	err := x.noted(x.srv.recheck(x.ctx, x.request, s))
	if err == nil {
		return true
	}
	if !x.unavailable(err) && !errors.Is(err, ErrForeign) {
		x.final = true
		s.endNow(ReasonUnauthorized)
	}
	return false
}

func sameText(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

// connectReply ends a connect. In acknowledgement mode the reply closes the
// batch of messages that goes out with it. The session's lock is held.
func (s *Session) connectReplyLocked(h *held) []byte {
	r := &reply{to: h.message, ok: true}
	switch {
	case !s.closed:
		switch {
		case h.crowded && s.srv.opts.MultiSessionInterval < 0:
			r.ok, r.advice = false, `{"multiple-clients":true,`+adviceNone[1:]
		case h.crowded:
			r.advice = `{"multiple-clients":true,` + retryAdvice(s.interval, s.timeoutLocked())[1:]
		case h.advise || s.advise:
			r.advice = retryAdvice(s.interval, s.timeoutLocked())
			s.advise = false
		}
		if h.positions != nil && len(s.queue.entries) == 0 {
			r.ext = appendMember(r.ext, "replay", h.positions)
		}
		if s.queue.acking {
			r.ext = appendMember(r.ext, "ack", appendUint(nil, s.queue.nextBatch()))
		}
	case s.reason == ReasonDisconnect, s.reason == ReasonKicked, s.reason == ReasonInactive:
		r.advice = adviceNone
	case s.reason == ReasonShutdown:
		r.advice = s.srv.advice(s.srv.opts.Interval)
	case s.reason == ReasonUnauthorized:
		r.ok, r.err, r.advice = false, errSessionUnknown, adviceNone
	default:
		r.ok, r.err, r.advice = false, errSessionUnknown, adviceHandshake
	}
	r.ext = s.srv.timesync(h.message, r.ext)
	return r.encode()
}

// serverDisconnect is what a client is told that the application sends away.
const serverDisconnect = `{"channel":"/meta/disconnect","successful":true}`
