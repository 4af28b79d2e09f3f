package main

import (
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	maxAttempts    = 10          // sign-ins to one account from one address …
	attemptsWindow = time.Minute // … in this time, unless one succeeds
	attemptsKept   = 10_000      // accounts and addresses remembered
)

// attempts limits sign-ins, so that guessing a password takes too long to be
// worth it. The zero value is ready; it may be used concurrently.
type attempts struct {
	mu   sync.Mutex
	made map[string]attempt
}

type attempt struct {
	count int
	until time.Time
}

// attemptKey names an account at an address: an attacker at one address does
// not lock the owner out at another.
func attemptKey(username string, r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return host + " " + username[:min(len(username), 64)]
}

// begin counts an attempt and tells whether it may be made. It counts before
// the password is looked at, so that many attempts at once are no way around.
func (a *attempts) begin(key string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	t, known := a.made[key]
	if !known && len(a.made) >= attemptsKept && !a.sweep(now) {
		return false
	}
	if a.made == nil {
		a.made = make(map[string]attempt)
	}
	if now.After(t.until) {
		t = attempt{until: now.Add(attemptsWindow)}
	}
	t.count++
	a.made[key] = t
	return t.count <= maxAttempts
}

// succeed forgets the attempts that led to a sign-in.
func (a *attempts) succeed(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.made, key)
}

// sweep forgets what is over and tells whether that made room. The caller
// holds mu.
func (a *attempts) sweep(now time.Time) bool {
	for key, t := range a.made {
		if now.After(t.until) {
			delete(a.made, key)
		}
	}
	return len(a.made) < attemptsKept
}
