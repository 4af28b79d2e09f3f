package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// result is what one measurement found; it is printed as one line of JSON.
type result struct {
	Server        string  `json:"server"`
	Scenario      string  `json:"scenario"`
	Transport     string  `json:"transport"`
	PerSecond     float64 `json:"perSecond,omitempty"`     // deliveries, requests or sessions
	KiBPerSession float64 `json:"kibPerSession,omitempty"` // idle only
	P50           float64 `json:"p50ms,omitempty"`
	P99           float64 `json:"p99ms,omitempty"`
	P999          float64 `json:"p999ms,omitempty"`
	Max           float64 `json:"maxms,omitempty"`
	tally
	Strays   int64  `json:"strays"` // messages of nobody
	Failures int64  `json:"failures"`
	Failure  string `json:"failure,omitempty"`
	// Together is how many messages came in one frame or response.
	Together   float64 `json:"together,omitempty"`
	LoadCPU    float64 `json:"loadCPU"`   // share of a core
	ServerCPU  float64 `json:"serverCPU"` // 0 if not known
	Saturated  bool    `json:"saturated"` // the load side was the limit
	Window     int     `json:"window,omitempty"`
	Rate       int     `json:"rate,omitempty"`
	Bytes      int     `json:"bytes"`
	Seconds    float64 `json:"seconds"`
	Deliveries int64   `json:"deliveries,omitempty"`

	run *run
}

// complete fills in what all scenarios report.
func (res *result) complete() {
	r := res.run
	res.Server, res.Scenario, res.Transport = r.name, r.scenario, r.transport
	res.Window, res.Rate, res.Bytes = r.window, r.rate, r.bytes
	res.tally, res.Strays, res.Failures, res.Deliveries = r.tally, r.strays, r.failures, r.deliveries
	if r.failure != nil {
		res.Failure = r.failure.Error()
	}
	if r.units > 0 {
		res.Together = float64(r.marks) / float64(r.units)
	}
	if r.latency.total > 0 {
		ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
		res.P50, res.P99, res.P999 = ms(r.latency.at(0.5)), ms(r.latency.at(0.99)), ms(r.latency.at(0.999))
		res.Max = ms(r.latency.most)
	}
}

// String is the result for a reader.
func (res *result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s:", res.Server, res.Scenario, res.Transport)
	if res.Scenario == "idle" {
		fmt.Fprintf(&b, " %.1f KiB a session", res.KiBPerSession)
	} else {
		fmt.Fprintf(&b, " %.0f/s", res.PerSecond)
	}
	if res.P99 > 0 {
		fmt.Fprintf(&b, ", p50 %.2f ms, p99 %.2f ms, max %.2f ms, %.1f messages together", res.P50, res.P99, res.Max, res.Together)
	}
	fmt.Fprintf(&b, "; %v", &res.tally)
	if res.Strays+res.Failures > 0 {
		fmt.Fprintf(&b, ", %d strays, %d failures (%s)", res.Strays, res.Failures, res.Failure)
	}
	if res.LoadCPU > 0 {
		fmt.Fprintf(&b, "; CPU: server %.2f, load %.2f", res.ServerCPU, res.LoadCPU)
	}
	if res.Saturated {
		b.WriteString("; THE LOAD SIDE WAS THE LIMIT")
	}
	return b.String()
}

// usage is processor time spent so far.
type usage struct {
	at           time.Time
	load, server time.Duration
}

func usageOf(pid int) usage {
	u := usage{at: time.Now(), server: processTime(pid)}
	var own syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &own) == nil {
		u.load = time.Duration(own.Utime.Nano() + own.Stime.Nano())
	}
	return u
}

func (res *result) setUsage(before, after usage) {
	wall := after.at.Sub(before.at).Seconds()
	res.LoadCPU = (after.load - before.load).Seconds() / wall
	res.ServerCPU = (after.server - before.server).Seconds() / wall
	// A server that waits for work while the load side has no time left was
	// not measured. Some waiting is in the nature of a closed loop.
	res.Saturated = res.LoadCPU > 0.93 && res.ServerCPU < 0.90
}

// processTime is the processor time of a process and its threads, in steps of
// 10 ms; 0 if it cannot be read.
func processTime(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name before it is in parentheses and may hold anything.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// residentKiB is the resident memory of a process, 0 if it cannot be read.
func residentKiB(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.Atoi(fields[0])
	return kib
}
