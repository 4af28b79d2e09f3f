package bayeux_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// BenchmarkFanOut publishes to so many WebSockets and waits until the last has
// its copy.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := newSite(b, &bayeux.Options{MaxHandshakesPerAddress: bayeux.Unlimited, MaxInterval: time.Hour, PingEvery: time.Hour})
			var received atomic.Int64
			arrived := make(chan struct{}, 1)
			for range n {
				c := s.socket(b, nil)
				hello(b, c, "")
				subscribe(b, c, "/a")
				go func() {
					for {
						_, text, err := c.conn.Read(context.Background())
						if err != nil {
							return
						}
						if received.Add(int64(strings.Count(string(text), `"channel"`)))%int64(n) == 0 {
							arrived <- struct{}{}
						}
					}
				}()
			}
			data := json.RawMessage(`{"text":"` + strings.Repeat("x", 50) + `"}`)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Publish(b.Context(), "/a", data); err != nil {
					b.Fatal(err)
				}
				<-arrived
			}
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "deliveries/s")
		})
	}
}

// BenchmarkIdle reports what a session costs that has nothing to do but hold
// its connect, over TCP, the client's side not counted as far as possible.
func BenchmarkIdle(b *testing.B) {
	const n = 500
	for b.Loop() {
		server, err := bayeux.New(&bayeux.Options{MaxHandshakesPerAddress: bayeux.Unlimited})
		if err != nil {
			b.Fatal(err)
		}
		web := httptest.NewServer(server)
		before := memory()
		conns := make([]*websocket.Conn, n)
		for i := range conns {
			conn, _, err := websocket.Dial(b.Context(), web.URL, nil)
			if err != nil {
				b.Fatal(err)
			}
			conns[i] = conn
			c := &socketClient{conn: conn}
			hello(b, c, "")
			c.write(b, say(c, `{"id":"k","channel":"/meta/connect"}`))
		}
		b.ReportMetric(float64(memory()-before)/n/1024, "KiB/pair")
		for _, conn := range conns {
			_ = conn.CloseNow()
		}
		_ = server.Shutdown(b.Context())
		web.Close()
	}
}

func memory() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// BenchmarkPrepare encodes a typical message.
func BenchmarkPrepare(b *testing.B) {
	data := json.RawMessage(`{"text":"` + strings.Repeat("x", 50) + `","n":[1,2,3]}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := bayeux.Prepare("/chat/lobby", data, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPoll measures one message through a long-polling connect, the
// client's side included.
func BenchmarkPoll(b *testing.B) {
	server, err := bayeux.New(&bayeux.Options{MaxMessageRate: bayeux.Unlimited})
	if err != nil {
		b.Fatal(err)
	}
	web := httptest.NewServer(server)
	defer web.Close()
	defer func() { _ = server.Shutdown(context.Background()) }()
	c := (&site{Server: server, url: web.URL, transport: &http.Transport{}}).poller(b)
	hello(b, c, "")
	subscribe(b, c, "/a")
	connect := say(c, `{"id":"p","channel":"/meta/connect","connectionType":"long-polling"}`)
	data := json.RawMessage(`{"text":"` + strings.Repeat("x", 50) + `"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := server.Publish(b.Context(), "/a", data); err != nil {
			b.Fatal(err)
		}
		if _, _, err := c.post(b.Context(), connect); err != nil {
			b.Fatal(err)
		}
	}
}
