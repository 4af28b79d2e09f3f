// Package connectortest is the suite that every connector passes, the host's
// own included, and a simulated provider whose server misbehaves on request.
//
//	func TestConnector(t *testing.T) {
//		connectortest.Run(t, func() webconferencing.Provider { return newProvider(t) }, nil)
//	}
package connectortest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing"
)

// Options of [Run]. Nil means all defaults.
type Options struct {
	// Settings are values that a [webconferencing.Configurable] provider
	// accepts. Defaults to its own defaults.
	Settings map[string]string
	// Secrets are words that must not leave the process: they are looked for
	// in everything that the provider returns. Defaults to none.
	Secrets []string
	// Unsigned are requests as the provider's server makes them, but not
	// authentic; all must be refused. Defaults to a few requests that no
	// provider should take.
	Unsigned []webconferencing.WebhookRequest
	// Patience is how long an operation may take whose context was cancelled.
	// Defaults to 2 s.
	Patience time.Duration
}

// check is one thing that a provider must do. It gets a fresh provider.
type check struct {
	name string
	run  func(ctx context.Context, p webconferencing.Provider, o *Options) error
}

var errPanicked = errors.New("panicked")

// checks are a function, so that nobody changes them.
func checks() []check {
	return []check{
		{"describes itself", describes},
		{"settings are sound", settings},
		{"a service takes it", fits},
		{"prepares the same meeting again", prepares},
		{"grants each device its own way in", grants},
		{"names of people do no harm", hostileNames},
		{"ends what is already gone", ends},
		{"probes and lists without a meeting", asksAboutNothing},
		{"refuses what it does not know", refuses},
		{"gives up when its context ends", cancels},
		{"is used by many at once", concurrent},
		{"keeps its secrets", secrets},
		{"brings its browser module", clientModule},
		{"refuses webhooks of strangers", strangers},
		{"parses links", links},
		{"checks accounts", accounts},
	}
}

// Run tests a provider. newProvider returns one that is ready for use, a new one
// each time; it may talk to a server of the caller's. Capabilities that the
// provider lacks are not tested.
func Run(t *testing.T, newProvider func() webconferencing.Provider, opts *Options) {
	t.Helper()
	o := Options{}
	if opts != nil {
		o = *opts
	}
	if o.Patience == 0 {
		o.Patience = 2 * time.Second
	}
	if o.Unsigned == nil {
		o.Unsigned = strangeRequests()
	}
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			if err := c.guarded(t.Context(), newProvider(), &o); err != nil {
				t.Error(err)
			}
		})
	}
}

// guarded turns a panic of the provider into an error.
func (c check) guarded(ctx context.Context, p webconferencing.Provider, o *Options) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: %v", errPanicked, v)
		}
	}()
	if p == nil {
		return errors.New("there is no provider")
	}
	return c.run(ctx, p, o)
}

func describes(_ context.Context, p webconferencing.Provider, _ *Options) error {
	info := p.Info()
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if !webconferencing.ValidProviderType(info.Type) {
		fault("Info().Type %q is not 1 to 32 lower-case letters, digits and _", info.Type)
	}
	for i, typ := range info.SupportedTypes {
		if !webconferencing.ValidProviderType(typ) {
			fault("Info().SupportedTypes has %q", typ)
		}
		if slices.Contains(info.SupportedTypes[:i], typ) {
			fault("Info().SupportedTypes has %q twice", typ)
		}
	}
	if info.Title == "" {
		fault("Info().Title is empty")
	}
	if info.GroupsOnly && !info.Groups {
		fault("Info() has GroupsOnly without Groups")
	}
	if info.MaxParties < 0 || info.MaxParties == 1 {
		fault("Info().MaxParties is %d", info.MaxParties)
	}
	if len(info.Descriptions) > 0 && info.Descriptions["en"] == "" && info.Descriptions[""] == "" {
		fault("Info().Descriptions has no English text")
	}
	if again := p.Info(); again.Type != info.Type || again.Title != info.Title {
		fault("Info() differs from one time to the next")
	}
	return errors.Join(faults...)
}

// sample is a started call that the provider can carry, with two people inside.
func sample(p webconferencing.Provider, n int) *webconferencing.Call {
	info := p.Info()
	now := time.Now()
	c := &webconferencing.Call{
		ID: webconferencing.CallID(fmt.Sprintf("p/john-mary%d", n)), Epoch: uint64(now.UnixMilli()), Version: 3,
		Title: "Mary Williams", Owner: webconferencing.Ref{Type: webconferencing.OwnerUser, ID: "mary"},
		Creator: "mary", Starter: "mary", Provider: info.Type, State: webconferencing.StateStarted,
		Created: now, Started: now,
		Participants: []webconferencing.Participant{
			{ID: "mary", Kind: webconferencing.KindUser, State: webconferencing.PartJoined, Client: "m1"},
			{ID: "john", Kind: webconferencing.KindUser, State: webconferencing.PartJoined, Client: "j1"},
		},
		Seats: []webconferencing.Seat{
			{ID: "0f0e0d0c0b0a09080706050403020100", User: "mary", Client: "m1", Joined: now},
			{ID: "00112233445566778899aabbccddeeff", User: "john", Client: "j1", Joined: now},
		},
	}
	if info.Groups {
		c.ID = webconferencing.CallID(fmt.Sprintf("g/product_team%d", n))
		c.Owner = webconferencing.Ref{Type: webconferencing.OwnerSpace, ID: "product_team"}
		c.Title = "Product team"
	}
	return c
}

// joining is the request of the i-th device in a sample call.
func joining(c *webconferencing.Call, i int, m webconferencing.Meeting) webconferencing.JoinRequest {
	s := c.Seats[i]
	return webconferencing.JoinRequest{
		Call: c.Clone(), User: &webconferencing.User{ID: s.User, FirstName: "Mary", LastName: "Williams"},
		Actor: webconferencing.Actor{User: s.User, Client: s.Client},
		Seat:  webconferencing.SeatRef{Call: c.ID, Epoch: c.Epoch, Seat: s.ID}, Meeting: m, Moderator: i == 0,
	}
}

// prepared returns the meeting of a sample call; a provider that prepares
// nothing has an empty one.
func prepared(ctx context.Context, p webconferencing.Provider, c *webconferencing.Call) (webconferencing.Meeting, error) {
	if q, ok := p.(webconferencing.Preparer); ok {
		m, err := q.Prepare(ctx, c.Clone())
		if err != nil {
			return m, fmt.Errorf("Prepare: %w", err)
		}
		return m, nil
	}
	return webconferencing.Meeting{}, nil
}
