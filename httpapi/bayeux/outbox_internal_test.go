package bayeux

import "testing"

// TestOutbox checks that sockets come out in the order in which they went in,
// and that an outbox that is never empty does not grow for ever. It is an
// internal test because no client can keep an outbox filled for so long.
func TestOutbox(t *testing.T) {
	srv := &Server{}
	o := &srv.outbox
	o.running = 1 << 20 // so that nobody else empties it
	in := make([]*socket, 0, 100_000)
	out := 0
	take := func() {
		t.Helper()
		if k := o.take(); k != in[out] {
			t.Fatalf("socket %d is not the next", out)
		}
		out++
	}
	for len(in) < cap(in) {
		k := &socket{}
		in = append(in, k)
		srv.outbox.enqueue(k)
		if len(in) > 3000 {
			take()
		}
	}
	if n := cap(o.ready); n > 20_000 {
		t.Errorf("room for %d sockets is kept for 3,000", n)
	}
	for out < len(in) {
		take()
	}
	if k := o.take(); k != nil || o.ready != nil || o.running != 1<<20-1 {
		t.Errorf("empty outbox has %v, room for %d, %d at work", k, cap(o.ready), o.running)
	}
}
