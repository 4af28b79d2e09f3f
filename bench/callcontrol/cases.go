package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	wc "github.com/webconferencing/webconferencing"
)

// measureMeeting lets everybody of a space join its call at once.
func measureMeeting(ctx context.Context, dir string, n sizes) error {
	h, err := startHost(dir, n.people)
	if err != nil {
		return err
	}
	defer h.stop()
	const id = wc.CallID("meeting")
	_, err = h.CreateCall(ctx, device(0), wc.NewCall{
		ID: id, Owner: wc.Ref{Type: wc.OwnerSpace, ID: "all"}, Provider: "webrtc", Title: "Meeting", Start: true,
	})
	if err != nil {
		return err
	}
	// Everybody is told of everybody.
	var told atomic.Int64
	all := make(chan struct{})
	for i := range n.people {
		_, err := h.Subscribe(ctx, device(i), wc.UserTopic(user(i)), nil, func(e *wc.Event) {
			if e.Type == wc.EventJoined && told.Add(1) == int64(n.people*n.people) {
				close(all)
			}
		})
		if err != nil {
			return err
		}
	}
	h.meter.start()
	start := time.Now()
	var wg sync.WaitGroup
	fault := newFirstError()
	for i := range n.people {
		wg.Go(func() {
			_, err := h.JoinCall(ctx, device(i), id)
			fault.set(err)
		})
	}
	wg.Wait()
	answered := time.Since(start)
	if err := fault.get(); err != nil {
		return err
	}
	select {
	case <-all:
	case <-time.After(30 * time.Second):
		return fmt.Errorf("%d of %d events came", told.Load(), n.people*n.people)
	}
	everybody := time.Since(start)
	v := h.meter.volume()
	forced, err := forcedWrite(dir, v, int(v.commits))
	if err != nil {
		return err
	}
	var sum time.Duration
	for _, d := range forced {
		sum += d
	}
	fmt.Fprintf(n.out, "meeting: %d people joined in %.0f commits of %.0f+%.0f bytes; all answered after %v, all told (%d events) after %v; bare bbolt takes %v for as many commits\n",
		n.people, v.commits, v.record, v.event, answered.Round(time.Millisecond), told.Load(), everybody.Round(time.Millisecond), sum.Round(time.Millisecond))
	return nil
}

// fill makes calls between two people, the first of them live with both inside.
func fill(ctx context.Context, h *host, calls, live int) error {
	const workers = 256
	fault := newFirstError()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				i := int(next.Add(1) - 1)
				if i >= calls {
					return
				}
				caller, callee := device(2*i), device(2*i+1)
				n := pairCall(fmt.Sprintf("call-%d", i), caller, callee)
				n.Start = i < live
				_, err := h.CreateCall(ctx, caller, n)
				for _, who := range []wc.Actor{caller, callee} {
					if err == nil && n.Start {
						_, err = h.JoinCall(ctx, who, n.ID)
					}
				}
				if err != nil {
					fault.set(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return fault.get()
}

// measureMemory weighs calls with two devices each.
func measureMemory(ctx context.Context, dir string, n sizes) error {
	h, err := startHost(dir, 0)
	if err != nil {
		return err
	}
	defer h.stop()
	before := liveHeap()
	if err := fill(ctx, h, n.calls, n.calls); err != nil {
		return err
	}
	with := liveHeap()
	// The journal's cache is bounded and holds the last calls' events.
	fmt.Fprintf(n.out, "memory: %.2f KiB a call for %d calls with 2 devices each, caches included; %d seats\n",
		float64(with-before)/1024/float64(n.calls), n.calls, h.Stats().Seats)
	return nil
}

// liveHeap is the heap after what is garbage has gone.
func liveHeap() int64 {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// measureStart opens a file with many calls.
func measureStart(ctx context.Context, dir string, n sizes) error {
	h, err := startHost(dir, 0)
	if err != nil {
		return err
	}
	if err := fill(ctx, h, n.stored, n.live); err != nil {
		h.stop()
		return err
	}
	if err := h.stop(); err != nil {
		return err
	}
	start := time.Now()
	if h, err = startHost(dir, 0); err != nil {
		return err
	}
	defer h.stop()
	opened := time.Since(start)
	if _, err := h.Call(ctx, device(0), "call-0"); err != nil {
		return err
	}
	read := time.Since(start)
	next := 2 * n.stored
	if _, err := h.CreateCall(ctx, device(next), pairCall("first", device(next), device(next+1))); err != nil {
		return err
	}
	changed := time.Since(start)
	for !h.Health(ctx).Ready {
		if time.Since(start) > time.Minute {
			return fmt.Errorf("not ready: %q", h.Health(ctx).Problems)
		}
		time.Sleep(time.Millisecond)
	}
	fmt.Fprintf(n.out, "start: %d stored calls, %d of them live: opened after %v, first read after %v, first call made after %v, ready after %v\n",
		n.stored, n.live, opened.Round(time.Millisecond), read.Round(time.Millisecond), changed.Round(time.Millisecond), time.Since(start).Round(time.Millisecond))
	return nil
}

// measureRead reads one call again and again.
func measureRead(ctx context.Context, dir string, n sizes) error {
	h, err := startHost(dir, 0)
	if err != nil {
		return err
	}
	defer h.stop()
	if err := fill(ctx, h, 1, 1); err != nil {
		return err
	}
	by := device(0)
	through := func() error { _, err := h.Call(ctx, by, "call-0"); return err }
	stored := func() error { _, err := h.store.Call(ctx, "call-0"); return err }
	var c wc.Call
	if got, err := h.Call(ctx, by, "call-0"); err == nil {
		c = *got
	}
	copied := func() error { c.Clone(); return nil }
	for _, read := range []struct {
		what string
		f    func() error
	}{{"Service.Call", through}, {"Store.Call", stored}, {"Call.Clone alone", copied}} {
		each, allocs, err := cost(read.f, n.reads)
		if err != nil {
			return err
		}
		fmt.Fprintf(n.out, "read: %s of a cached call with two people: %v, %.1f allocations\n", read.what, each, allocs)
	}
	return nil
}

// cost returns the time and the allocations of one call of f.
func cost(f func() error, times int) (time.Duration, float64, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	for range times {
		if err := f(); err != nil {
			return 0, 0, err
		}
	}
	d := time.Since(start)
	runtime.ReadMemStats(&after)
	return d / time.Duration(times), float64(after.Mallocs-before.Mallocs) / float64(times), nil
}
