package bayeux

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Why a request is refused that may come from a page of another site.
const (
	noOrigin    = "a WebSocket that brings cookies has no Origin; a program that is no browser sets it to the server's own"
	otherSite   = "the browser says that the page is of another site"
	otherJSONP  = "a page of another origin tried callback-polling, which is not offered; Faye's client does so wherever it is served from elsewhere"
	otherOrigin = "a page of another origin; a proxy has to pass Host on, and other origins are named in Options.AllowedOrigins"
)

// checkOrigin decides whether a page of another site may make this request,
// and adds the CORS headers for those that may. For the others it returns why.
func (srv *Server) checkOrigin(w http.ResponseWriter, r *http.Request, upgrade bool) (fault string) {
	origin := r.Header.Get("Origin")
	h := w.Header()
	if len(srv.opts.AllowedOrigins) > 0 {
		h.Add("Vary", "Origin")
	}
	if origin == "" {
		if upgrade {
			if srv.mayLackOrigin(r) {
				return ""
			}
			return noOrigin
		}
		switch r.Header.Get("Sec-Fetch-Site") {
		case "", "same-origin", "none":
			return ""
		}
		if isCallbackPolling(r) {
			return otherJSONP
		}
		return otherSite
	}
	if slices.Contains(srv.opts.AllowedOrigins, origin) {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
		if r.Method == http.MethodOptions {
			h.Set("Access-Control-Allow-Methods", "POST, GET, OPTIONS")
			names := []string{"Content-Type", "Authorization", "X-Requested-With", "Pragma"}
			h.Set("Access-Control-Allow-Headers", strings.Join(append(names, srv.opts.AllowedHeaders...), ", "))
			h.Set("Access-Control-Max-Age", "86400")
		}
		return ""
	}
	// Only a browser can say so, and it knows better than what is left to
	// compare: a proxy may not pass Host on, or may end TLS, behind which a page
	// that came without it looks like one of the site.
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin":
		return ""
	case "cross-site", "same-site":
		return otherOrigin
	}
	if sameOrigin(origin, r) {
		return ""
	}
	return otherOrigin
}

// sameOrigin compares the origin with the address that the request was sent
// to. Behind a proxy that ends TLS the scheme is not known, so only the host
// and port are compared there.
func sameOrigin(origin string, r *http.Request) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	if u.Scheme != "https" && (u.Scheme != "http" || r.TLS != nil) {
		return false
	}
	return strings.EqualFold(withoutPort(u.Scheme, u.Host), withoutPort(u.Scheme, r.Host))
}

// asSent returns an origin as browsers send it.
func asSent(origin string) string {
	origin = strings.ToLower(origin)
	scheme, _, _ := strings.Cut(origin, "://")
	return withoutPort(scheme, origin)
}

// withoutPort takes away the port that the scheme has anyway, as browsers do.
func withoutPort(scheme, host string) string {
	switch scheme {
	case "http":
		return strings.TrimSuffix(host, ":80")
	case "https":
		return strings.TrimSuffix(host, ":443")
	}
	return host
}

// mayLackOrigin allows WebSockets of programs, which send no Origin. Every
// browser sends one; a request that carries cookies of the site without it is
// not trusted to be what it seems.
func (srv *Server) mayLackOrigin(r *http.Request) bool {
	if r.Header.Get("Authorization") != "" {
		return true
	}
	for _, c := range r.Cookies() {
		if c.Name != srv.opts.Cookie.Name {
			return false
		}
	}
	return true
}

func isCallbackPolling(r *http.Request) bool {
	return r.Method == http.MethodGet && r.URL.RawQuery != "" && r.URL.Query().Has("jsonp")
}

func isUpgrade(r *http.Request) bool {
	return r.Method == http.MethodGet && headerHas(r.Header, "Connection", "upgrade") &&
		headerHas(r.Header, "Upgrade", "websocket")
}

func headerHas(h http.Header, name, token string) bool {
	for _, line := range h.Values(name) {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}
