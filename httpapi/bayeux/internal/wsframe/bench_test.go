package wsframe_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/wsframe"
)

// startOther serves with the implementation that we compare ourselves with.
// Its handler stays, because its context ends with it.
func startOther(b *testing.B, serve func(*websocket.Conn)) *server {
	b.Helper()
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			b.Error(err)
			return
		}
		defer c.CloseNow()
		serve(c)
	}))
	b.Cleanup(ts.Close)
	return &server{addr: ts.Listener.Addr().String()}
}

var message = strings.Repeat("0123456789", 20)

// feed sends n messages, several in one packet or each in its own.
func feed(b *testing.B, p *peer, n, together int) {
	b.Helper()
	frames := bytes.Repeat(text(message), together)
	for ; n > 0; n -= together {
		if _, err := p.Write(frames[:len(frames)/together*min(n, together)]); err != nil {
			b.Error(err)
			return
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, together := range []int{1, 10} {
		run := func(s *server, wait func()) func(b *testing.B) {
			return func(b *testing.B) {
				p := s.dial(b)
				b.ReportAllocs()
				b.SetBytes(int64(len(message)))
				b.ResetTimer()
				feed(b, p, b.N, together)
				wait()
				p.Close()
			}
		}
		b.Run(fmt.Sprintf("wsframe/%d", together), func(b *testing.B) {
			done := make(chan struct{})
			run(startServer(b, nil, false, func(c *wsframe.Conn) {
				defer c.Abort()
				for range b.N {
					if _, _, err := c.ReadMessage(); err != nil {
						b.Error(err)
						break
					}
				}
				close(done)
			}), func() { <-done })(b)
		})
		b.Run(fmt.Sprintf("coder/%d", together), func(b *testing.B) {
			done := make(chan struct{})
			run(startOther(b, func(c *websocket.Conn) {
				for range b.N {
					if _, _, err := c.Read(context.Background()); err != nil {
						b.Error(err)
						break
					}
				}
				close(done)
			}), func() { <-done })(b)
		})
	}
}

// write measures until the client has everything.
func benchmarkWrite(b *testing.B, s *server) {
	p := s.dial(b)
	b.ReportAllocs()
	b.SetBytes(int64(len(message)))
	b.ResetTimer()
	if n, err := io.CopyN(io.Discard, p.in, int64(b.N)*int64(len(message)+4)); err != nil {
		b.Errorf("only %d bytes: %v", n, err)
	}
	b.StopTimer()
	p.Close()
}

func BenchmarkWrite(b *testing.B) {
	for _, together := range []int{1, 10} {
		b.Run(fmt.Sprintf("wsframe/%d", together), func(b *testing.B) {
			benchmarkWrite(b, startServer(b, nil, false, func(c *wsframe.Conn) {
				frame := wsframe.AppendText(nil, []byte(message))
				list := make([][]byte, together)
				for i := range list {
					list[i] = frame
				}
				for n := b.N; n > 0; n -= together {
					if err := c.WriteFrames(list[:min(n, together)]...); err != nil {
						b.Error(err)
					}
				}
				_ = readOn(c)
			}))
		})
	}
	b.Run("coder/1", func(b *testing.B) {
		benchmarkWrite(b, startOther(b, func(c *websocket.Conn) {
			payload := []byte(message)
			for range b.N {
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				if err := c.Write(ctx, websocket.MessageText, payload); err != nil {
					b.Error(err)
				}
				cancel()
			}
			_, _, _ = c.Read(context.Background())
		}))
	})
}

// BenchmarkIdle measures the memory of connections that have exchanged a
// message and then wait. The clients' ends, bare sockets, are in the figure.
func BenchmarkIdle(b *testing.B) {
	const count = 2000
	measure := func(b *testing.B, dial func() *peer) {
		b.Helper()
		used := func() uint64 {
			for range 6 { // stacks shrink by half with each collection
				runtime.GC()
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapInuse + m.StackInuse
		}
		for b.Loop() {
			before := used()
			conns := make([]net.Conn, count)
			for i := range conns {
				p := dial()
				p.say(b, text(message))
				if _, err := p.hear(); err != nil {
					b.Fatal(err)
				}
				conns[i] = p.Conn
			}
			b.ReportMetric((float64(used())-float64(before))/count, "B/conn")
			for _, c := range conns {
				c.Close()
			}
		}
	}
	b.Run("wsframe", func(b *testing.B) {
		s := startServer(b, nil, false, echo)
		measure(b, func() *peer { return s.dial(b) })
	})
	b.Run("coder", func(b *testing.B) {
		s := startOther(b, func(c *websocket.Conn) {
			for {
				kind, payload, err := c.Read(context.Background())
				if err != nil || c.Write(context.Background(), kind, payload) != nil {
					return
				}
			}
		})
		measure(b, func() *peer { return s.dial(b) })
	})
	b.Run("sockets", func(b *testing.B) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		defer l.Close()
		var all sync.WaitGroup
		defer all.Wait()
		measure(b, func() *peer { return dialEcho(b, l, &all) })
	})
}

// dialEcho makes a bare connection, whose other end repeats one message and
// then waits. It shows what the two sockets and a goroutine cost by themselves.
func dialEcho(b *testing.B, l net.Listener, all *sync.WaitGroup) *peer {
	b.Helper()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	served, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	all.Go(func() {
		defer served.Close()
		var in [16]byte
		_, _ = served.Write(wsframe.AppendText(nil, nil))
		for {
			if _, err := served.Read(in[:]); err != nil {
				return
			}
		}
	})
	return newPeer(conn)
}
