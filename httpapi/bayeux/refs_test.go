package bayeux_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// wantLine checks that exactly one line of the log has the reference, and what
// else it says.
func wantLine(t testing.TB, log *syncBuffer, ref string, words ...string) {
	t.Helper()
	if len(ref) != 12 {
		t.Errorf("reference %q", ref)
		return
	}
	found := 0
	for line := range strings.Lines(log.String()) {
		if !strings.Contains(line, "ref="+ref) {
			continue
		}
		found++
		for _, word := range words {
			if !strings.Contains(line, word) {
				t.Errorf("no %q in %s", word, line)
			}
		}
	}
	if found != 1 {
		t.Errorf("reference %s is in %d lines of %s", ref, found, log.String())
	}
}

func refOf(raw json.RawMessage) string { return strings.Trim(string(raw), `"`) }

// brokenHistory fails as if its database were away.
type brokenHistory struct{}

func (brokenHistory) Record(context.Context, string, json.RawMessage) (json.RawMessage, error) {
	return nil, errors.New("disk full")
}

func (brokenHistory) Since(context.Context, string, int64) ([]json.RawMessage, error) {
	return nil, errors.New("disk gone")
}

// faultyOptions are those of an application that fails in many ways.
func faultyOptions(log *syncBuffer) *bayeux.Options {
	fail := func(m *bayeux.Message, where string) {
		if m.StringField("panic") == where {
			_ = m.SetReplyExt("ref", json.RawMessage(`"mine"`))
			panic("boom in " + where)
		}
	}
	return &bayeux.Options{
		Logger: slog.New(slog.NewTextHandler(log, nil)), CallTimeout: time.Second, History: brokenHistory{},
		Authenticate: func(ctx context.Context, _ *http.Request, m *bayeux.Message) (bayeux.Identity, error) {
			switch fail(m, "Authenticate"); m.StringField("user") {
			case "late":
				<-ctx.Done()
				return bayeux.Identity{}, ctx.Err()
			case "refused":
				return bayeux.Identity{}, errors.New("no such user")
			case "words":
				return bayeux.Identity{}, &bayeux.Refusal{Reason: "locked"}
			}
			return bayeux.Identity{User: "ann"}, nil
		},
		Incoming: func(_ context.Context, _ *bayeux.Session, m *bayeux.Message) error { fail(m, "Incoming"); return nil },
		Authorize: func(ctx context.Context, _ *bayeux.Session, _ bayeux.Operation, channel string, m *bayeux.Message) error {
			if fail(m, "Authorize"); channel == "/late" {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		},
		OnSubscribe: func(_ context.Context, _ *bayeux.Session, _ string, m *bayeux.Message) error {
			fail(m, "OnSubscribe")
			return nil
		},
		OnPublish: func(_ context.Context, _ *bayeux.Session, m *bayeux.Message) (bool, error) {
			fail(m, "OnPublish")
			return false, nil
		},
		Channels: []bayeux.ChannelRule{{Pattern: "/broken/filter", Filters: []bayeux.DataFilter{
			func(context.Context, *bayeux.Session, string, json.RawMessage) (json.RawMessage, error) {
				return json.RawMessage(`{`), nil
			},
		}}},
	}
}

func TestReferences(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		var log syncBuffer
		s := newSite(t, faultyOptions(&log))
		c := s.connected(t, transport)
		for _, test := range []struct{ message, want, line string }{
			{`"channel":"/a","data":1,"panic":"Incoming"`, "500::internal", "boom in Incoming"},
			{`"channel":"/a","data":1,"panic":"Authorize"`, "500::internal", "boom in Authorize"},
			{`"channel":"/a","data":1,"panic":"OnPublish"`, "500::internal", "boom in OnPublish"},
			{`"channel":"/meta/subscribe","subscription":"/a","panic":"Incoming"`, "500::internal", "boom in Incoming"},
			{`"channel":"/meta/subscribe","subscription":"/a","panic":"Authorize"`, "500::internal", "boom in Authorize"},
			{`"channel":"/meta/subscribe","subscription":"/a","panic":"OnSubscribe"`, "500::internal", "boom in OnSubscribe"},
			{`"channel":"/meta/subscribe","subscription":"/late"`, "504::timeout", "hook=Authorize"},
			{`"channel":"/late","data":1`, "504::timeout", "hook=Authorize"},
			{`"channel":"/a","data":1`, "404::message_deleted", "disk full"},
			{`"channel":"/broken/filter","data":1`, "404::message_deleted", "channel=/broken/filter"},
			{`"channel":"/meta/subscribe","subscription":"/a","ext":{"replay":{"/a":-2}}`, "500::internal", "disk gone"},
		} {
			r := ask(t, c, `{"id":"1",`+test.message+`}`)
			wantError(t, r, test.want)
			wantLine(t, &log, refOf(r.Ext["ref"]), test.line)
			if strings.Count(r.raw, `"ref"`) != 1 || strings.Contains(r.raw, "boom") || strings.Contains(r.raw, "disk") {
				t.Errorf("got %s", r)
			}
		}
		// What is the client's own fault has none.
		got := c.exchange(t, say(c, `{"id":"1","channel":"/a","data":1,"panic":"Incoming"}`, `{"id":"2","channel":"/a/*","data":1}`))
		if r := find(t, got, "2"); r.Ext != nil {
			t.Errorf("got %s", r)
		}
	})
}

func TestReferencesOfHandshakes(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		var log syncBuffer
		s := newSite(t, faultyOptions(&log))
		c := s.client(t, transport)
		shake := func(fields string) *message {
			return one(t, c.exchange(t, `[{"id":"1","channel":"/meta/handshake","version":"1.0",`+fields+`}]`))
		}
		r := shake(`"user":"refused"`)
		wantError(t, r, "403::handshake_denied")
		wantLine(t, &log, refOf(r.Ext["ref"]), "no such user")
		if r = shake(`"user":"words"`); r.Ext != nil {
			t.Errorf("a refusal in the application's words is nothing to look for: %s", r)
		}
		r = shake(`"panic":"Authenticate"`)
		wantError(t, r, "500::internal")
		wantLine(t, &log, refOf(r.Ext["ref"]), "boom in Authenticate")
		late := `[{"id":"1","channel":"/meta/handshake","version":"1.0","user":"late"}]`
		if k, ok := c.(*socketClient); ok {
			k.write(t, late)
			code, reason := k.closing(t)
			name, ref, _ := strings.Cut(reason, " ")
			if code != 1013 || name != "hook_timeout" {
				t.Errorf("closed with %d %s", code, reason)
			}
			wantLine(t, &log, ref, "hook=Authenticate")
			return
		}
		status, text, _ := s.request(t, http.MethodPost, late)
		var fault struct{ Error, RequestID string }
		if err := json.Unmarshal([]byte(text), &fault); err != nil || status != http.StatusGatewayTimeout || fault.Error != "hook_timeout" {
			t.Errorf("got %d %s", status, text)
		}
		wantLine(t, &log, fault.RequestID, "hook=Authenticate")
	})
}

func TestReferencesOfCalls(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		var log syncBuffer
		s := newSite(t, &bayeux.Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), CallTimeout: time.Second})
		err := s.HandleService("/service/{how}", func(ctx context.Context, _ *bayeux.Session, r *bayeux.Request) {
			switch r.Param("how") {
			case "panic":
				panic("boom")
			case "late":
				<-ctx.Done()
				time.Sleep(time.Second) // does not heed it
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		c := s.connected(t, transport)
		for how, line := range map[string]string{"panic": "boom", "late": "did not return in time", "silent": "gave no answer"} {
			got := c.exchange(t, say(c, `{"id":"7","channel":"/service/`+how+`","data":1}`))
			for got[0].Data == nil {
				got = []*message{c.next(t)}
			}
			var data struct{ Ref, Code string }
			if err := json.Unmarshal(got[0].Data, &data); err != nil || data.Code != "SERVER_ERROR" {
				t.Fatalf("got %s", got[0])
			}
			wantLine(t, &log, data.Ref, line, "/service/"+how)
		}
	})
}

// TestReferencesAreBounded checks that a client that has found a way to cause a
// panic does not fill the log with it.
func TestReferencesAreBounded(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		var log syncBuffer
		s := newSite(t, faultyOptions(&log))
		c := s.connected(t, transport)
		named := 0
		for range 20 {
			list := make([]string, 25)
			for i := range list {
				list[i] = fmt.Sprintf(`{"id":"%d","channel":"/a","data":1,"panic":"OnPublish"}`, i)
			}
			for _, r := range c.exchange(t, say(c, list...)) {
				if wantError(t, r, "500::internal"); refOf(r.Ext["ref"]) != "" && refOf(r.Ext["ref"]) != "mine" {
					named++
				}
			}
		}
		if lines := strings.Count(log.String(), "boom in OnPublish"); lines != 100 || named != lines || s.Stats().Panics != 500 {
			t.Errorf("%d lines, %d references, %d panics", lines, named, s.Stats().Panics)
		}
		time.Sleep(time.Second)
		r := ask(t, c, `{"id":"1","channel":"/a","data":1,"panic":"OnPublish"}`)
		wantLine(t, &log, refOf(r.Ext["ref"]), "dropped=400")
	})
}

// TestLinesAreShort checks that a client cannot fill the log by long names.
func TestLinesAreShort(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log syncBuffer
		s := newSite(t, &bayeux.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if status, _, _ := s.request(t, http.MethodPost, "[]", "Origin: https://"+strings.Repeat("o", 100_000)); status != http.StatusForbidden {
			t.Errorf("status %d", status)
		}
		if n := len(log.String()); n == 0 || n > 2000 {
			t.Errorf("%d bytes were logged", n)
		}
	})
}

// brokenHandler is a log handler that always fails.
type brokenHandler struct{ slog.Handler }

func (brokenHandler) Enabled(context.Context, slog.Level) bool  { return true }
func (brokenHandler) Handle(context.Context, slog.Record) error { panic("no disk") }

// brokenPosition is a history that cannot tell places.
type brokenPosition struct{ *bayeux.MemoryHistory }

func (brokenPosition) Position(string) (int64, bool) { panic("no place") }

// TestPanicsOutsideOfRequests has the application's code fail where no request
// could be refused for it, its log handler above all.
func TestPanicsOutsideOfRequests(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		h, err := bayeux.NewMemoryHistory(nil)
		if err != nil {
			t.Fatal(err)
		}
		s := newSite(t, &bayeux.Options{
			Logger: slog.New(brokenHandler{}), History: brokenPosition{h}, Timeout: 2 * time.Second,
			ClientAddr: func(r *http.Request) string {
				if r.Header.Get("X-Panic") != "" {
					panic("no address")
				}
				return ""
			},
		})
		c := s.client(t, transport)
		hello(t, c, `,"ext":{"replay":true}`)
		subscribe(t, c, "/a")
		for range 2 {
			list := begin(t, c)()
			wantOK(t, last(list))
		}
		if n := s.Stats().Panics; n != 2 {
			t.Errorf("%d panics", n)
		}
		conn, _, response := rawSocket(t, s, "X-Panic: 1")
		if response.StatusCode != http.StatusInternalServerError {
			t.Errorf("status %d", response.StatusCode)
		}
		_ = conn.Close()
		publish(t, s, "/a", "1")
	})
}

// TestRefusedSitesAreExplained checks that who is refused as another site can find
// out why, a host with a wrong proxy or a program with cookies above all.
func TestRefusedSitesAreExplained(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log syncBuffer
		s := newSite(t, &bayeux.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		jsonp := &site{Server: s.Server, url: s.url + "?jsonp=f&message=%5B%5D", transport: s.transport}
		for _, c := range []struct {
			site         *site
			method, line string
			header       []string
		}{
			{s, http.MethodPost, "proxy has to pass Host on", []string{"Origin: https://other.example"}},
			{s, http.MethodPost, "of another site", []string{"Sec-Fetch-Site: cross-site"}},
			{jsonp, http.MethodGet, "callback-polling", []string{"Sec-Fetch-Site: cross-site"}},
			{s, http.MethodGet, "sets it to the server's own", []string{
				"Cookie: a=b", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
			}},
		} {
			status, text, _ := c.site.request(t, c.method, "", c.header...)
			var fault struct{ Error, RequestID string }
			if err := json.Unmarshal([]byte(text), &fault); err != nil || status != http.StatusForbidden || fault.Error != "cross_site" {
				t.Errorf("status %d, %s, %v", status, text, err)
			}
			wantLine(t, &log, fault.RequestID, c.line, "host=portal.example")
		}
		if n := strings.Count(log.String(), "level=WARN msg=\"bayeux: refused"); n != 1 {
			t.Errorf("%d warnings: %s", n, log.String())
		}
	})
}
