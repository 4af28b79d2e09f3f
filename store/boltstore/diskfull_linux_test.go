package boltstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/boltstore"
)

// fillDisk runs in a child process, where a limit on the size of files plays
// the full disk: the file may not grow any more, and later it may again.
func fillDisk(path string) error {
	signal.Ignore(syscall.SIGXFSZ)
	s, err := boltstore.Open(path, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	ctx := context.Background()
	if _, err := s.Commit(ctx, put("before", 0)); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	limit := func(n uint64) error {
		var old syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			return err
		}
		return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: n, Max: old.Max})
	}
	if err := limit(uint64(info.Size())); err != nil {
		return err
	}
	big := func(i int) *webconferencing.Change {
		return &webconferencing.Change{Values: []webconferencing.ValueChange{
			{Key: fmt.Sprint("big-", i), Data: bytes.Repeat([]byte("x"), 64<<10)},
		}}
	}
	// What fits is acknowledged and what does not is not, and reads go on.
	outcome := make(map[int]error)
	for i := range 20 {
		_, outcome[i] = s.Commit(ctx, big(i))
		if _, err := s.Call(ctx, "before"); err != nil {
			return fmt.Errorf("read while the disk is full: %w", err)
		}
		if _, err := s.Events(ctx, webconferencing.AllTopics, 0, 10); err != nil {
			return fmt.Errorf("read while the disk is full: %w", err)
		}
	}
	if err := check(ctx, s, outcome); err != nil {
		return err
	}
	// With no writes at all, not even over what is there.
	if err := limit(4096); err != nil {
		return err
	}
	for i := 20; i < 40; i++ {
		_, outcome[i] = s.Commit(ctx, big(i))
		if outcome[i] == nil {
			return errors.New("a commit that can't be written was acknowledged")
		}
		if _, err := s.Call(ctx, "before"); err != nil {
			return fmt.Errorf("read while nothing can be written: %w", err)
		}
	}
	if s.Health() == nil {
		return errors.New("the store says it is well while nothing can be written")
	}
	if err := limit(1 << 40); err != nil {
		return err
	}
	start := time.Now()
	for s.Health() != nil {
		if time.Since(start) > 5*time.Second {
			return fmt.Errorf("no recovery: %w", s.Health())
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := s.Commit(ctx, big(100)); err != nil {
		return fmt.Errorf("after the recovery: %w", err)
	}
	if s.Stats().Failures == 0 {
		return errors.New("no commit failed: the limit has no effect")
	}
	return check(ctx, s, outcome)
}

// check compares what is there with what was answered.
func check(ctx context.Context, s *boltstore.Store, outcome map[int]error) error {
	for i, answered := range outcome {
		_, err := s.Value(ctx, fmt.Sprint("big-", i))
		there := err == nil
		switch {
		case err != nil && !errors.Is(err, webconferencing.ErrNotFound):
			return err
		case answered == nil && !there:
			return fmt.Errorf("value %d was acknowledged and is lost", i)
		case answered != nil && !errors.Is(answered, webconferencing.ErrOutcomeUnknown) && there:
			return fmt.Errorf("value %d is there although %w", i, answered)
		case answered != nil && webconferencing.CodeOf(answered) != webconferencing.CodeUnavailable:
			return fmt.Errorf("value %d: %w is not of code unavailable", i, answered)
		}
	}
	return nil
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	c := child(t, "fill", filepath.Join(t.TempDir(), "x.db"))
	var said strings.Builder
	c.Stderr = &said
	if err := c.Run(); err != nil {
		t.Errorf("%v: %s", err, said.String())
	}
}
