package bayeux

import (
	"runtime"
	"sync"
)

// outbox is the sockets that have something to write, in the order in which
// that came up. A few goroutines write for all of them, and only while there is
// something: one for each socket would cost more than the writing. A socket is
// in it once at most, as its writer.
type outbox struct {
	mu      sync.Mutex
	ready   []*socket
	next    int // what of ready has been taken
	running int // goroutines that write
}

// enqueue makes the outbox the socket's writer.
func (srv *Server) enqueue(k *socket) {
	o := &srv.outbox
	o.mu.Lock()
	o.ready = append(o.ready, k)
	start := o.running < runtime.NumCPU()
	if start {
		o.running++
	}
	o.mu.Unlock()
	if start {
		srv.tasks.spawn(srv.empty)
	}
}

// empty writes for all sockets that wait.
func (srv *Server) empty() {
	for {
		k := srv.outbox.take()
		if k == nil {
			srv.joined.forget()
			return
		}
		k.write()
	}
}

// take returns the next socket. Without one the caller counts as ended.
func (o *outbox) take() *socket {
	o.mu.Lock()
	defer o.mu.Unlock()
	const few = 1 << 10
	switch n := len(o.ready) - o.next; {
	case n == 0:
		o.ready, o.next = o.ready[:0], 0
		if cap(o.ready) > few {
			o.ready = nil // a rush must not leave its memory behind
		}
		o.running--
		return nil
	case o.next > few && o.next > n:
		// Under load there may always be somebody left.
		copy(o.ready, o.ready[o.next:])
		clear(o.ready[n:])
		o.ready, o.next = o.ready[:n], 0
	}
	k := o.ready[o.next]
	o.ready[o.next] = nil
	o.next++
	return k
}
