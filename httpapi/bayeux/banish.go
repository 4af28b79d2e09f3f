package bayeux

import (
	"sync"
	"time"
)

// banishment remembers, for a while, the ids of sessions that were sent away
// at a moment when their clients could not be told. Such a client asks once
// more, and is then told to stay away instead of making a new handshake.
type banishment struct {
	mu  sync.Mutex
	ids map[string]time.Time
}

const (
	banishTime = time.Minute
	banishMost = 4096
)

func (srv *Server) banish(id string) {
	b := &srv.banishment
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if len(b.ids) >= banishMost {
		for other, at := range b.ids {
			if now.Sub(at) > banishTime {
				delete(b.ids, other)
			}
		}
	}
	if len(b.ids) >= banishMost {
		return // those clients make a new handshake, where they are refused
	}
	if b.ids == nil {
		b.ids = make(map[string]time.Time)
	}
	b.ids[id] = now
}

func (srv *Server) banished(id string) bool {
	b := &srv.banishment
	b.mu.Lock()
	defer b.mu.Unlock()
	at, found := b.ids[id]
	return found && time.Since(at) <= banishTime
}
