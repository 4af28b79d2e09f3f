package memstore_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/memstore"
	"github.com/webconferencing/webconferencing/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) webconferencing.Store { return memstore.New() })
}

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, func(*testing.B) webconferencing.Store { return memstore.New() })
}

func TestValueExpiresByBubbleTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		_, err := s.Commit(t.Context(), &webconferencing.Change{Values: []webconferencing.ValueChange{
			{Key: "k", Data: []byte("x"), Expires: time.Now().Add(time.Hour)},
		}})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour - 1)
		if _, err := s.Value(t.Context(), "k"); err != nil {
			t.Errorf("value is gone too early: %v", err)
		}
		time.Sleep(time.Nanosecond)
		if _, err := s.Value(t.Context(), "k"); !errors.Is(err, webconferencing.ErrNotFound) {
			t.Errorf("value outlives its time: %v", err)
		}
	})
}
