package bayeux_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// socketSite is a site on real sockets, which the server reads and writes in
// another way than the pipes of the other tests.
func socketSite(t testing.TB, o *bayeux.Options, wrap func(http.Handler) http.Handler) *site {
	t.Helper()
	server, err := bayeux.New(o)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(wrap(server))
	s := &site{Server: server, url: web.URL, transport: &http.Transport{}}
	t.Cleanup(func() {
		s.close(t)
		web.Close()
	})
	return s
}

func bare(h http.Handler) http.Handler { return h }

// TestSocketOutlivesHandler checks that net/http gets its goroutine back while
// the hooks go on using the request.
func TestSocketOutlivesHandler(t *testing.T) {
	t.Parallel()
	type key struct{}
	returned := make(chan struct{})
	asked := make(chan error, 100)
	s := socketSite(t, &bayeux.Options{
		ReauthenticateEvery: 10 * time.Millisecond,
		Reauthenticate: func(ctx context.Context, r *http.Request, _ *bayeux.Session) error {
			if ctx.Err() != nil || r.Context().Err() != nil || r.Context().Value(key{}) != "value" || r.Header.Get("X-Portal") != "user" {
				asked <- fmt.Errorf("context %v, value %v, header %v", r.Context().Err(), r.Context().Value(key{}), r.Header)
			}
			select {
			case asked <- nil:
			default:
			}
			return nil
		},
	}, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(returned)
			h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, "value")))
		})
	})
	c := s.socket(t, http.Header{"X-Portal": {"user"}})
	<-returned
	hello(t, c, "")
	for range 3 {
		if err := <-asked; err != nil {
			t.Error(err)
		}
	}
	wantOK(t, ask(t, c, `{"id":"1","channel":"/meta/connect","advice":{"timeout":0}}`))
}

// Who waits for a client that has nothing to say does so with a small stack, for
// as long as that goes on.
func TestSocketRests(t *testing.T) {
	resting := func() int {
		stacks := make([]byte, 1<<20)
		return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "wsframe.(*Conn).Await(")
	}
	bubble(t, func(t *testing.T) {
		s := newSite(t, nil)
		c := s.socket(t, nil)
		hello(t, c, "")
		subscribe(t, c, "/a")
		want := func(n int, when string) {
			t.Helper()
			synctest.Wait()
			if got := resting(); got != n {
				t.Errorf("%s: %d rest, want %d", when, got, n)
			}
		}
		connect := func() { c.write(t, say(c, `{"id":"c","channel":"/meta/connect","connectionType":"websocket"}`)) }
		want(0, "before a connect is held")
		connect()
		want(1, "with a connect held")
		publish(t, s, "/a", "1")
		c.next(t)
		want(1, "after a message")
		read := make(chan *message)
		go func() { read <- c.next(t) }() // answers the ping
		time.Sleep(28 * time.Second)
		want(1, "after a ping")
		<-read
		connect()
		want(1, "with another connect held")
		wantOK(t, ask(t, c, `{"id":"x","channel":"/b","data":1}`))
		want(0, "after a publish")
		time.Sleep(time.Second)
		connect()
		c.next(t) // the one before is overtaken
		want(0, "when connects come in short order")
		time.Sleep(6 * time.Second)
		connect()
		c.next(t)
		want(1, "when they do not any more")
	})
}

// TestSocketsUnderLoad checks on real sockets that everybody gets every message
// once and in order, while all of them make requests.
func TestSocketsUnderLoad(t *testing.T) {
	t.Parallel()
	const clients, messages, requests = 20, 500, 100
	s := socketSite(t, &bayeux.Options{MaxQueue: 2 * messages, MaxMessageRate: bayeux.Unlimited}, bare)
	var all sync.WaitGroup
	for range clients {
		c := s.connected(t, "websocket").(*socketClient)
		subscribe(t, c, "/a")
		all.Go(func() {
			for i := range requests {
				c.write(t, say(c, `{"id":"`+strconv.Itoa(i)+`","channel":"/b","data":1}`))
			}
		})
		all.Go(func() {
			for next, replies := 0, 0; next < messages || replies < requests; {
				switch m := c.next(t); {
				case m.Channel == "/a" && string(m.Data) == strconv.Itoa(next):
					next++
				case m.Channel == "/b" && m.ok() && m.ID == strconv.Itoa(replies):
					replies++
				default:
					t.Errorf("after %d messages and %d replies: %s", next, replies, m)
					return
				}
			}
		})
	}
	for i := range messages {
		publish(t, s, "/a", strconv.Itoa(i))
	}
	all.Wait()
}

// TestSocketBreaches checks the close codes of clients that break the WebSocket
// protocol or its limits, and that another client notices nothing.
func TestSocketBreaches(t *testing.T) {
	t.Parallel()
	s := socketSite(t, &bayeux.Options{BodyTimeout: 200 * time.Millisecond}, bare)
	other := s.connected(t, "websocket")
	subscribe(t, other, "/a")
	masked := func(first byte, n int) string {
		if n < 126 {
			return string([]byte{first, 0x80 | byte(n), 0, 0, 0, 0}) + strings.Repeat(" ", n)
		}
		return string([]byte{first, 0x80 | 126, byte(n >> 8), byte(n), 0, 0, 0, 0}) + strings.Repeat(" ", n)
	}
	for name, c := range map[string]struct {
		send string
		code int
	}{
		"no mask":            {"\x81\x02[]", 1002},
		"reserved bit":       {masked(0xc1, 2), 1002},
		"reserved opcode":    {masked(0x83, 2), 1002},
		"long ping":          {masked(0x89, 126), 1002},
		"interleaved":        {masked(0x01, 1) + masked(0x81, 2), 1002},
		"binary":             {masked(0x82, 2), 1003},
		"not UTF-8":          {"\x81\x81\x00\x00\x00\x00\xff", 1007},
		"not JSON":           {masked(0x81, 2), 1008},
		"too many fragments": {masked(0x01, 1) + strings.Repeat(masked(0x00, 1), 64), 1008},
		"never complete":     {masked(0x01, 1), 1008},
		"ping flood":         {strings.Repeat(masked(0x89, 0), 5000), 1008},
		"pong flood":         {strings.Repeat(masked(0x8a, 0), 5000), 1008},
		"too large":          {"\x81\xff\x00\x00\x00\x00\x00\x01\x00\x01\x00\x00\x00\x00" + strings.Repeat(" ", 1<<16), 1009},
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		reader := bufio.NewReader(conn)
		shake := "GET /cometd HTTP/1.1\r\nHost: portal.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
		if _, err := io.WriteString(conn, shake); err != nil {
			t.Fatal(err)
		}
		if response, err := http.ReadResponse(reader, nil); err != nil || response.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("%s: handshake: %v, %v", name, response, err)
		}
		if _, err := io.WriteString(conn, c.send); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if code := rawClose(reader); code != c.code {
			t.Errorf("%s: closed with %d, want %d", name, code, c.code)
		}
		conn.Close()
	}
	publish(t, s, "/a", "1")
	wantNext(t, other, "1")
}

// TestSocketStalls checks that a client that stops reading is dropped, while
// another one on the same channel gets everything.
func TestSocketStalls(t *testing.T) {
	t.Parallel()
	ended := make(chan bayeux.Reason, 1)
	s := socketSite(t, &bayeux.Options{
		MaxQueueBytes: 1 << 20, WriteTimeout: 30 * time.Second, MaxInterval: time.Hour,
		OnSessionClosed: func(s *bayeux.Session, r bayeux.Reason) {
			if s.Attr("stalls") != nil {
				ended <- r
			}
		},
	}, bare)
	stalled := s.connected(t, "websocket").(*socketClient)
	subscribe(t, stalled, "/a")
	for session := range s.Sessions() {
		session.SetAttr("stalls", true)
	}
	reader := s.connected(t, "websocket").(*socketClient)
	subscribe(t, reader, "/a")
	data := strconv.Quote(strings.Repeat("x", 30_000))
	for n := 0; ; n++ {
		if n == 2000 {
			t.Fatal("the stalled client's session lives on")
		}
		publish(t, s, "/a", data)
		wantNext(t, reader, data)
		select {
		case r := <-ended:
			if r != bayeux.ReasonSlow {
				t.Errorf("ended as %v", r)
			}
			_ = stalled.conn.CloseNow()
			return
		default:
		}
	}
}

// TestSocketShutdown checks that open sockets are closed in an orderly way, all
// at the same time.
func TestSocketShutdown(t *testing.T) {
	t.Parallel()
	const clients = 50
	s := socketSite(t, nil, bare)
	var all sync.WaitGroup
	for range clients {
		c := s.connected(t, "websocket").(*socketClient)
		all.Go(func() {
			if code := c.closeCode(t); code != 1001 {
				t.Errorf("closed with %d", code)
			}
		})
	}
	start := time.Now()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("shutdown took %v", took)
	}
	all.Wait()
	if n := s.Stats().Sockets; n != 0 {
		t.Errorf("%d sockets left", n)
	}
}
