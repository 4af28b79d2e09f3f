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
		*err = s.panicked(ctx, method, as, v)
	}
}

func (s safeStore) panicked(ctx context.Context, method string, as error, v any) error {
	s.caught(ctx, "store "+method, v)
	return fmt.Errorf("store %s panicked: %w", method, as)
}

var errStorePanic = &Error{Code: CodeInternal, Message: "internal error"}

func (s safeStore) Call(ctx context.Context, id CallID) (c *Call, err error) {
	defer s.rescue(ctx, "call", errStorePanic, &err)
	return s.behind.Call(ctx, id)
}

func (s safeStore) Calls(ctx context.Context, q CallQuery) iter.Seq2[*Call, error] {
	return safely(ctx, s, "calls", func() iter.Seq2[*Call, error] { return s.behind.Calls(ctx, q) })
}

// safely yields what a store's iterator does until the first error; a panic of
// the store is one.
func safely[T any](ctx context.Context, s safeStore, method string, behind func() iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		inBody, over := false, false
		defer func() {
			if inBody {
				return // the panic is the body's own
			}
			v := recover()
			if v == nil {
				return
			}
			if err := s.panicked(ctx, method, errStorePanic, v); !over {
				var none T
				yield(none, err)
			}
		}()
		for v, err := range behind() {
			inBody = true
			over = !yield(v, err) || err != nil
			inBody = false
			if over {
				return
			}
		}
	}
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
	return safely(ctx, s, "values", func() iter.Seq2[*Value, error] { return s.behind.Values(ctx, q) })
}

func (s safeStore) Commit(ctx context.Context, c *Change) (p Position, err error) {
	defer s.rescue(ctx, "commit", ErrOutcomeUnknown, &err)
	return s.behind.Commit(ctx, c)
}
