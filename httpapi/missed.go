package httpapi

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/webconferencing/webconferencing"
)

// missedParallel is how many users' missed calls are counted at once. The end
// of a large meeting concerns everybody at the same moment.
const missedParallel = 8

// missed tells sessions that show a counter of missed calls when the counter
// changes. Only sessions that have asked for the number are told, so nothing
// changes for clients that know nothing of it.
type missed struct {
	api  *API
	slot chan struct{} // taken while counting

	mu    sync.Mutex
	users map[webconferencing.UserID]*missedUser
}

// missedUser is what is known of one user with such sessions.
type missedUser struct {
	told     map[*peer]int // what each session was told last
	counting bool
	again    bool // something happened since counting began
}

func newMissed(a *API) *missed {
	return &missed{api: a, slot: make(chan struct{}, missedParallel), users: make(map[webconferencing.UserID]*missedUser)}
}

// watchMissed returns the number of missed calls; a session that asks is told
// of changes from then on.
func (a *API) watchMissed(ctx context.Context, by webconferencing.Actor, p *peer) (countView, error) {
	const never = -1
	// The session is entered first: what changes meanwhile is told.
	a.missed.put(p, never)
	n, err := a.svc.MissedCalls(ctx, by)
	if err == nil && a.missed.put(p, n) != never {
		// It was told another number, and this one may be older.
		a.missed.happened(p.user)
	}
	return countView{n}, err
}

// put notes what a session is told, and returns what it was told before.
func (m *missed) put(p *peer, n int) (before int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p.gone() {
		return n
	}
	u := m.users[p.user]
	if u == nil {
		u = &missedUser{told: make(map[*peer]int)}
		m.users[p.user] = u
	}
	before, u.told[p] = u.told[p], n
	return before
}

// closed forgets a session.
func (m *missed) closed(p *peer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.users[p.user]
	if u == nil {
		return
	}
	delete(u.told, p)
	if len(u.told) == 0 && !u.counting {
		delete(m.users, p.user)
	}
}

// mayChange tells whether an event in a user's stream may have changed the
// number of his missed calls.
func mayChangeMissed(e *webconferencing.Event) bool {
	switch e.Type {
	case webconferencing.EventState:
		return e.State == webconferencing.StateStopped
	case webconferencing.EventMissed, webconferencing.EventHistory:
		return true
	}
	return false
}

// happened counts a user's missed calls anew, in the background and once for
// all of his sessions. It does not block.
func (m *missed) happened(user webconferencing.UserID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.users[user]
	if u == nil {
		return
	}
	if u.counting {
		u.again = true
		return
	}
	u.counting = m.api.background(func(ctx context.Context) { m.count(ctx, user, u) })
}

func (m *missed) count(ctx context.Context, user webconferencing.UserID, u *missedUser) {
	for more := true; more; more = m.more(user, u) {
		select {
		case m.slot <- struct{}{}:
		case <-ctx.Done():
			continue
		}
		n, err := m.api.svc.MissedCalls(ctx, webconferencing.Actor{User: user})
		<-m.slot
		if err != nil {
			m.api.log.WarnContext(ctx, "missed calls can't be counted", "user", user, "error", err)
			continue
		}
		m.tell(ctx, user, u, n)
	}
}

// more tells whether to count once more, and ends the counting if not.
func (m *missed) more(user webconferencing.UserID, u *missedUser) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if u.again {
		u.again = false
		return true
	}
	u.counting = false
	if len(u.told) == 0 && m.users[user] == u {
		delete(m.users, user)
	}
	return false
}

// tell sends the number to those sessions that know another one. It stands in
// no journal, so it has no position: it is the state, not an event to replay.
func (m *missed) tell(ctx context.Context, user webconferencing.UserID, u *missedUser, n int) {
	m.mu.Lock()
	var peers []*peer
	for p, told := range u.told {
		if told != n {
			u.told[p] = n
			peers = append(peers, p)
		}
	}
	m.mu.Unlock()
	if len(peers) == 0 {
		return
	}
	data, err := json.Marshal(missedView{EventType: string(webconferencing.EventHistory), Count: n})
	if err == nil {
		msg, prepareErr := m.api.bayeux.Prepare(userChannel+string(user), data, nil)
		for _, p := range peers {
			if prepareErr == nil {
				_ = p.deliver(msg) // a session that is too slow asks again when it is back
			}
		}
		err = prepareErr
	}
	if err != nil {
		m.api.log.ErrorContext(ctx, "missed calls can't be told", "user", user, "error", err)
	}
}

// missedView is the event of the counter.
type missedView struct {
	EventType string `json:"eventType"`
	Count     int    `json:"count"`
}
