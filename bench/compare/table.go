package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// table collects the results.
type table struct {
	servers []*server
	cells   map[string]map[string][]*result // by row and server
	failed  map[string]string               // by row and server, the last error
	order   []row
	started time.Time
	load    string // of the machine before
	faults  []string
	checked int64
	others  []float64
}

func newTable(list []*server) *table {
	return &table{servers: list, cells: make(map[string]map[string][]*result), failed: make(map[string]string)}
}

func (t *table) begin() { t.started, t.load = time.Now(), loadAverage() }

func (t *table) add(round int, r row, s *server, res *result, err error) {
	key := r.String()
	if t.cells[key] == nil {
		t.cells[key] = make(map[string][]*result)
		t.order = append(t.order, r)
	}
	list := t.cells[key][s.name]
	// The place in the list is the round, so that ratios compare equal rounds.
	for len(list) < round {
		list = append(list, nil)
	}
	t.cells[key][s.name] = append(list, res)
	if err != nil {
		t.failed[key+"/"+s.name] = err.Error()
		return
	}
	t.checked += res.Deliveries
	t.others = append(t.others, res.others)
	if res.Lost+res.Doubled+res.Disordered+res.Strays+res.Failures > 0 {
		t.faults = append(t.faults, fmt.Sprintf("%s, %v, round %d: %d lost or late, %d doubled, %d disordered, %d strays, %d failures %s",
			s.name, r, round+1, res.Lost, res.Doubled, res.Disordered, res.Strays, res.Failures, res.Failure))
	}
}

// value is the figure that a scenario is about, and whether more is better. What
// is done in a second is counted by the time that the server's processor spent
// on it: by the clock, other programs on the machine would be measured too.
func value(r row, res *result) (v float64, more bool) {
	switch r.scenario {
	case "idle":
		return res.KiBPerSession, false
	case "rate":
		return res.P99, false
	}
	if res.ServerCPU <= 0 {
		return res.PerSecond, true
	}
	return res.PerSecond / res.ServerCPU, true
}

func unit(r row) string {
	switch r.scenario {
	case "idle":
		return "KiB a session"
	case "rate":
		return "p99 in ms at 20,000 deliveries/s"
	case "open":
		return "sessions"
	case "request":
		return "requests"
	}
	return "deliveries"
}

func (t *table) print(out io.Writer, p *plan) {
	w := bufio.NewWriter(out)
	defer w.Flush()
	names := make([]string, len(t.servers))
	for i, s := range t.servers {
		names[i] = s.name
	}
	fmt.Fprintf(w, "| case | %s |\n|---|%s\n", strings.Join(names, " | "), strings.Repeat("---|", len(names)))
	for _, r := range t.order {
		fmt.Fprintf(w, "| %v, %s |", r, unit(r))
		for _, s := range t.servers {
			fmt.Fprintf(w, " %s |", t.cell(r, s))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprint(w, "\nMedians of the rounds. Deliveries, requests and sessions are for each second that the server's processor worked; in\n"+
		"parentheses for each second of the clock, while other programs took their share. In brackets: how many times as good as\n"+
		"this server ours is, the median over the rounds.\n"+
		"`~`: the load side was the limit, the server may be faster. `(n/s)`: the rate was not held, this was reached.\n\n")
	fmt.Fprintf(w, "%d rounds, %v measured after %v of warm-up; %s deliveries checked.\n", p.rounds, p.duration, p.warmup, thousands(float64(t.checked)))
	for _, f := range t.faults {
		fmt.Fprintf(w, "- %s\n", f)
	}
	if len(t.faults) == 0 {
		fmt.Fprintln(w, "Nothing was lost, doubled or disordered, with any server.")
	}
	t.conditions(w)
}

// cell is the median of a server in a row, and the ratio of ours to it.
func (t *table) cell(r row, s *server) string {
	if !s.has(r) {
		return "–"
	}
	var values, ratios, speeds []float64
	mark := ""
	own := t.cells[r.String()]["ours"]
	for i, res := range t.cells[r.String()][s.name] {
		if res == nil {
			continue
		}
		v, more := value(r, res)
		values, speeds = append(values, v), append(speeds, res.PerSecond)
		if res.Saturated {
			mark = "~"
		}
		if s.name != "ours" && i < len(own) && own[i] != nil {
			if o, _ := value(r, own[i]); more {
				ratios = append(ratios, o/v)
			} else {
				ratios = append(ratios, v/o)
			}
		}
	}
	if len(values) == 0 {
		return "failed"
	}
	text := mark + thousands(median(values))
	if r.scenario == "rate" && median(speeds) < 19_000 {
		text += fmt.Sprintf(" (%s/s)", thousands(median(speeds)))
	}
	if _, more := value(r, &result{}); more {
		text += fmt.Sprintf(" (%s)", thousands(median(speeds)))
	}
	if len(ratios) > 0 {
		text += fmt.Sprintf(" [%.2f]", median(ratios))
	}
	return text
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	n := len(list)
	return (list[(n-1)/2] + list[n/2]) / 2
}

// thousands formats a figure with no more digits than it deserves.
func thousands(v float64) string {
	if v < 100 {
		return fmt.Sprintf("%.1f", v)
	}
	text := fmt.Sprintf("%.0f", v)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// conditions prints what the figures depend on.
func (t *table) conditions(w io.Writer) {
	fmt.Fprintf(w, "\n- %s, %.0f minutes; %s, Linux %s, %d processors: one for the server, one for the load\n",
		t.started.Format("2 January 2006"), time.Since(t.started).Minutes(), processor(), firstLine("/proc/sys/kernel/osrelease"), runtime.NumCPU())
	fmt.Fprintf(w, "- load average before %s, after %s (this program's own work included)\n", t.load, loadAverage())
	if len(t.others) > 0 {
		fmt.Fprintf(w, "- other programs used %.2f of a processor in the median measurement, %.2f in the worst\n", median(t.others), slices.Max(t.others))
	}
	fmt.Fprintf(w, "- %s; Node %s\n", output("go", "version"), output("node", "--version"))
	for _, s := range t.servers {
		fmt.Fprintf(w, "- %s: %s\n", s.name, s.version())
	}
}

func loadAverage() string { return strings.Join(strings.Fields(firstLine("/proc/loadavg"))[:1], "") }

func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	_, rest, _ := strings.Cut(string(text), "model name")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.Trim(line, " \t:")
}

func firstLine(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}
