package webrtc_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/connector/webrtc"
)

var (
	_ webconferencing.Provider         = (*webrtc.Provider)(nil)
	_ webconferencing.Joiner           = (*webrtc.Provider)(nil)
	_ webconferencing.ClientConfigurer = (*webrtc.Provider)(nil)
	_ webconferencing.ClientModule     = (*webrtc.Provider)(nil)
)

const secret = "a secret of twenty-six byt"

func newProvider(t *testing.T, opts *webrtc.Options) *webrtc.Provider {
	t.Helper()
	p, err := webrtc.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestNewNamesAllFaults(t *testing.T) {
	_, err := webrtc.New(&webrtc.Options{
		MaxParties: 1,
		ICEServers: []webrtc.ICEServer{
			{},
			{URLs: []string{"https://example.org"}},
			{URLs: []string{"turn:turn.example.org"}, Username: "mary"},
		},
		TURN: &webrtc.TURN{URLs: []string{"stun:example.org"}, Secret: "short", TTL: time.Second},
	})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, field := range []string{"MaxParties", "ICEServers[0].URLs", "ICEServers[1].URLs", "ICEServers[2]", "TURN.URLs", "TURN.Secret", "TURN.TTL"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("%v does not name %s", err, field)
		}
	}
	if strings.Contains(err.Error(), `"short"`) {
		t.Errorf("%v shows the secret", err)
	}
}

func TestURLs(t *testing.T) {
	for url, good := range map[string]bool{
		"stun:stun.example.org":                     true,
		"stuns:stun.example.org:5349":               true,
		"turn:turn.example.org:3478?transport=tcp":  true,
		"turns:[2001:db8::1]:443":                   true,
		"":                                          false,
		"turn:":                                     false,
		"turn://turn.example.org":                   false,
		"turn:turn.example.org \r\nX: y":            false,
		"TURN:turn.example.org":                     false,
		"http://turn.example.org/?turn:example.org": false,
	} {
		_, err := webrtc.New(&webrtc.Options{ICEServers: []webrtc.ICEServer{{URLs: []string{url}}}})
		if good != (err == nil) {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestInfo(t *testing.T) {
	info := newProvider(t, nil).Info()
	if info.Type != "webrtc" || info.Title != "WebRTC" || !info.Groups || info.Inactive {
		t.Errorf("defaults are %+v", info)
	}
	info = newProvider(t, &webrtc.Options{Title: "Video", Inactive: true}).Info()
	if info.Title != "Video" || !info.Inactive {
		t.Errorf("options gave %+v", info)
	}
}

func TestClientSettings(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	opts := &webrtc.Options{
		ICEServers: []webrtc.ICEServer{{URLs: []string{"stun:stun.example.org"}}},
		TURN:       &webrtc.TURN{URLs: []string{"turn:turn.example.org"}, Secret: secret, TTL: 10 * time.Minute},
		Now:        func() time.Time { return now },
	}
	p := newProvider(t, opts)
	// What the host does to its options later changes nothing.
	opts.ICEServers[0].URLs[0], opts.TURN.Secret = "stun:evil.example.org", "another secret, and longer"

	settings, err := p.ClientSettings(t.Context(), webconferencing.Actor{User: "mary"})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), secret) {
		t.Fatalf("the secret is handed out: %s", raw)
	}
	var got struct {
		IceServers []struct {
			URLs                 []string
			Username, Credential string
		}
		TTL, MaxParties int
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if got.TTL != 600 || got.MaxParties != 4 || len(got.IceServers) != 2 || got.IceServers[0].URLs[0] != "stun:stun.example.org" || got.IceServers[0].Username != "" {
		t.Fatalf("settings are %s", raw)
	}
	turn := got.IceServers[1]
	if want := strconv.FormatInt(now.Unix()+600, 10) + ":mary"; turn.Username != want {
		t.Errorf("user name is %q, want %q", turn.Username, want)
	}
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(turn.Username))
	if want := base64.StdEncoding.EncodeToString(mac.Sum(nil)); turn.Credential != want {
		t.Errorf("credential is %q, want %q", turn.Credential, want)
	}
}

func TestCredentialsDifferByUser(t *testing.T) {
	p := newProvider(t, &webrtc.Options{TURN: &webrtc.TURN{URLs: []string{"turn:turn.example.org"}, Secret: secret}})
	seen := map[any]string{}
	for _, user := range []webconferencing.UserID{"mary", "john", "mary\r\nroot", "a:b"} {
		settings, err := p.ClientSettings(t.Context(), webconferencing.Actor{User: user})
		if err != nil {
			t.Fatal(err)
		}
		server := settings["iceServers"].([]map[string]any)[0]
		if other, twice := seen[server["credential"]]; twice {
			t.Errorf("%s and %s have the same credential", other, user)
		}
		seen[server["credential"]] = string(user)
		if name := server["username"].(string); strings.ContainsAny(name, "\r\n") {
			t.Errorf("user name %q has a line break", name)
		}
	}
}

func TestSettingsWithoutServers(t *testing.T) {
	settings, err := newProvider(t, nil).ClientSettings(t.Context(), webconferencing.Actor{User: "mary"})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(raw); got != `{"iceServers":[],"maxParties":4}` {
		t.Errorf("settings are %s", got)
	}
}

func TestJoin(t *testing.T) {
	p := newProvider(t, &webrtc.Options{MaxParties: 2})
	seats := func(users ...webconferencing.UserID) *webconferencing.Call {
		c := &webconferencing.Call{ID: "g/team"}
		for _, u := range users {
			c.Seats = append(c.Seats, webconferencing.Seat{User: u})
		}
		return c
	}
	for name, test := range map[string]struct {
		call *webconferencing.Call
		full bool
	}{
		"empty":                   {seats(), false},
		"one":                     {seats("john"), false},
		"own seat is counted too": {seats("john", "mary"), false},
		"another device of mine":  {seats("mary", "mary", "john"), false},
		"two devices of another":  {seats("john", "john"), false},
		"full":                    {seats("john", "james"), true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := p.Join(t.Context(), webconferencing.JoinRequest{Call: test.call, Actor: webconferencing.Actor{User: "mary"}})
			var e *webconferencing.Error
			if full := errors.As(err, &e) && e.Code == webconferencing.CodeLimited && e.Reason == webconferencing.ReasonCallFull; full != test.full {
				t.Errorf("full is %v, error %v", full, err)
			}
		})
	}
}

func TestClientModule(t *testing.T) {
	entry, files := newProvider(t, nil).ClientModule()
	text, err := fs.ReadFile(files, entry)
	if err != nil || !strings.Contains(string(text), "export function createProvider") {
		t.Fatalf("%s: %v", entry, err)
	}
	onDisk, err := os.ReadDir("assets")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range onDisk {
		if _, err := fs.Stat(files, f.Name()); err != nil {
			t.Errorf("%s is not embedded: %v", f.Name(), err)
		}
	}
}
