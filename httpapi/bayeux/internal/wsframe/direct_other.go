//go:build !unix

package wsframe

import "errors"

// direct is for systems on which sockets are read in another way. It is never
// usable.
type direct struct{}

func (*direct) attach(*Conn) {}

func (*direct) usable() bool { return false }

func (*direct) read([]byte) (int, error) { return 0, errors.ErrUnsupported }

func (*direct) write([]byte) (int, error) { return 0, errors.ErrUnsupported }
