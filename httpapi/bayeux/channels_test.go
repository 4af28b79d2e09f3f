package bayeux_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

func publish(t testing.TB, s *site, channel, data string) {
	t.Helper()
	if _, err := s.Publish(t.Context(), channel, json.RawMessage(data)); err != nil {
		t.Fatal(err)
	}
}

// wantNext checks the data of the next messages.
func wantNext(t testing.TB, c client, data ...string) {
	t.Helper()
	for _, want := range data {
		if m := c.next(t); string(m.Data) != want {
			t.Fatalf("want data %s, got %s", want, m)
		}
	}
}

// wantQuiet checks that nothing but the end of a connect comes.
func wantQuiet(t testing.TB, c client) {
	t.Helper()
	got := c.exchange(t, say(c, `{"id":"q","channel":"/meta/connect","advice":{"timeout":1000}}`))
	if k, ok := c.(*socketClient); ok {
		got = append(got, k.inbox...)
	}
	if len(got) != 1 || got[0].ID != "q" {
		t.Fatalf("unexpected %v", got)
	}
}

func TestDisconnect(t *testing.T) {
	item(t, "61 the rest of the batch is too late", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		got := c.exchange(t, say(c, `{"id":"1","channel":"/meta/disconnect"}`, `{"id":"2","channel":"/a","data":1}`))
		wantOK(t, find(t, got, "1"))
		wantError(t, find(t, got, "2"), "402::session_unknown")
	})
	item(t, "62 unknown session", nil, func(t *testing.T, s *site, transport string) {
		c := s.client(t, transport)
		c.setID("nobody")
		r := ask(t, c, `{"id":"1","channel":"/meta/disconnect"}`)
		wantError(t, r, "402::session_unknown")
		if r.Advice != nil {
			t.Fatalf("got %s", r)
		}
	})
	item(t, "63 the client closes the socket", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		wantOK(t, ask(t, c, `{"id":"1","channel":"/meta/disconnect"}`))
		hello(t, c, "")
	}, "websocket")
}

func TestSubscribe(t *testing.T) {
	item(t, "66 subscribing twice", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		subscribe(t, c, "/a")
		subscribe(t, c, "/a/")
		publish(t, s, "/a", "1")
		wantNext(t, c, "1")
		wantQuiet(t, c)
	})
	refuse := &bayeux.Options{Authorize: func(_ context.Context, _ *bayeux.Session, op bayeux.Operation, channel string, _ *bayeux.Message) error {
		switch {
		case strings.HasPrefix(channel, "/nocreate") && op == bayeux.OpCreate:
			return &bayeux.Refusal{Reason: "why not"}
		case strings.HasPrefix(channel, "/no"+string(op)):
			return errors.New("secret reason")
		case channel == "/panic":
			panic("boom")
		}
		return nil
	}}
	item(t, "67 all or none", refuse, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		wantError(t, ask(t, c, `{"id":"1","channel":"/meta/subscribe","subscription":["/a1","/nocreate/x","/a2"]}`), "403:why_not:create_denied")
		publish(t, s, "/a1", "1")
		wantQuiet(t, c)
		wantOK(t, ask(t, c, `{"id":"1","channel":"/meta/subscribe","subscription":["/a1","/a2"]}`))
		publish(t, s, "/a2", "2")
		wantNext(t, c, "2")
	})
	item(t, "68 and 85 errors", refuse, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		for message, want := range map[string]string{
			`{"channel":"/meta/subscribe"`:                               "403::subscription_missing",
			`{"channel":"/meta/subscribe","subscription":7`:              "403::subscription_invalid",
			`{"channel":"/meta/subscribe","subscription":["/a",7]`:       "403::subscription_invalid",
			`{"channel":"/meta/subscribe","subscription":"/a/*/b"`:       "403::subscription_invalid",
			`{"channel":"/meta/subscribe","subscription":"/a?"`:          "403::subscription_invalid",
			`{"channel":"/meta/subscribe","subscription":"/nocreate/a"`:  "403:why_not:create_denied",
			`{"channel":"/meta/subscribe","subscription":"/nosubscribe"`: "403:" + policy + ":subscribe_denied",
			`{"channel":"/meta/subscribe","subscription":"/panic"`:       "500::internal",
			`{"channel":"/meta/unsubscribe"`:                             "403::subscription_missing",
			`{"channel":"/meta/unsubscribe","subscription":"/meta/x"`:    "403::unsubscribe_failed",
			`{"channel":"/nocreate/a","data":1`:                          "403:why_not:channel_create_denied",
			`{"channel":"/nopublish","data":1`:                           "403:" + policy + ":publish_denied",
			`{"channel":"/panic","data":1`:                               "500::internal",
		} {
			wantError(t, ask(t, c, message+`,"id":"1"}`), want)
		}
	})
	item(t, "69 meta channels", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		for name, what := range map[string]string{
			"/meta/connect": "subscribe", "/meta": "subscribe", "/service": "subscribe", "/meta/*": "create", "/meta/**": "create",
		} {
			wantError(t, ask(t, c, `{"id":"1","channel":"/meta/subscribe","subscription":"`+name+`"}`), "403:"+policy+":"+what+"_denied")
		}
	})
	item(t, "70 service channels", &bayeux.Options{OnSubscribe: func(context.Context, *bayeux.Session, string, *bayeux.Message) error {
		return errors.New("must not be asked")
	}}, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		subscribe(t, c, "/service/foo")
		subscribe(t, c, "/service/**")
		for session := range s.Sessions() {
			if list := session.Subscriptions(); len(list) != 0 {
				t.Fatalf("subscribed to %v", list)
			}
		}
	})
	item(t, "71 wildcards", nil, func(t *testing.T, s *site, transport string) {
		one, deep, all := s.connected(t, transport), s.connected(t, transport), s.connected(t, transport)
		subscribe(t, one, "/foo/*")
		subscribe(t, deep, "/foo/**")
		subscribe(t, all, "/**")
		for i, channel := range []string{"/foo", "/foo/a", "/foo/a/b", "/bar"} {
			publish(t, s, channel, string(rune('0'+i)))
		}
		wantNext(t, one, "1")
		wantNext(t, deep, "1", "2")
		wantNext(t, all, "0", "1", "2", "3")
		for _, c := range []client{one, deep, all} {
			wantQuiet(t, c)
		}
	})
	item(t, "72 one copy", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		wantOK(t, ask(t, c, `{"id":"1","channel":"/meta/subscribe","subscription":["/**","/foo/*","/foo/**","/foo/a"]}`))
		publish(t, s, "/foo/a", "1")
		wantNext(t, c, "1")
		wantQuiet(t, c)
	})
	item(t, "76 unsubscribe", nil, func(t *testing.T, s *site, transport string) {
		c, other := s.connected(t, transport), s.connected(t, transport)
		subscribe(t, c, "/a")
		subscribe(t, other, "/others")
		wantError(t, ask(t, c, `{"id":"1","channel":"/meta/unsubscribe","subscription":["/a","/never"]}`), "400::channel_missing")
		publish(t, s, "/a", "1")
		wantNext(t, c, "1")
		for range 2 { // a client that got no reply sends it again
			wantOK(t, ask(t, c, `{"id":"1","channel":"/meta/unsubscribe","subscription":["/a","/others","/service/x"]}`))
		}
		publish(t, s, "/a", "1")
		wantQuiet(t, c)
	})
	t.Run("item 77 hooks", testSubscriptionHooks)
}

// testSubscriptionHooks checks that every agreed subscription ends exactly
// once, with the reason.
func testSubscriptionHooks(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		var mu sync.Mutex
		var log []string
		note := func(s string) { mu.Lock(); log = append(log, s); mu.Unlock() }
		s := newSite(t, &bayeux.Options{
			OnSession: func(*bayeux.Session) { note("open") },
			OnSubscribe: func(_ context.Context, session *bayeux.Session, channel string, _ *bayeux.Message) error {
				if channel == "/refused" {
					return &bayeux.Refusal{Reason: "full"}
				}
				note("+" + channel)
				p, _ := bayeux.Prepare(channel, json.RawMessage(`"catch-up"`), nil)
				return session.Deliver(p)
			},
			OnUnsubscribe:   func(_ *bayeux.Session, channel string, r bayeux.Reason) { note("-" + channel + " " + string(r)) },
			OnSessionClosed: func(_ *bayeux.Session, r bayeux.Reason) { note("closed " + string(r)) },
		})
		c := s.connected(t, transport)
		got := c.exchange(t, say(c, `{"id":"1","channel":"/meta/subscribe","subscription":"/a"}`))
		if transport == "websocket" {
			got = append([]*message{c.next(t)}, got...)
		}
		if len(got) != 2 || string(got[0].Data) != `"catch-up"` {
			t.Fatalf("got %v", got)
		}
		wantError(t, ask(t, c, `{"id":"1","channel":"/meta/subscribe","subscription":["/b","/refused"]}`), "403:full:subscribe_denied")
		ask(t, c, `{"id":"1","channel":"/meta/subscribe","subscription":"/c"}`)
		ask(t, c, `{"id":"1","channel":"/meta/unsubscribe","subscription":"/c"}`)
		ask(t, c, `{"id":"1","channel":"/meta/disconnect"}`)
		synctest.Wait()
		want := "open +/a +/b -/b unsubscribed +/c -/c unsubscribed -/a disconnect closed disconnect"
		mu.Lock()
		defer mu.Unlock()
		if text := strings.Join(log, " "); text != want {
			t.Fatalf("got  %s\nwant %s", text, want)
		}
		if n := s.Stats().Channels; n != 0 {
			t.Fatalf("%d channels left", n)
		}
	})
}

func TestPublish(t *testing.T) {
	item(t, "79 and 80 acknowledgement and delivery", nil, func(t *testing.T, s *site, transport string) {
		a, b := s.connected(t, transport), s.connected(t, transport)
		subscribe(t, b, "/a/b")
		if r := ask(t, a, `{"id":"7","channel":"/a/b","data":{"z":1,"a":2}}`); r.raw != `{"id":"7","channel":"/a/b","successful":true}` {
			t.Fatalf("got %s", r)
		}
		if m := b.next(t); m.raw != `{"channel":"/a/b","data":{"z":1,"a":2}}` {
			t.Fatalf("got %s", m)
		}
	})
	hide := &bayeux.Options{Channels: []bayeux.ChannelRule{{Pattern: "/quiet/**", HideOwnMessages: true}}}
	item(t, "81 own messages", hide, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		subscribe(t, c, "/**")
		c.exchange(t, say(c, `{"id":"1","channel":"/quiet/a","data":1}`))
		wantQuiet(t, c)
		if got := c.exchange(t, say(c, `{"id":"1","channel":"/loud","data":2}`)); transport == "websocket" {
			wantNext(t, c, "2")
		} else if len(got) != 2 {
			t.Fatalf("got %v", got)
		}
	})
	item(t, "81 own messages of a session", nil, func(t *testing.T, s *site, transport string) {
		c, other := s.connected(t, transport), s.connected(t, transport)
		subscribe(t, c, "/a")
		subscribe(t, other, "/a")
		for session := range s.Sessions() {
			session.SetHideOwnMessages(session.ID() == c.id())
		}
		c.exchange(t, say(c, `{"id":"1","channel":"/a","data":1}`))
		wantNext(t, other, "1")
		wantQuiet(t, c)
		for session := range s.Sessions() {
			session.SetHideOwnMessages(false)
		}
		if got := c.exchange(t, say(c, `{"id":"1","channel":"/a","data":2}`)); len(got) == 1 {
			wantNext(t, c, "2")
		}
	})
	item(t, "131 one session in connects only", nil, func(t *testing.T, s *site, transport string) {
		c, other := s.connected(t, transport).(*socketClient), s.connected(t, transport)
		subscribe(t, c, "/a")
		subscribe(t, other, "/a")
		of := func(id string) *bayeux.Session {
			for session := range s.Sessions() {
				if session.ID() == id {
					return session
				}
			}
			return nil
		}
		of(c.id()).SetConnectOnly(true)
		publish(t, s, "/a", "1")
		wantNext(t, other, "1")
		synctest.Wait()
		c.write(t, say(c, `{"id":"k","channel":"/meta/connect"}`))
		if got := c.read(t); len(got) != 2 || string(got[0].Data) != "1" || got[1].ID != "k" {
			t.Errorf("got %v", got)
		}
		publish(t, s, "/a", "2")
		of(c.id()).SetConnectOnly(false)
		wantNext(t, c, "2")
	}, "websocket")
	item(t, "82 to 86 where one may publish", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		for channel, want := range map[string]string{
			"/foo/*": "405::channel_invalid", "/foo/**": "405::channel_invalid", "/a/*/b": "405::channel_invalid",
			"/meta/foo": "403:" + policy + ":channel_create_denied", "/meta": "403:" + policy + ":channel_create_denied",
			"/service": "403:" + policy + ":publish_denied", "/service/unknown": "404::service_unknown",
		} {
			wantError(t, ask(t, c, `{"id":"1","channel":"`+channel+`","data":1}`), want)
		}
		c.setID("")
		r := ask(t, c, `{"id":"1","channel":"/a","data":1}`)
		wantError(t, r, "402::session_unknown")
		if r.Advice != nil {
			t.Errorf("got %s", r)
		}
	})
	item(t, "85 handled and vetoed", &bayeux.Options{OnPublish: func(_ context.Context, _ *bayeux.Session, m *bayeux.Message) (bool, error) {
		switch m.Channel {
		case "/handled":
			return true, nil
		case "/veto":
			return false, errors.New("no")
		case "/words":
			return false, &bayeux.Refusal{Reason: "closed"}
		}
		return false, nil
	}}, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		subscribe(t, c, "/**")
		wantOK(t, ask(t, c, `{"id":"1","channel":"/handled","data":1}`))
		wantError(t, ask(t, c, `{"id":"1","channel":"/veto","data":1}`), "404::message_deleted")
		wantError(t, ask(t, c, `{"id":"1","channel":"/words","data":1}`), "403:closed:publish_denied")
		wantQuiet(t, c)
	})
	item(t, "90 order", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		subscribe(t, c, "/a")
		var want []string
		for i := range 200 {
			data, _ := json.Marshal(i)
			want = append(want, string(data))
			publish(t, s, "/a", string(data))
		}
		wantNext(t, c, want...)
	})
	item(t, "91 to 93 channel names", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		for _, name := range []string{"/a", "/a b!#$()*+-.@_{~}", "/foo/", "/foo/b*", "/foo/***", "/foo/{id}", "/1/2/3/4/5/6/7/8", "/eXo/Application/WebConferencing/user/john.smith"} {
			if r := ask(t, c, `{"id":"1","channel":"`+name+`","data":1}`); !r.ok() || r.Channel != name {
				t.Errorf("%s: %s", name, r)
			}
		}
		for _, name := range []string{"", "a", "/", "//", "/a//b", "/ ", "/a/ /b", "/a?", "/a&b", "/a%2f", `/a\\b`, "/é", "/аb", "/a:b", "/a,b", "/../x", "/x/.",
			"/1/2/3/4/5/6/7/8/9", "/" + strings.Repeat("a", 255), `/a\u0000`, `/a\n`} {
			if r := ask(t, c, `{"id":"1","channel":"`+name+`","data":1}`); r.Error != "405::channel_invalid" {
				t.Errorf("%q: %s", name, r)
			}
		}
	})
}

func TestLazy(t *testing.T) {
	rules := &bayeux.Options{Channels: []bayeux.ChannelRule{{Pattern: "/lazy/**", Lazy: 5 * time.Second}, {Pattern: "/lazy/soon", Lazy: 2 * time.Second}}}
	item(t, "158 and 159 lazy messages wait", rules, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		subscribe(t, c, "/**")
		start := time.Now()
		publish(t, s, "/lazy/a", "1")
		publish(t, s, "/lazy/soon", "2")
		wantNext(t, c, "1", "2")
		if d := time.Since(start); d != 2*time.Second {
			t.Errorf("came after %v", d)
		}
		start = time.Now()
		publish(t, s, "/lazy/a", "3")
		publish(t, s, "/prompt", "4")
		wantNext(t, c, "3", "4")
		if d := time.Since(start); d != 0 {
			t.Errorf("came after %v", d)
		}
	})
	item(t, "160 direct delivery is prompt", rules, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		start := time.Now()
		for session := range s.Sessions() {
			p, err := s.Prepare("/lazy/a", json.RawMessage("1"), nil)
			if err != nil {
				t.Fatal(err)
			}
			_ = session.Deliver(p)
		}
		wantNext(t, c, "1")
		if d := time.Since(start); d != 0 {
			t.Errorf("came after %v", d)
		}
	})
	item(t, "163 batch", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		subscribe(t, c, "/a")
		wait := begin(t, c)
		for session := range s.Sessions() {
			session.Batch(func() {
				publish(t, s, "/a", "1")
				synctest.Wait()
				publish(t, s, "/a", "2")
			})
		}
		// On a WebSocket the connect goes on being held.
		if got := wait(); len(got) < 2 || string(got[0].Data) != "1" || string(got[1].Data) != "2" {
			t.Fatalf("got %v", got)
		}
	})
}

func TestFilters(t *testing.T) {
	rules := &bayeux.Options{Channels: []bayeux.ChannelRule{
		{Pattern: "/markup", Filters: []bayeux.DataFilter{bayeux.NoMarkup()}},
		{Pattern: "/script", Filters: []bayeux.DataFilter{bayeux.NoScripts()}},
		{Pattern: "/drop", Filters: []bayeux.DataFilter{func(context.Context, *bayeux.Session, string, json.RawMessage) (json.RawMessage, error) {
			return nil, nil
		}}},
		{Pattern: "/broken", Filters: []bayeux.DataFilter{func(context.Context, *bayeux.Session, string, json.RawMessage) (json.RawMessage, error) {
			return json.RawMessage(`{`), nil
		}}},
	}}
	item(t, "164 filters", rules, func(t *testing.T, s *site, transport string) {
		a, b := s.connected(t, transport), s.connected(t, transport)
		subscribe(t, b, "/**")
		wantOK(t, ask(t, a, `{"id":"1","channel":"/markup","data":{"<k>":["<b>\u003ci\"",1e400]}}`))
		m := b.next(t)
		var data map[string][]any
		if err := json.Unmarshal([]byte(strings.Replace(string(m.Data), "1e400", "1", 1)), &data); err != nil || data["<k>"][0] != `&lt;b&gt;&lt;i"` || !strings.Contains(m.raw, "1e400") {
			t.Errorf("got %s, %v", m, err)
		}
		wantOK(t, ask(t, a, `{"id":"1","channel":"/script","data":"<SCRIPT>x</script>"}`))
		var text string
		if m := b.next(t); json.Unmarshal(m.Data, &text) != nil || text != "<span>x</span>" {
			t.Errorf("got %s", m)
		}
		wantError(t, ask(t, a, `{"id":"1","channel":"/drop","data":1}`), "404::message_deleted")
		wantError(t, ask(t, a, `{"id":"1","channel":"/broken","data":1}`), "404::message_deleted")
	})
}

func TestRemoteCalls(t *testing.T) {
	item(t, "170 to 176 answers", nil, func(t *testing.T, s *site, transport string) {
		answers := map[string]bayeux.ServiceHandler{
			"/service/echo":   func(_ context.Context, _ *bayeux.Session, r *bayeux.Request) { _ = r.Reply(r.Data) },
			"/service/null":   func(_ context.Context, _ *bayeux.Session, r *bayeux.Request) { _ = r.Reply(nil) },
			"/service/fail":   func(_ context.Context, _ *bayeux.Session, r *bayeux.Request) { _ = r.Fail(json.RawMessage(`"no"`)) },
			"/service/silent": func(context.Context, *bayeux.Session, *bayeux.Request) {},
			"/service/panic":  func(context.Context, *bayeux.Session, *bayeux.Request) { panic("secret") },
			"/service/forever": func(ctx context.Context, _ *bayeux.Session, _ *bayeux.Request) {
				<-ctx.Done()
				time.Sleep(9 * time.Second)
			},
			"/service/twice": func(_ context.Context, _ *bayeux.Session, r *bayeux.Request) {
				_ = r.Reply(json.RawMessage(`1`))
				if err := r.Reply(json.RawMessage(`2`)); !errors.Is(err, bayeux.ErrAnswered) {
					t.Errorf("second answer: %v", err)
				}
			},
			"/service/bad": func(_ context.Context, _ *bayeux.Session, r *bayeux.Request) {
				if err := r.Reply(json.RawMessage(`{`)); !errors.Is(err, bayeux.ErrData) {
					t.Errorf("bad answer: %v", err)
				}
			},
			"/service/contacts/{id}": func(_ context.Context, _ *bayeux.Session, r *bayeux.Request) {
				_ = r.Reply(json.RawMessage(`"` + r.Param("id") + `"`))
			},
		}
		for pattern, h := range answers {
			if err := s.HandleService(pattern, h); err != nil {
				t.Fatal(err)
			}
		}
		c := s.connected(t, transport)
		broken := `{"code":"SERVER_ERROR","message":"The request failed.","error":true}`
		for call, want := range map[string]string{
			"echo": `true{"q":[1]}`, "null": `truenull`, "fail": `false"no"`, "silent": "false" + broken, "panic": "false" + broken,
			"forever": "false" + broken, "twice": "true1", "bad": "false" + broken, "contacts/ann": `true"ann"`,
		} {
			got := callRemote(t, c, call, `{"q":[1]}`)
			if text := strings.SplitN(got.raw, `"successful":`, 2)[1]; text != strings.Replace(want, "e", `e,"data":`, 1)+"}" {
				t.Errorf("%s: got %s", call, got.raw)
			}
			if got.Channel != "/service/"+call || got.ID != "9" {
				t.Errorf("%s: got %s", call, got.raw)
			}
		}
		wantError(t, ask(t, c, `{"id":"1","channel":"/service/nobody","data":1}`), "404::service_unknown")
	})
	item(t, "174 calls start in order", &bayeux.Options{MaxCalls: 1, MaxPendingCalls: 3}, func(t *testing.T, s *site, transport string) {
		var mu sync.Mutex
		var order []string
		release := make(chan struct{})
		err := s.HandleService("/service/**", func(_ context.Context, _ *bayeux.Session, r *bayeux.Request) {
			mu.Lock()
			order = append(order, string(r.Data))
			mu.Unlock()
			<-release
			_ = r.Reply(nil)
		})
		if err != nil {
			t.Fatal(err)
		}
		c := s.connected(t, transport)
		var refused int
		for _, data := range []string{"0", "1", "2", "3", "4", "5"} {
			if r := ask(t, c, `{"id":"1","channel":"/service/x","data":`+data+`}`); r.Error == "403:limit:publish_denied" {
				refused++
			}
			synctest.Wait()
		}
		close(release)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(order, []string{"0", "1", "2", "3"}) || refused != 2 {
			t.Errorf("order %v, %d refused", order, refused)
		}
	})
}

// callRemote makes a remote call and returns its result.
func callRemote(t testing.TB, c client, name, data string) *message {
	t.Helper()
	got := c.exchange(t, say(c, `{"id":"9","channel":"/service/`+name+`","data":`+data+`}`))
	for _, m := range got {
		if strings.Contains(m.raw, `"data":`) {
			return m
		}
	}
	wantOK(t, last(got))
	return c.next(t)
}
