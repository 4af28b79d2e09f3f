package wsframe

import (
	"errors"
	"strconv"
)

// Close codes of RFC 6455, section 7.4, and of its registry.
const (
	CodeNormal      = 1000
	CodeGoingAway   = 1001
	CodeProtocol    = 1002 // the protocol was broken
	CodeUnsupported = 1003 // a kind of message that is not accepted
	CodeNoStatus    = 1005 // a close frame without a code; never sent
	CodeInvalidText = 1007 // text that is not UTF-8
	CodePolicy      = 1008 // one of the limits was exceeded
	CodeTooBig      = 1009 // the message is too large
	CodeInternal    = 1011
	CodeTryAgain    = 1013
)

var (
	// ErrWake says that the time given to [Conn.SetWake] has come. The
	// connection is as it was.
	ErrWake = errors.New("wake-up time has come")

	// ErrWouldWait says that nothing was written, because that would have taken
	// time.
	ErrWouldWait = errors.New("writing would have to wait")

	// ErrClosed says that this end has closed or dropped the connection.
	ErrClosed = errors.New("connection is closed")
)

// CloseError says with which close code a connection has ended.
type CloseError struct {
	// Code is the close code that was sent or received. It is CodeNoStatus if
	// the other end gave none.
	Code int

	// Reason is the text that went with it.
	Reason string

	// Remote says that the other end closed the connection. Otherwise this end
	// did, because the other end broke a rule.
	Remote bool
}

// Error returns a description for people.
func (e *CloseError) Error() string {
	who := "closed for breaking the protocol"
	if e.Remote {
		who = "closed by the other end"
	}
	s := who + ": " + strconv.Itoa(e.Code)
	if e.Reason != "" {
		s += " " + strconv.Quote(e.Reason)
	}
	return s
}

// HandshakeError says why a request cannot become a WebSocket. The response has
// not been begun; headers that belong to it have been set.
type HandshakeError struct {
	// Status is the HTTP status to answer with.
	Status int

	// Err says what is wrong.
	Err error
}

// Error returns a description for people.
func (e *HandshakeError) Error() string { return "no WebSocket handshake: " + e.Err.Error() }

// Unwrap returns Err.
func (e *HandshakeError) Unwrap() error { return e.Err }
