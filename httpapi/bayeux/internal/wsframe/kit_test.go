package wsframe_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/wsframe"
)

const request = "GET /ws HTTP/1.1\r\nHost: portal.example\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// server upgrades every request and hands each connection to serve, on a
// goroutine of its own.
type server struct {
	addr  string
	ended sync.WaitGroup
}

// plain hides the type of a connection, as a wrapper that counts bytes or a
// layer of TLS would.
type plain struct{ net.Conn }

func (p plain) CloseWrite() error { return p.Conn.(*net.TCPConn).CloseWrite() }

type plainListener struct{ net.Listener }

func (l plainListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return plain{conn}, nil
}

func newUpgrader(t testing.TB, opts *wsframe.Options) *wsframe.Upgrader {
	t.Helper()
	up, err := wsframe.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return up
}

func startServer(t testing.TB, opts *wsframe.Options, wrapped bool, serve func(*wsframe.Conn)) *server {
	t.Helper()
	up := newUpgrader(t, opts)
	s := &server{}
	ts := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ended.Add(1) // before the client knows, who may make the test wait
		served := false
		defer func() {
			if !served {
				s.ended.Done()
			}
		}()
		c, err := up.Upgrade(w, r)
		var refused *wsframe.HandshakeError
		if errors.As(err, &refused) {
			http.Error(w, refused.Error(), refused.Status)
			return
		}
		if err != nil {
			t.Errorf("upgrade: %v", err)
			return
		}
		served = true
		go func() {
			defer s.ended.Done()
			serve(c)
		}()
	}))
	if wrapped {
		ts.Listener = plainListener{ts.Listener}
	}
	ts.Start()
	s.addr = ts.Listener.Addr().String()
	t.Cleanup(func() {
		s.ended.Wait()
		ts.Close()
	})
	return s
}

// readers are the two ways to get the next message.
var readers = map[string]func(*wsframe.Conn) (wsframe.Kind, []byte, error){
	"read": (*wsframe.Conn).ReadMessage,
	"await and read": func(c *wsframe.Conn) (wsframe.Kind, []byte, error) {
		if err := c.Await(); err != nil {
			return 0, nil, err
		}
		return c.ReadMessage()
	},
}

// peer is a client that says what it is told to, right or wrong.
type peer struct {
	net.Conn
	in *bufio.Reader
}

func (s *server) dial(t testing.TB) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	p := newPeer(conn)
	p.shake(t)
	return p
}

func newPeer(conn net.Conn) *peer { return &peer{conn, bufio.NewReader(conn)} }

func (p *peer) shake(t testing.TB) {
	t.Helper()
	p.say(t, []byte(request+"\r\n"))
	resp, err := http.ReadResponse(p.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("Sec-WebSocket-Accept"); resp.StatusCode != 101 || got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("status %d, accept %q", resp.StatusCode, got)
	}
}

func (p *peer) say(t testing.TB, frames ...[]byte) {
	t.Helper()
	if _, err := p.Write(bytes.Join(frames, nil)); err != nil {
		t.Fatal(err)
	}
}

// hear returns the next frame in words: "text:hello", "close:1000".
func (p *peer) hear() (string, error) {
	var b [10]byte
	if _, err := io.ReadFull(p.in, b[:2]); err != nil {
		return "", err
	}
	if b[0]&0x70 != 0 || b[0]&0x80 == 0 || b[1]&0x80 != 0 {
		return "", fmt.Errorf("server sent header % x", b[:2])
	}
	size := uint64(b[1])
	switch size {
	case 126:
		if _, err := io.ReadFull(p.in, b[2:4]); err != nil {
			return "", err
		}
		size = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if _, err := io.ReadFull(p.in, b[2:10]); err != nil {
			return "", err
		}
		size = binary.BigEndian.Uint64(b[2:])
	}
	payload := make([]byte, size)
	if _, err := io.ReadFull(p.in, payload); err != nil {
		return "", err
	}
	switch b[0] & 15 {
	case 1:
		return "text:" + string(payload), nil
	case 2:
		return "binary:" + string(payload), nil
	case 9:
		return "ping:" + string(payload), nil
	case 10:
		return "pong:" + string(payload), nil
	case 8:
		if len(payload) == 0 {
			return "close:", nil
		}
		return fmt.Sprintf("close:%d", binary.BigEndian.Uint16(payload)), nil
	}
	return "", fmt.Errorf("server sent opcode %d", b[0]&15)
}

// hearAll returns all frames until the connection ends.
func (p *peer) hearAll(t testing.TB) string {
	t.Helper()
	if _, ok := p.Conn.(*net.TCPConn); ok {
		_ = p.SetReadDeadline(time.Now().Add(20 * time.Second))
	}
	var all []string
	for {
		f, err := p.hear()
		if err != nil {
			var reset *net.OpError
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) && (!errors.As(err, &reset) || reset.Timeout()) {
				t.Errorf("connection did not end: %v", err)
			}
			return strings.Join(all, " ")
		}
		all = append(all, f)
	}
}

// frame builds what a client sends: the first byte, and a masked payload.
func frame(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return b
}

func text(s string) []byte     { return frame(0x81, s) }
func textPart(s string) []byte { return frame(0x01, s) }
func bin(s string) []byte      { return frame(0x82, s) }
func more(s string) []byte     { return frame(0x00, s) }
func last(s string) []byte     { return frame(0x80, s) }
func ping(s string) []byte     { return frame(0x89, s) }
func pong(s string) []byte     { return frame(0x8a, s) }

func goodbye(code int, reason string) []byte {
	return frame(0x88, string(binary.BigEndian.AppendUint16(nil, uint16(code)))+reason)
}

func join(frames ...[]byte) []byte { return bytes.Join(frames, nil) }

// describe names a message that the server received.
func describe(kind wsframe.Kind, payload []byte) string {
	if kind == wsframe.Text {
		return "text:" + string(payload)
	}
	return "binary:" + string(payload)
}
