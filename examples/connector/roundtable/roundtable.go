// Package roundtable connects calls to the meetings of a Roundtable server. It
// is the template of a connector, see doc/connectors.md.
package roundtable

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/webconferencing/webconferencing"
)

// Type is the provider's type.
const Type = "roundtable"

// ticketTTL is how long a ticket can be used to enter.
const ticketTTL = 5 * time.Minute

// Provider implements [webconferencing.Provider] and what else is in this
// folder. It is safe for concurrent use.
type Provider struct {
	base    config // what New was given
	current atomic.Pointer[config]
}

// config is where the server is and what it shares with us; it never changes.
type config struct {
	server, secret string
}

// New returns a provider for the server at an address such as
// "https://meet.example.org". The secret is the server's and has at least 16
// characters.
func New(server, secret string) (*Provider, error) {
	p := &Provider{base: config{server: server, secret: secret}}
	if err := p.base.check(); err != nil {
		return nil, fmt.Errorf("roundtable: %w", err)
	}
	p.current.Store(&p.base)
	return p, nil
}

// check names all faults, but never the values: one of them is a secret.
func (c *config) check() error {
	var faults []error
	u, err := url.Parse(c.server)
	if err != nil || u.Host == "" || u.Path != "" || u.Scheme != "https" && u.Hostname() != "127.0.0.1" {
		faults = append(faults, errors.New("server: is not https and a host"))
	}
	if len(c.secret) < 16 {
		faults = append(faults, errors.New("secret: has fewer than 16 characters"))
	}
	return errors.Join(faults...)
}

// Info implements [webconferencing.Provider].
func (p *Provider) Info() webconferencing.ProviderInfo {
	return webconferencing.ProviderInfo{
		Type:         Type,
		Title:        "Roundtable",
		Descriptions: map[string]string{"en": "Meetings on our own Roundtable server."},
		Groups:       true,
	}
}

// Join implements [webconferencing.Joiner].
func (p *Provider) Join(_ context.Context, r webconferencing.JoinRequest) (*webconferencing.Grant, error) {
	c := p.current.Load()
	expires := time.Now().Add(ticketTTL).Truncate(time.Second)
	t := ticket{Room: room(c.secret, r.Call), Exp: expires.Unix(), Ref: refOf(r)}
	if r.User != nil { // a guest has no name that the portal knows
		t.Name = r.User.Title()
	}
	signed, err := t.sign(c.secret)
	if err != nil {
		return nil, err
	}
	address := c.server + "/meet/" + t.Room + "?" + url.Values{"ticket": {signed}}.Encode()
	return &webconferencing.Grant{URL: address, Expires: expires}, nil
}
