package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	wc "github.com/webconferencing/webconferencing"
)

// couple is two people, each with a device, who call each other again and
// again.
type couple struct {
	host           *host
	caller, callee wc.Actor
	number, tries  int
	subs           []*wc.Subscription
	rings, ends    chan *wc.Event // what the callee is told; what both are told
	events         *atomic.Int64
}

func newCouple(ctx context.Context, h *host, number int, events *atomic.Int64) (*couple, error) {
	c := &couple{
		host: h, number: number, caller: device(2 * number), callee: device(2*number + 1), events: events,
		rings: make(chan *wc.Event, 4), ends: make(chan *wc.Event, 8),
	}
	for _, who := range []wc.Actor{c.caller, c.callee} {
		sub, err := h.Subscribe(ctx, who, wc.UserTopic(who.User), nil, func(e *wc.Event) { c.told(who, e) })
		if err != nil {
			return nil, err
		}
		c.subs = append(c.subs, sub)
	}
	return c, nil
}

func (c *couple) told(who wc.Actor, e *wc.Event) {
	c.events.Add(1)
	if e.Type != wc.EventState {
		return
	}
	to := c.ends
	if e.State == wc.StateStarted {
		if who.User != c.callee.User {
			return
		}
		to = c.rings
	}
	select {
	case to <- e:
	default: // its attempt will miss it and fail
	}
}

func (c *couple) close() {
	for _, s := range c.subs {
		s.Close()
	}
}

// attempt is a whole call: the callee hears it, both come in, the callee leaves
// and the caller stops. It returns how long the callee had to wait for the
// first sign.
func (c *couple) attempt(ctx context.Context) (time.Duration, error) {
	id := wc.CallID(fmt.Sprintf("call-%d-%d", c.number, c.tries))
	c.tries++
	start := time.Now()
	if _, err := c.host.CreateCall(ctx, c.caller, pairCall(string(id), c.caller, c.callee)); err != nil {
		return 0, err
	}
	if err := await(ctx, c.rings, id); err != nil {
		return 0, fmt.Errorf("ring: %w", err)
	}
	rang := time.Since(start)
	if _, err := c.host.Ringing(ctx, c.callee, id); err != nil {
		return 0, err
	}
	if _, err := c.host.JoinCall(ctx, c.caller, id); err != nil {
		return 0, err
	}
	if _, err := c.host.AcceptCall(ctx, c.callee, id); err != nil {
		return 0, err
	}
	if _, err := c.host.LeaveCall(ctx, c.callee, id, nil); err != nil {
		return 0, err
	}
	// Where one has left there is nothing to stop any more.
	if _, err := c.host.StopCall(ctx, c.caller, id); err != nil && wc.CodeOf(err) != wc.CodeNotFound {
		return 0, err
	}
	for range 2 {
		if err := await(ctx, c.ends, id); err != nil {
			return 0, fmt.Errorf("end: %w", err)
		}
	}
	return rang, nil
}

func await(ctx context.Context, events <-chan *wc.Event, id wc.CallID) error {
	select {
	case e := <-events:
		if e.CallID != id {
			return fmt.Errorf("told about call %q, not %q", e.CallID, id)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(30 * time.Second):
		return fmt.Errorf("nothing was told about call %q", id)
	}
}

// measured is the outcome of many attempts.
type measured struct {
	attempts int
	rate     float64 // a second
	cpu      float64 // microseconds of processor time for each
	events   float64 // for each
	volume   volume
	rings    []time.Duration // sorted
}

// attempt lets couples call for a while. With pace each couple begins an
// attempt at that interval, whether or not the last was quick.
func attemptFor(ctx context.Context, h *host, couples int, d, pace time.Duration) (*measured, error) {
	var events atomic.Int64
	list := make([]*couple, couples)
	for i := range list {
		c, err := newCouple(ctx, h, i, &events)
		if err != nil {
			return nil, err
		}
		defer c.close()
		list[i] = c
	}
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		fault = newFirstError()
		m     measured
	)
	h.meter.start()
	cpu, start := processorTime(), time.Now()
	for i, c := range list {
		wg.Go(func() {
			var mine []time.Duration
			next := start.Add(pace * time.Duration(i) / time.Duration(couples))
			for time.Since(start) < d {
				if pace > 0 {
					time.Sleep(time.Until(next))
				}
				late := max(0, time.Since(next))
				rang, err := c.attempt(ctx)
				if err != nil {
					fault.set(err)
					return
				}
				if pace > 0 {
					rang += late
					next = next.Add(pace)
				}
				mine = append(mine, rang)
			}
			mu.Lock()
			defer mu.Unlock()
			m.rings = append(m.rings, mine...)
		})
	}
	wg.Wait()
	seconds := time.Since(start).Seconds()
	if err := fault.get(); err != nil {
		return nil, err
	}
	m.attempts = len(m.rings)
	m.rate = float64(m.attempts) / seconds
	m.cpu = float64((processorTime() - cpu).Microseconds()) / float64(m.attempts)
	m.events = float64(events.Load()) / float64(m.attempts)
	m.volume = h.meter.volume()
	slices.Sort(m.rings)
	return &m, nil
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// fresh returns a new folder, so that no measurement finds another's file.
func fresh(dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	return path, os.Mkdir(path, 0o700)
}

// round is what one round measured for one number of calls at once.
type round struct {
	*measured
	same, fixed bareRound
}

// bareRound is what the bare program did: commits a second, and processor time
// for each.
type bareRound struct{ rate, cpu float64 }

// measureAttempts lets the two sides take turns, so that a machine that is slow
// for a while is slow for both, and shows medians.
func measureAttempts(ctx context.Context, dir string, n sizes) error {
	fmt.Fprintln(n.out, "attempts: create, ring, join, accept, leave, stop; all answered after their forced writes, two devices told")
	fmt.Fprintln(n.out, "calls at once | attempts/s | commits each | bare bbolt, same puts under the same keys: attempts/s | ratio | bare, one record for each writer overwritten, no values: attempts/s | ratio | CPU µs each | bare CPU µs each, same keys | events each | bytes a commit")
	for _, writers := range n.writers {
		var rounds []round
		for i := range n.rounds {
			r, err := oneRound(ctx, filepath.Join(dir, fmt.Sprintf("%d-%d", writers, i)), writers, n.duration)
			if err != nil {
				return err
			}
			rounds = append(rounds, *r)
		}
		mid := func(of func(r round) float64) float64 {
			all := make([]float64, len(rounds))
			for i, r := range rounds {
				all[i] = of(r)
			}
			slices.Sort(all)
			return all[len(all)/2]
		}
		each := func(r round) float64 { return r.volume.commits / float64(r.attempts) }
		v := rounds[0].volume
		fmt.Fprintf(n.out, "%d | %.0f | %.1f | %.0f | %.2f | %.0f | %.2f | %.0f | %.0f | %.1f | %.0f+%.0f+%.1fx%.0f\n",
			writers, mid(func(r round) float64 { return r.rate }), mid(each),
			mid(func(r round) float64 { return r.same.rate / each(r) }), mid(func(r round) float64 { return r.rate * each(r) / r.same.rate }),
			mid(func(r round) float64 { return r.fixed.rate / each(r) }), mid(func(r round) float64 { return r.rate * each(r) / r.fixed.rate }),
			mid(func(r round) float64 { return r.cpu }), mid(func(r round) float64 { return r.same.cpu * each(r) }), mid(func(r round) float64 { return r.events }),
			v.record, v.event, v.values, v.value)
	}
	return nil
}

func oneRound(ctx context.Context, dir string, writers int, d time.Duration) (*round, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	m, err := oneRate(ctx, dir, writers, d)
	if err != nil {
		return nil, err
	}
	r := &round{measured: m}
	each := int(m.volume.commits/float64(m.attempts) + 0.5)
	for name, bare := range map[string]struct {
		calls int
		*bareRound
	}{"same": {each, &r.same}, "fixed": {0, &r.fixed}} {
		folder, err := fresh(dir, name)
		if err != nil {
			return nil, err
		}
		if bare.rate, bare.cpu, err = bareRate(ctx, folder, writers, m.volume, bare.calls, d); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func oneRate(ctx context.Context, dir string, writers int, d time.Duration) (*measured, error) {
	folder, err := fresh(dir, fmt.Sprint("calls", writers))
	if err != nil {
		return nil, err
	}
	h, err := startHost(folder, 0)
	if err != nil {
		return nil, err
	}
	m, err := attemptFor(ctx, h, writers, d, 0)
	if err1 := h.stop(); err == nil {
		err = err1
	}
	return m, err
}

// measureLatency finds the highest rate of some couples and then measures at
// half of it.
func measureLatency(ctx context.Context, dir string, n sizes) error {
	most, err := oneRate(ctx, dir, n.couples, n.duration)
	if err != nil {
		return err
	}
	folder, err := fresh(dir, "half")
	if err != nil {
		return err
	}
	h, err := startHost(folder, 0)
	if err != nil {
		return err
	}
	// Enough couples that a slow attempt does not delay the next.
	more := 4 * n.couples
	// On a machine that stood still the highest rate says nothing; the bound
	// keeps that from taking minutes.
	pace := min(time.Duration(float64(more)/(most.rate/2)*float64(time.Second)), 10*n.duration)
	m, err := attemptFor(ctx, h, more, max(n.duration, 2*pace), pace)
	if err1 := h.stop(); err == nil {
		err = err1
	}
	if err != nil {
		return err
	}
	if folder, err = fresh(dir, "forced"); err != nil {
		return err
	}
	forced, err := forcedWrite(folder, m.volume, n.single)
	if err != nil {
		return err
	}
	fmt.Fprintf(n.out, "latency: from create to the callee's device at %.0f attempts/s (most is %.0f/s): p50 %.2f ms, p99 %.2f ms; one forced write: p50 %.2f ms, p99 %.2f ms\n",
		m.rate, most.rate, ms(quantile(m.rings, 0.5)), ms(quantile(m.rings, 0.99)), ms(quantile(forced, 0.5)), ms(quantile(forced, 0.99)))
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
