package httpapi_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/httpapi"
	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

const handshakeDenied = "403::handshake_denied"

func TestHandshake(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		w := newWorld(t, &httpapi.Options{FailedHandshakeRate: httpapi.Unlimited()})
		open := func(cookie, exoID, token string) (*device, string) {
			d := w.newDevice(cookie, "c1")
			d.user, d.token = exoID, token
			return d, d.open(transport)
		}
		good := w.api.Token("mary")
		for _, tc := range []struct{ cookie, exoID, token, want string }{
			{"mary", "", "", ""}, {"mary", "mary", "", ""}, {"mary", "mary", "nonsense", ""}, {"", "mary", good, ""}, {"", "", good, ""},
			{"", "", "", handshakeDenied}, {"", "mary", "", handshakeDenied}, {"", "john", good, handshakeDenied}, {"john", "mary", good, handshakeDenied},
			{"", "mary", good + "x", handshakeDenied}, {"", "mary", "2" + good[1:], handshakeDenied}, {"", "mary", good[:len(good)-4], handshakeDenied},
			{"", "mary", strings.Repeat("1.", 10_000), handshakeDenied},
		} {
			d, err := open(tc.cookie, tc.exoID, tc.token)
			if err != tc.want {
				t.Errorf("%+v: %q", tc, err)
			}
			if err != "" {
				continue
			}
			d.user = "mary"
			d.mustSubscribe(userChannel + "mary")
		}
		// The token of the context resource is good.
		c := w.rest("john", "GET", "context", nil)
		if _, err := open("", "john", c.body["cometdToken"].(string)); err != "" {
			t.Error(err)
		}
	})
}

func TestHandshakeLimits(t *testing.T) {
	w := newWorld(t, &httpapi.Options{
		FailedHandshakeRate: httpapi.Rate{PerSecond: 0.01, Burst: 2},
		Bayeux:              &bayeux.Options{MaxHandshakesPerUser: 1},
	})
	for range 2 {
		if err := w.newDevice("", "x").open("long-polling"); err != handshakeDenied {
			t.Errorf("got %q", err)
		}
	}
	if err := w.newDevice("", "x").open("long-polling"); err != "429:rate_limited:handshake_denied" {
		t.Errorf("got %q", err)
	}
	// Who is signed in comes in from the same address.
	refused := ""
	for range 8 {
		if err := w.newDevice("mary", "m1").open("long-polling"); err != "" {
			refused = err
		}
	}
	if !strings.Contains(refused, "too_many_handshakes") {
		t.Errorf("got %q", refused)
	}
	w.dial("john", "j1", "long-polling") // another user is not touched
}

func TestTokensExpireAndCanBeVoided(t *testing.T) {
	key := []byte(strings.Repeat("k", 32))
	void := errors.New("signed out")
	var refuse atomic.Bool
	w := newWorld(t, &httpapi.Options{TokenKey: key, AcceptToken: func(_ context.Context, user webconferencing.UserID, issued time.Time) error {
		if refuse.Load() && user == "mary" && time.Since(issued) < time.Hour {
			return void
		}
		return nil
	}})
	other := newWorld(t, &httpapi.Options{TokenKey: key})
	d := w.newDevice("", "c")
	d.user, d.token = "mary", other.api.Token("mary") // made by another process with the key
	if err := d.open("long-polling"); err != "" {
		t.Fatal(err)
	}
	refuse.Store(true)
	if m, err := d.try(object{"channel": "/meta/subscribe", "subscription": userChannel + "mary"}); err != nil || m.ok() {
		t.Errorf("a voided token still counts: %+v %v", m, err)
	}
	e := w.newDevice("", "c")
	e.user, e.token = "mary", w.api.Token("mary")
	if err := e.open("long-polling"); err != handshakeDenied {
		t.Errorf("got %q", err)
	}
}

// Signing out ends the session with the next request.
func TestSignOut(t *testing.T) {
	w := newWorld(t, nil)
	mary := w.dial("mary", "m1", "long-polling")
	mary.do("create", pairCall("p/1"))
	w.auth.set(func() { w.auth.out["mary"] = true })
	m, err := mary.try(object{"channel": "/meta/subscribe", "subscription": userChannel + "mary"})
	if err != nil || m.ok() || !strings.HasPrefix(m.Error, "402:") && !strings.HasPrefix(m.Error, "401:") && !strings.HasPrefix(m.Error, "403:") {
		t.Errorf("got %+v %v", m, err)
	}
	w.auth.set(func() { delete(w.auth.out, "mary") })
	if m, err := mary.try(object{"channel": "/meta/subscribe", "subscription": userChannel + "mary"}); err != nil || m.ok() {
		t.Errorf("the session came back: %+v %v", m, err)
	}
}

// Who signs out hears nothing any more, whether by a connect that is held or by
// an open WebSocket, after ten seconds at the latest.
func TestSignOutWhileListening(t *testing.T) {
	bubbles(t, func(t *testing.T, w *world, transport string) {
		john := w.listen(transport, "john")["john"]
		w.missAll("p/1")
		john.wantEvent("call_state", "callState", "started")
		john.wantEvent("call_state", "callState", "stopped")
		w.auth.set(func() { w.auth.out["john"] = true })
		time.Sleep(10*time.Second + time.Millisecond)
		w.missAll("p/2")
		john.quiet()
	})
}

// While the host can't tell who is signed in, sessions live on for a while.
func TestAuthenticatorFails(t *testing.T) {
	w := newWorld(t, nil)
	mary := w.dial("mary", "m1", "long-polling")
	w.auth.set(func() { w.auth.fails = errDirectory })
	mary.mustSubscribe(userChannel + "mary")
	if err := w.newDevice("mary", "m2").open("long-polling"); err != "500:server_error:handshake_denied" {
		t.Errorf("got %q", err)
	}
	w.auth.set(func() { w.auth.fails, w.auth.boom = nil, true })
	mary.do("get_calls_state", object{"id": "mary"})
	w.auth.set(func() { w.auth.boom = false })
}

// A session id in the hands of another user is worth nothing, and the owner
// does not notice the attempt.
func TestStolenSession(t *testing.T) {
	w := newWorld(t, nil)
	mary, eve := w.dial("mary", "m1", "long-polling"), w.newDevice("eve", "e1")
	mary.mustSubscribe(userChannel + "mary")
	eve.session = mary.session
	m := eve.exchange(object{"channel": "/service/webconferencing/calls", "data": object{"command": "get", "id": "x"}})
	if m.ok() || m.Error != "402::session_unknown" {
		t.Errorf("got %+v", m)
	}
	mary.do("get_calls_state", object{"id": "mary"})
}

func TestSocketOrigins(t *testing.T) {
	w := newWorld(t, nil)
	for origin, want := range map[string]int{
		"http://portal.test": 101, "http://evil.example": 403, "null": 403, "http://portal.test.evil.example": 403, "http://portal.test:81": 403, "": 403,
	} {
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		c, res, err := websocket.Dial(t.Context(), "ws://portal.test/cometd/cometd", &websocket.DialOptions{HTTPClient: w.browser("mary"), HTTPHeader: header})
		if res == nil || res.StatusCode != want {
			t.Errorf("%q: %v %v", origin, res, err)
		}
		if err == nil {
			_ = c.CloseNow()
		}
	}
}

func TestOptions(t *testing.T) {
	virtual(t, func(t *testing.T) { // all tokens are of one second
		w := newWorld(t, nil)
		_, err := httpapi.New(nil, nil, &httpapi.Options{
			CometdPath: "http://%zz", TokenKey: []byte("short"), TokenTTL: time.Second, MaxBodyBytes: 5,
			RESTRate: httpapi.Rate{PerSecond: -1, Burst: 1}, TrustedOrigins: []string{"portal"},
		})
		if err == nil {
			t.Fatal("accepted nonsense")
		}
		for _, word := range []string{"service", "authenticator", "CometdPath", "TokenKey", "TokenTTL", "MaxBodyBytes", "RESTRate", "TrustedOrigins"} {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%q does not name %s", err, word)
			}
		}
		key := []byte(strings.Repeat("k", 32))
		a, err := httpapi.New(w.svc, w.auth, &httpapi.Options{TokenKey: key})
		if err != nil {
			t.Fatal(err)
		}
		token := a.Token("mary")
		clear(key)
		if b, err := httpapi.New(w.svc, w.auth, &httpapi.Options{TokenKey: []byte(strings.Repeat("k", 32))}); err != nil || b.Token("mary")[:20] != token[:20] {
			t.Error(err, "options are not copied")
		}
		if err := a.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if err := a.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		done := make(chan error, 1)
		go func() { done <- a.Run(t.Context()) }()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(5 * time.Second):
			t.Error("Run goes on after Shutdown")
		}
		if err := w.api.Run(t.Context()); err == nil {
			t.Error("Run twice")
		}
	})
}

// A session lives as long as what it was opened by: the token, or the sign-in
// of a user whom the host must know again before long.
func TestSessionsEndWithTheirReason(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		w := newWorld(t, &httpapi.Options{TokenTTL: 10 * time.Minute})
		token := w.newDevice("", "c1")
		token.user, token.token = "mary", w.api.Token("mary")
		if err := token.open(transport); err != "" {
			t.Fatal(err)
		}
		john := w.dial("john", "j1", transport)
		time.Sleep(9 * time.Minute)
		if token.over() {
			t.Error("ended before the token")
		}
		time.Sleep(90 * time.Second)
		if !token.over() {
			t.Error("the token is over, the session is not")
		}
		w.auth.set(func() { w.auth.fails = errDirectory })
		time.Sleep(40 * time.Second)
		if john.over() {
			t.Error("ended because the host could not tell for a moment")
		}
		time.Sleep(time.Minute)
		if !john.over() {
			t.Error("lives on though nobody vouches for its user")
		}
		eve := w.newDevice("eve", "e1")
		w.auth.set(func() { w.auth.fails = nil })
		if err := eve.open(transport); err != "" {
			t.Fatal(err)
		}
		w.auth.set(func() { w.auth.out["eve"] = true })
		time.Sleep(11 * time.Second)
		if !eve.over() {
			t.Error("lives on after signing out")
		}
	})
}
