package lane

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// ErrGone says that a request cannot be answered, because its connection has
// ended or because it was answered before.
var ErrGone = errors.New("lane: connection is gone")

// Pending is a request that is still to be answered, by whatever goroutine.
// Copies of it are the same.
type Pending struct {
	conn   *conn
	number uint64
}

// OnGone sets what is called, once, if the connection ends before Answer is
// called. If the request cannot be answered any more, that is at once.
func (p Pending) OnGone(f func()) {
	c := p.conn
	c.mu.Lock()
	here := p.openLocked()
	if here {
		c.gone = f
	}
	c.mu.Unlock()
	if !here {
		f()
	}
}

// openLocked reports whether the request can be answered.
func (p Pending) openLocked() bool {
	c := p.conn
	return c.waits && !c.writing && !c.broken && c.number == p.number
}

// Answer answers the request with a body of JSON, or with none if body is nil;
// with last the connection ends after it. It does not wait. It calls done when
// everything was handed to the network or cannot be, which may be before it
// returns.
func (p Pending) Answer(status int, body []byte, last bool, done func(error)) {
	c := p.conn
	c.mu.Lock()
	if !p.openLocked() {
		c.mu.Unlock()
		done(ErrGone)
		return
	}
	c.gone = nil
	c.closing = c.closing || last
	room := outputs.Get().(*[outputBytes]byte)
	all := c.appendResponse(room[:0], status, body)
	n, err := 0, error(nil)
	if c.plain.Usable() {
		n, err = c.plain.Write(all)
	}
	if err == nil && n < len(all) {
		rest := bytes.Clone(all[n:])
		outputs.Put(room)
		c.writing = true
		c.mu.Unlock()
		c.host.lane.opts.Spawn(func() {
			err := c.writeSlowly(rest)
			c.answered(err)
			done(err)
		})
		return
	}
	outputs.Put(room)
	c.answeredLocked(err)
	c.mu.Unlock()
	done(err)
}

// answered ends the present request.
func (c *conn) answered(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answeredLocked(err)
}

func (c *conn) answeredLocked(err error) {
	c.waits, c.writing = false, false
	switch {
	case err != nil || c.closing:
		c.broken = true
		c.interruptLocked()
	case c.idle > 0:
		c.armLocked(c.idle)
	}
	c.changed.Broadcast()
}

// writeSlowly writes with a deadline.
func (c *conn) writeSlowly(b []byte) error {
	if err := c.net.SetWriteDeadline(time.Now().Add(c.host.lane.opts.WriteTimeout)); err != nil {
		return err
	}
	if _, err := c.net.Write(b); err != nil {
		return err
	}
	// What was written is written, whatever has become of the connection since.
	_ = c.net.SetWriteDeadline(time.Time{})
	return nil
}

// Most responses fit into one of these.
const outputBytes = 4 << 10

var outputs = sync.Pool{New: func() any { return new([outputBytes]byte) }}

const contentType = "Content-Type: application/json;charset=UTF-8\r\n"

// appendResponse forms a response as net/http would have.
func (c *conn) appendResponse(b []byte, status int, body []byte) []byte {
	b = appendStatus(b, status)
	b = append(b, c.head...)
	if body != nil && hasBody(status) {
		b = append(b, contentType...)
	}
	if c.closing {
		b = append(b, "Connection: close\r\n"...)
	}
	b = c.host.lane.appendDate(b)
	if !hasBody(status) {
		return append(b, lineEnd...)
	}
	b = strconv.AppendInt(append(b, "Content-Length: "...), int64(len(body)), 10)
	return append(append(b, headerEnd...), body...)
}

func appendStatus(b []byte, status int) []byte {
	if status == http.StatusOK {
		return append(b, "HTTP/1.1 200 OK\r\n"...)
	}
	b = strconv.AppendInt(append(b, "HTTP/1.1 "...), int64(status), 10)
	text := http.StatusText(status)
	if text == "" {
		text = "status code " + strconv.Itoa(status)
	}
	return append(append(append(b, ' '), text...), lineEnd...)
}

// stamp is a Date line and the second in which it is right.
type stamp struct {
	second int64
	line   string
}

func (l *Lane) appendDate(b []byte) []byte {
	now := time.Now()
	s := l.date.Load()
	if s == nil || s.second != now.Unix() {
		s = &stamp{now.Unix(), "Date: " + now.UTC().Format(http.TimeFormat) + lineEnd}
		l.date.Store(s)
	}
	return append(b, s.line...)
}
