package bayeux_test

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// TestHostTimeouts covers hosts whose http.Server has a WriteTimeout shorter
// than a hold.
func TestHostTimeouts(t *testing.T) {
	run := func(t *testing.T, wrap func(http.Handler) http.Handler) (time.Duration, *message) {
		t.Helper()
		server, err := bayeux.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		l := &memListener{conns: make(chan net.Conn), done: make(chan struct{})}
		web := &http.Server{Handler: wrap(server), WriteTimeout: 4 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
		served := make(chan struct{})
		go func() { defer close(served); _ = web.Serve(l) }()
		s := &site{Server: server, url: "http://portal.example", listener: l, transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return l.dial(ctx) }}}
		t.Cleanup(func() { s.close(t); _ = web.Close(); <-served })
		c := s.connected(t, "long-polling")
		start := time.Now()
		r := ask(t, c, `{"id":"1","channel":"/meta/connect"}`)
		return time.Since(start), r
	}
	t.Run("deadlines are moved", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			d, r := run(t, func(h http.Handler) http.Handler { return h })
			wantOK(t, r)
			if d != 30*time.Second {
				t.Errorf("held for %v", d)
			}
		})
	})
	t.Run("T35 the hold is shortened", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			d, r := run(t, func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(plainWriter{w}, r) })
			})
			wantOK(t, r)
			if d != 2*time.Second {
				t.Errorf("held for %v", d)
			}
		})
	})
}

// leavingWriter is the response to a client that hangs up as soon as it has
// everything, which net/http notices before the handler goes on.
type leavingWriter struct {
	http.ResponseWriter
	leave func()
}

func (w leavingWriter) FlushError() error {
	defer w.leave()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// One that closes its connection after each response gets nothing twice.
func TestClientThatHangsUpAfterTheAnswer(t *testing.T) {
	server, err := bayeux.New(&bayeux.Options{TrustClientSession: true})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Shutdown(t.Context())
	id := ""
	send := func(body string) []*message {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/cometd", strings.NewReader(strings.ReplaceAll(body, "ID", id)))
		r.Header.Set("Content-Type", "application/json")
		server.ServeHTTP(leavingWriter{w, cancel}, r)
		return decode(t, w.Body.Bytes())
	}
	id = send(`[{"channel":"/meta/handshake","version":"1.0"}]`)[0].ClientID
	send(`[{"channel":"/meta/subscribe","clientId":"ID","subscription":"/a"}]`)
	if n, err := server.Publish(t.Context(), "/a", json.RawMessage(`1`)); n != 1 || err != nil {
		t.Fatalf("%d subscribers: %v", n, err)
	}
	for i, want := range []int{2, 1} {
		got := send(`[{"channel":"/meta/connect","clientId":"ID","connectionType":"long-polling","advice":{"timeout":0}}]`)
		if len(got) != want {
			t.Errorf("connect %d was answered by %d messages, want %d: %s", i, len(got), want, got)
		}
	}
}

// plainWriter hides everything but the three methods.
type plainWriter struct{ w http.ResponseWriter }

func (p plainWriter) Header() http.Header         { return p.w.Header() }
func (p plainWriter) Write(b []byte) (int, error) { return p.w.Write(b) }
func (p plainWriter) WriteHeader(status int)      { p.w.WriteHeader(status) }

func TestHostHooks(t *testing.T) {
	item(t, "25 ext of the handshake", &bayeux.Options{HandshakeExt: func(_ *bayeux.Session, m *bayeux.Message) map[string]json.RawMessage {
		return map[string]json.RawMessage{"server": json.RawMessage(`"1.0"`), "broken": json.RawMessage(`{`)}
	}}, func(t *testing.T, s *site, transport string) {
		if r := hello(t, s.client(t, transport), ""); string(r.Ext["server"]) != `"1.0"` || r.Ext["broken"] != nil {
			t.Errorf("got %s", r)
		}
	})
	item(t, "T30 handshakes of one user", &bayeux.Options{
		MaxSessionsPerUser: bayeux.Unlimited, MaxHandshakesPerAddress: bayeux.Unlimited,
		Authenticate: func(context.Context, *http.Request, *bayeux.Message) (bayeux.Identity, error) {
			return bayeux.Identity{User: "ann"}, nil
		},
	}, func(t *testing.T, s *site, transport string) {
		c := s.client(t, transport)
		var r *message
		for range 26 {
			r = one(t, c.exchange(t, `[{"id":"1","channel":"/meta/handshake","version":"1.0"}]`))
		}
		wantError(t, r, "403:too_many_handshakes:handshake_denied")
		if r.Advice["reconnect"] != "retry" || r.Advice["interval"] != 2000.0 {
			t.Errorf("got %s", r)
		}
		time.Sleep(time.Second)
		wantOK(t, one(t, c.exchange(t, `[{"id":"1","channel":"/meta/handshake","version":"1.0"}]`)))
	})
	item(t, "46 a held connect is shortened", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		time.AfterFunc(5*time.Second, func() {
			for session := range s.Sessions() {
				session.SetTimeout(8 * time.Second)
			}
		})
		start := time.Now()
		r := ask(t, c, `{"id":"1","channel":"/meta/connect"}`)
		if d := time.Since(start); d != 8*time.Second || r.Advice["timeout"] != 8000.0 {
			t.Errorf("after %v: %s", d, r)
		}
		start = time.Now()
		wantOK(t, ask(t, c, `{"id":"1","channel":"/meta/connect","advice":{"timeout":50000}}`))
		if d := time.Since(start); d != 8*time.Second {
			t.Errorf("held for %v", d)
		}
	})
	item(t, "134 own ping time", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport).(*socketClient)
		for session := range s.Sessions() {
			session.SetPingEvery(3 * time.Second)
			c.write(t, say(c, `{"id":"1","channel":"/meta/connect"}`))
			go c.drainUntilClosed(t.Context())
			time.Sleep(20 * time.Second)
			if d := time.Since(session.LastHeard()); d > 3*time.Second {
				t.Errorf("heard %v ago", d)
			}
		}
	}, "websocket")
	item(t, "34 words and ext of a hook", &bayeux.Options{
		OnSubscribe: func(_ context.Context, _ *bayeux.Session, channel string, m *bayeux.Message) error {
			if channel == "/gone" {
				return &bayeux.Refusal{Code: 400, Reason: "/gone", Text: "replay_gone"}
			}
			if err := m.SetReplyExt("replay", json.RawMessage(`{`)); err == nil {
				t.Error("broken ext was taken")
			}
			old, _ := m.ReplyExt("replay")
			return m.SetReplyExt("replay", json.RawMessage(`"`+strings.Trim(string(old), `"`)+channel+`"`))
		},
	}, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		wantError(t, ask(t, c, `{"id":"1","channel":"/meta/subscribe","subscription":"/gone"}`), "400:/gone:replay_gone")
		r := ask(t, c, `{"id":"1","channel":"/meta/subscribe","subscription":["/a","/b"]}`)
		if string(r.Ext["replay"]) != `"/a/b"` {
			t.Errorf("got %s", r)
		}
	})
	item(t, "61 accepted calls outlive a disconnect", &bayeux.Options{MaxCalls: 1}, func(t *testing.T, s *site, transport string) {
		done := make(chan string, 10)
		err := s.HandleService("/service/**", func(ctx context.Context, _ *bayeux.Session, r *bayeux.Request) {
			time.Sleep(time.Second)
			if ctx.Err() != nil {
				t.Error("the call was cancelled")
			}
			done <- string(r.Data)
		})
		if err != nil {
			t.Fatal(err)
		}
		c := s.connected(t, transport)
		c.exchange(t, say(c, `{"id":"1","channel":"/service/a","data":1}`, `{"id":"2","channel":"/service/a","data":2}`, `{"id":"3","channel":"/meta/disconnect"}`))
		if a, b := <-done, <-done; a != "1" || b != "2" {
			t.Errorf("ran %s, %s", a, b)
		}
	})
	item(t, "160 lazy delivery", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		p, err := s.Prepare("/a", json.RawMessage("1"), nil)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for session := range s.Sessions() {
			if session.Created().After(start) || session.ID() != c.id() || p.Channel() != "/a" {
				t.Errorf("session made at %v", session.Created())
			}
			_ = session.DeliverLazy(p, 3*time.Second)
		}
		wantNext(t, c, "1")
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("came after %v", d)
		}
	})
	item(t, "59 from WebSocket to HTTP", &bayeux.Options{TrustClientSession: true}, func(t *testing.T, s *site, _ string) {
		k := s.connected(t, "websocket").(*socketClient)
		subscribe(t, k, "/a")
		p := s.poller(t)
		p.setID(k.id())
		wantOK(t, ask(t, p, `{"id":"1","channel":"/meta/connect","advice":{"timeout":0}}`))
		if code := k.closeCode(t); code != 1000 {
			t.Errorf("closed with %d", code)
		}
		publish(t, s, "/a", "1")
		wantNext(t, p, "1")
	}, "websocket")
	flood := func(c *socketClient, object string) int {
		for i := range 100 {
			if c.conn.Write(context.Background(), 1, []byte(say(c, object))) != nil {
				return i
			}
		}
		return 100
	}
	large := strings.Repeat("x", 50_000)
	item(t, "133 replies that are not read stop requests", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport).(*socketClient)
		n := flood(c, `{"id":"1","channel":"/meta/subscribe","subscription":"?`+large+`"}`)
		if n > 8 {
			t.Errorf("%d requests were taken in", n)
		}
	}, "websocket")
	var ends endings
	item(t, "140 results that are not read end the session", &bayeux.Options{OnSessionClosed: ends.hook}, func(t *testing.T, s *site, transport string) {
		echo(t, s)
		c := s.connected(t, transport).(*socketClient)
		flood(c, `{"id":"1","channel":"/service/echo","data":"`+large+`"}`)
		ends.want(t, bayeux.ReasonSlow)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if n := s.Stats().Sockets; n != 0 {
			t.Errorf("%d sockets left", n)
		}
	}, "websocket")
	item(t, "154 deliveries count", &bayeux.Options{MaxInactivity: 4 * time.Second, DeliveriesAreActivity: true}, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		for range 5 {
			for session := range s.Sessions() {
				p, _ := s.Prepare("/a", json.RawMessage("1"), nil)
				_ = session.Deliver(p)
			}
			wantNext(t, c, "1")
			time.Sleep(3 * time.Second)
			wantOK(t, ask(t, c, `{"id":"k","channel":"/meta/connect","advice":{"timeout":0}}`))
		}
	})
}

func TestCookieAttributes(t *testing.T) {
	shake := `[{"id":"1","channel":"/meta/handshake","version":"1.0"}]`
	for name, test := range map[string]struct {
		options bayeux.CookieOptions
		want    string
	}{
		"item 100 plain":       {bayeux.CookieOptions{}, "Path=/; HttpOnly; SameSite=Lax"},
		"item 100 other name":  {bayeux.CookieOptions{Name: "B", Path: "/x", Domain: "portal.example", MaxAge: 60}, "Path=/x; Domain=portal.example; Max-Age=60; HttpOnly; SameSite=Lax"},
		"item 180 cross-site":  {bayeux.CookieOptions{SameSite: http.SameSiteNoneMode}, "Path=/; HttpOnly; Secure; SameSite=None"},
		"item 180 partitioned": {bayeux.CookieOptions{SameSite: http.SameSiteNoneMode, Partitioned: true}, "Path=/; HttpOnly; Secure; SameSite=None; Partitioned"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newSite(t, &bayeux.Options{Cookie: test.options})
				_, _, header := s.request(t, http.MethodPost, shake)
				value, rest, _ := strings.Cut(header.Get("Set-Cookie"), "; ")
				if rest != test.want || len(value) < 40 {
					t.Errorf("cookie %q", header.Get("Set-Cookie"))
				}
				// A browser that has the cookie does not get another.
				if _, _, header := s.request(t, http.MethodPost, shake, "Cookie: "+value); header.Get("Set-Cookie") != "" {
					t.Errorf("second cookie %q", header.Get("Set-Cookie"))
				}
			})
		})
	}
}

func TestBinaryExtension(t *testing.T) {
	item(t, "155 binary data passes through", nil, func(t *testing.T, s *site, transport string) {
		a, b := s.connected(t, transport), s.connected(t, transport)
		subscribe(t, b, "/a")
		wantOK(t, ask(t, a, `{"id":"1","channel":"/a","data":{"data":"HelloWorld","last":true,"meta":{}},"ext":{"binary":{}}}`))
		if m := b.next(t); m.raw != `{"channel":"/a","ext":{"binary":{}},"data":{"data":"HelloWorld","last":true,"meta":{}}}` {
			t.Errorf("got %s", m)
		}
	})
}
