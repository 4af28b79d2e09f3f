// Package link is a connector for whatever can be opened by an address: a room
// at a public service, the company's own server, a telephone bridge's page. It
// is a whole provider in a screenful, and the shortest example of one.
package link

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/webconferencing/webconferencing"
)

// Options of a [Provider].
type Options struct {
	// Secret, at least 16 bytes, makes room names that nobody can guess who
	// does not know it; all nodes need the same one. Required if the template
	// has {room}.
	Secret string
	// Descriptions for administrators by language. Defaults to one in
	// English.
	Descriptions map[string]string
	// Stable keeps the room of a call through all its runs. Defaults to a new
	// room for each run.
	Stable bool
	// OneToOneOnly and GroupsOnly limit the calls. Default to calls of both
	// kinds.
	OneToOneOnly, GroupsOnly bool
	// Inactive makes the provider wait until an administrator switches it
	// on. Defaults to active.
	Inactive bool
}

const minSecret = 16

// Provider implements [webconferencing.Provider], [webconferencing.Joiner] and
// [webconferencing.URLParser]. It is safe for concurrent use.
type Provider struct {
	typ, title string
	template   template
	opts       Options
}

// New returns a provider of a type, with a title for people, whose calls are
// opened at an address. In the template {room} stands for the room's name, 26
// lower-case letters and digits, {user} for the id and {name} for the name of
// whoever joins, {title} for the call's title; all are escaped. The scheme and
// host must be constant, for example:
//
//	https://meet.example/{room}#userInfo.displayName={name}
//
// All faults of the arguments are reported at once.
func New(typ, title, address string, opts *Options) (*Provider, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Descriptions == nil {
		o.Descriptions = map[string]string{"en": "Opens a room at another service."}
	}
	t, err := parseTemplate(address)
	faults := []error{err}
	if !webconferencing.ValidProviderType(typ) {
		faults = append(faults, fmt.Errorf("type %q is not 1 to 32 lower-case letters, digits and _", typ))
	}
	if title == "" {
		faults = append(faults, errors.New("title is missing"))
	}
	if strings.Contains(address, "{room}") && len(o.Secret) < minSecret {
		faults = append(faults, fmt.Errorf("Secret: shorter than %d bytes", minSecret))
	}
	if o.OneToOneOnly && o.GroupsOnly {
		faults = append(faults, errors.New("OneToOneOnly and GroupsOnly leave no calls"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("link: %w", err)
	}
	return &Provider{typ: typ, title: title, template: t, opts: o}, nil
}

// Info implements [webconferencing.Provider].
func (p *Provider) Info() webconferencing.ProviderInfo {
	return webconferencing.ProviderInfo{
		Type: p.typ, Title: p.title, Version: "1.0", Descriptions: p.opts.Descriptions,
		Groups: !p.opts.OneToOneOnly, GroupsOnly: p.opts.GroupsOnly, Inactive: p.opts.Inactive,
	}
}

// Join implements [webconferencing.Joiner].
func (p *Provider) Join(_ context.Context, r webconferencing.JoinRequest) (*webconferencing.Grant, error) {
	values := map[string]string{"room": p.room(r.Call), "user": string(r.Actor.User), "name": "", "title": r.Call.Title}
	if r.User != nil {
		values["name"] = r.User.Title()
	}
	return &webconferencing.Grant{URL: p.template.fill(values)}, nil
}

// room is a name that can't be guessed and says nothing about the call.
func (p *Provider) room(c *webconferencing.Call) string {
	mac := hmac.New(sha256.New, []byte(p.opts.Secret))
	fmt.Fprintf(mac, "%q", string(c.ID))
	if !p.opts.Stable {
		fmt.Fprintf(mac, " %d", c.Epoch)
	}
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(mac.Sum(nil)[:16]))
}

// ParseURL implements [webconferencing.URLParser]: it knows the links that it
// could have made.
func (p *Provider) ParseURL(link string) (string, bool) {
	if !strings.HasPrefix(link, p.template.host+"/") {
		return "", false
	}
	rest, ok := strings.CutPrefix(link, p.template.beforeRoom)
	if !ok || p.template.beforeRoom == "" {
		return "", false
	}
	room := rest
	if end := strings.IndexFunc(rest, func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') }); end >= 0 {
		room = rest[:end]
	}
	return room, len(room) == 26
}

// checkURL reports what would make a template unfit for browsers.
func checkURL(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, errors.New("address: is not valid")
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return nil, errors.New("address: does not begin with https:// or http:// and a host")
	case u.User != nil:
		return nil, errors.New("address: has a password, which every user would see")
	}
	return u, nil
}
