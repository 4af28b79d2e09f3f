//go:build unix

package lane

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// direct reads from and writes to a plain socket without a layer in between:
// waiting for bytes needs no memory for them, and writing never waits.
type direct struct {
	raw syscall.RawConn // nil if the connection is of another type

	readable func(fd uintptr) bool // fixed, so that reading allocates nothing
	got      int
	readErr  error

	writable func(fd uintptr) bool
	rest     []byte // what is still to be written
	writeErr error
}

func (d *direct) attach(c *conn) {
	tcp, ok := c.net.(*net.TCPConn) // another type may do more than pass bytes on
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	d.raw, d.readable, d.writable = raw, c.tryRead, d.tryWrite
}

func (d *direct) usable() bool { return d.raw != nil }

// read waits until it can read, and reads into the connection's memory.
func (d *direct) read() (int, error) {
	d.got, d.readErr = 0, nil
	if err := d.raw.Read(d.readable); err != nil {
		return 0, err
	}
	return d.got, d.readErr
}

// tryRead reports false if there is nothing to read yet.
func (c *conn) tryRead(fd uintptr) bool {
	d, into := &c.direct, c.space()
	for {
		n, err := syscall.Read(int(fd), into)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			c.release()
			return false
		case err != nil:
			d.readErr = os.NewSyscallError("read", err)
		case n == 0:
			d.readErr = io.EOF
		default:
			d.got = n
		}
		return true
	}
}

// write writes what the kernel takes at once and returns how much that is.
func (d *direct) write(b []byte) (int, error) {
	d.rest, d.writeErr = b, nil
	err := d.raw.Write(d.writable)
	n := len(b) - len(d.rest)
	d.rest = nil
	if err == nil {
		err = d.writeErr
	}
	return n, err
}

// tryWrite never asks to wait.
func (d *direct) tryWrite(fd uintptr) bool {
	for len(d.rest) > 0 {
		n, err := syscall.Write(int(fd), d.rest)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return true
		case err != nil:
			d.writeErr = os.NewSyscallError("write", err)
			return true
		}
		d.rest = d.rest[n:]
	}
	return true
}
