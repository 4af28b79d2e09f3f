// Package wsframe is the server's side of the WebSocket protocol, RFC 6455,
// for very many connections that are silent most of the time.
//
// An [Upgrader] turns an HTTP request into a [Conn]. One goroutine, which the
// caller starts and owns, reads messages from it with [Conn.ReadMessage]; any
// goroutine may write whole frames with [Conn.WriteFrames]. A frame for many
// connections is encoded once, with [AppendText] or [FinishText].
//
// A connection that waits holds no buffer and no timer besides the one of its
// read deadline. Everything the other end does is bounded: the size of a
// message, its fragments, the time that it may take, the control frames in a
// second, and the time that closing may take. Each breach has its own close
// code. Extensions are never agreed to.
package wsframe

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Options changes how connections behave. The zero value has the defaults.
type Options struct {
	// Subprotocols are agreed to if the client offers them, the first one
	// preferred. Defaults to none.
	Subprotocols []string

	// MaxMessageBytes bounds a message's payload, all fragments together. A
	// larger one closes the connection with 1009 as soon as it is announced.
	// Defaults to 64 KiB.
	MaxMessageBytes int

	// MaxFragments bounds the frames of a message. One more closes the
	// connection with 1008. Defaults to 64.
	MaxFragments int

	// MessageTimeout bounds the time from a message's first byte to its last
	// one. A longer one closes the connection with 1008. Defaults to 10 s.
	MessageTimeout time.Duration

	// MaxControls bounds the pings and pongs that are accepted in a second.
	// One more closes the connection with 1008. Defaults to 10.
	MaxControls int

	// WriteTimeout bounds each writing of frames. A connection that takes
	// longer is dropped. Defaults to 5 s.
	WriteTimeout time.Duration

	// CloseTimeout bounds the wait for the other end's part of the closing
	// handshake. Defaults to 5 s.
	CloseTimeout time.Duration

	// TextOnly closes the connection with 1003 when a binary message begins.
	// Defaults to false.
	TextOnly bool
}

// withDefaults returns a copy with the defaults in place of zero values.
func (o *Options) withDefaults() (Options, error) {
	c := Options{}
	if o != nil {
		c = *o
	}
	c.Subprotocols = slices.Clone(c.Subprotocols)
	c.MaxMessageBytes = cmp.Or(c.MaxMessageBytes, 64<<10)
	c.MaxFragments = cmp.Or(c.MaxFragments, 64)
	c.MessageTimeout = cmp.Or(c.MessageTimeout, 10*time.Second)
	c.MaxControls = cmp.Or(c.MaxControls, 10)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, 5*time.Second)
	c.CloseTimeout = cmp.Or(c.CloseTimeout, 5*time.Second)
	return c, c.check()
}

func (o *Options) check() error {
	var faults []error
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"MaxMessageBytes", int64(o.MaxMessageBytes)},
		{"MaxFragments", int64(o.MaxFragments)},
		{"MessageTimeout", int64(o.MessageTimeout)},
		{"MaxControls", int64(o.MaxControls)},
		{"WriteTimeout", int64(o.WriteTimeout)},
		{"CloseTimeout", int64(o.CloseTimeout)},
	} {
		if f.value < 0 {
			faults = append(faults, fmt.Errorf("Options.%s is negative", f.name))
		}
	}
	for _, p := range o.Subprotocols {
		if !isToken(p) {
			faults = append(faults, fmt.Errorf("Options.Subprotocols has %q, which is not a token", p))
		}
	}
	return errors.Join(faults...)
}

// Upgrader makes connections that share their options and their spare buffers.
// It is safe for concurrent use.
type Upgrader struct {
	opts   Options
	inputs sync.Pool // of *[inputBytes]byte, for what was read
	gather sync.Pool // of *[gatherBytes]byte, for what is to be written
}

// New returns an Upgrader. It reports all faults of the options at once.
func New(opts *Options) (*Upgrader, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("new upgrader: %w", err)
	}
	return &Upgrader{opts: o}, nil
}

const (
	// inputBytes is enough for a typical message with its header. Larger
	// messages move to memory of their own.
	inputBytes = 4 << 10

	// gatherBytes is up to where copying frames together is cheaper than
	// handing a list to the operating system.
	gatherBytes = 16 << 10
)

func (u *Upgrader) takeInput() *[inputBytes]byte {
	if b, ok := u.inputs.Get().(*[inputBytes]byte); ok {
		return b
	}
	return new([inputBytes]byte)
}

func (u *Upgrader) takeGather() *[gatherBytes]byte {
	if b, ok := u.gather.Get().(*[gatherBytes]byte); ok {
		return b
	}
	return new([gatherBytes]byte)
}

func (u *Upgrader) giveGather(b *[gatherBytes]byte) {
	if b != nil {
		u.gather.Put(b)
	}
}
