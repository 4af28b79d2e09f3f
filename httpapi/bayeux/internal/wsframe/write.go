package wsframe

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"time"
)

// WriteFrames writes frames that AppendText, AppendBinary or FinishText made,
// in one system call if the kernel takes them at once. The frames are not
// changed and not kept, so that connections may share them. It waits up to
// WriteTimeout. A connection that could not take everything in that time is
// dropped, because the other end could not make sense of half a frame.
//
// The error is [ErrClosed] after a close frame was sent.
func (c *Conn) WriteFrames(frames ...[]byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.goodby {
		return ErrClosed
	}
	switch len(frames) {
	case 0:
		return nil
	case 1:
		return c.writeLocked(frames[0])
	}
	size := 0
	for _, f := range frames {
		size += len(f)
	}
	if size > gatherBytes {
		return c.writeListLocked(frames)
	}
	b := c.up.takeGather()
	defer c.up.gather.Put(b)
	all := b[:0]
	for _, f := range frames {
		all = append(all, f...)
	}
	return c.writeLocked(all)
}

// Ping asks the other end for a sign of life, which LastHeard then shows. It
// fails as [Conn.WriteFrames] does.
func (c *Conn) Ping() error { return c.sendControl(opPing, nil) }

func (c *Conn) sendControl(opcode byte, payload []byte) error {
	var room [2 + maxControlBytes]byte
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.goodby {
		return ErrClosed
	}
	return c.writeLocked(append(appendHeader(room[:0], opcode, len(payload)), payload...))
}

// sendClose sends a close frame, unless one was sent before.
func (c *Conn) sendClose(code int, reason string) error {
	var room [2 + maxControlBytes]byte
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.goodby {
		return ErrClosed
	}
	c.goodby = true
	return c.writeLocked(appendClose(room[:0], code, reason))
}

func (c *Conn) writeLocked(b []byte) error {
	if c.failed != nil {
		return c.failed
	}
	if c.direct.usable() {
		// Most of the time the kernel takes everything, and a deadline would
		// cost as much again.
		n, err := c.direct.write(b)
		if err != nil {
			return c.failLocked(err)
		}
		if b = b[n:]; len(b) == 0 {
			return nil
		}
	}
	return c.slowLocked(func() error {
		_, err := c.net.Write(b)
		return err
	})
}

func (c *Conn) writeListLocked(frames [][]byte) error {
	if c.failed != nil {
		return c.failed
	}
	list := net.Buffers(slices.Clone(frames))
	return c.slowLocked(func() error {
		_, err := list.WriteTo(c.net)
		return err
	})
}

// slowLocked writes with a deadline.
func (c *Conn) slowLocked(write func() error) error {
	err := c.net.SetWriteDeadline(time.Now().Add(c.up.opts.WriteTimeout))
	if err == nil {
		err = write()
	}
	if err == nil && c.direct.usable() {
		// The next write has none of its own.
		err = c.net.SetWriteDeadline(time.Time{})
	}
	return c.failLocked(err)
}

// failLocked drops the connection if there is an error.
func (c *Conn) failLocked(err error) error {
	switch {
	case err == nil:
		return nil
	case c.dropped.Load(), errors.Is(err, net.ErrClosed):
		c.failed = ErrClosed
	default:
		c.failed = fmt.Errorf("write to WebSocket: %w", err)
	}
	c.Abort()
	return c.failed
}
