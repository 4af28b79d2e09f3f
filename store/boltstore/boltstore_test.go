package boltstore_test

import (
	"path/filepath"
	"testing"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/boltstore"
	"github.com/webconferencing/webconferencing/store/storetest"
)

// open opens a store that must open.
func open(t testing.TB, path string) *boltstore.Store {
	t.Helper()
	s, err := boltstore.Open(path, nil)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return s
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) webconferencing.Store {
		return open(t, filepath.Join(t.TempDir(), "calls.db"))
	})
}

func TestDurable(t *testing.T) {
	storetest.RunDurable(t, func(t *testing.T, dir string) webconferencing.Store {
		return open(t, filepath.Join(dir, "calls.db"))
	})
}

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, func(b *testing.B) webconferencing.Store {
		return open(b, filepath.Join(b.TempDir(), "calls.db"))
	})
}
