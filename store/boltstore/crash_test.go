package boltstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/boltstore"
)

// childEnv makes the test binary act as a child process: its value is the
// job, a colon and the file to work on.
const childEnv = "BOLTSTORE_TEST_CHILD"

func TestMain(m *testing.M) {
	job, path, child := strings.Cut(os.Getenv(childEnv), ":")
	if !child {
		os.Exit(m.Run())
	}
	err := errors.New("no such job")
	switch job {
	case "count":
		err = countForEver(path)
	case "fill":
		err = fillDisk(path)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child prepares a run of this binary as a child process.
func child(t *testing.T, job, path string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), exe)
	c.Env = append(os.Environ(), childEnv+"="+job+":"+path)
	c.Stderr = os.Stderr
	return c
}

// counters are the calls that the child counts up, each by a goroutine.
const counters = 16

func counterID(i int) webconferencing.CallID {
	return webconferencing.CallID(fmt.Sprint("counter-", i))
}

// countForEver counts calls up, trims the journal now and then, and prints
// each acknowledged version in one write, until it is killed.
func countForEver(path string) error {
	s, err := boltstore.Open(path, nil)
	if err != nil {
		return err
	}
	ctx := context.Background()
	failed := make(chan error, counters)
	for i := range counters {
		go func() {
			id := counterID(i)
			var version uint64
			if c, err := s.Call(ctx, id); err == nil {
				version = c.Version
			}
			for {
				c := put(id, version)
				c.Events[0].Time = time.Now()
				c.Events = append(c.Events, c.Events[0])
				if version%50 == 49 {
					c.TrimBefore = time.Now().Add(-2 * time.Second)
				}
				if _, err := s.Commit(ctx, c); err != nil {
					failed <- fmt.Errorf("%s: %w", id, err)
					return
				}
				version++
				fmt.Printf("%d %d\n", i, version)
			}
		}()
	}
	return <-failed
}

// TestKilled kills a writing process again and again and checks after each
// time that what it acknowledged is there and that no change is there by half.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	const rounds = 50
	acked := make([]uint64, counters)
	found := make([]uint64, counters)
	var end webconferencing.Position
	total := 0
	for range rounds {
		c := child(t, "count", path)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		kill := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() { total += readAcks(out, acked, kill) })
		// The process starts up first; the moment is drawn from its work.
		<-kill
		timer := time.NewTimer(time.Duration(rand.IntN(250)) * time.Millisecond)
		<-timer.C
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		_ = c.Wait()
		if err := boltstore.Inspect(path); err != nil {
			t.Errorf("structure of the file: %v", err)
		}
		end = checkCounters(t, path, acked, found, end)
		if t.Failed() {
			return
		}
	}
	t.Logf("%d acknowledged in %d lives, none lost; the journal ends at %d", total, rounds, end)
	if total < rounds {
		t.Errorf("only %d commits were acknowledged", total)
	}
}

// readAcks notes the versions that the child acknowledges and closes started
// at the first, or at the end.
func readAcks(r io.Reader, acked []uint64, started chan struct{}) int {
	n := 0
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		who, version, ok := strings.Cut(lines.Text(), " ")
		i, err1 := strconv.Atoi(who)
		v, err2 := strconv.ParseUint(version, 10, 64)
		if !ok || err1 != nil || err2 != nil {
			continue // the last line may be torn
		}
		if n++; n == 1 {
			close(started)
		}
		acked[i] = max(acked[i], v)
	}
	if n == 0 {
		close(started)
	}
	return n
}

// checkCounters checks a file against what was acknowledged, and the journal
// from its end at the last check on. It returns the new end.
func checkCounters(t *testing.T, path string, acked, found []uint64, end webconferencing.Position) webconferencing.Position {
	t.Helper()
	s := open(t, path)
	defer s.Close()
	ctx := t.Context()
	if n := s.Stats().Damaged; n != 0 {
		t.Errorf("%d damaged records", n)
	}
	events := journalAfter(t, s, end)
	for i := range counters {
		id := counterID(i)
		var version uint64
		if c, err := s.Call(ctx, id); err == nil {
			version = c.Version
		} else if !errors.Is(err, webconferencing.ErrNotFound) {
			t.Error(err)
		}
		if version < acked[i] {
			t.Errorf("%s is at %d, acknowledged was %d", id, version, acked[i])
		}
		var revision uint64
		if v, err := s.Value(ctx, string(id)); err == nil {
			revision = v.Revision
			if string(v.Data) != fmt.Sprint(version) {
				t.Errorf("%s is at %d, its value says %s", id, version, v.Data)
			}
		}
		if revision != version {
			t.Errorf("%s is at %d, its value at %d", id, version, revision)
		}
		// Two events for each change since the last look, unless trimmed.
		got := events[id]
		var want []uint64
		for v := found[i] + 1; v <= version; v++ {
			want = append(want, v, v)
		}
		if n := len(want) - len(got); n < 0 || !slices.Equal(got, want[n:]) {
			t.Errorf("%s went from %d to %d, the journal has %d", id, found[i], version, got)
		}
		found[i] = version
	}
	n := 0
	for c, err := range s.Calls(ctx, webconferencing.CallQuery{Key: "all"}) {
		if err != nil {
			t.Error(err)
			break
		}
		if n++; c.Version == 0 || c.Title != fmt.Sprint(c.Version) {
			t.Errorf("Calls yields %+v", c)
		}
	}
	ids, err := s.Due(ctx, time.Now(), 2*counters)
	if err != nil || len(ids) != n {
		t.Errorf("%d calls by key, %d by deadline, %v", n, len(ids), err)
	}
	p, err := s.Commit(ctx, &webconferencing.Change{})
	if err != nil || p < end {
		t.Errorf("the journal ends at %d after %d, %v", p, end, err)
	}
	return p
}

// journalAfter reads the journal after a position and returns the versions of
// each call's events. Positions must have no hole.
func journalAfter(t *testing.T, s *boltstore.Store, after webconferencing.Position) map[webconferencing.CallID][]uint64 {
	t.Helper()
	out := make(map[webconferencing.CallID][]uint64)
	first := true
	for {
		events, err := s.Events(t.Context(), webconferencing.AllTopics, after, 1000)
		if first && errors.Is(err, webconferencing.ErrPositionGone) {
			// The child trimmed further than the last look; begin where the
			// journal does.
			after++
			continue
		}
		if err != nil {
			t.Error(err)
		}
		if len(events) == 0 {
			return out
		}
		first = false
		for _, e := range events {
			if e.Position != after+1 {
				t.Errorf("position %d follows %d", e.Position, after)
			}
			after = e.Position
			out[e.CallID] = append(out[e.CallID], e.Version)
		}
	}
}
