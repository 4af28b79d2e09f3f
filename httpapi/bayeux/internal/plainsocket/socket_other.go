//go:build !unix

package plainsocket

import (
	"errors"
	"net"
)

// Socket is for systems on which sockets are read in another way. It is never
// usable.
type Socket struct{}

// Attach does nothing.
func (*Socket) Attach(net.Conn, Memory) {}

// Usable reports false.
func (*Socket) Usable() bool { return false }

// Read fails with errors.ErrUnsupported.
func (*Socket) Read() (int, error) { return 0, errors.ErrUnsupported }

// Write fails with errors.ErrUnsupported.
func (*Socket) Write([]byte) (int, error) { return 0, errors.ErrUnsupported }
