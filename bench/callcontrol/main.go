// Command callcontrol measures the control plane over boltstore beside a bare
// bbolt program that makes as many durable writes of the same size with the
// same number of writers. Every figure is of one process on one machine; the
// ratios are what counts.
//
// Its file must be on a disk that keeps what was forced to it: on a RAM disk
// the figures say nothing about durable writes.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "callcontrol:", err)
		os.Exit(1)
	}
}

// sizes are how much is measured, and where the figures go.
type sizes struct {
	out      io.Writer
	writers  []int
	rounds   int
	duration time.Duration // of each attempt measurement
	people   int           // in the meeting
	calls    int           // at once, for the memory
	stored   int
	live     int // of the stored ones
	couples  int // of the latency
	single   int // forced writes one by one
	reads    int
}

func run() error {
	parent := flag.String("dir", os.TempDir(), "folder on the disk to measure, for temporary files")
	at := flag.Int("writers", 0, "measure attempts with this number of calls at once only")
	only := flag.String("only", "", "cases to run, comma-separated: attempts, latency, meeting, memory, start, read (default all)")
	short := flag.Bool("short", false, "small sizes, for a quick look; the figures are not comparable")
	profile := flag.String("cpuprofile", "", "file to write a CPU profile to")
	rounds := flag.Int("rounds", 0, "rounds of the attempts (default 3)")
	flag.Parse()
	if *profile != "" {
		file, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	n := sizes{
		out: os.Stdout, writers: []int{10, 100, 1000, 10_000}, rounds: 3, duration: 3 * time.Second, people: 1000, calls: 10_000,
		stored: 100_000, live: 1000, couples: 64, single: 300, reads: 200_000,
	}
	if *short {
		n = sizes{
			out: os.Stdout, writers: []int{10, 100}, rounds: 1, duration: 300 * time.Millisecond, people: 50, calls: 200,
			stored: 1000, live: 20, couples: 16, single: 50, reads: 10_000,
		}
	}
	if *rounds > 0 {
		n.rounds = *rounds
	}
	if *at > 0 {
		n.writers = []int{*at}
	}
	dir, err := os.MkdirTemp(*parent, "callcontrol")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	wanted := strings.FieldsFunc(*only, func(r rune) bool { return r == ',' })
	ctx := context.Background()
	for _, c := range cases() {
		if len(wanted) > 0 && !slices.Contains(wanted, c.name) {
			continue
		}
		folder := filepath.Join(dir, c.name)
		if err := os.Mkdir(folder, 0o700); err != nil {
			return err
		}
		if err := c.measure(ctx, folder, n); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		if err := os.RemoveAll(folder); err != nil {
			return err
		}
	}
	return nil
}

type benchCase struct {
	name    string
	measure func(ctx context.Context, dir string, n sizes) error
}

func cases() []benchCase {
	return []benchCase{
		{"attempts", measureAttempts}, {"latency", measureLatency}, {"meeting", measureMeeting},
		{"memory", measureMemory}, {"start", measureStart}, {"read", measureRead},
	}
}

// quantile returns the value that the share of all does not exceed.
func quantile[T cmp.Ordered](sorted []T, share float64) T {
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}

// firstError keeps the first error of many goroutines.
type firstError struct{ c chan error }

func newFirstError() *firstError { return &firstError{make(chan error, 1)} }

func (f *firstError) set(err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	select {
	case f.c <- err:
	default:
	}
}

func (f *firstError) get() error {
	select {
	case err := <-f.c:
		return err
	default:
		return nil
	}
}
