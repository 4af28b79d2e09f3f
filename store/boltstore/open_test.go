package boltstore_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/boltstore"
)

func TestOpenNamesAllFaults(t *testing.T) {
	_, err := boltstore.Open("", &boltstore.Options{LockTimeout: 1, CachedCalls: -1, CacheBytes: 5})
	if err == nil {
		t.Fatal("Open succeeded")
	}
	for _, field := range []string{"path", "LockTimeout", "CachedCalls", "CacheBytes"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("error does not name %s: %v", field, err)
		}
	}
}

func TestLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s := open(t, path)
	start := time.Now()
	_, err := boltstore.Open(path, nil)
	if !errors.Is(err, boltstore.ErrLocked) || time.Since(start) > 5*time.Second {
		t.Errorf("Open: %v after %v, want ErrLocked after 1 s", err, time.Since(start))
	}
	if _, err := s.Commit(t.Context(), put("a", 0)); err != nil {
		t.Errorf("Commit: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, path)
	defer again.Close()
	if _, err := again.Call(t.Context(), "a"); err != nil {
		t.Error(err)
	}
}

func TestCreate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	path := filepath.Join(dir, "x.db")
	s := open(t, path)
	defer s.Close()
	if runtime.GOOS != "windows" {
		for p, want := range map[string]os.FileMode{path: 0o600, dir: 0o700, filepath.Dir(dir): 0o700} {
			if info, err := os.Stat(p); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: %v, %v, want %v", p, info.Mode(), err, want)
			}
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

// TestCreateTogether: several start at once where there is no file yet; one
// gets it, and none destroys what it wrote.
func TestCreateTogether(t *testing.T) {
	for range 20 {
		path := filepath.Join(t.TempDir(), "x.db")
		var wg sync.WaitGroup
		var mu sync.Mutex
		var winner *boltstore.Store
		for range 4 {
			wg.Go(func() {
				s, err := boltstore.Open(path, &boltstore.Options{LockTimeout: 60 * time.Millisecond})
				if err != nil {
					if !errors.Is(err, boltstore.ErrLocked) {
						t.Errorf("Open: %v", err)
					}
					return
				}
				if _, err := s.Commit(t.Context(), put("a", 0)); err != nil {
					t.Errorf("Commit: %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				if winner != nil {
					t.Error("two stores have the file open")
				}
				winner = s
			})
		}
		wg.Wait()
		if winner == nil {
			t.Fatal("nobody got the file")
		}
		winner.Close()
		s := open(t, path)
		if _, err := s.Call(t.Context(), "a"); err != nil {
			t.Errorf("Call: %v", err)
		}
		s.Close()
	}
}

func TestForeignFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	if err := boltstore.Edit(path, func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("theirs"))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := boltstore.Open(path, nil); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("Open: %v", err)
	}
	if _, err := boltstore.Open(t.TempDir(), nil); err == nil {
		t.Error("a folder was opened")
	}
	if err := boltstore.Edit(path, func(tx *bbolt.Tx) error {
		if tx.Bucket([]byte("meta")) != nil {
			return errors.New("the foreign file was written to")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

func TestMovedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s := open(t, path)
	defer s.Close()
	ctx := t.Context()
	if _, err := s.Commit(ctx, put("a", 0)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, err := s.Commit(ctx, put("a", 1))
		if webconferencing.CodeOf(err) != webconferencing.CodeUnavailable || errors.Is(err, webconferencing.ErrOutcomeUnknown) {
			t.Errorf("Commit: %v, want unavailable", err)
		}
		if s.Health() == nil {
			t.Error("Health is nil")
		}
		s.ForgetCached()
		if c, err := s.Call(ctx, "a"); err != nil || c.Version != 1 {
			t.Errorf("Call = %+v, %v", c, err)
		}
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "recovery", func() bool { return s.Health() == nil })
	if _, err := s.Commit(ctx, put("a", 1)); err != nil {
		t.Errorf("Commit: %v", err)
	}
}

func TestEvictedCallsAreReadAgain(t *testing.T) {
	s, err := boltstore.Open(filepath.Join(t.TempDir(), "x.db"), &boltstore.Options{CachedCalls: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ids := []webconferencing.CallID{"a", "b", "c", "d"}
	for v := range uint64(5) {
		for _, id := range ids {
			if _, err := s.Commit(t.Context(), put(id, v)); err != nil {
				t.Fatal(err)
			}
		}
		for _, id := range ids {
			if c, err := s.Call(t.Context(), id); err != nil || c.Version != v+1 {
				t.Errorf("Call = %+v, %v", c, err)
			}
		}
		if n := s.Stats().CachedCalls; n != 2 {
			t.Errorf("%d calls cached", n)
		}
	}
}
