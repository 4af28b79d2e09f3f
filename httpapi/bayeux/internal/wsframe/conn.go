package wsframe

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/plainsocket"
)

// Conn is the server's end of a WebSocket.
//
// ReadMessage and Ready belong to one goroutine; the other methods, save OnPong
// and OnBreach, are safe for concurrent use. Pings, pongs and the closing
// handshake are dealt with only while ReadMessage or Close is running.
type Conn struct {
	up       *Upgrader
	net      net.Conn
	plain    plainsocket.Socket // what net is, if it is usable
	protocol string
	base     time.Time    // what heard counts from
	heard    atomic.Int64 // when bytes last arrived, in ns since base
	dropped  atomic.Bool  // this end has dropped the connection
	closing  atomic.Bool  // this end is closing it

	reading sync.Mutex // guards reader; held while waiting for bytes
	reader  reader

	clock sync.Mutex // guards the deadline for reading
	armed time.Time  // the deadline that is set; zero for none
	until time.Time  // by when the closing handshake is over; zero if not begun
	wake  time.Time  // when ReadMessage has to return; zero for never

	mu     sync.Mutex // guards writing
	goodby bool       // a close frame was sent: nothing may follow it
	failed error      // why writing is no longer possible
	owed   []byte     // what TryWriteFrames could not write
}

// drainBytes is how much may arrive between our close frame and the other
// end's.
const drainBytes = 1 << 20

func newConn(u *Upgrader, conn net.Conn, early []byte) *Conn {
	c := &Conn{up: u, net: conn, base: time.Now()}
	c.reader.early = early
	c.plain.Attach(conn, memory{c})
	return c
}

// Subprotocol returns the agreed subprotocol, or "" for none.
func (c *Conn) Subprotocol() string { return c.protocol }

// LastHeard returns when bytes of any kind last arrived, or when the
// connection was made. The time is good for measuring on the monotonic clock.
func (c *Conn) LastHeard() time.Time { return c.base.Add(time.Duration(c.heard.Load())) }

// OnPong sets what is called for every pong, on the goroutine that reads. It
// must be set before the first ReadMessage, and must not read or close.
func (c *Conn) OnPong(f func()) { c.reader.ponged = f }

// OnBreach sets what is called, on the goroutine that reads, before the
// connection is closed because the other end broke a rule: the last opportunity
// to write. It must be set before the first ReadMessage, and must not read or
// close.
func (c *Conn) OnBreach(f func()) { c.reader.breached = f }

// SetWake makes ReadMessage return [ErrWake] once when t has come. If nobody is
// reading then, the next ReadMessage does so. The zero time takes an earlier
// call back.
func (c *Conn) SetWake(t time.Time) {
	c.clock.Lock()
	defer c.clock.Unlock()
	c.wake = t
	// If this fails, so does the reading that it is for.
	_ = c.armLocked(t)
}

// Close closes the connection with a code and a reason of up to 123 bytes,
// which is cut if it is longer. It waits up to CloseTimeout for the other end
// to do the same, and longer by WriteTimeout if the other end does not read.
// Messages that arrive meanwhile are dropped. On return the connection has
// ended, whatever the error. Closing again only waits.
func (c *Conn) Close(code int, reason string) error {
	if !validCode(code) {
		code, reason = CodeInternal, ""
	}
	c.closing.Store(true) // before the other end can know
	err := c.sendClose(code, reason)
	c.expectEnd()
	c.reading.Lock()
	defer c.reading.Unlock()
	for c.reader.ended == nil {
		// Only for the other end's close frame: what it says is of no use.
		_, _, _ = c.next()
	}
	if errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}

// Abort drops the connection without a word, with what has not been sent yet.
// It does not wait.
func (c *Conn) Abort() {
	c.dropped.Store(true)
	conn := c.net
	// Closing a TLS connection writes, which may take a while.
	for {
		layer, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		conn = layer.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		// A dead peer would make the kernel keep unsent bytes for minutes.
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// expectEnd bounds the rest of the connection's life.
func (c *Conn) expectEnd() {
	c.clock.Lock()
	defer c.clock.Unlock()
	if !c.until.IsZero() {
		return
	}
	c.until = time.Now().Add(c.up.opts.CloseTimeout)
	c.armed = c.until
	// If this fails, so does the reading that it is for.
	_ = c.net.SetReadDeadline(c.until)
}

// arm sees to it that waiting stops when it has to, which is at the given time
// if there is nothing earlier. The zero time stands for never.
func (c *Conn) arm(due time.Time) error {
	c.clock.Lock()
	defer c.clock.Unlock()
	if due.IsZero() || !c.wake.IsZero() && c.wake.Before(due) {
		due = c.wake
	}
	return c.armLocked(due)
}

func (c *Conn) armLocked(due time.Time) error {
	if !c.until.IsZero() {
		due = c.until
	}
	// An earlier deadline may stay. It costs one needless return from
	// waiting, setting it costs time with every message.
	if due.IsZero() || !c.armed.IsZero() && !c.armed.After(due) {
		return nil
	}
	c.armed = due
	return c.net.SetReadDeadline(due)
}

// expired replaces a deadline that has passed. It reports why waiting cannot go
// on, if that is so: the closing handshake has taken too long, or it is time to
// wake up.
func (c *Conn) expired(now time.Time) error {
	c.clock.Lock()
	defer c.clock.Unlock()
	if !c.until.IsZero() && !now.Before(c.until) {
		return os.ErrDeadlineExceeded
	}
	c.armed = c.until
	if err := c.net.SetReadDeadline(c.until); err != nil {
		return err
	}
	if c.wake.IsZero() || now.Before(c.wake) || !c.until.IsZero() {
		return nil
	}
	c.wake = time.Time{}
	return ErrWake
}

// conclude decides what an error of reading means for the connection, and
// returns what the caller is to know of it.
func (c *Conn) conclude(err error) error {
	var fault *CloseError
	switch {
	case errors.Is(err, ErrWake):
		return err
	case c.closing.Load(), c.dropped.Load():
		return c.end(ErrClosed)
	case !errors.As(err, &fault):
		return c.end(fmt.Errorf("WebSocket was lost: %w", err))
	case !fault.Remote:
		if c.reader.breached != nil {
			c.reader.breached()
		}
		c.refuse(fault)
	}
	return c.end(fault)
}

// refuse tells the other end which rule it broke, and lets it read that before
// the connection goes.
func (c *Conn) refuse(fault *CloseError) {
	c.closing.Store(true)
	c.expectEnd()
	// The other end may not read before it has sent all that it wants to.
	var telling sync.WaitGroup
	defer telling.Wait()
	telling.Go(func() {
		half, ok := c.net.(interface{ CloseWrite() error })
		if c.sendClose(fault.Code, fault.Reason) != nil || ok && half.CloseWrite() != nil {
			c.Abort()
		}
	})
	// Closing a socket that has unread bytes makes the kernel take back what
	// was sent. Therefore this end closes its half only, and reads the other
	// until it ends.
	r := &c.reader
	r.message = nil
	for {
		r.from, r.to = 0, 0
		if c.fill() != nil {
			return
		}
	}
}

// end notes the end of the connection as the reader saw it.
func (c *Conn) end(err error) error {
	c.reader.ended = err
	c.reader.message = nil
	c.reader.free(c.up)
	_ = c.net.Close()
	return err
}
