package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// refLength is how much of a random text is a reference: 60 bits, short enough
// to be read out on the telephone.
const refLength = 12

// newRef returns a new error reference. Every request and command has one; it
// is told to the client if it fails, and then stands in the server's log.
func newRef() string { return strings.ToLower(rand.Text()[:refLength]) }

// attempt is what somebody tried, as far as it is known when it fails.
type attempt struct {
	ref  string
	what string // a route, a command, "handshake", ...
	by   webconferencing.Actor
	call webconferencing.CallID
	// request is the name that a proxy gave the request, for joining its log.
	request string
}

// fail writes the log line of a failure and returns what the other end may
// know of it, with the reference that is in the line. A conflict about a call
// that the actor may read carries the call's present version.
func (a *API) fail(ctx context.Context, at *attempt, err error) (errorView, int) {
	view, status := viewError(err)
	if view.Ref == "" {
		view.Ref = at.ref
	}
	if status == http.StatusConflict && view.Version == 0 && at.call != "" {
		if c, err := a.svc.Call(ctx, at.by, at.call); err == nil {
			view.Version = c.Version
		}
	}
	a.logFailure(ctx, at, view, status, err)
	return view, status
}

// logFailure writes faults of ours or the host's as errors, and what a client
// did wrong for information; neither may fill the log.
func (a *API) logFailure(ctx context.Context, at *attempt, view errorView, status int, err error) {
	if clientGone(ctx) {
		return
	}
	var e *webconferencing.Error
	level, text := slog.LevelInfo, "request refused"
	switch {
	case errors.As(err, &e) && e.Ref != "" && status >= http.StatusInternalServerError:
		level = slog.LevelDebug // the service has a line under the same reference
	case status == http.StatusInternalServerError:
		level, text = slog.LevelError, "request failed"
	case status >= http.StatusInternalServerError:
		level, text = slog.LevelWarn, "request failed"
	}
	if !a.log.Enabled(ctx, level) {
		return
	}
	lines, key := a.refusals, string(at.by.User)
	if level > slog.LevelInfo {
		lines, key = a.lines, ""
	}
	if _, ok := lines.allow(key, time.Now()); !ok {
		return
	}
	attrs := []slog.Attr{
		slog.String("ref", view.Ref), slog.String("what", at.what), slog.String("user", string(at.by.User)),
		slog.Int("status", status),
	}
	for _, more := range []slog.Attr{
		slog.String("call", string(at.call)), slog.String("client", string(at.by.Client)), slog.String("reason", view.Reason),
		slog.String("field", view.Field), slog.String("request", at.request),
	} {
		if more.Value.String() != "" {
			attrs = append(attrs, more)
		}
	}
	a.log.LogAttrs(ctx, level, text, append(attrs, slog.Any("error", err))...)
}

// requestName returns the request's X-Request-Id if it has the form that proxies
// give it. It is only ever written to the log, beside the reference: a client
// may choose it, and must not be able to choose what others' lines are found
// by.
func requestName(r *http.Request) string {
	const most = 64
	name := r.Header.Get("X-Request-Id")
	if len(name) > most {
		return ""
	}
	for _, c := range name {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return ""
		}
	}
	return name
}

// refuse turns a failure into the words in which Bayeux refuses, with the
// reference in the reply's ext.
func (a *API) refuse(ctx context.Context, at *attempt, m *bayeux.Message, err error) error {
	var already *bayeux.Refusal
	if errors.As(err, &already) {
		return err
	}
	at.ref = newRef()
	view, status := a.fail(ctx, at, err)
	r := refusal(view, status)
	ref, err := json.Marshal(view.Ref)
	if err == nil {
		err = m.SetReplyExt("ref", ref)
		r.Ext = json.RawMessage(`{"ref":` + string(ref) + `}`) // of a handshake
	}
	return errors.Join(r, err)
}
