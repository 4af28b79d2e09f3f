package httpapi_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/httpapi"
)

// logText is a log that can be read while it is being written.
type logText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// lines returns the lines that a word is in.
func (l *logText) lines(word string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, word) {
			found = append(found, line)
		}
	}
	return found
}

func newLoggedWorld(t *testing.T) (*world, *logText) {
	t.Helper()
	log := &logText{}
	logger := slog.New(slog.NewTextHandler(log, nil))
	return newWorldWith(t, &httpapi.Options{RESTRate: httpapi.Unlimited(), Logger: logger}, &webconferencing.Options{Logger: logger}), log
}

// wantLine checks that a reference is in exactly one line, and that the line
// says who was refused what.
func (l *logText) wantLine(t *testing.T, ref any, words ...string) {
	t.Helper()
	text, _ := ref.(string)
	found := l.lines("ref=" + text)
	if text == "" || len(found) != 1 {
		t.Errorf("reference %q is in the lines %q", text, found)
		return
	}
	for _, word := range words {
		if !strings.Contains(found[0], word) {
			t.Errorf("no %s in %s", word, found[0])
		}
	}
}

func TestReferencesOfREST(t *testing.T) {
	w, log := newLoggedWorld(t)
	w.rtc.join = func(webconferencing.JoinRequest) (*webconferencing.Grant, error) {
		return nil, errors.New("media server: no route")
	}
	w.rest("mary", "POST", "calls", teamCall("g/product_team")).wantOK(t)
	device := []string{"X-Client-Id", "m1"}
	a := w.rest("eve", "GET", "calls/g%2Fproduct_team", nil, "X-Request-Id", "edge-7.1_x")
	log.wantLine(t, a.body["ref"], "level=INFO", "user=eve", "call=g/product_team", `what="GET /calls/{id}"`, "status=404", "request=edge-7.1_x")
	a = w.rest("mary", "PATCH", "calls/g%2Fproduct_team", object{"title": strings.Repeat("x", 256)})
	log.wantLine(t, a.body["ref"], "field=title", "status=400")
	a = w.rest("", "GET", "user/john", nil)
	log.wantLine(t, a.body["ref"], "status=401")
	a = w.rest("mary", "GET", "nothing", nil)
	log.wantLine(t, a.body["ref"], "status=404", "user=mary")
	a = w.rest("mary", "POST", "calls/g%2Fproduct_team/join", nil, device...)
	a.wantError(t, 500, "SERVER_ERROR")
	if found := log.lines(a.body["ref"].(string)); len(found) == 0 || !strings.Contains(found[0], "no route") || !strings.Contains(found[0], "level=ERROR") {
		t.Errorf("the cause is not in the log: %q", found)
	}

	// The seat was taken before the provider failed: the journal tells so under
	// the same reference, and the client's log can name it.
	line := w.rest("root", "GET", "admin/calls/g%2Fproduct_team/timeline", nil)
	if !strings.Contains(string(line.raw), `"ref":"`+a.body["ref"].(string)+`"`) {
		t.Errorf("%v is not in the timeline %s", a.body["ref"], line)
	}
	w.rest("mary", "POST", "logs", object{"messages": []object{{"data": "joining failed", "level": "error", "ref": a.body["ref"]}}}).wantOK(t)
	w.stop() // writes the client log
	if found := log.lines("joining failed"); len(found) != 1 || !strings.Contains(found[0], a.body["ref"].(string)) {
		t.Errorf("the client's message is in the lines %q", found)
	}
}

// What a client sends for a name of its request can't forge lines.
func TestRequestNames(t *testing.T) {
	w, log := newLoggedWorld(t)
	for _, name := range []string{"a b", "x\" ref=k3v7q2mzp4xa", strings.Repeat("x", 65), "é", "a=b", "a,b"} {
		a := w.rest("eve", "GET", "user/nobody", nil, "X-Request-Id", name)
		log.wantLine(t, a.body["ref"])
		if found := log.lines("request="); len(found) != 0 {
			t.Errorf("%q got into the log: %q", name, found)
		}
	}
}

func TestReferencesOfBayeux(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		w, log := newLoggedWorld(t)
		mary := w.dial("mary", "m1", transport)
		f := mary.fails("NOT_FOUND_ERROR", "get", object{"id": "p/none"})
		log.wantLine(t, f["ref"], `what="command get"`, "user=mary", "client=m1", "call=p/none")
		f = mary.fails("CLIENT_ERROR", "fly", nil)
		log.wantLine(t, f["ref"], "user=mary")
		f = mary.callRaw("calls", object{"command": "get", "id": "x", "exoId": "john"}).fields()
		log.wantLine(t, f["ref"], "user=mary", "exoId")
		for _, m := range []object{
			{"channel": "/meta/subscribe", "subscription": callChannel + "p/none"},
			{"channel": "/meta/subscribe", "subscription": userChannel + "john"},
			{"channel": "/meta/subscribe", "subscription": userChannel + "mary", "exoId": "john"},
			{"channel": callChannel + "p/none", "data": object{"a": 1}},
			{"channel": callChannel + "p/none", "data": object{"a": 1, "exoId": "john"}},
			{"channel": userChannel + "mary", "data": object{}},
		} {
			reply := mary.exchange(m)
			if reply.ok() || !strings.HasPrefix(reply.Error, "403:denied_by_security_policy:") {
				t.Errorf("%v: %+v", m, reply)
			}
			log.wantLine(t, reply.Ext["ref"], "user=mary")
		}
		stranger := w.newDevice("", "s1")
		if err := stranger.open("long-polling"); err != "403::handshake_denied" {
			t.Errorf("got %q", err)
		}
		if found := log.lines("what=handshake"); len(found) != 1 || !strings.Contains(found[0], "ref=") {
			t.Errorf("got %q", found)
		}
	})
}

// A flood of mistakes does not fill the log, and everybody's first ones are in
// it.
func TestRefusalsDoNotFillTheLog(t *testing.T) {
	w, log := newLoggedWorld(t)
	for range 500 {
		if a := w.rest("eve", "GET", "user/nobody", nil); a.body["ref"] == nil {
			t.Fatalf("got %s", a)
		}
	}
	if n := len(log.lines("request refused")); n < 30 || n > 100 {
		t.Errorf("%d lines", n)
	}
	a := w.rest("mary", "GET", "user/nobody", nil)
	log.wantLine(t, a.body["ref"], "user=mary")
}
