package httpapi

import (
	"fmt"
	"math"
	"sync"
	"time"
)

// Rate limits how often something may happen: Burst times at once, and
// PerSecond times a second in the long run.
type Rate struct {
	PerSecond float64
	Burst     int
}

// Unlimited returns the Rate that limits nothing.
func Unlimited() Rate { return Rate{PerSecond: math.Inf(1), Burst: 1} }

func (r Rate) or(d Rate) Rate {
	if r == (Rate{}) {
		return d
	}
	return r
}

func (r Rate) validate(field string) error {
	if !(r.PerSecond > 0) || r.Burst < 1 {
		return fmt.Errorf("httpapi: Options.%s must have a positive PerSecond and Burst, is %v and %d", field, r.PerSecond, r.Burst)
	}
	return nil
}

// maxBuckets bounds the memory of a limiter. Keys beyond it share one bucket.
const maxBuckets = 20_000

// limiter keeps a token bucket for each key, as long as it isn't full.
type limiter struct {
	rate Rate

	mu      sync.Mutex
	buckets map[string]bucket
	swept   time.Time
}

type bucket struct {
	tokens float64
	at     time.Time
}

func newLimiter(r Rate) *limiter {
	return &limiter{rate: r, buckets: make(map[string]bucket)}
}

// allow takes a token. If there is none it returns how long the next one will
// take.
func (l *limiter) allow(key string, now time.Time) (wait time.Duration, ok bool) {
	return l.take(key, now, true)
}

// ready tells whether allow would succeed, without taking a token.
func (l *limiter) ready(key string, now time.Time) (wait time.Duration, ok bool) {
	return l.take(key, now, false)
}

func (l *limiter) take(key string, now time.Time, spend bool) (time.Duration, bool) {
	if math.IsInf(l.rate.PerSecond, 1) {
		return 0, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b, known := l.buckets[key]
	if !known && len(l.buckets) >= maxBuckets {
		l.sweep(now)
		if len(l.buckets) >= maxBuckets {
			key = ""
			b, known = l.buckets[key]
		}
	}
	if !known {
		b = bucket{tokens: float64(l.rate.Burst), at: now}
	}
	b.tokens = l.refilled(b, now)
	b.at = now
	if b.tokens < 1 {
		l.buckets[key] = b
		return time.Duration((1 - b.tokens) / l.rate.PerSecond * float64(time.Second)), false
	}
	if spend {
		b.tokens--
		l.buckets[key] = b
	}
	return 0, true
}

func (l *limiter) refilled(b bucket, now time.Time) float64 {
	passed := max(0, now.Sub(b.at).Seconds())
	return min(float64(l.rate.Burst), b.tokens+passed*l.rate.PerSecond)
}

// sweep forgets the buckets that are full again; at most once a second, so
// that a flood of new keys does not make each request walk over all of them.
func (l *limiter) sweep(now time.Time) {
	if now.Sub(l.swept) < time.Second {
		return
	}
	l.swept = now
	for key, b := range l.buckets {
		if l.refilled(b, now) >= float64(l.rate.Burst) {
			delete(l.buckets, key)
		}
	}
}
