package webconferencing

import (
	"context"
	"errors"
	"maps"
	"time"
)

const (
	diagnosisFresh = 10 * time.Second
	maxProblem     = 500 // characters
	maxDetails     = 50
)

// Diagnose says whether a provider is ready for use, for administrators. A
// provider that can't tell counts as ready. Answers are up to 10 s old, and
// however many ask, the provider is asked by one at a time.
func (r *Registry) Diagnose(ctx context.Context, by Actor, typ string) (Diagnosis, error) {
	const op = "check provider"
	if !by.Admin {
		return Diagnosis{}, r.service.wrap(ctx, by, op, denied("only administrators may do this"))
	}
	e, err := r.find(typ)
	if err != nil {
		return Diagnosis{}, r.service.wrap(ctx, by, op, err)
	}
	if e.checker == nil {
		return Diagnosis{Ready: true}, nil
	}
	if err := e.diagnosing.take(ctx); err != nil {
		return Diagnosis{}, r.service.wrap(ctx, by, op, err)
	}
	defer e.diagnosing.give()
	if now := time.Now(); e.diagnosed.IsZero() || now.Sub(e.diagnosed) > diagnosisFresh {
		d := r.diagnose(ctx, e)
		if err := ctx.Err(); err != nil {
			return Diagnosis{}, r.service.wrap(ctx, by, op, err)
		}
		e.diagnosis, e.diagnosed = d, time.Now()
	}
	d := e.diagnosis
	d.Details = maps.Clone(d.Details)
	return d, nil
}

func (r *Registry) diagnose(ctx context.Context, e *entry) Diagnosis {
	d, err := ask(ctx, r, e, e.checker.Check)
	if err != nil {
		r.service.logger.WarnContext(ctx, "provider is not ready", "provider", e.info.Type, "error", err)
		d = Diagnosis{Problem: "the provider could not be checked; the server's log says why"}
		var own *Error
		if errors.As(err, &own) && own.Code != CodeInternal && own.Message != "" {
			d.Problem = own.Message
		}
	}
	if text := []rune(d.Problem); len(text) > maxProblem {
		d.Problem = string(text[:maxProblem])
	}
	details := make(map[string]string)
	for name, text := range d.Details {
		if len(details) < maxDetails {
			details[name] = text[:min(len(text), maxProblem)]
		}
	}
	d.Details = details
	return d
}
