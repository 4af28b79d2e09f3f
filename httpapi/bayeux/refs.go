package bayeux

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// A reference joins what a client is told of a fault of the server, which says
// nothing of its cause, to the line of the log that does. The client finds it in
// ext.ref of a reply, in data.ref of a failed remote call, in requestId of an
// HTTP error and in the reason of a WebSocket's end.

// refLength is how much of a random text is a reference: 60 bits, short enough
// to be read out on the telephone.
const refLength = 12

func newRef() string { return strings.ToLower(rand.Text()[:refLength]) }

// How many lines a second are written about faults, and how many at once: who
// has found a way to cause them must not fill the log.
const (
	faultLines = 10
	faultBurst = 100
)

// faultLog writes the lines that have a reference.
type faultLog struct {
	mu      sync.Mutex
	lines   bucket
	dropped int // since the last line
}

// note logs a fault and returns the reference that the line has. It is empty if
// there is no line, because nobody wants it or because there were too many.
func (srv *Server) note(level slog.Level, text string, attrs ...slog.Attr) (ref string) {
	return srv.faults.note(srv.log, level, text, attrs)
}

// noteRefusal is note for what happens in the ordinary course of things, which
// must not take the lines of faults.
func (srv *Server) noteRefusal(level slog.Level, text string, attrs ...slog.Attr) (ref string) {
	return srv.refusals.note(srv.log, level, text, attrs)
}

func (l *faultLog) note(log *slog.Logger, level slog.Level, text string, attrs []slog.Attr) (ref string) {
	if !log.Enabled(context.Background(), level) {
		return ""
	}
	l.mu.Lock()
	l.lines.refill(time.Now(), faultLines)
	if l.lines.used+1 > faultBurst {
		l.dropped++
		l.mu.Unlock()
		return ""
	}
	l.lines.used++
	dropped := l.dropped
	l.dropped = 0
	l.mu.Unlock()
	ref = newRef()
	for i, a := range attrs {
		if a.Value.Kind() == slog.KindString && a.Key != "stack" {
			attrs[i].Value = slog.StringValue(clip(a.Value.String()))
		}
	}
	attrs = slices.Insert(attrs, 0, slog.String("ref", ref))
	if dropped > 0 {
		attrs = append(attrs, slog.Int("dropped", dropped))
	}
	log.LogAttrs(context.Background(), level, "bayeux: "+text, attrs...)
	return ref
}

// clip cuts what comes from a client to what a line of a log has room for.
func clip(text string) string {
	const most = 200
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// notePanic counts and logs a panic of the application's code.
func (srv *Server) notePanic(where string, fault any, stack []byte) (ref string) {
	srv.stats.panics.Add(1)
	return srv.note(slog.LevelError, "panic in application code",
		slog.String("where", where), slog.Any("fault", fault), slog.String("stack", string(stack)))
}

// noteLate logs that a hook did not answer, and returns the error for that.
func (srv *Server) noteLate(g *hookGuard) error {
	return errHookLate.named(srv.note(slog.LevelError, "hook did not return in time",
		slog.String("hook", g.name), slog.Int64("stuck", int64(g.stuck.Load()))))
}

// withRef adds a reference to the data of a failed remote call, if that is an
// object.
func withRef(data json.RawMessage, ref string) json.RawMessage {
	if ref == "" || len(data) == 0 || data[0] != '{' {
		return data
	}
	var b []byte
	for _, f := range members(data) {
		if f.name != "ref" {
			b = appendMember(b, f.name, f.value)
		}
	}
	return appendMember(b, "ref", refJSON(ref))
}

func refJSON(ref string) []byte { return []byte(`"` + ref + `"`) }

// closeReason is what a client is told with the end of its WebSocket.
func closeReason(code, ref string) string {
	if ref == "" {
		return code
	}
	return code + " " + ref
}
