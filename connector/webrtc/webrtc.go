// Package webrtc is the connector that works out of the box: calls between two
// people and in small groups, straight from browser to browser. Every device
// is connected to every other one (a mesh), and the library's own call channel
// carries the signalling, so there is no server but the host.
//
// Browsers behind strict firewalls need a TURN relay. Credentials for it are
// made for each user and expire by themselves, in the way that coturn calls
// use-auth-secret (draft-uberti-behave-turn-rest); the secret never leaves the
// process.
package webrtc

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/webconferencing/webconferencing"
)

// Type is the provider's type.
const Type = "webrtc"

// Options of a [Provider].
type Options struct {
	// ICEServers are handed to every browser as they are. Do not put
	// long-lived TURN credentials here; use TURN. Defaults to none: devices
	// that reach each other directly need none.
	ICEServers []ICEServer
	// TURN is a relay that shares a secret with this process. Defaults to
	// none.
	TURN *TURN
	// MaxParties is how many people may be in one call, 2 to 16. Each of
	// them sends its picture to every other one, so more than a handful
	// overload ordinary lines. Defaults to 4.
	MaxParties int
	// Title is the provider's name for people. Defaults to "WebRTC".
	Title string
	// Inactive makes the provider wait until an administrator switches it
	// on. Defaults to active.
	Inactive bool
	// Now returns the present time. Defaults to time.Now.
	Now func() time.Time
}

// ICEServer is a STUN or TURN server as browsers know it.
type ICEServer struct {
	// URLs have the scheme stun, stuns, turn or turns.
	URLs []string
	// Username and Credential of a TURN server. Default to none.
	Username   string
	Credential string
}

// Limits and defaults of [Options].
const (
	defaultMaxParties = 4
	maxMaxParties     = 16
	defaultTTL        = time.Hour
	minTTL            = 5 * time.Minute
	maxTTL            = 24 * time.Hour
)

// Provider implements [webconferencing.Provider] and its capabilities
// [webconferencing.Joiner], [webconferencing.ClientConfigurer] and
// [webconferencing.ClientModule]. It is safe for concurrent use.
type Provider struct {
	opts Options
}

// New returns a provider. nil options are those that suit one network without
// relays. The error joins all faults of the options, each with its field's
// name.
func New(opts *Options) (*Provider, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.MaxParties == 0 {
		o.MaxParties = defaultMaxParties
	}
	if o.Title == "" {
		o.Title = "WebRTC"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.ICEServers = slices.Clone(o.ICEServers)
	for i := range o.ICEServers {
		o.ICEServers[i].URLs = slices.Clone(o.ICEServers[i].URLs)
	}
	if o.TURN != nil {
		o.TURN = o.TURN.withDefaults()
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("webrtc: %w", err)
	}
	return &Provider{opts: o}, nil
}

func (o *Options) check() error {
	var faults []error
	if o.MaxParties < 2 || o.MaxParties > maxMaxParties {
		faults = append(faults, fmt.Errorf("MaxParties: %d is not from 2 to %d", o.MaxParties, maxMaxParties))
	}
	for i, s := range o.ICEServers {
		field := fmt.Sprintf("ICEServers[%d].URLs", i)
		faults = append(faults, checkURLs(field, s.URLs, "stun:", "stuns:", "turn:", "turns:"))
		if s.Username == "" != (s.Credential == "") {
			faults = append(faults, fmt.Errorf("ICEServers[%d]: Username and Credential go together", i))
		}
	}
	if o.TURN != nil {
		faults = append(faults, o.TURN.check())
	}
	return errors.Join(faults...)
}

// checkURLs reports an empty list and addresses that browsers would refuse;
// one bad address makes them refuse the whole configuration.
func checkURLs(field string, urls []string, schemes ...string) error {
	if len(urls) == 0 {
		return fmt.Errorf("%s: none given", field)
	}
	for _, u := range urls {
		scheme := slices.IndexFunc(schemes, func(s string) bool { return strings.HasPrefix(u, s) })
		if scheme < 0 || len(u) == len(schemes[scheme]) || strings.ContainsAny(u, " \t\r\n") || strings.HasPrefix(u[len(schemes[scheme]):], "//") {
			return fmt.Errorf("%s: %q is not %s followed by a host", field, u, strings.Join(schemes, ", "))
		}
	}
	return nil
}

// Info implements [webconferencing.Provider].
func (p *Provider) Info() webconferencing.ProviderInfo {
	return webconferencing.ProviderInfo{
		Type:           Type,
		SupportedTypes: []string{Type},
		Title:          p.opts.Title,
		Descriptions: map[string]string{
			"en": "Calls between two people and in small groups, directly from browser to browser.",
			"fr": "Appels à deux et en petits groupes, directement de navigateur à navigateur.",
			"de": "Anrufe zu zweit und in kleinen Gruppen, direkt von Browser zu Browser.",
		},
		Version:    "1.0",
		Groups:     true,
		MaxParties: p.opts.MaxParties,
		Inactive:   p.opts.Inactive,
	}
}

// Join implements [webconferencing.Joiner]. It refuses people for whom a mesh
// has no room any more, for hosts that ask it themselves: a service has counted
// before, see [webconferencing.ProviderInfo]. Devices find each other without a
// grant.
func (p *Provider) Join(_ context.Context, r webconferencing.JoinRequest) (*webconferencing.Grant, error) {
	others := make(map[webconferencing.UserID]struct{}, len(r.Call.Seats))
	for _, s := range r.Call.Seats {
		if s.User != r.Actor.User {
			others[s.User] = struct{}{}
		}
	}
	if len(others) >= p.opts.MaxParties {
		return nil, &webconferencing.Error{
			Code:    webconferencing.CodeLimited,
			Reason:  webconferencing.ReasonCallFull,
			Message: fmt.Sprintf("this call is full: it has room for %d people", p.opts.MaxParties),
		}
	}
	return nil, nil
}

// ClientSettings implements [webconferencing.ClientConfigurer]: the servers
// that the user's browsers may use, `iceServers` in the form of the browser's
// RTCConfiguration; `ttl`, the seconds for which they are good; `maxParties`.
func (p *Provider) ClientSettings(_ context.Context, by webconferencing.Actor) (map[string]any, error) {
	servers := make([]map[string]any, 0, len(p.opts.ICEServers)+1)
	for _, s := range p.opts.ICEServers {
		servers = append(servers, viewServer(s))
	}
	settings := map[string]any{"maxParties": p.opts.MaxParties}
	if p.opts.TURN != nil {
		servers = append(servers, viewServer(p.opts.TURN.serverFor(by.User, p.opts.Now())))
		settings["ttl"] = int(p.opts.TURN.TTL / time.Second)
	}
	settings["iceServers"] = servers
	return settings, nil
}

func viewServer(s ICEServer) map[string]any {
	v := map[string]any{"urls": slices.Clone(s.URLs)}
	if s.Username != "" {
		v["username"], v["credential"] = s.Username, s.Credential
	}
	return v
}

// Each file is named, so that nothing gets into a binary by lying around.
//
//go:embed assets/call-id.js
//go:embed assets/connector.js
//go:embed assets/devices.js
//go:embed assets/ice.js
//go:embed assets/media.js
//go:embed assets/peer.js
//go:embed assets/session.js
var assets embed.FS

// ClientModule implements [webconferencing.ClientModule].
func (p *Provider) ClientModule() (entry string, files fs.FS) {
	files, err := fs.Sub(assets, "assets")
	if err != nil {
		panic(err) // unreachable: the name is a valid constant
	}
	return "connector.js", files
}
