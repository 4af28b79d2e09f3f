package bayeux_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// http2Site is a server that is reached over TLS and HTTP/2, in real time.
func http2Site(t *testing.T, o *bayeux.Options) *site {
	t.Helper()
	server, err := bayeux.New(o)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("request came over %s", r.Proto)
		}
		server.ServeHTTP(w, r)
	}))
	web.EnableHTTP2 = true
	web.StartTLS()
	s := &site{Server: server, url: web.URL, transport: web.Client().Transport.(*http.Transport)}
	t.Cleanup(func() { s.close(t); web.Close() })
	return s
}

// held waits until so many sessions have their connect held.
func (s *site) held(t testing.TB, want int) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(30 * time.Second)
	for {
		n := 0
		for live := range s.Sessions() {
			if live.Connected() {
				n++
			}
		}
		if n == want {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%d connects are held, want %d", n, want)
		}
	}
}

// windows returns two sessions of one browser, both subscribed to /a.
func (s *site) windows(t testing.TB) (one, two *poller) {
	t.Helper()
	one = s.poller(t)
	two = &poller{site: s, http: one.http}
	for _, p := range []*poller{one, two} {
		hello(t, p, "")
		subscribe(t, p, "/a")
	}
	return one, two
}

func TestHTTP2(t *testing.T) {
	t.Run("item 116 held connects share a connection", func(t *testing.T) {
		s := http2Site(t, &bayeux.Options{Timeout: time.Minute})
		one, two := s.windows(t)
		first := inBackground(func() []*message { return one.poll(t) })
		second := inBackground(func() []*message { return two.poll(t) })
		s.held(t, 2)
		// An ordinary request is not queued behind the held ones.
		wantOK(t, ask(t, one, `{"id":"1","channel":"/a","data":{"n":1}}`))
		if got := <-second; len(got) != 2 || string(got[0].Data) != `{"n":1}` || !got[1].ok() || got[1].Advice["multiple-clients"] != nil {
			t.Errorf("got %v", got)
		}
		publish(t, s, "/a", "2")
		if got := <-first; string(got[0].Data) != "2" || !last(got).ok() {
			t.Errorf("got %v", got)
		}
	})
	t.Run("item 105 limit of held connects over HTTP/2", func(t *testing.T) {
		s := http2Site(t, &bayeux.Options{Timeout: time.Minute, MaxConnectsPerBrowserHTTP2: 1})
		one, two := s.windows(t)
		first := inBackground(func() []*message { return one.poll(t) })
		s.held(t, 1)
		if r := last(two.poll(t)); !r.ok() || r.Advice["multiple-clients"] != true || r.Advice["interval"] != 2000.0 {
			t.Errorf("got %s", r)
		}
		publish(t, s, "/a", "1")
		if got := <-first; string(got[0].Data) != "1" {
			t.Errorf("got %v", got)
		}
		// The place is free for the other window.
		if got := two.poll(t); string(got[0].Data) != "1" {
			t.Errorf("got %v", got)
		}
		second := inBackground(func() []*message { return two.poll(t) })
		s.held(t, 1)
		publish(t, s, "/a", "2")
		if got := <-second; string(got[0].Data) != "2" || last(got).Advice["multiple-clients"] != nil {
			t.Errorf("got %v", got)
		}
	})
	t.Run("item 56 a stream that is reset loses nothing", func(t *testing.T) {
		s := http2Site(t, &bayeux.Options{Timeout: time.Minute})
		p := s.poller(t)
		hello(t, p, "")
		subscribe(t, p, "/a")
		ctx, cancel := context.WithCancel(t.Context())
		ended := inBackground(func() error {
			_, _, err := p.post(ctx, say(p, `{"id":"p","channel":"/meta/connect"}`))
			return err
		})
		s.held(t, 1)
		cancel()
		if err := <-ended; err == nil {
			t.Error("the request was answered")
		}
		s.held(t, 0)
		if _, err := s.Publish(t.Context(), "/a", json.RawMessage(`3`)); err != nil {
			t.Fatal(err)
		}
		if got := p.poll(t); string(got[0].Data) != "3" {
			t.Errorf("got %v", got)
		}
	})
}
