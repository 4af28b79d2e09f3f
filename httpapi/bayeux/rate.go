package bayeux

import (
	"sync"
	"time"
)

// bucket is a token bucket. Its caller locks. The zero value is full.
type bucket struct {
	used float64 // tokens taken and not yet refilled
	at   time.Time
}

// take takes n tokens, going into debt if need be, and returns how long it is
// until the debt is paid.
func (b *bucket) take(now time.Time, n, rate, burst float64) time.Duration {
	b.refill(now, rate)
	b.used += n
	if b.used <= burst {
		return 0
	}
	return time.Duration((b.used - burst) / rate * float64(time.Second))
}

func (b *bucket) refill(now time.Time, rate float64) {
	if !b.at.IsZero() {
		b.used = max(0, b.used-now.Sub(b.at).Seconds()*rate)
	}
	b.at = now
}

// limiter holds a bucket for each of many keys. The number of keys is bounded:
// when it is reached, others are forgotten, full ones first as far as a short
// look finds them. That gives an attacker with many addresses no more than the
// addresses give anyway.
type limiter struct {
	rate, burst float64

	mu      sync.Mutex
	buckets map[string]*bucket
}

const maxBuckets = 16_384

// newLimiter returns nil, which allows everything, for Unlimited.
func newLimiter(count int, per time.Duration, burst int) *limiter {
	if count == Unlimited {
		return nil
	}
	return &limiter{rate: float64(count) / per.Seconds(), burst: float64(burst), buckets: make(map[string]*bucket)}
}

// allow takes one token for the key if there is one. The empty key is not
// limited.
func (l *limiter) allow(key string) bool {
	if l == nil || key == "" {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.find(key)
	if b.used+1 > l.burst {
		return false
	}
	b.used++
	return true
}

func (l *limiter) find(key string) *bucket {
	now := time.Now()
	b := l.buckets[key]
	if b == nil {
		if len(l.buckets) >= maxBuckets {
			l.evict(now)
		}
		b = &bucket{}
		l.buckets[key] = b
	}
	b.refill(now, l.rate)
	return b
}

func (l *limiter) evict(now time.Time) {
	const look = 16
	n, victim := 0, ""
	for key, b := range l.buckets {
		b.refill(now, l.rate)
		if victim = key; b.used == 0 {
			break
		}
		if n++; n == look {
			break
		}
	}
	delete(l.buckets, victim)
}

// slowDown returns how long a session's client has to wait to keep to its rate.
// It reports false if that is longer than the limit, which takes nothing.
func (s *Session) slowDown(messages int, limit time.Duration) (wait time.Duration, ok bool) {
	o := &s.srv.opts
	if o.MaxMessageRate == Unlimited {
		return 0, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	wait = s.sent.take(time.Now(), float64(messages), float64(o.MaxMessageRate), float64(o.MaxMessageBurst))
	if wait > limit {
		s.sent.used -= float64(messages)
		return 0, false
	}
	return wait, true
}
