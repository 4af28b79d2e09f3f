// Package lane serves HTTP/1.1 connections that were taken from net/http, as
// long as the requests on them are as plain as those before: a POST to an
// address where one was served already, complete within a few kilobytes.
// Anything else, and anything that it does not understand at first sight, goes
// back to the http.Server together with the connection, which then reads the
// very same bytes. The requests are given to the handler of that http.Server, so
// that all middleware sees them.
//
// A request costs a fraction of what it costs in net/http, above all if it is
// not answered at once: it needs no goroutine, no stack and no buffer then, and
// any goroutine may answer it.
package lane

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options are what a Lane needs of its owner. All of them must be set.
type Options struct {
	// Start runs a function that may live long in a goroutine of its own, for
	// whose end the owner waits.
	Start func(func())

	// Spawn runs a function that will end soon.
	Spawn func(func())

	// ReadTimeout is how long a request may take from its first byte to its
	// last, and WriteTimeout how long a response may take.
	ReadTimeout, WriteTimeout time.Duration
}

// Lane is a set of connections. Make one with [New]. It is safe for concurrent
// use.
type Lane struct {
	opts Options
	urls atomic.Pointer[map[string]*url.URL] // of requests that may stay; never changed
	date atomic.Pointer[stamp]

	mu    sync.Mutex
	hosts map[*http.Server]*host
	over  bool
}

// New makes a Lane without connections.
func New(o Options) *Lane {
	l := &Lane{opts: o, hosts: make(map[*http.Server]*host)}
	l.urls.Store(&map[string]*url.URL{})
	return l
}

// Take takes a connection from net/http while its handler has a request, which
// must be one of HTTP/1.1 whose body has been read. Whoever calls it answers the
// request with what is returned, with the headers that are set in w; the handler
// must not use w any more, and return. It fails as http.Hijacker does.
func (l *Lane) Take(w http.ResponseWriter, r *http.Request) (Pending, error) {
	web, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
	if web == nil {
		return Pending{}, http.ErrNotSupported
	}
	h := l.host(web, r)
	if h == nil {
		return Pending{}, http.ErrServerClosed
	}
	raw, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return Pending{}, err
	}
	if e, ok := raw.(*earlyConn); ok && len(e.early) == 0 {
		raw = e.Conn
	}
	l.learn(r.RequestURI)
	c := newConn(h, raw)
	c.head = appendHeader(c.head, w.Header())
	c.closing = endsConnection(w.Header())
	if n := rw.Reader.Buffered(); n > 0 {
		early, _ := rw.Reader.Peek(n) // cannot fail: the bytes are there
		c.early = append(c.early, early...)
	}
	c.number, c.waits = 1, true
	h.add(c)
	l.opts.Start(c.serve)
	return Pending{c, 1}, nil
}

// Close ends all connections, those with requests that were not answered yet
// after their answer. There will be no others. It does not wait.
func (l *Lane) Close() {
	l.mu.Lock()
	l.over = true
	hosts := make([]*host, 0, len(l.hosts))
	for _, h := range l.hosts {
		hosts = append(hosts, h)
	}
	l.mu.Unlock()
	for _, h := range hosts {
		h.close()
	}
}

// learn notes the address of requests that may stay.
func (l *Lane) learn(uri string) {
	// More than a server has; whoever makes up addresses gains nothing.
	const most, longest = 32, 200
	old := *l.urls.Load()
	if old[uri] != nil || len(uri) > longest || strings.ContainsAny(uri, "?#") {
		return
	}
	u, err := url.ParseRequestURI(uri)
	if err != nil || u.Path == "" || u.Host != "" || uri[0] != '/' {
		return
	}
	fresh := make(map[string]*url.URL, len(old)+1)
	if len(old) < most {
		for k, v := range old {
			fresh[k] = v
		}
	}
	fresh[strings.Clone(uri)] = u
	l.urls.Store(&fresh)
}

// host is an http.Server from which connections were taken. It is a listener of
// that server, which accepts the connections that it gets back.
type host struct {
	lane *Lane
	web  *http.Server
	addr net.Addr
	base context.Context
	back chan net.Conn
	done chan struct{} // closed by close

	mu    sync.Mutex
	conns map[*conn]struct{}
	over  bool
}

// host returns the host of a request, nil if it or the lane has ended.
func (l *Lane) host(web *http.Server, r *http.Request) *host {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return nil
	}
	if h := l.hosts[web]; h != nil {
		return h
	}
	addr, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if addr == nil {
		return nil
	}
	h := &host{lane: l, web: web, addr: addr, back: make(chan net.Conn), done: make(chan struct{}), conns: make(map[*conn]struct{})}
	h.base = context.Background()
	if web.BaseContext != nil {
		h.base = web.BaseContext(h)
	}
	h.base = context.WithValue(h.base, http.ServerContextKey, web)
	l.hosts[web] = h
	l.opts.Start(func() {
		// It ends with the server or with the lane, and there is nobody to tell.
		_ = web.Serve(h)
		l.mu.Lock()
		delete(l.hosts, web)
		l.mu.Unlock()
		h.close()
	})
	return h
}

func (h *host) add(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.conns[c] = struct{}{}; h.over {
		c.close()
	}
}

func (h *host) remove(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, c)
}

// close ends the connections that are not waiting for an answer, and the others
// when they have it.
func (h *host) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return
	}
	h.over = true
	close(h.done)
	for c := range h.conns {
		c.close()
	}
}

// give returns a connection to the server, with what was read from it.
func (h *host) give(conn net.Conn, early []byte) {
	if e, ok := conn.(*earlyConn); ok {
		// There must not be a layer for each time that it goes and comes.
		conn, early = e.Conn, append(early, e.early...)
	}
	if len(early) > 0 {
		conn = &earlyConn{conn, early}
	}
	select {
	case h.back <- conn:
	case <-h.done:
		_ = conn.Close()
	}
}

// Accept implements net.Listener.
func (h *host) Accept() (net.Conn, error) {
	select {
	case conn := <-h.back:
		return conn, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *host) Close() error {
	h.close()
	return nil
}

// Addr implements net.Listener.
func (h *host) Addr() net.Addr { return h.addr }

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
