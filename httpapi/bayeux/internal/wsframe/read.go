package wsframe

import (
	"errors"
	"time"
	"unicode/utf8"
)

// reader is what reading keeps between messages. Between two frames it has no
// memory besides itself.
type reader struct {
	input
	ended  error  // why there is nothing more to read
	ponged func() // told of pongs; nil if nobody wants to know

	breached func() // told of breaches; may be nil

	frame   bool // the header of a frame has been read
	header  header
	left    int       // how much of the frame's payload is still to come
	parts   int       // frames of the present message; 0 between messages
	kind    Kind      // of the present message
	message []byte    // what the message has so far
	checked int       // how much of message is known to be good text
	begun   time.Time // since when a message or frame is incomplete
	armed   bool      // the deadline for waking up is set

	controls int       // control frames in the present second
	second   time.Time // when it began
}

// ReadMessage waits for the next message, answering pings meanwhile. The
// payload belongs to the caller.
//
// The error is [ErrWake] if it is time for that, after which reading may go on.
// After any other error the connection has ended, and the error stays the same:
// a [*CloseError] if there is a close code to speak of, [ErrClosed] if this end
// did it, otherwise what became of the network connection.
func (c *Conn) ReadMessage() (Kind, []byte, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	return c.next()
}

// Await waits until there is a message, or the beginning of one, for
// ReadMessage, or the connection has ended; it answers pings meanwhile. It waits
// with less stack than ReadMessage does. The error is [ErrWake], as there, or nil.
func (c *Conn) Await() error {
	c.reading.Lock()
	defer c.reading.Unlock()
	r := &c.reader
	for r.ended == nil && !r.frame && r.parts == 0 {
		var err error
		switch b := r.buffered(); {
		case len(b) == 0:
			err = c.fill()
		case b[0]&bitControl != 0:
			_, _, err = c.step()
		default:
			return nil
		}
		if err != nil && errors.Is(c.conclude(err), ErrWake) {
			return ErrWake
		}
	}
	return nil
}

// Ready reports whether the next ReadMessage will not have to wait, because a
// whole message has arrived together with one before. It is for the goroutine
// that reads.
func (c *Conn) Ready() bool {
	if !c.reading.TryLock() {
		return false
	}
	defer c.reading.Unlock()
	r := &c.reader
	b := r.buffered()
	if len(b) == 0 || r.frame || r.parts > 0 {
		return false
	}
	h, err := parseFirst(b[0])
	if err != nil || !h.fin || h.control() {
		return false
	}
	h, n, err := parseRest(h, b)
	return err == nil && n > 0 && h.length <= uint64(len(b)-n)
}

// next reads a message, with the lock for reading held.
func (c *Conn) next() (Kind, []byte, error) {
	r := &c.reader
	for r.ended == nil {
		kind, payload, err := c.step()
		if err != nil {
			return 0, nil, c.conclude(err)
		}
		if kind != 0 && !c.closing.Load() {
			r.release(c.up)
			return kind, payload, nil
		}
	}
	return 0, nil, r.ended
}

// step deals with what is in the input, or waits for more. It returns a message
// that is complete.
func (c *Conn) step() (Kind, []byte, error) {
	r := &c.reader
	if !r.frame {
		if err := c.beginFrame(); err != nil {
			return 0, nil, err
		}
	}
	switch {
	case !r.frame:
		return 0, nil, c.fill()
	case r.header.control():
		return 0, nil, c.takeControl()
	case r.parts == 1 && r.header.fin && r.message == nil && int(r.header.length) <= inputBytes:
		return c.takeWhole()
	default:
		return c.takePart()
	}
}

// beginFrame reads a header, if there is one in the input.
func (c *Conn) beginFrame() error {
	r := &c.reader
	b := r.buffered()
	if len(b) == 0 {
		return nil
	}
	h, err := parseFirst(b[0])
	if err != nil {
		return err
	}
	// Byte by byte, so that of several faults the same one counts however the
	// bytes arrive.
	switch {
	case h.control():
	case h.opcode == opContinuation && r.parts == 0:
		return broken("nothing to continue")
	case h.opcode != opContinuation && r.parts > 0:
		return broken("message within a message")
	case h.opcode == opBinary && c.up.opts.TextOnly:
		return breach(CodeUnsupported, "text only")
	case r.parts >= c.up.opts.MaxFragments:
		return breach(CodePolicy, "too many fragments")
	}
	h, n, err := parseRest(h, b)
	if err != nil || n == 0 {
		return err
	}
	if !h.control() {
		if h.length > uint64(c.up.opts.MaxMessageBytes-len(r.message)) {
			return breach(CodeTooBig, "message is too large")
		}
		if r.parts++; r.parts == 1 {
			r.kind = Kind(h.opcode)
		}
	}
	r.from += n
	r.frame, r.header, r.left = true, h, int(h.length)
	return nil
}

// takeWhole takes a message that is one small frame.
func (c *Conn) takeWhole() (Kind, []byte, error) {
	r := &c.reader
	if r.to-r.from < r.left {
		return 0, nil, c.fill()
	}
	p := r.consume(r.left)
	if r.kind == Text && !utf8.Valid(p) {
		return 0, nil, breach(CodeInvalidText, "text is not UTF-8")
	}
	own := make([]byte, len(p))
	copy(own, p)
	return r.finish(own)
}

// takePart takes what there is of a frame that is large, or one of several.
func (c *Conn) takePart() (Kind, []byte, error) {
	r := &c.reader
	have := r.to - r.from
	if have == 0 && r.left >= inputBytes {
		return 0, nil, c.takeDirectly()
	}
	if have == 0 && r.left > 0 {
		return 0, nil, c.fill()
	}
	r.message = append(r.message, r.consume(min(r.left, have))...)
	if r.left > 0 {
		return 0, nil, nil
	}
	r.frame = false
	if r.kind == Text {
		n, ok := checkText(r.message[r.checked:])
		r.checked += n
		if !ok || r.header.fin && r.checked < len(r.message) {
			return 0, nil, breach(CodeInvalidText, "text is not UTF-8")
		}
	}
	if !r.header.fin {
		return 0, nil, nil
	}
	return r.finish(r.message)
}

// takeDirectly reads into the message itself. The memory grows with what has
// come, not with what was announced.
func (c *Conn) takeDirectly() error {
	r := &c.reader
	at := len(r.message)
	if cap(r.message)-at < inputBytes {
		grown := make([]byte, at, at+min(r.left, max(at, 2*inputBytes)))
		copy(grown, r.message)
		r.message = grown
	}
	room := r.message[at:cap(r.message)]
	room = room[:min(len(room), r.left)]
	n, err := c.read(room)
	r.header.mask = unmask(room[:n], r.header.mask)
	r.message = r.message[:at+n]
	r.left -= n
	return err
}

// takeControl takes a control frame and does what it asks for.
func (c *Conn) takeControl() error {
	r := &c.reader
	if r.to-r.from < r.left {
		return c.fill()
	}
	p := r.consume(r.left)
	r.frame = false
	if r.parts == 0 {
		r.begun = time.Time{}
	}
	if r.header.opcode == opClose {
		code, reason, err := parseClose(p)
		if err != nil {
			return err
		}
		// If the answer does not get through, that is the end as well.
		_ = c.sendClose(code, "")
		return &CloseError{Code: code, Reason: reason, Remote: true}
	}
	now := time.Now()
	if now.Sub(r.second) >= time.Second {
		r.second, r.controls = now, 0
	}
	if r.controls++; r.controls > c.up.opts.MaxControls {
		return breach(CodePolicy, "too many control frames")
	}
	switch {
	case r.header.opcode == opPing:
		// After our close frame there are no more answers.
		if err := c.sendControl(opPong, p); err != nil && !errors.Is(err, ErrClosed) {
			return err
		}
	case r.ponged != nil:
		r.ponged()
	}
	return nil
}

// finish completes the present message.
func (r *reader) finish(payload []byte) (Kind, []byte, error) {
	kind := r.kind
	r.frame, r.parts, r.message, r.checked, r.begun = false, 0, nil, 0, time.Time{}
	if payload == nil {
		payload = []byte{}
	}
	return kind, payload, nil
}

// consume takes n bytes of payload from the input. They are good until the
// next reading.
func (r *reader) consume(n int) []byte {
	if n == 0 {
		return nil
	}
	p := r.bytes[r.from : r.from+n]
	r.header.mask = unmask(p, r.header.mask)
	r.from += n
	r.left -= n
	return p
}
