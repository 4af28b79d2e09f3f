package bayeux

import "time"

// PositionedHistory is a [History] that can tell where a channel is. With it,
// a client that has asked for the replay extension learns its place also on
// channels where nothing happens, so that the id from which it would go on does
// not become too old: a connect that ends without a message is answered with
// ext.replay {"/channel": id}.
type PositionedHistory interface {
	History

	// Position returns the replay id after which the channel has no message
	// yet. It reports false if there is none to tell. Calls for one channel come
	// one at a time, as those of Record do.
	Position(channel string) (id int64, ok bool)
}

// positions returns the places of the session's channels as an object, nil if
// they are not to be told.
func (srv *Server) positions(s *Session) []byte {
	history, ok := srv.opts.History.(PositionedHistory)
	if !ok || !s.replays {
		return nil
	}
	const most = 64 // channels in one reply
	var list []byte
	told := 0
	for _, name := range s.Subscriptions() {
		if isWildcard(name) || told == most {
			continue
		}
		if id, ok := srv.place(history, name); ok && id >= 0 {
			list = appendMember(list, name, appendUint(nil, uint64(id)))
			told++
		}
	}
	return list
}

// place asks the history for one place. It is called where nobody could be told of
// a panic.
func (srv *Server) place(history PositionedHistory, channel string) (id int64, ok bool) {
	defer srv.sequence.lock(channel).Unlock()
	srv.safely("Position", func() { id, ok = history.Position(channel) })
	return id, ok
}

// lookAround notes the places if the connect of a poll has timed out.
func (srv *Server) lookAround(s *Session, h *held) {
	s.mu.Lock()
	idle := !h.since.IsZero() && !time.Now().Before(h.until)
	s.mu.Unlock()
	if idle {
		s.position(h)
	}
}

// position notes the places of a connect that has ended without a message. No
// lock of a channel may be held.
func (s *Session) position(h *held) {
	if !s.replays {
		return
	}
	places := s.srv.positions(s)
	s.mu.Lock()
	h.positions = places
	s.mu.Unlock()
}
