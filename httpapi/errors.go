package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/webconferencing/webconferencing"
)

// ErrUnauthenticated is what an [Authenticator] returns when nobody is signed
// in. It is answered by HTTP status 401.
var ErrUnauthenticated = errors.New("nobody is signed in")

// The codes of the Error shape. Old clients branch on them.
const (
	wireClientError   = "CLIENT_ERROR"
	wireNotFoundError = "NOT_FOUND_ERROR"
	wireAccessError   = "ACCESS_ERROR"
	wireServerError   = "SERVER_ERROR"
)

// errorView is the one shape in which every failure leaves the process.
type errorView struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Error   bool   `json:"error"` // always true
	Reason  string `json:"reason,omitempty"`
	Field   string `json:"field,omitempty"`
	Version uint64 `json:"version,omitempty"` // of the call, with a conflict
	Device  string `json:"device,omitempty"`  // that was faster, with reason answered_elsewhere
	Ref     string `json:"ref,omitempty"`     // finds the failure in the server's log
}

func (v errorView) json() json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage(`{"code":"SERVER_ERROR","message":"internal error","error":true}`)
	}
	return raw
}

// statusError is a failure of HTTP itself, which the core knows nothing of.
type statusError struct {
	status     int
	code       string
	reason     string
	message    string
	retryAfter time.Duration
	allow      string // value of the Allow header, with status 405
}

func (e *statusError) Error() string { return e.message }

func clientStatus(status int, reason, message string) *statusError {
	return &statusError{status: status, code: wireClientError, reason: reason, message: message}
}

func tooManyRequests(wait time.Duration) *statusError {
	e := clientStatus(http.StatusTooManyRequests, "rate_limited", "too many requests, please try again later")
	e.retryAfter = wait
	return e
}

func invalid(field, message string) error {
	return &webconferencing.Error{Code: webconferencing.CodeInvalid, Field: field, Message: field + " " + message}
}

func accessDenied(message string) error {
	return &webconferencing.Error{Code: webconferencing.CodeDenied, Message: message}
}

// viewError returns what the other end may know of err, and its HTTP status.
func viewError(err error) (errorView, int) {
	var s *statusError
	var e *webconferencing.Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &s):
		return errorView{Code: s.code, Message: s.message, Error: true, Reason: s.reason}, s.status
	case errors.Is(err, ErrUnauthenticated):
		return errorView{Code: wireAccessError, Message: "please sign in", Error: true, Reason: "unauthenticated"}, http.StatusUnauthorized
	case errors.As(err, &tooLarge):
		return errorView{Code: wireClientError, Message: "the request is too large", Error: true, Reason: "too_large"}, http.StatusRequestEntityTooLarge
	case errors.As(err, &e):
		code, status := mapCode(e.Code)
		v := errorView{Code: code, Message: e.Message, Error: true, Reason: e.Reason, Field: e.Field, Version: e.Version, Device: string(e.Device), Ref: e.Ref}
		if e.Code == webconferencing.CodeInternal || v.Message == "" {
			v.Message = plainMessage(e.Code)
		}
		return v, status
	}
	core := webconferencing.CodeOf(err)
	code, status := mapCode(core)
	return errorView{Code: code, Message: plainMessage(core), Error: true}, status
}

// mapCode gives each code of the core its word on the wire and its HTTP
// status.
func mapCode(c webconferencing.Code) (string, int) {
	switch c {
	case webconferencing.CodeInvalid:
		return wireClientError, http.StatusBadRequest
	case webconferencing.CodeConflict:
		return wireClientError, http.StatusConflict
	case webconferencing.CodeLimited:
		return wireClientError, http.StatusTooManyRequests
	case webconferencing.CodeUnsupported:
		return wireClientError, http.StatusNotImplemented
	case webconferencing.CodeNotFound:
		return wireNotFoundError, http.StatusNotFound
	case webconferencing.CodeGone:
		return wireNotFoundError, http.StatusGone
	case webconferencing.CodeDenied:
		return wireAccessError, http.StatusForbidden
	case webconferencing.CodeUnavailable:
		return wireServerError, http.StatusServiceUnavailable
	}
	return wireServerError, http.StatusInternalServerError
}

// plainMessage is said when the error itself brings no text for the other end.
func plainMessage(c webconferencing.Code) string {
	switch c {
	case webconferencing.CodeInvalid:
		return "the request is not valid"
	case webconferencing.CodeConflict:
		return "the request does not fit the present state"
	case webconferencing.CodeLimited:
		return "a limit was reached"
	case webconferencing.CodeUnsupported:
		return "this is not supported"
	case webconferencing.CodeNotFound, webconferencing.CodeGone:
		return "there is no such thing"
	case webconferencing.CodeDenied:
		return "this is not allowed"
	case webconferencing.CodeUnavailable:
		return "temporarily unavailable, please try again"
	}
	return "internal error"
}

// WriteError answers a request with err in the Error shape of the wire
// contract: {"code","message","error":true} and, where known, reason and field.
// A [webconferencing.Error] is answered by its code, [ErrUnauthenticated] by
// 401, an [http.MaxBytesError] by 413 and everything else by 500 with a fixed
// text. Only authored text is written. Hosts use it in handlers of their own
// that belong to the same API. Nothing must have been written to w before.
func WriteError(w http.ResponseWriter, err error) {
	view, status := viewError(err)
	writeError(w, err, view, status)
}

func writeError(w http.ResponseWriter, err error, view errorView, status int) {
	var s *statusError
	if errors.As(err, &s) {
		if s.allow != "" {
			w.Header().Set("Allow", s.allow)
		}
		if s.retryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int((s.retryAfter+time.Second-1)/time.Second)))
		}
	}
	if h := w.Header(); h.Get("Retry-After") == "" &&
		(status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests) {
		h.Set("Retry-After", "1")
	}
	writeRaw(w, status, view.json())
}

// writeJSON answers with a value that marshals.
func writeJSON(w http.ResponseWriter, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	writeRaw(w, http.StatusOK, raw)
	return nil
}

func writeRaw(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-cache, no-store")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone, there is nobody to tell
}

// clientGone tells whether the request ended because its client went away, so
// that the error says nothing about us.
func clientGone(ctx context.Context) bool {
	return errors.Is(context.Cause(ctx), context.Canceled)
}
