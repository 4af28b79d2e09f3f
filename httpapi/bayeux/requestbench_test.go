package bayeux_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// bareSocket is a WebSocket client that costs next to nothing itself.
type bareSocket struct {
	net.Conn
	in     *bufio.Reader
	client string
	frame  []byte
	answer []byte
}

func dialBare(b testing.TB, addr string) *bareSocket {
	b.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	c := &bareSocket{Conn: conn, in: bufio.NewReader(conn)}
	_, err = io.WriteString(c, "GET /cometd HTTP/1.1\r\nHost: portal.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if err != nil {
		b.Fatal(err)
	}
	for line := "-"; line != "\r\n"; {
		if line, err = c.in.ReadString('\n'); err != nil {
			b.Fatal(err)
		}
	}
	return c
}

func (c *bareSocket) id() string      { return c.client }
func (c *bareSocket) setID(id string) { c.client = id }
func (c *bareSocket) kind() string    { return "websocket" }

func (c *bareSocket) next(t testing.TB) *message { return last(decode(t, c.read(t))) }

func (c *bareSocket) exchange(t testing.TB, body string) []*message {
	t.Helper()
	c.write(t, body)
	return decode(t, c.read(t))
}

func (c *bareSocket) write(t testing.TB, text string) {
	t.Helper()
	b := append(c.frame[:0], 0x81, 0x80|126)
	b = binary.BigEndian.AppendUint16(b, uint16(len(text)))
	c.frame = append(append(b, 0, 0, 0, 0), text...)
	if len(text) < 126 {
		c.frame = append(append(b[:0], 0x81, 0x80|byte(len(text)), 0, 0, 0, 0), text...)
	}
	if _, err := c.Write(c.frame); err != nil {
		t.Fatal(err)
	}
}

// read returns the payload of the next frame. It is good until the next call.
func (c *bareSocket) read(t testing.TB) []byte {
	t.Helper()
	head, err := c.in.Peek(4)
	if err != nil {
		t.Fatal(err)
	}
	size, skip := int(head[1]), 2
	if size == 126 {
		size, skip = int(binary.BigEndian.Uint16(head[2:])), 4
	}
	if cap(c.answer) < size {
		c.answer = make([]byte, size)
	}
	_, _ = c.in.Discard(skip)
	if _, err := io.ReadFull(c.in, c.answer[:size]); err != nil {
		t.Fatal(err)
	}
	return c.answer[:size]
}

// BenchmarkRequest makes remote calls over a WebSocket, whose handler answers
// at once: one after the other, each in its own packet, and ten in a packet.
func BenchmarkRequest(b *testing.B) {
	for _, together := range []int{1, 10} {
		b.Run(fmt.Sprint(together), func(b *testing.B) { benchmarkRequest(b, together) })
	}
}

func benchmarkRequest(b *testing.B, together int) {
	server, err := bayeux.New(&bayeux.Options{MaxMessageRate: bayeux.Unlimited, PingEvery: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	err = server.HandleService("/service/echo", func(_ context.Context, _ *bayeux.Session, r *bayeux.Request) { _ = r.Reply(r.Data) })
	if err != nil {
		b.Fatal(err)
	}
	web := httptest.NewServer(server)
	defer web.Close()
	defer func() { _ = server.Shutdown(context.Background()) }()
	c := dialBare(b, web.Listener.Addr().String())
	hello(b, c, "")
	call := say(c, `{"id":"7","channel":"/service/echo","data":{"text":"`+strings.Repeat("x", 190)+`"}}`)
	c.write(b, call)
	answers := 0
	for answers == 0 || !strings.Contains(string(c.answer), `"data":`) {
		c.read(b)
		answers++
	}
	calls := []byte(strings.Repeat(string(c.frame), together))
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%together != 0 {
			continue
		}
		if _, err := c.Write(calls); err != nil {
			b.Fatal(err)
		}
		for range together * answers {
			c.read(b)
		}
	}
}
