package fakejitsi_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing/connector/jitsi/internal/fakejitsi"
)

type object = map[string]any

const (
	secret = "the application's secret"
	now    = 1_800_000_000
)

func encode(t *testing.T, header, claims any) string {
	t.Helper()
	var parts []string
	for _, v := range []any{header, claims} {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, base64.RawURLEncoding.EncodeToString(raw))
	}
	return strings.Join(parts, ".")
}

func hs256(secret, text string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func claims() object {
	return object{
		"iss": "portal", "aud": "jitsi", "sub": "meet.example", "room": "room", "nbf": now - 10, "exp": now + 600,
		"context": object{"user": object{"id": "m", "name": "Mary"}},
	}
}

// TestTokens shows that the fake is as strict as the real server: what is
// tried against it would prove nothing otherwise.
func TestTokens(t *testing.T) {
	s := fakejitsi.New(fakejitsi.Options{AppID: "portal", Secret: secret, Subject: "meet.example", Now: func() time.Time { return time.Unix(now, 0) }})
	defer s.Close()
	hs := object{"alg": "HS256", "typ": "JWT"}
	if o, err := s.Enter("room", hs256(secret, encode(t, hs, claims())), ""); err != nil || o.ID != "m" || o.Name != "Mary" || o.Owner {
		t.Fatalf("a good token: %+v, %v", o, err)
	}
	user := func(name string, value any) func(object) {
		return func(c object) { c["context"] = object{"user": object{name: value}} }
	}
	for name, change := range map[string]func(object){
		"wrong issuer":       func(c object) { c["iss"] = "other" },
		"null issuer":        func(c object) { c["iss"] = nil },
		"wrong audience":     func(c object) { c["aud"] = "other" },
		"no audience":        func(c object) { delete(c, "aud") },
		"wrong subject":      func(c object) { c["sub"] = "*" },
		"another room":       func(c object) { c["room"] = "other" },
		"any room":           func(c object) { c["room"] = "*" },
		"no room":            func(c object) { delete(c, "room") },
		"null room":          func(c object) { c["room"] = nil },
		"no end":             func(c object) { delete(c, "exp") },
		"null end":           func(c object) { c["exp"] = nil },
		"over":               func(c object) { c["exp"] = now },
		"for a year":         func(c object) { c["exp"] = now + 365*86400 },
		"not yet":            func(c object) { c["nbf"] = now + 60 },
		"null name":          user("name", nil),
		"number as id":       user("id", 7),
		"truth as moderator": user("moderator", true),
	} {
		c := claims()
		change(c)
		if _, err := s.Enter("room", hs256(secret, encode(t, hs, c)), ""); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	good := encode(t, hs, claims())
	for name, token := range map[string]string{
		"nothing":            "",
		"no token":           "a.b.c",
		"another secret":     hs256("another secret", good),
		"no signature":       good + ".",
		"alg none":           encode(t, object{"alg": "none", "typ": "JWT"}, claims()) + ".",
		"alg none, signed":   hs256(secret, encode(t, object{"alg": "none", "typ": "JWT"}, claims())),
		"another type":       hs256(secret, encode(t, object{"alg": "HS256", "typ": "JWE"}, claims())),
		"signature of other": strings.Replace(hs256(secret, good), good, encode(t, hs, object{"room": "room"}), 1),
	} {
		if _, err := s.Enter("room", token, ""); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestTokensOfJaaS(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s := fakejitsi.New(fakejitsi.Options{
		JaaS: "app", Keys: map[string]*rsa.PublicKey{"app/key": &key.PublicKey}, Now: func() time.Time { return time.Unix(now, 0) },
		SystemKeys: map[string]*rsa.PublicKey{"system": &key.PublicKey},
	})
	defer s.Close()
	rs256 := func(kid string, c object) string {
		text := encode(t, object{"alg": "RS256", "typ": "JWT", "kid": kid}, c)
		sum := sha256.Sum256([]byte(text))
		signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return text + "." + base64.RawURLEncoding.EncodeToString(signature)
	}
	c := claims()
	maps.Copy(c, object{"iss": "chat", "sub": "app"})
	if _, err := s.Enter("app/room", rs256("app/key", c), ""); err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{
		"unknown key":           rs256("app/other", c),
		"public key as secret":  hs256(string(public), encode(t, object{"alg": "HS256", "typ": "JWT", "kid": "app/key"}, c)),
		"issuer of own servers": rs256("app/key", claims()),
	} {
		if _, err := s.Enter("app/room", token, ""); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if _, err := s.Enter("other/room", rs256("app/key", c), ""); err == nil {
		t.Error("the room of another account is open")
	}

	end := func(conference, token string) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/end-meeting?conference="+conference, http.NoBody)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code
	}
	system := rs256("system", object{"exp": now + 60})
	if got := end("[app]room@conference.fake", rs256("app/key", object{"exp": now + 60})); got != http.StatusUnauthorized {
		t.Errorf("a key that is no system key: %d", got)
	}
	if got := end("", system); got != http.StatusBadRequest {
		t.Errorf("no conference: %d", got)
	}
	if got := end("[app]lunch@conference.fake", system); got != http.StatusNotFound {
		t.Errorf("no such room: %d", got)
	}
	if got := end("[app]room@conference.fake", system); got != http.StatusOK || len(s.Rooms()) != 0 {
		t.Errorf("the room: %d, left are %q", got, s.Rooms())
	}
}
