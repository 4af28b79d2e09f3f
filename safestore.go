package webconferencing

import (
	"context"
	"fmt"
	"iter"
	"time"
)

// safeStore stands between the service and the host's store: a panic in the
// store becomes an error, and in a commit an unknown outcome.
type safeStore struct {
	behind Store
	caught func(ctx context.Context, where string, v any)
}

// rescue turns a panic into *err; to be deferred.
func (s safeStore) rescue(ctx context.Context, method string, as error, err *error) {
	if v := recover(); v != nil {
		s.caught(ctx, "store "+method, v)
		*err = fmt.Errorf("store %s panicked: %w", method, as)
	}
}

var errStorePanic = &Error{Code: CodeInternal, Message: "internal error"}

func (s safeStore) Call(ctx context.Context, id CallID) (c *Call, err error) {
	defer s.rescue(ctx, "call", errStorePanic, &err)
	return s.behind.Call(ctx, id)
}

func (s safeStore) Calls(ctx context.Context, q CallQuery) iter.Seq2[*Call, error] {
	return func(yield func(*Call, error) bool) {
		next, stop := iter.Pull2(s.behind.Calls(ctx, q))
		defer stop()
		for {
			c, err, more := safeNext(ctx, s, "calls", next)
			if !more || !yield(c, err) || err != nil {
				return
			}
		}
	}
}

// safeNext takes one step of a store's iterator; its panic ends it.
func safeNext[T any](ctx context.Context, s safeStore, method string, pull func() (T, error, bool)) (v T, err error, more bool) {
	more = true
	defer s.rescue(ctx, method, errStorePanic, &err)
	return pull()
}

func (s safeStore) Due(ctx context.Context, until time.Time, limit int) (ids []CallID, err error) {
	defer s.rescue(ctx, "due", errStorePanic, &err)
	return s.behind.Due(ctx, until, limit)
}

func (s safeStore) Events(ctx context.Context, topic Topic, after Position, limit int) (events []Event, err error) {
	defer s.rescue(ctx, "events", errStorePanic, &err)
	return s.behind.Events(ctx, topic, after, limit)
}

func (s safeStore) Value(ctx context.Context, key string) (v *Value, err error) {
	defer s.rescue(ctx, "value", errStorePanic, &err)
	return s.behind.Value(ctx, key)
}

func (s safeStore) Values(ctx context.Context, q ValueQuery) iter.Seq2[*Value, error] {
	return func(yield func(*Value, error) bool) {
		next, stop := iter.Pull2(s.behind.Values(ctx, q))
		defer stop()
		for {
			v, err, more := safeNext(ctx, s, "values", next)
			if !more || !yield(v, err) || err != nil {
				return
			}
		}
	}
}

func (s safeStore) Commit(ctx context.Context, c *Change) (p Position, err error) {
	defer s.rescue(ctx, "commit", ErrOutcomeUnknown, &err)
	return s.behind.Commit(ctx, c)
}
