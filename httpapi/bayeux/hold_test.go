package bayeux_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// diary collects what hooks were told.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *diary) want(t *testing.T, lines ...string) {
	t.Helper()
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.lines, lines) {
		t.Errorf("got %q, want %q", d.lines, lines)
	}
	d.lines = nil
}

func (d *diary) options() *bayeux.Options {
	return &bayeux.Options{
		OnHold:    func(_ *bayeux.Session, timeout time.Duration) { d.note("held for %v", timeout) },
		OnRelease: func(_ *bayeux.Session, timedOut bool) { d.note("released, timed out: %v", timedOut) },
	}
}

// begin lets the client send a connect that is held.
func begin(t *testing.T, c client) (reply func() []*message) {
	t.Helper()
	body := say(c, `{"id":"p","channel":"/meta/connect","connectionType":"`+c.kind()+`"}`)
	if p, ok := c.(*poller); ok {
		got := inBackground(func() []*message { return p.exchange(t, body) })
		synctest.Wait()
		return func() []*message { return <-got }
	}
	c.(*socketClient).write(t, body)
	synctest.Wait()
	return func() []*message { return c.(*socketClient).read(t) }
}

func TestHoldHooks(t *testing.T) {
	var d diary
	const held, freed, timedOut = "held for 30s", "released, timed out: false", "released, timed out: true"
	item(t, "60 held and released by time", d.options(), func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		d.want(t) // the first connect is not held
		reply := begin(t, c)
		d.want(t, held)
		reply()
		d.want(t, timedOut)
	})
	item(t, "60 released by a disconnect", d.options(), func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		reply := begin(t, c)
		if p, ok := c.(*poller); ok {
			p.exchange(t, say(c, `{"id":"d","channel":"/meta/disconnect"}`))
		} else {
			c.(*socketClient).write(t, say(c, `{"id":"d","channel":"/meta/disconnect"}`))
		}
		reply()
		d.want(t, held, freed)
	})
	item(t, "60 released by a newer connect", d.options(), func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		first := begin(t, c)
		second := begin(t, c)
		if transport == "websocket" {
			first()
		}
		d.want(t, held, freed, held)
		second()
		d.want(t, timedOut)
	}, "websocket")
	item(t, "60 released by a message", d.options(), func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		c.exchange(t, say(c, `{"id":"s","channel":"/meta/subscribe","subscription":"/a"}`))
		reply := begin(t, c)
		publish(t, s, "/a", `1`)
		reply()
		d.want(t, held, freed)
	}, "long-polling")
	item(t, "60 released with the connection", d.options(), func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		begin(t, c)
		_ = c.(*socketClient).conn.CloseNow()
		d.want(t, held, freed)
	}, "websocket")
	item(t, "60 released with the poll", d.options(), func(t *testing.T, s *site, transport string) {
		for _, wait := range []time.Duration{0, 5 * time.Second} { // in the handler and out of it
			c := s.poller(t)
			hello(t, c, "")
			ctx, cancel := context.WithCancel(t.Context())
			ended := inBackground(func() error {
				_, _, err := c.post(ctx, say(c, `{"id":"p","channel":"/meta/connect","connectionType":"long-polling"}`))
				return err
			})
			time.Sleep(wait)
			synctest.Wait()
			cancel()
			<-ended
			d.want(t, held, freed)
		}
	}, "long-polling")
	o := d.options()
	o.OnHold = func(s *bayeux.Session, _ time.Duration) {
		d.note("held")
		s.Kick()
		time.Sleep(time.Second)
		d.note("told")
	}
	item(t, "60 in order", o, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		begin(t, c)()
		time.Sleep(2 * time.Second)
		d.want(t, "held", "told", freed)
	})
}

func TestLimitsOfOneAddress(t *testing.T) {
	const shake = `[{"id":"1","channel":"/meta/handshake","version":"1.0"}]`
	threat(t, "T30 sessions of one address", &bayeux.Options{MaxSessionsPerAddress: 2}, func(t *testing.T, s *site, transport string) {
		a := s.connected(t, transport)
		s.connected(t, transport)
		if transport == "websocket" {
			c := s.socket(t, nil)
			c.write(t, shake)
			if code := c.closeCode(t); code != 1013 {
				t.Errorf("closed with %d", code)
			}
		} else if status, _, header := s.request(t, http.MethodPost, shake); status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
			t.Errorf("status %d, header %v", status, header)
		}
		a.exchange(t, say(a, `{"id":"d","channel":"/meta/disconnect"}`))
		s.connected(t, transport) // there is room again
	})
	threat(t, "T30 sockets of one address", &bayeux.Options{MaxSocketsPerAddress: 2}, func(t *testing.T, s *site, _ string) {
		upgrade := []string{
			"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
		}
		a := s.connected(t, "websocket")
		s.connected(t, "websocket")
		status, text, _ := s.request(t, http.MethodGet, "", upgrade...)
		if status != http.StatusServiceUnavailable || !strings.Contains(text, "too_many_connections") {
			t.Errorf("status %d, %s", status, text)
		}
		_ = a.(*socketClient).conn.CloseNow()
		synctest.Wait()
		s.connected(t, "websocket")
	}, "websocket")
}

// TestHookMayPublishWithHistory has OnRelease publish on the channel whose message
// released the connect, while the history is being written.
func TestHookMayPublishWithHistory(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		h, err := bayeux.NewMemoryHistory(nil)
		if err != nil {
			t.Fatal(err)
		}
		var s *site
		s = newSite(t, &bayeux.Options{History: h, OnRelease: func(by *bayeux.Session, timedOut bool) {
			if by.Alive() && !timedOut {
				publish(t, s, "/a", `"released"`)
			}
		}})
		c := s.client(t, transport)
		hello(t, c, `,"ext":{"ack":true}`)
		subscribe(t, c, "/a")
		reply := begin(t, c)
		publish(t, s, "/a", `"first"`)
		if m := reply()[0]; !strings.Contains(string(m.Data), `"first"`) {
			t.Errorf("got %s", m)
		}
	})
}
