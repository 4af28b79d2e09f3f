package webconferencing

import (
	"context"
	"errors"
	"fmt"
)

// Code says what kind of failure an [Error] is. Each code has one answer on
// the wire and one HTTP status, see [Error].
type Code string

// The codes of an [Error].
const (
	// CodeInvalid: an argument is missing, too long or senseless. The error's
	// Field names it.
	CodeInvalid Code = "invalid"
	// CodeDenied: the acting user may not do this.
	CodeDenied Code = "denied"
	// CodeNotFound: the thing does not exist, or the acting user may not know
	// that it does.
	CodeNotFound Code = "not_found"
	// CodeConflict: the command is sensible but does not fit the present
	// state, for example a call id that is already in use.
	CodeConflict Code = "conflict"
	// CodeGone: the thing existed and never comes back, for example a seat
	// whose lease has run out.
	CodeGone Code = "gone"
	// CodeLimited: a limit on size, number or rate was reached.
	CodeLimited Code = "limited"
	// CodeUnsupported: a provider or store lacks the capability.
	CodeUnsupported Code = "unsupported"
	// CodeUnavailable: the outcome is unknown or the store can't be reached; a
	// retry is safe.
	CodeUnavailable Code = "unavailable"
	// CodeInternal: anything else. The details are for the log, never for the
	// caller at the other end.
	CodeInternal Code = "internal"
)

// Sentinels that a [Store] or [Directory] returns, wrapped with %w or bare,
// and that callers test with [errors.Is].
var (
	// ErrNotFound: there is no such record.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the record is not at the expected version; nothing was
	// written.
	ErrConflict = errors.New("version conflict")
	// ErrOutcomeUnknown: the commit failed in a way that leaves open whether
	// it took place. The store must be read again before anybody is told.
	ErrOutcomeUnknown = errors.New("commit outcome unknown")
	// ErrPositionGone: the journal no longer holds the events after the
	// given position.
	ErrPositionGone = errors.New("position is outside the history")
	// ErrClosed: the store, service or subscription has been closed.
	ErrClosed = errors.New("closed")
)

// Reasons that accompany an [Error] on the wire, finer than its code.
const (
	ReasonCallConflict      = "call_conflict"
	ReasonAnsweredElsewhere = "answered_elsewhere"
	ReasonNotRinging        = "not_ringing"
	ReasonVersion           = "version_conflict"
	ReasonNotParticipant    = "not_participant"
	ReasonSeatGone          = "seat_gone"
	ReasonCallFull          = "call_full"
	ReasonNotStarted        = "not_started"
	ReasonUnknownProvider   = "unknown_provider"
	ReasonInactive          = "provider_inactive"
	ReasonNotGroup          = "not_supported_by_provider"
	ReasonUnknownOutcome    = "unknown_outcome"
	ReasonRingLimit         = "ring_limit"
)

// Error is the one error type that [Service] returns. Message is written for
// the person at the other end; only Code, Reason, Field and Message ever leave
// the process, with Version, Device and Ref; Err is for the log.
type Error struct {
	Code    Code
	Op      string // what was tried, for example "join call"
	Reason  string // one of the Reason constants, or ""
	Field   string // the argument at fault, with CodeInvalid
	Message string // authored text, safe to show
	Version uint64 // the call's present version, with ReasonVersion
	// Device is the device that was faster, with ReasonAnsweredElsewhere.
	Device ClientID
	// Ref names this failure in the service's log, for people to quote. It is
	// there for CodeInternal and CodeUnavailable, and for other codes if the
	// logger logs at debug level or the [Actor] brought one.
	Ref string
	Err error // the cause; may be nil
}

// Error returns the operation, the message and the cause in one line.
func (e *Error) Error() string {
	s := e.Message
	if s == "" {
		s = string(e.Code)
	}
	if e.Op != "" {
		s = e.Op + ": " + s
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of the first [Error] in err's chain. A bare sentinel
// or context error has the code that a Service would give it; anything else is
// [CodeInternal], and nil is "".
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	switch {
	case errors.Is(err, ErrNotFound):
		return CodeNotFound
	case errors.Is(err, ErrConflict):
		return CodeConflict
	case errors.Is(err, ErrPositionGone):
		return CodeGone
	case errors.Is(err, ErrOutcomeUnknown), errors.Is(err, ErrClosed),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return CodeUnavailable
	}
	return CodeInternal
}

// wrap gives err the operation it happened in, once: an *Error keeps its code
// and gains the Op if it has none, everything else becomes an *Error.
func wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		if e.Op != "" {
			return err
		}
		c := *e
		c.Op = op
		return &c
	}
	e = &Error{Code: CodeOf(err), Op: op, Err: err}
	switch e.Code {
	case CodeNotFound:
		e.Message = "no such record"
	case CodeConflict:
		e.Message = "changed by somebody else meanwhile"
	case CodeUnavailable:
		e.Message = "the outcome is not known, please try again"
		e.Reason = ReasonUnknownOutcome
	case CodeInternal:
		e.Message = "internal error"
	}
	return e
}

func invalid(field, format string, args ...any) error {
	return &Error{Code: CodeInvalid, Field: field, Message: field + " " + fmt.Sprintf(format, args...)}
}

func denied(message string) error { return &Error{Code: CodeDenied, Message: message} }

func noSuchCall() error {
	return &Error{Code: CodeNotFound, Message: "call not found", Err: ErrNotFound}
}

func conflict(reason, message string) error {
	return &Error{Code: CodeConflict, Reason: reason, Message: message}
}
