package wsframe_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/wsframe"
)

// drop is for tests in which the connection itself is of no interest.
func drop(c *wsframe.Conn) { c.Abort() }

func TestHandshakeRefused(t *testing.T) {
	t.Parallel()
	s := startServer(t, &wsframe.Options{Subprotocols: []string{"v2", "v1"}}, false, drop)
	const without = "\x00"
	for _, c := range []struct {
		name, old, new string
		status         int
		header         string
	}{
		{"as it should be", "", "", 101, "Upgrade: websocket"},
		{"method", "GET ", "POST ", 405, "Allow: GET"},
		{"HEAD", "GET ", "HEAD ", 405, "Allow: GET"},
		{"HTTP/1.0", "HTTP/1.1", "HTTP/1.0", 505, ""},
		{"no Upgrade", "Upgrade: websocket\r\n", "", 426, "Upgrade: websocket"},
		{"other Upgrade", "Upgrade: websocket", "Upgrade: h2c", 426, "Upgrade: websocket"},
		{"Upgrade is a list", "Upgrade: websocket", "Upgrade: h2c , WebSocket", 101, ""},
		{"Upgrade is only similar", "Upgrade: websocket", "Upgrade: websockets", 426, ""},
		{"no Connection", "Connection: keep-alive, Upgrade\r\n", "", 426, "Connection: Upgrade"},
		{"Connection without upgrade", "keep-alive, Upgrade", "keep-alive", 426, ""},
		{"Connection on two lines", "keep-alive, Upgrade", "keep-alive\r\nConnection: UPGRADE", 101, ""},
		{"no version", "Sec-WebSocket-Version: 13\r\n", "", 426, "Sec-Websocket-Version: 13"},
		{"version 8", "Version: 13", "Version: 8", 426, "Sec-Websocket-Version: 13"},
		{"version 013", "Version: 13", "Version: 013", 426, ""},
		{"two versions", "Version: 13", "Version: 13\r\nSec-WebSocket-Version: 13", 426, ""},
		{"no key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400, ""},
		{"short key", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ==", 400, ""},
		{"long key", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZTEy", 400, ""},
		{"key is not base64", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ!!", 400, ""},
		{"two keys", "Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key", 400, ""},
		{"body", "Host", "Content-Length: 2\r\nHost", 400, ""},
		{"chunked body", "Host", "Transfer-Encoding: chunked\r\nHost", 400, ""},
		{"extension offered", "Host", "Sec-WebSocket-Extensions: permessage-deflate\r\nHost", 101, "Sec-Websocket-Extensions: "},
		{"subprotocol", "Host", "Sec-WebSocket-Protocol: v1, v2\r\nHost", 101, "Sec-Websocket-Protocol: v2"},
		{"subprotocols on two lines", "Host", "Sec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: v1\r\nHost", 101, "Sec-Websocket-Protocol: v1"},
		{"unknown subprotocol", "Host", "Sec-WebSocket-Protocol: V1\r\nHost", 101, "Sec-Websocket-Protocol: "},
		{"subprotocol not offered", without, "", 101, "Sec-Websocket-Protocol: "},
	} {
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		// The end is for the cases with a body, which net/http wants to see.
		if _, err := io.WriteString(conn, strings.Replace(request, c.old, c.new, 1)+"\r\n0\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if resp.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d", c.name, resp.StatusCode, c.status)
		}
		if name, value, ok := strings.Cut(c.header, ": "); ok && resp.Header.Get(name) != value {
			t.Errorf("%s: %s is %q, want %q", c.name, name, resp.Header.Get(name), value)
		}
		conn.Close()
	}
}

// wrapper is what a portal's middleware puts around a response.
type wrapper struct{ http.ResponseWriter }

func (w wrapper) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestUpgradeBehindMiddleware(t *testing.T) {
	t.Parallel()
	up := newUpgrader(t, nil)
	done := make(chan struct{})
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "a=b\r\nEvil: 1")
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Connection", "close")
		c, err := up.Upgrade(wrapper{wrapper{w}}, r)
		if err != nil {
			t.Errorf("upgrade: %v", err)
			close(done)
			return
		}
		go func() {
			defer close(done)
			if err := c.Close(wsframe.CodeGoingAway, "bye"); err != nil {
				t.Errorf("close: %v", err)
			}
		}()
	}))
	defer ts.Close()
	conn, err := net.Dial("tcp", ts.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{conn, bufio.NewReader(conn)}
	defer p.Close()
	p.say(t, []byte(request+"\r\n"))
	resp, err := http.ReadResponse(p.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := resp.Header
	if h.Get("Set-Cookie") != "a=b  Evil: 1" || h.Get("Evil") != "" || h.Get("Content-Type") != "" || h.Get("Connection") != "Upgrade" {
		t.Errorf("header is %v", h)
	}
	p.say(t, goodbye(1001, ""))
	if got := p.hearAll(t); got != "close:1001" {
		t.Errorf("heard %q", got)
	}
	<-done
}

// TestUpgradeImpossible checks writers that cannot give up their connection.
func TestUpgradeImpossible(t *testing.T) {
	t.Parallel()
	up := newUpgrader(t, nil)
	try := func(w http.ResponseWriter, r *http.Request) {
		_, err := up.Upgrade(w, r)
		var refused *wsframe.HandshakeError
		if !errors.As(err, &refused) {
			t.Errorf("upgrade: %v", err)
			return
		}
		if !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("upgrade does not say why: %v", err)
		}
		w.WriteHeader(refused.Status)
	}
	ts := httptest.NewServer(http.TimeoutHandler(http.HandlerFunc(try), time.Minute, ""))
	defer ts.Close()
	conn, err := net.Dial("tcp", ts.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusNotImplemented {
		t.Errorf("behind TimeoutHandler: %v, %v", resp, err)
	}
	rec := httptest.NewRecorder()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(request + "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	try(rec, r)
	if rec.Code != http.StatusNotImplemented {
		t.Errorf("on a recorder: %d", rec.Code)
	}
}

// TestEarlyFrames sends frames together with the request, so that net/http has
// read them before the connection is taken over.
func TestEarlyFrames(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", 3000)
	var got []string
	s := startServer(t, nil, false, func(c *wsframe.Conn) {
		for {
			kind, payload, err := c.ReadMessage()
			if err != nil {
				return
			}
			got = append(got, describe(kind, payload))
		}
	})
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{conn, bufio.NewReader(conn)}
	defer p.Close()
	p.say(t, []byte(request+"\r\n"), text("early"), text(big), goodbye(1000, ""))
	if _, err := http.ReadResponse(p.in, nil); err != nil {
		t.Fatal(err)
	}
	if heard := p.hearAll(t); heard != "close:1000" {
		t.Errorf("heard %q", heard)
	}
	s.ended.Wait()
	if strings.Join(got, " ") != "text:early text:"+big {
		t.Errorf("got %.100q", got)
	}
}

func TestOptionsChecked(t *testing.T) {
	t.Parallel()
	_, err := wsframe.New(&wsframe.Options{MaxMessageBytes: -1, CloseTimeout: -1, Subprotocols: []string{"a b", ""}})
	for _, want := range []string{"Options.MaxMessageBytes", "Options.CloseTimeout", `"a b"`, `""`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
}
