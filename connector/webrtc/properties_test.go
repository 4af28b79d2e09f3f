package webrtc_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/config"
	"github.com/webconferencing/webconferencing/connector/webrtc"
)

func values(pairs map[string]string) *config.Values {
	return config.New(pairs, func(name string) (string, bool) { return secret, name == "TURN_KEY" })
}

func TestFromConfig(t *testing.T) {
	p, err := webrtc.FromConfig(values(map[string]string{
		"calls.stun": "stun:a.example, stun:b.example", "calls.turn": "turn:${TURN_HOST:turn.example}", "calls.turn.secret": "${TURN_KEY}",
		"calls.turn.ttl": "10m", "calls.max-parties": "6", "calls.title": "Video", "calls.inactive": "true",
	}), "calls.")
	if err != nil {
		t.Fatal(err)
	}
	if info := p.Info(); info.Title != "Video" || !info.Inactive || info.MaxParties != 6 {
		t.Errorf("described as %+v", info)
	}
	settings, err := p.ClientSettings(t.Context(), webconferencing.Actor{User: "mary"})
	raw, _ := json.Marshal(settings)
	for _, want := range []string{"stun:a.example", "stun:b.example", "turn:turn.example", `"ttl":600`} {
		if err != nil || !strings.Contains(string(raw), want) {
			t.Errorf("settings %s, %v lack %s", raw, err, want)
		}
	}
	if p, err = webrtc.FromConfig(values(nil), ""); err != nil || p.Info().MaxParties != 4 {
		t.Errorf("nothing configured: %v", err)
	}
}

func TestFromConfigNamesKeys(t *testing.T) {
	for want, pairs := range map[string]map[string]string{
		"turn.secret is missing": {"turn": "turn:x.example"},
		"turn.secret is empty":   {"turn": "turn:x.example", "turn.secret": ""},
		"max-parties":            {"max-parties": "many"},
		"MaxParties":             {"max-parties": "99"},
		"turn.ttl":               {"turn.ttl": "soon"},
		"NO_SUCH is missing":     {"title": "${NO_SUCH}"},
	} {
		_, err := webrtc.FromConfig(config.New(pairs, func(string) (string, bool) { return "", false }), "")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}
