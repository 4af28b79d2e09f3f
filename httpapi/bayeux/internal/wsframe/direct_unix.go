//go:build unix

package wsframe

import (
	"io"
	"net"
	"os"
	"syscall"
)

// direct reads from and writes to a plain socket without a layer in between.
// Waiting for bytes then needs no memory for them, and writing needs no
// deadline as long as the kernel takes everything.
type direct struct {
	conn syscall.RawConn // nil if the connection is of another type

	readable func(fd uintptr) bool // fixed, so that reading allocates nothing
	into     []byte                // where to read to; nil for the input
	got      int
	readErr  error

	writable func(fd uintptr) bool
	rest     []byte // what is still to be written
	writeErr error
}

func (d *direct) attach(c *Conn) {
	var conn syscall.RawConn
	var err error
	// Only these two: another type with such a method may do more than pass
	// bytes on.
	switch n := c.net.(type) {
	case *net.TCPConn:
		conn, err = n.SyscallConn()
	case *net.UnixConn:
		conn, err = n.SyscallConn()
	}
	if conn == nil || err != nil {
		return
	}
	d.conn, d.readable, d.writable = conn, c.tryRead, c.tryWrite
}

func (d *direct) usable() bool { return d.conn != nil }

// read waits until it can read, and reads. The caller counts what came.
func (d *direct) read(dst []byte) (int, error) {
	d.into, d.got, d.readErr = dst, 0, nil
	err := d.conn.Read(d.readable)
	d.into = nil
	if err == nil {
		err = d.readErr
	}
	return d.got, err
}

// tryRead reports false if there is nothing to read yet.
func (c *Conn) tryRead(fd uintptr) bool {
	d, in := &c.direct, &c.reader.input
	into := d.into
	if into == nil {
		into = in.room(c.up)
	}
	for {
		n, err := syscall.Read(int(fd), into)
		switch err {
		case nil:
			if d.got = n; n == 0 {
				d.readErr = io.EOF
			}
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			in.release(c.up)
			return false
		default:
			d.readErr = os.NewSyscallError("read", err)
		}
		return true
	}
}

// write writes what the kernel takes at once and returns how much that is.
func (d *direct) write(b []byte) (int, error) {
	d.rest, d.writeErr = b, nil
	err := d.conn.Write(d.writable)
	n := len(b) - len(d.rest)
	d.rest = nil
	if err == nil {
		err = d.writeErr
	}
	return n, err
}

// tryWrite never asks to wait.
func (c *Conn) tryWrite(fd uintptr) bool {
	d := &c.direct
	for len(d.rest) > 0 {
		n, err := syscall.Write(int(fd), d.rest)
		switch err {
		case nil:
			d.rest = d.rest[n:]
		case syscall.EINTR:
		case syscall.EAGAIN:
			return true
		default:
			d.writeErr = os.NewSyscallError("write", err)
			return true
		}
	}
	return true
}
