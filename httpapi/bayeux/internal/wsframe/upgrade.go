package wsframe

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Upgrade answers a WebSocket handshake and takes the connection over from
// net/http, together with what the client has sent already. Headers set on w
// go into the response. The handler should return soon afterwards, so that
// net/http frees what it keeps for the request.
//
// An error that is a [*HandshakeError] leaves the answer to the caller. After
// any other error there is nobody left to answer. Upgrade does not look at the
// Origin.
func (u *Upgrader) Upgrade(w http.ResponseWriter, r *http.Request) (*Conn, error) {
	key, err := checkHandshake(w.Header(), r)
	if err != nil {
		return nil, err
	}
	protocol := u.chooseProtocol(r.Header)
	netConn, rw, err := http.NewResponseController(w).Hijack()
	switch {
	case errors.Is(err, http.ErrHijacked):
		return nil, fmt.Errorf("take over connection: %w", err)
	case err != nil:
		return nil, &HandshakeError{http.StatusNotImplemented, fmt.Errorf("take over connection: %w", err)}
	}
	var early []byte
	if n := rw.Reader.Buffered(); n > 0 {
		peeked, _ := rw.Reader.Peek(n) // cannot fail: the bytes are there
		early = bytes.Clone(peeked)
	}
	if err := netConn.SetDeadline(time.Time{}); err != nil {
		netConn.Close()
		return nil, fmt.Errorf("clear deadlines: %w", err)
	}
	c := newConn(u, netConn, early)
	c.protocol = protocol
	if err := c.respond(w.Header(), key); err != nil {
		c.Abort()
		return nil, fmt.Errorf("answer handshake: %w", err)
	}
	return c, nil
}

// checkHandshake returns the client's key, or the *HandshakeError to answer
// with, for which it sets headers.
func checkHandshake(answer http.Header, r *http.Request) (string, error) {
	refuse := func(status int, text string) (string, error) {
		return "", &HandshakeError{status, errors.New(text)}
	}
	if r.Method != http.MethodGet {
		answer.Set("Allow", http.MethodGet)
		return refuse(http.StatusMethodNotAllowed, "method is not GET")
	}
	if r.ProtoMajor != 1 || r.ProtoMinor < 1 {
		return refuse(http.StatusHTTPVersionNotSupported, "protocol is not HTTP/1.1")
	}
	if !hasToken(r.Header, "Connection", "upgrade") || !hasToken(r.Header, "Upgrade", "websocket") {
		answer.Set("Connection", "Upgrade")
		answer.Set("Upgrade", "websocket")
		return refuse(http.StatusUpgradeRequired, "not an upgrade to websocket")
	}
	if v := r.Header["Sec-Websocket-Version"]; len(v) != 1 || strings.TrimSpace(v[0]) != "13" {
		answer.Set("Sec-WebSocket-Version", "13")
		return refuse(http.StatusUpgradeRequired, "Sec-WebSocket-Version is not 13")
	}
	keys := r.Header["Sec-Websocket-Key"]
	if len(keys) != 1 {
		return refuse(http.StatusBadRequest, "not exactly one Sec-WebSocket-Key")
	}
	key := strings.TrimSpace(keys[0])
	const keyBytes = 16
	if raw, err := base64.StdEncoding.DecodeString(key); err != nil || len(raw) != keyBytes {
		return refuse(http.StatusBadRequest, "Sec-WebSocket-Key is not 16 bytes in base64")
	}
	// The body would be taken for frames.
	if r.ContentLength != 0 || len(r.TransferEncoding) > 0 {
		return refuse(http.StatusBadRequest, "request has a body")
	}
	return key, nil
}

func (u *Upgrader) chooseProtocol(h http.Header) string {
	if len(u.opts.Subprotocols) == 0 {
		return ""
	}
	offered := tokens(h, "Sec-Websocket-Protocol")
	for _, p := range u.opts.Subprotocols {
		if slices.Contains(offered, p) {
			return p
		}
	}
	return ""
}

// respond writes the response that makes the connection a WebSocket.
func (c *Conn) respond(header http.Header, key string) error {
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ")
	b.WriteString(acceptKey(key))
	b.WriteString("\r\n")
	if c.protocol != "" {
		b.WriteString("Sec-WebSocket-Protocol: " + c.protocol + "\r\n")
	}
	// A body there will not be, and extensions are not ours to promise.
	err := header.WriteSubset(&b, map[string]bool{
		"Connection": true, "Upgrade": true, "Content-Length": true, "Content-Type": true,
		"Content-Encoding": true, "Transfer-Encoding": true, "Trailer": true,
		"Sec-Websocket-Accept": true, "Sec-Websocket-Protocol": true,
		"Sec-Websocket-Extensions": true, "Sec-Websocket-Version": true,
	})
	if err != nil {
		return err
	}
	b.WriteString("\r\n")
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writeLocked(b.Bytes())
}

func acceptKey(key string) string {
	const magic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	sum := sha1.Sum([]byte(key + magic)) // the protocol's choice; it protects nothing
	return base64.StdEncoding.EncodeToString(sum[:])
}

// tokens returns the members of a header that is a list. The name must be in
// its canonical form.
func tokens(h http.Header, name string) []string {
	var list []string
	for _, line := range h[name] {
		for part := range strings.SplitSeq(line, ",") {
			if part = strings.Trim(part, " \t"); part != "" {
				list = append(list, part)
			}
		}
	}
	return list
}

func hasToken(h http.Header, name, token string) bool {
	return slices.ContainsFunc(tokens(h, name), func(s string) bool { return strings.EqualFold(s, token) })
}

// isToken reports whether s is a token of RFC 9110, section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}
