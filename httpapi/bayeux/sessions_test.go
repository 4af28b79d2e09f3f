package bayeux_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// endings collects why sessions ended.
type endings struct {
	mu   sync.Mutex
	list []bayeux.Reason
	at   time.Time
}

func (e *endings) hook(_ *bayeux.Session, r bayeux.Reason) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, r)
	e.at = time.Now()
}

func (e *endings) want(t testing.TB, reasons ...bayeux.Reason) {
	t.Helper()
	synctest.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	if fmt.Sprint(e.list) != fmt.Sprint(reasons) {
		t.Fatalf("sessions ended %v, want %v", e.list, reasons)
	}
}

func TestExpiry(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		var ends endings
		s := newSite(t, &bayeux.Options{OnSessionClosed: ends.hook})
		c := s.connected(t, transport)
		for session := range s.Sessions() {
			session.SetMaxInterval(4 * time.Second)
		}
		// A held connect keeps the session alive beyond any interval.
		wantOK(t, ask(t, c, `{"id":"1","channel":"/meta/connect"}`))
		answered := time.Now()
		time.Sleep(3 * time.Second)
		// Another message postpones the end, once.
		wantOK(t, ask(t, c, `{"id":"2","channel":"/a","data":1}`))
		time.Sleep(3 * time.Second)
		ends.want(t)
		time.Sleep(3 * time.Second)
		ends.want(t, bayeux.ReasonExpired)
		if d := ends.at.Sub(answered); d != 7*time.Second {
			t.Errorf("ended after %v", d)
		}
		if k, ok := c.(*socketClient); ok {
			if code := k.closeCode(t); code != 4402 {
				t.Errorf("closed with %d", code)
			}
			return
		}
		if r := ask(t, c, `{"id":"3","channel":"/meta/connect"}`); r.Error != "402::session_unknown" || r.Advice["reconnect"] != "handshake" {
			t.Errorf("got %s", r)
		}
	})
	item(t, "98 after the handshake only", nil, func(t *testing.T, s *site, transport string) {
		s.client(t, transport).exchange(t, `[{"id":"1","channel":"/meta/handshake","version":"1.0"}]`)
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if n := s.Stats().Sessions; n != 1 {
			t.Fatalf("%d sessions", n)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := s.Stats().Sessions; n != 0 {
			t.Fatalf("%d sessions", n)
		}
	})
	item(t, "98 dead poll", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport).(*poller)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _, _ = c.post(ctx, say(c, `{"id":"1","channel":"/meta/connect"}`))
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if n := s.Stats().Sessions; n != 0 {
			t.Fatalf("%d sessions", n)
		}
	}, "long-polling")
	item(t, "98 dead socket", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport).(*socketClient)
		c.write(t, say(c, `{"id":"1","channel":"/meta/connect"}`))
		synctest.Wait()
		_ = c.conn.CloseNow()
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if n := s.Stats(); n.Sessions != 0 || n.Sockets != 0 {
			t.Fatalf("%+v", n)
		}
	}, "websocket")
}

func TestOwnership(t *testing.T) {
	item(t, "102 cookie", nil, func(t *testing.T, s *site, transport string) {
		owner, thief := s.connected(t, transport), s.connected(t, transport)
		mine := thief.id()
		thief.setID(owner.id())
		wantError(t, ask(t, thief, `{"id":"1","channel":"/meta/connect"}`), "402::session_unknown")
		stranger := s.poller(t)
		stranger.setID(owner.id())
		wantError(t, ask(t, stranger, `{"id":"1","channel":"/meta/connect"}`), "402::session_unknown")
		thief.setID(mine)
		wantOK(t, ask(t, owner, `{"id":"1","channel":"/a","data":1}`))
	}, "long-polling")
	item(t, "102 a cookie of another server before ours", nil, func(t *testing.T, s *site, transport string) {
		owner := s.connected(t, transport).(*poller)
		u, err := url.Parse(s.url)
		if err != nil {
			t.Fatal(err)
		}
		ours := owner.http.Jar.Cookies(u)[0].Value
		for cookies, want := range map[string]string{
			"BAYEUX_BROWSER=foreign; BAYEUX_BROWSER=" + ours: "",
			"BAYEUX_BROWSER=" + ours + "; BAYEUX_BROWSER=x":  "",
			"BAYEUX_BROWSER=foreign; BAYEUX_BROWSER=other":   "402::session_unknown",
		} {
			_, text, _ := s.request(t, http.MethodPost, say(owner, `{"id":"1","channel":"/a","data":1}`), "Cookie: "+cookies)
			if r := decode(t, []byte(text))[0]; r.Error != want {
				t.Errorf("%s: %s", cookies, r)
			}
			_, _, header := s.request(t, http.MethodPost, `[{"id":"1","channel":"/meta/handshake","version":"1.0"}]`, "Cookie: "+cookies)
			if set := header.Get("Set-Cookie") != ""; set != (want != "") {
				t.Errorf("%s: a new cookie: %v", cookies, set)
			}
		}
	}, "long-polling")
	item(t, "103 without cookies", &bayeux.Options{TrustClientSession: true}, func(t *testing.T, s *site, transport string) {
		owner, other := s.connected(t, transport), s.poller(t)
		other.setID(owner.id())
		wantOK(t, ask(t, other, `{"id":"1","channel":"/a","data":1}`))
	}, "long-polling")
	item(t, "106 several windows", &bayeux.Options{MaxConnectsPerBrowser: 1}, func(t *testing.T, s *site, transport string) {
		a, b := s.windows(t)
		held := inBackground(func() []*message { return a.poll(t) })
		synctest.Wait()
		start := time.Now()
		r := one(t, b.poll(t))
		wantOK(t, r)
		if time.Since(start) != 0 || r.Advice["multiple-clients"] != true || r.Advice["interval"] != 2000.0 || r.Advice["reconnect"] != "retry" {
			t.Fatalf("after %v: %s", time.Since(start), r)
		}
		<-held
		hello(t, b, "") // its session has expired meanwhile
		start = time.Now()
		if r := one(t, b.poll(t)); time.Since(start) != 30*time.Second || r.Advice != nil {
			t.Fatalf("after %v: %s", time.Since(start), r)
		}
	}, "long-polling")
	item(t, "51 an overtaken connect gives its place away", &bayeux.Options{MaxConnectsPerBrowser: 1}, func(t *testing.T, s *site, transport string) {
		a := s.connected(t, transport).(*poller)
		for range 3 {
			go func() {
				_, _, _ = a.post(t.Context(), say(a, `{"id":"o","channel":"/meta/connect","connectionType":"long-polling"}`))
			}()
			synctest.Wait()
			start := time.Now()
			if r := one(t, a.poll(t)); time.Since(start) != 30*time.Second || r.Advice["multiple-clients"] != nil {
				t.Fatalf("after %v: %s", time.Since(start), r)
			}
		}
	}, "long-polling")
	item(t, "106 the pause is taken back", &bayeux.Options{MaxConnectsPerBrowser: 1}, func(t *testing.T, s *site, transport string) {
		a, b := s.windows(t)
		held := inBackground(func() []*message { return a.poll(t) })
		synctest.Wait()
		if r := one(t, b.poll(t)); r.Advice["interval"] != 2000.0 {
			t.Fatalf("got %s", r)
		}
		wantOK(t, last(a.exchange(t, say(a, `{"id":"d","channel":"/meta/disconnect"}`))))
		<-held
		if r := one(t, b.poll(t)); r.Advice["interval"] != 0.0 || r.Advice["multiple-clients"] != nil || r.Advice["reconnect"] != "retry" {
			t.Fatalf("got %s", r)
		}
		if r := one(t, b.poll(t)); r.Advice != nil {
			t.Fatalf("told again: %s", r)
		}
	}, "long-polling")
	item(t, "106 several windows are sent away", &bayeux.Options{MaxConnectsPerBrowser: 1, MultiSessionInterval: -1}, func(t *testing.T, s *site, transport string) {
		a, b := s.windows(t)
		held := inBackground(func() []*message { return a.poll(t) })
		synctest.Wait()
		if r := one(t, b.poll(t)); r.ok() || r.Advice["multiple-clients"] != true || r.Advice["reconnect"] != "none" {
			t.Fatalf("got %s", r)
		}
		<-held
	}, "long-polling")
	item(t, "108 one session a socket", nil, func(t *testing.T, s *site, transport string) {
		a, b := s.connected(t, transport), s.connected(t, transport)
		mine := a.id()
		a.setID(b.id())
		wantError(t, ask(t, a, `{"id":"1","channel":"/a","data":1}`), "402::session_unknown")
		a.setID(mine)
		wantOK(t, ask(t, a, `{"id":"1","channel":"/a","data":1}`))
		// A new handshake replaces the session.
		hello(t, a, "")
		synctest.Wait()
		if n := s.Stats().Sessions; n != 2 {
			t.Errorf("%d sessions", n)
		}
	}, "websocket")
	item(t, "108 a newer socket takes over", nil, func(t *testing.T, s *site, transport string) {
		old := s.connected(t, transport).(*socketClient)
		subscribe(t, old, "/a")
		newer := s.socket(t, nil)
		newer.setID(old.id())
		wantOK(t, ask(t, newer, `{"id":"1","channel":"/meta/connect","advice":{"timeout":0}}`))
		publish(t, s, "/a", "1")
		wantNext(t, newer, "1")
		if code := old.closeCode(t); code != 1000 {
			t.Errorf("old socket closed with %d", code)
		}
	}, "websocket")
	item(t, "108 handshake per connection", &bayeux.Options{RequireHandshakePerConnection: true}, func(t *testing.T, s *site, transport string) {
		old := s.connected(t, transport)
		newer := s.socket(t, nil)
		newer.setID(old.id())
		r := ask(t, newer, `{"id":"1","channel":"/meta/connect"}`)
		wantError(t, r, "402::session_unknown")
	}, "websocket")
}

// TestReauthentication covers the loss of rights while connected.
func TestReauthentication(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		var ends endings
		var verdict atomic.Value
		verdict.Store("")
		s := newSite(t, &bayeux.Options{
			OnSessionClosed: ends.hook,
			Reauthenticate: func(context.Context, *http.Request, *bayeux.Session) error {
				switch verdict.Load() {
				case "foreign":
					return fmt.Errorf("not ours: %w", bayeux.ErrForeign)
				case "out":
					return errors.New("logged out")
				case "panic":
					panic("boom")
				}
				return nil
			},
		})
		c := s.connected(t, transport)
		if transport == "websocket" {
			k := c.(*socketClient)
			k.write(t, say(k, `{"id":"1","channel":"/meta/connect"}`))
			verdict.Store("foreign")
			if code := k.closeCode(t); code != 4402 {
				t.Errorf("closed with %d", code)
			}
			verdict.Store("")
			ends.want(t)
			again := s.socket(t, nil)
			again.setID(k.id())
			c = again
			c.(*socketClient).write(t, say(c, `{"id":"1","channel":"/meta/connect"}`))
			closed := inBackground(func() int { return c.(*socketClient).closeCode(t) })
			time.Sleep(25 * time.Second)
			verdict.Store("out")
			start := time.Now()
			if code := <-closed; code != 4401 {
				t.Errorf("closed with %d", code)
			}
			if d := time.Since(start); d > 10*time.Second {
				t.Errorf("closed after %v", d)
			}
			ends.want(t, bayeux.ReasonUnauthorized)
			return
		}
		held := inBackground(func() int {
			status, _, _ := c.(*poller).post(t.Context(), say(c, `{"id":"1","channel":"/meta/connect"}`))
			return status
		})
		time.Sleep(5 * time.Second)
		verdict.Store("foreign")
		if status := <-held; status != http.StatusInternalServerError {
			t.Errorf("held connect: status %d", status)
		}
		wantError(t, ask(t, c, `{"id":"1","channel":"/a","data":1}`), "402::session_unknown")
		ends.want(t)
		verdict.Store("out")
		r := ask(t, c, `{"id":"1","channel":"/meta/connect"}`)
		wantError(t, r, "402::session_unknown")
		if r.Advice["reconnect"] != "none" {
			t.Errorf("got %s", r)
		}
		ends.want(t, bayeux.ReasonUnauthorized)
		verdict.Store("")
		c = s.connected(t, transport)
		verdict.Store("panic")
		wantError(t, ask(t, c, `{"id":"1","channel":"/a","data":1}`), "402::session_unknown")
		ends.want(t, bayeux.ReasonUnauthorized, bayeux.ReasonUnauthorized)
	})
}

func TestAcknowledgement(t *testing.T) {
	connect := func(t testing.TB, c client, ext string) []*message {
		t.Helper()
		c.(interface{ drain() []*message }).drain()
		got := c.exchange(t, say(c, `{"id":"k","channel":"/meta/connect","advice":{"timeout":1000},"ext":{`+ext+`}}`))
		return append(c.(interface{ drain() []*message }).drain(), got...)
	}
	data := func(list []*message) string {
		var b strings.Builder
		for _, m := range list {
			if m.Data != nil {
				b.Write(m.Data)
			} else {
				fmt.Fprintf(&b, " ack%s", m.Ext["ack"])
			}
		}
		return b.String()
	}
	item(t, "141 to 146 batches", nil, func(t *testing.T, s *site, transport string) {
		c := s.client(t, transport)
		if r := hello(t, c, `,"ext":{"ack":true}`); string(r.Ext["ack"]) != "true" {
			t.Fatalf("got %s", r)
		}
		subscribe(t, c, "/a")
		publish(t, s, "/a", "1")
		publish(t, s, "/a", "2")
		for i, step := range []struct{ send, want, publish string }{
			{`"ack":1`, "12 ack2", "3"},
			{`"ack":1`, "123 ack3", ""},
			{`"ack":-1`, "123 ack4", ""},
			{`"ack":99`, "123 ack5", ""},
			{`"ack":"x"`, "123 ack6", ""},
			{``, "123 ack7", "4"},
			{`"ack":2`, "34 ack8", ""},
			{`"ack":7`, "4 ack9", ""},
			{`"ack":9`, " ack10", ""},
		} {
			if got := data(connect(t, c, step.send)); got != step.want {
				t.Fatalf("step %d: got %q, want %q", i, got, step.want)
			}
			if step.publish != "" {
				publish(t, s, "/a", step.publish)
			}
		}
		if n := s.Stats().BadAcks; n != 3 {
			t.Errorf("%d bad acknowledgements counted", n)
		}
	})
	item(t, "141 object form", &bayeux.Options{DeliverDuringHandshake: true}, func(t *testing.T, s *site, transport string) {
		if r := hello(t, s.client(t, transport), `,"ext":{"ack":true}`); compact(t, r.Ext["ack"]) != `{"enabled":true,"batch":1}` {
			t.Fatalf("got %s", r)
		}
	})
	item(t, "141 switched off", &bayeux.Options{DisableAck: true}, func(t *testing.T, s *site, transport string) {
		if r := hello(t, s.client(t, transport), `,"ext":{"ack":true}`); r.Ext["ack"] != nil {
			t.Fatalf("got %s", r)
		}
	})
	item(t, "142 connect only", nil, func(t *testing.T, s *site, transport string) {
		c := s.client(t, transport)
		hello(t, c, `,"ext":{"ack":true}`)
		subscribe(t, c, "/a")
		wantOK(t, one(t, c.exchange(t, say(c, `{"id":"1","channel":"/a","data":1}`))))
		if got := data(connect(t, c, `"ack":1`)); got != "1 ack2" {
			t.Fatalf("got %q", got)
		}
	})
	item(t, "145 and CVE-2025-53114", &bayeux.Options{MaxQueue: 100}, func(t *testing.T, s *site, transport string) {
		c := s.client(t, transport)
		hello(t, c, `,"ext":{"ack":true}`)
		subscribe(t, c, "/a")
		var r *message
		start := time.Now()
		for r == nil || r.ok() {
			publish(t, s, "/a", "1")
			r = last(c.exchange(t, say(c, `{"id":"k","channel":"/meta/connect","advice":{"timeout":0},"ext":{"ack":1}}`)))
			time.Sleep(3 * time.Second) // less than WriteTimeout, as there may be a ping
		}
		wantError(t, r, "402::session_unknown")
		if d := time.Since(start); d < time.Minute || d > 2*time.Minute {
			t.Errorf("it took %v", d)
		}
		if r.Advice["reconnect"] != "handshake" {
			t.Fatalf("got %s", r)
		}
	})
	item(t, "151 a bad network", nil, func(t *testing.T, s *site, transport string) {
		c := s.client(t, transport)
		hello(t, c, `,"ext":{"ack":true}`)
		subscribe(t, c, "/a")
		publish(t, s, "/a", "1")
		for range 100 { // of whose answers none has arrived
			connect := c.exchange(t, say(c, `{"id":"k","channel":"/meta/connect","advice":{"timeout":0},"ext":{"ack":1}}`))
			wantOK(t, last(connect))
			time.Sleep(500 * time.Millisecond)
		}
	})
	item(t, "147 lazy", &bayeux.Options{Channels: []bayeux.ChannelRule{{Pattern: "/a", Lazy: 3 * time.Second}}}, func(t *testing.T, s *site, transport string) {
		c := s.client(t, transport)
		hello(t, c, `,"ext":{"ack":true}`)
		subscribe(t, c, "/a")
		publish(t, s, "/a", "1")
		start := time.Now()
		got := c.exchange(t, say(c, `{"id":"k","channel":"/meta/connect","ext":{"ack":1}}`))
		got = append(c.(interface{ drain() []*message }).drain(), got...)
		if d := time.Since(start); d != 3*time.Second || data(got) != "1 ack2" {
			t.Fatalf("after %v: %v", d, got)
		}
	})
	item(t, "151 lost response", nil, func(t *testing.T, s *site, transport string) {
		c := s.client(t, transport).(*poller)
		hello(t, c, `,"ext":{"ack":true}`)
		subscribe(t, c, "/a")
		ctx, cancel := context.WithCancel(t.Context())
		gone := inBackground(func() error {
			_, _, err := c.post(ctx, say(c, `{"id":"k","channel":"/meta/connect","ext":{"ack":1}}`))
			return err
		})
		synctest.Wait()
		publish(t, s, "/a", "1")
		cancel()
		<-gone
		if got := data(connect(t, c, `"ack":1`)); !strings.HasPrefix(got, "1 ack") {
			t.Fatalf("got %q", got)
		}
	}, "long-polling")
}

func (p *poller) drain() []*message { return nil }

func (c *socketClient) drain() []*message {
	list := c.inbox
	c.inbox = nil
	return list
}

func TestExtensions(t *testing.T) {
	item(t, "152 timesync", nil, func(t *testing.T, s *site, transport string) {
		c := s.client(t, transport)
		now := time.Now().UnixMilli()
		r := hello(t, c, fmt.Sprintf(`,"ext":{"timesync":{"tc":%d}}`, now-500))
		if got, want := compact(t, r.Ext["timesync"]), fmt.Sprintf(`{"tc":%d,"ts":%d,"p":0}`, now-500, now); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		r = ask(t, c, fmt.Sprintf(`{"id":"1","channel":"/meta/connect","advice":{"timeout":1000},"ext":{"timesync":{"tc":%d,"l":50,"o":400}}}`, now-500))
		if got, want := compact(t, r.Ext["timesync"]), fmt.Sprintf(`{"tc":%d,"ts":%d,"p":1000,"a":-50}`, now-500, now); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		now = time.Now().UnixMilli()
		r = ask(t, c, fmt.Sprintf(`{"id":"1","channel":"/meta/connect","advice":{"timeout":0},"ext":{"timesync":{"tc":%d,"l":10,"o":485}}}`, now-500))
		if r.Ext["timesync"] != nil {
			t.Errorf("accurate clock got %s", r)
		}
		wantOK(t, ask(t, c, `{"id":"1","channel":"/meta/connect","advice":{"timeout":0},"ext":{"timesync":[]}}`))
	})
	item(t, "153 timestamp", &bayeux.Options{Timestamp: true}, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		subscribe(t, c, "/a")
		publish(t, s, "/a", "1")
		if m := c.next(t); !strings.Contains(m.raw, `"timestamp":"2000-01-01T00:00:0`) {
			t.Fatalf("got %s", m)
		}
	})
	item(t, "154 activity", &bayeux.Options{MaxInactivity: time.Minute}, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		for range 2 {
			time.Sleep(5 * time.Second)
			// A WebSocket has to be read, or its pings are not answered.
			wantOK(t, ask(t, c, `{"id":"1","channel":"/meta/connect"}`))
		}
		wantOK(t, ask(t, c, `{"id":"1","channel":"/a","data":1}`))
		wantOK(t, ask(t, c, `{"id":"1","channel":"/meta/connect"}`))
		wantOK(t, ask(t, c, `{"id":"1","channel":"/meta/connect"}`))
		r := ask(t, c, `{"id":"1","channel":"/meta/connect","advice":{"timeout":1}}`)
		wantOK(t, r)
		got := c.exchange(t, say(c, `{"id":"1","channel":"/meta/connect"}`))
		if k, ok := c.(*socketClient); ok {
			got = append(got, k.next(t))
		}
		if r := last(got); len(got) != 2 || got[0].Channel != "/meta/disconnect" || !r.ok() || r.Advice["reconnect"] != "none" {
			t.Fatalf("got %v", got)
		}
		if n := s.Stats().Sessions; n != 0 {
			t.Errorf("%d sessions", n)
		}
	})
}

// TestSessionHooksInOrder ends sessions while OnSession runs, from elsewhere and
// from the hook itself: OnSessionClosed comes after it all the same.
func TestSessionHooksInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		var d diary
		var own bool
		s := newSite(t, &bayeux.Options{
			OnSession: func(s *bayeux.Session) {
				d.note("opening")
				if own {
					s.Kick()
				}
				time.Sleep(2 * time.Second)
				d.note("opened")
			},
			OnSessionClosed: func(_ *bayeux.Session, reason bayeux.Reason) { d.note("closed: %s", reason) },
		})
		for _, own = range []bool{false, true} {
			time.AfterFunc(time.Second, func() {
				for s := range s.Sessions() {
					s.Kick()
				}
			})
			c := s.client(t, transport)
			c.exchange(t, `[{"id":"h","channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["`+transport+`"]}]`)
			time.Sleep(3 * time.Second)
			d.want(t, "opening", "opened", "closed: kicked")
		}
		time.AfterFunc(time.Second, func() {
			for s := range s.Sessions() {
				s.Kick()
			}
		})
		l := local(t, s, "", nil)
		<-l.Done()
		d.want(t, "opening", "opened", "closed: kicked")
	})
}

// TestReplayOfSeveralChannels checks that a refused subscription has brought
// nothing, and a repeated one nothing twice.
func TestReplayOfSeveralChannels(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		h, err := bayeux.NewMemoryHistory(nil)
		if err != nil {
			t.Fatal(err)
		}
		s := newSite(t, &bayeux.Options{History: h, MaxSubscriptions: 3})
		for i := range 3 {
			publish(t, s, "/a", fmt.Sprintf(`{"n":%d}`, i))
			publish(t, s, "/b", fmt.Sprintf(`{"n":%d}`, 10+i))
		}
		c := s.connected(t, transport)
		for subscription, want := range map[string]string{
			`["/a","/z"],"ext":{"replay":{"/a":-2,"/z":5}}`:      "400::replay_id_invalid",
			`["/a","/z"],"ext":{"replay":{"/a":-2,"/z":"x"}}`:    "400::replay_id_invalid",
			`["/a","/z/*"],"ext":{"replay":{"/a":-2,"/z/*":-2}}`: "400::replay_pattern_invalid",
			`["/a","/b","/c","/d"],"ext":{"replay":{"/a":-2}}`:   "403:limit:subscribe_denied",
		} {
			wantError(t, ask(t, c, `{"id":"1","channel":"/meta/subscribe","subscription":`+subscription+`}`), want)
		}
		one := []string{}
		got := func(d json.RawMessage) string {
			var v struct{ N int }
			if err := json.Unmarshal(d, &v); err != nil {
				t.Fatal(err)
			}
			return strconv.Itoa(v.N)
		}
		list := c.exchange(t, say(c, `{"id":"1","channel":"/meta/subscribe","subscription":["/b","/a","/a/","/b"],"ext":{"replay":{"/a":-2,"/b":-2}}}`))
		wantOK(t, last(list))
		for _, m := range list[:len(list)-1] {
			one = append(one, got(m.Data))
		}
		publish(t, s, "/a", `{"n":99}`)
		for len(one) < 7 {
			one = append(one, got(c.next(t).Data))
		}
		if text := strings.Join(one, " "); text != "10 11 12 0 1 2 99" {
			t.Errorf("got %s", text)
		}
	})
}

// TestReplayOfPatterns checks that nobody takes a pattern's silence for a replay.
func TestReplayOfPatterns(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		h, err := bayeux.NewMemoryHistory(nil)
		if err != nil {
			t.Fatal(err)
		}
		s := newSite(t, &bayeux.Options{History: h})
		publish(t, s, "/a/b", `1`)
		c := s.connected(t, transport)
		for _, id := range []string{`-2`, `"-2"`, `7`} {
			wantError(t, ask(t, c, `{"id":"1","channel":"/meta/subscribe","subscription":["/x","/a/*"],"ext":{"replay":{"/a/*":`+id+`}}}`), "400::replay_pattern_invalid")
		}
		if n := s.Stats().Channels; n != 0 {
			t.Errorf("%d channels are subscribed to", n)
		}
		wantOK(t, ask(t, c, `{"id":"1","channel":"/meta/subscribe","subscription":"/a/*","ext":{"replay":{"/a/*":-1,"/a/b":-2}}}`))
	})
}

func TestReplay(t *testing.T) {
	history := func(t testing.TB, o *bayeux.MemoryHistoryOptions) *bayeux.MemoryHistory {
		t.Helper()
		h, err := bayeux.NewMemoryHistory(o)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	run := func(number string, o *bayeux.MemoryHistoryOptions, f func(t *testing.T, s *site, transport string)) {
		t.Run("item "+number, func(t *testing.T) {
			onBoth(t, func(t *testing.T, transport string) {
				f(t, newSite(t, &bayeux.Options{History: history(t, o)}), transport)
			})
		})
	}
	type event struct {
		Event struct {
			ReplayID    int64  `json:"replayId"`
			CreatedDate string `json:"createdDate"`
		} `json:"event"`
		N int `json:"n"`
	}
	next := func(t testing.TB, c client) event {
		t.Helper()
		var e event
		if m := c.next(t); json.Unmarshal(m.Data, &e) != nil || e.Event.ReplayID == 0 || e.Event.CreatedDate == "" {
			t.Fatalf("got %s", m)
		}
		return e
	}
	// replay subscribes and puts what came with the reply into the inbox.
	replay := func(t testing.TB, c client, ext string) *message {
		t.Helper()
		got := c.exchange(t, say(c, `{"id":"s","channel":"/meta/subscribe","subscription":"/a","ext":{"replay":`+ext+`}}`))
		if p, ok := c.(*poller); ok {
			p.inbox = append(p.inbox, got[:len(got)-1]...)
		}
		return last(got)
	}
	run("181 to 184 ids", nil, func(t *testing.T, s *site, transport string) {
		c := s.client(t, transport)
		if r := hello(t, c, `,"ext":{"replay":true}`); string(r.Ext["replay"]) != "true" {
			t.Fatalf("got %s", r)
		}
		for i := range 3 {
			publish(t, s, "/a", fmt.Sprintf(`{"n":%d,"event":"mine"}`, i))
		}
		wantOK(t, replay(t, c, `{"/a":-2}`))
		var ids []int64
		for i := range 3 {
			e := next(t, c)
			if ids = append(ids, e.Event.ReplayID); e.N != i || i > 0 && ids[i] <= ids[i-1] {
				t.Fatalf("event %d: %+v", i, e)
			}
		}
		publish(t, s, "/a", `{"n":3}`)
		if e := next(t, c); e.N != 3 {
			t.Fatalf("live event: %+v", e)
		}
		late := s.connected(t, transport)
		wantOK(t, replay(t, late, fmt.Sprintf(`{"/a":"%d"}`, ids[1])))
		if a, b := next(t, late), next(t, late); a.N != 2 || b.N != 3 {
			t.Fatalf("got %+v, %+v", a, b)
		}
		fresh := s.connected(t, transport)
		wantOK(t, replay(t, fresh, `{"/a":-1,"/b":-2}`))
		wantQuiet(t, fresh)
	})
	run("186 unknown ids", &bayeux.MemoryHistoryOptions{MaxMessages: 2, MaxAge: time.Minute}, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		for i := range 4 {
			publish(t, s, "/a", fmt.Sprintf(`{"n":%d}`, i))
		}
		for _, id := range []string{`1`, `99999999999999999`, `-3`, `"x"`, `{}`, `1.5`} {
			wantError(t, replay(t, c, `{"/a":`+id+`}`), "400::replay_id_invalid")
		}
		publish(t, s, "/a", `{"n":9}`)
		wantQuiet(t, c)
		wantOK(t, replay(t, c, `{"/a":-2}`))
		if a, b := next(t, c), next(t, c); a.N != 3 || b.N != 9 {
			t.Fatalf("got %+v, %+v", a, b)
		}
	})
	run("185 retention", &bayeux.MemoryHistoryOptions{MaxAge: 20 * time.Second}, func(t *testing.T, s *site, transport string) {
		publish(t, s, "/a", `{"n":1}`)
		time.Sleep(21 * time.Second)
		c := s.connected(t, transport)
		wantOK(t, replay(t, c, `{"/a":-2}`))
		wantQuiet(t, c)
	})
}

// TestMemoryHistoryIsBounded checks that channels nobody uses any more make
// place.
func TestMemoryHistoryIsBounded(t *testing.T) {
	h, err := bayeux.NewMemoryHistory(&bayeux.MemoryHistoryOptions{MaxBytes: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	payload := json.RawMessage(`"` + strings.Repeat("x", 500) + `"`)
	for i := range 1000 {
		if _, err := h.Record(t.Context(), fmt.Sprintf("/c/%d", i), payload); err != nil {
			t.Fatal(err)
		}
	}
	kept := 0
	for i := range 1000 {
		list, err := h.Since(t.Context(), fmt.Sprintf("/c/%d", i), bayeux.ReplayAll)
		if err != nil {
			t.Fatal(err)
		}
		kept += len(bytes.Join(rawBytes(list), nil))
	}
	if kept > 10_000 || kept < 5_000 {
		t.Fatalf("%d bytes kept", kept)
	}
}

func rawBytes(list []json.RawMessage) [][]byte {
	var b [][]byte
	for _, raw := range list {
		b = append(b, raw)
	}
	return b
}

// TestEndedConnectIsNotCounted checks that a connect with which a session ends
// does not count as held for its browser for ever.
func TestEndedConnectIsNotCounted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSite(t, &bayeux.Options{MaxConnectsPerBrowser: 1, MaxInactivity: 5 * time.Second})
		p := s.connected(t, "long-polling").(*poller)
		time.Sleep(6 * time.Second)
		if r := last(p.poll(t)); r.Advice["reconnect"] != "none" {
			t.Fatalf("got %s", r)
		}
		hello(t, p, "")
		start := time.Now()
		if r := last(p.poll(t)); time.Since(start) != 30*time.Second || r.Advice["multiple-clients"] != nil {
			t.Errorf("after %v: %s", time.Since(start), r)
		}
	})
}
