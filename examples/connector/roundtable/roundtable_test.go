package roundtable_test

import (
	"testing"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/connector/connectortest"
	"github.com/webconferencing/webconferencing/examples/connector/roundtable"
)

func TestConnector(t *testing.T) {
	const secret = "a secret for the tests"
	connectortest.Run(t, func() webconferencing.Provider {
		p, err := roundtable.New("https://meet.example.org", secret)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}, &connectortest.Options{Secrets: []string{secret}})
}

func TestNewNamesFaults(t *testing.T) {
	for _, server := range []string{"", "meet.example.org", "http://meet.example.org", "https://meet.example.org/path"} {
		if _, err := roundtable.New(server, "a secret for the tests"); err == nil {
			t.Errorf("%q is accepted", server)
		}
	}
	if _, err := roundtable.New("https://meet.example.org", "short"); err == nil {
		t.Error("a short secret is accepted")
	}
}
