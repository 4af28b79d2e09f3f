package main

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// config is one measurement.
type config struct {
	server                            netip.AddrPort
	path, name, protocol, transport   string
	scenario                          string
	subscribers, channels, publishers int
	window                            int
	rate                              int // deliveries a second; 0 as many as the window allows
	bytes                             int
	sessions                          int  // of request, idle and open
	people                            bool // each session has a user
	warmup, duration, settle          time.Duration
	patience, drain                   time.Duration
	pid                               int
}

// run is one measurement in progress. Everything happens on the loop's
// goroutine.
type run struct {
	config
	loop      *loop
	sessions  []*session
	channels  []*channel
	open      int
	measuring bool
	stopping  bool

	deliveries int64 // while measuring
	units      int64 // frames or responses with messages
	marks      int64
	inflight   int // publishes that have not reached everybody
	scheduled  int64
	strays     int64
	failures   int64
	failure    error // the first
	latency    histogram
	tally      tally
}

// channel is one channel under load.
type channel struct {
	number      int
	name        string
	subscribers int
	sent        uint32
	left        []int32 // by seq: subscribers who have not got it
	by          *publisher
}

// publisher is a session that publishes. All messages of a channel come from
// one publisher, so that they have an order.
type publisher struct {
	session  *session
	channels []*channel
	turn     int
	window   int
	inflight int
	queue    []planned // by a rate, waiting for the connection
	data     []byte
}

// planned is a message that is to be sent at a given time.
type planned struct {
	channel *channel
	at      time.Duration
}

// opensAtOnce is how many sessions are being opened at the same time.
const opensAtOnce = 32

func newRun(c config) (*run, error) {
	l, err := newLoop()
	if err != nil {
		return nil, err
	}
	return &run{config: c, loop: l}, nil
}

func (r *run) fail(err error) {
	r.failures++
	if r.failure == nil {
		r.failure = err
	}
}

// add makes a session without opening it.
func (r *run) add(channel int) *session {
	s := &session{run: r, index: len(r.sessions), channel: channel}
	s.client = newClient(s, &r.config)
	r.sessions = append(r.sessions, s)
	return s
}

// openAll opens the sessions that are not, some at a time, until all are there.
func (r *run) openAll() error {
	next := r.open
	begun := func() bool {
		for next < len(r.sessions) && next-r.open < opensAtOnce && r.failure == nil {
			if err := r.sessions[next].client.open(); err != nil {
				r.fail(err)
			}
			next++
		}
		return r.open == len(r.sessions) || r.failure != nil
	}
	if !r.loop.run(r.patience, begun) {
		return errors.Join(fmt.Errorf("%d of %d sessions opened in %v", r.open, len(r.sessions), r.patience), r.loop.err)
	}
	return r.failure
}

// got notes one message at one session.
func (r *run) got(s *session, m mark) {
	if m.channel >= len(r.channels) || s.channel >= 0 && m.channel != s.channel {
		r.strays++
		return
	}
	c := r.channels[m.channel]
	if m.seq >= c.sent {
		r.strays++
		return
	}
	if !s.track.saw(m.seq, &r.tally) {
		return
	}
	if r.measuring {
		r.deliveries++
		r.latency.add(r.loop.now - m.at)
	}
	if c.left[m.seq]--; c.left[m.seq] == 0 {
		r.inflight--
		c.by.inflight--
		c.by.pump(r)
	}
}

// pump sends as much as the window or the plan allows.
func (p *publisher) pump(r *run) {
	if r.stopping {
		return
	}
	if r.rate > 0 {
		for len(p.queue) > 0 && p.send(r, p.queue[0].channel, p.queue[0].at) {
			p.queue = p.queue[1:]
		}
		return
	}
	for p.inflight < p.window {
		if !p.send(r, p.channels[p.turn%len(p.channels)], r.loop.now) {
			return
		}
		p.turn++
	}
}

func (p *publisher) send(r *run, c *channel, at time.Duration) bool {
	if !p.session.ready {
		return false
	}
	p.data = appendData(p.data[:0], mark{c.number, c.sent, at}, r.bytes)
	if !p.session.client.send(c.name, p.data) {
		return false
	}
	c.sent++
	c.left = append(c.left, int32(c.subscribers))
	p.inflight++
	r.inflight++
	return true
}

// schedule hands out what is due by the rate.
func (r *run) schedule(since time.Duration) {
	each := int64(r.subscribers / len(r.channels))
	// The loop's own time is from before it slept.
	due := 1 + int64((r.loop.clock()-since).Seconds()*float64(r.rate)/float64(each))
	for ; r.scheduled < due; r.scheduled++ {
		c := r.channels[int(r.scheduled)%len(r.channels)]
		at := since + time.Duration(float64(r.scheduled)*float64(each)/float64(r.rate)*float64(time.Second))
		c.by.queue = append(c.by.queue, planned{c, at})
		c.by.pump(r)
	}
}
