package main

import (
	"errors"
	"testing"
)

func TestRatiosCompareEqualRounds(t *testing.T) {
	ours := &server{name: "ours", transports: []string{sockets}}
	peer := &server{name: "peer", transports: []string{sockets}}
	tab := newTable([]*server{ours, peer})
	r := row{scenario: "fanout", transport: sockets}
	// The machine is half as fast in the second round, and the peer fails in
	// the third.
	tab.add(0, r, ours, &result{PerSecond: 2000}, nil)
	tab.add(0, r, peer, &result{PerSecond: 1000}, nil)
	tab.add(1, r, peer, &result{PerSecond: 500}, nil)
	tab.add(1, r, ours, &result{PerSecond: 1000}, nil)
	tab.add(2, r, ours, &result{PerSecond: 9000, Saturated: true}, nil)
	tab.add(2, r, peer, nil, errors.New("broke"))
	if got, want := tab.cell(r, ours), "~2,000 (2,000)"; got != want {
		t.Errorf("ours is %q, want %q", got, want)
	}
	if got, want := tab.cell(r, peer), "750 (750) [2.00]"; got != want {
		t.Errorf("the peer is %q, want %q", got, want)
	}
	idle := row{scenario: "idle", transport: sockets}
	tab.add(0, idle, ours, &result{KiBPerSession: 10}, nil)
	tab.add(0, idle, peer, &result{KiBPerSession: 30}, nil)
	if got, want := tab.cell(idle, peer), "30.0 [3.00]"; got != want {
		t.Errorf("the idle peer is %q, want %q", got, want)
	}
	if got := tab.cell(row{scenario: "fanout", transport: polling}, peer); got != "–" {
		t.Errorf("a transport that the peer lacks is %q", got)
	}
}
