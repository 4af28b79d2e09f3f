package boltstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/boltstore"
)

// TestBackupWhileServing copies a store that is written to all the time. Each
// copy opens, has what was acknowledged before, and no change by half.
func TestBackupWhileServing(t *testing.T) {
	dir := quickDir(t)
	s := open(t, filepath.Join(dir, "x.db"))
	defer s.Close()
	s.FreezeAt(50)
	var (
		mu    sync.Mutex
		acked [8]uint64
		wg    sync.WaitGroup
	)
	ctx, stop := context.WithCancel(t.Context())
	for i := range acked {
		wg.Go(func() {
			for v := uint64(0); ctx.Err() == nil; v++ {
				if _, err := s.Commit(t.Context(), put(counterID(i), v)); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				acked[i] = v + 1
				mu.Unlock()
			}
		})
	}
	for round := range 5 {
		waitFor(t, "commits", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return acked[0] > uint64(20*round)
		})
		mu.Lock()
		before := acked
		mu.Unlock()
		var out bytes.Buffer
		if err := s.Backup(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(quickDir(t), "copy.db")
		if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		checkBackup(t, path, before[:])
	}
	stop()
	wg.Wait()
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

func checkBackup(t *testing.T, path string, acked []uint64) {
	t.Helper()
	copied := open(t, path)
	defer copied.Close()
	if n := copied.Stats().Damaged; n != 0 {
		t.Errorf("%d damaged records", n)
	}
	for i, want := range acked {
		c, err := copied.Call(t.Context(), counterID(i))
		if want == 0 && errors.Is(err, webconferencing.ErrNotFound) {
			continue
		}
		if err != nil || c.Version < want {
			t.Errorf("Call = %+v, %v, want version %d", c, err, want)
			continue
		}
		v, err := copied.Value(t.Context(), string(counterID(i)))
		if err != nil || string(v.Data) != fmt.Sprint(c.Version) {
			t.Errorf("the call is at %d, its value at %s, %v", c.Version, v.Data, err)
		}
		events, err := copied.Events(t.Context(), webconferencing.CallTopic(counterID(i)), 0, 1_000_000)
		if err != nil || uint64(len(events)) != c.Version {
			t.Errorf("%d events of %d changes, %v", len(events), c.Version, err)
		}
	}
}

// slowWriter takes nothing until it is let go.
type slowWriter struct{ asked, goOn chan struct{} }

func (w *slowWriter) Write(b []byte) (int, error) {
	select {
	case w.asked <- struct{}{}:
	default:
	}
	<-w.goOn
	return len(b), nil
}

// TestSlowBackup: whoever takes the backup slowly keeps nobody from writing,
// and may give up.
func TestSlowBackup(t *testing.T) {
	s := open(t, filepath.Join(quickDir(t), "x.db"))
	defer s.Close()
	big := bytes.Repeat([]byte("x"), 1<<20)
	if _, err := s.Commit(t.Context(), &webconferencing.Change{Values: []webconferencing.ValueChange{{Key: "first", Data: big}}}); err != nil {
		t.Fatal(err)
	}
	w := &slowWriter{make(chan struct{}, 1), make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Backup(ctx, w) }()
	<-w.asked
	for i := range 40 { // the file grows and is mapped anew
		if _, err := s.Commit(t.Context(), &webconferencing.Change{Values: []webconferencing.ValueChange{
			{Key: fmt.Sprint(i), Data: big},
		}}); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	close(w.goOn)
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Backup: %v, want cancelled", err)
	}
	if err := s.Backup(t.Context(), failing{}); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("Backup: %v, want the writer's error", err)
	}
	s.Close()
	if err := s.Backup(t.Context(), io.Discard); !errors.Is(err, webconferencing.ErrClosed) {
		t.Errorf("Backup: %v, want ErrClosed", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestCompact(t *testing.T) {
	dir := quickDir(t)
	src, dst := filepath.Join(dir, "x.db"), filepath.Join(dir, "sub", "y.db")
	s := open(t, src)
	for i := range 300 {
		if _, err := s.Commit(t.Context(), put(webconferencing.CallID(fmt.Sprint(i)), 0)); err != nil {
			t.Fatal(err)
		}
	}
	big := &webconferencing.Change{Values: []webconferencing.ValueChange{{Key: "big", Data: make([]byte, 4<<20)}}}
	if _, err := s.Commit(t.Context(), big); err != nil {
		t.Fatal(err)
	}
	big.Values[0] = webconferencing.ValueChange{Key: "big", Expect: 1}
	if _, err := s.Commit(t.Context(), big); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, src)
	if _, err := s.Commit(t.Context(), put("last", 0)); err != nil {
		t.Fatal(err)
	}
	if err := boltstore.Compact(src, dst); !errors.Is(err, boltstore.ErrLocked) {
		t.Errorf("Compact of an open file: %v, want ErrLocked", err)
	}
	s.Crash() // with a change that is still pending
	if err := boltstore.Compact(src, dst); err != nil {
		t.Fatal(err)
	}
	before, err1 := os.Stat(src)
	after, err2 := os.Stat(dst)
	if err := errors.Join(err1, err2); err != nil || after.Size() > before.Size()/2 || after.Mode().Perm() != 0o600 {
		t.Errorf("%v: %v, %v", err, before, after)
	}
	if err := boltstore.Compact(src, dst); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Compact onto a file: %v, want ErrExist", err)
	}
	copied := open(t, dst)
	defer copied.Close()
	n := 0
	for c, err := range copied.Calls(t.Context(), webconferencing.CallQuery{Key: "all"}) {
		if n++; err != nil || c.Version != 1 {
			t.Fatalf("Calls yields %+v, %v", c, err)
		}
	}
	ids, err := copied.Due(t.Context(), time.Now(), 1000)
	if n != 301 || len(ids) != 301 || err != nil {
		t.Errorf("%d calls by key, %d by deadline, %v", n, len(ids), err)
	}
	events, err := copied.Events(t.Context(), "all", 0, 1000)
	if err != nil || len(events) != 301 {
		t.Errorf("%d events, %v", len(events), err)
	}
	if p, err := copied.Commit(t.Context(), put("new", 0)); err != nil || p != 302 {
		t.Errorf("Commit = %d, %v: positions must go on", p, err)
	}
}

func TestCompactRefuses(t *testing.T) {
	dir := quickDir(t)
	foreign := filepath.Join(dir, "foreign.db")
	if err := boltstore.Edit(foreign, func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("theirs"))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	f := newSample(t)
	torn := f.copy(t, func(b []byte) []byte { return b[:len(b)/2] })
	for _, src := range []string{foreign, torn, filepath.Join(dir, "none.db")} {
		if err := boltstore.Compact(src, filepath.Join(dir, "out.db")); err == nil {
			t.Errorf("%s was compacted", src)
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}
