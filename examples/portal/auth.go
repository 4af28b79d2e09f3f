package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/httpapi"
	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

const (
	sessionCookie = "portal_session"
	sessionLife   = 7 * 24 * time.Hour
	keySize       = 32
)

// auth signs people in and out. A session is a signed cookie that names the
// person and the time at which it ends, so that it outlives a restart of the
// portal as calls do; which sessions were signed out is forgotten at a restart.
// It implements [httpapi.Authenticator] and may be used concurrently.
type auth struct {
	people   *directory
	key      []byte
	attempts attempts

	clientAddr func(*http.Request) string
	behindTLS  bool // a proxy in front ends TLS

	mu        sync.Mutex
	revoked   map[string]time.Time // sessions that were signed out → when they would have ended
	signedOut map[string]time.Time // person's id → when last
}

// newAuth makes an auth for a portal that stands behind the proxies, if there
// are any.
func newAuth(people *directory, key []byte, proxies ...netip.Prefix) *auth {
	return &auth{
		people: people, key: key, clientAddr: bayeux.ForwardedFor(proxies...), behindTLS: len(proxies) > 0,
		revoked: make(map[string]time.Time), signedOut: make(map[string]time.Time),
	}
}

// session is what a cookie says once its signature has been checked.
type session struct {
	id      string // random, so that one session can be ended
	user    string
	expires time.Time
}

// Authenticate implements [httpapi.Authenticator]: it tells the library who
// makes a request. The library asks for each request, and regularly for open
// connections, so signing out ends those as well.
func (a *auth) Authenticate(r *http.Request) (webconferencing.Actor, error) {
	p := a.signedIn(r)
	if p == nil {
		return webconferencing.Actor{}, httpapi.ErrUnauthenticated
	}
	return actor(p), nil
}

// actor is how the library sees a person. The library adds the device.
func actor(p *person) webconferencing.Actor {
	return webconferencing.Actor{User: webconferencing.UserID(p.ID), Admin: p.Admin}
}

// signedIn returns who makes the request, or nil.
func (a *auth) signedIn(r *http.Request) *person {
	s, ok := a.session(r)
	if !ok {
		return nil
	}
	p := a.people.person(s.user)
	if p != nil {
		a.people.noteSeen(p.ID)
	}
	return p
}

func (a *auth) session(r *http.Request) (session, bool) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return session{}, false
	}
	s, ok := a.verify(cookie.Value)
	if !ok || !time.Now().Before(s.expires) {
		return session{}, false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	_, gone := a.revoked[s.id]
	return s, !gone
}

// check returns the account for a name and password, or nil. It takes the same
// time for unknown names. A real portal compares slow, salted hashes.
func (a *auth) check(username, password string) *person {
	got, want := sha256.Sum256([]byte(password)), sha256.Sum256([]byte(demoPassword))
	same := subtle.ConstantTimeCompare(got[:], want[:]) == 1
	if p := a.people.person(username); p != nil && same {
		return p
	}
	return nil
}

// secure reports whether a cookie may be kept from connections without TLS.
func (a *auth) secure(r *http.Request) bool { return a.behindTLS || r.TLS != nil }

// signIn starts a session for a person.
func (a *auth) signIn(w http.ResponseWriter, r *http.Request, p *person) {
	s := session{id: rand.Text(), user: p.ID, expires: time.Now().Add(sessionLife)}
	http.SetCookie(w, &http.Cookie{
		Name:     sessionCookie,
		Value:    a.sign(s),
		Path:     "/",
		MaxAge:   int(sessionLife / time.Second),
		HttpOnly: true,
		Secure:   a.secure(r),
		SameSite: http.SameSiteLaxMode,
	})
}

// signOut ends the request's session, in the browser and here.
func (a *auth) signOut(w http.ResponseWriter, r *http.Request) {
	if s, ok := a.session(r); ok {
		a.revoke(s)
		a.people.noteGone(s.user)
	}
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: "/", MaxAge: -1, HttpOnly: true, Secure: a.secure(r), SameSite: http.SameSiteLaxMode})
}

func (a *auth) revoke(s session) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, expires := range a.revoked {
		if expires.Before(now) {
			delete(a.revoked, id)
		}
	}
	a.revoked[s.id] = s.expires
	a.signedOut[s.user] = now.Truncate(time.Second)
}

// acceptToken refuses the tokens that a person's pages were given before
// signing out. Pages that are still signed in have their cookie.
func (a *auth) acceptToken(_ context.Context, user webconferencing.UserID, issued time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if issued.Before(a.signedOut[string(user)]) {
		return httpapi.ErrUnauthenticated
	}
	return nil
}

// sign makes the cookie's value: version, user, end and id, and a MAC over
// them. None of the fields contains a dot.
func (a *auth) sign(s session) string {
	user := base64.RawURLEncoding.EncodeToString([]byte(s.user))
	text := strings.Join([]string{"v1", user, strconv.FormatInt(s.expires.Unix(), 10), s.id}, ".")
	return text + "." + a.mac(text)
}

// verify reads a cookie's value. It looks at nothing before the MAC was found
// to be right.
func (a *auth) verify(value string) (session, bool) {
	cut := strings.LastIndexByte(value, '.')
	if cut < 0 || subtle.ConstantTimeCompare([]byte(value[cut+1:]), []byte(a.mac(value[:cut]))) != 1 {
		return session{}, false
	}
	fields := strings.Split(value[:cut], ".")
	if len(fields) != 4 || fields[0] != "v1" {
		return session{}, false
	}
	user, err1 := base64.RawURLEncoding.DecodeString(fields[1])
	expires, err2 := strconv.ParseInt(fields[2], 10, 64)
	if err1 != nil || err2 != nil {
		return session{}, false
	}
	return session{id: fields[3], user: string(user), expires: time.Unix(expires, 0)}, true
}

func (a *auth) mac(text string) string {
	h := hmac.New(sha256.New, a.key)
	h.Write([]byte("portal session " + text))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// loadKey reads the key that signs sessions, and makes one at the first start.
func loadKey(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return newKey(path)
	case err != nil:
		return nil, fmt.Errorf("can't read the session key: %w", err)
	case len(key) != keySize:
		return nil, fmt.Errorf("the session key %s is damaged; delete it to sign everybody out", path)
	}
	return key, nil
}

// newKey writes beside the final name first, so that a crash leaves no half a
// key behind.
func newKey(path string) ([]byte, error) {
	key := make([]byte, keySize)
	rand.Read(key) // never fails
	if err := os.WriteFile(path+".new", key, 0o600); err != nil {
		return nil, fmt.Errorf("can't keep the session key: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return nil, fmt.Errorf("can't keep the session key: %w", err)
	}
	return key, nil
}
