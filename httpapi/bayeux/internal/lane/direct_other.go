//go:build !unix

package lane

import "errors"

// direct is for systems with sockets of a kind that this package knows.
type direct struct{}

func (d *direct) attach(*conn) {}

func (d *direct) usable() bool { return false }

func (d *direct) read() (int, error) { return 0, errors.ErrUnsupported }

func (d *direct) write([]byte) (int, error) { return 0, errors.ErrUnsupported }
