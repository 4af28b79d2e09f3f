package main

import (
	"net/http"
	"sync"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
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
// not lock the owner out at another. Names that nobody has count together.
func (a *auth) attemptKey(username string, r *http.Request) string {
	if a.people.person(username) == nil {
		username = "?"
	}
	return username + " " + bayeux.Customer(a.clientAddr(r))
}

// begin counts an attempt and tells whether it may be made. It counts before
// the password is looked at, so that many attempts at once are no way around.
func (a *attempts) begin(key string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if a.made == nil {
		a.made = make(map[string]attempt)
	}
	t, known := a.made[key]
	if !known && len(a.made) >= attemptsKept {
		a.makeRoom(now)
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

// makeRoom forgets what is over, and at least one. Whoever has so many
// addresses to guess from is not slowed down by one of them anyway, and nobody
// else must be kept out. The caller holds mu.
func (a *attempts) makeRoom(now time.Time) {
	for key, t := range a.made {
		if now.After(t.until) {
			delete(a.made, key)
		}
	}
	for key := range a.made {
		if len(a.made) < attemptsKept {
			return
		}
		delete(a.made, key)
	}
}
