package webconferencing

import "time"

// whyGone is why a lease was shortened by a provider's evidence.
const whyGone = "the provider saw the device leave"

// shorten makes the lease of a device whose connection to the provider is gone
// end earlier, but not before the device's next sign of life would be late: who
// still renews stays, whatever the provider says.
func (l *leases) shorten(id CallID, epoch uint64, user UserID, client ClientID, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.byCall[id] {
		if s.epoch != epoch || s.user != user || s.client != client {
			continue
		}
		if late := s.renewed.Add(l.ttl / 2); until.Before(late) {
			until = late
		}
		if until.Before(s.until) {
			s.full, s.until, s.why = s.until, until, whyGone
		}
		return
	}
}

// restore takes back what shorten did, after a later connection.
func (l *leases) restore(id CallID, epoch uint64, user UserID, client ClientID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.byCall[id] {
		if s.epoch == epoch && s.user == user && s.client == client && s.why == whyGone && !s.expired {
			s.until, s.why = s.full, ""
		}
	}
}
