package jitsi

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// settings are what an administrator can change, as text and numbers.
type settings struct {
	server string
	jaas   bool

	appID      string
	secret     string // of an own server
	audience   string
	subject    string
	keyID      string // of JaaS
	privateKey string // of JaaS

	tenant        string
	tokenTTL      time.Duration
	embed         Embed
	prejoin       bool
	recording     bool
	lobby         bool
	maxDuration   time.Duration
	maxOccupants  int
	webhookSecret string
}

// take copies the options and fills in their defaults.
func (s *settings) take(o *Options) {
	if o.Token != nil && !s.jaas {
		s.appID, s.secret, s.audience, s.subject = o.Token.AppID, o.Token.Secret, o.Token.Audience, o.Token.Subject
		o.Token = nil // settings are the only place
	}
	s.tenant, s.embed, s.prejoin, s.recording, s.lobby = o.Tenant, o.Embed, o.Prejoin, o.Recording, o.Lobby
	s.tokenTTL, s.maxDuration, s.maxOccupants, s.webhookSecret = o.TokenTTL, o.MaxDuration, o.MaxOccupants, o.WebhookSecret
	if s.embed == "" {
		s.embed = EmbedScript
	}
	if s.tokenTTL == 0 {
		s.tokenTTL = defaultTokenTTL
	}
	if s.maxDuration == 0 {
		s.maxDuration = defaultMaxDuration
	}
}

// setup is what settings mean; it never changes.
type setup struct {
	settings
	origin string // https://host[:port]
	host   string // without port
	// path is what stands between the origin and the room, "/" or
	// "/<tenant>/".
	path   string
	signer *signer // nil without tokens
}

var (
	tenantForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	appIDForm  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)
)

// compile checks the settings. The error joins all faults and shows no values:
// people paste secrets into the wrong field.
func (s settings) compile() (*setup, error) {
	c := &setup{settings: s, path: "/"}
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	origin, host, err := parseServer(s.server)
	if err != nil {
		fault("server: %w", err)
	}
	c.origin, c.host = origin, host
	if s.tenant != "" {
		if !tenantForm.MatchString(s.tenant) {
			fault("Tenant: is not 1 to 63 lower-case letters, digits and -")
		}
		c.path = "/" + s.tenant + "/"
	}
	if s.jaas {
		c.path = "/" + s.appID + "/"
		faults = append(faults, c.compileJaaS())
	} else {
		faults = append(faults, c.compileToken())
	}
	if s.tokenTTL < minTokenTTL || s.tokenTTL > maxTokenTTL {
		fault("TokenTTL: %v is not from %v to %v", s.tokenTTL, minTokenTTL, maxTokenTTL)
	}
	if s.maxDuration < minMaxDuration || s.maxDuration > maxMaxDuration {
		fault("MaxDuration: %v is not from %v to %v", s.maxDuration, minMaxDuration, maxMaxDuration)
	}
	if s.maxOccupants < 0 {
		fault("MaxOccupants: %d is negative", s.maxOccupants)
	}
	if s.embed != EmbedScript && s.embed != EmbedFrame {
		fault("Embed: is neither %q nor %q", EmbedScript, EmbedFrame)
	}
	if s.webhookSecret != "" && len(s.webhookSecret) < minSecret {
		fault("WebhookSecret: shorter than %d bytes", minSecret)
	}
	return c, errors.Join(faults...)
}

func (c *setup) compileToken() error {
	if c.appID == "" && c.secret == "" {
		return nil
	}
	var faults []error
	if !appIDForm.MatchString(c.appID) {
		faults = append(faults, errors.New("Token.AppID: is not letters, digits, '.', '_' and '-'"))
	}
	if len(c.secret) < minSecret {
		faults = append(faults, fmt.Errorf("Token.Secret: shorter than %d bytes", minSecret))
	}
	if c.audience == "" {
		c.audience = "jitsi"
	}
	if c.subject == "" {
		c.subject = c.tenant
	}
	if c.subject == "" {
		c.subject = c.host
	}
	if c.subject == "*" || c.audience == "*" {
		faults = append(faults, errors.New("Token: a wildcard opens more than one call"))
	}
	c.signer = &signer{secret: []byte(c.secret)}
	return errors.Join(faults...)
}

func (c *setup) compileJaaS() error {
	var faults []error
	if !appIDForm.MatchString(c.appID) {
		faults = append(faults, errors.New("AppID: is not letters, digits, '.', '_' and '-'"))
	}
	if !appIDForm.MatchString(c.keyID) {
		faults = append(faults, errors.New("KeyID: is not letters, digits, '.', '_' and '-'"))
	}
	key, err := parseKey(c.privateKey)
	if err != nil {
		faults = append(faults, fmt.Errorf("PrivateKey: %w", err))
	}
	c.signer = &signer{key: key, kid: c.appID + "/" + c.keyID}
	return errors.Join(faults...)
}

// parseServer accepts an origin. Browsers give no camera to pages without TLS,
// except on the machine itself.
func parseServer(text string) (origin, host string, err error) {
	u, err := url.Parse(strings.TrimSuffix(text, "/"))
	if err != nil || u.Host == "" || u.Hostname() == "" {
		return "", "", errors.New("is not an address such as https://meet.example.org")
	}
	if u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.ContainsAny(u.Host, " ;,'\"*") {
		return "", "", errors.New("must have nothing but scheme, host and port")
	}
	host = strings.ToLower(u.Hostname())
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && loopback(host):
	default:
		return "", "", errors.New("is not https")
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), host, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
