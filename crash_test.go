package webconferencing_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	wc "github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/boltstore"
)

// The variables that turn the test binary into the process that is killed.
const (
	crashFile   = "WEBCONFERENCING_CRASH_FILE"
	crashAfter  = "WEBCONFERENCING_CRASH_AFTER"
	crashRound  = "WEBCONFERENCING_CRASH_ROUND"
	crashRounds = 60
)

func TestMain(m *testing.M) {
	if path := os.Getenv(crashFile); path != "" {
		if err := crashMain(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// crashMain is a host that makes calls, says which commands were acknowledged
// and which events arrived, and is killed in the middle of it.
func crashMain(path string) error {
	store, err := boltstore.Open(path, nil)
	if err != nil {
		return err
	}
	s, err := wc.New(store, newPeople(), &wc.Options{Providers: []wc.Provider{provider()}, NodeName: "crash", HistoryWindow: time.Hour})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf(format+"\n", args...) // one write a line
	}
	ctx := context.Background()
	var after wc.Position
	if v := os.Getenv(crashAfter); v != "" {
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			return err
		}
		after = wc.Position(n)
	}
	_, err = s.Subscribe(ctx, john, wc.UserTopic("john"), &after, func(e *wc.Event) {
		say("event %d %s %s %d", e.Position, e.CallID, e.Type, e.Version)
	})
	if err != nil {
		return err
	}
	go func() { _ = s.Run(ctx) }()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := 0; ; n++ {
				id := wc.CallID(fmt.Sprintf("c/%s-%d-%d", os.Getenv(crashRound), i, n))
				if err := crashCall(ctx, s, id, say); err != nil {
					say("failed %s %v", id, err)
				}
			}
		})
	}
	wg.Wait()
	return nil
}

// crashCall leads one call through its life; versions tell how far it came.
func crashCall(ctx context.Context, s *wc.Service, id wc.CallID, say func(string, ...any)) error {
	n := space(string(id), "product_team", true)
	n.Owner.Type = wc.OwnerSpaceEvent
	c, err := s.CreateCall(ctx, mary, n)
	if err != nil {
		return err
	}
	say("acked %s %d", id, c.Version)
	a, err := s.JoinCall(ctx, mary, id)
	if err != nil {
		return err
	}
	say("acked %s %d", id, a.Call.Version)
	if c, err = s.LeaveCall(ctx, mary, id, nil); err != nil {
		return err
	}
	say("acked %s %d", id, c.Version)
	return nil
}

// TestKill kills the process again and again without warning. Whatever it had
// acknowledged must be there, and its subscriber, who goes on from the last
// event it saw, must have seen every event of the journal once.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "calls.db")
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	acked := make(map[wc.CallID]uint64)
	var seen []wc.Position
	for round := range crashRounds {
		crashOnce(t, path, round, time.Duration(rng.IntN(250))*time.Millisecond, acked, &seen)
		if t.Failed() {
			return
		}
	}
	store, err := boltstore.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for id, version := range acked {
		c, err := store.Call(t.Context(), id)
		if err != nil || c.Version < version {
			t.Fatalf("version %d of %s was acknowledged, the store has %+v, %v", version, id, c, err)
		}
	}
	var want []wc.Position
	for after := wc.Position(0); ; {
		events, err := store.Events(t.Context(), wc.UserTopic("john"), after, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			break
		}
		for _, e := range events {
			want = append(want, e.Position)
		}
		after = want[len(want)-1]
	}
	// The last process may have died with events on their way.
	if len(seen) > len(want) {
		t.Fatalf("%d events seen, the journal has %d", len(seen), len(want))
	}
	for i, p := range seen {
		if p != want[i] {
			t.Fatalf("event %d was seen at position %d, the journal has %d there", i, p, want[i])
		}
	}
	for c, err := range store.Calls(t.Context(), wc.CallQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		checkJournal(t, store, c)
	}
	if len(acked) < crashRounds || len(seen) < crashRounds {
		t.Fatalf("too little happened to prove anything: %d calls, %d events", len(acked), len(seen))
	}
	t.Logf("%d kills, %d calls acknowledged, %d of %d events seen before the last kill", crashRounds, len(acked), len(seen), len(want))
}

func crashOnce(t *testing.T, path string, round int, life time.Duration, acked map[wc.CallID]uint64, seen *[]wc.Position) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashFile+"="+path, crashRound+"="+strconv.Itoa(round))
	if n := len(*seen); n > 0 {
		cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", crashAfter, (*seen)[n-1]))
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first := bufio.NewReader(out)
	line, err := first.ReadString('\n') // it is under way
	time.AfterFunc(life, func() { _ = cmd.Process.Kill() })
	for ; err == nil; line, err = first.ReadString('\n') {
		crashLine(t, strings.TrimSpace(line), acked, seen)
	}
	if err != io.EOF || cmd.Wait() == nil {
		t.Errorf("round %d: the process ended by itself: %v", round, err)
	}
}

func crashLine(t *testing.T, line string, acked map[wc.CallID]uint64, seen *[]wc.Position) {
	word := strings.Fields(line)
	switch word[0] {
	case "acked":
		v, err := strconv.ParseUint(word[2], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		acked[wc.CallID(word[1])] = v
	case "event":
		p, err := strconv.ParseUint(word[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(*seen); n > 0 && wc.Position(p) <= (*seen)[n-1] {
			t.Fatalf("event %d came after %d", p, (*seen)[n-1])
		}
		*seen = append(*seen, wc.Position(p))
	default:
		t.Errorf("the process says: %s", line)
	}
}
