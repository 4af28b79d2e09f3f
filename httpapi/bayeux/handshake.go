package bayeux

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// shake processes a handshake.
func (x *exchange) shake(m *Message) {
	srv := x.srv
	if srv.phase.Load() != phaseServing {
		x.status, x.code = http.StatusServiceUnavailable, codeShutdown
		return
	}
	if text := srv.negotiate(m); text != "" {
		x.refuse(m, text, nil)
		return
	}
	if !srv.handshakesByAddr.allow(srv.customer(x.request)) {
		x.status, x.code = http.StatusServiceUnavailable, "too_many_handshakes"
		srv.crowding("handshakes from one address; a host behind a proxy sets Options.ClientAddr")
		return
	}
	switch text := x.incoming(nil, m); text {
	case "":
	case errTimeout:
		x.unavailable(errHookLate)
		return
	case errBusy:
		x.unavailable(errHookBusy)
		return
	case errInternal:
		x.fail(m, text)
		return
	default:
		x.refuse(m, text, nil)
		return
	}
	identity, err := x.authenticate(m)
	switch {
	case errors.Is(err, errHookPanic):
		x.fail(m, errInternal)
		return
	case x.unavailable(err):
		return
	case err != nil:
		x.refuse(m, refusalText(err, "", "handshake_denied"), err)
		return
	}
	if identity.User == "" && !srv.opts.AllowAnonymous {
		x.refuse(m, "403::handshake_denied", nil)
		return
	}
	if identity.User != "" && !srv.handshakesByUser.allow(identity.User) {
		err := &Refusal{Reason: "too_many_handshakes", Retry: true}
		x.refuse(m, refusalText(err, "", "handshake_denied"), err)
		return
	}
	s := srv.newSession(x, identity, m)
	if !srv.sessionsByAddr.take(s.addr) {
		srv.crowding("sessions of one address; a host behind a proxy sets Options.ClientAddr")
		x.status, x.code = http.StatusServiceUnavailable, "too_many_sessions"
		return
	}
	err = srv.admit(s)
	if err != nil {
		srv.sessionsByAddr.give(s.addr)
	}
	switch {
	case errors.Is(err, ErrClosed):
		x.status, x.code = http.StatusServiceUnavailable, codeShutdown
		return
	case errors.Is(err, errServerFull):
		srv.crowding("sessions")
		x.status, x.code = http.StatusServiceUnavailable, "too_many_sessions"
		return
	case err != nil:
		x.refuse(m, refusalText(err, "", "handshake_denied"), err)
		return
	}
	x.session, x.cleared = s, true
	x.hush(s)
	if x.socket != nil {
		x.socket.rebind(s)
	}
	s.open()
	x.handshake, x.greeting = x.handshakeReply(s, m)
}

// authenticate asks the application whose handshake this is.
func (x *exchange) authenticate(m *Message) (Identity, error) {
	hook := x.srv.opts.Authenticate
	if hook == nil {
		return Identity{}, nil
	}
	var identity Identity
	err := x.ask(x.srv.guards.authenticate, nil, func(ctx context.Context) (err error) {
		identity, err = hook(ctx, x.request, m)
		return err
	}, nil)
	if err != nil {
		return Identity{}, err
	}
	return identity, nil
}

// deliverDuringHandshakeLocked takes the messages that go out with the
// handshake's reply, and adds their number and the batch to it.
func (x *exchange) deliverDuringHandshakeLocked(s *Session, r *reply) []*Prepared {
	if !x.srv.opts.DeliverDuringHandshake {
		if s.queue.acking {
			r.ext = appendMember(r.ext, "ack", []byte("true"))
		}
		return nil
	}
	list := s.queue.take(x.srv.opts.MaxResponseBytes)
	if len(list) > 0 {
		r.members = append(r.members, `,"x-messages":`...)
		r.members = appendUint(r.members, uint64(len(list)))
	}
	if s.queue.acking {
		batch := append([]byte(`{"enabled":true,"batch":`), appendUint(nil, s.queue.nextBatch())...)
		r.ext = appendMember(r.ext, "ack", append(batch, '}'))
	}
	return list
}

// handshakeExt adds what extensions say in the handshake's reply.
func (x *exchange) handshakeExt(s *Session, r *reply) {
	if x.srv.opts.History != nil {
		if raw, ok := r.to.Ext("replay"); ok && string(raw) == "true" {
			r.ext = appendMember(r.ext, "replay", []byte("true"))
		}
	}
	if hook := x.srv.opts.HandshakeExt; hook != nil {
		more := hook(s, r.to)
		for _, name := range slices.Sorted(maps.Keys(more)) {
			if checkJSON(more[name], x.srv.opts.MaxDepth, x.srv.opts.MaxTokens) == nil {
				r.ext = appendMember(r.ext, name, more[name])
			}
		}
	}
	r.ext = x.srv.timesync(r.to, r.ext)
}

func (x *exchange) handshakeReply(s *Session, m *Message) ([]byte, []*Prepared) {
	o := &x.srv.opts
	b := append([]byte(nil), `,"version":"1.0","minimumVersion":"1.0","clientId":"`...)
	b = append(b, s.id...)
	b = append(b, `","supportedConnectionTypes":[`...)
	for i, kind := range x.srv.connectionTypes() {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, kind)
	}
	b = append(b, ']')
	r := &reply{to: m, ok: true, members: b, advice: x.srv.advice(o.Interval)}
	if o.AdviseMaxInterval {
		r.advice = strings.TrimSuffix(r.advice, "}") + `,"maxInterval":` +
			strconv.FormatInt(o.MaxInterval.Milliseconds(), 10) + "}"
	}
	s.mu.Lock()
	list := x.deliverDuringHandshakeLocked(s, r)
	s.mu.Unlock()
	x.handshakeExt(s, r)
	return r.encode(), list
}

// refuse answers a handshake that failed.
func (x *exchange) refuse(m *Message, text string, cause error) {
	r := &reply{to: m, err: text, advice: adviceNone}
	var refusal *Refusal
	if errors.As(cause, &refusal) {
		if refusal.Retry {
			r.advice = x.srv.advice(max(x.srv.opts.Interval, 2*time.Second))
		}
		if len(refusal.Ext) > 0 && refusal.Ext[0] == '{' && checkJSON(refusal.Ext, 32, 4096) == nil {
			r.ext = refusal.Ext
		}
	} else if cause != nil {
		r.ref = x.srv.noteRefusal(slog.LevelInfo, "handshake refused", slog.Any("error", cause))
	}
	x.srv.stats.refused.Add(1)
	x.handshake = r.encode()
}

// negotiate returns the error text if the client and the server have no
// version or connection type in common. A client that does not say is taken to
// speak the only version there is.
func (srv *Server) negotiate(m *Message) string {
	if v := m.StringField("version"); v != "" && majorVersion(v) < 1 {
		return errVersionMismatch
	}
	if v := m.StringField("minimumVersion"); v != "" && v != "1.0" && majorVersion(v) != 0 && !atMost1(v) {
		return errVersionMismatch
	}
	raw, ok := m.Field("supportedConnectionTypes")
	if !ok || string(raw) == "null" {
		return ""
	}
	for _, kind := range elements(raw) {
		if text, isText := stringValue(kind); isText && srv.offers(text) {
			return ""
		}
	}
	return errConnectionTypes
}

// majorVersion reads the number before the first dot, -1 if there is none.
func majorVersion(v string) int {
	head, _, _ := strings.Cut(v, ".")
	n, err := strconv.Atoi(head)
	if err != nil {
		return -1
	}
	return n
}

// atMost1 reports whether the version is 1 or 1.0 in some spelling.
func atMost1(v string) bool {
	head, tail, _ := strings.Cut(v, ".")
	return head == "1" && strings.Trim(tail, "0.") == ""
}

func (srv *Server) connectionTypes() []string {
	var list []string
	if !srv.opts.DisableWebSocket {
		list = append(list, "websocket")
	}
	if !srv.opts.DisableLongPolling {
		list = append(list, "long-polling")
	}
	return list
}

func (srv *Server) offers(kind string) bool {
	switch kind {
	case "websocket":
		return !srv.opts.DisableWebSocket
	case "long-polling":
		return !srv.opts.DisableLongPolling
	}
	return false
}

func (srv *Server) newSession(x *exchange, identity Identity, m *Message) *Session {
	s := &Session{
		srv: srv, id: newToken(), identity: identity, remote: x.request.RemoteAddr,
		created: time.Now(), turn: make(chan struct{}, 1), transport: x.transport(),
		addr: srv.customer(x.request), interval: srv.opts.Interval, subscriptions: make(map[string]bool),
	}
	s.seen.Store(s.created.UnixNano())
	s.checked.Store(s.created.UnixNano())
	s.queue.batch = 1
	s.connectOnly = srv.opts.ConnectOnly
	s.active = s.created
	if raw, ok := m.Ext("ack"); ok && string(raw) == "true" && !srv.opts.DisableAck {
		s.queue.acking, s.connectOnly = true, true
	}
	if raw, ok := m.Ext("replay"); ok && string(raw) == "true" && srv.opts.History != nil {
		s.replays = true
	}
	if x.socket == nil {
		s.browser = x.cookie(func(value string) bool { return srv.validCookie(value, identity.User) })
		if s.browser == "" {
			s.browser = srv.newCookie(identity.User)
			x.setCookie = s.browser
		}
	}
	return s
}

var (
	errServerFull = errors.New("too many sessions")
	errUserFull   = &Refusal{Reason: "too_many_sessions", Retry: true}
)

// admit adds the session to the server's tables, if there is room.
func (srv *Server) admit(s *Session) error {
	user := s.identity.User
	srv.mu.Lock()
	if srv.phase.Load() != phaseServing {
		srv.mu.Unlock()
		return ErrClosed
	}
	if len(srv.sessions) >= srv.opts.MaxSessions {
		srv.mu.Unlock()
		return errServerFull
	}
	var oldest *Session
	if limit := srv.opts.MaxSessionsPerUser; user != "" && limit != Unlimited && len(srv.users[user]) >= limit {
		for other := range srv.users[user] {
			if !other.Connected() && (oldest == nil || other.LastSeen().Before(oldest.LastSeen())) {
				oldest = other
			}
		}
		if oldest == nil {
			srv.mu.Unlock()
			return errUserFull
		}
	}
	srv.sessions[s.id] = s
	if s.local != nil {
		srv.locals++
	}
	if user != "" {
		if srv.users[user] == nil {
			srv.users[user] = make(map[*Session]struct{})
		}
		srv.users[user][s] = struct{}{}
	}
	srv.mu.Unlock()
	s.mu.Lock()
	s.armLocked()
	s.mu.Unlock()
	srv.stats.opened.Add(1)
	if oldest != nil {
		oldest.end(ReasonReplaced)
	}
	return nil
}

func (srv *Server) forget(s *Session) {
	srv.sessionsByAddr.give(s.addr)
	srv.mu.Lock()
	defer srv.mu.Unlock()
	delete(srv.sessions, s.id)
	if s.local != nil {
		srv.locals--
	}
	if set := srv.users[s.identity.User]; set != nil {
		delete(set, s)
		if len(set) == 0 {
			delete(srv.users, s.identity.User)
		}
	}
}

func (srv *Server) byID(id string) *Session {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	if s := srv.sessions[id]; s != nil && s.local == nil {
		return s
	}
	return nil
}
