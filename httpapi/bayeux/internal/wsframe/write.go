package wsframe

import (
	"bytes"
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
	size := 0
	for _, f := range frames {
		size += len(f)
	}
	if len(frames) > 1 && size > gatherBytes {
		return c.writeListLocked(frames)
	}
	all, room := c.up.gathered(frames)
	defer c.up.giveGather(room)
	return c.writeLocked(all)
}

// TryWriteFrames is WriteFrames without waiting. It reports false if the kernel
// could not take everything at once. Then it keeps the rest, and [Conn.Flush]
// must be called, which waits; what others write meanwhile comes after it.
//
// The error is [ErrWouldWait] if nothing was written, because the connection is
// not a plain socket or somebody else is writing.
func (c *Conn) TryWriteFrames(frames ...[]byte) (bool, error) {
	if !c.plain.Usable() || !c.mu.TryLock() {
		return false, ErrWouldWait
	}
	defer c.mu.Unlock()
	switch {
	case c.goodby:
		return false, ErrClosed
	case c.failed != nil:
		return false, c.failed
	case len(c.owed) > 0:
		return false, ErrWouldWait
	}
	all, room := c.up.gathered(frames)
	defer c.up.giveGather(room)
	n, err := c.plain.Write(all)
	if err != nil {
		return false, c.failLocked(err)
	}
	c.owed = bytes.Clone(all[n:])
	return n == len(all), nil
}

// gathered returns the frames in one piece, perhaps in memory that is to be
// given back.
func (u *Upgrader) gathered(frames [][]byte) (all []byte, room *[gatherBytes]byte) {
	if len(frames) == 1 {
		return frames[0], nil
	}
	size := 0
	for _, f := range frames {
		size += len(f)
	}
	if size <= gatherBytes {
		room = u.takeGather()
		all = room[:0]
	} else {
		all = make([]byte, 0, size)
	}
	for _, f := range frames {
		all = append(all, f...)
	}
	return all, room
}

// Flush writes what TryWriteFrames has left, and fails as WriteFrames does.
func (c *Conn) Flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writeLocked(nil)
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
	if err := c.readyLocked(); err != nil || len(b) == 0 {
		return err
	}
	if c.plain.Usable() {
		// Most of the time the kernel takes everything, and a deadline would
		// cost as much again.
		n, err := c.plain.Write(b)
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
	if err := c.readyLocked(); err != nil {
		return err
	}
	list := net.Buffers(slices.Clone(frames))
	return c.slowLocked(func() error {
		_, err := list.WriteTo(c.net)
		return err
	})
}

// readyLocked pays what is owed.
func (c *Conn) readyLocked() error {
	if c.failed != nil || len(c.owed) == 0 {
		return c.failed
	}
	b := c.owed
	c.owed = nil
	return c.slowLocked(func() error {
		_, err := c.net.Write(b)
		return err
	})
}

// slowLocked writes with a deadline.
func (c *Conn) slowLocked(write func() error) error {
	err := c.net.SetWriteDeadline(time.Now().Add(c.up.opts.WriteTimeout))
	if err == nil {
		err = write()
	}
	if err == nil && c.plain.Usable() {
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
