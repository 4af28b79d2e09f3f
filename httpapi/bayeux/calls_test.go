package bayeux_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// TestSlowCallDoesNotStopItsClient makes a call that takes long: what the
// client sends meanwhile is answered, further calls run beside it, and its
// context tells of its deadline and of the session's end.
func TestSlowCallDoesNotStopItsClient(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		s := newSite(t, nil)
		echo(t, s)
		ended := make(chan error, 1)
		err := s.HandleService("/service/slow", func(ctx context.Context, _ *bayeux.Session, r *bayeux.Request) {
			child, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			if until, ok := ctx.Deadline(); !ok || time.Until(until) != 5*time.Second || ctx.Err() != nil {
				t.Errorf("deadline %v %v, error %v", until, ok, ctx.Err())
			}
			<-child.Done()
			_ = r.Reply(json.RawMessage(`"late"`))
			ended <- child.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		c := s.connected(t, transport)
		wantOK(t, ask(t, c, `{"id":"1","channel":"/service/slow"}`))
		start := time.Now()
		wantOK(t, ask(t, c, `{"id":"2","channel":"/a","data":1}`))
		got := c.exchange(t, say(c, `{"id":"3","channel":"/service/echo","data":7}`))
		result := got[0]
		if result.Data == nil {
			result = c.next(t)
		}
		if string(result.Data) != "7" || time.Since(start) > time.Second {
			t.Errorf("after %v: %s", time.Since(start), result)
		}
		for session := range s.Sessions() {
			session.Kick()
		}
		if err := <-ended; !errors.Is(err, context.Canceled) || time.Since(start) > time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

// TestHandlerEndsItsGoroutine has handlers do what a failing test does. Whatever
// ran them goes on without them: neither calls nor connections are used up.
func TestHandlerEndsItsGoroutine(t *testing.T) {
	endings := map[string]func(){
		"at once":   runtime.Goexit,
		"slowly":    func() { time.Sleep(time.Second); runtime.Goexit() },
		"much late": func() { time.Sleep(time.Minute); runtime.Goexit() },
	}
	const call, tries = `{"id":"1","channel":"/service/end"}`, 3
	site := func(t *testing.T, stay bool, end func()) *site {
		s := newSite(t, &bayeux.Options{MaxCalls: 1, MaxSocketsPerAddress: 3, MaxInterval: time.Hour, PingEvery: time.Hour, StayInHandler: stay})
		echo(t, s)
		if err := s.HandleService("/service/end", func(context.Context, *bayeux.Session, *bayeux.Request) { end() }); err != nil {
			t.Fatal(err)
		}
		return s
	}
	for name, end := range endings {
		t.Run("websocket "+name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := site(t, false, end)
				s.socket(t, nil) // stays, and is to be counted for as long
				c := s.connected(t, "websocket").(*socketClient)
				for range tries {
					c.write(t, say(c, call))
					time.Sleep(2 * time.Minute)
					next := s.socket(t, nil)
					next.setID(c.id())
					_ = c.conn.CloseNow()
					c = next
					wantOK(t, ask(t, c, `{"id":"2","channel":"/meta/connect","connectionType":"websocket","advice":{"timeout":0}}`))
					c.write(t, say(c, `{"id":"3","channel":"/service/echo","data":7}`))
					for m := c.next(t); string(m.Data) != "7"; m = c.next(t) {
					}
				}
				// Each was counted off once: there is room for one more.
				s.socket(t, nil)
				conn, _, response := rawSocket(t, s)
				if response.StatusCode != http.StatusServiceUnavailable {
					t.Errorf("a WebSocket above the limit: status %d", response.StatusCode)
				}
				_ = conn.Close()
			})
		})
		t.Run("long-polling "+name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := site(t, true, end)
				c := s.connected(t, "long-polling").(*poller)
				for range tries {
					c.inbox = c.exchange(t, say(c, call))
					for m := c.next(t); m.Data == nil; m = c.next(t) {
					}
					c.inbox = c.exchange(t, say(c, `{"id":"3","channel":"/service/echo","data":7}`))
					for m := c.next(t); string(m.Data) != "7"; m = c.next(t) {
					}
					time.Sleep(2 * time.Minute)
				}
			})
		})
		t.Run("taken connection "+name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := site(t, false, end)
				first := s.line(t)
				for range tries {
					l := s.another(t, first)
					l.send(t, l.connect("")) // the lane takes it
					hold()
					publish(t, s, "/a", "1")
					l.receive(t)
					l.send(t, `[{"id":"1","channel":"/service/end","clientId":"`+l.client+`"}]`)
					time.Sleep(2 * time.Minute)
					_ = l.Close()
				}
				l := s.another(t, first)
				l.send(t, `[{"id":"3","channel":"/service/echo","clientId":"`+l.client+`","data":7}]`, l.connect(`,"advice":{"timeout":0}`))
				_, list := l.receive(t)
				_, more := l.receive(t)
				if !slices.ContainsFunc(append(list, more...), func(m *message) bool { return string(m.Data) == "7" }) {
					t.Errorf("got %v and %v", list, more)
				}
			})
		})
	}
}
