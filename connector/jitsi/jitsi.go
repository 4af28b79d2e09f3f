// Package jitsi is the connector to Jitsi Meet: an own server ([New]) or
// Jitsi as a Service ([NewJaaS]).
//
// Each run of a call has a room of its own, whose name nobody can guess and
// which says nothing about the people: it is the call's id and epoch under a
// secret. Each device gets a token (JWT) that opens this room for this person
// for minutes, so whoever was removed from a call does not come back by an old
// link.
//
// # The server
//
// An own server should ask for tokens: Prosody's authentication "token" with
// the AppID and Secret of [Token]. Without, everybody who learns a room's name
// can enter it for as long as the call runs. To let only moderators have
// rights, load token_affiliation and switch automatic ownership off.
//
// What happens inside is learned from the server's webhooks, which package
// httpapi takes at <hooks>, that is webhook/jitsi below the REST resources. They
// need [Options].WebhookSecret as bearer token:
//
//   - the component event_sync with api_prefix "<hooks>" tells who came and
//     left;
//   - reservations with the base URL "<hooks>" keep rooms from being opened
//     that are no calls, and limit their length;
//   - JaaS sends its events to "<hooks>/jaas".
//
// None of them is needed for calls to work. Jitsi has no interface by which a
// portal could ask who is inside, or mute and remove people: moderators do that
// in the meeting.
//
// # The page
//
// A page must allow the server in its content security policy and its
// permissions policy, see [Provider.ClientPolicy].
package jitsi

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/webconferencing/webconferencing"
)

// Type is the provider's type.
const Type = "jitsi"

// Embed says how the meeting comes into the page.
type Embed string

// The ways of embedding.
const (
	// EmbedScript loads the server's external_api.js into the page. The page
	// learns from it when the person leaves, mutes or shares the screen.
	EmbedScript Embed = "script"
	// EmbedFrame shows a plain frame: no foreign script runs in the page, but
	// leaving inside the frame is noticed only through webhooks.
	EmbedFrame Embed = "frame"
)

// Options of a [Provider].
type Options struct {
	// Token makes the tokens that an own server asks for. Not for JaaS.
	// Defaults to none: the server lets everybody in.
	Token *Token
	// TokenTTL is how long a token can be used to enter, 1 minute to 1 hour.
	// Defaults to 10 minutes.
	TokenTTL time.Duration
	// Tenant is the part of an own server's addresses before the room:
	// lower-case letters, digits and "-". Defaults to none.
	Tenant string
	// StableRooms gives all runs of a call the same room. Defaults to a new
	// room for each run.
	StableRooms bool
	// Embed is how the meeting comes into the page. Defaults to EmbedScript.
	Embed Embed
	// Prejoin shows Jitsi's own page for choosing devices first. Defaults to
	// entering at once.
	Prejoin bool
	// HideNames keeps names and pictures from the server; people then choose
	// a name inside. Defaults to telling them.
	HideNames bool
	// Recording lets moderators record. Defaults to nobody.
	Recording bool
	// Lobby makes rooms begin with a lobby, through reservations. Defaults to
	// none.
	Lobby bool
	// MaxDuration is when the server closes a room, through reservations; 1
	// minute to 7 days. Defaults to 24 hours.
	MaxDuration time.Duration
	// MaxOccupants is how many connections a room takes, through
	// reservations. Defaults to the server's own limit.
	MaxOccupants int
	// WebhookSecret is what the server's webhooks have as bearer token, at
	// least 16 bytes. Defaults to none: all webhooks are refused.
	WebhookSecret string
	// EndMeeting lets the server close rooms of calls that are over. Defaults
	// to none: rooms close when the last one has left.
	EndMeeting *EndMeeting
	// Title is the provider's name for people. Defaults to "Jitsi Meet".
	Title string
	// Inactive makes the provider wait until an administrator switches it on.
	// Defaults to active.
	Inactive bool
	// HTTPClient talks to the server. Defaults to one with a timeout of 10 s
	// that follows no redirects.
	HTTPClient *http.Client
	// Now returns the present time. Defaults to time.Now.
	Now func() time.Time
}

// Token is how an own server recognises tokens: those are its app_id and
// app_secret, and they are signed with HS256.
type Token struct {
	AppID  string
	Secret string // at least 16 bytes
	// Audience is the token's aud. Defaults to "jitsi".
	Audience string
	// Subject is the token's sub. Defaults to the tenant, or to the server's
	// host without a port.
	Subject string
}

// JaaS is an account at Jitsi as a Service.
type JaaS struct {
	// AppID begins with "vpaas-magic-cookie-".
	AppID string
	// KeyID is the name of the key, without the AppID in front.
	KeyID string
	// PrivateKey is the RSA key in PEM form (PKCS #8 or PKCS #1), 2048 bits
	// or more.
	PrivateKey string
	// Server replaces https://8x8.vc, for tests.
	Server string
}

// Limits and defaults of [Options].
const (
	jaasServer         = "https://8x8.vc"
	minSecret          = 16
	minRoomSecret      = 32
	defaultTokenTTL    = 10 * time.Minute
	minTokenTTL        = time.Minute
	maxTokenTTL        = time.Hour
	defaultMaxDuration = 24 * time.Hour
	minMaxDuration     = time.Minute
	maxMaxDuration     = 7 * 24 * time.Hour
	httpTimeout        = 10 * time.Second
)

// Provider implements [webconferencing.Provider] and its capabilities
// [webconferencing.Joiner], [webconferencing.Ender],
// [webconferencing.WebhookReceiver], [webconferencing.Checker],
// [webconferencing.URLParser], [webconferencing.PolicySource],
// [webconferencing.Configurable] and [webconferencing.ClientModule]. It is
// safe for concurrent use.
type Provider struct {
	opts      Options
	base      settings
	rooms     *sealer
	occupants *sealer
	http      *http.Client
	current   atomic.Pointer[setup]
}

// New returns a provider for the server at an address such as
// "https://meet.example.org". The room secret, of at least 32 bytes, has to be
// the same on all nodes and after a restart: with another one, people who join
// a running call enter another room. The error joins all faults.
func New(server string, roomSecret []byte, opts *Options) (*Provider, error) {
	return build(settings{server: server}, roomSecret, opts)
}

// NewJaaS returns a provider for Jitsi as a Service; see [New] for the room
// secret. Tokens are signed with RS256.
func NewJaaS(account JaaS, roomSecret []byte, opts *Options) (*Provider, error) {
	s := settings{server: account.Server, jaas: true, appID: account.AppID, keyID: account.KeyID, privateKey: account.PrivateKey}
	if s.server == "" {
		s.server = jaasServer
	}
	return build(s, roomSecret, opts)
}

func build(s settings, roomSecret []byte, opts *Options) (*Provider, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Title == "" {
		o.Title = "Jitsi Meet"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.HTTPClient == nil {
		o.HTTPClient = &http.Client{
			Timeout:       httpTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	s.take(&o)
	c, err := s.compile()
	faults := []error{err}
	if s.jaas && o.Token != nil {
		faults = append(faults, errors.New("Token: JaaS has its own"))
	}
	if s.jaas && o.Tenant != "" {
		faults = append(faults, errors.New("Tenant: JaaS has its own"))
	}
	if len(roomSecret) < minRoomSecret {
		faults = append(faults, fmt.Errorf("roomSecret: shorter than %d bytes", minRoomSecret))
	}
	if o.EndMeeting != nil {
		o.EndMeeting, err = o.EndMeeting.complete()
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("jitsi: %w", err)
	}
	p := &Provider{opts: o, base: s, http: o.HTTPClient}
	if p.rooms, err = newSealer(roomSecret, "rooms"); err != nil {
		return nil, fmt.Errorf("jitsi: %w", err)
	}
	if p.occupants, err = newSealer(roomSecret, "occupants"); err != nil {
		return nil, fmt.Errorf("jitsi: %w", err)
	}
	p.current.Store(c)
	return p, nil
}

// Info implements [webconferencing.Provider].
func (p *Provider) Info() webconferencing.ProviderInfo {
	return webconferencing.ProviderInfo{
		Type:           Type,
		SupportedTypes: []string{Type},
		Title:          p.opts.Title,
		Descriptions: map[string]string{
			"en": "Calls and meetings of any size in rooms of a Jitsi Meet server.",
			"fr": "Appels et réunions de toute taille dans les salles d'un serveur Jitsi Meet.",
			"de": "Anrufe und Besprechungen jeder Größe in Räumen eines Jitsi-Meet-Servers.",
		},
		Version:  "1.0",
		Groups:   true,
		Inactive: p.opts.Inactive,
	}
}
