package main

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"
)

// loop drives all connections from one goroutine by epoll. A goroutine for each
// connection would cost the load side more than the best servers need, and the
// figures would then be its own.
type loop struct {
	epoll   int
	conns   []*conn // by file descriptor
	events  []syscall.EpollEvent
	buf     []byte
	started time.Time
	now     time.Duration // since started, taken once for each read
	err     error         // the first fault of a connection
	sources int           // counts local addresses
}

// handler gets what happens on a connection.
type handler interface {
	connected()
	// received consumes whole units from data and returns how many bytes
	// that were; the rest comes again with what follows.
	received(data []byte) (int, error)
	lost(err error)
}

// conn is one non-blocking TCP connection.
type conn struct {
	loop    *loop
	fd      int
	up      bool
	closed  bool
	polling uint32 // the events that epoll was asked for
	in, out []byte
	handler handler
}

const readSize = 256 << 10

func newLoop() (*loop, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return &loop{epoll: fd, events: make([]syscall.EpollEvent, 256), buf: make([]byte, readSize), started: time.Now()}, nil
}

// close drops every connection at once; the server is about to be ended, or
// sees it as clients that vanish.
func (l *loop) close() {
	for _, c := range l.conns {
		if c != nil {
			c.close()
		}
	}
	_ = syscall.Close(l.epoll)
}

func (l *loop) clock() time.Duration {
	l.now = time.Since(l.started)
	return l.now
}

// dial begins a connection to a loopback address. The local addresses rotate,
// because the ports of one are too few for thousands of connections a second.
func (l *loop) dial(addr netip.AddrPort, h handler) (*conn, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	c := &conn{loop: l, fd: fd, handler: h}
	l.sources++
	local := &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(1 + l.sources%100)}}
	err = errors.Join(
		syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1),
		// A reset instead of a goodbye leaves no port in TIME_WAIT.
		syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1}),
		// The port is chosen at connect, where the whole pair counts.
		syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, ipBindAddressNoPort, 1),
		syscall.Bind(fd, local),
	)
	if err == nil {
		err = syscall.Connect(fd, &syscall.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()})
		if errors.Is(err, syscall.EINPROGRESS) {
			err = nil
		}
	}
	if err != nil {
		_ = syscall.Close(fd)
		return nil, fmt.Errorf("connect to %v: %w", addr, err)
	}
	for len(l.conns) <= fd {
		l.conns = append(l.conns, nil)
	}
	l.conns[fd] = c
	c.poll(syscall.EPOLL_CTL_ADD, syscall.EPOLLIN|syscall.EPOLLOUT)
	return c, nil
}

const ipBindAddressNoPort = 24

func (c *conn) poll(op int, events uint32) {
	c.polling = events
	event := syscall.EpollEvent{Events: events, Fd: int32(c.fd)}
	if err := syscall.EpollCtl(c.loop.epoll, op, c.fd, &event); err != nil {
		c.fail(fmt.Errorf("epoll: %w", err))
	}
}

// run handles events until done reports true or the time is over; it reports
// which. Between events it calls done at least once a millisecond.
func (l *loop) run(limit time.Duration, done func() bool) bool {
	end := l.clock() + limit
	for {
		if done() {
			return true
		}
		if l.clock() >= end || l.err != nil {
			return false
		}
		n, err := syscall.EpollWait(l.epoll, l.events, 1)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			l.err = fmt.Errorf("epoll: %w", err)
			return false
		}
		for _, e := range l.events[:max(n, 0)] {
			if c := l.conns[e.Fd]; c != nil {
				c.ready(e.Events)
			}
		}
	}
}

func (c *conn) ready(events uint32) {
	if events&syscall.EPOLLOUT != 0 {
		if !c.up {
			if code, err := syscall.GetsockoptInt(c.fd, syscall.SOL_SOCKET, syscall.SO_ERROR); err != nil || code != 0 {
				c.fail(errors.Join(fmt.Errorf("connect: %w", syscall.Errno(code)), err))
				return
			}
			c.up = true
			c.handler.connected()
		}
		c.flush()
	}
	if events&(syscall.EPOLLIN|syscall.EPOLLHUP|syscall.EPOLLERR) != 0 && !c.closed {
		c.read()
	}
}

func (c *conn) read() {
	n, err := syscall.Read(c.fd, c.loop.buf)
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		return
	case err != nil:
		c.fail(fmt.Errorf("read: %w", err))
		return
	case n == 0:
		c.fail(errors.New("the server closed the connection"))
		return
	}
	c.loop.clock()
	data := c.loop.buf[:n]
	if len(c.in) > 0 {
		c.in = append(c.in, data...)
		data = c.in
	}
	used, err := c.handler.received(data)
	if err != nil {
		c.fail(err)
		return
	}
	if used == len(data) {
		// Given back: thousands of idle connections keep no buffer.
		c.in = nil
		return
	}
	c.in = append(c.in[:0], data[used:]...)
}

// write sends data, which the caller may use again when it returns.
func (c *conn) write(data []byte) {
	if c.closed {
		return
	}
	if !c.up || len(c.out) > 0 {
		c.out = append(c.out, data...)
		return
	}
	n, err := syscall.Write(c.fd, data)
	if err != nil && !errors.Is(err, syscall.EAGAIN) {
		c.fail(fmt.Errorf("write: %w", err))
		return
	}
	if n = max(n, 0); n < len(data) {
		c.out = append(c.out, data[n:]...)
		c.poll(syscall.EPOLL_CTL_MOD, syscall.EPOLLIN|syscall.EPOLLOUT)
	}
}

func (c *conn) flush() {
	if c.closed {
		return
	}
	if len(c.out) > 0 {
		n, err := syscall.Write(c.fd, c.out)
		if err != nil && !errors.Is(err, syscall.EAGAIN) {
			c.fail(fmt.Errorf("write: %w", err))
			return
		}
		c.out = append(c.out[:0], c.out[max(n, 0):]...)
	}
	if len(c.out) == 0 {
		c.out = nil
		if c.polling != syscall.EPOLLIN {
			c.poll(syscall.EPOLL_CTL_MOD, syscall.EPOLLIN)
		}
	}
}

func (c *conn) fail(err error) {
	if c.closed {
		return
	}
	c.close()
	c.handler.lost(err)
}

func (c *conn) close() {
	if !c.closed {
		c.closed = true
		c.loop.conns[c.fd] = nil
		_ = syscall.Close(c.fd)
	}
}
