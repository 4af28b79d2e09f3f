package bayeux

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

// takenPoll is a held connect of long-polling whose connection was taken from
// net/http: a small goroutine waits in place of that of the request, with its
// buffers and its stack.
type takenPoll struct {
	srv   *Server
	s     *Session
	h     *held
	web   *http.Server
	conn  net.Conn
	early []byte // what the client has sent since
	head  []byte // header lines that others have set

	mu   sync.Mutex
	over bool // nobody waits any more
}

// takePoll reports whether the connection was taken.
func (srv *Server) takePoll(x *exchange, web *http.Server, w http.ResponseWriter, control *http.ResponseController) bool {
	conn, rw, err := control.Hijack()
	if err != nil {
		return false
	}
	t := &takenPoll{srv: srv, s: x.session, h: x.parked, web: web, conn: conn}
	if n := rw.Reader.Buffered(); n > 0 {
		early, _ := rw.Reader.Peek(n) // cannot fail: the bytes are there
		t.early = bytes.Clone(early)
	}
	var head bytes.Buffer
	// Writing to memory does not fail.
	_ = w.Header().WriteSubset(&head, map[string]bool{
		"Connection": true, "Content-Length": true, "Content-Type": true, "Date": true, "Trailer": true, "Transfer-Encoding": true,
	})
	t.head = bytes.Clone(head.Bytes())
	s := t.s
	s.mu.Lock()
	t.h.message = t.h.message.forReply()
	s.mu.Unlock()
	t.h.taken.Store(t)
	srv.tasks.start(t.wait)
	return true
}

// interrupt makes the goroutine look why it was woken.
func (t *takenPoll) interrupt() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.over {
		// If this fails the connection is gone, which it notices.
		_ = t.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// calm ends interruptions, which would hit the connection's next user.
func (t *takenPoll) calm() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	return t.conn.SetReadDeadline(time.Time{})
}

// wait waits until there is an answer, and gives it.
func (t *takenPoll) wait() {
	woken := false
	select {
	case <-t.h.wake: // before anybody could interrupt
		woken = true
	default:
	}
	if !woken && len(t.early) == 0 && !t.listen() {
		t.h.timer.Stop()
		t.srv.unhold(t.h)
		t.s.abandon(t.h)
		_ = t.conn.Close()
		t.srv.released(t.s, t.h)
		return
	}
	if !woken {
		// A client that sends the next request already is alive, too.
		<-t.h.wake
	}
	t.h.timer.Stop()
	t.srv.unhold(t.h)
	t.srv.released(t.s, t.h)
	t.srv.lookAround(t.s, t.h)
	if t.answer() {
		t.srv.returns.give(t.srv, t.web, t.conn, t.early)
		return
	}
	_ = t.conn.Close()
}

// listen waits until it is interrupted, the client sends something or, which it
// reports as false, is gone.
func (t *takenPoll) listen() bool {
	var b [1]byte
	n, err := t.conn.Read(b[:])
	if n > 0 {
		t.early = []byte{b[0]}
		return true
	}
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// answer writes the response. It reports whether the connection can be used
// again.
func (t *takenPoll) answer() bool {
	x := &exchange{srv: t.srv, session: t.s, connect: t.h, parked: t.h}
	body, overtaken, flying := x.assemble()
	status := http.StatusOK
	if overtaken {
		status, body = t.srv.opts.DuplicateConnectStatus, nil
	}
	t.srv.mu.RLock()
	closing := t.srv.closing
	t.srv.mu.RUnlock()
	err := t.calm()
	if err == nil {
		err = t.conn.SetWriteDeadline(time.Now().Add(t.srv.opts.WriteTimeout))
	}
	if err == nil {
		_, err = t.conn.Write(t.response(status, body, closing))
	}
	if !overtaken {
		t.s.written(flying, err == nil, true)
	}
	return err == nil && !closing && t.conn.SetWriteDeadline(time.Time{}) == nil
}

// response forms a response as net/http would have.
func (t *takenPoll) response(status int, body []byte, last bool) []byte {
	const usual = 192 // bytes of the header lines below
	b := make([]byte, 0, usual+len(t.head)+len(body))
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(append(b, ' '), http.StatusText(status)...)
	b = append(append(b, "\r\n"...), t.head...)
	if body != nil {
		b = append(b, "Content-Type: application/json;charset=UTF-8\r\n"...)
	}
	if last {
		b = append(b, "Connection: close\r\n"...)
	}
	b = time.Now().UTC().AppendFormat(append(b, "Date: "...), http.TimeFormat)
	b = strconv.AppendInt(append(b, "\r\nContent-Length: "...), int64(len(body)), 10)
	return append(append(b, "\r\n\r\n"...), body...)
}

// returns gives connections back to the http.Servers from which they were
// taken, by being a listener of each.
type returns struct {
	mu        sync.Mutex
	listeners map[*http.Server]*returnListener
}

// returnListener hands out the connections that a server gets back.
type returnListener struct {
	addr  net.Addr
	conns chan net.Conn
	over  <-chan struct{} // the Bayeux server has ended
	done  chan struct{}   // it was closed
	once  sync.Once
}

// give returns a connection together with what was read from it.
func (rs *returns) give(srv *Server, web *http.Server, conn net.Conn, early []byte) {
	if len(early) > 0 {
		conn = &earlyConn{conn, early}
	}
	l := rs.listener(srv, web, conn.LocalAddr())
	select {
	case l.conns <- conn:
	case <-l.done:
		_ = conn.Close()
	case <-l.over:
		_ = conn.Close()
	}
}

func (rs *returns) listener(srv *Server, web *http.Server, addr net.Addr) *returnListener {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if l := rs.listeners[web]; l != nil {
		return l
	}
	l := &returnListener{addr: addr, conns: make(chan net.Conn), over: srv.life.Done(), done: make(chan struct{})}
	if rs.listeners == nil {
		rs.listeners = make(map[*http.Server]*returnListener)
	}
	rs.listeners[web] = l
	srv.tasks.start(func() {
		// It ends with either server, and there is nobody to tell.
		_ = web.Serve(l)
		rs.mu.Lock()
		delete(rs.listeners, web)
		rs.mu.Unlock()
		_ = l.Close()
	})
	return l
}

// Accept implements net.Listener.
func (l *returnListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.done:
	case <-l.over:
	}
	return nil, net.ErrClosed
}

// Close implements net.Listener.
func (l *returnListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l *returnListener) Addr() net.Addr { return l.addr }

// earlyConn is a connection of which something was read already.
type earlyConn struct {
	net.Conn
	early []byte
}

// Read implements net.Conn.
func (c *earlyConn) Read(b []byte) (int, error) {
	if len(c.early) > 0 && len(b) > 0 {
		n := copy(b, c.early)
		c.early = c.early[n:]
		return n, nil
	}
	return c.Conn.Read(b)
}
