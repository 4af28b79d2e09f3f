package webconferencing

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
)

const (
	maxRef = 32
	refLen = 12 // 60 random bits
)

// cleanRef returns a reference that came from outside, or "" if it can't be
// one.
func cleanRef(ref string) string {
	if len(ref) > maxRef {
		return ""
	}
	for i := range len(ref) {
		c := ref[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return ""
		}
	}
	return ref
}

func newRef() string { return strings.ToLower(rand.Text()[:refLen]) }

// wrap is the way out of the service for an error of a command by an actor:
// like the function wrap it gives the error its operation, and a failure that
// the caller can't see into a reference under which the log has the details.
func (s *Service) wrap(ctx context.Context, by Actor, op string, err error) error {
	err = wrap(op, err)
	var e *Error
	if !errors.As(err, &e) || e.Ref != "" {
		return err
	}
	level := slog.LevelDebug
	switch {
	case e.Code == CodeInternal:
		level = slog.LevelError
	case e.Code == CodeUnavailable && !errors.Is(err, context.Canceled):
		level = slog.LevelWarn
	}
	ref := cleanRef(by.Ref)
	if s.logger.Enabled(ctx, level) || e.Code == CodeInternal || e.Code == CodeUnavailable {
		if ref == "" {
			ref = newRef()
		}
		s.logger.Log(ctx, level, "command failed", "ref", ref, "op", op,
			"code", string(e.Code), "reason", e.Reason, "user", string(by.User), "client", string(by.Client), "error", err)
	}
	if ref == "" {
		return err
	}
	named := *e
	named.Ref = ref
	return &named
}
