package bayeux_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

func TestForwardedFor(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.1.2.3/8"), netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		name, remote string
		header       []string
		want         string
	}{
		{"no proxy", "192.0.2.1:5000", nil, "192.0.2.1"},
		{"no proxy, but a header", "192.0.2.1:5000", []string{"198.51.100.7"}, "192.0.2.1"},
		{"one proxy", "127.0.0.1:5000", []string{"192.0.2.1"}, "192.0.2.1"},
		{"two proxies", "127.0.0.1:5000", []string{"192.0.2.1, 10.9.9.9"}, "192.0.2.1"},
		{"two proxies, a line each", "127.0.0.1:5000", []string{"192.0.2.1", "10.9.9.9"}, "192.0.2.1"},
		{"forged before", "127.0.0.1:5000", []string{"203.0.113.9, 192.0.2.1"}, "192.0.2.1"},
		{"forged line before", "127.0.0.1:5000", []string{"203.0.113.9", "192.0.2.1,10.0.0.1"}, "192.0.2.1"},
		{"forged as a proxy", "127.0.0.1:5000", []string{"10.0.0.1, 192.0.2.1"}, "192.0.2.1"},
		{"forged nonsense", "127.0.0.1:5000", []string{"unknown, ,,, 192.0.2.1"}, "192.0.2.1"},
		{"no header", "127.0.0.1:5000", nil, "127.0.0.1"},
		{"empty header", "127.0.0.1:5000", []string{""}, "127.0.0.1"},
		{"nonsense from the proxy", "10.0.0.1:5000", []string{"192.0.2.1, unknown"}, "10.0.0.1"},
		{"nothing between commas", "10.0.0.1:5000", []string{"192.0.2.1, "}, "10.0.0.1"},
		{"client inside the proxies' network", "127.0.0.1:5000", []string{"10.7.7.7"}, "10.7.7.7"},
		{"the same, with a forged part", "127.0.0.1:5000", []string{"forged, 10.7.7.7"}, "10.7.7.7"},
		{"with a port", "127.0.0.1:5000", []string{"192.0.2.1:443"}, "192.0.2.1"},
		{"IPv6", "[fd00::1]:5000", []string{"2001:DB8:0::5"}, "2001:db8::5"},
		{"IPv6 with brackets and port", "[fd00::1]:5000", []string{"[2001:db8::5]:443"}, "2001:db8::5"},
		{"IPv6 with brackets", "[fd00::1%eth0]:5000", []string{"[2001:db8::5]"}, "2001:db8::5"},
		{"IPv4 in IPv6", "[::ffff:10.0.0.1]:5000", []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		{"Unix socket", "@", []string{"192.0.2.1"}, "192.0.2.1"},
		{"Unix socket without a header", "", nil, ""},
		{"another network", "pipe", []string{"192.0.2.1"}, "pipe"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: c.remote, Header: http.Header{"X-Forwarded-For": c.header}}
			if got := bayeux.ForwardedFor(proxies...)(r); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	r := &http.Request{RemoteAddr: "127.0.0.1:1", Header: http.Header{"X-Forwarded-For": {"192.0.2.1"}}}
	if got := bayeux.ForwardedFor()(r); got != "127.0.0.1" {
		t.Errorf("without proxies got %q", got)
	}
}

func TestCustomer(t *testing.T) {
	for _, c := range [][2]string{
		{"192.0.2.1", "192.0.2.1"},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{"fe80::1%eth0", "fe80::/64"},
		{"", ""},
		{"pipe", "pipe"},
	} {
		if got := bayeux.Customer(c[0]); got != c[1] {
			t.Errorf("%q counts as %q, want %q", c[0], got, c[1])
		}
	}
}

// A customer of a network provider has more addresses than there could be limits.
func TestIPv6NetworkIsLimited(t *testing.T) {
	addr := ""
	server, err := bayeux.New(&bayeux.Options{
		MaxSessionsPerAddress: 1, ClientAddr: func(*http.Request) string { return addr },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Shutdown(t.Context())
	for _, c := range []struct {
		addr   string
		status int
	}{
		{"2001:db8::1", http.StatusOK},
		{"2001:db8::ffff:0:0:2", http.StatusServiceUnavailable},
		{"2001:db8:0:1::1", http.StatusOK},
	} {
		addr = c.addr
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/cometd", strings.NewReader(`[{"channel":"/meta/handshake","version":"1.0"}]`))
		r.Header.Set("Content-Type", "application/json")
		server.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s: status %d, want %d: %s", c.addr, w.Code, c.status, w.Body)
		}
	}
}

func ExampleForwardedFor() {
	options := bayeux.Options{
		// Two proxies on this machine, and those of the network.
		ClientAddr: bayeux.ForwardedFor(netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")),
	}
	r := &http.Request{RemoteAddr: "127.0.0.1:40312", Header: http.Header{
		"X-Forwarded-For": {"198.51.100.1, 192.0.2.7, 10.0.0.3"}, // the first is what the client says of itself
	}}
	fmt.Println(options.ClientAddr(r))
	// Output: 192.0.2.7
}
