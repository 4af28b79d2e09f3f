package main

import (
	"net/http"
	"regexp"
	"strings"
)

// plainHost is a Host header that can stand in a policy.
var plainHost = regexp.MustCompile(`^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?$`)

// secureHeaders keeps foreign scripts, frames and styles out. Nothing inline
// runs; the media of a call are blobs and streams of the page itself.
func secureHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		policy := []string{
			"default-src 'self'",
			"connect-src 'self'" + socketSources(r.Host),
			"media-src 'self' blob: mediastream:",
			"object-src 'none'",
			"base-uri 'none'",
			"form-action 'self'",
			"frame-ancestors 'none'",
			"require-trusted-types-for 'script'",
		}
		h := w.Header()
		h.Set("Content-Security-Policy", strings.Join(policy, "; "))
		h.Set("Permissions-Policy", "camera=(self), microphone=(self), display-capture=(self), geolocation=()")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// socketSources allows WebSockets to the portal itself; 'self' does not cover
// them in every browser.
func socketSources(host string) string {
	if !plainHost.MatchString(host) {
		return ""
	}
	return " ws://" + host + " wss://" + host
}
