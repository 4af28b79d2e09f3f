// Package plainsocket reads from and writes to sockets without a layer in
// between: waiting for bytes needs no memory for them, and writing never waits,
// so that it needs no deadline.
package plainsocket

// Memory is where a [Socket] reads to.
type Memory interface {
	// Room returns memory to read into, which must not be empty.
	Room() []byte

	// Release may take back what Room has returned, since there is nothing to
	// read yet.
	Release()
}
