package httpapi_test

import (
	"bytes"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/connector/connectortest"
	"github.com/webconferencing/webconferencing/httpapi"
)

// providerWorld is a world whose last provider has every capability.
type providerWorld struct {
	*world
	sim *connectortest.Simulated
}

// newProviderWorld shares its description with another world, if there is one.
func newProviderWorld(t *testing.T, other *world) *world {
	return newSimulatedWorld(t, other, nil).world
}

func newSimulatedWorld(t *testing.T, other *world, log *slog.Logger) *providerWorld {
	t.Helper()
	sim := connectortest.NewSimulated(nil)
	o := unlimited()
	o.Logger = log
	w := newWorldWith(t, o, &webconferencing.Options{Providers: []webconferencing.Provider{sim}, Logger: log})
	if other != nil {
		w.spec = other.spec
	}
	return &providerWorld{w, sim}
}

// goodProviders are requests about providers, accounts and what providers add
// to calls.
func goodProviders(w *world) []goodRequest {
	body := func(o object) func() any { return func() any { return o } }
	list := func(n int) func(answer) any {
		return func(a answer) any { return strings.Count(string(a.raw), `"title"`) == n }
	}
	var state string
	return []goodRequest{
		{"root", "GET", "provider/simulated/settings-form", nil, func(a answer) any { return a.body["revision"] == 0.0 }},
		{"root", "PUT", "provider/simulated/settings-form", body(object{"values": object{"title": "Ours", "api_secret": "hush", "size": nil}, "revision": 0}), func(a answer) any {
			return a.body["revision"] == 1.0 && !strings.Contains(string(a.raw), "hush") && strings.Contains(string(a.raw), `"value":"Ours"`)
		}},
		{"root", "POST", "provider/simulated/configuration", body(object{"active": true}), nil},
		{"root", "GET", "provider/simulated/changes", nil, func(a answer) any {
			return strings.Contains(string(a.raw), `"keys":["api_secret","size","title"]`) && strings.Contains(string(a.raw), `"active":true`)
		}},
		{"root", "GET", "provider/simulated/check", nil, func(a answer) any { return a.body["ready"] == true }},
		{"root", "PUT", "providers/default", body(object{"providers": []string{"simulated", "rtc"}}), func(a answer) any {
			return len(a.body["providers"].([]any)) == 2 && a.body["inherited"] == false
		}},
		{"mary", "GET", "providers/default", nil, func(a answer) any { return len(a.body["providers"].([]any)) == 2 }},
		{"root", "PUT", "providers/for/space/product_team", body(object{"providers": []string{"simulated"}}), nil},
		{"mary", "GET", "providers/for/space/product_team", nil, func(a answer) any { return len(a.body["providers"].([]any)) == 1 }},
		{"root", "PUT", "providers/for/space/product_team", body(object{"providers": nil}), func(a answer) any { return a.body["inherited"] == true }},
		{"mary", "PUT", "users/mary/accounts/simulated", body(object{"account": "Mary.Williams"}), nil},
		{"john", "GET", "users/mary/accounts", nil, func(a answer) any {
			return strings.Contains(string(a.raw), `"simulated":[{"type":"simulated","id":"mary.williams"}]`) && strings.Contains(string(a.raw), "mary.s")
		}},
		{"mary", "DELETE", "users/mary/accounts/simulated", nil, func(a answer) any { return !strings.Contains(string(a.raw), "mary.williams") }},
		{"mary", "POST", "provider/simulated/connection", body(object{"redirect": "http://portal.test/back"}), func(a answer) any {
			u, err := url.Parse(a.body["url"].(string))
			state = u.Query().Get("state")
			return err == nil && len(state) > 20
		}},
		{"mary", "POST", "provider/simulated/connection/finish", func() any { return object{"params": object{"state": state, "code": "good"}} }, nil},
		{"mary", "DELETE", "provider/simulated/connection", nil, nil},

		{"mary", "POST", "calls", func() any {
			c := teamCall("g/sim")
			c["provider"] = "simulated"
			return c
		}, nil},
		{"mary", "POST", "calls/g%2Fsim/join", nil, func(a answer) any { return a.body["grant"] != nil }},
		{"mary", "GET", "calls/g%2Fsim/info", nil, list(1)},
		{"mary", "GET", "calls/g%2Fsim/phones", nil, list(1)},
		{"mary", "POST", "calls/g%2Fsim/dial-out", body(object{"number": "+4930123456"}), nil},
		{"mary", "POST", "calls/g%2Fsim/recordings/start", nil, nil},
		{"mary", "POST", "calls/g%2Fsim/recordings/stop", nil, nil},
		{"mary", "GET", "calls/g%2Fsim/recordings", nil, list(1)},
		{"mary", "DELETE", "calls/g%2Fsim/recordings/rec-1", nil, nil},
		{"mary", "POST", "calls/g%2Fsim/moderation", body(object{"action": "mute", "user": "mary"}), nil},
	}
}

func TestProviderErrors(t *testing.T) {
	w := newSimulatedWorld(t, nil, nil)
	call := teamCall("g/sim")
	call["provider"] = "simulated"
	w.rest("mary", "POST", "calls", call).wantOK(t)
	for _, tc := range []struct {
		user, method, path string
		body               any
		status             int
		code               string
	}{
		{"mary", "GET", "provider/simulated/settings-form", nil, 403, "ACCESS_ERROR"},
		{"mary", "PUT", "provider/simulated/settings-form", object{"values": object{}}, 403, "ACCESS_ERROR"},
		{"mary", "GET", "provider/simulated/changes", nil, 403, "ACCESS_ERROR"},
		{"mary", "GET", "provider/simulated/check", nil, 403, "ACCESS_ERROR"},
		{"mary", "PUT", "providers/default", object{"providers": []string{}}, 403, "ACCESS_ERROR"},
		{"mary", "PUT", "providers/for/space/product_team", object{"providers": []string{}}, 403, "ACCESS_ERROR"},
		{"jack", "GET", "providers/for/space/product_team", nil, 404, "NOT_FOUND_ERROR"},
		{"root", "PUT", "providers/for/space/product_team", object{}, 400, "CLIENT_ERROR"},
		{"root", "PUT", "providers/for/space/product_team", object{"providers": []string{"nobody"}}, 400, "CLIENT_ERROR"},
		{"root", "PUT", "providers/for/user/mary", object{"providers": []string{"rtc"}}, 400, "CLIENT_ERROR"},
		{"root", "GET", "provider/link/settings-form", nil, 501, "CLIENT_ERROR"},
		{"root", "GET", "provider/nobody/settings-form", nil, 404, "NOT_FOUND_ERROR"},
		{"root", "PUT", "provider/simulated/settings-form", object{"values": object{"size": "99"}}, 400, "CLIENT_ERROR"},
		{"root", "PUT", "provider/simulated/settings-form", object{"values": object{"size": 4}}, 400, "CLIENT_ERROR"},
		{"root", "PUT", "provider/simulated/settings-form", object{"values": object{"nothing": "x"}}, 400, "CLIENT_ERROR"},
		{"root", "PUT", "provider/simulated/settings-form", object{"values": object{"title": ""}}, 400, "CLIENT_ERROR"},
		{"root", "PUT", "provider/simulated/settings-form", object{"values": object{}, "revision": 7}, 409, "CLIENT_ERROR"},
		{"john", "PUT", "users/mary/accounts/simulated", object{"account": "john"}, 403, "ACCESS_ERROR"},
		{"mary", "PUT", "users/mary/accounts/simulated", object{"account": "1 2"}, 400, "CLIENT_ERROR"},
		{"mary", "PUT", "users/mary/accounts/other", object{"account": "mary"}, 404, "NOT_FOUND_ERROR"},
		{"mary", "POST", "provider/simulated/connection", object{"redirect": "https://evil.example/"}, 400, "CLIENT_ERROR"},
		{"mary", "POST", "provider/link/connection", object{"redirect": "http://portal.test/"}, 501, "CLIENT_ERROR"},
		{"mary", "POST", "provider/simulated/connection/finish", object{"params": object{"state": "guess", "code": "good"}}, 403, "ACCESS_ERROR"},
		{"jack", "GET", "calls/g%2Fsim/info", nil, 404, "NOT_FOUND_ERROR"},
		{"john", "POST", "calls/g%2Fsim/moderation", object{"action": "mute", "user": "mary"}, 403, "ACCESS_ERROR"},
		{"mary", "POST", "calls/g%2Fsim/moderation", object{"action": "sing", "user": "john"}, 501, "CLIENT_ERROR"},
		{"mary", "POST", "calls/g%2Fsim/dial-out", object{"number": "110"}, 400, "CLIENT_ERROR"},
		{"mary", "DELETE", "calls/g%2Fsim/recordings/none", nil, 404, "NOT_FOUND_ERROR"},
	} {
		w.rest(tc.user, tc.method, tc.path, tc.body).wantError(t, tc.status, tc.code)
	}
}

// TestSecretsStay looks for a secret in everything that was answered or logged.
func TestSecretsStay(t *testing.T) {
	var mu sync.Mutex
	var log bytes.Buffer
	w := newSimulatedWorld(t, nil, slog.New(slog.NewJSONHandler(&lockedWriter{mu: &mu, to: &log}, &slog.HandlerOptions{Level: slog.LevelDebug})))
	var answers []answer
	put := func(values object) {
		answers = append(answers, w.rest("root", "PUT", "provider/simulated/settings-form", object{"values": values}))
	}
	put(object{"api_secret": "hush-hush"})
	put(object{"api_secret": "hush-hush", "title": "refuse me"}) // the provider's own error shows all values
	put(object{"api_secret": "hush-hush", "size": "hush-hush"})
	for _, path := range []string{"settings-form", "changes", "check", "configuration"} {
		answers = append(answers, w.rest("root", "GET", "provider/simulated/"+path, nil))
	}
	answers = append(answers, w.rest("mary", "GET", "context", nil))
	for _, a := range answers {
		if strings.Contains(string(a.raw), "hush-hush") {
			t.Errorf("an answer shows the secret: %s", a)
		}
	}
	if w.sim.Value("api_secret") != "hush-hush" {
		t.Error("the provider did not get the secret")
	}
	w.stop()
	mu.Lock()
	defer mu.Unlock()
	if strings.Contains(log.String(), "hush-hush") {
		t.Errorf("the log shows the secret:\n%s", log.String())
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	to io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(b)
}

// post sends a webhook as a server without a session does.
func (w *world) post(t *testing.T, path string, body []byte, header map[string][]string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://portal.test"+restPath+"/"+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	resp, err := w.browser("").Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func TestWebhooks(t *testing.T) {
	w := newSimulatedWorld(t, nil, nil)
	call := teamCall("g/sim")
	call["provider"] = "simulated"
	w.rest("mary", "POST", "calls", call).wantOK(t)
	joined := w.rest("mary", "POST", "calls/g%2Fsim/join", nil, "X-Client-Id", "m1")
	joined.wantOK(t)
	ref := webconferencing.SeatRef{
		Call: "g/sim", Epoch: uint64(joined.body["epoch"].(float64)), Seat: webconferencing.SeatID(joined.body["seat"].(string)),
	}
	w.sim.Finish(ref)
	send := func(path string, status int, change func(*webconferencing.WebhookRequest)) {
		t.Helper()
		var sent webconferencing.WebhookRequest
		_ = w.sim.Deliver(connectortest.Delivery{}, func(r webconferencing.WebhookRequest) error {
			sent = r
			sent.Header = maps.Clone(r.Header)
			return http.ErrBodyNotAllowed // so that it stays to be delivered
		})
		if change != nil {
			change(&sent)
		}
		if resp := w.post(t, path, sent.Body, sent.Header); resp.StatusCode != status {
			t.Errorf("%s answers %d, want %d", path, resp.StatusCode, status)
		}
	}
	state := func() any { return w.rest("mary", "GET", "calls/g%2Fsim", nil).body["state"] }
	send("webhook/simulated/events", 403, func(r *webconferencing.WebhookRequest) { r.Body = append(r.Body, ' ') })
	send("webhook/simulated", 403, func(r *webconferencing.WebhookRequest) { delete(r.Header, "X-Simulated-Signature") })
	send("webhook/link", 404, nil)
	send("webhook/nobody", 404, nil)
	send("webhook/", 404, nil)
	send("webhook/simulated", 413, func(r *webconferencing.WebhookRequest) { r.Body = make([]byte, 1<<20+1) })
	if state() != "started" {
		t.Fatal("a webhook that was refused had an effect")
	}
	send("webhook/simulated/any/path", 204, nil)
	if state() != "stopped" {
		t.Error("the authentic webhook had no effect")
	}
	send("webhook/simulated", 204, nil) // once more
}

func TestWebhooksAreLimited(t *testing.T) {
	w := newWorldWith(t, &httpapi.Options{WebhookRate: httpapi.Rate{PerSecond: 0.001, Burst: 3}}, nil)
	for i := range 5 {
		want := 404
		if i >= 3 {
			want = 429
		}
		resp := w.post(t, "webhook/nobody", nil, nil)
		if resp.StatusCode != want {
			t.Errorf("request %d is answered by %d, want %d", i, resp.StatusCode, want)
		}
	}
}
