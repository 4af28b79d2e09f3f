package bayeux

import (
	"strconv"
	"time"
)

// connectTo processes a connect. A connect that is alone may be held.
func (x *exchange) connectTo(s *Session, m *Message, alone bool) {
	if raw, ok := m.Field("connectionType"); ok && string(raw) != "null" && !x.srv.offers(m.StringField("connectionType")) {
		x.fail(m, errConnectionTypes)
		return
	}
	if x.connect != nil {
		x.succeed(m)
		return
	}
	o := &x.srv.opts
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		x.fail(m, errSessionUnknown)
		return
	}
	old := s.held
	if old != nil {
		old.away = o.DuplicateConnectStatus
		s.held = nil
	}
	var leaving *socket
	if x.socket == nil && s.socket != nil {
		leaving, s.socket = s.socket, nil
	}
	s.deadline, x.cleared = time.Time{}, true
	timeout := s.timesLocked(m)
	h := &held{session: s, message: m, socket: x.socket, advise: m.advice.present || s.transport != x.transport()}
	s.transport = x.transport()
	failed := s.resumeLocked(m, h)
	hold := failed == "" && alone && s.connected && timeout > 0 && !s.queue.prompt()
	s.connected = true
	if old != nil {
		x.srv.unhold(old) // its place is for this one
	}
	if hold && !x.srv.mayHold(x, s, h) {
		hold, h.crowded = false, true
		s.interval = max(0, o.MultiSessionInterval)
	}
	if hold && s.crowded {
		h.advise = true // the pause that the client was asked to make is over
	}
	s.crowded = h.crowded || s.crowded && !hold
	if hold {
		s.processingLocked(timeout)
	} else {
		s.processingLocked(0)
	}
	if !hold {
		x.connect, x.before = h, len(x.replies)
	} else {
		s.held = h
		x.parked = h
		h.since = time.Now()
		h.until = h.since.Add(timeout)
		s.holdUntilLocked(h.until)
	}
	s.mu.Unlock()
	x.hold = timeout
	if old != nil {
		old.overtake()
		x.srv.released(s, old)
	}
	if hold {
		x.srv.holding(s, h, timeout)
	}
	if leaving != nil {
		leaving.leave(closeNormal, "Transport changed")
	}
	if failed != "" {
		s.endNow(failed)
	}
}

// timesLocked reads the times that the client asks for and returns how long
// its connect may be held.
func (s *Session) timesLocked(m *Message) time.Duration {
	o := &s.srv.opts
	s.interval = o.Interval
	if s.ownInterval > 0 {
		s.interval = s.ownInterval
	}
	if m.advice.hasInterval {
		s.interval = min(m.advice.interval, o.MaxClientInterval)
	}
	switch {
	case !m.advice.hasTimeout:
		return s.timeoutLocked()
	case s.ownTimeout > 0:
		return min(m.advice.timeout, s.ownTimeout)
	}
	return min(m.advice.timeout, o.MaxTimeout)
}

// resumeLocked takes in what a connect says of earlier ones: the batch that
// the client has, and that it is alive. It returns the reason if the session
// must end for it.
func (s *Session) resumeLocked(m *Message, h *held) Reason {
	o := &s.srv.opts
	if o.MaxInactivity > 0 && time.Since(s.active) > o.MaxInactivity {
		return ReasonInactive
	}
	if !s.queue.acking {
		return ""
	}
	before := len(s.queue.entries)
	if raw, ok := m.Ext("ack"); ok {
		if k, ok := intValue(raw); !ok || !s.queue.acknowledge(k) {
			s.srv.stats.badAcks.Add(1)
		}
	}
	if !s.queue.resending() {
		s.queue.resent = 0
		return ""
	}
	// What was sent and not acknowledged is sent again at once. A client that
	// only ever gets the same again does not take anything in, or has a network
	// that lets nothing through; the latter may take its time.
	h.advise = h.advise || !m.advice.hasTimeout
	if s.queue.resent == 0 || len(s.queue.entries) < before {
		s.queue.resent, s.queue.resentSince = 0, m.received
	}
	if s.queue.resent++; s.queue.resent > mostResent && m.received.Sub(s.queue.resentSince) > stuckFor {
		return ReasonSlow
	}
	return ""
}

// A client that has acknowledged nothing for so long, and so many times, although
// something was sent to it, is ended.
const (
	mostResent = 8
	stuckFor   = time.Minute
)

// mayHold decides whether one more connect of a browser may be held, and
// counts it.
func (srv *Server) mayHold(x *exchange, s *Session, h *held) bool {
	if x.socket != nil || s.browser == "" {
		return true
	}
	limit, browser := srv.opts.MaxConnectsPerBrowser, s.browser
	if x.request.ProtoMajor >= 2 {
		// A space keeps it apart, as no cookie has one.
		limit, browser = srv.opts.MaxConnectsPerBrowserHTTP2, s.browser+" 2"
	}
	if limit == Unlimited {
		return true
	}
	srv.browserMu.Lock()
	defer srv.browserMu.Unlock()
	if srv.browsers[browser] >= limit {
		return false
	}
	srv.browsers[browser]++
	h.browser = browser
	return true
}

// unhold ends the counting of a held connect.
func (srv *Server) unhold(h *held) {
	srv.browserMu.Lock()
	defer srv.browserMu.Unlock()
	if h.browser == "" {
		return
	}
	if srv.browsers[h.browser]--; srv.browsers[h.browser] == 0 {
		delete(srv.browsers, h.browser)
	}
	h.browser = ""
}

// overtake ends a held connect for which a newer one has come.
func (h *held) overtake() {
	if h.socket == nil {
		h.signal()
		return
	}
	// Clients that compare ids ignore this. Others see a failure and wait
	// before they try again, instead of overtaking in turn.
	r := reply{to: h.message, err: errConnectOvertaken, advice: h.socket.srv.advice(0)}
	h.socket.send(outgoing{frame: textFrame(nil, r.encode())})
}

// releaseSocketConnect answers a connect that is held on a WebSocket, because
// its time is over or because messages may only leave with it.
func (s *Session) releaseSocketConnect(h *held) {
	s.mu.Lock()
	if s.held != h || s.closed {
		s.mu.Unlock()
		return
	}
	s.held = nil
	out := outgoing{}
	if s.connectOnly {
		list := s.queue.take(s.srv.opts.MaxResponseBytes)
		if len(list) > 0 && !s.queue.acking {
			out.settles = s
		}
		out.frame = textFrame(list, s.connectReplyLocked(h))
	} else {
		out.frame = textFrame(nil, s.connectReplyLocked(h))
	}
	s.armLocked()
	s.mu.Unlock()
	h.socket.send(out)
	s.srv.released(s, h)
}

// holdUntilLocked makes sure that the held connect is answered by then.
func (s *Session) holdUntilLocked(t time.Time) { s.holdEnd.set(t, s.holdOver) }

func (s *Session) holdOver() {
	s.srv.tasks.begin()
	defer s.srv.tasks.end()
	s.mu.Lock()
	s.holdEnd.rang()
	h := s.held
	if h == nil || s.closed {
		s.mu.Unlock()
		return
	}
	if time.Now().Before(h.until) {
		s.holdUntilLocked(h.until)
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	if h.socket == nil {
		h.signal()
		return
	}
	s.position(h)
	s.releaseSocketConnect(h)
}

// abandon gives up a held connect whose connection is gone.
func (s *Session) abandon(h *held) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == h {
		s.held = nil
		s.armLocked()
	}
}

// Advice that does not depend on the configuration.
const (
	adviceNone      = `{"reconnect":"none","interval":0}`
	adviceHandshake = `{"reconnect":"handshake","interval":0}`
)

// advice tells a client to go on. It is always complete: CometD's client
// replaces all its advice by what it gets.
func (srv *Server) advice(interval time.Duration) string {
	return retryAdvice(interval, srv.opts.Timeout)
}

func retryAdvice(interval, timeout time.Duration) string {
	b := append([]byte(nil), `{"reconnect":"retry","interval":`...)
	b = strconv.AppendInt(b, interval.Milliseconds(), 10)
	b = append(b, `,"timeout":`...)
	b = strconv.AppendInt(b, timeout.Milliseconds(), 10)
	return string(append(b, '}'))
}

// appendMember adds a member to an encoded object, which may be nil.
func appendMember(object []byte, name string, value []byte) []byte {
	if object == nil {
		object = append(object, '{')
	} else {
		object = append(object[:len(object)-1], ',')
	}
	object = appendString(object, name)
	object = append(object, ':')
	object = append(object, value...)
	return append(object, '}')
}

func appendUint(b []byte, n uint64) []byte { return strconv.AppendUint(b, n, 10) }
