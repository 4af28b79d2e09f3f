package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing/store/memstore"
)

// startPortal serves the whole portal on a memory store.
func startPortal(t *testing.T) *httptest.Server {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	key := []byte(strings.Repeat("k", keySize))
	people := newDirectory()
	auth := newAuth(people, key)
	svc, api, err := newCalls(memstore.New(), people, auth, key, config{ring: 45 * time.Second}, logger)
	if err != nil {
		t.Fatal(err)
	}
	pages, err := newPages(people, auth, svc, logger)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 2)
	go func() { done <- svc.Run(context.WithoutCancel(t.Context())) }()
	go func() { done <- api.Run(context.WithoutCancel(t.Context())) }()
	server := httptest.NewServer(routes(api, pages))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := api.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		server.Close()
		if err := svc.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		<-done
		<-done
	})
	return server
}

// browser is a client that keeps cookies and follows no redirect.
func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func do(t *testing.T, c *http.Client, method, target string, form url.Values) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func signIn(t *testing.T, portal *httptest.Server, user string) *http.Client {
	t.Helper()
	c := browser(t)
	res, _ := do(t, c, "POST", portal.URL+"/login", url.Values{"username": {user}, "password": {demoPassword}})
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/portal/" {
		t.Fatalf("sign-in of %s: %s to %q", user, res.Status, res.Header.Get("Location"))
	}
	return c
}

func TestWrongPassword(t *testing.T) {
	portal := startPortal(t)
	for _, form := range []url.Values{
		{"username": {"mary"}, "password": {"wrong"}},
		{"username": {"nobody"}, "password": {demoPassword}},
		{},
	} {
		c := browser(t)
		res, body := do(t, c, "POST", portal.URL+"/login", form)
		if res.StatusCode != http.StatusUnauthorized || !strings.Contains(body, `name="password"`) {
			t.Errorf("%v: %s, want 401 and the form again", form, res.Status)
		}
		if len(res.Cookies()) != 0 {
			t.Errorf("%v: a cookie was set", form)
		}
	}
}

func TestPagesByRole(t *testing.T) {
	portal := startPortal(t)
	tests := []struct {
		user, path string
		status     int
	}{
		{"", "/login", 200},
		{"", "/portal/", 303},
		{"", "/portal/admin", 303},
		{"", "/portal/people/john", 303},
		{"", "/portal/avatars/john.svg", 303},
		{"", "/portal/rest/webconferencing/user/john", 401},
		{"mary", "/", 303},
		{"mary", "/portal/", 200},
		{"mary", "/portal/people/john", 200},
		{"mary", "/portal/people/nobody", 404},
		{"mary", "/portal/spaces/product_team", 200},
		{"mary", "/portal/spaces/sales_team", 403},
		{"mary", "/portal/spaces/none", 404},
		{"mary", "/portal/rooms/team-welcome", 200},
		{"james", "/portal/rooms/team-welcome", 403},
		{"mary", "/portal/avatars/john.svg?v=1&size=200x200", 200},
		{"mary", "/portal/avatars/john", 404},
		{"", "/portal/calls", 303},
		{"", "/portal/settings", 303},
		{"mary", "/portal/calls", 200},
		{"mary", "/portal/settings", 200},
		{"mary", "/portal/admin", 403},
		{"mary", "/nowhere", 404},
		{"", "/portal/static/portal.css", 200},
		{"", "/portal/static/", 404},
		{"", "/portal/static/..%2f..%2fmain.go", 400},
		{"root", "/portal/admin", 200},
		{"mary", "/portal/rest/webconferencing/user/john", 200},
		{"mary", "/portal/rest/webconferencing/providers/configuration", 403},
		{"root", "/portal/rest/webconferencing/providers/configuration", 200},
		{"mary", "/portal/rest/state/status/mary", 200},
		{"mary", "/webconferencing/index.js", 200},
	}
	clients := map[string]*http.Client{"": browser(t)}
	for _, tt := range tests {
		t.Run(tt.user+tt.path, func(t *testing.T) {
			if clients[tt.user] == nil {
				clients[tt.user] = signIn(t, portal, tt.user)
			}
			res, _ := do(t, clients[tt.user], "GET", portal.URL+tt.path, nil)
			if res.StatusCode != tt.status {
				t.Errorf("status %d, want %d", res.StatusCode, tt.status)
			}
		})
	}
}

func TestSecurityHeaders(t *testing.T) {
	portal := startPortal(t)
	mary := signIn(t, portal, "mary")
	for _, path := range []string{"/login", "/portal/", "/portal/people/john", "/nowhere", "/portal/static/portal.css"} {
		res, _ := do(t, mary, "GET", portal.URL+path, nil)
		csp := res.Header.Get("Content-Security-Policy")
		host := strings.TrimPrefix(portal.URL, "http://")
		for _, want := range []string{"default-src 'self'", "connect-src 'self' ws://" + host + " wss://" + host, "frame-ancestors 'none'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: policy %q lacks %q", path, csp, want)
			}
		}
		if strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q is unsafe", path, csp)
		}
		if got := res.Header.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s: X-Content-Type-Options = %q", path, got)
		}
	}
}

func TestHostHeaderCantForgeThePolicy(t *testing.T) {
	for _, host := range []string{"a;script-src *", "a:1;x", "a b", "", "a:", "[::1", "a,b"} {
		if got := socketSources(host); got != nil {
			t.Errorf("socketSources(%q) = %q, want none", host, got)
		}
	}
	for _, host := range []string{"portal.example", "127.0.0.1:8080", "[::1]:8080", "[::1]"} {
		if got := socketSources(host); !slices.Contains(got, "wss://"+host) {
			t.Errorf("socketSources(%q) = %q", host, got)
		}
	}
}

func TestForeignSitesCantPost(t *testing.T) {
	portal := startPortal(t)
	root := signIn(t, portal, "root")
	for _, path := range []string{"/login", "/logout", "/portal/admin/providers/webrtc"} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", portal.URL+path, strings.NewReader("active=false"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		res, err := root.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s, want 403", path, res.Status)
		}
	}
}

func TestAdministratorSwitchesCallsOff(t *testing.T) {
	portal := startPortal(t)
	root, mary := signIn(t, portal, "root"), signIn(t, portal, "mary")
	offers := func() bool {
		_, body := do(t, mary, "GET", portal.URL+"/portal/people/john", nil)
		return strings.Contains(body, "<wc-call-button")
	}
	if !offers() {
		t.Fatal("no call button although calls are on")
	}
	res, _ := do(t, mary, "POST", portal.URL+"/portal/admin/providers/webrtc", url.Values{"active": {"false"}})
	if res.StatusCode != http.StatusForbidden || !offers() {
		t.Errorf("mary switched calls off: %s", res.Status)
	}
	res, _ = do(t, root, "POST", portal.URL+"/portal/admin/providers/webrtc", url.Values{"active": {"false"}})
	if res.StatusCode != http.StatusSeeOther || offers() {
		t.Errorf("calls are still on: %s", res.Status)
	}
	res, _ = do(t, root, "POST", portal.URL+"/portal/admin/providers/none", url.Values{"active": {"true"}})
	if res.StatusCode != http.StatusNotFound {
		t.Errorf("unknown provider: %s, want 404", res.Status)
	}
}

func TestPresenceFollowsThePeople(t *testing.T) {
	portal := startPortal(t)
	mary := signIn(t, portal, "mary")
	status := func(user string) string {
		_, body := do(t, mary, "GET", portal.URL+"/portal/rest/state/status/"+user, nil)
		var got struct{ UserID, Status string }
		if err := json.Unmarshal([]byte(body), &got); err != nil || got.UserID != user {
			t.Fatalf("status of %s: %s", user, body)
		}
		return got.Status
	}
	if got := status("mary"); got != "available" {
		t.Errorf("mary is %s, want available", got)
	}
	if got := status("john"); got != "offline" {
		t.Errorf("john is %s before he signed in, want offline", got)
	}
	john := signIn(t, portal, "john")
	do(t, john, "GET", portal.URL+"/portal/", nil)
	if got := status("john"); got != "available" {
		t.Errorf("john is %s, want available", got)
	}
	do(t, john, "POST", portal.URL+"/logout", nil)
	if got := status("john"); got != "offline" {
		t.Errorf("john is %s after he signed out, want offline", got)
	}
}

func TestNamesAreText(t *testing.T) {
	const hostile = `</text><script>alert(1)</script>`
	if svg := avatarSVG("x", hostile+" <b>"); strings.Contains(svg, "<script>") || strings.Contains(svg, "<b") {
		t.Errorf("picture contains markup: %s", svg)
	}
}

func TestInitials(t *testing.T) {
	for name, want := range map[string]string{"Mary Williams": "MW", "Welcome": "W", "Ögmundur af Ål": "ÖÅ", "": "?", "  ": "?"} {
		if got := initials(name); got != want {
			t.Errorf("initials(%q) = %q, want %q", name, got, want)
		}
	}
}
