package bayeux

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

// socket is one WebSocket. Its own goroutine reads and processes frames one by
// one; a second exists only while there is something to write.
//
// Its lock may be held while a session's is taken, never the other way round.
type socket struct {
	srv     *Server
	conn    *wsConn
	request *http.Request
	browser string
	ctx     context.Context
	cancel  context.CancelFunc

	mu       sync.Mutex
	room     sync.Cond // signalled when pending falls
	session  *Session
	pending  []outgoing // replies, which go before queued messages
	bytes    int
	writing  bool
	closed   bool
	busy     bool // a frame is being processed
	code     int  // with which to close once pending is written; 0 not to
	reason   string
	unbound  time.Time // since when there is no session
	pinger   *time.Timer
	nextPing time.Time
	reviewer *time.Timer
}

// outgoing is a frame to be written. With a session it carries messages that
// are in flight.
type outgoing struct {
	frame   []byte
	settles *Session
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
	conn, err := acceptSocket(w, r, srv.opts.MaxMessageBytes, srv.opts.WebSocketProtocol, srv.tasks.spawn)
	if err != nil {
		srv.log.Debug("bayeux: no WebSocket", "error", err)
		return
	}
	k := &socket{srv: srv, conn: conn, request: r, browser: srv.readCookie(r), unbound: time.Now()}
	k.room.L = &k.mu
	k.ctx, k.cancel = context.WithCancel(context.WithoutCancel(r.Context()))
	srv.mu.Lock()
	closing := srv.closing
	srv.sockets[k] = struct{}{}
	srv.mu.Unlock()
	if closing {
		k.leave(closeGoingAway, "Server shutdown")
	}
	k.mu.Lock()
	k.nextPing = time.Now().Add(srv.opts.PingEvery)
	k.pinger = time.AfterFunc(min(srv.opts.PingEvery, srv.opts.MaxInterval+time.Second), k.ping)
	if srv.opts.Reauthenticate != nil {
		k.reviewer = time.AfterFunc(srv.opts.ReauthenticateEvery, k.review)
	}
	k.mu.Unlock()
	defer k.gone()
	k.serve()
}

// socketsFull reports whether there are so many sockets that most of them cannot
// have a session.
func (srv *Server) socketsFull() bool {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	return len(srv.sockets) >= 2*srv.opts.MaxSessions
}

// serve reads frames until the connection ends.
func (k *socket) serve() {
	for {
		text, err := k.conn.read(&k.srv.buffers, k.srv.opts.BodyTimeout)
		var fault *closeFault
		if errors.As(err, &fault) {
			k.conn.close(fault.code, fault.reason)
			return
		}
		if err != nil {
			// Without effect if the connection is closed already.
			k.conn.close(closeProtocol, "protocol error")
			return
		}
		if k.leaving() {
			// What the client still says is too late; its goodbye is not.
			continue
		}
		list, err := decodeBatch(text, &k.srv.opts)
		if err != nil {
			k.conn.close(closePolicy, err.Error())
			return
		}
		x := &exchange{srv: k.srv, ctx: k.ctx, request: k.request, socket: k, browser: k.browser}
		if !k.awaitRoom() {
			return
		}
		k.process(x, list)
	}
}

func (k *socket) process(x *exchange, list []*Message) {
	k.mu.Lock()
	k.busy = true
	k.mu.Unlock()
	defer func() {
		x.release()
		k.mu.Lock()
		k.busy = false
		leaving := k.code != 0
		k.mu.Unlock()
		if leaving {
			k.kick()
		}
	}()
	x.run(list)
	k.answer(x)
}

// awaitRoom holds back a client that does not read its replies.
func (k *socket) awaitRoom() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.bytes > maxPendingBytes && !k.closed {
		k.room.Wait()
	}
	return !k.closed
}

// answer sends the replies of one frame. They go ahead of queued messages,
// because clients measure the network by them; only a connect's reply follows
// the messages that it stands for.
func (k *socket) answer(x *exchange) {
	replies := x.replies
	if x.handshake != nil {
		replies = append([][]byte{x.handshake}, replies...)
	}
	if x.status != 0 {
		k.leave(closeTryAgain, x.code)
		return
	}
	if len(replies) > 0 {
		k.send(outgoing{frame: joinFrame(nil, replies...)})
	}
	s := x.session
	if s == nil {
		return
	}
	if len(x.greeting) > 0 {
		greeting := outgoing{frame: joinFrame(x.greeting)}
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
		last.frame = joinFrame(list, s.connectReplyLocked(h))
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

func (k *socket) send(out outgoing) {
	k.mu.Lock()
	if k.closed {
		k.mu.Unlock()
		out.settle(false)
		return
	}
	k.pending = append(k.pending, out)
	k.bytes += len(out.frame)
	k.mu.Unlock()
	k.kick()
}

func (o outgoing) settle(written bool) {
	if o.settles != nil {
		o.settles.written(true, written, false)
	}
}

// kick makes sure that somebody writes.
func (k *socket) kick() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.writing || k.closed {
		return
	}
	k.writing = true
	k.srv.tasks.spawn(k.write)
}

// write writes until there is nothing left.
func (k *socket) write() {
	for {
		out, ok := k.next()
		if !ok {
			return
		}
		err := k.conn.write(out.frame, k.srv.opts.WriteTimeout)
		out.settle(err == nil)
		if err != nil {
			k.conn.abort()
			k.fail()
			return
		}
	}
}

// next returns what is to be written. Without anything it ends the writer,
// closing the connection if that was asked for.
func (k *socket) next() (outgoing, bool) {
	k.mu.Lock()
	if k.closed {
		k.writing = false
		k.mu.Unlock()
		return outgoing{}, false
	}
	if len(k.pending) > 0 {
		out := k.pending[0]
		k.pending[0] = outgoing{}
		k.pending = k.pending[1:]
		k.bytes -= len(out.frame)
		k.room.Broadcast()
		k.mu.Unlock()
		return out, true
	}
	k.pending = nil
	if s := k.session; s != nil && k.code == 0 {
		if list := s.takeFor(k); len(list) > 0 {
			k.mu.Unlock()
			return outgoing{joinFrame(list), s}, true
		}
	}
	code, reason := k.code, k.reason
	if k.busy {
		code = 0 // the replies to the present frame are still to come
	}
	// A writer that closes stays the writer, so that there is no other.
	k.writing = code != 0
	k.mu.Unlock()
	if code != 0 {
		k.conn.close(code, reason)
		k.fail()
	}
	return outgoing{}, false
}

// takeFor hands out messages to a socket, if it is still the way to the
// client. In acknowledgement mode they leave with connects only.
func (s *Session) takeFor(k *socket) []*Prepared {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.socket != k || s.connectOnly || s.busy > 0 || !s.queue.prompt(time.Now()) {
		return nil
	}
	return s.queue.take(s.srv.opts.MaxResponseBytes)
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

func (k *socket) leaving() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.code != 0
}

// fail drops what is pending; its messages return to their queues.
func (k *socket) fail() {
	k.mu.Lock()
	pending := k.pending
	k.pending, k.bytes, k.closed, k.writing = nil, 0, true, false
	k.room.Broadcast()
	k.mu.Unlock()
	for _, out := range pending {
		out.settle(false)
	}
}

// gone ends the socket after its reader has ended.
func (k *socket) gone() {
	k.cancel()
	k.conn.abort()
	k.fail()
	k.mu.Lock()
	s := k.session
	k.session = nil
	k.pinger.Stop()
	if k.reviewer != nil {
		k.reviewer.Stop()
	}
	k.mu.Unlock()
	k.srv.mu.Lock()
	delete(k.srv.sockets, k)
	k.srv.mu.Unlock()
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
	if h := s.held; h != nil && h.socket == k {
		s.held = nil
		h.timer.Stop()
		s.armLocked()
	}
	next := s.wakeLocked()
	s.mu.Unlock()
	next.run()
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
		h.timer.Stop()
		s.mu.Lock()
		replies = append(replies, s.connectReplyLocked(h))
		s.mu.Unlock()
	}
	if len(replies) > 0 {
		k.send(outgoing{frame: joinFrame(nil, replies...)})
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

// ping checks that the other end is alive, and that it uses the connection.
func (k *socket) ping() {
	k.srv.tasks.begin()
	defer k.srv.tasks.end()
	k.mu.Lock()
	s, idle, wait := k.session, time.Since(k.unbound), time.Until(k.nextPing)
	k.mu.Unlock()
	if s == nil && idle >= k.srv.opts.MaxInterval {
		k.leave(closeNormal, "No session")
	}
	if wait > 0 {
		k.pingIn(wait)
		return
	}
	if err := k.conn.ping(k.srv.opts.PingTimeout); err != nil {
		k.conn.abort()
		return
	}
	if s != nil {
		s.seen.Store(time.Now().UnixNano())
	}
	if s != nil {
		k.pingIn(s.pingEvery())
	} else {
		k.pingIn(k.srv.opts.PingEvery)
	}
}

// pingIn sets the time of the next ping.
func (k *socket) pingIn(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.nextPing = time.Now().Add(d)
	if !k.closed {
		k.pinger.Reset(d)
	}
}

// review asks again whether the client may go on.
func (k *socket) review() {
	k.srv.tasks.begin()
	defer k.srv.tasks.end()
	if s := k.bound(); s != nil {
		if err := k.srv.reauthenticate(k.ctx, k.request, s); err != nil {
			s.endNow(ReasonUnauthorized)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.closed {
		k.reviewer.Reset(k.srv.opts.ReauthenticateEvery)
	}
}
