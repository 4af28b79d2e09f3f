package bayeux

import "strings"

const (
	metaHandshake   = "/meta/handshake"
	metaConnect     = "/meta/connect"
	metaDisconnect  = "/meta/disconnect"
	metaSubscribe   = "/meta/subscribe"
	metaUnsubscribe = "/meta/unsubscribe"
)

// channelByte holds CometD's character set, which is wider than the one of the
// specification. It is a function over a switch and not a table so that there
// is no package state.
func channelByte(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	switch c {
	case ' ', '!', '#', '$', '(', ')', '*', '+', '-', '.', '/', '@', '_', '{', '~', '}':
		return true
	}
	return false
}

// canonicalChannel checks a channel name and returns the form under which it
// is looked up: without one trailing slash. Wildcards are valid in the last
// segment only; "." and ".." segments are refused because names end up in
// logs and paths of applications.
func canonicalChannel(name string, maxBytes, maxSegments int) (string, bool) {
	if len(name) < 2 || len(name) > maxBytes || name[0] != '/' {
		return "", false
	}
	if name[len(name)-1] == '/' {
		name = name[:len(name)-1]
	}
	if len(name) < 2 {
		return "", false
	}
	segments, rest := 0, name[1:]
	for more := true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if segments++; segments > maxSegments || !validSegment(segment) {
			return "", false
		}
		if more && (segment == "*" || segment == "**") {
			return "", false
		}
	}
	return name, true
}

func validSegment(s string) bool {
	if s == "." || s == ".." {
		return false
	}
	blank := true
	for i := 0; i < len(s); i++ {
		if !channelByte(s[i]) {
			return false
		}
		blank = blank && s[i] == ' '
	}
	return !blank
}

// under reports whether name lies in the tree of root ("/meta", "/service"),
// the root itself included: both roots are reserved.
func under(name, root string) bool {
	return strings.HasPrefix(name, root) && (len(name) == len(root) || name[len(root)] == '/')
}

func isMeta(name string) bool    { return under(name, "/meta") }
func isService(name string) bool { return under(name, "/service") }

func isWildcard(name string) bool {
	return strings.HasSuffix(name, "/*") || strings.HasSuffix(name, "/**")
}

// eachPattern calls yield with every pattern that matches the concrete
// channel, from "/**" down to the channel itself.
func eachPattern(name string, yield func(string)) {
	last := strings.LastIndexByte(name, '/')
	for i := 0; i <= last; i++ {
		if name[i] == '/' {
			yield(name[:i] + "/**")
		}
	}
	yield(name[:last] + "/*")
	yield(name)
}
