package webconferencing

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// onceFor is how long a command's idempotency key is remembered.
const onceFor = 24 * time.Hour

// once is a command's idempotency key together with what the command was, so
// that a key used for something else is noticed. The key is written in the
// same commit as what the command changed.
type once struct {
	key   string
	print string
}

// newOnce returns nil if the acting user gave no key.
func newOnce(by Actor, op string, id CallID, args any) (*once, error) {
	if by.Key == "" {
		return nil, nil
	}
	if err := checkText("key", by.Key, 1, maxID); err != nil {
		return nil, err
	}
	b, err := json.Marshal([]any{op, id, by.Client, args})
	if err != nil {
		return nil, invalid("arguments", "can't be encoded")
	}
	sum := sha256.Sum256(b)
	return &once{key: "once/" + string(by.User) + "/" + by.Key, print: hex.EncodeToString(sum[:])}, nil
}

// carriedOut tells whether the command was carried out before, durably or by
// the values that are about to be committed.
func (s *Service) carriedOut(ctx context.Context, o *once, pending []ValueChange) (bool, error) {
	if o == nil {
		return false, nil
	}
	var print string
	if i := slices.IndexFunc(pending, func(v ValueChange) bool { return v.Key == o.key }); i >= 0 {
		print = string(pending[i].Data)
	} else {
		v, err := s.store.Value(ctx, o.key)
		if errors.Is(err, ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		print = string(v.Data)
	}
	if print != o.print {
		return false, invalid("key", "was used for another command")
	}
	return true, nil
}

// change is what has to be written to remember the command.
func (o *once) change(now time.Time) ValueChange {
	return ValueChange{Key: o.key, Data: []byte(o.print), Expires: now.Add(onceFor)}
}
