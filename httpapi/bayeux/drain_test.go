package bayeux_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// stopping shuts the site down and returns where its end, and how long it took,
// is told.
func (s *site) stopping(t *testing.T, ctx context.Context) <-chan time.Duration {
	t.Helper()
	ended := make(chan time.Duration, 1)
	begun := time.Now()
	go func() {
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		ended <- time.Since(begun)
	}()
	synctest.Wait()
	return ended
}

// wantGoingAway checks how a WebSocket ends.
func wantGoingAway(t *testing.T, c client) {
	t.Helper()
	if k, ok := c.(*socketClient); ok {
		if code := k.closeCode(t); code != 1001 {
			t.Errorf("close code %d", code)
		}
	}
}

// TestShutdownDelivers checks that a client gets on both transports what waits
// for it when the server ends.
func TestShutdownDelivers(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		s := newSite(t, nil)
		c := s.connected(t, transport)
		subscribe(t, c, "/a")
		publish(t, s, "/a", `1`)
		publish(t, s, "/a", `2`)
		ended := s.stopping(t, t.Context())
		wantNext(t, c, `1`, `2`)
		wantGoingAway(t, c)
		if d := <-ended; d >= 2*time.Second {
			t.Errorf("the end took %v", d)
		}
	})
}

// TestShutdownAwaitsAcknowledgement lets the response that carried a message get
// lost: the server is there until the client says that it has it.
func TestShutdownAwaitsAcknowledgement(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSite(t, nil)
		c := s.poller(t)
		hello(t, c, `,"ext":{"ack":true}`)
		subscribe(t, c, "/a")
		publish(t, s, "/a", `1`)
		ended := s.stopping(t, t.Context())
		for _, ack := range []string{"0", "0", "2"} {
			list := c.exchange(t, say(c, `{"id":"p","channel":"/meta/connect","connectionType":"long-polling","ext":{"ack":`+ack+`}}`))
			if got := string(list[0].Data); ack == "0" && got != "1" || ack != "0" && len(list) != 1 {
				t.Fatalf("after ack %s: %v", ack, list)
			}
			synctest.Wait()
		}
		if d := <-ended; d >= 2*time.Second {
			t.Errorf("the end took %v", d)
		}
	})
}

// TestShutdownRefusesWhatIsNew checks what clients hear while one of them is
// still to get something.
func TestShutdownRefusesWhatIsNew(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		s := newSite(t, nil)
		gate := make(chan struct{})
		err := s.HandleService("/service/gate", func(_ context.Context, _ *bayeux.Session, r *bayeux.Request) {
			<-gate
			_ = r.Reply(r.Data)
		})
		if err != nil {
			t.Fatal(err)
		}
		c := s.connected(t, transport)
		if r := one(t, c.exchange(t, say(c, `{"id":"g","channel":"/service/gate","data":7}`))); !r.ok() {
			t.Fatalf("call: %s", r)
		}
		ended := s.stopping(t, t.Context())
		for _, object := range []string{
			`{"id":"x","channel":"/a","data":1}`, `{"id":"x","channel":"/service/gate","data":1}`, `{"id":"x","channel":"/meta/subscribe","subscription":"/a"}`,
		} {
			if r := one(t, c.exchange(t, say(c, object))); r.ok() || r.Error != "503::shutdown" {
				t.Errorf("%s: %s", object, r)
			}
		}
		stranger := s.poller(t)
		for _, body := range []string{
			`[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"]}]`,
			`[{"channel":"/meta/connect","clientId":"unknown","connectionType":"long-polling"}]`,
		} {
			if status, text, err := stranger.post(t.Context(), body); err != nil || status != http.StatusServiceUnavailable || !strings.Contains(string(text), `"shutdown"`) {
				t.Errorf("%s: status %d, %s, %v", body, status, text, err)
			}
		}
		if _, err := s.NewLocalSession(bayeux.Identity{}, nil); err == nil {
			t.Error("a local session was made")
		}
		close(gate)
		if m := c.next(t); string(m.Data) != "7" || m.ID != "g" {
			t.Errorf("the call that was accepted brought %s", m)
		}
		<-ended
	})
}

// TestShutdownAwaitsPublishers has a message on its way to a client for whom
// nothing waits yet when the server ends.
func TestShutdownAwaitsPublishers(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		gate := make(chan struct{})
		s := newSite(t, &bayeux.Options{OnPublish: func(context.Context, *bayeux.Session, *bayeux.Message) (bool, error) {
			<-gate
			return false, nil
		}})
		from, to := s.connected(t, transport), s.connected(t, transport)
		subscribe(t, to, "/a")
		sent := make(chan *message, 1)
		go func() { sent <- one(t, from.exchange(t, say(from, `{"id":"x","channel":"/a","data":1}`))) }()
		synctest.Wait()
		ended := s.stopping(t, t.Context())
		time.Sleep(time.Second)
		close(gate)
		if r := <-sent; !r.ok() {
			t.Errorf("publish: %s", r)
		}
		wantNext(t, to, `1`)
		<-ended
	})
}

// TestShutdownHastensLazyMessages checks that they do not wait for company.
func TestShutdownHastensLazyMessages(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		s := newSite(t, &bayeux.Options{Channels: []bayeux.ChannelRule{{Pattern: "/a", Lazy: time.Hour}}})
		c := s.connected(t, transport)
		subscribe(t, c, "/a")
		publish(t, s, "/a", `1`)
		ended := s.stopping(t, t.Context())
		wantNext(t, c, `1`)
		wantGoingAway(t, c)
		if d := <-ended; d >= 2*time.Second {
			t.Errorf("the end took %v", d)
		}
	})
}

// TestShutdownGrace checks how long a client that does not come back is waited
// for.
func TestShutdownGrace(t *testing.T) {
	for _, c := range []struct {
		name         string
		grace, limit time.Duration
		message      bool
		want         time.Duration
	}{
		{name: "nothing to wait for"},
		{name: "as by default", message: true, want: 2 * time.Second},
		{name: "own", grace: 5 * time.Second, message: true, want: 5 * time.Second},
		{name: "none", grace: -1, message: true},
		{name: "half of the context's time", limit: time.Second, message: true, want: time.Second / 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newSite(t, &bayeux.Options{ShutdownGrace: c.grace})
				gone := s.connected(t, "long-polling")
				subscribe(t, gone, "/a")
				if c.message {
					publish(t, s, "/a", `1`)
				}
				ctx := t.Context()
				if c.limit > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.limit)
					defer cancel()
				}
				if d := <-s.stopping(t, ctx); d != c.want {
					t.Errorf("the end took %v, want %v", d, c.want)
				}
			})
		})
	}
}
