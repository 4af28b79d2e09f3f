package jitsi_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/connector/jitsi"
	"github.com/webconferencing/webconferencing/connector/jitsi/internal/fakejitsi"
)

var (
	_ webconferencing.Provider        = (*jitsi.Provider)(nil)
	_ webconferencing.Joiner          = (*jitsi.Provider)(nil)
	_ webconferencing.Ender           = (*jitsi.Provider)(nil)
	_ webconferencing.WebhookReceiver = (*jitsi.Provider)(nil)
	_ webconferencing.Checker         = (*jitsi.Provider)(nil)
	_ webconferencing.URLParser       = (*jitsi.Provider)(nil)
	_ webconferencing.PolicySource    = (*jitsi.Provider)(nil)
	_ webconferencing.Configurable    = (*jitsi.Provider)(nil)
	_ webconferencing.ClientModule    = (*jitsi.Provider)(nil)
)

const (
	appSecret  = "the application's secret"
	hookSecret = "the webhooks' own secret"
	jaasApp    = "vpaas-magic-cookie-0123"
)

var roomSecret = []byte("a secret for rooms of at least 32 bytes")

// key is made once, as it takes long.
var key = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func keyPEM(t *testing.T, k *rsa.PrivateKey) string {
	t.Helper()
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Unix(1_800_000_000, 0).UTC()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is a provider, the fake of its server, and what webhooks brought.
type world struct {
	t        *testing.T
	clock    *clock
	opts     jitsi.Options
	provider *jitsi.Provider
	fake     *fakejitsi.Server
	server   *httptest.Server

	mu       sync.Mutex
	evidence []webconferencing.Evidence
	refused  int
}

// newWorld is an own server with tokens, or JaaS.
func newWorld(t *testing.T, jaas bool, change func(*jitsi.Options, *fakejitsi.Options)) *world {
	t.Helper()
	w := &world{t: t, clock: newClock()}
	hooks := httptest.NewServer(http.HandlerFunc(w.hook))
	t.Cleanup(hooks.Close)
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.fake.ServeHTTP(rw, r) }))
	t.Cleanup(w.server.Close)

	po := jitsi.Options{WebhookSecret: hookSecret, Now: w.clock.Now}
	fo := fakejitsi.Options{Hooks: hooks.URL + "/hooks", HookSecret: hookSecret, Now: w.clock.Now}
	if jaas {
		fo.JaaS, fo.Keys = jaasApp, map[string]*rsa.PublicKey{jaasApp + "/k1": &key().PublicKey}
	} else {
		po.Token = &jitsi.Token{AppID: "portal", Secret: appSecret}
		fo.AppID, fo.Secret, fo.Subject = "portal", appSecret, "127.0.0.1"
	}
	if change != nil {
		change(&po, &fo)
	}
	w.fake = fakejitsi.New(fo)
	t.Cleanup(w.fake.Close)
	w.opts = po
	w.provider = w.fresh(jaas)
	return w
}

// fresh is another provider with the same options.
func (w *world) fresh(jaas bool) *jitsi.Provider {
	w.t.Helper()
	var p *jitsi.Provider
	var err error
	if jaas {
		account := jitsi.JaaS{AppID: jaasApp, KeyID: "k1", PrivateKey: keyPEM(w.t, key()), Server: w.server.URL}
		p, err = jitsi.NewJaaS(account, roomSecret, &w.opts)
	} else {
		p, err = jitsi.New(w.server.URL, roomSecret, &w.opts)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// systemKeys are those that may close rooms.
func systemKeys() map[string]*rsa.PublicKey { return map[string]*rsa.PublicKey{"k": &key().PublicKey} }

// hook hands a webhook to the provider as the library does.
func (w *world) hook(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	reply, err := w.provider.Webhook(r.Context(), webconferencing.WebhookRequest{
		Method: r.Method, Path: strings.TrimPrefix(r.URL.Path, "/hooks/"), Query: r.URL.Query(), Header: r.Header, Body: body,
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	var e *webconferencing.Error
	switch {
	case errors.As(err, &e) && e.Code == webconferencing.CodeDenied:
		w.refused++
		rw.WriteHeader(http.StatusForbidden)
		return
	case err != nil:
		rw.WriteHeader(http.StatusBadRequest)
		return
	}
	w.evidence = append(w.evidence, reply.Evidence...)
	if reply.ContentType != "" {
		rw.Header().Set("Content-Type", reply.ContentType)
	}
	if reply.Status != 0 {
		rw.WriteHeader(reply.Status)
	}
	_, _ = io.Copy(rw, bytes.NewReader(reply.Body)) // the client is gone
}

// seen returns what the webhooks brought so far, in the order of arrival.
func (w *world) seen() []webconferencing.Evidence {
	w.fake.Settle()
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]webconferencing.Evidence(nil), w.evidence...)
}

func request(call webconferencing.CallID, epoch uint64, user webconferencing.UserID) webconferencing.JoinRequest {
	return webconferencing.JoinRequest{
		Call:  &webconferencing.Call{ID: call, Epoch: epoch, Title: "Product Team", Owner: webconferencing.Ref{Type: webconferencing.OwnerSpace, ID: "team"}},
		User:  &webconferencing.User{ID: user, FirstName: "Mary", LastName: "Williams", AvatarLink: "https://portal.example/avatar/mary?v=1"},
		Actor: webconferencing.Actor{User: user, Client: "tab"},
		Seat:  webconferencing.SeatRef{Call: call, Epoch: epoch, Seat: webconferencing.SeatID("seat-" + user)},
	}
}

func (w *world) join(r webconferencing.JoinRequest) *webconferencing.Grant {
	w.t.Helper()
	g, err := w.provider.Join(w.t.Context(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

// enter goes with a grant to the server.
func (w *world) enter(g *webconferencing.Grant) (*fakejitsi.Occupant, error) {
	return w.fake.Enter(strings.TrimPrefix(g.URL, w.server.URL), g.Token, "")
}

func (w *world) mustEnter(r webconferencing.JoinRequest) *fakejitsi.Occupant {
	w.t.Helper()
	o, err := w.enter(w.join(r))
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}
