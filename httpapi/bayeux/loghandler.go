package bayeux

import (
	"context"
	"fmt"
	"log/slog"
)

// logHandler keeps panics of the application's log handler from ending more than
// the line: much is logged where there is no request that could fail.
type logHandler struct{ slog.Handler }

func guardLogger(log *slog.Logger) *slog.Logger { return slog.New(logHandler{log.Handler()}) }

// WithAttrs implements [slog.Handler].
func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h logHandler) WithGroup(name string) slog.Handler {
	return logHandler{h.Handler.WithGroup(name)}
}

// Enabled implements [slog.Handler].
func (h logHandler) Enabled(ctx context.Context, level slog.Level) (enabled bool) {
	// One that fails here gets no line.
	defer func() { _ = recover() }()
	return h.Handler.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h logHandler) Handle(ctx context.Context, r slog.Record) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("bayeux: panic of the log handler: %v", fault)
		}
	}()
	return h.Handler.Handle(ctx, r)
}
