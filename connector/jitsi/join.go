package jitsi

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/webconferencing/webconferencing"
)

// claims of a token. What is not known is left out: the server's plugins fail
// on nulls.
type claims struct {
	Iss     string        `json:"iss"`
	Aud     string        `json:"aud"`
	Sub     string        `json:"sub"`
	Room    string        `json:"room"`
	Nbf     int64         `json:"nbf"`
	Exp     int64         `json:"exp"`
	Context claimsContext `json:"context"`
}

type claimsContext struct {
	User     claimsUser      `json:"user"`
	Features map[string]bool `json:"features"`
}

type claimsUser struct {
	ID     string `json:"id"`
	Name   string `json:"name,omitempty"`
	Avatar string `json:"avatar,omitempty"`
	// Affiliation is what own servers look at, Moderator what JaaS does. Only
	// moderators have them.
	Affiliation string `json:"affiliation,omitempty"`
	Moderator   string `json:"moderator,omitempty"`
}

// maxClaim bounds texts in a token, which travels in addresses.
const maxClaim = 255

// features that a token can open; those it does not name would be open.
var features = [...]string{"recording", "livestreaming", "transcription", "outbound-call", "inbound-call", "sip-outbound-call", "sip-inbound-call", "file-upload", "list-visitors"}

// Join implements [webconferencing.Joiner]. The grant has the room's address,
// the token to be added to it as query parameter jwt, and settings for the
// browser module:
//
//   - origin, domain, room (with tenant), script (address of
//     external_api.js), noSSL: how to reach the room,
//   - embed, prejoin, subject, name, moderator: how to show it.
func (p *Provider) Join(_ context.Context, r webconferencing.JoinRequest) (*webconferencing.Grant, error) {
	c := p.current.Load()
	room := p.roomOf(r.Call)
	path := c.path + room
	name, avatar := "", ""
	if !p.opts.HideNames && r.User != nil {
		name, avatar = clip(r.User.Title()), r.User.AvatarLink
	}
	grant := &webconferencing.Grant{
		URL: c.origin + path,
		Settings: map[string]any{
			"origin":    c.origin,
			"domain":    strings.TrimPrefix(strings.TrimPrefix(c.origin, "https://"), "http://"),
			"noSSL":     strings.HasPrefix(c.origin, "http://"),
			"script":    c.script(),
			"room":      strings.TrimPrefix(path, "/"),
			"embed":     string(c.embed),
			"prejoin":   c.prejoin,
			"subject":   r.Call.Title,
			"name":      name,
			"moderator": r.Moderator,
		},
	}
	if c.signer == nil {
		return grant, nil
	}
	now := p.opts.Now()
	grant.Expires = now.Add(c.tokenTTL).Truncate(time.Second)
	who := occupant{run: run{call: r.Call.ID, epoch: r.Seat.Epoch}, user: r.Actor.User, seat: r.Seat.Seat}
	t := claims{
		Iss: c.appID, Aud: c.audience, Sub: c.subject, Room: room,
		Nbf: now.Add(-clockLeeway).Unix(), Exp: grant.Expires.Unix(),
		Context: claimsContext{
			User:     claimsUser{ID: p.occupantID(who), Name: name, Avatar: safeAvatar(avatar)},
			Features: make(map[string]bool, len(features)),
		},
	}
	for _, f := range features {
		t.Context.Features[f] = false
	}
	if c.jaas {
		t.Iss, t.Aud, t.Sub = "chat", "jitsi", c.appID
	}
	if r.Moderator {
		t.Context.Features["recording"] = c.recording
		if c.jaas {
			t.Context.User.Moderator = "true"
		} else {
			t.Context.User.Affiliation = "owner"
		}
	}
	var err error
	grant.Token, err = c.signer.sign(&t)
	if err != nil {
		return nil, err
	}
	return grant, nil
}

// script is where the server's browser API is.
func (c *setup) script() string {
	if c.jaas {
		return c.origin + c.path + "external_api.js"
	}
	return c.origin + "/external_api.js"
}

// safeAvatar lets only pictures through that the others' browsers can load;
// those of the portal itself need the portal's session.
func safeAvatar(link string) string {
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(link) > 2*maxClaim {
		return ""
	}
	return link
}

// clip shortens a text at a rune.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "")
	if len(s) <= maxClaim {
		return s
	}
	return strings.ToValidUTF8(s[:maxClaim], "")
}

// ParseURL implements [webconferencing.URLParser].
func (p *Provider) ParseURL(link string) (room string, ok bool) {
	c := p.current.Load()
	rest, ok := strings.CutPrefix(link, c.origin+c.path)
	if !ok {
		return "", false
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	rest = strings.ToLower(rest)
	if _, ours := p.runOf(rest); !ours {
		return "", false
	}
	return rest, true
}
