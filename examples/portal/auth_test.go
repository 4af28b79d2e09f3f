package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webconferencing/webconferencing/httpapi"
)

func testAuth() *auth { return newAuth(newDirectory(), bytes.Repeat([]byte{7}, keySize)) }

// cookieFor signs a person in and returns what the browser would send back.
func cookieFor(t *testing.T, a *auth, id string) *http.Cookie {
	t.Helper()
	w := httptest.NewRecorder()
	a.signIn(w, httptest.NewRequest("POST", "/login", nil), a.people.person(id))
	return w.Result().Cookies()[0]
}

func requestWith(c *http.Cookie) *http.Request {
	r := httptest.NewRequest("GET", "/portal/", nil)
	r.AddCookie(c)
	return r
}

func TestSessionNamesItsUser(t *testing.T) {
	a := testAuth()
	c := cookieFor(t, a, "root")
	if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
		t.Errorf("cookie = %v, want it HttpOnly and SameSite", c)
	}
	actor, err := a.Authenticate(requestWith(c))
	if err != nil || actor.User != "root" || !actor.Admin {
		t.Errorf("Authenticate = %+v, %v, want the administrator root", actor, err)
	}
	actor, err = a.Authenticate(requestWith(cookieFor(t, a, "mary")))
	if err != nil || actor.User != "mary" || actor.Admin {
		t.Errorf("Authenticate = %+v, %v, want mary, no administrator", actor, err)
	}
}

func TestSessionSurvivesRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "session.key")
	key, err := loadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file = %v, %v, want mode 0600", info, err)
	}
	c := cookieFor(t, newAuth(newDirectory(), key), "john")

	again, err := loadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if p := newAuth(newDirectory(), again).signedIn(requestWith(c)); p == nil || p.ID != "john" {
		t.Errorf("after the restart the cookie names %v, want john", p)
	}
}

func TestDamagedKeyIsReported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "session.key")
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadKey(path); err == nil {
		t.Error("loadKey took a key of 5 bytes")
	}
}

func TestForgedSessionsAreRefused(t *testing.T) {
	a := testAuth()
	good := cookieFor(t, a, "mary").Value
	parts := strings.Split(good, ".")
	other := newAuth(newDirectory(), bytes.Repeat([]byte{8}, keySize))
	forged := append([]string{}, parts...)
	forged[1] = base64.RawURLEncoding.EncodeToString([]byte("root"))

	for name, value := range map[string]string{
		"empty":          "",
		"no signature":   strings.Join(parts[:4], "."),
		"another user":   strings.Join(forged, "."),
		"another key":    cookieFor(t, other, "mary").Value,
		"cut":            good[:len(good)-1],
		"empty mac":      strings.Join(parts[:4], ".") + ".",
		"unknown person": a.sign(session{id: "x", user: "nobody", expires: time.Now().Add(time.Hour)}),
		"expired":        a.sign(session{id: "x", user: "mary", expires: time.Now().Add(-time.Second)}),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := a.Authenticate(requestWith(&http.Cookie{Name: sessionCookie, Value: value}))
			if !errors.Is(err, httpapi.ErrUnauthenticated) {
				t.Errorf("Authenticate error = %v, want ErrUnauthenticated", err)
			}
		})
	}
}

func TestSessionEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := testAuth()
		c := cookieFor(t, a, "mary")
		time.Sleep(sessionLife - time.Second)
		if a.signedIn(requestWith(c)) == nil {
			t.Error("signed out before the session's end")
		}
		time.Sleep(2 * time.Second)
		if a.signedIn(requestWith(c)) != nil {
			t.Error("still signed in after the session's end")
		}
	})
}

func TestSignOutEndsOneSession(t *testing.T) {
	a := testAuth()
	phone, laptop := cookieFor(t, a, "mary"), cookieFor(t, a, "mary")
	a.signOut(httptest.NewRecorder(), requestWith(phone))
	if a.signedIn(requestWith(phone)) != nil {
		t.Error("the cookie works after signing out")
	}
	if a.signedIn(requestWith(laptop)) == nil {
		t.Error("signing out on one device ended the session of another")
	}
}

func TestRevokedSessionsAreForgottenOnceOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := testAuth()
		for range 50 {
			a.signOut(httptest.NewRecorder(), requestWith(cookieFor(t, a, "mary")))
		}
		time.Sleep(sessionLife + time.Second)
		a.signOut(httptest.NewRecorder(), requestWith(cookieFor(t, a, "mary")))
		if len(a.revoked) != 1 {
			t.Errorf("%d revoked sessions are kept, want 1", len(a.revoked))
		}
	})
}

func TestAttemptsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a attempts
		for i := range maxAttempts {
			if !a.begin("10.0.0.1 mary") {
				t.Fatalf("attempt %d was refused", i+1)
			}
		}
		if a.begin("10.0.0.1 mary") {
			t.Error("one attempt too many was allowed")
		}
		if !a.begin("10.0.0.2 mary") {
			t.Error("the account is locked for another address")
		}
		time.Sleep(attemptsWindow + time.Second)
		if !a.begin("10.0.0.1 mary") {
			t.Error("still refused after the window")
		}
	})
}

func TestAttemptsAreForgottenOnSuccess(t *testing.T) {
	var a attempts
	for range 5 * maxAttempts {
		if !a.begin("10.0.0.1 mary") {
			t.Fatal("refused in spite of successes")
		}
		a.succeed("10.0.0.1 mary")
	}
}

func TestAttemptsAreBounded(t *testing.T) {
	var a attempts
	for i := range attemptsKept + 100 {
		if !a.begin(strconv.Itoa(i)) {
			t.Fatal("somebody was kept out by the attempts of others")
		}
		if len(a.made) > attemptsKept {
			t.Fatalf("%d attempts are remembered, want at most %d", len(a.made), attemptsKept)
		}
	}
}

func TestAttemptKey(t *testing.T) {
	a := testAuth()
	key := func(user, addr string) string {
		r := httptest.NewRequest("POST", "/login", nil)
		r.RemoteAddr = addr
		return a.attemptKey(user, r)
	}
	same := [][2]string{
		{key("mary", "192.0.2.1:1000"), key("mary", "192.0.2.1:2000")},
		{key("nobody", "192.0.2.1:1"), key("anybody", "192.0.2.1:1")},
		{key("mary", "[2001:db8::1]:1"), key("mary", "[2001:db8::2]:1")},
		{key("mary", "[::ffff:192.0.2.1]:1"), key("mary", "192.0.2.1:1")},
	}
	for _, pair := range same {
		if pair[0] != pair[1] {
			t.Errorf("%q and %q are counted apart", pair[0], pair[1])
		}
	}
	apart := [][2]string{
		{key("mary", "192.0.2.1:1"), key("john", "192.0.2.1:1")},
		{key("mary", "192.0.2.1:1"), key("mary", "192.0.2.2:1")},
		{key("mary", "[::ffff:192.0.2.1]:1"), key("mary", "[::ffff:192.0.2.2]:1")},
		{key("mary", "[2001:db8::1]:1"), key("mary", "[2001:db8:1::1]:1")},
	}
	for _, pair := range apart {
		if pair[0] == pair[1] {
			t.Errorf("%q is counted for two", pair[0])
		}
	}
}

func TestBehindProxy(t *testing.T) {
	cfg, err := parseFlags([]string{"-proxy", "127.0.0.1", "-proxy", "10.0.0.0/8", "-data", "x"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	a := newAuth(newDirectory(), bytes.Repeat([]byte{7}, keySize), cfg.proxies...)
	if !cookieFor(t, a, "mary").Secure {
		t.Error("the cookie may leave TLS")
	}
	key := func(forwarded string) string {
		r := httptest.NewRequest("POST", "/login", nil)
		r.RemoteAddr = "127.0.0.1:5000"
		r.Header.Set("X-Forwarded-For", forwarded)
		return a.attemptKey("mary", r)
	}
	if key("192.0.2.1, 10.0.0.5") == key("192.0.2.2, 10.0.0.5") || key("192.0.2.1") != key("192.0.2.99, 192.0.2.1") {
		t.Error("attempts are not counted for the client")
	}
	for _, wrong := range []string{"proxy.example", "10.0.0.0/99", ""} {
		if _, err := parseFlags([]string{"-proxy", wrong}, io.Discard); err == nil || !strings.Contains(err.Error(), "-proxy") {
			t.Errorf("-proxy %q: %v", wrong, err)
		}
	}
}

func TestTokensEndWithSigningOut(t *testing.T) {
	a := testAuth()
	before := time.Now().Add(-time.Minute)
	if err := a.acceptToken(t.Context(), "mary", before); err != nil {
		t.Errorf("a token was refused before anybody signed out: %v", err)
	}
	a.signOut(httptest.NewRecorder(), requestWith(cookieFor(t, a, "mary")))
	if err := a.acceptToken(t.Context(), "mary", before); err == nil {
		t.Error("a token from before signing out is accepted")
	}
	if err := a.acceptToken(t.Context(), "mary", time.Now().Add(time.Second)); err != nil {
		t.Errorf("a token from after signing in again is refused: %v", err)
	}
	if err := a.acceptToken(t.Context(), "john", before); err != nil {
		t.Errorf("somebody else's token is refused: %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	a := testAuth()
	f.Add(a.sign(session{id: "x", user: "mary", expires: time.Unix(1e9, 0)}))
	f.Add("v1.bWFyeQ.1.x.")
	f.Add("....")
	f.Fuzz(func(t *testing.T, value string) {
		if s, ok := a.verify(value); ok && a.sign(s) != value {
			t.Errorf("%q was accepted, but is not what sign makes of %+v", value, s)
		}
	})
}
