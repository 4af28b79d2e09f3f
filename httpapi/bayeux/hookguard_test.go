package bayeux_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// obstacle is what hooks of these tests get stuck on, whatever their context
// says.
type obstacle struct {
	on      atomic.Bool
	waiting atomic.Int32
	gone    chan struct{}
}

func newObstacle() *obstacle { return &obstacle{gone: make(chan struct{})} }

func (o *obstacle) pass() {
	if o.on.Load() {
		o.waiting.Add(1)
		<-o.gone
		o.waiting.Add(-1)
	}
}

func (o *obstacle) remove() {
	o.on.Store(false)
	close(o.gone)
	synctest.Wait()
}

// within checks how long f takes.
func within(t testing.TB, least, most time.Duration, f func()) {
	t.Helper()
	start := time.Now()
	f()
	if d := time.Since(start); d < least || d > most {
		t.Errorf("took %v, want %v to %v", d, least, most)
	}
}

const (
	deadline = 5 * time.Second
	atOnce   = 100 * time.Millisecond
)

func TestThreatT54StuckMessageHooks(t *testing.T) {
	cases := map[string]struct{ message, hook string }{
		"Authorize create":  {`{"id":"1","channel":"/meta/subscribe","subscription":"/slow"}`, "create"},
		"Incoming":          {`{"id":"1","channel":"/meta/unsubscribe","subscription":"/service/slow"}`, "incoming"},
		"OnSubscribe":       {`{"id":"1","channel":"/meta/subscribe","subscription":"/slow"}`, "subscribe"},
		"Authorize publish": {`{"id":"1","channel":"/slow","data":1}`, "publish"},
		"OnPublish":         {`{"id":"1","channel":"/slow","data":1}`, "onpublish"},
		"Filters":           {`{"id":"1","channel":"/slow","data":1}`, "filter"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, transport string) {
				stuck := newObstacle()
				stop := func(at string, m *bayeux.Message) {
					if at == c.hook && (m == nil || m.ID == "1") {
						stuck.pass()
						if m != nil {
							_ = m.SetReplyExt("late", json.RawMessage(`1`))
						}
					}
				}
				s := newSite(t, &bayeux.Options{
					GuardPublish: true,
					Incoming:     func(_ context.Context, _ *bayeux.Session, m *bayeux.Message) error { stop("incoming", m); return nil },
					Authorize: func(_ context.Context, _ *bayeux.Session, op bayeux.Operation, _ string, m *bayeux.Message) error {
						stop(string(op), m)
						return nil
					},
					OnSubscribe: func(_ context.Context, _ *bayeux.Session, _ string, m *bayeux.Message) error {
						stop("subscribe", m)
						return nil
					},
					OnPublish: func(_ context.Context, _ *bayeux.Session, m *bayeux.Message) (bool, error) {
						stop("onpublish", m)
						return false, nil
					},
					Channels: []bayeux.ChannelRule{{Pattern: "/slow", Filters: []bayeux.DataFilter{
						func(_ context.Context, _ *bayeux.Session, _ string, data json.RawMessage) (json.RawMessage, error) {
							stop("filter", nil)
							return data, nil
						}}}},
				})
				client := s.connected(t, transport)
				stuck.on.Store(true)
				within(t, deadline, deadline+atOnce, func() {
					got := client.exchange(t, say(client, c.message, c.message, `{"id":"2","channel":"/meta/disconnected"}`))
					wantError(t, got[0], "504::timeout")
					wantError(t, got[1], "503::busy")
				})
				stuck.on.Store(false)
				within(t, 0, atOnce, func() { wantOK(t, ask(t, client, c.message)) })
				if n := stuck.waiting.Load(); n != 1 {
					t.Errorf("%d calls are stuck, want 1", n)
				}
				stuck.remove()
			})
		})
	}
}

func TestThreatT54StuckCallsAreBounded(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		stuck := newObstacle()
		s := newSite(t, &bayeux.Options{
			MaxHandshakesPerAddress: bayeux.Unlimited,
			Authenticate: func(context.Context, *http.Request, *bayeux.Message) (bayeux.Identity, error) {
				stuck.pass()
				return bayeux.Identity{User: "ann"}, nil
			},
		})
		shake := `[{"id":"h","channel":"/meta/handshake","version":"1.0"}]`
		stuck.on.Store(true)
		within(t, deadline, deadline+atOnce, func() {
			wantFault(t, s, transport, shake, http.StatusGatewayTimeout, "hook_timeout", 1013)
		})
		within(t, deadline, deadline+atOnce, func() {
			done := make(chan struct{})
			for range 63 {
				go func() {
					defer func() { done <- struct{}{} }()
					wantFault(t, s, transport, shake, http.StatusGatewayTimeout, "hook_timeout", 1013)
				}()
			}
			for range 63 {
				<-done
			}
		})
		within(t, 0, atOnce, func() {
			for range 100 {
				wantFault(t, s, transport, shake, http.StatusServiceUnavailable, "hook_busy", 1013)
			}
		})
		if n := stuck.waiting.Load(); n != 64 {
			t.Errorf("%d calls are stuck, want 64", n)
		}
		stuck.remove()
		if n := s.Stats().Sessions; n != 0 {
			t.Errorf("%d sessions of handshakes that were given up", n)
		}
		s.connected(t, transport)
	})
}

func TestThreatT54OneSessionCannotUseUpAHook(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		stuck := newObstacle()
		s := newSite(t, &bayeux.Options{
			Authorize: func(_ context.Context, _ *bayeux.Session, op bayeux.Operation, channel string, _ *bayeux.Message) error {
				if op == bayeux.OpSubscribe && channel == "/slow" {
					stuck.pass()
				}
				return nil
			},
		})
		bad, good := s.connected(t, transport), s.connected(t, transport)
		for _, sess := range []client{bad, good} {
			for live := range s.Sessions() {
				if live.ID() == sess.id() {
					live.SetMaxInterval(time.Hour)
				}
			}
		}
		stuck.on.Store(true)
		slow := `{"id":"1","channel":"/meta/subscribe","subscription":"/slow"}`
		for range 4 {
			wantError(t, ask(t, bad, slow), "504::timeout")
		}
		within(t, 0, atOnce, func() {
			wantError(t, ask(t, bad, slow), "503::busy")
			subscribe(t, good, "/slower")
		})
		stuck.remove()
		subscribe(t, bad, "/slow")
	})
}

func TestThreatT54StuckReauthenticate(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		stuck := newObstacle()
		s := newSite(t, &bayeux.Options{
			MaxInterval:    time.Minute,
			Reauthenticate: func(context.Context, *http.Request, *bayeux.Session) error { stuck.pass(); return nil },
		})
		c := s.connected(t, transport)
		stuck.on.Store(true)
		if k, ok := c.(*socketClient); ok {
			// The check of an open socket.
			within(t, 10*time.Second, 20*time.Second, func() {
				if code := k.closeCode(t); code != 1013 {
					t.Errorf("closed with %d", code)
				}
			})
		} else {
			within(t, deadline, deadline+atOnce, func() {
				status, text, err := c.(*poller).post(t.Context(), say(c, `{"id":"1","channel":"/meta/connect"}`))
				if err != nil || status != http.StatusGatewayTimeout || !strings.Contains(string(text), "hook_timeout") {
					t.Errorf("got %d %s, %v", status, text, err)
				}
			})
			// The check of a connect that is held already.
			stuck.on.Store(false)
			within(t, 10*time.Second+deadline, 10*time.Second+deadline+atOnce, func() {
				held := inBackground(func() int {
					status, _, _ := c.(*poller).post(t.Context(), say(c, `{"id":"1","channel":"/meta/connect"}`))
					return status
				})
				synctest.Wait()
				stuck.on.Store(true)
				if status := <-held; status != http.StatusGatewayTimeout {
					t.Errorf("held connect: status %d", status)
				}
			})
		}
		stuck.remove()
		if n := s.Stats().Sessions; n != 1 {
			t.Fatalf("%d sessions", n)
		}
		if k, ok := c.(*socketClient); ok {
			again := s.socket(t, nil)
			again.setID(k.id())
			c = again
		}
		subscribe(t, c, "/a")
	})
}

func TestThreatT54LateAgreementIsTakenBack(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		stuck := newObstacle()
		var over atomic.Int32
		s := newSite(t, &bayeux.Options{
			OnSubscribe:   func(context.Context, *bayeux.Session, string, *bayeux.Message) error { stuck.pass(); return nil },
			OnUnsubscribe: func(*bayeux.Session, string, bayeux.Reason) { over.Add(1) },
		})
		c := s.connected(t, transport)
		stuck.on.Store(true)
		wantError(t, ask(t, c, `{"id":"1","channel":"/meta/subscribe","subscription":"/a"}`), "504::timeout")
		if n, _ := s.Publish(t.Context(), "/a", json.RawMessage(`1`)); n != 0 || over.Load() != 0 {
			t.Errorf("%d subscribers, %d notices before the hook agreed", n, over.Load())
		}
		stuck.remove()
		if n := over.Load(); n != 1 {
			t.Errorf("%d notices", n)
		}
	})
}

func TestThreatT54StuckServiceHandler(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		stuck := newObstacle()
		s := newSite(t, &bayeux.Options{MaxCalls: 1, MaxInterval: time.Hour})
		echo(t, s)
		if err := s.HandleService("/service/slow", func(context.Context, *bayeux.Session, *bayeux.Request) { stuck.pass() }); err != nil {
			t.Fatal(err)
		}
		c := s.connected(t, transport)
		stuck.on.Store(true)
		for range 4 {
			within(t, deadline, deadline+atOnce, func() {
				if r := callRemote(t, c, "slow", "1"); r.ok() || !strings.Contains(string(r.Data), "SERVER_ERROR") {
					t.Errorf("got %s", r)
				}
			})
		}
		within(t, 0, atOnce, func() {
			wantError(t, ask(t, c, `{"id":"9","channel":"/service/slow","data":1}`), "503::busy")
		})
		if n := stuck.waiting.Load(); n != 4 {
			t.Errorf("%d calls are stuck, want 4", n)
		}
		stuck.remove()
		within(t, 0, atOnce, func() {
			if r := callRemote(t, c, "echo", "7"); string(r.Data) != "7" {
				t.Errorf("got %s", r)
			}
		})
	})
}

// A client that hangs up must not undo what it sent.
func TestHookOutlivesItsClient(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSite(t, &bayeux.Options{
			GuardPublish: true,
			OnPublish: func(context.Context, *bayeux.Session, *bayeux.Message) (bool, error) {
				time.Sleep(time.Second)
				return false, nil
			},
		})
		listener, sender := s.connected(t, "websocket"), s.poller(t)
		hello(t, sender, "")
		subscribe(t, listener, "/a")
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if _, _, err := sender.post(ctx, say(sender, `{"id":"1","channel":"/a","data":7}`)); err == nil {
			t.Fatal("the request was answered")
		}
		wantNext(t, listener, "7")
	})
}
