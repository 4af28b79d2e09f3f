package httpapi_test

import (
	"strings"
	"testing"
	"testing/synctest"
)

func TestPreconditions(t *testing.T) {
	bubble(t, testPreconditions)
}

func testPreconditions(t *testing.T, w *world) {
	synctest.Wait() // a node that starts gives calls that ring their full time again
	const id = "calls/g%2Fproduct_team"
	created := w.rest("mary", "POST", "calls", teamCall("g/product_team"))
	tag := created.Header.Get("ETag")
	if got := w.rest("john", "GET", id, nil).Header.Get("ETag"); tag == "" || got != tag {
		t.Errorf("tags are %q and %q", tag, got)
	}
	title := func(s string) object { return object{"title": s} }
	first := w.rest("mary", "PATCH", id, title("first"), "If-Match", tag)
	if first.wantOK(t); first.Header.Get("ETag") == tag {
		t.Errorf("the tag is still %s", tag)
	}
	late := w.rest("john", "PATCH", id, title("late"), "If-Match", tag)
	late.wantError(t, 412, "CLIENT_ERROR")
	if late.body["reason"] != "version_conflict" || late.body["version"] != first.body["version"] {
		t.Errorf("got %s", late)
	}
	body := w.rest("john", "PATCH", id, object{"title": "late", "ifVersion": created.body["version"]})
	body.wantError(t, 409, "CLIENT_ERROR")
	if body.body["version"] != first.body["version"] {
		t.Errorf("got %s", body)
	}
	w.rest("john", "PATCH", id, title("any"), "If-Match", "*").wantOK(t)
	for _, bad := range []string{"", "7", `W/"2"`, `"x"`, `"0"`, `"2", "3"`, `"`, `""`, `"-1"`, `"99999999999999999999"`} {
		a := w.rest("john", "PATCH", id, title("bad"), "If-Match", bad)
		a.wantError(t, 400, "CLIENT_ERROR")
		if a.body["field"] != "If-Match" {
			t.Errorf("%q: %s", bad, a)
		}
	}
	a := w.rest("john", "PATCH", id, object{"title": "both", "ifVersion": 1}, "If-Match", `"2"`)
	a.wantError(t, 400, "CLIENT_ERROR")
	// Where it can't be honoured it is not passed over.
	for _, r := range []string{"POST " + id + "/stop", "DELETE " + id, "PUT " + id + "/participants", "POST calls"} {
		method, path, _ := strings.Cut(r, " ")
		w.rest("mary", method, path, object{"participants": []string{"mary"}}, "If-Match", tag).wantError(t, 400, "CLIENT_ERROR")
	}
	if c := w.rest("mary", "GET", id, nil, "If-Match", `"1"`); c.body["title"] != "any" || c.body["state"] != "started" {
		t.Errorf("got %s", c)
	}
}

// Whoever may read the call learns its version from a conflict, and nobody else.
func TestConflictsTellTheVersion(t *testing.T) {
	bubble(t, testConflicts)
}

func testConflicts(t *testing.T, w *world) {
	synctest.Wait()
	pair := object{"id": "p/1", "owner": "mary", "ownerType": "user", "provider": "rtc", "participants": []string{"john"}, "start": true}
	w.rest("mary", "POST", "calls", pair).wantOK(t)
	joined := w.rest("mary", "POST", "calls/p%2F1/join", nil, "X-Client-Id", "m1")
	joined.wantOK(t)
	again := w.rest("mary", "POST", "calls", pair)
	again.wantError(t, 409, "CLIENT_ERROR")
	if again.body["reason"] != "call_conflict" || again.body["version"] != joined.body["version"] {
		t.Errorf("got %s", again)
	}
	pair["owner"] = "eve"
	if a := w.rest("eve", "POST", "calls", pair); a.StatusCode != 409 || a.body["version"] != nil {
		t.Errorf("got %s", a)
	}
	john := w.dial("john", "j1", "websocket")
	john.do("accept", object{"id": "p/1"})
	second := w.dial("john", "j2", "websocket")
	if f := second.fails("CLIENT_ERROR", "accept", object{"id": "p/1"}); f["reason"] != "answered_elsewhere" || f["device"] != "j1" || f["version"] == nil {
		t.Errorf("got %v", f)
	}
}
