package webconferencing

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// While somebody is in a call his status says so, if the host wants it: the
// node that keeps one of his seats claims it, again and again, each time for a
// while. A node that dies leaves a claim that ends by itself.

const (
	claimFor   = 90 * time.Second
	claimRenew = 30 * time.Second
	claimRetry = 5 * time.Second
)

// PresenceClaimer is a [Directory] that shows people as being in a call. A
// claim displaces what the user's status would be and gives it back; it is not
// the user's choice and must not outlive one: a status that the user chooses
// during the claim wins, and [DoNotDisturb] and [Invisible] are never displaced.
// [PresenceClaims] is a ready-made one for a host with one process.
type PresenceClaimer interface {
	// ClaimPresence shows the user as p, which is [InCall], until a time or
	// until it is released. It is called again long before that time as long
	// as the user has a seat anywhere. An error is logged, and it is tried
	// again; [ErrNotFound] is none.
	ClaimPresence(ctx context.Context, user UserID, p Presence, until time.Time) error
	// ReleasePresence ends the claim, since the user's last seat is gone. To
	// release what is not claimed is no error.
	ReleasePresence(ctx context.Context, user UserID, p Presence) error
}

// presenceClaims is what this node claims.
type presenceClaims struct {
	service *Service
	host    PresenceClaimer
	mu      sync.Mutex
	renewAt map[UserID]time.Time
	failing bool
}

// claimPresence keeps the claims of the users whose seats are kept here, until
// ctx ends.
func (s *Service) claimPresence(ctx context.Context) error {
	host, ok := s.directory.(PresenceClaimer)
	if !ok {
		<-ctx.Done()
		return nil
	}
	c := &presenceClaims{service: s, host: host, renewAt: make(map[UserID]time.Time)}
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			c.look(ctx)
		}
	}
}

// look claims and releases what has changed, a few at once.
func (c *presenceClaims) look(ctx context.Context) {
	now := c.service.now()
	inside := c.service.leases.users()
	var claim, release []UserID
	for user := range inside {
		if at, claimed := c.renewAt[user]; !claimed || !now.Before(at) {
			claim = append(claim, user)
		}
	}
	for user := range c.renewAt {
		if !inside[user] {
			release = append(release, user)
		}
	}
	slices.Sort(claim)
	slices.Sort(release)
	var g errgroup.Group
	g.SetLimit(lookups)
	for _, user := range claim {
		g.Go(func() error { c.claim(ctx, user, now); return nil })
	}
	for _, user := range release {
		g.Go(func() error { c.release(ctx, user); return nil })
	}
	_ = g.Wait() // the functions return no error
}

func (c *presenceClaims) claim(ctx context.Context, user UserID, now time.Time) {
	err := c.ask(ctx, func(ctx context.Context) error {
		return c.host.ClaimPresence(ctx, user, InCall, now.Add(claimFor))
	})
	again := now.Add(claimRenew)
	if err != nil {
		again = now.Add(claimRetry)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.renewAt[user] = again
}

// release gives the status back unless the user went on on another node, which
// then claims it.
func (c *presenceClaims) release(ctx context.Context, user UserID) {
	elsewhere, err := c.service.inside(ctx, user)
	if err != nil {
		return // at the next look
	}
	if !elsewhere {
		// If it fails the claim ends by itself.
		_ = c.ask(ctx, func(ctx context.Context) error { return c.host.ReleasePresence(ctx, user, InCall) })
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.renewAt, user)
}

// ask calls the host and logs the first of several failures.
func (c *presenceClaims) ask(ctx context.Context, f func(context.Context) error) error {
	_, err := callback(ctx, c.service, "presence", func(ctx context.Context) (struct{}, error) { return struct{}{}, f(ctx) })
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	c.mu.Lock()
	first := err != nil && !c.failing && ctx.Err() == nil
	c.failing = err != nil
	c.mu.Unlock()
	if first {
		c.service.logger.WarnContext(ctx, "presence can't be claimed", "ref", newRef(), "error", err)
	}
	return err
}

// inside tells whether a user has a seat in any call.
func (s *Service) inside(ctx context.Context, user UserID) (bool, error) {
	for c, err := range s.store.Calls(ctx, CallQuery{Key: userKey(user)}) {
		if err != nil {
			return false, err
		}
		if c.State == StateStarted && c.Present(user) {
			return true, nil
		}
	}
	return false, nil
}

// PresenceClaims is a [PresenceClaimer] in memory, to be embedded in the
// directory of a host with one process. The host asks it what to show. The zero
// value has no claims; methods may be called concurrently.
type PresenceClaims struct {
	mu     sync.Mutex
	claims map[UserID]presenceClaim
	swept  time.Time
}

type presenceClaim struct {
	until time.Time
	aside bool // the user chose a status himself
}

// ClaimPresence implements [PresenceClaimer].
func (c *PresenceClaims) ClaimPresence(_ context.Context, user UserID, _ Presence, until time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.claims == nil {
		c.claims = make(map[UserID]presenceClaim)
	}
	if now.Sub(c.swept) > claimFor {
		c.swept = now
		for id, claim := range c.claims {
			if !now.Before(claim.until) {
				delete(c.claims, id)
			}
		}
	}
	claim := c.claims[user]
	if !now.Before(claim.until) {
		claim = presenceClaim{}
	}
	claim.until = until
	c.claims[user] = claim
	return nil
}

// ReleasePresence implements [PresenceClaimer].
func (c *PresenceClaims) ReleasePresence(_ context.Context, user UserID, _ Presence) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.claims, user)
	return nil
}

// Chose says that the user chose a status himself: it holds, for the rest of
// the present call too.
func (c *PresenceClaims) Chose(user UserID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if claim, ok := c.claims[user]; ok {
		claim.aside = true
		c.claims[user] = claim
	}
}

// Show returns what to show for a user whose own status is given: [InCall] while
// that is claimed and the status is [Available] or [Away].
func (c *PresenceClaims) Show(user UserID, own Presence) Presence {
	c.mu.Lock()
	defer c.mu.Unlock()
	claim := c.claims[user]
	if claim.aside || !time.Now().Before(claim.until) || own != Available && own != Away {
		return own
	}
	return InCall
}
