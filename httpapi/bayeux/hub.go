package bayeux

import "sync"

// hub knows who is subscribed to what. Its lock may be held while a session's
// is taken, never the other way round.
type hub struct {
	mu       sync.RWMutex
	channels map[string]*subscribers
}

// subscribers is the set of one channel or pattern. The list is a snapshot
// that publishers walk without the lock; it is made anew after a change.
type subscribers struct {
	set  map[*Session]struct{}
	list []*Session
}

func newHub() *hub { return &hub{channels: make(map[string]*subscribers)} }

func (h *hub) exists(channel string) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.channels[channel] != nil
}

// add subscribes all channels or none. Added are those that the session did
// not have; they are pending until confirm. It fails if the session has ended
// or would exceed the limit.
func (h *hub) add(s *Session, channels []string, limit int) (added []string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	for _, name := range channels {
		if _, has := s.subscriptions[name]; !has {
			s.subscriptions[name] = false
			added = append(added, name)
		}
	}
	if len(s.subscriptions) > limit {
		for _, name := range added {
			delete(s.subscriptions, name)
		}
		return nil, &Refusal{Reason: reasonLimit}
	}
	for _, name := range added {
		c := h.channels[name]
		if c == nil {
			c = &subscribers{set: make(map[*Session]struct{})}
			h.channels[name] = c
		}
		c.set[s] = struct{}{}
		c.list = nil
	}
	return added, nil
}

// remove takes the session out of the channels, wherever it still is.
func (h *hub) remove(s *Session, channels ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, name := range channels {
		c := h.channels[name]
		if c == nil {
			continue
		}
		delete(c.set, s)
		c.list = nil
		if len(c.set) == 0 {
			delete(h.channels, name)
		}
	}
}

// snapshot returns the subscribers of one pattern; the result is shared.
func (h *hub) snapshot(pattern string) []*Session {
	h.mu.RLock()
	c := h.channels[pattern]
	var list []*Session
	if c != nil {
		list = c.list
	}
	h.mu.RUnlock()
	if c == nil || list != nil {
		return list
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.list == nil && len(c.set) > 0 {
		c.list = make([]*Session, 0, len(c.set))
		for s := range c.set {
			c.list = append(c.list, s)
		}
	}
	return c.list
}

// each calls yield once for every session whose subscriptions match the
// concrete channel.
func (h *hub) each(channel string, yield func(*Session)) {
	var lists [][]*Session
	eachPattern(channel, func(pattern string) {
		if list := h.snapshot(pattern); len(list) > 0 {
			lists = append(lists, list)
		}
	})
	if len(lists) == 1 {
		for _, s := range lists[0] {
			yield(s)
		}
		return
	}
	seen := make(map[*Session]struct{})
	for _, list := range lists {
		for _, s := range list {
			if _, twice := seen[s]; !twice {
				seen[s] = struct{}{}
				yield(s)
			}
		}
	}
}

// sizes returns how many subscribers each channel and pattern has.
func (h *hub) sizes() map[string]int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	sizes := make(map[string]int, len(h.channels))
	for name, c := range h.channels {
		sizes[name] = len(c.set)
	}
	return sizes
}

func (h *hub) count() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.channels)
}
