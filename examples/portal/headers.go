package main

import (
	"context"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/webconferencing/webconferencing"
)

// plainHost is a Host header that can stand in a policy.
var plainHost = regexp.MustCompile(`^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?$`)

// secureHeaders keeps foreign scripts, frames and styles out, but for those
// that a provider of calls needs. Nothing inline runs; the media of a call are
// blobs and streams of the page itself.
func (p *pages) secureHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		needed := p.providersPolicy(r.Context())
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy(r.Host, needed.Sources))
		h.Set("Permissions-Policy", permissionsPolicy(needed))
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// providersPolicy is what the browser modules of the active providers need; if
// it can't be found out, the pages do without.
func (p *pages) providersPolicy(ctx context.Context) webconferencing.ClientPolicy {
	policy, err := p.svc.Providers().ClientPolicy(ctx)
	if err != nil {
		p.logger.WarnContext(ctx, "can't read the providers' policy", "err", err)
	}
	return policy
}

func contentPolicy(host string, needed map[string][]string) string {
	directives := map[string][]string{
		"default-src":               {"'self'"},
		"connect-src":               append([]string{"'self'"}, socketSources(host)...),
		"media-src":                 {"'self'", "blob:", "mediastream:"},
		"object-src":                {"'none'"},
		"base-uri":                  {"'none'"},
		"form-action":               {"'self'"},
		"frame-ancestors":           {"'none'"},
		"require-trusted-types-for": {"'script'"},
	}
	for name, sources := range needed {
		if _, known := directives[name]; !known && strings.HasSuffix(name, "-src") {
			directives[name] = []string{"'self'"} // as default-src, which it replaces
		}
		directives[name] = append(directives[name], sources...)
	}
	var policy []string
	for _, name := range slices.Sorted(maps.Keys(directives)) {
		policy = append(policy, name+" "+strings.Join(directives[name], " "))
	}
	return strings.Join(policy, "; ")
}

// permissionsPolicy gives camera and microphone to the page, and to the frames
// of providers what they need.
func permissionsPolicy(needed webconferencing.ClientPolicy) string {
	features := []string{"camera", "microphone", "display-capture"}
	frames := ""
	for _, origin := range needed.Sources["frame-src"] {
		frames += ` "` + origin + `"`
	}
	var policy []string
	for _, feature := range slices.Compact(slices.Sorted(slices.Values(append(features, needed.Permissions...)))) {
		allowed := "self"
		if slices.Contains(needed.Permissions, feature) {
			allowed += frames
		}
		policy = append(policy, feature+"=("+allowed+")")
	}
	return strings.Join(append(policy, "geolocation=()"), ", ")
}

// socketSources allows WebSockets to the portal itself; 'self' does not cover
// them in every browser.
func socketSources(host string) []string {
	if !plainHost.MatchString(host) {
		return nil
	}
	return []string{"ws://" + host, "wss://" + host}
}
