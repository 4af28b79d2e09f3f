package faultstore_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/faultstore"
	"github.com/webconferencing/webconferencing/store/memstore"
	"github.com/webconferencing/webconferencing/store/storetest"
)

// closable lends a wrapper the Close of the store behind.
type closable struct {
	*faultstore.Store
	io.Closer
}

func TestTransparent(t *testing.T) {
	storetest.Run(t, func(*testing.T) webconferencing.Store {
		s := memstore.New()
		return closable{faultstore.New(s), s}
	})
}

var errBoom = errors.New("boom")

func setValue(s webconferencing.Store, key string) error {
	_, err := s.Commit(context.Background(), &webconferencing.Change{
		Values: []webconferencing.ValueChange{{Key: key, Data: []byte("x")}},
	})
	return err
}

func TestNthAndTimes(t *testing.T) {
	s := faultstore.New(memstore.New(), faultstore.Fault{
		Method: faultstore.Value, Nth: 2, Times: 2, Err: errBoom,
	})
	var got []bool
	for range 5 {
		_, err := s.Value(t.Context(), "k")
		got = append(got, errors.Is(err, errBoom))
		if _, err := s.Call(t.Context(), "c"); errors.Is(err, errBoom) {
			t.Error("the fault struck another method")
		}
	}
	if want := []bool{false, true, true, false, false}; !slices.Equal(got, want) {
		t.Errorf("struck %v, want %v", got, want)
	}
	struck := 0
	for _, r := range s.Records() {
		if r.Fault != nil {
			struck++
		}
	}
	if len(s.Records()) != 10 || struck != 2 {
		t.Errorf("%d records, %d struck", len(s.Records()), struck)
	}
}

func TestForeverUntilClear(t *testing.T) {
	s := faultstore.New(memstore.New(), faultstore.Fault{Times: faultstore.Forever, Err: errBoom})
	for range 3 {
		if err := setValue(s, "k"); !errors.Is(err, errBoom) {
			t.Errorf("Commit: %v", err)
		}
		for _, err := range s.Calls(t.Context(), webconferencing.CallQuery{}) {
			if !errors.Is(err, errBoom) {
				t.Errorf("Calls: %v", err)
			}
		}
	}
	s.Clear()
	if err := setValue(s, "k"); err != nil {
		t.Errorf("Commit: %v", err)
	}
}

func TestThrough(t *testing.T) {
	for _, through := range []bool{false, true} {
		s := faultstore.New(memstore.New(), faultstore.Fault{
			Method: faultstore.Commit, Err: webconferencing.ErrOutcomeUnknown, Through: through,
		})
		if err := setValue(s, "k"); !errors.Is(err, webconferencing.ErrOutcomeUnknown) {
			t.Errorf("Commit: %v", err)
		}
		if _, err := s.Value(t.Context(), "k"); (err == nil) != through {
			t.Errorf("through %v: Value: %v", through, err)
		}
	}
}

func TestPanicAfterTheEffect(t *testing.T) {
	s := faultstore.New(memstore.New(), faultstore.Fault{Method: faultstore.Commit, Panic: "boom", Through: true})
	func() {
		defer func() {
			if r := recover(); r != "boom" {
				t.Errorf("recovered %v", r)
			}
		}()
		_ = setValue(s, "k")
	}()
	if _, err := s.Value(t.Context(), "k"); err != nil {
		t.Errorf("Value: %v", err)
	}
}

func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := faultstore.New(memstore.New(), faultstore.Fault{Method: faultstore.Due, Times: 2, Delay: time.Minute})
		start := time.Now()
		if _, err := s.Due(t.Context(), start, 1); err != nil || time.Since(start) != time.Minute {
			t.Errorf("Due: %v after %v", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		if _, err := s.Due(ctx, start, 1); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("Due: %v after %v", err, time.Since(start))
		}
	})
}
