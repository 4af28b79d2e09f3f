package jitsi_test

import (
	"crypto/rand"
	"crypto/rsa"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/connector/jitsi"
)

func TestNewNamesAllFaults(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	_, err = jitsi.New("http://meet.example.org", []byte("short"), &jitsi.Options{
		Token: &jitsi.Token{AppID: "no spaces", Secret: "tiny"}, TokenTTL: time.Second, Tenant: "A/B", Embed: "popup",
		MaxDuration: time.Second, MaxOccupants: -1, WebhookSecret: "tiny",
		EndMeeting: &jitsi.EndMeeting{URL: "ftp://example.org", PrivateKey: keyPEM(t, weak)},
	})
	checkFaults(t, err, "server:", "roomSecret:", "Token.AppID:", "Token.Secret:", "TokenTTL:", "Tenant:", "Embed:", "MaxDuration:", "MaxOccupants:", "WebhookSecret:", "EndMeeting.URL:", "EndMeeting.KeyID:", "EndMeeting.PrivateKey:")
	if strings.Contains(err.Error(), "tiny") {
		t.Errorf("%v shows a secret", err)
	}
	_, err = jitsi.NewJaaS(jitsi.JaaS{AppID: "a b", KeyID: "", PrivateKey: "-----BEGIN"}, roomSecret, &jitsi.Options{Token: &jitsi.Token{}, Tenant: "x"})
	checkFaults(t, err, "AppID:", "KeyID:", "PrivateKey:", "Token:", "Tenant:")
	_, err = jitsi.New("https://meet.example.org", roomSecret, &jitsi.Options{Token: &jitsi.Token{AppID: "portal", Secret: appSecret, Subject: "*"}})
	checkFaults(t, err, "wildcard")
}

func checkFaults(t *testing.T, err error, fields ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, field := range fields {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("%v does not name %s", err, field)
		}
	}
}

func TestServers(t *testing.T) {
	for server, good := range map[string]bool{
		"https://meet.example.org":       true,
		"https://meet.example.org/":      true,
		"https://MEET.example.org:8443":  true,
		"http://localhost:8080":          true,
		"http://[::1]:8080":              true,
		"http://meet.example.org":        false,
		"https://meet.example.org/room":  false,
		"https://me@meet.example.org":    false,
		"https://meet.example.org?x":     false,
		"https://meet.example.org#x":     false,
		"https://*.example.org":          false,
		"https://meet.example.org;x":     false,
		"javascript:alert(1)":            false,
		"meet.example.org":               false,
		"":                               false,
		"https://":                       false,
		"https://meet.example.org 'self": false,
	} {
		if _, err := jitsi.New(server, roomSecret, nil); good != (err == nil) {
			t.Errorf("%q: %v", server, err)
		}
	}
}

func TestInfo(t *testing.T) {
	p, err := jitsi.New("https://meet.example.org", roomSecret, nil)
	if err != nil {
		t.Fatal(err)
	}
	if info := p.Info(); info.Type != "jitsi" || info.Title != "Jitsi Meet" || !info.Groups || info.Inactive {
		t.Errorf("defaults are %+v", info)
	}
	p, err = jitsi.New("https://meet.example.org", roomSecret, &jitsi.Options{Title: "Meetings", Inactive: true})
	if err != nil {
		t.Fatal(err)
	}
	if info := p.Info(); info.Title != "Meetings" || !info.Inactive {
		t.Errorf("options gave %+v", info)
	}
}

func TestClientModule(t *testing.T) {
	p, err := jitsi.New("https://meet.example.org", roomSecret, nil)
	if err != nil {
		t.Fatal(err)
	}
	entry, files := p.ClientModule()
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

func TestClientPolicy(t *testing.T) {
	p, err := jitsi.New("https://meet.example.org:8443", roomSecret, nil)
	if err != nil {
		t.Fatal(err)
	}
	policy := p.ClientPolicy()
	if got := policy.Sources["frame-src"]; !slices.Equal(got, []string{"https://meet.example.org:8443"}) {
		t.Errorf("frame-src is %q", got)
	}
	if got := policy.Sources["script-src"]; !slices.Equal(got, []string{"https://meet.example.org:8443/external_api.js"}) {
		t.Errorf("script-src is %q", got)
	}
	if !slices.Contains(policy.Permissions, "camera") || !slices.Contains(policy.Features, "screen") {
		t.Errorf("policy is %+v", policy)
	}
	p, err = jitsi.New("https://meet.example.org", roomSecret, &jitsi.Options{Embed: jitsi.EmbedFrame})
	if err != nil {
		t.Fatal(err)
	}
	if policy := p.ClientPolicy(); len(policy.Sources) != 1 {
		t.Errorf("a plain frame needs %v", policy.Sources)
	}
}

func TestConfigure(t *testing.T) {
	p, err := jitsi.New("https://one.example.org", roomSecret, &jitsi.Options{Token: &jitsi.Token{AppID: "portal", Secret: appSecret}})
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]string)
	for _, s := range p.Settings() {
		values[s.Key] = s.Default
		if s.Type == webconferencing.SettingSecret && s.Default != "" {
			t.Errorf("%s shows the secret", s.Key)
		}
	}
	if err := p.Configure(t.Context(), values); err != nil {
		t.Fatalf("defaults: %v", err)
	}
	grant := func() *webconferencing.Grant {
		g, err := p.Join(t.Context(), request("g/team", 1, "mary"))
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	if g := grant(); !strings.HasPrefix(g.URL, "https://one.example.org/") || g.Token == "" {
		t.Errorf("defaults gave %s, token %q", g.URL, g.Token)
	}

	values["server"], values["token_seconds"], values["prejoin"] = "https://two.example.org", "60", "true"
	if err := p.Configure(t.Context(), values); err != nil {
		t.Fatal(err)
	}
	if g := grant(); !strings.HasPrefix(g.URL, "https://two.example.org/") || g.Settings["prejoin"] != true || time.Until(g.Expires) > time.Minute {
		t.Errorf("new settings gave %+v", g)
	}

	for key, value := range map[string]string{
		"server": "http://three.example.org", "token_seconds": "5", "embed": "popup", "prejoin": "maybe",
		"webhook_secret": "tiny", "secret": "tiny", "max_occupants": "many", "nonsense": "1",
	} {
		bad := make(map[string]string)
		for k, v := range values {
			bad[k] = v
		}
		bad[key] = value
		err := p.Configure(t.Context(), bad)
		if webconferencing.CodeOf(err) != webconferencing.CodeInvalid {
			t.Errorf("%s=%s: %v", key, value, err)
		}
		if err != nil && value == "tiny" && strings.Contains(err.Error(), value) {
			t.Errorf("%v shows a secret", err)
		}
		if g := grant(); !strings.HasPrefix(g.URL, "https://two.example.org/") {
			t.Errorf("after a bad %s the server is %s", key, g.URL)
		}
	}

	values["app_id"] = ""
	if err := p.Configure(t.Context(), values); err != nil {
		t.Fatal(err)
	}
	if g := grant(); g.Token != "" {
		t.Error("a token without an app id")
	}
}
