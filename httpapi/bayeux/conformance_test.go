package bayeux_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// item runs the test of one item of the conformance list on both transports,
// or on those that are named, each with a server of its own in virtual time.
func item(t *testing.T, number string, o *bayeux.Options, f func(t *testing.T, s *site, transport string), only ...string) {
	t.Helper()
	if only == nil {
		only = transports
	}
	t.Run("item "+number, func(t *testing.T) {
		for _, transport := range only {
			t.Run(transport, func(t *testing.T) {
				bubble(t, func(t *testing.T) { f(t, newSite(t, o), transport) })
			})
		}
	})
}

func echo(t testing.TB, s *site) {
	t.Helper()
	err := s.HandleService("/service/echo", func(_ context.Context, _ *bayeux.Session, r *bayeux.Request) {
		_ = r.Reply(r.Data)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t testing.TB, m *message, text string) {
	t.Helper()
	if m.Successful == nil || *m.Successful || m.Error != text {
		t.Fatalf("want error %q, got %s", text, m)
	}
}

func wantOK(t testing.TB, m *message) {
	t.Helper()
	if !m.ok() || m.Error != "" {
		t.Fatalf("want success, got %s", m)
	}
}

// ask sends one message of the client and returns its reply.
func ask(t testing.TB, c client, object string) *message {
	t.Helper()
	return last(c.exchange(t, say(c, object)))
}

func subscribe(t testing.TB, c client, channel string) {
	t.Helper()
	wantOK(t, ask(t, c, `{"id":"s","channel":"/meta/subscribe","subscription":"`+channel+`"}`))
}

// find returns the message with that id.
func find(t testing.TB, list []*message, id string) *message {
	t.Helper()
	for _, m := range list {
		if m.ID == id {
			return m
		}
	}
	t.Fatalf("no message with id %q in %v", id, list)
	return nil
}

const policy = "denied_by_security_policy"

func TestEnvelope(t *testing.T) {
	item(t, "1 bare object", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		wantOK(t, last(c.exchange(t, strings.Trim(say(c, `{"id":"1","channel":"/a","data":1}`), "[]"))))
	})
	item(t, "2 failure is HTTP 200 and an array", nil, func(t *testing.T, s *site, transport string) {
		c := s.client(t, transport)
		wantError(t, one(t, c.exchange(t, `[{"id":"1","channel":"/meta/connect","clientId":"x"}]`)), "402::session_unknown")
	})
	item(t, "5 one bad message leaves the others alone", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		got := c.exchange(t, say(c, `{"id":"1","channel":[]}`, `{"id":"2","channel":"/a//b","data":1}`, `{"id":"3","channel":"/ok","data":1}`,
			`{"id":"4","channel":"/meta/connect","advice":7}`, `{"id":"5","channel":"/a/*/b","data":1}`))
		wantError(t, find(t, got, "1"), "405::channel_invalid")
		wantError(t, find(t, got, "2"), "405::channel_invalid")
		wantOK(t, find(t, got, "3"))
		wantError(t, find(t, got, "4"), "400::advice_invalid")
		wantError(t, find(t, got, "5"), "405::channel_invalid")
	})
	item(t, "6 channel missing", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		r := ask(t, c, `{"id":"1"}`)
		wantError(t, r, "400::channel_missing")
		if r.Channel != "" {
			t.Fatalf("reply names a channel: %s", r)
		}
	})
	item(t, "7 id", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		for sent, want := range map[string]string{`"aZ9"`: "aZ9", `9`: "9", `null`: ""} {
			if r := ask(t, c, `{"id":`+sent+`,"channel":"/a","data":1}`); !r.ok() || r.ID != want {
				t.Errorf("id %s: %s", sent, r)
			}
		}
		for _, sent := range []string{`""`, `"a-b"`, `1.5`, `-1`, `{}`, `true`, `"` + strings.Repeat("a", 65) + `"`} {
			if r := ask(t, c, `{"id":`+sent+`,"channel":"/a","data":1}`); r.Error != "405::message_id_invalid" {
				t.Errorf("id %s: %s", sent, r)
			}
		}
	})
	item(t, "9 replies carry no clientId", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		got := c.exchange(t, say(c, `{"id":"1","channel":"/meta/subscribe","subscription":"/a"}`, `{"id":"2","channel":"/a","data":1}`, `{"id":"3","channel":"/meta/connect"}`))
		for _, m := range got {
			if strings.Contains(m.raw, "clientId") || strings.Contains(m.raw, c.id()) {
				t.Errorf("session id leaks: %s", m)
			}
		}
	})
	item(t, "10 data of every kind", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		subscribe(t, c, "/a")
		for _, data := range []string{`null`, `false`, `0`, `""`, `[]`, `{"b":1,"a":{"x":[1e400,-0,12345678901234567890]}}`, `"\u2028 \ud83d\ude00 é"`} {
			got := c.exchange(t, say(c, `{"id":"1","channel":"/a","data":`+data+`}`))
			m := got[0]
			if transport == "websocket" || m.Data == nil && data != "null" {
				m = c.next(t)
			}
			if !strings.Contains(m.raw, `"data":`+data+`}`) {
				t.Errorf("data %s became %s", data, m.raw)
			}
		}
		wantError(t, ask(t, c, `{"id":"1","channel":"/a"}`), "400::data_missing")
	})
	item(t, "11 ext of any kind", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		for _, ext := range []string{`7`, `null`, `{}`, `{"x":{"y":1}}`, `[]`} {
			wantOK(t, ask(t, c, `{"id":"1","channel":"/a","data":1,"ext":`+ext+`}`))
		}
	})
	item(t, "12 advice counts in connects only", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		wantOK(t, ask(t, c, `{"id":"1","channel":"/a","data":1,"advice":"x"}`))
	})
	item(t, "14 subscription is echoed", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		for _, sub := range []string{`"/a"`, `["/a","/b/*"]`, `7`, `{"x":1}`, `"/a/"`} {
			if r := ask(t, c, `{"id":"1","channel":"/meta/subscribe","subscription":`+sub+`}`); compact(t, r.Subscription) != sub {
				t.Errorf("sent %s, got %s", sub, r)
			}
		}
	})
	item(t, "15 successful is always there", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		for _, kind := range []string{"subscribe", "unsubscribe"} {
			wantError(t, ask(t, c, `{"id":"1","channel":"/meta/`+kind+`","subscription":[]}`), "403::subscription_invalid")
		}
	})
	item(t, "17 control fields stay with the publisher", &bayeux.Options{PrivateFields: []string{"exoToken"}}, func(t *testing.T, s *site, transport string) {
		a, b := s.connected(t, transport), s.connected(t, transport)
		subscribe(t, b, "/a")
		wantOK(t, ask(t, a, `{"id":"7","channel":"/a","data":1,"foo":{"x":1},"timestamp":"t","advice":{"reconnect":"none"},"successful":false,"error":"x","exoToken":"secret","ext":{"ack":5,"binary":{}}}`))
		m := b.next(t)
		if want := `{"channel":"/a","foo":{"x":1},"timestamp":"t","ext":{"binary":{}},"data":1}`; m.raw != want {
			t.Fatalf("got  %s\nwant %s", m.raw, want)
		}
	})
	item(t, "22 order of replies", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		var list []string
		for i := range 60 {
			list = append(list, fmt.Sprintf(`{"id":"%d","channel":"/x","data":1}`, i))
		}
		for i, m := range c.exchange(t, say(c, list...)) {
			if m.ID != fmt.Sprint(i) {
				t.Fatalf("reply %d has id %s", i, m.ID)
			}
		}
	})
	item(t, "22 order of replies with a connect", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		got := c.exchange(t, say(c, `{"id":"1","channel":"/x","data":1}`, `{"id":"2","channel":"/meta/connect"}`,
			`{"id":"3","channel":"/meta/subscribe","subscription":"/y"}`, `{"id":"4","channel":"/y","data":1}`))
		var ids string
		for _, m := range got {
			ids += m.ID
		}
		if ids != "1234" || got[0].Channel != "/y" {
			t.Fatalf("got %v", got)
		}
	}, "long-polling")
	item(t, "23 one session a batch", nil, func(t *testing.T, s *site, transport string) {
		a, b := s.connected(t, transport), s.connected(t, transport)
		body := strings.TrimSuffix(say(a, `{"id":"1","channel":"/a","data":1}`), "]") + "," + strings.TrimPrefix(say(b, `{"id":"2","channel":"/a","data":1}`), "[")
		got := a.exchange(t, body)
		wantOK(t, find(t, got, "1"))
		wantError(t, find(t, got, "2"), "402::session_unknown")
		got = a.exchange(t, `[{"id":"0","channel":"/a","data":1,"clientId":"nobody"},`+strings.TrimPrefix(say(b, `{"id":"1","channel":"/a","data":1}`), "["))
		wantError(t, find(t, got, "0"), "402::session_unknown")
		wantError(t, find(t, got, "1"), "402::session_unknown")
	})
	item(t, "24 queue before replies", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		got := c.exchange(t, say(c, `{"id":"1","channel":"/meta/subscribe","subscription":"/a"}`, `{"id":"2","channel":"/a","data":1}`))
		if len(got) != 3 || got[0].Channel != "/a" || got[0].Data == nil || got[1].ID != "1" || got[2].ID != "2" {
			t.Fatalf("got %v", got)
		}
	}, "long-polling")
}

func TestHandshake(t *testing.T) {
	item(t, "25 reply", nil, func(t *testing.T, s *site, transport string) {
		r := hello(t, s.client(t, transport), "")
		if r.Version != "1.0" || len(r.ClientID) < 26 || !slices.Equal(r.Types, []string{"websocket", "long-polling"}) ||
			r.Advice["reconnect"] != "retry" || r.Advice["timeout"] != 30000.0 || r.Advice["interval"] != 0.0 {
			t.Fatalf("got %s", r)
		}
	})
	item(t, "27 negotiation", nil, func(t *testing.T, s *site, transport string) {
		c := s.client(t, transport)
		for fields, want := range map[string]string{
			`"version":"99.0","minimumVersion":"99.0","supportedConnectionTypes":["websocket","long-polling"]`: "300::version_mismatch",
			`"version":"0.9"`: "300::version_mismatch",
			`"version":"1.0","supportedConnectionTypes":["carrier-pigeon"]`:                          "301::connection_types_not_supported",
			`"version":"1.0","supportedConnectionTypes":7`:                                           "301::connection_types_not_supported",
			`"version":"1.0","minimumVersion":"0.9","supportedConnectionTypes":["x","long-polling"]`: "",
			`"version":"1.0","supportedConnectionTypes":[]`:                                          "301::connection_types_not_supported",
			`"version":"1.0","supportedConnectionTypes":[1,{},"long-polling"]`:                       "",
			`"version":"1.0","supportedConnectionTypes":null`:                                        "",
			`"version":"1.0"`: "",
		} {
			r := one(t, c.exchange(t, `[{"id":"1","channel":"/meta/handshake",`+fields+`}]`))
			if r.Error != want || r.ok() != (want == "") || want != "" && (r.ClientID != "" || r.Advice["reconnect"] != "none") {
				t.Errorf("%s: %s", fields, r)
			}
		}
	})
	item(t, "29 always a new session", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		old := c.id()
		r := one(t, c.exchange(t, `[{"id":"1","channel":"/meta/handshake","version":"1.0","clientId":"`+old+`"}]`))
		if !r.ok() || r.ClientID == old {
			t.Fatalf("got %s", r)
		}
	})
	item(t, "30 maxInterval", &bayeux.Options{AdviseMaxInterval: true}, func(t *testing.T, s *site, transport string) {
		if r := hello(t, s.client(t, transport), ""); r.Advice["maxInterval"] != 10000.0 {
			t.Fatalf("got %s", r)
		}
	})
	item(t, "31 handshake is alone", nil, func(t *testing.T, s *site, transport string) {
		c := s.client(t, transport)
		got := c.exchange(t, `[{"id":"0","channel":"/a","data":1},{"id":"1","channel":"/meta/handshake","version":"1.0"},{"id":"2","channel":"/meta/subscribe","subscription":"/a"}]`)
		wantError(t, find(t, got, "0"), "400::protocol_violation")
		wantOK(t, find(t, got, "1"))
		wantError(t, find(t, got, "2"), "400::protocol_violation")
	})
	denied := &bayeux.Options{Authenticate: func(_ context.Context, _ *http.Request, m *bayeux.Message) (bayeux.Identity, error) {
		switch user := m.StringField("exoId"); user {
		case "quiet":
			return bayeux.Identity{}, errors.New("database password is hunter2")
		case "words":
			return bayeux.Identity{}, &bayeux.Refusal{Reason: "bad token", Ext: json.RawMessage(`{"why":1}`), Retry: true}
		case "panic":
			panic("boom")
		default:
			return bayeux.Identity{User: user}, nil
		}
	}}
	item(t, "32 denied", denied, func(t *testing.T, s *site, transport string) {
		c := s.client(t, transport)
		shake := func(user string) *message {
			return one(t, c.exchange(t, `[{"id":"1","channel":"/meta/handshake","version":"1.0","exoId":"`+user+`"}]`))
		}
		r := shake("quiet")
		wantError(t, r, "403::handshake_denied")
		if r.Advice["reconnect"] != "none" || r.ClientID != "" || strings.Contains(r.raw, "hunter2") {
			t.Errorf("got %s", r)
		}
		r = shake("words")
		wantError(t, r, "403:bad_token:handshake_denied")
		if r.Advice["reconnect"] != "retry" || string(r.Ext["why"]) != "1" {
			t.Errorf("got %s", r)
		}
		wantError(t, shake(""), "403::handshake_denied")
		wantError(t, shake("panic"), "500::internal")
		wantOK(t, shake("mary"))
		if n := len(s.UserSessions("mary")); n != 1 {
			t.Errorf("%d sessions of mary", n)
		}
		wantError(t, one(t, c.exchange(t, `[{"id":"1","channel":"/meta/connect","clientId":"nobody"}]`)), "402::session_unknown")
	})
	item(t, "34 veto", &bayeux.Options{Incoming: func(_ context.Context, _ *bayeux.Session, m *bayeux.Message) error {
		if _, found := m.Ext("veto"); found {
			return errors.New("no")
		}
		return nil
	}}, func(t *testing.T, s *site, transport string) {
		wantError(t, one(t, s.client(t, transport).exchange(t, `[{"id":"1","channel":"/meta/handshake","version":"1.0","ext":{"veto":1}}]`)), "404::message_deleted")
		c := s.connected(t, transport)
		wantError(t, ask(t, c, `{"id":"1","channel":"/a","data":1,"ext":{"veto":1}}`), "404::message_deleted")
	})
	item(t, "36 cookie", nil, func(t *testing.T, s *site, _ string) {
		r, _ := http.NewRequest(http.MethodPost, s.url, strings.NewReader(`[{"id":"1","channel":"/meta/handshake","version":"1.0"}]`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Cookie", "BAYEUX_BROWSER=planted")
		response, err := s.transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		cookies := response.Cookies()
		if len(cookies) != 1 || cookies[0].Value == "planted" || !cookies[0].HttpOnly || cookies[0].Path != "/" {
			t.Fatalf("cookies %v", cookies)
		}
	}, "long-polling")
	greet := func(o bayeux.Options) *bayeux.Options {
		o.OnSession = func(s *bayeux.Session) {
			for i := range 2 {
				p, _ := bayeux.Prepare("/welcome", json.RawMessage(fmt.Sprint(i)), nil)
				_ = s.Deliver(p)
			}
		}
		return &o
	}
	item(t, "37 delivery during handshake", greet(bayeux.Options{DeliverDuringHandshake: true}), func(t *testing.T, s *site, transport string) {
		c := s.client(t, transport)
		got := c.exchange(t, `[{"id":"1","channel":"/meta/handshake","version":"1.0"}]`)
		if !strings.Contains(got[0].raw, `"x-messages":2`) {
			t.Fatalf("got %v", got)
		}
		if transport == "websocket" {
			got = append(got, c.next(t), c.next(t))
		}
		if len(got) != 3 || string(got[1].Data) != "0" || string(got[2].Data) != "1" {
			t.Fatalf("got %v", got)
		}
	})
	item(t, "37 delivery after handshake", greet(bayeux.Options{}), func(t *testing.T, s *site, transport string) {
		c := s.client(t, transport)
		got := c.exchange(t, `[{"id":"1","channel":"/meta/handshake","version":"1.0"}]`)
		if strings.Contains(got[0].raw, "x-messages") || len(got) != 1 {
			t.Fatalf("got %v", got)
		}
		c.setID(got[0].ClientID)
		if m := c.next(t); string(m.Data) != "0" {
			t.Fatalf("got %s", m)
		}
	})
	item(t, "39 after a failed handshake", denied, func(t *testing.T, s *site, transport string) {
		c := s.client(t, transport)
		c.exchange(t, `[{"id":"1","channel":"/meta/handshake","version":"1.0","exoId":"quiet"}]`)
		wantError(t, ask(t, c, `{"id":"1","channel":"/a","data":1}`), "402::session_unknown")
	})
}

func TestConnect(t *testing.T) {
	connect := `{"id":"1","channel":"/meta/connect","connectionType":"long-polling"}`
	item(t, "41 connection type", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		for _, kind := range []string{`"pigeon"`, `""`, `5`, `[]`} {
			wantError(t, ask(t, c, `{"id":"1","channel":"/meta/connect","connectionType":`+kind+`}`), "301::connection_types_not_supported")
		}
		for _, advice := range []string{`{"timeout":0,"interval":null}`, `{"timeout":0}`} {
			wantOK(t, ask(t, c, `{"id":"1","channel":"/meta/connect","connectionType":null,"advice":`+advice+`}`))
		}
	})
	item(t, "43 first connect is not held", nil, func(t *testing.T, s *site, transport string) {
		c := s.client(t, transport)
		r := one(t, c.exchange(t, `[{"id":"h","channel":"/meta/handshake","version":"1.0"}]`))
		c.setID(r.ClientID)
		start := time.Now()
		wantOK(t, ask(t, c, connect))
		if d := time.Since(start); d > time.Second {
			t.Fatalf("held for %v", d)
		}
	})
	item(t, "44 hold", &bayeux.Options{Timeout: 20 * time.Second, MaxTimeout: 40 * time.Second}, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		for advice, want := range map[string]time.Duration{
			``: 20 * time.Second, `,"advice":{"timeout":5000}`: 5 * time.Second, `,"advice":{"timeout":-1}`: 20 * time.Second,
			`,"advice":{"timeout":0}`: 0, `,"advice":{"timeout":864000000000}`: 40 * time.Second, `,"advice":{"timeout":1e300}`: 40 * time.Second,
		} {
			start := time.Now()
			r := ask(t, c, `{"id":"1","channel":"/meta/connect"`+advice+`}`)
			wantOK(t, r)
			if d := time.Since(start); d != want {
				t.Errorf("advice %s held for %v", advice, d)
			}
			if (r.Advice != nil) != (advice != "") || r.Advice != nil && r.Advice["timeout"] != 20000.0 {
				t.Errorf("advice %s got %s", advice, r)
			}
		}
	})
	item(t, "45 interval", &bayeux.Options{MaxClientInterval: 20 * time.Second}, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		for sent, want := range map[string]float64{`500`: 500, `864000000`: 20000, `-1`: 0} {
			if r := ask(t, c, `{"id":"1","channel":"/meta/connect","advice":{"timeout":0,"interval":`+sent+`}}`); r.Advice["interval"] != want {
				t.Errorf("interval %s: %s", sent, r)
			}
		}
	})
	item(t, "46 new times are advised", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		for session := range s.Sessions() {
			session.SetTimeout(3 * time.Second)
			session.SetInterval(time.Second)
		}
		start := time.Now()
		r := ask(t, c, connect)
		if time.Since(start) != 3*time.Second || r.Advice["timeout"] != 3000.0 || r.Advice["interval"] != 1000.0 {
			t.Errorf("after %v: %s", time.Since(start), r)
		}
		if r := ask(t, c, connect); r.Advice != nil {
			t.Errorf("advised twice: %s", r)
		}
	})
	item(t, "48 batched connect returns at once", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		start := time.Now()
		for _, body := range []string{
			say(c, connect, `{"id":"2","channel":"/meta/subscribe","subscription":"/a"}`),
			say(c, `{"id":"2","channel":"/a","data":1}`, connect),
			say(c, connect, `{"id":"2","channel":"/meta/connect"}`),
		} {
			for _, m := range c.exchange(t, body) {
				if m.Data == nil {
					wantOK(t, m)
				}
			}
		}
		if d := time.Since(start); d > time.Second {
			t.Fatalf("took %v", d)
		}
	})
	item(t, "49 a message wakes the connect", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport).(*poller)
		subscribe(t, c, "/a")
		time.AfterFunc(7*time.Second, func() { _, _ = s.Publish(context.Background(), "/a", json.RawMessage(`1`)) })
		start := time.Now()
		got := c.poll(t)
		if time.Since(start) != 7*time.Second || len(got) != 2 || got[0].Channel != "/a" || got[1].ID != "p" {
			t.Fatalf("after %v: %v", time.Since(start), got)
		}
	}, "long-polling")
	item(t, "50 own publish does not wake the connect", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport).(*poller)
		subscribe(t, c, "/a")
		held := inBackground(func() []*message { return c.poll(t) })
		time.Sleep(time.Second)
		if got := c.exchange(t, say(c, `{"id":"1","channel":"/a","data":1}`)); len(got) != 2 || got[0].Data == nil {
			t.Fatalf("got %v", got)
		}
		if got := <-held; len(got) != 1 {
			t.Fatalf("the connect got %v", got)
		}
	}, "long-polling")
	item(t, "51 overtaken connect", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport).(*poller)
		status := make(chan int, 1)
		go func() {
			code, _, _ := c.post(t.Context(), say(c, connect))
			status <- code
		}()
		time.Sleep(time.Second)
		start := time.Now()
		got := c.poll(t)
		if code := <-status; code != http.StatusInternalServerError {
			t.Errorf("overtaken connect got status %d", code)
		}
		wantOK(t, one(t, got))
		if d := time.Since(start); d != 30*time.Second {
			t.Errorf("new connect held for %v", d)
		}
	}, "long-polling")
	item(t, "52 overtaken connect", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport).(*socketClient)
		c.write(t, say(c, `{"id":"a","channel":"/meta/connect"}`))
		time.Sleep(time.Second)
		c.write(t, say(c, `{"id":"b","channel":"/meta/connect"}`))
		r := c.next(t)
		wantError(t, r, "408::connect_overtaken")
		if r.ID != "a" || r.Advice["reconnect"] != "retry" {
			t.Errorf("got %s", r)
		}
		if r := c.next(t); r.ID != "b" || !r.ok() {
			t.Errorf("got %s", r)
		}
	}, "websocket")
	item(t, "53 unknown session", nil, func(t *testing.T, s *site, transport string) {
		c := s.client(t, transport)
		c.setID("nobody")
		r := ask(t, c, connect)
		wantError(t, r, "402::session_unknown")
		if r.Advice["reconnect"] != "handshake" || r.Advice["interval"] != 0.0 {
			t.Fatalf("got %s", r)
		}
	})
	item(t, "54 disconnect while held", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		if p, ok := c.(*poller); ok {
			held := inBackground(func() []*message { return p.poll(t) })
			time.Sleep(time.Second)
			wantOK(t, ask(t, c, `{"id":"1","channel":"/meta/disconnect"}`))
			r := one(t, <-held)
			wantOK(t, r)
			if r.Advice["reconnect"] != "none" {
				t.Fatalf("got %s", r)
			}
			return
		}
		k := c.(*socketClient)
		k.write(t, say(c, `{"id":"c","channel":"/meta/connect"}`))
		got := k.exchange(t, say(c, `{"id":"d","channel":"/meta/disconnect"}`))
		got = append(got, k.next(t))
		wantOK(t, find(t, got, "d"))
		if r := find(t, got, "c"); !r.ok() || r.Advice["reconnect"] != "none" {
			t.Fatalf("got %v", got)
		}
	})
	item(t, "55 kicked while held", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		time.AfterFunc(time.Second, func() {
			for session := range s.Sessions() {
				session.Kick()
			}
		})
		var got []*message
		if p, ok := c.(*poller); ok {
			got = p.poll(t)
		} else {
			k := c.(*socketClient)
			k.write(t, say(c, `{"id":"p","channel":"/meta/connect"}`))
			got = append(got, k.next(t), k.next(t))
		}
		if len(got) != 2 || got[0].Channel != "/meta/disconnect" || !got[0].ok() || got[1].Advice["reconnect"] != "none" || !got[1].ok() {
			t.Fatalf("got %v", got)
		}
	})
	item(t, "55 kicked between connects", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		for session := range s.Sessions() {
			session.Kick()
		}
		r := ask(t, c, connect)
		wantError(t, r, "402::session_unknown")
		if r.Advice["reconnect"] != "none" {
			t.Fatalf("got %s", r)
		}
	}, "long-polling")
	item(t, "56 dead poll loses nothing", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport).(*poller)
		subscribe(t, c, "/a")
		ctx, cancel := context.WithCancel(t.Context())
		gone := inBackground(func() error { _, _, err := c.post(ctx, say(c, connect)); return err })
		time.Sleep(time.Second)
		cancel()
		<-gone
		time.Sleep(time.Millisecond)
		_, _ = s.Publish(t.Context(), "/a", json.RawMessage(`1`))
		if got := c.poll(t); len(got) != 2 || string(got[0].Data) != "1" {
			t.Fatalf("got %v", got)
		}
	}, "long-polling")
	item(t, "58 shutdown", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		if p, ok := c.(*poller); ok {
			held := inBackground(func() []*message { return p.poll(t) })
			time.Sleep(time.Second)
			s.close(t)
			if r := one(t, <-held); !r.ok() || r.Advice["reconnect"] != "retry" {
				t.Fatalf("got %s", r)
			}
			return
		}
		k := c.(*socketClient)
		k.write(t, say(c, `{"id":"c","channel":"/meta/connect"}`))
		time.Sleep(time.Second)
		closing := inBackground(func() error { s.close(t); return nil })
		if r := k.next(t); !r.ok() || r.Advice["reconnect"] != "retry" {
			t.Fatalf("got %s", r)
		}
		if code := k.closeCode(t); code != 1001 {
			t.Fatalf("closed with %d", code)
		}
		<-closing
	})
	item(t, "59 from HTTP to WebSocket", nil, func(t *testing.T, s *site, _ string) {
		p := s.connected(t, "long-polling")
		subscribe(t, p, "/a")
		k := s.socket(t, nil)
		k.setID(p.id())
		if r := ask(t, k, `{"id":"1","channel":"/meta/connect","connectionType":"websocket","advice":{"timeout":0}}`); !r.ok() || r.Advice == nil {
			t.Fatalf("got %s", r)
		}
		_, _ = s.Publish(t.Context(), "/a", json.RawMessage(`1`))
		if m := k.next(t); string(m.Data) != "1" {
			t.Fatalf("got %s", m)
		}
	}, "websocket")
}

// inBackground runs f in a goroutine and returns where its result comes.
func inBackground[T any](f func() T) <-chan T {
	c := make(chan T, 1)
	go func() { c <- f() }()
	return c
}
