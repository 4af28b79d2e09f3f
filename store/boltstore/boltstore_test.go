package boltstore_test

import (
	"os"
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

// quickDir is a folder for tests that write much and prove nothing about the
// disk: in memory where there is such a thing.
func quickDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "boltstore-test-*")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
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
