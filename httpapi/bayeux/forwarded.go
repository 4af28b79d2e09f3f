package bayeux

import (
	"net/http"
	"net/netip"
	"runtime/debug"
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
// A connection over a Unix socket counts as one of a proxy. Proxies have to add
// the address that they see to the header or to replace the header by it; one that
// passes it on as it came must not be named.
func ForwardedFor(proxies ...netip.Prefix) func(r *http.Request) string {
	proxies = slices.Clone(proxies)
	isProxy := func(a netip.Addr) bool {
		return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return func(r *http.Request) string {
		addr, ok := parseAddr(r.RemoteAddr)
		switch {
		case ok && !isProxy(addr):
			return addrText(addr)
		case !ok && !overUnix(r):
			return r.RemoteAddr // of another network
		}
		for _, line := range slices.Backward(r.Header["X-Forwarded-For"]) {
			for line != "" {
				comma := strings.LastIndexByte(line, ',')
				next, ok := parseAddr(strings.TrimSpace(line[comma+1:]))
				if !ok {
					return addrText(addr)
				}
				if addr = next; !isProxy(addr) {
					return addrText(addr)
				}
				line = line[:max(comma, 0)]
			}
		}
		return addrText(addr)
	}
}

// remoteAddr is the default of Options.ClientAddr. Who connects from the same
// machine, perhaps over a Unix socket, is a proxy of whose clients nothing is
// known.
func remoteAddr(r *http.Request) string {
	addr, ok := parseAddr(r.RemoteAddr)
	switch {
	case ok && addr.IsLoopback(), overUnix(r):
		return ""
	case !ok:
		return r.RemoteAddr // of another network
	}
	return addrText(addr)
}

// overUnix reports whether a connection is over a Unix socket, where clients have
// no address.
func overUnix(r *http.Request) bool { return r.RemoteAddr == "@" || r.RemoteAddr == "" }

// customer is who counts for the limits for one address.
func (srv *Server) customer(r *http.Request) string { return Customer(srv.opts.ClientAddr(r)) }

// safeCustomer is customer where a panic of the application's function would not be
// caught. It returns the reference of the line about one.
func (srv *Server) safeCustomer(r *http.Request) (addr, ref string, ok bool) {
	defer func() {
		if fault := recover(); fault != nil {
			ref = srv.notePanic("ClientAddr", fault, debug.Stack())
		}
	}()
	return srv.customer(r), "", true
}

// Customer returns what limits for one address count: of an IPv6 address the
// network of 64 bits, "2001:db8:1:2::/64", since that is what one customer has;
// anything else as it is. It is for limits of the host's own.
func Customer(addr string) string {
	a, err := netip.ParseAddr(addr)
	if err != nil || a.Unmap().Is4() {
		return addr
	}
	const network = 64
	return netip.PrefixFrom(a.WithZone(""), network).Masked().String()
}

// addrText returns an address as text, empty for none.
func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
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
