package bayeux_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

func TestEnvelopeAndHandshake(t *testing.T) {
	item(t, "8 the id comes back", nil, func(t *testing.T, s *site, transport string) {
		echo(t, s)
		c := s.connected(t, transport)
		for i, body := range []string{
			`"channel":"/meta/subscribe","subscription":"/b"`, `"channel":"/meta/unsubscribe","subscription":"/b"`,
			`"channel":"/a","data":1`, `"channel":"/service/echo"`, `"channel":"/service/none"`,
		} {
			id := fmt.Sprintf("X%dy", i)
			var reply *message
			for _, m := range c.exchange(t, say(c, `{"id":"`+id+`",`+body+`}`)) {
				if m.Data == nil {
					reply = m
				}
			}
			if reply.ID != id {
				t.Errorf("%s: got %s", body, reply)
			}
		}
	})
	item(t, "28 session ids", nil, func(t *testing.T, s *site, transport string) {
		seen := make(map[string]bool)
		for range 5 {
			id := hello(t, s.client(t, transport), "").ClientID
			if !regexp.MustCompile(`^[0-9a-z]{26,}$`).MatchString(id) || seen[id] {
				t.Errorf("id %q", id)
			}
			seen[id] = true
		}
	})
	var got string
	item(t, "35 what authentication sees", &bayeux.Options{
		Authenticate: func(_ context.Context, r *http.Request, m *bayeux.Message) (bayeux.Identity, error) {
			token, _ := m.Ext("token")
			got = r.Method + " " + string(token) + " " + m.StringField("user")
			return bayeux.Identity{User: m.StringField("user")}, nil
		},
	}, func(t *testing.T, s *site, transport string) {
		hello(t, s.client(t, transport), `,"user":"ann","ext":{"token":"t"}`)
		method := map[string]string{"long-polling": "POST", "websocket": "GET"}[transport]
		if want := method + ` "t" ann`; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	item(t, "40 requests during a handshake", &bayeux.Options{
		Authenticate: func(context.Context, *http.Request, *bayeux.Message) (bayeux.Identity, error) {
			time.Sleep(time.Second)
			return bayeux.Identity{}, errors.New("no")
		},
	}, func(t *testing.T, s *site, transport string) {
		p := s.poller(t)
		shaken := inBackground(func() []*message {
			return p.exchange(t, `[{"id":"1","channel":"/meta/handshake","version":"1.0"}]`)
		})
		synctest.Wait()
		wantError(t, one(t, p.exchange(t, `[{"id":"2","channel":"/meta/subscribe","subscription":"/a","clientId":"none"}]`)), "402::session_unknown")
		wantError(t, one(t, <-shaken), "403::handshake_denied")
	}, "long-polling")
	item(t, "87 publish before the first connect", nil, func(t *testing.T, s *site, transport string) {
		b := s.connected(t, transport)
		subscribe(t, b, "/a")
		c := s.client(t, transport)
		r := one(t, c.exchange(t, `[{"id":"h","channel":"/meta/handshake","version":"1.0"}]`))
		c.setID(r.ClientID)
		wantOK(t, ask(t, c, `{"id":"1","channel":"/a","data":5}`))
		if m := b.next(t); string(m.Data) != "5" {
			t.Errorf("got %s", m)
		}
	})
	item(t, "101 no cookie for a WebSocket", nil, func(t *testing.T, s *site, _ string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/cometd", nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
		} {
			r.Header.Set(name, value)
		}
		response, err := s.transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusSwitchingProtocols || response.Header.Get("Set-Cookie") != "" ||
			response.Header.Get("Sec-WebSocket-Extensions") != "" {
			t.Errorf("status %d, header %v", response.StatusCode, response.Header)
		}
	}, "websocket")
}

func TestOrderOfHooks(t *testing.T) {
	var d diary
	item(t, "65 and 77 order at the end", &bayeux.Options{
		OnUnsubscribe:   func(_ *bayeux.Session, channel string, _ bayeux.Reason) { d.note("left %s", channel) },
		OnSessionClosed: func(_ *bayeux.Session, reason bayeux.Reason) { d.note("closed: %s", reason) },
	}, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		subscribe(t, c, "/b")
		subscribe(t, c, "/a")
		wantOK(t, ask(t, c, `{"id":"d","channel":"/meta/disconnect"}`))
		d.want(t, "left /a", "left /b", "closed: disconnect")
	})
	item(t, "88 order of a publish", &bayeux.Options{
		Incoming: func(_ context.Context, _ *bayeux.Session, m *bayeux.Message) error {
			if m.Channel == "/a" {
				d.note("incoming")
			}
			return nil
		},
		Authorize: func(_ context.Context, _ *bayeux.Session, op bayeux.Operation, channel string, _ *bayeux.Message) error {
			d.note("authorize %v %s", op, channel)
			return nil
		},
		OnPublish: func(context.Context, *bayeux.Session, *bayeux.Message) (bool, error) {
			d.note("publish")
			return false, nil
		},
		Channels: []bayeux.ChannelRule{{Pattern: "/**", Filters: []bayeux.DataFilter{
			func(_ context.Context, _ *bayeux.Session, _ string, data json.RawMessage) (json.RawMessage, error) {
				d.note("filter")
				return data, nil
			},
		}}},
	}, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		wantOK(t, ask(t, c, `{"id":"1","channel":"/a","data":1}`))
		d.want(t, "incoming", fmt.Sprintf("authorize %v /a", bayeux.OpCreate), fmt.Sprintf("authorize %v /a", bayeux.OpPublish), "publish", "filter")
	})
}

func TestChannelsAndDelivery(t *testing.T) {
	item(t, "74 a pattern is asked about as a pattern", &bayeux.Options{
		Authorize: func(_ context.Context, _ *bayeux.Session, op bayeux.Operation, channel string, _ *bayeux.Message) error {
			if op == bayeux.OpSubscribe && strings.HasPrefix(channel, "/private/") {
				return errors.New("no")
			}
			return nil
		},
	}, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		wantError(t, ask(t, c, `{"id":"1","channel":"/meta/subscribe","subscription":"/private/x"}`), "403:denied_by_security_policy:subscribe_denied")
		subscribe(t, c, "/**")
		publish(t, s, "/private/x", `1`)
		if m := c.next(t); m.Channel != "/private/x" {
			t.Errorf("got %s", m)
		}
	})
	item(t, "78 own messages of the same batch", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		got := c.exchange(t, say(c, `{"id":"1","channel":"/meta/subscribe","subscription":"/a"}`, `{"id":"2","channel":"/a","data":3}`))
		if len(got) != 3 || string(got[0].Data) != "3" || got[1].ID != "1" || got[2].ID != "2" {
			t.Errorf("got %v", got)
		}
	}, "long-polling")
	item(t, "92 trailing slash", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		subscribe(t, c, "/foo")
		for _, m := range c.exchange(t, say(c, `{"id":"1","channel":"/foo/","data":1}`)) {
			if m.Data == nil && m.Channel != "/foo/" || m.Data != nil && m.Channel != "/foo" {
				t.Errorf("got %s", m)
			}
		}
	})
	item(t, "99 channels go with their last subscriber", nil, func(t *testing.T, s *site, transport string) {
		a, b := s.connected(t, transport), s.connected(t, transport)
		for _, c := range []client{a, b} {
			subscribe(t, c, "/a")
			subscribe(t, c, "/b/*")
		}
		wantOK(t, ask(t, a, `{"id":"p","channel":"/never/subscribed","data":1}`))
		wantOK(t, ask(t, a, `{"id":"u","channel":"/meta/unsubscribe","subscription":["/a","/b/*"]}`))
		if n := s.Stats().Channels; n != 2 {
			t.Errorf("%d channels", n)
		}
		wantOK(t, ask(t, b, `{"id":"d","channel":"/meta/disconnect"}`))
		if n := s.Stats().Channels; n != 0 {
			t.Errorf("%d channels are left", n)
		}
	})
	item(t, "127 frames", nil, func(t *testing.T, s *site, transport string) {
		c, _ := s.connected(t, transport).(*socketClient)
		c.write(t, say(c, `{"id":"1","channel":"/meta/subscribe","subscription":"/a"}`, `{"id":"2","channel":"/meta/subscribe","subscription":"/b"}`))
		if got := c.read(t); len(got) != 2 || got[0].ID != "1" || got[1].ID != "2" {
			t.Errorf("got %v", got)
		}
	}, "websocket")
	for most, want := range map[int]int{1: 3, 2: 2, 0: 1} {
		item(t, fmt.Sprintf("127 frames of %d messages", most), &bayeux.Options{MessagesPerFrame: most}, func(t *testing.T, s *site, transport string) {
			c, _ := s.connected(t, transport).(*socketClient)
			subscribe(t, c, "/a")
			for session := range s.Sessions() {
				session.Batch(func() {
					for i := range 3 {
						publish(t, s, "/a", fmt.Sprint(i))
					}
				})
			}
			var got []*message
			frames := 0
			for ; len(got) < 3; frames++ {
				got = append(got, c.read(t)...)
			}
			if frames != want || string(got[0].Data) != "0" || string(got[2].Data) != "2" {
				t.Errorf("%d frames: %v", frames, got)
			}
			synctest.Wait()
			for session := range s.Sessions() {
				if n, _ := session.Queued(); n != 0 {
					t.Errorf("%d messages are left", n)
				}
			}
		}, "websocket")
	}
	item(t, "149 no empty ext", nil, func(t *testing.T, s *site, transport string) {
		c := s.client(t, transport)
		hello(t, c, `,"ext":{"ack":true}`)
		if m := ask(t, c, `{"id":"1","channel":"/meta/subscribe","subscription":"/a","ext":{}}`); strings.Contains(m.raw, "ext") {
			t.Errorf("got %s", m)
		}
	})
	item(t, "156 reload", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		subscribe(t, c, "/a")
		begin(t, c)
		again := s.client(t, "websocket")
		again.setID(c.id())
		first := last(again.exchange(t, say(again, `{"id":"r","channel":"/meta/connect","connectionType":"websocket","advice":{"timeout":0}}`)))
		if !first.ok() || first.Advice["reconnect"] != "retry" {
			t.Errorf("got %s", first)
		}
		publish(t, s, "/a", `1`)
		if m := again.next(t); string(m.Data) != "1" {
			t.Errorf("got %s", m)
		}
	}, "websocket")
}

func TestPositions(t *testing.T) {
	h, err := bayeux.NewMemoryHistory(nil)
	if err != nil {
		t.Fatal(err)
	}
	item(t, "183 places are told when nothing happens", &bayeux.Options{History: h}, func(t *testing.T, s *site, transport string) {
		c, old := s.client(t, transport), s.connected(t, transport)
		hello(t, c, `,"ext":{"replay":true}`)
		for _, c := range []client{c, old} {
			subscribe(t, c, "/a")
			subscribe(t, c, "/all/**")
		}
		told, silent := begin(t, c), begin(t, old)
		other := inBackground(silent) // whoever does not read gets no pings
		reply := last(told())
		var places map[string]int64
		if err := json.Unmarshal(reply.Ext["replay"], &places); err != nil || len(places) != 1 || places["/a"] == 0 {
			t.Fatalf("got %s", reply)
		}
		if m := last(<-other); m.Ext != nil {
			t.Errorf("a client that did not ask was told %s", m)
		}
		// The place is one to go on from.
		publish(t, s, "/a", `{"n":1}`)
		late := s.connected(t, transport)
		got := late.exchange(t, say(late, fmt.Sprintf(`{"id":"s","channel":"/meta/subscribe","subscription":"/a","ext":{"replay":{"/a":%d}}}`, places["/a"])))
		if p, ok := late.(*poller); ok {
			p.inbox = append(p.inbox, got[:len(got)-1]...)
		}
		if m := late.next(t); !strings.Contains(m.raw, `"n":1`) {
			t.Errorf("got %s", m)
		}
	})
}

// TestPageOfAnotherSite goes the way of a page of another site: preflight,
// handshake, and requests with the cookie that it got.
func TestPageOfAnotherSite(t *testing.T) {
	o := &bayeux.Options{AllowedOrigins: []string{"https://friend.example"}, Cookie: bayeux.CookieOptions{Partitioned: true}}
	item(t, "100, 178 and 180 cross-site", o, func(t *testing.T, s *site, _ string) {
		const origin = "Origin: https://friend.example"
		status, _, header := s.request(t, http.MethodOptions, "", origin, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type")
		if status != http.StatusOK || header.Get("Access-Control-Allow-Origin") != "https://friend.example" || header.Get("Set-Cookie") != "" {
			t.Fatalf("preflight: %d %v", status, header)
		}
		_, text, header := s.request(t, http.MethodPost, `[{"id":"1","channel":"/meta/handshake","version":"1.0"}]`, origin, "Sec-Fetch-Site: cross-site")
		cookie, attributes, _ := strings.Cut(header.Get("Set-Cookie"), "; ")
		if attributes != "Path=/; HttpOnly; Secure; SameSite=None; Partitioned" || header.Get("Access-Control-Allow-Credentials") != "true" || header.Get("Vary") != "Origin" {
			t.Fatalf("handshake: %v", header)
		}
		id := decode(t, []byte(text))[0].ClientID
		connect := `[{"id":"2","channel":"/meta/connect","connectionType":"long-polling","clientId":"` + id + `"}]`
		_, text, _ = s.request(t, http.MethodPost, connect, origin, "Sec-Fetch-Site: cross-site", "Cookie: "+cookie)
		wantOK(t, decode(t, []byte(text))[0])
		_, text, _ = s.request(t, http.MethodPost, connect, origin, "Sec-Fetch-Site: cross-site")
		wantError(t, decode(t, []byte(text))[0], "402::session_unknown")
		if status, _, _ := s.request(t, http.MethodPost, connect, "Origin: https://foe.example", "Cookie: "+cookie); status != http.StatusForbidden {
			t.Errorf("another origin: status %d", status)
		}
	}, "long-polling")
}
