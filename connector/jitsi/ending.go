package jitsi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/webconferencing/webconferencing"
)

// EndMeeting is the server's module muc_end_meeting. It trusts a system key,
// whose public half the server fetches from its key server.
type EndMeeting struct {
	// URL of the module. Defaults to "/end-meeting" at the server.
	URL string
	// MUC is the domain of the rooms. Defaults to "conference." and the
	// server's host.
	MUC string
	// KeyID is the name under which the server finds the public key.
	KeyID string
	// PrivateKey is the RSA key in PEM form.
	PrivateKey string
	// Issuer and Audience are the claims that the server accepts. Default to
	// "webconferencing" and "jitsi".
	Issuer   string
	Audience string

	signer *signer
}

// endTokenTTL is how long the token of one request is good.
const endTokenTTL = time.Minute

func (e *EndMeeting) complete() (*EndMeeting, error) {
	d := *e
	var faults []error
	if d.URL != "" {
		if u, err := url.Parse(d.URL); err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			faults = append(faults, errors.New("EndMeeting.URL: is not an address without a query"))
		} else if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
			faults = append(faults, errors.New("EndMeeting.URL: is not https"))
		}
	}
	if d.KeyID == "" {
		faults = append(faults, errors.New("EndMeeting.KeyID: is missing"))
	}
	key, err := parseKey(d.PrivateKey)
	if err != nil {
		faults = append(faults, fmt.Errorf("EndMeeting.PrivateKey: %w", err))
	}
	if d.Issuer == "" {
		d.Issuer = "webconferencing"
	}
	if d.Audience == "" {
		d.Audience = "jitsi"
	}
	d.signer = &signer{key: key, kid: d.KeyID}
	return &d, errors.Join(faults...)
}

// EndMeeting implements [webconferencing.Ender]. Without [Options].EndMeeting,
// and for JaaS, it does nothing: the kit takes everybody out of the room, and
// nobody gets a new token. A room that several runs share is left alone too, as
// the next run may have begun.
func (p *Provider) EndMeeting(ctx context.Context, r webconferencing.MeetingRequest) error {
	end := p.opts.EndMeeting
	c := p.current.Load()
	if end == nil || c.jaas || p.opts.StableRooms {
		return nil
	}
	now := p.opts.Now()
	token, err := end.signer.sign(map[string]any{
		"iss": end.Issuer, "aud": end.Audience, "sub": c.host,
		"nbf": now.Add(-clockLeeway).Unix(), "iat": now.Unix(), "exp": now.Add(endTokenTTL).Unix(),
	})
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	address, domain := end.URL, end.MUC
	if address == "" {
		address = c.origin + "/end-meeting"
	}
	if domain == "" {
		domain = "conference." + c.host
	}
	room := p.roomOf(r.Call)
	if c.tenant != "" {
		room = "[" + c.tenant + "]" + room
	}
	address += "?" + url.Values{"conference": {room + "@" + domain}}.Encode()
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, address, http.NoBody)
	if err != nil {
		return fmt.Errorf("end meeting: %w", err)
	}
	q.Header.Set("Authorization", "Bearer "+token)
	res, err := p.http.Do(q)
	if err != nil {
		return fmt.Errorf("end meeting: %w", withoutQuery(err))
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be used again
	switch res.StatusCode {
	case http.StatusOK, http.StatusNoContent, http.StatusNotFound:
		return nil // a room that is not there is over
	}
	return fmt.Errorf("end meeting: the server answered %s", strings.TrimSpace(res.Status))
}

// withoutQuery takes the address out of an error of package http: a room's
// name opens the room and does not belong into a log.
func withoutQuery(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
