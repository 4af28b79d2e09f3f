package bayeux

import (
	"iter"
	"maps"
	"sync/atomic"
)

type counters struct {
	opened, refused, published, delivered, badAcks, panics atomic.Uint64
}

// Stats are numbers for monitoring. Those that count are since the start.
type Stats struct {
	Sessions  int    // live now
	Local     int    // those of them that are inside the program
	Sockets   int    // open WebSockets now
	Channels  int    // channels and patterns with subscribers now
	Opened    uint64 // handshakes that succeeded
	Refused   uint64 // handshakes that did not
	Published uint64 // messages from clients, local sessions included, that were accepted
	Delivered uint64 // messages put into queues
	BadAcks   uint64 // acknowledgements of batches that were never sent
	Panics    uint64 // panics of hooks and handlers
}

// Stats returns the present numbers.
func (srv *Server) Stats() Stats {
	srv.mu.RLock()
	sessions, locals, sockets := len(srv.sessions), srv.locals, len(srv.sockets)
	srv.mu.RUnlock()
	c := &srv.stats
	return Stats{
		Sessions: sessions, Local: locals, Sockets: sockets, Channels: srv.hub.count(),
		Opened: c.opened.Load(), Refused: c.refused.Load(), Published: c.published.Load(),
		Delivered: c.delivered.Load(), BadAcks: c.badAcks.Load(), Panics: c.panics.Load(),
	}
}

// Channels iterates over the channels and patterns that have subscribers at this
// moment, with their number, in no particular order. A session that is subscribed
// to several of them is counted for each.
func (srv *Server) Channels() iter.Seq2[string, int] { return maps.All(srv.hub.sizes()) }

// Subscribers returns how many sessions a message on the channel would go to at
// this moment: each once, whether it is subscribed to the channel or to patterns
// that match it. For a pattern it returns how many are subscribed to just that.
func (srv *Server) Subscribers(channel string) int {
	name, ok := canonicalChannel(channel, srv.opts.MaxChannelBytes, srv.opts.MaxChannelSegments)
	switch {
	case !ok:
		return 0
	case isWildcard(name):
		return len(srv.hub.snapshot(name))
	}
	n := 0
	srv.hub.each(name, func(*Session) { n++ })
	return n
}
