package httpapi

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

const (
	// recheckEvery is how often open subscriptions are checked to be allowed
	// still.
	recheckEvery = 10 * time.Second
	// recheckParallel is how many sessions are checked at once.
	recheckParallel = 8
	// maxClients is how many devices one session may name. One page is one
	// device; a few more do no harm, but each could take a seat.
	maxClients = 8
	// authenticationPatience is how long a session lives on while the host
	// can't say whether its user is still signed in.
	authenticationPatience = time.Minute
)

// peer is what we know of a Bayeux session: whose it is, which device it
// stands for, and what it is subscribed to.
type peer struct {
	api   *API
	user  webconferencing.UserID
	token *userToken // the session was opened by it; nil otherwise

	admin     atomic.Bool
	confirmAt atomic.Int64 // when the host last knew the user
	over      atomic.Bool  // the session has ended

	mu      sync.Mutex
	session *bayeux.Session
	clients []webconferencing.ClientID // named so far; the first stands in where none is named
	feeds   map[string]*feed           // by channel
}

func newPeer(a *API, actor webconferencing.Actor, token *userToken) *peer {
	p := &peer{api: a, user: actor.User, token: token, feeds: make(map[string]*feed)}
	p.confirmed(actor)
	return p
}

func peerOf(s *bayeux.Session) *peer { return s.Identity().Value.(*peer) }

func (p *peer) opened(s *bayeux.Session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.session = s
}

func (p *peer) confirmed(actor webconferencing.Actor) {
	p.admin.Store(actor.Admin)
	p.confirmAt.Store(time.Now().UnixNano())
}

func (p *peer) unconfirmedFor() time.Duration {
	return time.Since(time.Unix(0, p.confirmAt.Load()))
}

// actor is the user with the device that a message names. Old clients name it
// in each message, but not in every kind of message; a session that never
// named one stands for a device of its own.
func (p *peer) actor(client string) (webconferencing.Actor, error) {
	if len(client) > maxIDLength {
		return webconferencing.Actor{}, invalid("exoClientId", "is longer than 255 characters")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	named := webconferencing.ClientID(client)
	switch {
	case named == "" && len(p.clients) > 0:
		named = p.clients[0]
	case named == "":
		named = webconferencing.ClientID("s-" + strings.ToLower(rand.Text()))
		p.clients = append(p.clients, named)
	case slices.Contains(p.clients, named):
	case len(p.clients) == maxClients:
		return webconferencing.Actor{}, &webconferencing.Error{
			Code: webconferencing.CodeLimited, Field: "exoClientId", Message: "exoClientId names too many devices for one session",
		}
	default:
		p.clients = append(p.clients, named)
	}
	return webconferencing.Actor{User: p.user, Client: named, Admin: p.admin.Load()}, nil
}

// heard implements connection. A held connect or an open socket is no sign of
// life, since the end of a connection whose cable was pulled is noticed much too
// late; what arrives is.
func (p *peer) heard() time.Time {
	p.mu.Lock()
	s := p.session
	p.mu.Unlock()
	if s == nil {
		return time.Time{}
	}
	return s.LastHeard()
}

// gone implements connection.
func (p *peer) gone() bool { return p.over.Load() }

// quicken implements connection.
func (p *peer) quicken(on bool) {
	p.mu.Lock()
	s := p.session
	p.mu.Unlock()
	switch {
	case s == nil:
	case on:
		s.SetTimeout(evidenceEvery)
		s.SetPingEvery(evidenceEvery)
	default:
		s.SetTimeout(0)
		s.SetPingEvery(0)
	}
}

// deliver queues a message for the session.
func (p *peer) deliver(msg *bayeux.Prepared) error {
	p.mu.Lock()
	s := p.session
	p.mu.Unlock()
	if s == nil {
		return bayeux.ErrClosed
	}
	return s.Deliver(msg)
}

func (p *peer) put(channel string, f *feed) {
	p.mu.Lock()
	old := p.feeds[channel]
	p.feeds[channel] = f
	p.mu.Unlock()
	if old != nil {
		old.close()
	}
}

func (p *peer) take(channel string) *feed {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.feeds[channel]
	delete(p.feeds, channel)
	return f
}

func (p *peer) openFeeds() []*feed {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]*feed, 0, len(p.feeds))
	for _, f := range p.feeds {
		list = append(list, f)
	}
	return list
}

// recheckSessions stops what sessions are no longer allowed to hear. Whether
// their users are still signed in is the Bayeux server's to ask.
func (a *API) recheckSessions(ctx context.Context) {
	var g errgroup.Group
	g.SetLimit(recheckParallel)
	for s := range a.bayeux.Sessions() {
		for _, f := range peerOf(s).openFeeds() {
			g.Go(func() error {
				f.recheck(ctx)
				return nil
			})
		}
	}
	_ = g.Wait() // the functions return no error
}
