package wsframe

import (
	"errors"
	"os"
	"time"
)

// input is what has arrived and is still to be looked at.
type input struct {
	early    []byte            // what net/http had read already
	bytes    *[inputBytes]byte // nil if there is nothing
	from, to int               // the part of bytes that counts
	drained  int               // how much came after our close frame
	into     []byte            // where to read to instead of bytes; nil for there

	// head takes the first bytes where one cannot wait without memory to read
	// into.
	head [8]byte
}

func (in *input) buffered() []byte {
	if in.bytes == nil {
		return nil
	}
	return in.bytes[in.from:in.to]
}

// room returns memory to read into.
func (in *input) room(u *Upgrader) []byte {
	if in.bytes == nil {
		in.bytes = u.takeInput()
	}
	if in.to == len(in.bytes) {
		in.to = copy(in.bytes[:], in.bytes[in.from:])
		in.from = 0
	}
	return in.bytes[in.to:]
}

// memory is what a plain socket reads into.
type memory struct{ c *Conn }

// Room implements plainsocket.Memory.
func (m memory) Room() []byte {
	if in := &m.c.reader.input; in.into == nil {
		return in.room(m.c.up)
	}
	return m.c.reader.into
}

// Release implements plainsocket.Memory.
func (m memory) Release() { m.c.reader.release(m.c.up) }

// release gives the memory back if there is nothing in it.
func (in *input) release(u *Upgrader) {
	if in.from == in.to {
		in.free(u)
	}
}

func (in *input) free(u *Upgrader) {
	if in.bytes != nil {
		u.inputs.Put(in.bytes)
		in.bytes = nil
	}
	in.from, in.to = 0, 0
}

// fill waits until there is more in the input.
func (c *Conn) fill() error {
	_, err := c.read(nil)
	return err
}

// read waits for bytes, which go into dst or, if that is nil, into the input.
// It keeps all times of the connection.
func (c *Conn) read(dst []byte) (int, error) {
	r := &c.reader
	if r.begun.IsZero() && (r.frame || r.parts > 0 || r.from < r.to) {
		r.begun = time.Now()
	}
	var late time.Time // when what has begun has taken too long
	if !r.begun.IsZero() {
		late = r.begun.Add(c.up.opts.MessageTimeout)
	}
	for {
		// Without anything late, what is armed is for waking up.
		if !r.armed || !late.IsZero() {
			if err := c.arm(late); err != nil {
				return 0, err
			}
			r.armed = true
		}
		n, err := c.receive(dst)
		if n > 0 {
			c.heard.Store(int64(time.Since(c.base)))
			if c.closing.Load() {
				if r.drained += n; r.drained > drainBytes {
					return n, ErrClosed
				}
			}
			return n, nil
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, err
		}
		now := time.Now()
		r.armed = false
		if err := c.expired(now); err != nil {
			return 0, err
		}
		if !late.IsZero() && !now.Before(late) && !c.closing.Load() {
			return 0, breach(CodePolicy, "message timeout")
		}
	}
}

// receive reads once. It waits without holding memory if the input is empty.
func (c *Conn) receive(dst []byte) (int, error) {
	in := &c.reader.input
	if len(in.early) > 0 {
		into := dst
		if dst == nil {
			into = in.room(c.up)
		}
		n := copy(into, in.early)
		if in.early = in.early[n:]; len(in.early) == 0 {
			in.early = nil
		}
		in.arrived(dst, n)
		return n, nil
	}
	if dst == nil && in.from == in.to {
		in.free(c.up)
	}
	if c.plain.Usable() {
		in.into = dst
		n, err := c.plain.Read()
		in.into = nil
		in.arrived(dst, n)
		return n, err
	}
	if dst != nil {
		return c.net.Read(dst)
	}
	if in.bytes != nil {
		n, err := c.net.Read(in.room(c.up))
		in.to += n
		return n, err
	}
	n, err := c.net.Read(in.head[:])
	if n > 0 {
		in.to += copy(in.room(c.up), in.head[:n])
	}
	return n, err
}

// arrived counts bytes that were read into the input.
func (in *input) arrived(dst []byte, n int) {
	if dst == nil {
		in.to += n
	}
}
