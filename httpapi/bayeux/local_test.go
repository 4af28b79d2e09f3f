package bayeux_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// heard collects what a local session gets.
type heard struct {
	mu   sync.Mutex
	list []string
}

func (h *heard) add(d *bayeux.Delivery) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, d.Channel+" "+string(d.Data))
}

func (h *heard) want(t testing.TB, want ...string) {
	t.Helper()
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Equal(h.list, want) {
		t.Errorf("heard %q, want %q", h.list, want)
	}
	h.list = nil
}

func local(t testing.TB, s *site, user string, deliver func(*bayeux.Delivery)) *bayeux.LocalSession {
	t.Helper()
	l, err := s.NewLocalSession(bayeux.Identity{User: user}, deliver)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func wantRefusal(t testing.TB, err error, code int, text string) {
	t.Helper()
	var refusal *bayeux.Refusal
	if !errors.As(err, &refusal) || refusal.Code != code || refusal.Text != text {
		t.Errorf("got %v, want %d %s", err, code, text)
	}
}

func TestLocalSessions(t *testing.T) {
	item(t, "98 local sessions are not swept", &bayeux.Options{MaxInterval: time.Second, MaxInactivity: time.Second}, func(t *testing.T, s *site, transport string) {
		var got heard
		l := local(t, s, "", got.add)
		if err := l.Subscribe(t.Context(), "/a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		if n := s.Stats(); n.Sessions != 1 || n.Local != 1 || !l.Session().Connected() || l.Session().Transport() != "local" {
			t.Fatalf("got %+v", n)
		}
		c := s.connected(t, transport)
		wantOK(t, ask(t, c, `{"id":"1","channel":"/a","data":{"n":1}}`))
		got.want(t, `/a {"n":1}`)
		subscribe(t, c, "/b")
		if err := l.Publish(t.Context(), "/b", json.RawMessage(`12345678901234567890`)); err != nil {
			t.Fatal(err)
		}
		wantNext(t, c, "12345678901234567890")
		if err := l.Unsubscribe(t.Context(), "/a"); err != nil {
			t.Fatal(err)
		}
		publish(t, s, "/a", "2")
		got.want(t)
		l.Close()
		l.Close()
		<-l.Done()
		if n := s.Stats(); n.Local != 0 || !errors.Is(l.Publish(t.Context(), "/b", nil), bayeux.ErrClosed) || !errors.Is(l.Subscribe(t.Context(), "/b"), bayeux.ErrClosed) {
			t.Errorf("got %+v after the end", n)
		}
	})
	item(t, "165 local sessions ask the hooks", &bayeux.Options{
		DenyWildcards: true,
		Incoming: func(_ context.Context, _ *bayeux.Session, m *bayeux.Message) error {
			if m.Channel == "/vetoed" {
				return errors.New("no")
			}
			return nil
		},
		Authorize: func(_ context.Context, s *bayeux.Session, op bayeux.Operation, channel string, _ *bayeux.Message) error {
			if channel == "/"+string(op) && s.Identity().User == "bot" {
				return &bayeux.Refusal{Reason: "not_you"}
			}
			return nil
		},
		OnPublish: func(_ context.Context, _ *bayeux.Session, m *bayeux.Message) (bool, error) {
			return m.Channel == "/handled", nil
		},
		OnSubscribe: func(_ context.Context, _ *bayeux.Session, channel string, _ *bayeux.Message) error {
			if channel == "/late" {
				return errors.New("no")
			}
			return nil
		},
	}, func(t *testing.T, s *site, _ string) {
		var got heard
		l := local(t, s, "bot", got.add)
		ctx := t.Context()
		wantRefusal(t, l.Subscribe(ctx, "/subscribe"), 403, "subscribe_denied")
		wantRefusal(t, l.Subscribe(ctx, "/create"), 403, "create_denied")
		wantRefusal(t, l.Subscribe(ctx, "/ok", "/late"), 403, "subscribe_denied")
		wantRefusal(t, l.Subscribe(ctx, "/**"), 403, "subscribe_denied")
		wantRefusal(t, l.Subscribe(ctx, "/meta/x"), 403, "subscribe_denied")
		wantRefusal(t, l.Subscribe(ctx, "no channel?"), 403, "subscription_invalid")
		wantRefusal(t, l.Subscribe(ctx), 403, "subscription_invalid")
		wantRefusal(t, l.Publish(ctx, "/publish", nil), 403, "publish_denied")
		wantRefusal(t, l.Publish(ctx, "/vetoed", nil), 404, "message_deleted")
		wantRefusal(t, l.Publish(ctx, "/a/*", nil), 405, "channel_invalid")
		wantRefusal(t, l.Publish(ctx, "/service/none", nil), 404, "service_unknown")
		for _, channel := range []string{"/meta/handshake", "/meta/connect", "/meta/disconnect", "/meta/subscribe", "/meta/x"} {
			if err := l.Publish(ctx, channel, nil); !errors.Is(err, bayeux.ErrChannel) {
				t.Errorf("%s: %v", channel, err)
			}
		}
		for _, data := range []string{`{`, `1,"channel":"/x"`, ``, "\"\xff\""} {
			if err := l.Publish(ctx, "/a", json.RawMessage(data)); !errors.Is(err, bayeux.ErrData) {
				t.Errorf("%q: %v", data, err)
			}
		}
		if list := l.Session().Subscriptions(); len(list) != 0 {
			t.Errorf("subscribed to %v", list)
		}
		if err := errors.Join(l.Subscribe(ctx, "/handled", "/a"), l.Publish(ctx, "/handled", nil), l.Publish(ctx, "/a", nil)); err != nil {
			t.Error(err)
		}
		got.want(t, "/a null")
	}, "long-polling")
}

func TestLocalSessionCalls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSite(t, nil)
		echo(t, s)
		var inner *bayeux.LocalSession
		handlers := map[string]bayeux.ServiceHandler{
			"/service/fail":   func(_ context.Context, _ *bayeux.Session, r *bayeux.Request) { _ = r.Fail(json.RawMessage(`"no"`)) },
			"/service/silent": func(context.Context, *bayeux.Session, *bayeux.Request) {},
			"/service/nested": func(ctx context.Context, _ *bayeux.Session, r *bayeux.Request) {
				// Of the session that this call comes from.
				result, err := inner.Call(ctx, "/service/echo", json.RawMessage(`"deep"`))
				if err != nil {
					t.Error(err)
				}
				_ = r.Reply(result)
			},
			"/service/hang": func(ctx context.Context, _ *bayeux.Session, _ *bayeux.Request) { <-ctx.Done() },
		}
		for pattern, handler := range handlers {
			if err := s.HandleService(pattern, handler); err != nil {
				t.Fatal(err)
			}
		}
		inDeliver := make(chan string, 1)
		l := local(t, s, "bot", func(d *bayeux.Delivery) {
			result, err := inner.Call(t.Context(), "/service/echo", d.Data)
			inDeliver <- fmt.Sprint(string(result), err)
		})
		inner = l
		ctx := t.Context()
		for name, want := range map[string]string{"echo": "[1]", "nested": `"deep"`} {
			if got, err := l.Call(ctx, "/service/"+name, json.RawMessage(`[1]`)); err != nil || string(got) != want {
				t.Errorf("%s: %s, %v", name, got, err)
			}
		}
		for name, want := range map[string]string{"fail": `"no"`, "silent": `{"code":"SERVER_ERROR","message":"The request failed.","error":true}`} {
			_, err := l.Call(ctx, "/service/"+name, nil)
			var failure *bayeux.CallError
			if !errors.As(err, &failure) || string(failure.Data) != want {
				t.Errorf("%s: %v", name, err)
			}
		}
		_, err := l.Call(ctx, "/service/none", nil)
		wantRefusal(t, err, 404, "service_unknown")
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if _, err := l.Call(short, "/service/hang", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if err := l.Subscribe(ctx, "/a"); err != nil {
			t.Fatal(err)
		}
		publish(t, s, "/a", "5")
		if got := <-inDeliver; got != "5 <nil>" && got != "5<nil>" {
			t.Errorf("from deliver: %s", got)
		}
		time.AfterFunc(time.Second, l.Session().Kick)
		if _, err := l.Call(ctx, "/service/hang", nil); !errors.Is(err, bayeux.ErrClosed) {
			t.Errorf("got %v after a kick", err)
		}
	})
}

// TestLocalSessionSends checks messages with fields of the caller's choosing.
func TestLocalSessionSends(t *testing.T) {
	bubble(t, func(t *testing.T) {
		history, err := bayeux.NewMemoryHistory(nil)
		if err != nil {
			t.Fatal(err)
		}
		s := newSite(t, &bayeux.Options{
			History: history, RelayExt: []string{"kind"},
			OnPublish: func(_ context.Context, _ *bayeux.Session, m *bayeux.Message) (bool, error) {
				if token, _ := m.Ext("token"); m.Channel == "/private" && string(token) != `"secret"` {
					return false, &bayeux.Refusal{Reason: "wrong_token"}
				}
				return false, nil
			},
		})
		ctx := t.Context()
		var got heard
		l := local(t, s, "bot", func(d *bayeux.Delivery) {
			raw, _ := d.Field("ext")
			got.add(&bayeux.Delivery{Channel: d.Channel, Data: append(raw, d.Data...)})
		})
		for _, n := range []string{"1", "2"} {
			publish(t, s, "/old", `{"n":`+n+`}`)
		}
		fields := func(pairs ...string) map[string]json.RawMessage {
			m := make(map[string]json.RawMessage)
			for i := 0; i < len(pairs); i += 2 {
				m[pairs[i]] = json.RawMessage(pairs[i+1])
			}
			return m
		}
		if err := l.Send(ctx, "/meta/subscribe", fields("subscription", `["/old","/private"]`, "ext", `{"replay":{"/old":-2}}`)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(got.list) != 2 {
			t.Fatalf("replayed %q", got.list)
		}
		got.list = nil
		wantRefusal(t, l.Send(ctx, "/private", fields("data", `1`)), 403, "publish_denied")
		if err := l.Send(ctx, "/private", fields("data", `{}`, "ext", `{"token":"secret","kind":7}`)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(got.list) != 1 || !strings.HasPrefix(got.list[0], `/private {"kind":7}{"event"`) {
			t.Fatalf("got %q", got.list)
		}
		for _, name := range []string{"channel", "clientId", "id"} {
			if err := l.Send(ctx, "/a", fields("data", `1`, name, `"x"`)); !errors.Is(err, bayeux.ErrData) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, c := range []string{"/meta/handshake", "/meta/connect", "/meta/disconnect/", "/meta/x"} {
			if err := l.Send(ctx, c, nil); !errors.Is(err, bayeux.ErrChannel) {
				t.Errorf("%s: %v", c, err)
			}
		}
		for _, value := range []string{`{`, `1,"clientId":"x"`, ``, `"` + strings.Repeat("x", 70_000) + `"`} {
			if err := l.Send(ctx, "/a", fields("data", value)); !errors.Is(err, bayeux.ErrData) {
				t.Errorf("%.20q: %v", value, err)
			}
		}
	})
}

// A publish from a hook of the same session must not wait for itself.
func TestLocalSessionFromItsOwnHook(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var l *bayeux.LocalSession
		var got heard
		s := newSite(t, &bayeux.Options{OnPublish: func(ctx context.Context, _ *bayeux.Session, m *bayeux.Message) (bool, error) {
			if m.Channel == "/a" {
				return true, l.Publish(ctx, "/b", m.Data)
			}
			return false, nil
		}})
		l = local(t, s, "bot", got.add)
		if err := errors.Join(l.Subscribe(t.Context(), "/b"), l.Publish(t.Context(), "/a", json.RawMessage(`1`))); err != nil {
			t.Fatal(err)
		}
		got.want(t, "/b 1")
	})
}

func TestLocalSessionQueue(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var ended atomic.Value
		s := newSite(t, &bayeux.Options{MaxQueue: 100, MaxResponseBytes: 1024,
			OnSessionClosed: func(_ *bayeux.Session, reason bayeux.Reason) { ended.Store(reason) }})
		gate, next := make(chan struct{}), 0
		l := local(t, s, "bot", func(d *bayeux.Delivery) {
			if n, _ := strconv.Atoi(string(d.Data)); n != next {
				t.Errorf("got %s, want %d", d.Data, next)
			}
			next++
			switch next {
			case 7:
				panic("boom")
			case 9:
				runtime.Goexit()
			}
			<-gate
		})
		if err := l.Subscribe(t.Context(), "/a"); err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			publish(t, s, "/a", strconv.Itoa(i))
		}
		close(gate)
		synctest.Wait()
		if next != 100 || s.Stats().Panics != 1 {
			t.Fatalf("%d delivered, %d panics", next, s.Stats().Panics)
		}
		gate = make(chan struct{})
		for i := range 101 {
			publish(t, s, "/a", strconv.Itoa(100+i))
		}
		<-l.Done()
		close(gate)
		synctest.Wait()
		if ended.Load() != bayeux.ReasonSlow || next > 101 {
			t.Errorf("ended %v after %d", ended.Load(), next)
		}
	})
}

func TestLocalSessionsAndLimits(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		s := newSite(t, &bayeux.Options{MaxSessions: 3, MaxSessionsPerUser: 1, MaxInterval: time.Hour})
		l := local(t, s, "bot", nil)
		if _, err := s.NewLocalSession(bayeux.Identity{User: "bot"}, nil); !errors.As(err, new(*bayeux.Refusal)) {
			t.Errorf("a second session of the user: %v", err)
		}
		c := s.client(t, transport)
		c.setID(l.Session().ID())
		wantError(t, ask(t, c, `{"id":"1","channel":"/meta/connect"}`), "402::session_unknown")
		local(t, s, "", nil)
		s.connected(t, transport)
		if _, err := s.NewLocalSession(bayeux.Identity{}, nil); !errors.As(err, new(*bayeux.Refusal)) {
			t.Errorf("over MaxSessions: %v", err)
		}
		if got := s.UserSessions("bot"); len(got) != 1 || got[0] != l.Session() {
			t.Errorf("sessions of the user: %v", got)
		}
		s.close(t)
		<-l.Done()
		if _, err := s.NewLocalSession(bayeux.Identity{}, nil); !errors.Is(err, bayeux.ErrClosed) {
			t.Errorf("after Shutdown: %v", err)
		}
	})
}

func ExampleServer_NewLocalSession() {
	server, err := bayeux.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	defer func() { _ = server.Shutdown(ctx) }()

	arrived := make(chan string)
	reader, err := server.NewLocalSession(bayeux.Identity{User: "reader"}, func(d *bayeux.Delivery) {
		arrived <- d.Channel + ": " + string(d.Data)
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer reader.Close()
	writer, err := server.NewLocalSession(bayeux.Identity{User: "writer"}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer writer.Close()

	if err := reader.Subscribe(ctx, "/chat/*"); err != nil {
		fmt.Println(err)
	}
	if err := writer.Publish(ctx, "/chat/lobby", json.RawMessage(`{"text":"hello"}`)); err != nil {
		fmt.Println(err)
	}
	fmt.Println(<-arrived)
	// Output: /chat/lobby: {"text":"hello"}
}
