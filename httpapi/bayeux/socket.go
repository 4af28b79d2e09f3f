package bayeux

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/wsframe"
)

// socket is one WebSocket. Its own goroutine reads and processes frames one by
// one, runs their remote calls, writes the replies, and looks after the
// connection; a second exists only while there is something else to write or a
// call takes long.
//
// Its lock may be held while a session's is taken, never the other way round.
type socket struct {
	srv     *Server
	conn    *wsframe.Conn
	request *http.Request
	browser string
	addr    string // for which it is counted
	ctx     context.Context
	cancel  context.CancelFunc
	asked   time.Time // when the last ping was sent; for the reader only
	known   familiar  // for the reader only
	held    time.Time // when the last held connect came; for the reader only

	mu       sync.Mutex
	room     sync.Cond // signalled when pending falls
	session  *Session
	pending  []outgoing // replies, which go before queued messages
	bytes    int
	writing  bool
	closed   bool
	busy     bool // a frame is being processed
	corked   bool // its replies are being collected, and written together
	own      *ownFrame
	behind   int       // frames whose replies wait for those of the next one
	since    time.Time // since when they do
	more     bool      // somebody had something to write while that was not possible
	code     int       // with which to close once pending is written; 0 not to
	reason   string
	unbound  time.Time // since when there is no session
	nextPing time.Time
	reviewer *time.Timer
}

// maxPendingBytes is how much a client may leave unread before its next frame
// is not processed.
const maxPendingBytes = 128 << 10

func (srv *Server) serveSocket(w http.ResponseWriter, r *http.Request) {
	srv.tasks.begin()
	defer srv.tasks.end()
	if p := srv.opts.WebSocketProtocol; p != "" && !headerHas(r.Header, "Sec-WebSocket-Protocol", p) {
		writeFault(w, http.StatusBadRequest, "subprotocol")
		return
	}
	if srv.socketsFull() {
		w.Header().Set("Retry-After", "5")
		writeFault(w, http.StatusServiceUnavailable, "too_many_connections")
		return
	}
	addr, ref, ok := srv.safeCustomer(r)
	if !ok {
		writeFaultRef(w, http.StatusInternalServerError, "internal", ref)
		return
	}
	if !srv.socketsByAddr.take(addr) {
		srv.crowding("WebSockets of one address; a host behind a proxy sets Options.ClientAddr")
		w.Header().Set("Retry-After", "5")
		writeFault(w, http.StatusServiceUnavailable, "too_many_connections")
		return
	}
	conn, err := srv.upgrader.Upgrade(w, r)
	if err != nil {
		srv.socketsByAddr.give(addr)
		srv.refuseUpgrade(w, err)
		return
	}
	k := &socket{srv: srv, conn: conn, addr: addr, browser: srv.readCookie(r), unbound: time.Now()}
	k.room.L = &k.mu
	k.ctx, k.cancel = context.WithCancel(context.WithoutCancel(r.Context()))
	k.request = r.WithContext(k.ctx) // its own ends with the handler
	conn.OnPong(k.ponged)
	conn.OnBreach(k.writeBehind)
	k.nextPing = k.unbound.Add(srv.opts.PingEvery)
	conn.SetWake(k.unbound.Add(min(srv.opts.PingEvery, srv.opts.MaxInterval+time.Second)))
	srv.mu.Lock()
	closing := srv.phase.Load() != phaseServing
	srv.sockets[k] = struct{}{}
	srv.mu.Unlock()
	if closing {
		k.leave(closeGoingAway, "Server shutdown")
	}
	if srv.rechecks() {
		k.mu.Lock()
		k.reviewer = time.AfterFunc(srv.opts.ReauthenticateEvery, k.review)
		k.mu.Unlock()
	}
	// On a goroutine of its own, so that net/http frees its own and its buffers.
	srv.tasks.start(k.live)
}

// live reads frames until the connection ends, unless another goroutine has
// taken that over.
func (k *socket) live() {
	moved := false
	// Also if a handler ends its goroutine, as a failing test does.
	defer func() {
		if !moved {
			k.gone()
		}
	}()
	k.srv.safely("WebSocket", func() { k.serve(&moved) })
}

// rest waits for the next message on a fresh goroutine, whose stack is small,
// and reads then. Functions in between would make that stack too small.
func (k *socket) rest() {
	defer k.broken()
	if errors.Is(k.conn.Await(), wsframe.ErrWake) {
		k.beat()
		k.srv.tasks.start(k.rest) // that made the stack grow
		return
	}
	k.live()
}

// broken ends the socket if the function that has deferred it has panicked.
func (k *socket) broken() {
	if fault := recover(); fault != nil {
		k.srv.notePanic("WebSocket", fault, debug.Stack())
		k.gone()
	}
}

// goOn reads in place of a goroutine that is kept by a remote call.
func (k *socket) goOn() {
	k.processed()
	k.live()
}

func (srv *Server) refuseUpgrade(w http.ResponseWriter, err error) {
	srv.log.Debug("bayeux: no WebSocket", "error", err)
	var refused *wsframe.HandshakeError
	if !errors.As(err, &refused) {
		return // the client is gone
	}
	code := "bad_upgrade"
	if refused.Status == http.StatusNotImplemented {
		code = "websocket_unsupported"
		srv.cannotHijack(err)
	}
	writeFault(w, refused.Status, code)
}

// socketsFull reports whether there are so many sockets that most of them cannot
// have a session.
func (srv *Server) socketsFull() bool {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	return len(srv.sockets) >= 2*srv.opts.MaxSessions
}

// serve reads frames until the connection ends, or until another goroutine does
// so, which it notes at once.
func (k *socket) serve(moved *bool) {
	for {
		_, text, err := k.conn.ReadMessage()
		if errors.Is(err, wsframe.ErrWake) {
			k.beat()
			continue
		}
		if err != nil {
			return // the client was told why, if that is possible
		}
		switch k.begin() {
		case frameLate:
			k.writeBehind()
			continue
		case frameLost:
			return
		}
		x := k.srv.spares.exchange()
		x.srv, x.ctx, x.request, x.socket, x.browser = k.srv, k.ctx, k.request, k, k.browser
		list, err := decodeInto(x.list[:0], text, &k.srv.opts, k.known)
		if err != nil {
			k.writeBehind()
			k.close(closePolicy, err.Error())
			return
		}
		k.process(x, list, moved)
		if *moved {
			return
		}
		k.learn(list)
		rests := k.rests(x)
		k.srv.spares.reuse(x)
		if rests {
			*moved = true
			k.srv.tasks.start(k.rest)
			return
		}
	}
}

// rests reports whether the next frame will likely be long in coming: the client
// has sent a connect that is held, and the one before was held for long, too.
func (k *socket) rests(x *exchange) bool {
	h := x.parked
	if h == nil || k.conn.Ready() {
		return false
	}
	before := k.held
	k.held = h.since
	return h.since.Sub(before) >= lively
}

// learn notes what the client will likely say again.
func (k *socket) learn(list []*Message) {
	m := list[0]
	if m.clientID == k.known.client && m.Channel == k.known.channel || !isService(m.Channel) || m.Channel != m.wireChannel || m.fault != "" {
		return
	}
	if s := k.bound(); s != nil {
		k.known = familiar{client: s.id, channel: m.Channel}
	}
}

// process does what a frame asks for, its remote calls included. It notes
// whether another goroutine reads.
func (k *socket) process(x *exchange, list []*Message, moved *bool) {
	calls := &x.calling
	calls.socket = k
	defer func() {
		if *moved = calls.moved; !calls.moved && !k.waitForNext(x) {
			k.processed()
		}
	}()
	k.reply(x, list)
	if x.runsCalls {
		// Their results are written together with the replies.
		x.session.calls.drain(calls, x.firstCall)
	}
}

func (k *socket) reply(x *exchange, list []*Message) {
	defer x.release()
	x.run(list)
	k.answer(x)
}

// What becomes of a frame that was read.
const (
	frameGood = iota
	frameLate // what the client still says is too late; its goodbye is not
	frameLost // the connection is gone
)

// begin says whether a frame is to be processed, after it has held back a
// client that does not read its replies.
func (k *socket) begin() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.code != 0 {
		return frameLate
	}
	for k.bytes > maxPendingBytes && !k.closed {
		k.room.Wait()
	}
	if k.closed {
		return frameLost
	}
	k.busy = true
	return frameGood
}

// collect keeps what is to be written until the frame has been processed.
func (k *socket) collect(f *ownFrame) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.corked, k.own = true, f
}

// answer sends the replies of one frame. They go ahead of queued messages,
// because clients measure the network by them; only a connect's reply follows
// the messages that it stands for.
func (k *socket) answer(x *exchange) {
	if x.onlyReplies() {
		k.collect(x.own)
		return
	}
	k.collect(nil)
	if x.status != 0 {
		k.leave(closeTryAgain, closeReason(x.code, x.ref))
		return
	}
	switch {
	case x.handshake != nil && x.own != nil:
		k.send(outgoing{frame: textFrame(nil, x.handshake, x.own.messages())})
	case x.handshake != nil:
		k.send(outgoing{frame: textFrame(nil, x.handshake)})
	case x.own != nil:
		k.send(x.own.finish())
	}
	s := x.session
	if s == nil {
		return
	}
	if len(x.greeting) > 0 {
		greeting := outgoing{frame: textFrame(x.greeting)}
		if !s.queue.acking {
			greeting.settles = s
		}
		k.send(greeting)
	}
	s.mu.Lock()
	var last outgoing
	if h := x.connect; h != nil {
		var list []*Prepared
		if s.connectOnly && !s.closed {
			list = s.queue.take(x.srv.opts.MaxResponseBytes)
			if len(list) > 0 && !s.queue.acking {
				last.settles = s
			}
		}
		last.frame = textFrame(list, s.connectReplyLocked(h))
	}
	x.settleLocked()
	if x.connect != nil || x.handshake != nil {
		s.armLocked()
	}
	s.mu.Unlock()
	if last.frame != nil {
		k.send(last)
	}
	s.mu.Lock()
	next := s.wakeLocked()
	s.mu.Unlock()
	next.run()
	if x.final {
		k.leave(closeUnauthorized, "Unauthorized")
	}
}

// onlyReplies reports whether answering takes no more than writing the replies.
func (x *exchange) onlyReplies() bool {
	return x.status == 0 && x.handshake == nil && len(x.greeting) == 0 && x.connect == nil && !x.final
}

// latest returns the session of the socket, which may have ended.
func (k *socket) latest() *Session {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.session
}

// bound returns the live session of the socket.
func (k *socket) bound() *Session {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.session != nil && k.session.Alive() {
		return k.session
	}
	return nil
}

// bind makes the socket the way to a session that exists.
func (k *socket) bind(s *Session) bool {
	k.mu.Lock()
	s.mu.Lock()
	if s.closed || k.closed {
		s.mu.Unlock()
		k.mu.Unlock()
		return false
	}
	old := s.socket
	s.socket = k
	k.session = s
	s.mu.Unlock()
	k.mu.Unlock()
	if old != nil && old != k {
		old.leave(closeNormal, "Replaced by a newer connection")
	}
	return true
}

// rebind gives the socket to a session that was just made on it.
func (k *socket) rebind(s *Session) {
	k.mu.Lock()
	old := k.session
	k.session = s
	s.mu.Lock()
	if !s.closed && !k.closed {
		s.socket = k
	}
	s.mu.Unlock()
	k.mu.Unlock()
	if old != nil {
		old.endNow(ReasonReplaced)
	}
}

// leave closes the connection after what is pending has been written.
func (k *socket) leave(code int, reason string) {
	k.mu.Lock()
	if k.code == 0 {
		k.code, k.reason = code, reason
	}
	k.mu.Unlock()
	k.kick()
}

// gone ends the socket after its reader has ended.
func (k *socket) gone() {
	k.cancel()
	k.conn.Abort()
	k.fail()
	k.mu.Lock()
	s := k.session
	k.session = nil
	if k.reviewer != nil {
		k.reviewer.Stop()
	}
	k.mu.Unlock()
	k.srv.mu.Lock()
	delete(k.srv.sockets, k)
	k.srv.mu.Unlock()
	k.srv.socketsByAddr.give(k.addr)
	if s != nil {
		s.lost(k)
	}
}

// lost notes that a socket is no longer the way to the client. The client has
// the usual time to come back.
func (s *Session) lost(k *socket) {
	s.mu.Lock()
	if s.socket == k {
		s.socket = nil
	}
	h := s.held
	if h != nil && h.socket == k {
		s.held = nil
		s.armLocked()
	} else {
		h = nil
	}
	next := s.wakeLocked()
	s.mu.Unlock()
	next.run()
	if h != nil {
		s.srv.released(s, h)
	}
}

// sessionEnded tells the client on the socket that its session is over.
func (k *socket) sessionEnded(s *Session, reason Reason, h *held) {
	k.mu.Lock()
	mine := k.session == s
	if mine {
		k.session = nil
		k.unbound = time.Now()
	}
	k.mu.Unlock()
	if !mine {
		return
	}
	var replies [][]byte
	if reason == ReasonKicked || reason == ReasonInactive {
		replies = append(replies, []byte(serverDisconnect))
	}
	if h != nil && h.socket == k {
		s.mu.Lock()
		replies = append(replies, s.connectReplyLocked(h))
		s.mu.Unlock()
	}
	if len(replies) > 0 {
		k.send(outgoing{frame: textFrame(nil, replies...)})
	}
	switch reason {
	case ReasonDisconnect:
		// The client closes.
	case ReasonKicked, ReasonInactive:
		k.leave(closeNormal, "Disconnected")
	case ReasonUnauthorized:
		k.leave(closeUnauthorized, "Unauthorized")
	case ReasonSlow:
		k.leave(closeSlow, "Too slow")
	case ReasonShutdown:
		k.leave(closeGoingAway, "Server shutdown")
	default:
		k.leave(closeExpired, "Session ended")
	}
}

// ponged notes a sign of life.
func (k *socket) ponged() {
	if s := k.bound(); s != nil {
		s.seen.Store(time.Now().UnixNano())
	}
}

// pingIn sets the time of the next ping.
func (k *socket) pingIn(d time.Duration) {
	now := time.Now()
	k.mu.Lock()
	k.nextPing = now.Add(d)
	k.mu.Unlock()
	// Waking too early is no harm, and an answer may be due before.
	k.conn.SetWake(now.Add(min(d, k.srv.opts.PingTimeout)))
}

// beat is called by the reader from time to time. It sends pings, and checks
// that the other end lives and that it uses the connection.
func (k *socket) beat() {
	now := time.Now()
	k.mu.Lock()
	s, idle, next := k.session, now.Sub(k.unbound), k.nextPing
	k.mu.Unlock()
	if s == nil && idle >= k.srv.opts.MaxInterval {
		k.leave(closeNormal, "No session")
	}
	if k.conn.LastHeard().Before(k.asked) {
		late := k.asked.Add(k.srv.opts.PingTimeout)
		if !now.Before(late) {
			k.conn.Abort() // the reader notices
			return
		}
		k.conn.SetWake(late)
		return
	}
	if now.Before(next) {
		k.conn.SetWake(next)
		return
	}
	k.asked = now
	k.srv.tasks.spawn(func() {
		// The reader must not wait for a client that does not read. If this
		// fails, so does reading.
		_ = k.conn.Ping()
	})
	if s != nil {
		k.pingIn(s.pingEvery())
	} else {
		k.pingIn(k.srv.opts.PingEvery)
	}
}

// review asks again whether the client may go on. One that could not be checked
// and one of another user have to leave, but the session is kept.
func (k *socket) review() {
	k.srv.tasks.begin()
	defer k.srv.tasks.end()
	if s := k.bound(); s != nil {
		err := k.srv.recheck(k.ctx, k.request, s)
		var fault *hookFault
		switch {
		case err == nil:
		case errors.As(err, &fault) && !errors.Is(fault, errHookPanic):
			k.leave(closeTryAgain, closeReason(fault.code, fault.ref))
		case errors.Is(err, ErrForeign):
			k.leave(closeExpired, "Session ended")
		default:
			s.endNow(ReasonUnauthorized)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.closed {
		k.reviewer.Reset(k.srv.opts.ReauthenticateEvery)
	}
}
