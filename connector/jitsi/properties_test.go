package jitsi_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing/config"
	"github.com/webconferencing/webconferencing/connector/jitsi"
)

func nothing(string) (string, bool) { return "", false }

func TestFromConfig(t *testing.T) {
	environment := map[string]string{"JITSI_KEY": keyPEM(t, key()), "ROOMS": string(roomSecret)}
	values := func(pairs map[string]string) *config.Values {
		return config.New(pairs, func(name string) (string, bool) { v, ok := environment[name]; return v, ok })
	}
	p, err := jitsi.FromConfig(values(map[string]string{
		"calls.url": "https://${HOST:meet.example.org}", "calls.room-secret": "${ROOMS}", "calls.app-id": "portal", "calls.secret": appSecret,
		"calls.token-ttl": "2m", "calls.title": "Meetings", "calls.inactive": "true", "calls.prejoin": "yes",
		"calls.end-meeting.key-id": "k", "calls.end-meeting.private-key": "${JITSI_KEY}",
	}), "calls.")
	if err != nil {
		t.Fatal(err)
	}
	if info := p.Info(); info.Title != "Meetings" || !info.Inactive {
		t.Errorf("described as %+v", info)
	}
	g, err := p.Join(t.Context(), request("g/team", 1, "mary"))
	if err != nil || !strings.HasPrefix(g.URL, "https://meet.example.org/") || g.Token == "" || g.Settings["prejoin"] != true || time.Until(g.Expires) > 2*time.Minute {
		t.Errorf("grant %+v, %v", g, err)
	}
	p, err = jitsi.FromConfig(values(map[string]string{
		"room-secret": "${ROOMS}", "jaas.app-id": jaasApp, "jaas.key-id": "k1", "jaas.private-key": "${JITSI_KEY}",
	}), "")
	if err != nil {
		t.Fatal(err)
	}
	if g, err = p.Join(t.Context(), request("g/team", 1, "mary")); err != nil || !strings.HasPrefix(g.URL, "https://8x8.vc/"+jaasApp+"/") {
		t.Errorf("grant %+v, %v", g, err)
	}
}

func TestFromConfigNamesKeys(t *testing.T) {
	good := map[string]string{"url": "https://meet.example.org", "room-secret": string(roomSecret)}
	for want, change := range map[string]map[string]string{
		"url is missing":                     {},
		"room-secret is empty":               {"room-secret": ""},
		"secret is missing":                  {"app-id": "portal"},
		"jaas.key-id is missing":             {"jaas.app-id": jaasApp},
		"jaas.private-key is missing":        {"jaas.app-id": jaasApp},
		"end-meeting.private-key is missing": {"end-meeting.key-id": "k"},
		"token-ttl":                          {"token-ttl": "soon"},
		"TokenTTL":                           {"token-ttl": "1s"},
		"prejoin":                            {"prejoin": "perhaps"},
		"Embed":                              {"embed": "popup"},
		"NO_SUCH is missing":                 {"title": "${NO_SUCH}"},
	} {
		pairs := maps.Clone(good)
		maps.Copy(pairs, change)
		if want == "url is missing" {
			delete(pairs, "url")
		}
		_, err := jitsi.FromConfig(config.New(pairs, nothing), "")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}
