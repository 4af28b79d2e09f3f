package wsframe

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"time"
	"unicode/utf8"
)

// reader is what reading keeps between messages. Between two frames it has no
// memory besides itself.
type reader struct {
	ended error     // why there is nothing more to read
	wake  time.Time // when to return to the caller; zero for never
	early []byte    // what net/http had read already

	input    *[inputBytes]byte // nil if nothing has arrived
	from, to int               // what of input is still to be looked at

	frame   bool // the header of a frame has been read
	header  header
	left    int       // how much of the frame's payload is still to come
	parts   int       // frames of the present message; 0 between messages
	kind    Kind      // of the present message
	message []byte    // what the message has so far
	checked int       // how much of message is known to be good text
	begun   time.Time // since when a message or frame is incomplete

	controls int       // control frames in the present second
	second   time.Time // when it began
	drained  int       // bytes that came after our close frame
}

var (
	errMessageLate = &CloseError{Code: CodePolicy, Reason: "message timeout"}
	errControls    = &CloseError{Code: CodePolicy, Reason: "too many control frames"}
	errFragments   = &CloseError{Code: CodePolicy, Reason: "too many fragments"}
	errTooBig      = &CloseError{Code: CodeTooBig, Reason: "message is too large"}
	errBadText     = &CloseError{Code: CodeInvalidText, Reason: "text is not UTF-8"}
	errBinary      = &CloseError{Code: CodeUnsupported, Reason: "text only"}
)

// ReadMessage waits for the next message, answering pings meanwhile. The
// payload belongs to the caller.
//
// The error is [ErrWake] if it is time for that, after which reading may go on.
// After any other error the connection has ended: a [*CloseError] if there is a
// close code to speak of, [ErrClosed] if this end did it.
func (c *Conn) ReadMessage() (Kind, []byte, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	return c.next()
}

// next reads a message, with the lock for reading held.
func (c *Conn) next() (Kind, []byte, error) {
	r := &c.reader
	for r.ended == nil {
		var fault *CloseError
		if !r.frame {
			fault = c.beginFrame()
		}
		if r.frame && fault == nil {
			var kind Kind
			var payload []byte
			kind, payload, fault = c.takeFrame()
			if kind != 0 && !c.ending() {
				r.release(c.up)
				return kind, payload, nil
			}
		} else if fault == nil {
			_, err := c.fill(nil)
			fault = c.sort(err)
		}
		switch {
		case fault == errNow:
			return 0, nil, ErrWake
		case fault != nil:
			return 0, nil, c.breach(fault)
		}
	}
	return 0, nil, r.ended
}

// errNow takes the place of ErrWake where only faults can be returned.
var errNow = &CloseError{}

// sort turns an error of fill into a fault, or ends the connection.
func (c *Conn) sort(err error) *CloseError {
	var fault *CloseError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrWake):
		return errNow
	case errors.As(err, &fault):
		return fault
	}
	_ = c.failure(err)
	return nil
}

// beginFrame reads a header, if there is one in the input.
func (c *Conn) beginFrame() *CloseError {
	r := &c.reader
	h, n, fault := parseHeader(r.buffered())
	if fault != nil || n == 0 && r.from == r.to {
		return fault
	}
	// The first byte tells what may not come at this point.
	opcode := r.input[r.from] & bitsOpcode
	switch {
	case opcode >= opClose:
	case opcode == opContinuation && r.parts == 0:
		return broken("nothing to continue")
	case opcode != opContinuation && r.parts > 0:
		return broken("message within a message")
	case opcode == opBinary && c.up.opts.TextOnly:
		return errBinary
	case r.parts >= c.up.opts.MaxFragments:
		return errFragments
	}
	if n == 0 {
		return nil
	}
	if !h.control() {
		if h.length > uint64(c.up.opts.MaxMessageBytes-len(r.message)) {
			return errTooBig
		}
		if r.parts++; r.parts == 1 {
			r.kind = Kind(h.opcode)
		}
	}
	r.from += n
	r.frame, r.header, r.left = true, h, int(h.length)
	return nil
}

// takeFrame deals with the payload of the present frame, of which it waits for
// a part if need be. It returns the message that the frame completes.
func (c *Conn) takeFrame() (Kind, []byte, *CloseError) {
	r := &c.reader
	whole := r.header.control() || r.parts == 1 && r.header.fin && r.message == nil && r.left <= inputBytes
	if have := r.to - r.from; have < r.left && (whole || have == 0) {
		_, err := c.fill(r.spare(whole))
		return 0, nil, c.sort(err)
	}
	if r.header.control() {
		p := r.consume(r.left)
		r.frame = false
		if r.parts == 0 {
			r.begun = time.Time{}
		}
		return 0, nil, c.control(r.header.opcode, p)
	}
	if whole {
		p := r.consume(r.left)
		if r.kind == Text && !utf8.Valid(p) {
			return 0, nil, errBadText
		}
		return r.finish(bytes.Clone(p))
	}
	r.message = append(r.message, r.consume(min(r.left, r.to-r.from))...)
	if r.left > 0 {
		return 0, nil, nil
	}
	r.frame = false
	if r.kind == Text {
		n, ok := checkText(r.message[r.checked:])
		r.checked += n
		if !ok || r.header.fin && r.checked < len(r.message) {
			return 0, nil, errBadText
		}
	}
	if !r.header.fin {
		return 0, nil, nil
	}
	return r.finish(r.message)
}

// control deals with a control frame.
func (c *Conn) control(opcode byte, p []byte) *CloseError {
	r := &c.reader
	if opcode == opClose {
		code, reason, fault := parseClose(p)
		if fault == nil {
			// If the answer does not get through, that is the end as well.
			_ = c.sendClose(code, "")
			_ = c.end(&CloseError{Code: code, Reason: reason, Remote: true})
		}
		return fault
	}
	now := time.Now()
	if now.Sub(r.second) >= time.Second {
		r.second, r.controls = now, 0
	}
	if r.controls++; r.controls > c.up.opts.MaxControls {
		return errControls
	}
	if opcode == opPong {
		return nil
	}
	err := c.sendControl(opPong, p)
	if err != nil && !errors.Is(err, ErrClosed) {
		return c.sort(err)
	}
	return nil
}

// finish completes the present message.
func (r *reader) finish(payload []byte) (Kind, []byte, *CloseError) {
	kind := r.kind
	r.frame, r.parts, r.message, r.checked, r.begun = false, 0, nil, 0, time.Time{}
	if payload == nil {
		payload = []byte{}
	}
	return kind, payload, nil
}

func (r *reader) buffered() []byte {
	if r.input == nil {
		return nil
	}
	return r.input[r.from:r.to]
}

// consume takes n bytes of payload from the input. They are good until the
// next reading.
func (r *reader) consume(n int) []byte {
	if n == 0 {
		return nil
	}
	p := r.input[r.from : r.from+n]
	r.header.mask = unmask(p, r.header.mask)
	r.from += n
	r.left -= n
	return p
}

// release gives the input back if nothing is left in it.
func (r *reader) release(u *Upgrader) {
	if r.from == r.to {
		r.free(u)
	}
}

func (r *reader) free(u *Upgrader) {
	if r.input != nil {
		u.inputs.Put(r.input)
		r.input = nil
	}
	r.from, r.to = 0, 0
}
