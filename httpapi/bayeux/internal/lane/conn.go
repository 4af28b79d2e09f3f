package lane

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/plainsocket"
)

const (
	roomBytes = 8 << 10 // longest request

	// mostTries is how often the rest of a request is waited for before net/http
	// has to do so.
	mostTries = 16
)

var rooms = sync.Pool{New: func() any { return new([roomBytes]byte) }}

// conn is one connection. A goroutine of its own reads and runs the handler; it
// waits without memory to read into. Requests are answered one by one.
type conn struct {
	host      *host
	net       net.Conn
	plain     plainsocket.Socket // what net is, if it is usable
	base      *http.Request      // what all requests of the connection share
	maxHeader int
	idle      time.Duration // how long it may be without a request; 0 for ever

	// For the goroutine that reads.
	early    []byte           // what came before it was taken
	room     *[roomBytes]byte // nil if there is nothing in it
	from, to int              // the part of room that counts
	tries    int              // how often the present request was incomplete
	blanks   int              // bytes of ends of lines that came before it

	mu      sync.Mutex
	changed sync.Cond // signalled when waits or broken changes
	number  uint64    // of the present request
	waits   bool      // its answer is still to be written
	writing bool      // its answer is being written
	gone    func()    // to be called if it cannot be written any more; may be nil
	head    []byte    // header lines of its response
	broken  bool      // nothing more is to be read or written
	closing bool      // the next response is the last
	armed   bool      // a deadline for reading is set
}

// outcome says how it goes on with a connection.
type outcome int

const (
	stay  outcome = iota // reading goes on
	drop                 // it ends
	pass                 // it goes to net/http
	move                 // a fresh goroutine reads
	moved                // another goroutine reads already
)

func newConn(h *host, n net.Conn) *conn {
	c := &conn{host: h, net: n, maxHeader: roomBytes}
	c.changed.L = &c.mu
	c.plain.Attach(n, memory{c})
	if most := h.web.MaxHeaderBytes; most > 0 {
		c.maxHeader = min(most, roomBytes)
	}
	if c.idle = h.web.IdleTimeout; c.idle == 0 {
		c.idle = h.web.ReadTimeout
	}
	ctx := context.WithValue(h.base, http.LocalAddrContextKey, n.LocalAddr())
	if h.web.ConnContext != nil {
		ctx = h.web.ConnContext(ctx, n)
	}
	r := &http.Request{Method: http.MethodPost, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, RemoteAddr: n.RemoteAddr().String()}
	c.base = r.WithContext(ctx)
	return c
}

// serve reads requests and has them handled for as long as the connection stays
// with it.
func (c *conn) serve() {
	if len(c.early) > 0 {
		c.to = copy(c.space(), c.early)
		c.early = c.early[c.to:]
	}
	next := c.digest()
	for next == stay {
		next = c.wait()
	}
	switch next {
	case moved:
	case move:
		c.host.lane.opts.Start(c.serve)
	default:
		c.finish(next == pass)
	}
}

// wait waits for bytes and deals with them.
func (c *conn) wait() outcome {
	if c.plain.Usable() {
		return c.came(c.plain.Read())
	}
	if c.room != nil {
		n, err := c.net.Read(c.space())
		return c.came(n, err)
	}
	var b [1]byte
	n, err := c.net.Read(b[:])
	if n > 0 {
		copy(c.space(), b[:])
	}
	return c.came(n, err)
}

func (c *conn) came(n int, err error) outcome {
	c.to += n
	switch {
	case n > 0:
		return c.digest()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return c.awake()
	}
	return drop
}

// space returns memory to read into.
func (c *conn) space() []byte {
	if c.room == nil {
		c.room = rooms.Get().(*[roomBytes]byte)
	}
	return c.room[c.to:]
}

// memory is what a plain socket reads into.
type memory struct{ c *conn }

// Room implements plainsocket.Memory.
func (m memory) Room() []byte { return m.c.space() }

// Release implements plainsocket.Memory.
func (m memory) Release() { m.c.release() }

// release gives the memory back if there is nothing in it.
func (c *conn) release() {
	if c.from < c.to || c.room == nil {
		return
	}
	rooms.Put(c.room)
	c.room, c.from, c.to = nil, 0, 0
}

// digest handles the requests that have come.
func (c *conn) digest() outcome {
	for c.from < c.to {
		if !c.ready() {
			return drop
		}
		if c.skipBlanks(); c.from == c.to {
			if c.idle > 0 {
				c.arm(c.idle)
			}
			break
		}
		q, size, v := parse(c.room[c.from:c.to], *c.host.lane.urls.Load(), c.maxHeader)
		switch {
		case v == foreign || v == incomplete && c.tries == mostTries:
			return pass
		case v == incomplete:
			if c.tries++; c.tries == 1 {
				c.arm(c.host.lane.opts.ReadTimeout)
			}
			c.to = copy(c.room[:], c.room[c.from:c.to])
			c.from = 0
			return stay
		}
		c.from += size
		if c.tries > 0 {
			c.disarm()
		}
		c.tries, c.blanks = 0, 0
		if next := c.handle(&q); next != stay {
			return next
		}
	}
	c.release()
	return stay
}

// skipBlanks passes over the few ends of lines that old clients send after the
// body of a POST. net/http does so too, but could not tell that they follow one.
func (c *conn) skipBlanks() {
	const most = 4
	for ; c.blanks < most && c.from < c.to; c.blanks++ {
		if b := c.room[c.from]; b != '\r' && b != '\n' {
			return
		}
		c.from++
	}
}

// ready waits until the request before is answered. It reports false if the
// connection has ended.
func (c *conn) ready() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.waits && !c.broken {
		c.changed.Wait()
	}
	// From the first piece of a request on, its own time runs; and the end of
	// the connection must not be put off.
	if c.tries == 0 && !c.closing {
		c.disarmLocked()
	}
	return !c.broken
}

// awake is called when a deadline for reading has passed.
func (c *conn) awake() outcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken || !c.waits {
		// It ends, or there was no request for too long.
		return drop
	}
	c.armed = true
	c.disarmLocked()
	return stay
}

// arm sets how long the connection is read.
func (c *conn) arm(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armLocked(d)
}

func (c *conn) armLocked(d time.Duration) {
	if !c.broken && !c.closing {
		c.armed = true
		// If this fails, so does reading.
		_ = c.net.SetReadDeadline(time.Now().Add(d))
	}
}

// disarm lifts the limit, unless the connection is to end.
func (c *conn) disarm() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing {
		c.disarmLocked()
	}
}

func (c *conn) disarmLocked() {
	if c.armed && !c.broken {
		c.armed = false
		// If this fails, so does reading.
		_ = c.net.SetReadDeadline(time.Time{})
	}
}

// close ends the connection when it has no request to answer.
func (c *conn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closing = true
	c.interruptLocked()
}

// interruptLocked makes the goroutine that reads look at what has changed.
func (c *conn) interruptLocked() {
	// If this fails it cannot be reading.
	_ = c.net.SetReadDeadline(time.Unix(1, 0))
}

// finish ends the connection, or gives it to net/http. An answer on its way is
// written to its end.
func (c *conn) finish(pass bool) {
	c.host.remove(c)
	c.mu.Lock()
	for c.writing && !c.broken {
		// The client may have closed its side only.
		c.changed.Wait()
	}
	c.broken = true
	waits, gone := c.waits, c.gone
	c.waits, c.gone = false, nil
	c.mu.Unlock()
	c.changed.Broadcast()
	var rest []byte
	if c.room != nil {
		rest = bytes.Clone(c.room[c.from:c.to])
		c.from = c.to
		c.release()
	}
	rest = append(rest, c.early...)
	if pass && c.net.SetReadDeadline(time.Time{}) == nil {
		c.host.give(c.net, rest)
		return
	}
	// What could not be written is the answerer's to know.
	_ = c.net.Close()
	if waits && gone != nil {
		gone()
	}
}
