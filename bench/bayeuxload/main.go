// Command bayeuxload loads a Bayeux server, or one that speaks Centrifuge's
// JSON protocol, and prints what it found as a line of JSON and a readable one.
// It checks every message: lost, doubled and disordered ones are counted. It
// runs on Linux, loads loopback addresses only, and uses one processor.
//
// Scenarios: fanout (1000 subscribers on 100 channels), broadcast (1000 on 1),
// request (64 sessions call /service/echo), rate (as fanout, 20,000 deliveries
// a second, latency from the time a message was due), idle (the server's
// memory for each waiting session), open (sessions opened a second).
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"runtime/debug"
	"runtime/pprof"
	"time"
)

func main() {
	if err := start(); err != nil {
		fmt.Fprintln(os.Stderr, "bayeuxload:", err)
		os.Exit(1)
	}
}

func start() error {
	var c config
	server := flag.String("server", "127.0.0.1:8081", "loopback address of the server")
	flag.StringVar(&c.path, "path", "/cometd", "path of the Bayeux or WebSocket handler")
	flag.StringVar(&c.name, "name", "server", "name of the server in the output")
	flag.StringVar(&c.protocol, "protocol", "bayeux", "bayeux or centrifuge")
	flag.StringVar(&c.transport, "transport", "websocket", "websocket or long-polling")
	flag.StringVar(&c.scenario, "scenario", "fanout", "fanout, broadcast, request, rate, idle or open")
	flag.IntVar(&c.subscribers, "subscribers", 0, "sessions that are subscribed to one channel each (default 1000)")
	flag.IntVar(&c.channels, "channels", 0, "channels (default 100, 1 for broadcast)")
	flag.IntVar(&c.publishers, "publishers", 0, "sessions that publish (default 10, 1 for broadcast)")
	flag.IntVar(&c.window, "window", 0, "messages that are under way at once: all together (default 100, 10 for broadcast), for request by session (default 1)")
	flag.IntVar(&c.rate, "rate", 0, "deliveries a second instead of a window (default 20000 for rate)")
	flag.IntVar(&c.bytes, "bytes", 200, "size of the data of a message")
	flag.IntVar(&c.sessions, "sessions", 0, "sessions of request (default 64), idle (2000) and open (4000)")
	flag.BoolVar(&c.people, "people", false, "of idle and open: each session is of another user, named by a cookie, and has that user's events, as pages of a portal")
	flag.DurationVar(&c.warmup, "warmup", time.Second, "time before measuring")
	flag.DurationVar(&c.duration, "duration", 3*time.Second, "time of measuring")
	flag.DurationVar(&c.settle, "settle", 8*time.Second, "time before the memory of idle sessions is read")
	flag.DurationVar(&c.patience, "patience", 20*time.Second, "longest time for opening sessions")
	flag.DurationVar(&c.drain, "drain", 10*time.Second, "longest time for messages under way at the end; they count as lost after it")
	flag.IntVar(&c.pid, "pid", 0, "process of the server, for its memory and processor time")
	profile := flag.String("cpuprofile", "", "file for a CPU profile of this program, to see what it costs itself")
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

	var err error
	if c.server, err = netip.ParseAddrPort(*server); err != nil {
		return fmt.Errorf("-server: %w", err)
	}
	// The load side hardly leaves garbage; collecting it must not show up in
	// the latency.
	debug.SetGCPercent(1000)
	res, err := measure(c)
	if err != nil {
		return err
	}
	line, err := json.Marshal(res)
	if err != nil {
		return err
	}
	fmt.Println(string(line))
	fmt.Println(res)
	return nil
}

// measure checks the configuration and runs one scenario.
func measure(c config) (*result, error) {
	c.preset()
	if err := c.check(); err != nil {
		return nil, err
	}
	r, err := newRun(c)
	if err != nil {
		return nil, err
	}
	defer r.loop.close()
	res, err := scenarios()[c.scenario](r)
	if err != nil {
		return nil, fmt.Errorf("%s %s %s: %w", c.name, c.scenario, c.transport, err)
	}
	res.complete()
	return res, nil
}

func (c *config) check() error {
	var faults []error
	fault := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(c.server.Addr().Is4() && c.server.Addr().IsLoopback(), "-server: %v is not an IPv4 loopback address", c.server)
	fault(scenarios()[c.scenario] != nil, "-scenario: %q is unknown", c.scenario)
	fault(c.transport == "websocket" || c.transport == "long-polling", "-transport: %q is unknown", c.transport)
	fault(c.protocol == "bayeux" || c.protocol == "centrifuge" && c.transport == "websocket", "-protocol: no %q over %s", c.protocol, c.transport)
	fault(c.bytes >= minData, "-bytes: at least %d", minData)
	const most = 9999 // four digits in a mark
	fault(c.channels > 0 && c.channels <= most && c.channels <= c.subscribers, "-channels: from 1 to %d, and no more than subscribers", most)
	fault(c.publishers > 0 && c.publishers <= c.channels, "-publishers: from 1 to the number of channels")
	fault(c.sessions >= 0 && (c.scenario != "request" || c.sessions <= most), "-sessions: at most %d", most)
	fault(!c.people || c.protocol == "bayeux" && (c.scenario == "idle" || c.scenario == "open"), "-people: not for %s of %s", c.scenario, c.protocol)
	fault(c.rate >= 0 && c.window > 0, "-rate, -window: must not be negative")
	fault(c.duration > 0, "-duration: must be positive")
	return errors.Join(faults...)
}
