// Command compare measures this repository's Bayeux server and its peers in one
// run: every server is pinned to one processor, the load program to another,
// each measurement starts a server anew, and the servers take turns, so that a
// machine that is slow for a while is slow for all. It prints a table with the
// medians of the rounds and of the ratios within the rounds.
//
// It is started in the folder bench: go run ./compare
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

// plan is what is to be measured, and how.
type plan struct {
	rounds    int
	duration  time.Duration
	warmup    time.Duration
	servers   []string // empty for all
	scenarios []string
	bin       string
	raw       string
	pinned    bool    // leave out the rows that are not
	quiet     float64 // share of a processor that others may use
	retries   int
}

// row is one line of the table: a scenario over a transport.
type row struct {
	scenario, transport string
	args                []string
	label               string // what tells it from another row of the scenario
	free                bool   // not pinned
	once                bool   // noise hardly matters; one round will do
}

func rows() []row {
	var list []row
	for _, transport := range []string{sockets, polling} {
		list = append(list,
			row{scenario: "fanout", transport: transport},
			row{scenario: "broadcast", transport: transport},
			row{scenario: "request", transport: transport},
		)
		if transport == sockets { // a connection of long-polling has one request at a time
			list = append(list, row{scenario: "request", transport: transport, label: "16 at once", args: []string{"-window", "16"}})
		}
		list = append(list,
			row{scenario: "rate", transport: transport, args: []string{"-drain", "4s"}},
			row{scenario: "rate", transport: transport, free: true, args: []string{"-drain", "4s"}},
			row{scenario: "open", transport: transport},
			row{scenario: "idle", transport: transport, once: true},
		)
	}
	return list
}

func (r row) String() string {
	name := r.scenario
	if r.label != "" {
		name += " " + r.label
	}
	if r.free {
		name += " unpinned"
	}
	return name + " " + r.transport
}

func run() error {
	p := plan{}
	short := flag.Bool("short", false, "one round of half a second each, for a quick look")
	flag.IntVar(&p.rounds, "rounds", 3, "rounds")
	flag.DurationVar(&p.duration, "duration", 3*time.Second, "time of each measurement")
	flag.DurationVar(&p.warmup, "warmup", 1500*time.Millisecond, "time before each measurement")
	only := flag.String("servers", "", "servers, comma-separated (default all)")
	scenarios := flag.String("scenarios", "", "scenarios, comma-separated (default all)")
	flag.StringVar(&p.raw, "raw", "", "file for every result as a line of JSON")
	flag.BoolVar(&p.pinned, "pinned", false, "leave out what is measured without pinning")
	flag.Float64Var(&p.quiet, "quiet", 0.2, "a measurement is repeated if other programs used more than this share of a processor")
	flag.IntVar(&p.retries, "retries", 1, "how often it is repeated at most; the quietest counts")
	limit := flag.Duration("limit", 30*time.Minute, "longest time for everything")
	flag.Parse()
	if *short {
		p.rounds, p.duration, p.warmup = 1, 500*time.Millisecond, 300*time.Millisecond
	}
	if p.rounds < 1 || p.duration <= 0 || p.warmup < 0 {
		return errors.New("-rounds and -duration must be positive")
	}
	split := func(s string) []string { return strings.FieldsFunc(s, func(r rune) bool { return r == ',' }) }
	p.servers, p.scenarios = split(*only), split(*scenarios)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	bin, err := os.MkdirTemp("", "compare")
	if err != nil {
		return err
	}
	defer os.RemoveAll(bin)
	p.bin = bin
	return p.measure(ctx)
}

func (p *plan) measure(ctx context.Context) error {
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", p.bin+"/", "./bayeuxload").CombinedOutput(); err != nil {
		return fmt.Errorf("build the load program: %w: %s", err, out)
	}
	var list []*server
	for _, s := range servers(p.bin) {
		if len(p.servers) > 0 && !slices.Contains(p.servers, s.name) {
			continue
		}
		if err := s.ready(ctx); err != nil {
			fmt.Fprintf(os.Stderr, "%s is left out: %v\n", s.name, err)
			continue
		}
		list = append(list, s)
	}
	t := newTable(list)
	t.begin()
	err := p.fill(ctx, t)
	t.print(os.Stdout, p)
	return err
}

// fill measures everything. What it has when it is stopped makes a table, too.
func (p *plan) fill(ctx context.Context, t *table) error {
	list := t.servers
	for round := range p.rounds {
		for _, r := range rows() {
			if len(p.scenarios) > 0 && !slices.Contains(p.scenarios, r.scenario) || r.once && round > 0 || r.free && p.pinned {
				continue
			}
			for i := range list {
				s := list[(i+round)%len(list)]
				if !s.has(r) {
					continue
				}
				res, err := p.quietest(ctx, s, r)
				if ctx.Err() != nil {
					return fmt.Errorf("stopped in round %d: %w", round+1, context.Cause(ctx))
				}
				if err != nil {
					fmt.Fprintf(os.Stderr, "round %d: %s %v: %v\n", round+1, s.name, r, err)
				}
				t.add(round, r, s, res, err)
			}
		}
	}
	return nil
}

// result is what the load program reports, as far as the table needs it.
type result struct {
	PerSecond     float64
	KiBPerSession float64
	P50           float64 `json:"p50ms"`
	P99           float64 `json:"p99ms"`
	Max           float64 `json:"maxms"`
	Lost          int64
	Doubled       int64
	Disordered    int64
	Strays        int64
	Failures      int64
	Failure       string
	Deliveries    int64
	LoadCPU       float64
	ServerCPU     float64
	Saturated     bool

	others float64 // share of a processor that other programs used
}

// quietest measures until the machine was quiet, a few times at most.
func (p *plan) quietest(ctx context.Context, s *server, r row) (*result, error) {
	var best *result
	var fault error
	for i := 0; i == 0 || i <= p.retries && !r.once; i++ {
		res, err := p.one(ctx, s, r)
		switch {
		case err != nil:
			fault = err
		case best == nil || res.others < best.others:
			best = res
		}
		if ctx.Err() != nil || best != nil && best.others <= p.quiet {
			break
		}
	}
	if best != nil {
		return best, nil
	}
	return nil, fault
}

// one measures one server in one scenario.
func (p *plan) one(ctx context.Context, s *server, r row) (*result, error) {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	serverCPU, loadCPU := 0, 1
	if r.free {
		serverCPU, loadCPU = -1, -1
	}
	before, start := busyTime(), time.Now()
	running, err := s.start(ctx, p.bin, serverCPU)
	if err != nil {
		return nil, err
	}
	defer running.stop()
	args := append([]string{
		filepath.Join(p.bin, "bayeuxload"), "-server", running.addr, "-path", s.path, "-name", s.name, "-protocol", s.protocol,
		"-transport", r.transport, "-scenario", r.scenario, "-pid", strconv.Itoa(running.cmd.Process.Pid),
		"-duration", p.duration.String(), "-warmup", p.warmup.String(),
	}, slices.Concat(r.args, s.args)...)
	cmd := pinned(ctx, loadCPU, args)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	wall, busy := time.Since(start), busyTime()-before
	running.stop()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	line, rest, _ := strings.Cut(string(out), "\n")
	fmt.Fprintln(os.Stderr, strings.TrimSpace(rest))
	if err := p.keep(r, line); err != nil {
		return nil, err
	}
	var res result
	if err := json.Unmarshal([]byte(line), &res); err != nil {
		return nil, fmt.Errorf("result of the load program: %w", err)
	}
	res.others = max(0, (busy-usedTime(cmd)-usedTime(running.cmd)).Seconds()/wall.Seconds())
	return &res, nil
}

// busyTime is what all processors together have worked since the start of the
// machine, in steps of 10 ms.
func busyTime() time.Duration {
	fields := strings.Fields(firstLine("/proc/stat"))
	var sum int
	for i, field := range fields[min(1, len(fields)):] {
		const idle, wait, guest = 3, 4, 8 // guests are in the users' time already
		if n, err := strconv.Atoi(field); err == nil && i != idle && i != wait && i < guest {
			sum += n
		}
	}
	return time.Duration(sum) * 10 * time.Millisecond
}

// usedTime is what a process that has ended has worked.
func usedTime(cmd *exec.Cmd) time.Duration {
	if cmd.ProcessState == nil {
		return 0
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// keep appends a result to the raw file.
func (p *plan) keep(r row, line string) error {
	if p.raw == "" {
		return nil
	}
	file, err := os.OpenFile(p.raw, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(file, "{\"row\":%q,\"result\":%s}\n", r.String(), line)
	return errors.Join(err, file.Close())
}
