package httpapi_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/httpapi"
)

// unlimited keeps rate limits out of tests that are about something else.
func unlimited() *httpapi.Options { return &httpapi.Options{RESTRate: httpapi.Unlimited()} }

type object = map[string]any

func teamCall(id string) object {
	return object{"id": id, "owner": "product_team", "ownerType": "space", "provider": "rtc", "title": "Team", "start": true}
}

// TestEveryRoute sends a good request to each route; the helper holds every
// answer against the description.
func TestEveryRoute(t *testing.T) {
	w := newWorld(t, unlimited())
	var run teamRun
	mary := []string{"X-Client-Id", "m1"}
	for _, step := range slices.Concat(goodReads(), goodCalls(&run), goodLookingBack()) {
		var body any
		if step.body != nil {
			body = step.body()
		}
		a := w.rest(step.user, step.method, step.path, body, mary...)
		if a.StatusCode != 200 || step.check != nil && step.check(a) != true {
			t.Fatalf("%s %s of %q: %s", step.method, step.path, step.user, a)
		}
	}
	w = newProviderWorld(t, w)
	for _, step := range goodProviders(w) {
		var body any
		if step.body != nil {
			body = step.body()
		}
		a := w.rest(step.user, step.method, step.path, body, mary...)
		if a.StatusCode != 200 || step.check != nil && step.check(a) != true {
			t.Fatalf("%s %s of %q: %s", step.method, step.path, step.user, a)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.spec.paths)) {
		if !w.spec.seen[name][200] {
			t.Errorf("%s was not seen working", name)
		}
	}
}

func TestRESTErrors(t *testing.T) {
	w := newWorld(t, unlimited())
	w.rest("mary", "POST", "calls", teamCall("g/product_team")).wantOK(t)
	w.rest("mary", "POST", "calls", object{"id": "p/john-mary", "owner": "mary", "ownerType": "user", "provider": "rtc", "participants": []string{"john"}, "start": true}).wantOK(t)
	w.rest("mary", "POST", "calls/p%2Fjohn-mary/join", nil, "X-Client-Id", "m1").wantOK(t)
	w.rest("mary", "POST", "calls/g%2Fproduct_team/guests", object{"guestId": "jack"}).wantOK(t)
	for _, tc := range slices.Concat(errorsOfReading(), errorsOfCalls(), errorsOfArguments(), errorsOfBodies()) {
		t.Run(fmt.Sprintf("%s %s %.20s %d %s", tc.user, tc.method, tc.path, tc.status, tc.field), func(t *testing.T) {
			var headers []string
			if tc.field != "client" {
				headers = []string{"X-Client-Id", "c1"}
			}
			a := w.rest(tc.user, tc.method, tc.path, tc.body, headers...)
			a.wantError(t, tc.status, tc.code)
			if field, _ := a.body["field"].(string); field != tc.field {
				t.Errorf("field is %q, want %q: %s", field, tc.field, a)
			}
		})
	}
	// Nothing of it was applied.
	a := w.rest("mary", "GET", "calls/g%2Fproduct_team", nil)
	if a.body["title"] != "Team" || a.body["state"] != "started" {
		t.Errorf("a refused request was applied: %s", a)
	}
}

func TestMethodNotAllowed(t *testing.T) {
	w := newWorld(t, unlimited())
	for path, allow := range map[string]string{
		"user/john": "GET, HEAD", "calls": "GET, HEAD, POST", "calls/x": "DELETE, GET, HEAD, PATCH",
		"provider/rtc/configuration": "GET, HEAD, POST", "logs": "POST", "calls/x/join": "POST", "openapi.json": "GET, HEAD",
	} {
		a := w.rest("root", "PUT", path, object{})
		a.wantError(t, 405, "CLIENT_ERROR")
		if got := a.Header.Get("Allow"); got != allow {
			t.Errorf("%s allows %q, want %q", path, got, allow)
		}
	}
}

func TestBodyForms(t *testing.T) {
	w := newWorld(t, unlimited())
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	a := w.rest("root", "POST", "provider/rtc/configuration", "active=false", form...)
	if a.wantOK(t); a.body["active"] != false {
		t.Errorf("got %s", a)
	}
	for _, body := range []string{"", "active=1", "active=true&active=false", "active=true&type=x", "%zz"} {
		w.rest("root", "POST", "provider/rtc/configuration", body, form...).wantError(t, 400, "CLIENT_ERROR")
	}
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", "", "multipart/form-data"} {
		w.rest("mary", "POST", "calls", `{"id":"x"}`, "Content-Type", kind).wantError(t, 415, "CLIENT_ERROR")
	}
	w.rest("mary", "POST", "calls", `{}`, "Content-Encoding", "gzip").wantError(t, 415, "CLIENT_ERROR")
	w.rest("mary", "POST", "calls", `{}`, "Content-Type", "application/json;charset=UTF-8").wantError(t, 400, "CLIENT_ERROR")
	w.rest("mary", "GET", "user/john", nil, "X-Client-Id", strings.Repeat("x", 256)).wantError(t, 400, "CLIENT_ERROR")
	w.rest("mary", "GET", "user/"+strings.Repeat("x", 5000), nil).wantError(t, 414, "CLIENT_ERROR")
}

// Old clients send raw semicolons, encoded ones, and a form of the space event
// resource in which the query has slipped into the path.
func TestListsOfOldClients(t *testing.T) {
	w := newWorld(t, unlimited())
	for _, path := range []string{
		"space-event/product_team?participants=jack;eve&spaces=sales_team",
		"space-event/product_team?participants=jack%3Beve&spaces=sales_team;",
		"space-event/42?participants=jack;eve;&spaces=",
		"space-event/product_teamparticipants=jack%3Beve&?spaces=sales_team",
		"space-event/product_teamparticipants=jack;eve&spaces=?",
		"space-event/product_team/?participants=jack&participants=eve",
	} {
		a := w.rest("mary", "GET", path, nil)
		members, _ := a.body["members"].(object)
		if a.StatusCode != 200 || members["jack"] == nil || members["eve"] == nil || members["mary"] == nil || a.body["id"] != "product_team" {
			t.Errorf("%s: %s", path, a)
		}
	}
}

func TestUserStatus(t *testing.T) {
	w := newWorld(t, unlimited())
	w.dir.presence["john"] = webconferencing.DoNotDisturb
	a := w.send("mary", "GET", "/portal/rest/state/status/john", nil)
	if a.wantOK(t); string(a.raw) != `{"userId":"john","status":"donotdisturb"}` {
		t.Errorf("got %s", a)
	}
	w.send("mary", "GET", "/portal/rest/state/status/nobody", nil).wantError(t, 404, "NOT_FOUND_ERROR")
	w.send("mary", "GET", "/portal/rest/state/status/", nil).wantError(t, 404, "NOT_FOUND_ERROR")
	w.send("mary", "POST", "/portal/rest/state/status/john", nil).wantError(t, 405, "CLIENT_ERROR")
	w.send("", "GET", "/portal/rest/state/status/john", nil).wantError(t, 401, "ACCESS_ERROR")
}

// A guest sees the names of those in the call, and nothing else of them or of
// the group.
func TestGuestView(t *testing.T) {
	w := newWorld(t, unlimited())
	w.rest("mary", "POST", "calls", teamCall("g/product_team")).wantOK(t)
	w.rest("mary", "POST", "calls/g%2Fproduct_team/guests", object{"guestId": "jack"}).wantOK(t)
	a := w.rest("jack", "GET", "calls/g%2Fproduct_team", nil)
	a.wantOK(t)
	owner := a.body["owner"].(object)
	if len(owner["members"].(object)) != 0 || owner["groupId"] != nil {
		t.Errorf("a guest sees the group: %v", owner)
	}
	for _, p := range a.body["participants"].([]any) {
		if p := p.(object); p["id"] != "jack" && (len(p["imAccounts"].(object)) != 0 || p["profileLink"] != nil || p["title"] == "") {
			t.Errorf("a guest sees %v", p)
		}
	}
	if b := w.rest("mary", "GET", "calls/g%2Fproduct_team", nil); len(b.body["owner"].(object)["members"].(object)) != 3 {
		t.Errorf("a member does not see the group: %s", b)
	}
}

func TestFaultsOfTheHost(t *testing.T) {
	w := newWorld(t, unlimited())
	w.dir.mu.Lock()
	w.dir.fail = errDirectory
	w.dir.mu.Unlock()
	a := w.rest("mary", "GET", "user/john", nil)
	a.wantError(t, 500, "SERVER_ERROR")
	if strings.Contains(string(a.raw), "secret") {
		t.Errorf("internals leak: %s", a)
	}
	w.auth.set(func() { w.auth.fails = errDirectory })
	w.rest("mary", "GET", "user/john", nil).wantError(t, 500, "SERVER_ERROR")
	w.auth.set(func() { w.auth.fails, w.auth.boom = nil, true })
	w.rest("mary", "GET", "user/john", nil).wantError(t, 500, "SERVER_ERROR")
	w.auth.set(func() { w.auth.boom = false })
	w.rest("mary", "GET", "openapi.json", nil).wantOK(t)
}

func TestRateLimit(t *testing.T) {
	w := newWorld(t, &httpapi.Options{RESTRate: httpapi.Rate{PerSecond: 0.01, Burst: 3}})
	for range 3 {
		w.rest("mary", "GET", "user/john", nil).wantOK(t)
	}
	a := w.rest("mary", "GET", "user/john", nil)
	a.wantError(t, 429, "CLIENT_ERROR")
	if a.Header.Get("Retry-After") == "" || a.body["reason"] != "rate_limited" {
		t.Errorf("got %s %v", a, a.Header)
	}
	w.rest("john", "GET", "user/mary", nil).wantOK(t)
}

func TestInviteGuessing(t *testing.T) {
	w := newWorld(t, unlimited())
	c := w.rest("mary", "POST", "calls", teamCall("g/product_team"))
	w.rest("mary", "PUT", "calls/g%2Fproduct_team/invites", object{"invites": []object{{"id": "*"}}}).wantOK(t)
	check := func(user, invite string) answer {
		return w.rest(user, "POST", "calls/g%2Fproduct_team/invites/check", object{"inviteId": invite})
	}
	right := c.body["inviteId"].(string)
	for range 10 { // right answers are not limited
		if a := check("jack", right); a.body["allowed"] != true {
			t.Fatalf("got %s", a)
		}
	}
	missing := w.rest("eve", "POST", "calls/nothing/invites/check", object{"inviteId": right})
	wrong := check("eve", "wrong")
	if string(missing.raw) != string(wrong.raw) || wrong.body["allowed"] != false {
		t.Errorf("a missing call answers %s, a wrong id %s", missing, wrong)
	}
	for range 3 {
		check("eve", "wrong").wantOK(t)
	}
	check("eve", "wrong").wantError(t, 429, "CLIENT_ERROR")
	check("eve", right).wantError(t, 429, "CLIENT_ERROR")
	// An invite ends with the run that it was made for.
	w.rest("mary", "POST", "calls/g%2Fproduct_team/stop", nil).wantOK(t)
	w.rest("mary", "POST", "calls/g%2Fproduct_team/start", nil).wantOK(t)
	if a := check("jack", right); a.body["allowed"] != false {
		t.Errorf("an old invite lets in: %s", a)
	}
	w.rest("jack", "POST", "calls/g%2Fproduct_team/guests", object{"guestId": "jack"}).wantError(t, 404, "NOT_FOUND_ERROR")
}

func TestCrossSite(t *testing.T) {
	w := newWorld(t, unlimited())
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
		{"Origin", "http://portal.test.evil.example"}, {"Origin", "http://portal.test:8080"},
	} {
		for path, body := range map[string]string{restPath + "/calls": `{"id":"x"}`, "/cometd/cometd": `[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"]}]`} {
			a := w.send("mary", "POST", path, body, headers...)
			if a.StatusCode != 403 {
				t.Errorf("%s with %v: %s", path, headers, a)
			}
			if a.body["reason"] != "cross_site" {
				t.Errorf("got %s", a)
			}
		}
	}
	// Reading is left to the browser's same-origin policy, and nothing allows
	// other origins to read.
	a := w.rest("mary", "GET", "user/john", nil, "Origin", "https://evil.example")
	if a.wantOK(t); a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("got %v", a.Header)
	}
	trusting := newWorld(t, &httpapi.Options{TrustedOrigins: []string{"https://app.example"}})
	trusting.rest("mary", "POST", "calls/x/stop", nil, "Origin", "https://app.example").wantError(t, 404, "NOT_FOUND_ERROR")
}

func TestWriteError(t *testing.T) {
	w := newWorld(t, unlimited())
	a := w.rest("mary", "GET", "user/nobody", nil)
	var view struct{ Code, Message, Reason, Field string }
	if err := json.Unmarshal(a.raw, &view); err != nil || view.Message != "user not found" {
		t.Errorf("got %s", a)
	}
	if got := a.Header.Get("X-Content-Type-Options"); got != "nosniff" {
		t.Errorf("got %q", got)
	}
	if a.Header.Get("Content-Length") == "" || http.StatusText(a.StatusCode) == "" {
		t.Errorf("got %v", a.Header)
	}
}

// A command that is sent again with its key is carried out once.
func TestIdempotencyKey(t *testing.T) {
	w := newWorld(t, unlimited())
	key := []string{"Idempotency-Key", "k1", "X-Client-Id", "m1"}
	first := w.rest("mary", "POST", "calls", teamCall("g/product_team"), key...)
	first.wantOK(t)
	again := w.rest("mary", "POST", "calls", teamCall("g/product_team"), key...)
	if again.wantOK(t); again.body["version"] != first.body["version"] {
		t.Errorf("carried out twice: %s", again)
	}
	w.rest("mary", "POST", "calls", teamCall("g/other"), key...).wantError(t, 400, "CLIENT_ERROR")
	w.rest("mary", "POST", "calls", teamCall("g/product_team"), "X-Client-Id", "m1").wantError(t, 409, "CLIENT_ERROR")
	w.rest("mary", "POST", "calls/x/stop", nil, "Idempotency-Key", strings.Repeat("k", 256)).wantError(t, 400, "CLIENT_ERROR")
	d := w.dial("mary", "m2", "websocket")
	for range 2 {
		c := d.do("update", object{"id": "g/product_team", "info": object{"title": "Once"}, "idempotencyKey": "k2"})
		if c["version"].(float64) != first.body["version"].(float64)+1 {
			t.Errorf("got %v", c)
		}
	}
}

// A body that trickles in is given up on.
func TestSlowBody(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		conn, err := w.pipes.dial(t.Context(), &connections{})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		head := "POST " + restPath + "/calls HTTP/1.1\r\nHost: portal.test\r\nCookie: user=mary\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
		if _, err := io.WriteString(conn, head); err != nil {
			t.Fatal(err)
		}
		var trickle sync.WaitGroup
		defer trickle.Wait()
		defer conn.Close()
		trickle.Go(func() {
			for err := error(nil); err == nil; time.Sleep(time.Second) {
				_, err = io.WriteString(conn, " ")
			}
		})
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if took := time.Since(start); res.StatusCode != http.StatusRequestTimeout || took < 9*time.Second || took > 11*time.Second {
			t.Errorf("got %d after %v", res.StatusCode, took)
		}
	})
}

// A large meeting stays cheap for the directory: people are asked for once,
// not once for each answer.
func TestDirectoryIsAskedOnce(t *testing.T) {
	w := newWorld(t, unlimited())
	w.rest("mary", "POST", "calls", teamCall("g/product_team")).wantOK(t)
	before := w.dir.asked.Load()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { w.rest("mary", "GET", "calls/g%2Fproduct_team", nil).wantOK(t) })
	}
	wg.Wait()
	if n := w.dir.asked.Load() - before; n > 3 {
		t.Errorf("asked %d times for 3 people", n)
	}
}
