package main

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/webconferencing/webconferencing"
)

func TestLinkFlag(t *testing.T) {
	key := []byte(strings.Repeat("k", 32))
	cfg, err := parseFlags([]string{"-link", "https://meet.example.org/{room}", "-data", "x"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	providers, err := newProviders(cfg, key)
	if err != nil || len(providers) != 2 {
		t.Fatalf("providers are %v, %v", providers, err)
	}
	typer, ok := providers[1].(webconferencing.AccountTyper)
	if !ok || !slices.Equal(typer.AccountTypes(), []webconferencing.AccountType{{Type: "handle", Title: "Handle"}}) {
		t.Fatalf("the link brings no handle: %v", providers[1])
	}
	for account, good := range map[string]bool{"@mary.w": true, "@Zoë_2": true, "mary": false, "@m": false, "@mary<b>": false} {
		if _, err := typer.CheckAccount(t.Context(), "handle", account); good != (err == nil) {
			t.Errorf("%q: %v", account, err)
		}
	}
	if _, err := newProviders(config{link: "meet.example.org/{room}"}, key); err == nil {
		t.Error("an address without a scheme was taken")
	}
	if providers, err := newProviders(config{}, key); err != nil || len(providers) != 1 {
		t.Errorf("without flags providers are %v, %v", providers, err)
	}
}
