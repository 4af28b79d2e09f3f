package main

import (
	"fmt"
	"time"
)

// echoChannel is the service that answers with the data it got.
const echoChannel = "/service/echo"

// scenarios are what can be measured, by name.
func scenarios() map[string]func(*run) (*result, error) {
	return map[string]func(*run) (*result, error){
		"fanout": (*run).publish, "broadcast": (*run).publish, "rate": (*run).publish,
		"request": (*run).request, "idle": (*run).idle, "open": (*run).openings,
	}
}

// preset fills in what the scenario means unless it was set.
func (c *config) preset() {
	set := func(field *int, value int) {
		if *field == 0 {
			*field = value
		}
	}
	switch c.scenario {
	case "broadcast":
		set(&c.channels, 1)
		set(&c.publishers, 1)
		set(&c.window, 10)
	case "rate":
		set(&c.rate, 20_000)
	case "request":
		set(&c.sessions, 64)
		set(&c.window, 1)
	case "idle":
		set(&c.sessions, 2000)
	case "open":
		set(&c.sessions, 4000)
	}
	set(&c.subscribers, 1000)
	set(&c.channels, 100)
	set(&c.publishers, 10)
	set(&c.window, 100)
}

// publish measures deliveries to subscribers.
func (r *run) publish() (*result, error) {
	for i := range r.config.channels {
		r.channels = append(r.channels, &channel{number: i, name: channelName(i)})
	}
	for i := range r.subscribers {
		n := i % len(r.channels)
		r.channels[n].subscribers++
		r.add(n)
	}
	publishers := make([]*publisher, r.publishers)
	for i := range publishers {
		p := &publisher{session: r.add(-1), window: max(1, r.window/r.publishers)}
		p.session.onFree = func() { p.pump(r) }
		publishers[i] = p
	}
	for i, c := range r.channels {
		c.by = publishers[i%len(publishers)]
		c.by.channels = append(c.by.channels, c)
	}
	if err := r.openAll(); err != nil {
		return nil, err
	}
	// The last connects are on their way to the server.
	r.loop.run(200*time.Millisecond, func() bool { return false })

	since := r.loop.clock()
	if r.rate == 0 {
		for _, p := range publishers {
			p.pump(r)
		}
	}
	step := func() bool {
		if r.rate > 0 && !r.stopping {
			r.schedule(since)
		}
		return false
	}
	res := r.measure(step, func() int64 { return r.deliveries })
	r.finish()
	return res, r.loop.err
}

// request measures remote calls: each session has some under way.
func (r *run) request() (*result, error) {
	publishers := make([]*publisher, r.config.sessions)
	for i := range publishers {
		c := &channel{number: i, name: echoChannel, subscribers: 1}
		p := &publisher{session: r.add(-1), window: r.window, channels: []*channel{c}}
		c.by = p
		p.session.onFree = func() { p.pump(r) }
		r.channels = append(r.channels, c)
		publishers[i] = p
	}
	if err := r.openAll(); err != nil {
		return nil, err
	}
	for _, p := range publishers {
		p.pump(r)
	}
	res := r.measure(func() bool { return false }, func() int64 { return r.deliveries })
	r.finish()
	return res, r.loop.err
}

// measure lets the load run and counts after the warm-up.
func (r *run) measure(step func() bool, count func() int64) *result {
	r.loop.run(r.warmup, step)
	before, start := usageOf(r.pid), r.loop.clock()
	r.measuring, r.units, r.marks = true, 0, 0
	r.loop.run(r.duration, step)
	seconds := (r.loop.clock() - start).Seconds()
	r.measuring = false
	res := &result{Seconds: seconds, PerSecond: float64(count()) / seconds, run: r}
	res.setUsage(before, usageOf(r.pid))
	return res
}

// finish stops sending, waits for what is under way and counts what is missing.
func (r *run) finish() {
	r.stopping = true
	r.loop.run(r.drain, func() bool { return r.inflight == 0 })
	for _, s := range r.sessions {
		switch {
		case s.channel >= 0:
			s.track.finish(r.channels[s.channel].sent, &r.tally)
		case r.scenario == "request":
			s.track.finish(r.channels[s.index].sent, &r.tally)
		}
	}
}

// idle measures the server's memory for sessions that only wait.
func (r *run) idle() (*result, error) {
	const first = 200 // bring the code and the common buffers into memory
	for range first {
		r.add(-1)
	}
	if err := r.openAll(); err != nil {
		return nil, err
	}
	quiet := func() bool { return r.failure != nil }
	r.loop.run(time.Second, quiet)
	before := residentKiB(r.pid)
	for range r.config.sessions {
		r.add(-1)
	}
	start := r.loop.clock()
	if err := r.openAll(); err != nil {
		return nil, err
	}
	r.loop.run(r.settle, quiet)
	if before == 0 {
		return nil, fmt.Errorf("memory of process %d: not readable; -pid names the server", r.pid)
	}
	kib := float64(residentKiB(r.pid)-before) / float64(r.config.sessions)
	return &result{Seconds: (r.loop.clock() - start).Seconds(), KiBPerSession: kib, run: r}, r.failure
}

// openings measures how many sessions are opened in a second, each with a
// connection of its own, up to its first held connect.
func (r *run) openings() (*result, error) {
	first := r.config.sessions / 8
	for range first {
		r.add(-1)
	}
	if err := r.openAll(); err != nil {
		return nil, err
	}
	for range r.config.sessions - first {
		r.add(-1)
	}
	before, start := usageOf(r.pid), r.loop.clock()
	if err := r.openAll(); err != nil {
		return nil, err
	}
	seconds := (r.loop.clock() - start).Seconds()
	res := &result{Seconds: seconds, PerSecond: float64(r.config.sessions-first) / seconds, run: r}
	res.setUsage(before, usageOf(r.pid))
	return res, nil
}
