package bayeux

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ForwardedFor returns a function for [Options.ClientAddr] that takes the word
// of proxies, which are given by the addresses that they connect from. It begins
// with the address of the connection and follows X-Forwarded-For from its end;
// the first address that is not that of a proxy is the client's. What a client
// has put into the header itself stands before that, and makes no difference. If
// the proxies name nobody, it is the address of the last one.
//
// Of an IPv6 address only the network of 64 bits counts, "2001:db8:1:2::/64",
// since that is what one customer has. A connection over a Unix socket counts as
// one of a proxy. Proxies have to add the address that they see to the header or
// to replace the header by it; one that passes it on as it came must not be named.
func ForwardedFor(proxies ...netip.Prefix) func(r *http.Request) string {
	proxies = slices.Clone(proxies)
	isProxy := func(a netip.Addr) bool {
		return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return func(r *http.Request) string {
		addr, ok := parseAddr(r.RemoteAddr)
		if ok && !isProxy(addr) {
			return customer(addr)
		}
		for _, line := range slices.Backward(r.Header["X-Forwarded-For"]) {
			for line != "" {
				comma := strings.LastIndexByte(line, ',')
				next, ok := parseAddr(strings.TrimSpace(line[comma+1:]))
				if !ok {
					return customer(addr)
				}
				if addr = next; !isProxy(addr) {
					return customer(addr)
				}
				line = line[:max(comma, 0)]
			}
		}
		return customer(addr)
	}
}

// remoteAddr is the default of Options.ClientAddr. Who connects from the same
// machine, perhaps over a Unix socket, is a proxy of whose clients nothing is
// known.
func remoteAddr(r *http.Request) string {
	addr, ok := parseAddr(r.RemoteAddr)
	switch {
	case ok && addr.IsLoopback(), r.RemoteAddr == unixPeer:
		return ""
	case !ok:
		return r.RemoteAddr // of another network
	}
	return customer(addr)
}

// unixPeer is the address of who connects over a Unix socket.
const unixPeer = "@"

// customer returns the address as text, of IPv6 the network; empty for none.
func customer(a netip.Addr) string {
	const network = 64
	switch {
	case !a.IsValid():
		return ""
	case a.Is4():
		return a.String()
	}
	return netip.PrefixFrom(a, network).Masked().String()
}

// parseAddr reads an address that may have a port or brackets. The same address
// is the same in every notation.
func parseAddr(text string) (netip.Addr, bool) {
	if at, err := netip.ParseAddrPort(text); err == nil {
		return at.Addr().Unmap().WithZone(""), true
	}
	if n := len(text); n > 2 && text[0] == '[' && text[n-1] == ']' {
		text = text[1 : n-1]
	}
	addr, err := netip.ParseAddr(text)
	return addr.Unmap().WithZone(""), err == nil
}
