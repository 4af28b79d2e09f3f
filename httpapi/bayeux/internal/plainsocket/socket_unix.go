//go:build unix

package plainsocket

import (
	"io"
	"net"
	"os"
	"syscall"
)

// Socket is a TCP or Unix socket. The zero value is not usable. Reading and
// writing may go on at the same time, but only one of each.
type Socket struct {
	raw    syscall.RawConn // nil if it is not usable
	memory Memory

	readable func(fd uintptr) bool // fixed, so that reading allocates nothing
	got      int
	readErr  error

	writable func(fd uintptr) bool
	rest     []byte // what is still to be written
	writeErr error
}

// Attach makes the socket usable if the connection is of one of the two types.
func (s *Socket) Attach(conn net.Conn, m Memory) {
	var raw syscall.RawConn
	var err error
	// Only these: another type with such a method may do more than pass bytes on.
	switch c := conn.(type) {
	case *net.TCPConn:
		raw, err = c.SyscallConn()
	case *net.UnixConn:
		raw, err = c.SyscallConn()
	}
	if raw == nil || err != nil {
		return
	}
	s.raw, s.memory, s.readable, s.writable = raw, m, s.tryRead, s.tryWrite
}

// Usable reports whether Read and Write may be called.
func (s *Socket) Usable() bool { return s.raw != nil }

// Read waits until there is something to read, without memory for it, and reads
// into the room that it then asks for. It keeps the deadline for reading that is
// set on the connection. At the end it returns 0 and io.EOF.
func (s *Socket) Read() (int, error) {
	s.got, s.readErr = 0, nil
	if err := s.raw.Read(s.readable); err != nil {
		return 0, err
	}
	return s.got, s.readErr
}

// tryRead reports false if there is nothing to read yet.
func (s *Socket) tryRead(fd uintptr) bool {
	room := s.memory.Room()
	for {
		n, err := syscall.Read(int(fd), room)
		switch err {
		case nil:
			if s.got = n; n == 0 {
				s.readErr = io.EOF
			}
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			s.memory.Release()
			return false
		default:
			s.readErr = os.NewSyscallError("read", err)
		}
		return true
	}
}

// Write writes what the kernel takes at once, and returns how much that is. It
// never waits.
func (s *Socket) Write(b []byte) (int, error) {
	s.rest, s.writeErr = b, nil
	err := s.raw.Write(s.writable)
	n := len(b) - len(s.rest)
	s.rest = nil
	if err == nil {
		err = s.writeErr
	}
	return n, err
}

// tryWrite never asks to wait.
func (s *Socket) tryWrite(fd uintptr) bool {
	for len(s.rest) > 0 {
		n, err := syscall.Write(int(fd), s.rest)
		switch err {
		case nil:
			s.rest = s.rest[n:]
		case syscall.EINTR:
		case syscall.EAGAIN:
			return true
		default:
			s.writeErr = os.NewSyscallError("write", err)
			return true
		}
	}
	return true
}
