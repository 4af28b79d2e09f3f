package bayeux

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"
)

// These targets are inside the package, because what they feed is not
// exported.

var seedBodies = []string{
	`[{"id":"1","channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"],"ext":{"ack":true}}]`,
	`[{"id":"2","channel":"/meta/connect","clientId":"x","advice":{"timeout":0,"interval":1e3},"ext":{"ack":-1}}]`,
	`[{"id":3,"channel":"/meta/subscribe","clientId":"x","subscription":["/a","/b/**"],"ext":{"replay":{"/a":"-2"}}},{}]`,
	`{"channel":"/a/","data":{"k":[1,-0.5e-7,true,null,"\ud83d\ude00\u2028"]},"advice":{"reconnect":"none"},"x":{}}`,
	`[{"channel":"/service/echo","data":null,"ext":{"timesync":{"tc":1,"l":2,"o":3}}}]`, `[[[]]]`, `{"a":1,"\u0061":2}`, "\ufeff[]",
}

func FuzzDecoder(f *testing.F) {
	for _, body := range seedBodies {
		f.Add([]byte(body))
	}
	o := (*Options)(nil).withDefaults()
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := decodeBatch(body, &o)
		if err != nil {
			return
		}
		if !json.Valid(body) || !utf8.Valid(body) {
			t.Fatalf("accepted %q", body)
		}
		if len(list) == 0 || len(list) > o.MaxBatch {
			t.Fatalf("%d messages", len(list))
		}
		for _, m := range list {
			var want map[string]json.RawMessage
			raw := body
			if len(list) == 1 && bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
				if err := json.Unmarshal(raw, &want); err != nil || len(want) != len(members(m.raw)) {
					t.Fatalf("%d fields, want %d: %v", len(members(m.raw)), len(want), err)
				}
				for name, value := range want {
					if name == "clientId" {
						continue // is not shown
					}
					if got, ok := m.Field(name); !ok || !bytes.Equal(got, bytes.TrimSpace(value)) {
						t.Fatalf("field %q is %q, want %q", name, got, value)
					}
				}
			}
			if m.fault == "" && m.Channel == "" {
				t.Fatalf("no channel and no fault: %q", body)
			}
			if out := (&reply{to: m}).encode(); !json.Valid(out) {
				t.Fatalf("reply %q is not JSON", out)
			}
		}
	})
}

func FuzzStrings(f *testing.F) {
	f.Add("a\"\\\u2028<\x00é\xff")
	f.Fuzz(func(t *testing.T, s string) {
		var back string
		b := appendString(nil, s)
		if err := json.Unmarshal(b, &back); err != nil || back != strings.ToValidUTF8(s, "\ufffd") && utf8.ValidString(s) {
			t.Fatalf("%q became %q: %v", s, b, err)
		}
		if text, ok := stringValue(b); !ok || text != back {
			t.Fatalf("%q was read as %q", b, text)
		}
		if out := rewriteStrings(b, func(s string) string { return s }); !json.Valid(out) {
			t.Fatalf("%q was rewritten to %q", b, out)
		}
	})
}

func FuzzChannel(f *testing.F) {
	for _, name := range []string{"/a", "/a/", "/a/*", "/a/**", "/*/a", "//", "/ ", "/meta/x", "/a/..", "/{id}/b"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got, ok := canonicalChannel(name, 255, 8)
		if !ok {
			return
		}
		if again, ok := canonicalChannel(got, 255, 8); !ok || again != got {
			t.Fatalf("%q is not stable: %q", got, again)
		}
		if strings.Contains(got, "//") || strings.ContainsAny(got, "\r\n\"\\<>?%&:;,") || len(got) > 255 || strings.HasSuffix(got, "/") {
			t.Fatalf("accepted %q", name)
		}
		if !isWildcard(got) && (!matches(got, got) || !matches("/**", got)) {
			t.Fatalf("%q does not match itself", got)
		}
	})
}

// FuzzBatch feeds whole requests to a server that has a session.
func FuzzBatch(f *testing.F) {
	for _, body := range seedBodies {
		f.Add([]byte(body))
	}
	history, err := NewMemoryHistory(nil)
	if err != nil {
		f.Fatal(err)
	}
	o := &Options{TrustClientSession: true, History: history, MaxHandshakesPerAddress: Unlimited, MaxMessageRate: Unlimited, MaxUnknownPerAddress: Unlimited, MaxSessions: 1 << 20}
	srv, err := New(o)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = srv.Shutdown(f.Context()) })
	post := func(body []byte) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		srv.ServeHTTP(w, r)
		return w
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var shaken []struct{ ClientID string }
		w := post([]byte(`[{"channel":"/meta/handshake","version":"1.0","ext":{"ack":true}}]`))
		if err := json.Unmarshal(w.Body.Bytes(), &shaken); err != nil {
			t.Fatal(err)
		}
		// The second connect would be held for its whole timeout.
		body = bytes.ReplaceAll(body, []byte(`"x"`), []byte(`"`+shaken[0].ClientID+`"`))
		if bytes.Contains(body, []byte("/connect")) && !bytes.Contains(body, []byte(`"timeout":0`)) {
			return
		}
		w = post(body)
		var replies []map[string]json.RawMessage
		switch w.Code {
		case http.StatusOK:
			if err := json.Unmarshal(w.Body.Bytes(), &replies); err != nil || len(replies) == 0 {
				t.Fatalf("%q: %v: %s", body, err, w.Body)
			}
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
			if !json.Valid(w.Body.Bytes()) {
				t.Fatalf("%q: %s", body, w.Body)
			}
		default:
			t.Fatalf("%q: status %d", body, w.Code)
		}
		if n := srv.stats.panics.Load(); n != 0 {
			t.Fatalf("%q: %d panics", body, n)
		}
		post([]byte(`[{"channel":"/meta/disconnect","clientId":"` + shaken[0].ClientID + `"}]`))
	})
}

// FuzzAck drives the queue of an acknowledging session: each byte queues a
// message, sends a batch or acknowledges one.
func FuzzAck(f *testing.F) {
	f.Add([]byte{0, 1, 0, 1, 10, 11, 255, 1})
	f.Fuzz(func(t *testing.T, program []byte) {
		q := queue{acking: true, batch: 1}
		p := encodeDelivery("/a", []byte("1"), nil)
		queued, confirmed := 0, 0
		for _, op := range program {
			switch {
			case op < 100:
				if !q.fits(p, 50, 1<<20) {
					continue
				}
				q.push(p, q.due())
				queued++
			case op < 150:
				before := len(q.entries)
				if got := q.take(int(op) * 10); len(got) == 0 && before > 0 || len(q.entries) != before {
					t.Fatalf("took %d of %d", len(got), before)
				}
				q.nextBatch()
			default:
				before := len(q.entries)
				sent := 0
				for _, e := range q.entries {
					if e.batch != 0 {
						sent++
					}
				}
				ok := q.acknowledge(int64(op) - 160)
				dropped := before - len(q.entries)
				if dropped > sent || !ok && dropped > 0 {
					t.Fatalf("dropped %d of %d that were sent", dropped, sent)
				}
				confirmed += dropped
			}
			if len(q.entries) != queued-confirmed || q.bytes != len(q.entries)*p.cost() {
				t.Fatalf("%d entries and %d bytes, want %d entries", len(q.entries), q.bytes, queued-confirmed)
			}
		}
	})
}
