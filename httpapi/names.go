package httpapi

import (
	"context"
	"sync"
	"time"

	"github.com/webconferencing/webconferencing"
)

const (
	// nameFresh is how long a person's name and picture are shown without
	// asking the directory again.
	nameFresh = 5 * time.Second
	// maxNames bounds how many people are remembered.
	maxNames = 20_000
)

// names asks the directory for the people that views show. When a thousand
// people join a meeting, each answer shows a thousand people: without a short
// memory that would be a million questions at once.
type names struct {
	svc *webconferencing.Service

	mu    sync.Mutex
	known map[webconferencing.UserID]*knownName
}

// knownName is a question and, once done is closed, its answer; nil if the
// directory has none.
type knownName struct {
	done  chan struct{}
	until time.Time
	user  *webconferencing.User
}

func newNames(svc *webconferencing.Service) *names {
	return &names{svc: svc, known: make(map[webconferencing.UserID]*knownName)}
}

// users returns those of the people that the directory knows. What it returns
// is shared and must not be changed.
func (n *names) users(ctx context.Context, ids []webconferencing.UserID) map[webconferencing.UserID]*webconferencing.User {
	asked := make(map[webconferencing.UserID]*knownName, len(ids))
	mine := n.claim(ids, asked)
	if len(mine) > 0 {
		n.ask(ctx, mine, asked)
	}
	found := make(map[webconferencing.UserID]*webconferencing.User, len(ids))
	for id, k := range asked {
		select {
		case <-k.done:
			if k.user != nil {
				found[id] = k.user
			}
		case <-ctx.Done():
			return found
		}
	}
	return found
}

// claim finds the questions that were asked already and enters those that this
// caller has to ask, whose ids it returns.
func (n *names) claim(ids []webconferencing.UserID, asked map[webconferencing.UserID]*knownName) []webconferencing.UserID {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.known)+len(ids) > maxNames {
		clear(n.known) // those who wait hold the questions themselves
	}
	var mine []webconferencing.UserID
	for _, id := range ids {
		if asked[id] != nil {
			continue
		}
		k := n.known[id]
		if k == nil || now.After(k.until) {
			k = &knownName{done: make(chan struct{}), until: now.Add(nameFresh)}
			n.known[id] = k
			mine = append(mine, id)
		}
		asked[id] = k
	}
	return mine
}

// ask asks for others too, so it goes on when its own caller has gone; the
// service bounds the time. An answer that did not come is asked for again by
// the next.
func (n *names) ask(ctx context.Context, ids []webconferencing.UserID, asked map[webconferencing.UserID]*knownName) {
	var users map[webconferencing.UserID]*webconferencing.User
	defer func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, id := range ids {
			k := asked[id]
			if k.user = users[id]; k.user == nil && n.known[id] == k {
				delete(n.known, id)
			}
			close(k.done)
		}
	}()
	users = n.svc.Users(context.WithoutCancel(ctx), ids)
}
