package bayeux

// SetHideOwnMessages keeps the session from getting what it publishes itself on
// channels that it is subscribed to, or ends that. Options.HideOwnMessages and
// the rules of channels hide them regardless.
func (s *Session) SetHideOwnMessages(hide bool) { s.hidesOwn.Store(hide) }

// SetConnectOnly sends messages to this session with connect replies only, or
// ends that, regardless of Options.ConnectOnly. A session with the
// acknowledgement extension works in that way in any case.
func (s *Session) SetConnectOnly(only bool) {
	s.mu.Lock()
	s.connectOnly = only || s.queue.acking
	next := s.wakeLocked()
	s.mu.Unlock()
	next.run()
}
