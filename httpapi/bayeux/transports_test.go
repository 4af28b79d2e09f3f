package bayeux_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

func TestLongPolling(t *testing.T) {
	item(t, "110 any path", nil, func(t *testing.T, s *site, _ string) {
		for _, path := range []string{"/cometd", "/cometd/", "/cometd/handshake", "/cometd/connect", "/x/y/z", "/"} {
			r, _ := http.NewRequest(http.MethodPost, s.url+path, strings.NewReader(`[{"id":"1","channel":"/meta/handshake","version":"1.0"}]`))
			r.Header.Set("Content-Type", "application/json")
			response, err := s.transport.RoundTrip(r)
			if err != nil || response.StatusCode != http.StatusOK {
				t.Fatalf("%s: %v, %v", path, response, err)
			}
			response.Body.Close()
		}
	}, "long-polling")
	item(t, "112 headers", nil, func(t *testing.T, s *site, _ string) {
		_, _, h := s.request(t, http.MethodPost, `[{"id":"1","channel":"/meta/handshake","version":"1.0"}]`)
		if h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(h.Get("Content-Type"), "application/json") {
			t.Fatalf("header %v", h)
		}
	}, "long-polling")
	item(t, "115 large queues come in parts", &bayeux.Options{MaxResponseBytes: 1024}, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		subscribe(t, c, "/a")
		var want []string
		for i := range 20 {
			data := fmt.Sprintf(`"%d%s"`, i, strings.Repeat("x", 300))
			want = append(want, data)
			publish(t, s, "/a", data)
		}
		wantNext(t, c, want...)
	})
	item(t, "115 large queues with acknowledgement", &bayeux.Options{MaxResponseBytes: 1024}, func(t *testing.T, s *site, transport string) {
		c := s.client(t, transport)
		hello(t, c, `,"ext":{"ack":true}`)
		subscribe(t, c, "/a")
		for i := range 20 {
			publish(t, s, "/a", fmt.Sprintf(`"%02d%s"`, i, strings.Repeat("x", 300)))
		}
		var got []string
		for ack := "0"; len(got) < 20; {
			list := c.exchange(t, say(c, `{"id":"k","channel":"/meta/connect","ext":{"ack":`+ack+`}}`))
			list = append(c.(interface{ drain() []*message }).drain(), list...)
			for _, m := range list {
				if m.Data != nil {
					got = append(got, string(m.Data[1:3]))
				}
			}
			ack = string(find(t, list, "k").Ext["ack"])
		}
		for i, text := range got {
			if text != fmt.Sprintf("%02d", i) {
				t.Fatalf("got %v", got)
			}
		}
	})
	item(t, "135 ConnectOnly", &bayeux.Options{ConnectOnly: true}, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		subscribe(t, c, "/a")
		if got := c.exchange(t, say(c, `{"id":"1","channel":"/a","data":1}`)); len(got) != 1 {
			t.Fatalf("got %v", got)
		}
		if k, ok := c.(*socketClient); ok {
			k.write(t, say(c, `{"id":"k","channel":"/meta/connect"}`))
		}
		wantNext(t, c, "1")
	})
}

func TestWebSocket(t *testing.T) {
	item(t, "125 subprotocol", &bayeux.Options{WebSocketProtocol: "bayeux"}, func(t *testing.T, s *site, _ string) {
		for _, offer := range []string{"", "other"} {
			if _, _, response := rawSocket(t, s, "Sec-WebSocket-Protocol: "+offer); response.StatusCode != http.StatusBadRequest {
				t.Errorf("offer %q: status %d", offer, response.StatusCode)
			}
		}
		_, _, response := rawSocket(t, s, "Sec-WebSocket-Protocol: bayeux")
		if response.Header.Get("Sec-WebSocket-Protocol") != "bayeux" {
			t.Errorf("header %v", response.Header)
		}
	}, "websocket")
	item(t, "128 and 130 messages do not end the connect", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport).(*socketClient)
		subscribe(t, c, "/a")
		c.write(t, say(c, `{"id":"k","channel":"/meta/connect"}`))
		start := time.Now()
		time.Sleep(10 * time.Second)
		publish(t, s, "/a", "1")
		wantNext(t, c, "1")
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("message after %v", d)
		}
		if r := c.next(t); r.ID != "k" || time.Since(start) != 30*time.Second {
			t.Errorf("after %v: %s", time.Since(start), r)
		}
	}, "websocket")
	item(t, "132 replies do not wait for the connect", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		start := time.Now()
		c.exchange(t, say(c, `{"id":"1","channel":"/meta/connect"}`, `{"id":"2","channel":"/a","data":1}`))
		if d := time.Since(start); d != 0 {
			t.Errorf("took %v", d)
		}
	}, "websocket")
	item(t, "134 pings", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport).(*socketClient)
		for range 20 {
			// Reading answers pings.
			wantOK(t, ask(t, c, `{"id":"k","channel":"/meta/connect"}`))
		}
		c.write(t, say(c, `{"id":"k","channel":"/meta/connect","advice":{"timeout":60000}}`))
		// A client that no longer reads is found out.
		time.Sleep(40 * time.Second)
		synctest.Wait()
		if n := s.Stats().Sockets; n != 0 {
			t.Errorf("%d sockets", n)
		}
	}, "websocket")
	item(t, "137 messages outlive their socket", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport).(*socketClient)
		subscribe(t, c, "/a")
		// The pipe is not read, so that this write gets stuck half way.
		publish(t, s, "/a", `"`+strings.Repeat("x", 60_000)+`"`)
		synctest.Wait()
		publish(t, s, "/a", "2")
		_ = c.conn.CloseNow()
		synctest.Wait()
		publish(t, s, "/a", "3")
		again := s.socket(t, nil)
		again.setID(c.id())
		wantOK(t, ask(t, again, `{"id":"k","channel":"/meta/connect","advice":{"timeout":0}}`))
		if m := again.next(t); len(m.Data) != 60_002 {
			t.Fatalf("got %.60s", m)
		}
		wantNext(t, again, "2", "3")
	}, "websocket")
	item(t, "138 a new handshake on the same socket", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		first := c.id()
		hello(t, c, "")
		subscribe(t, c, "/a")
		publish(t, s, "/a", "1")
		wantNext(t, c, "1")
		if c.id() == first || s.Stats().Sessions != 1 {
			t.Errorf("%d sessions", s.Stats().Sessions)
		}
	}, "websocket")
	item(t, "3.9 Faye: handshake over HTTP, then this socket, again and again", nil, func(t *testing.T, s *site, _ string) {
		k := s.socket(t, nil)
		for range 3 {
			p := s.connected(t, "long-polling")
			k.setID(p.id())
			wantOK(t, ask(t, k, `{"id":"1","channel":"/meta/connect","connectionType":"websocket","advice":{"timeout":0}}`))
			wantOK(t, ask(t, k, `{"id":"2","channel":"/meta/disconnect"}`))
		}
	}, "websocket")
	item(t, "109 cookie binding", &bayeux.Options{RequireCookieOnWebSocket: true}, func(t *testing.T, s *site, _ string) {
		p := s.connected(t, "long-polling").(*poller)
		k := s.socket(t, nil)
		k.setID(p.id())
		wantError(t, ask(t, k, `{"id":"1","channel":"/a","data":1}`), "402::session_unknown")
		r, _ := http.NewRequest(http.MethodGet, s.url, nil)
		for _, c := range p.http.Jar.Cookies(r.URL) {
			r.AddCookie(c)
		}
		own := s.socket(t, http.Header{"Cookie": r.Header["Cookie"]})
		own.setID(p.id())
		wantOK(t, ask(t, own, `{"id":"1","channel":"/a","data":1}`))
	}, "websocket")
	item(t, "1.13 switched off", &bayeux.Options{DisableWebSocket: true}, func(t *testing.T, s *site, _ string) {
		_, response, err := websocket.Dial(t.Context(), s.url, &websocket.DialOptions{HTTPClient: &http.Client{Transport: s.transport}})
		if err == nil || response.StatusCode != http.StatusBadRequest {
			t.Errorf("got %v, %v", response, err)
		}
		if r := hello(t, s.client(t, "long-polling"), ""); len(r.Types) != 1 {
			t.Errorf("got %s", r)
		}
	}, "websocket")
}

func TestServerSide(t *testing.T) {
	t.Run("delivery to one user", func(t *testing.T) {
		onBoth(t, func(t *testing.T, transport string) {
			s := newSite(t, &bayeux.Options{Authenticate: func(_ context.Context, _ *http.Request, m *bayeux.Message) (bayeux.Identity, error) {
				return bayeux.Identity{User: m.StringField("user"), Value: 7}, nil
			}})
			a, b := s.client(t, transport), s.client(t, transport)
			hello(t, a, `,"user":"ann"`)
			hello(t, b, `,"user":"bob"`)
			p, err := s.Prepare("/private", json.RawMessage(`{"x":1}`), map[string]json.RawMessage{"offset": json.RawMessage("5")})
			if err != nil {
				t.Fatal(err)
			}
			if n := s.Deliver("ann", p); n != 1 {
				t.Errorf("delivered to %d", n)
			}
			if m := a.next(t); m.raw != `{"channel":"/private","offset":5,"data":{"x":1}}` {
				t.Errorf("got %s", m)
			}
			wantQuiet(t, b)
			session := s.UserSessions("ann")[0]
			session.SetAttr("k", 1)
			if session.Attr("k") != 1 || session.Attr("other") != nil || session.Identity().Value != 7 || !session.Alive() ||
				session.Transport() != transport || session.RemoteAddr() == "" || time.Since(session.LastSeen()) > time.Minute {
				t.Errorf("session %+v", session.Identity())
			}
			session.SetAttr("k", nil)
			if session.Attr("k") != nil {
				t.Error("attribute is still there")
			}
			session.Expel()
			synctest.Wait()
			if err := session.Deliver(p); err != bayeux.ErrClosed {
				t.Errorf("deliver: %v", err)
			}
			if session.Alive() || session.Connected() {
				t.Error("the session lives")
			}
		})
	})
	t.Run("prepare refuses", func(t *testing.T) {
		for channel, data := range map[string]string{"/a": "{", "/meta/x": "1", "/a/*": "1", "a": "1", "/service": "1"} {
			if _, err := bayeux.Prepare(channel, json.RawMessage(data), nil); err == nil {
				t.Errorf("%s %s was prepared", channel, data)
			}
		}
		for _, field := range []string{"channel", "data", "advice", "clientId"} {
			if _, err := bayeux.Prepare("/a", nil, map[string]json.RawMessage{field: json.RawMessage("1")}); err == nil {
				t.Errorf("field %s was prepared", field)
			}
		}
	})
	t.Run("options are checked together", func(t *testing.T) {
		_, err := bayeux.New(&bayeux.Options{MaxBatch: -5, Timeout: -1, AllowedOrigins: []string{"*"}, AllowedHeaders: []string{"X: y"}, Channels: []bayeux.ChannelRule{{Pattern: "x"}}, PanicData: json.RawMessage("{")})
		for _, field := range []string{"MaxBatch", "Timeout", "AllowedOrigins", "AllowedHeaders", "Channels", "PanicData"} {
			if err == nil || !strings.Contains(err.Error(), "Options."+field) {
				t.Errorf("%s is not named in: %v", field, err)
			}
		}
	})
	t.Run("cookies that browsers drop", func(t *testing.T) {
		for _, c := range []struct {
			cookie bayeux.CookieOptions
			ok     bool
		}{
			{bayeux.CookieOptions{}, true},
			{bayeux.CookieOptions{Name: "B", Path: "/portal", Domain: "portal.example"}, true},
			{bayeux.CookieOptions{Name: "a b"}, false},
			{bayeux.CookieOptions{Path: "portal"}, false},
			{bayeux.CookieOptions{Path: "/a;b"}, false},
			{bayeux.CookieOptions{Domain: "portal example"}, false},
			{bayeux.CookieOptions{Name: "__Secure-B"}, false},
			{bayeux.CookieOptions{Name: "__Secure-B", Secure: true, Path: "/a", Domain: "portal.example"}, true},
			{bayeux.CookieOptions{Name: "__Host-B"}, false},
			{bayeux.CookieOptions{Name: "__Host-B", Partitioned: true}, true},
			{bayeux.CookieOptions{Name: "__host-B", Secure: true, Path: "/a"}, false},
			{bayeux.CookieOptions{Name: "__Host-B", Secure: true, Domain: "portal.example"}, false},
		} {
			_, err := bayeux.New(&bayeux.Options{Cookie: c.cookie})
			if (err == nil) != c.ok || err != nil && !strings.Contains(err.Error(), "Options.Cookie") {
				t.Errorf("%+v: %v", c.cookie, err)
			}
		}
	})
	t.Run("shutdown before use and twice", func(t *testing.T) {
		s, err := bayeux.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Run(ctx); err != nil {
			t.Fatal(err)
		}
	})
}
