package bayeux

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Errors that a caller can tell apart with errors.Is.
var (
	// ErrClosed says that the session or the server has ended; nothing was
	// queued.
	ErrClosed = errors.New("bayeux: closed")

	// ErrSlow says that the session's queue was full. The session has been
	// ended with [ReasonSlow] and its queue was freed.
	ErrSlow = errors.New("bayeux: session is too slow")

	// ErrChannel says that a channel name is not valid for the purpose.
	ErrChannel = errors.New("bayeux: invalid channel")

	// ErrData says that a payload or a field is not valid JSON.
	ErrData = errors.New("bayeux: invalid data")

	// ErrAnswered says that a remote call has its answer already.
	ErrAnswered = errors.New("bayeux: already answered")
)

// Error texts of replies. They are CometD's where CometD has one, since
// applications compare them.
const (
	errChannelMissing      = "400::channel_missing"
	errProtocolViolation   = "400::protocol_violation"
	errDataMissing         = "400::data_missing"
	errAdviceInvalid       = "400::advice_invalid"
	errReplayInvalid       = "400::replay_id_invalid"
	errReplayPattern       = "400::replay_pattern_invalid"
	errVersionMismatch     = "300::version_mismatch"
	errConnectionTypes     = "301::connection_types_not_supported"
	errSessionUnknown      = "402::session_unknown"
	errSubscriptionMissing = "403::subscription_missing"
	errSubscriptionInvalid = "403::subscription_invalid"
	errSubscribeFailed     = "403::subscribe_failed"
	errUnsubscribeFailed   = "403::unsubscribe_failed"
	errMessageDeleted      = "404::message_deleted"
	errServiceUnknown      = "404::service_unknown"
	errChannelInvalid      = "405::channel_invalid"
	errMessageIDInvalid    = "405::message_id_invalid"
	errConnectOvertaken    = "408::connect_overtaken"
	errTooManyMessages     = "429::too_many_messages"
	errInternal            = "500::internal"
	errBusy                = "503::busy"
	errShutdown            = "503::" + codeShutdown
	errTimeout             = "504::timeout"

	codeShutdown = "shutdown"
	reasonPolicy = "denied_by_security_policy"
	reasonLimit  = "limit"
)

// Refusal is the error by which a hook refuses a client in words of its own.
// Any other error refuses as well, but its text stays inside the process: the
// client is told the general reason only. The client gets code:reason:text, so
// that &Refusal{Reason: "wrong_token"} of a publish is the error
// "403:wrong_token:publish_denied"; Faye's client shows the last part.
type Refusal struct {
	// Code is the leading number of the Bayeux error. Defaults to 403.
	Code int

	// Reason is the middle part of the Bayeux error, one or more words joined
	// by "_". Characters that the Bayeux grammar does not allow there are
	// replaced by "_". Defaults to "denied_by_security_policy", in a handshake
	// to nothing.
	Reason string

	// Text is the last part of the Bayeux error, of the same form as Reason.
	// Defaults to what was refused: "subscribe_denied", "publish_denied" and
	// so on.
	Text string

	// Ext becomes the ext member of the reply; it must be a JSON object.
	// Defaults to no ext.
	Ext json.RawMessage

	// Retry tells a refused handshake to try again instead of giving up. It
	// has no meaning elsewhere. Defaults to false.
	Retry bool
}

// Error implements error.
func (r *Refusal) Error() string {
	return fmt.Sprintf("refused: %d:%s", r.code(), r.Reason)
}

func isRefusal(err error) bool {
	var refusal *Refusal
	return errors.As(err, &refusal)
}

func (r *Refusal) code() int {
	if r.Code < 100 || r.Code > 999 {
		return 403
	}
	return r.Code
}

// refusalText forms the Bayeux error for a hook's error. The fallback reason
// is used when the error does not bring one.
func refusalText(err error, fallback, text string) string {
	if text, ok := hookText(err); ok {
		return text
	}
	code, reason := 403, fallback
	var refusal *Refusal
	if errors.As(err, &refusal) {
		code = refusal.code()
		if refusal.Reason != "" {
			reason = refusalReason(refusal.Reason)
		}
		if refusal.Text != "" {
			text = refusalReason(refusal.Text)
		}
	}
	return fmt.Sprintf("%d:%s:%s", code, reason, text)
}

func refusalReason(s string) string {
	const max = 128
	if len(s) > max {
		s = s[:max]
	}
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			return c
		case strings.ContainsRune("-_!~()$@./", c):
			return c
		}
		return '_'
	}, s)
}

// Reason tells why a session or one of its subscriptions ended.
type Reason string

// The reasons why sessions and subscriptions end.
const (
	// ReasonUnsubscribed: the client unsubscribed; the session lives on.
	ReasonUnsubscribed Reason = "unsubscribed"
	// ReasonDisconnect: the client said goodbye.
	ReasonDisconnect Reason = "disconnect"
	// ReasonExpired: nothing was heard of the client for too long.
	ReasonExpired Reason = "expired"
	// ReasonSlow: the client did not take what was queued for it.
	ReasonSlow Reason = "slow"
	// ReasonKicked: the application ended the session.
	ReasonKicked Reason = "kicked"
	// ReasonUnauthorized: Options.Reauthenticate no longer accepts the client,
	// or Options.Authorize no longer allows the subscription.
	ReasonUnauthorized Reason = "unauthorized"
	// ReasonReplaced: the client made a new session on the same socket, or a
	// newer session of the same user needed the place.
	ReasonReplaced Reason = "replaced"
	// ReasonInactive: no activity other than heartbeats for too long.
	ReasonInactive Reason = "inactive"
	// ReasonShutdown: the server stopped.
	ReasonShutdown Reason = "shutdown"
)
