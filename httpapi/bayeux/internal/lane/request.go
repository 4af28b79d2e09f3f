package lane

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// request is what a connection has got.
type request struct {
	url    *url.URL // shared; to be copied
	uri    string
	host   string
	header http.Header
	body   []byte // in the memory that was parsed
}

// verdict is what is to be done with the bytes that have come.
type verdict int

const (
	complete   verdict = iota
	incomplete         // more has to come
	foreign            // net/http has to look at them
)

const (
	method    = "POST "
	version   = " HTTP/1.1"
	lineEnd   = "\r\n"
	headerEnd = "\r\n\r\n"
)

// parse reads a request at the beginning of b and returns its size. It knows a
// part of HTTP/1.1 only, and leaves to net/http whatever lies outside of it: a
// request that it takes is one that net/http would have understood as the very
// same.
func parse(b []byte, urls map[string]*url.URL, maxHeader int) (r request, size int, v verdict) {
	end := bytes.Index(b, []byte(headerEnd))
	if end < 0 {
		if len(b) >= maxHeader || string(b[:min(len(b), len(method))]) != method[:min(len(b), len(method))] {
			return r, 0, foreign
		}
		return r, 0, incomplete
	}
	if end+len(headerEnd) > maxHeader {
		return r, 0, foreign
	}
	text := string(b[:end+len(lineEnd)])
	line, rest, _ := strings.Cut(text, lineEnd)
	line, isPost := strings.CutPrefix(line, method)
	uri, isHTTP := strings.CutSuffix(line, version)
	if r.uri, r.url = uri, urls[uri]; !isPost || !isHTTP || r.url == nil {
		return r, 0, foreign
	}
	length := -1
	fields := strings.Count(rest, lineEnd)
	r.header = make(http.Header, fields)
	values := make([]string, 0, fields)
	for rest != "" {
		line, rest, _ = strings.Cut(rest, lineEnd)
		name, value, ok := cutField(line)
		if !ok {
			return r, 0, foreign
		}
		switch name {
		case "Host":
			if r.host != "" || !plainHost(value) {
				return r, 0, foreign
			}
			r.host = value
			continue
		case "Content-Length":
			if length >= 0 {
				return r, 0, foreign
			}
			if length = number(value); length < 0 {
				return r, 0, foreign
			}
		case "Connection":
			if !strings.EqualFold(value, "keep-alive") {
				return r, 0, foreign
			}
		case "Transfer-Encoding", "Trailer", "Te", "Expect", "Upgrade", "Pragma":
			return r, 0, foreign
		}
		if old := r.header[name]; old != nil {
			r.header[name] = append(old, value)
			continue
		}
		values = append(values, value)
		n := len(values)
		r.header[name] = values[n-1 : n : n]
	}
	if r.host == "" || length < 0 {
		return r, 0, foreign
	}
	size = end + len(headerEnd) + length
	if size > roomBytes {
		return r, 0, foreign
	}
	if len(b) < size {
		return r, 0, incomplete
	}
	r.body = b[size-length : size]
	return r, size, complete
}

// cutField parts a line of a header. It reports false for what is not certainly
// right.
func cutField(line string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(line, ":")
	if !ok || !validName(name) {
		return "", "", false
	}
	value = strings.Trim(value, " \t")
	for i := 0; i < len(value); i++ {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return "", "", false
		}
	}
	return textproto.CanonicalMIMEHeaderKey(name), value, true
}

// plainHost reports whether a host is one of letters, digits and the signs of
// addresses.
func plainHost(host string) bool {
	for i := 0; i < len(host); i++ {
		if c := host[i]; !isLetter(c) && !isDigit(c) && !strings.ContainsRune(".-_:[]", rune(c)) {
			return false
		}
	}
	return host != ""
}

// number reads a length, -1 if it is none or far too large.
func number(text string) int {
	const most = 6 // digits
	if text == "" || len(text) > most {
		return -1
	}
	n := 0
	for i := 0; i < len(text); i++ {
		if !isDigit(text[i]) {
			return -1
		}
		n = 10*n + int(text[i]-'0')
	}
	return n
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// validName reports whether a header's name is of letters, digits, dashes and
// underscores.
func validName(name string) bool {
	for i := 0; i < len(name); i++ {
		if c := name[i]; !isLetter(c) && !isDigit(c) && c != '-' && c != '_' {
			return false
		}
	}
	return name != ""
}
