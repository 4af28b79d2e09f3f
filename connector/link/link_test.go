package link_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/connector/connectortest"
	"github.com/webconferencing/webconferencing/connector/link"
)

const secret = "a secret of the rooms"

func newLink(t *testing.T, address string, opts *link.Options) *link.Provider {
	t.Helper()
	if opts == nil {
		opts = &link.Options{Secret: secret}
	}
	p, err := link.New("meet", "Meet", address, opts)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestConnector(t *testing.T) {
	for name, address := range map[string]string{
		"constant": "https://meet.example/our-room",
		"room":     "https://meet.example/{room}",
		"all":      "https://meet.example/{room}/{user}/{name}?t={title}&n={name}#name={name}",
	} {
		t.Run(name, func(t *testing.T) {
			connectortest.Run(t, func() webconferencing.Provider { return newLink(t, address, nil) }, &connectortest.Options{Secrets: []string{secret}})
		})
	}
}

func TestNewNamesAllFaults(t *testing.T) {
	_, err := link.New("Bad Type", "", "ftp://x/{room}", &link.Options{OneToOneOnly: true, GroupsOnly: true})
	for _, want := range []string{"Bad Type", "title", "address", "Secret", "OneToOneOnly"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
}

func TestAddresses(t *testing.T) {
	for address, good := range map[string]bool{
		"https://meet.example/{room}":        true,
		"http://localhost:8000/r?x={room}":   true,
		"https://meet.example/constant":      true,
		"https://meet.example":               true,
		"":                                   false,
		"meet.example/{room}":                false,
		"https:///{room}":                    false,
		"https://{room}.example/":            false,
		"https://meet.example{room}":         false,
		"https://meet.example:{room}/":       false,
		"https://meet.example/{rom}":         false,
		"https://meet.example/{room":         false,
		"https://me:pass@meet.example/x":     false,
		"javascript:alert(1)//{room}":        false,
		"https://meet.example/%zz/{room}":    false,
		"https://meet.example@{room}/{user}": false,
	} {
		_, err := link.New("meet", "Meet", address, &link.Options{Secret: secret})
		if good != (err == nil) {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func join(t *testing.T, p *link.Provider, id webconferencing.CallID, epoch uint64, name string) string {
	t.Helper()
	g, err := p.Join(t.Context(), webconferencing.JoinRequest{
		Call: &webconferencing.Call{ID: id, Epoch: epoch, Title: name}, Actor: webconferencing.Actor{User: "mary"},
		User: &webconferencing.User{ID: "mary", FirstName: name},
	})
	if err != nil {
		t.Fatal(err)
	}
	return g.URL
}

func TestRooms(t *testing.T) {
	p := newLink(t, "https://meet.example/{room}", nil)
	first := join(t, p, "g/team", 1, "")
	if again := join(t, p, "g/team", 1, "x"); again != first {
		t.Errorf("two people of one run are sent to %s and %s", first, again)
	}
	if other := join(t, p, "g/team", 2, ""); other == first {
		t.Error("the next run has the same room")
	}
	if strings.Contains(first, "team") {
		t.Errorf("%s tells the call's id", first)
	}
	other, err := link.New("meet", "Meet", "https://meet.example/{room}", &link.Options{Secret: secret + "2"})
	if err != nil {
		t.Fatal(err)
	}
	if join(t, other, "g/team", 1, "") == first {
		t.Error("the secret does not matter")
	}
	stable := newLink(t, "https://meet.example/{room}", &link.Options{Secret: secret, Stable: true})
	if join(t, stable, "g/team", 1, "") != join(t, stable, "g/team", 2, "") {
		t.Error("a stable room changed")
	}
	if join(t, stable, "g/team", 1, "") == join(t, stable, "g/team2", 1, "") {
		t.Error("two calls share a room")
	}
	room, ok := p.ParseURL(first + "?x=1")
	if !ok || "https://meet.example/"+room != first {
		t.Errorf("own link parsed as %q, %v", room, ok)
	}
	if _, ok := p.ParseURL("https://meet.example/../x"); ok {
		t.Error("a foreign link was parsed")
	}
}

// TestEscaping puts names everywhere and reads them back as a browser would.
func TestEscaping(t *testing.T) {
	p := newLink(t, "https://meet.example/r/{name}/end?n={name}&t={title}#d={name}", nil)
	for _, name := range []string{"Mary", "a/b", "..", "a b+c", "x&y=z#f?q", "Zoë", "100%", `"><script>`, "\r\n"} {
		u, err := url.Parse(join(t, p, "g/team", 1, name))
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if u.Host != "meet.example" || u.Query().Get("n") != name || u.Query().Get("t") != name {
			t.Errorf("%q became %s", name, u)
		}
		segments := strings.Split(u.EscapedPath(), "/")
		if len(segments) != 4 || segments[3] != "end" || segments[2] == ".." {
			t.Errorf("%q made the path %s", name, u.EscapedPath())
		}
	}
}

func ExampleNew() {
	provider, err := link.New("meet", "Our meeting server", "https://meet.example/{room}#name={name}", &link.Options{
		Secret: "read this from your configuration",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(provider.Info().Type, provider.Info().Groups)
	// Output: meet true
}
