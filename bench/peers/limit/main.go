// Command limit runs bare Go servers that do nothing but write bytes: what a
// Bayeux server in Go could reach if Bayeux cost nothing. They understand no
// JSON, only the very messages that bayeuxload sends, check nothing, and never
// let go of anything.
//
// The modes are polling (net/http), library (WebSockets by net/http and
// coder/websocket) and frames (WebSockets by hand on the connections that
// net/http gives up). There is no queue and no second goroutine of a
// connection in the WebSocket modes: whoever publishes writes.
package main

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	addr := flag.String("addr", "127.0.0.1:8085", "address to listen on")
	mode := flag.String("mode", "frames", "polling, library or frames")
	flag.Parse()
	s := &server{channels: make(map[string]*channel), pollers: make(map[string]*poller)}
	handlers := map[string]http.HandlerFunc{"polling": s.servePoll, "library": s.serveLibrary, "frames": s.serveFrames}
	handler := handlers[*mode]
	if handler == nil {
		return fmt.Errorf("-mode: %q is unknown", *mode)
	}
	web := &http.Server{Addr: *addr, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	return web.ListenAndServe()
}

// server is what the modes share.
type server struct {
	ids atomic.Int64

	mu       sync.RWMutex
	channels map[string]*channel
	pollers  map[string]*poller
}

// peer is somebody to deliver to.
type peer interface{ deliver(m message) }

// message is a JSON array and the same as a WebSocket frame, made once for all
// who get it.
type message struct{ text, frame []byte }

func newMessage(text []byte) message {
	frame := []byte{0x81}
	if n := len(text); n < 126 {
		frame = append(frame, byte(n))
	} else {
		frame = binary.BigEndian.AppendUint16(append(frame, 126), uint16(n))
	}
	frame = append(frame, text...)
	return message{frame[len(frame)-len(text):], frame}
}

// channel keeps its lock while a message is delivered, for the order.
type channel struct {
	mu    sync.Mutex
	peers []peer
}

func (s *server) channel(name []byte) *channel {
	s.mu.RLock()
	c := s.channels[string(name)]
	s.mu.RUnlock()
	if c != nil {
		return c
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c = s.channels[string(name)]; c == nil {
		c = new(channel)
		s.channels[string(name)] = c
	}
	return c
}

// field returns the text after a key, up to the next quote.
func field(text []byte, key string) []byte {
	_, rest, _ := bytes.Cut(text, []byte(key))
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	return value
}

// The replies hold what bayeuxload looks for.
const (
	connectReply = `[{"channel":"/meta/connect","successful":true}]`
	advice       = `"advice":{"reconnect":"retry","interval":0,"timeout":30000}`
)

// handle does what a message wants and returns the reply. A connect that is to
// be held has none.
func (s *server) handle(text []byte, from peer) []byte {
	name := field(text, `"channel":"`)
	switch string(name) {
	case "/meta/handshake":
		id := strconv.FormatInt(s.ids.Add(1), 36)
		return []byte(`[{"channel":"/meta/handshake","successful":true,"clientId":"` + id + `",` + advice + `}]`)
	case "/meta/connect":
		if bytes.Contains(text, []byte(`"timeout":0`)) {
			return []byte(connectReply)
		}
		return nil
	case "/meta/subscribe":
		c := s.channel(field(text, `"subscription":"`))
		c.mu.Lock()
		c.peers = append(c.peers, from)
		c.mu.Unlock()
		return []byte(`[{"channel":"/meta/subscribe","successful":true}]`)
	}
	_, data, _ := bytes.Cut(text, []byte(`"data":`))
	data = bytes.TrimSuffix(data, []byte("}]"))
	id := field(text, `"id":"`)
	if string(name) == "/service/echo" {
		return fmt.Appendf(nil, `[{"channel":"/service/echo","id":"%s","successful":true,"data":%s}]`, id, data)
	}
	c := s.channel(name)
	out := newMessage(fmt.Appendf(nil, `[{"channel":"%s","data":%s}]`, name, data))
	c.mu.Lock()
	for _, p := range c.peers {
		p.deliver(out)
	}
	c.mu.Unlock()
	return fmt.Appendf(nil, `[{"channel":"%s","id":"%s","successful":true}]`, name, id)
}
