package httpapi_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// keyed is a request that changes something, sent by a device that may send it
// again. It comes after the steps of its preparation.
type keyed struct {
	route string // as in the description
	user  string
	body  object
	// before are "user METHOD path" requests, without a body or with {}.
	before []string
}

// keyedRequests are all of the call and history resources. The call is p/1 of
// mary, john and james, ringing; start is tried with one of the team that ran
// before.
func keyedRequests() []keyed {
	joined := []string{"mary POST calls/p%2F1/join"}
	both := []string{"mary POST calls/p%2F1/join", "john POST calls/p%2F1/join"}
	return []keyed{
		{"POST /calls", "mary", object{"id": "p/new", "owner": "mary", "ownerType": "user", "provider": "rtc", "participants": []string{"john"}, "start": true}, nil},
		{"PATCH /calls/{id}", "mary", object{"title": "Once"}, nil},
		{"DELETE /calls/{id}", "mary", nil, nil},
		{"POST /calls/{id}/start", "mary", nil, nil},
		{"POST /calls/{id}/stop", "mary", nil, joined},
		{"POST /calls/{id}/decline", "john", object{"reason": "busy"}, joined},
		{"POST /calls/{id}/ringing", "john", nil, nil},
		{"POST /calls/{id}/join", "mary", nil, nil},
		{"POST /calls/{id}/accept", "john", nil, joined},
		{"POST /calls/{id}/take-over", "mary", nil, joined},
		{"POST /calls/{id}/leave", "mary", nil, both},
		{"PUT /calls/{id}/participants", "mary", object{"participants": []string{"mary", "john", "james"}}, nil},
		{"DELETE /calls/{id}/participants/{user}", "mary", nil, joined},
		{"POST /calls/{id}/participants/{user}/ring", "mary", nil, both},
		{"POST /calls/{id}/guests", "mary", object{"guestId": "jack"}, nil},
		{"PUT /calls/{id}/invites", "mary", object{"invites": []object{{"id": "eve"}}}, nil},
		{"POST /calls/{id}/invites/check", "john", object{"inviteId": "x"}, nil},
		{"POST /history/seen", "mary", nil, nil},
		{"POST /logs", "mary", object{"messages": []object{{"data": "x"}}}, nil},
		{"POST /admin/calls/{id}/end", "root", object{"why": "x"}, joined},
		{"DELETE /admin/calls/{id}/participants/{user}", "root", nil, joined},
		{"POST /admin/calls/{id}/participants/{user}/ring", "root", nil, both},
		{"DELETE /admin/users/{user}/history", "root", nil, nil},
	}
}

func newKeyedWorld(t *testing.T, before []string) *world {
	w := newWorld(t, unlimited())
	synctest.Wait() // a node that starts gives calls that ring their full time again
	w.rest("mary", "POST", "calls", object{
		"id": "p/1", "owner": "mary", "ownerType": "user", "provider": "rtc", "participants": []string{"john", "james"}, "start": true,
	}).wantOK(t)
	w.rest("mary", "POST", "calls", teamCall("g/product_team")).wantOK(t)
	w.rest("mary", "POST", "calls/g%2Fproduct_team/stop", nil).wantOK(t)
	for _, step := range before {
		f := strings.Fields(step)
		w.rest(f[0], f[1], f[2], nil, "X-Client-Id", "first").wantOK(t)
	}
	return w
}

// changes lists the transitions of all calls.
func (w *world) changes(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, id := range []string{"p%2F1", "p%2Fnew", "g%2Fproduct_team"} {
		for _, e := range w.rest("root", "GET", "admin/calls/"+id+"/timeline", nil).body["events"].([]any) {
			list = append(list, fmt.Sprint(e))
		}
	}
	return list
}

// A request that is repeated with its key is answered again and changes
// nothing more, whatever it is.
func TestEveryChangeTakesAKey(t *testing.T) {
	for _, tc := range keyedRequests() {
		t.Run(tc.route, func(t *testing.T) { virtual(t, func(t *testing.T) { tc.try(t) }) })
	}
}

func (tc keyed) try(t *testing.T) {
	w := newKeyedWorld(t, tc.before)
	method, pattern, _ := strings.Cut(tc.route, " /")
	id := "p%2F1"
	if strings.HasSuffix(pattern, "/start") {
		id = "g%2Fproduct_team"
	}
	path := strings.NewReplacer("{id}", id, "{user}", "james").Replace(pattern)
	var body any
	if tc.body != nil {
		body = tc.body
	}
	headers := []string{"X-Client-Id", "first", "Idempotency-Key", "k1"}
	first := w.rest(tc.user, method, path, body, headers...)
	first.wantOK(t)
	before := w.changes(t)
	for range 2 {
		again := w.rest(tc.user, method, path, body, headers...)
		if again.StatusCode != 200 || again.body["version"] != first.body["version"] || again.body["seat"] != first.body["seat"] {
			t.Errorf("first %s, again %s", first, again)
		}
	}
	if after := w.changes(t); !slices.Equal(after, before) {
		t.Errorf("there are more transitions:\n%s\nbefore:\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
	}
	w.rest(tc.user, method, path, body, "Idempotency-Key", strings.Repeat("k", 256)).wantError(t, 400, "CLIENT_ERROR")
	if first.body["version"] == nil {
		return
	}
	// The key stands for this request alone.
	a := w.rest(tc.user, "POST", "calls", object{
		"id": "p/other", "owner": tc.user, "ownerType": "user", "provider": "rtc", "participants": []string{"eve"},
	}, headers...)
	if a.StatusCode != 400 || a.body["field"] != "key" {
		t.Errorf("the key was taken for something else: %s", a)
	}
}

// Nothing that changes a call is missing in the table above.
func TestKeyedRequestsAreComplete(t *testing.T) {
	w := newWorld(t, nil)
	var known []string
	for _, tc := range keyedRequests() {
		known = append(known, tc.route)
	}
	for _, route := range w.api.Routes() {
		method, path, _ := strings.Cut(route, " /")
		if method == "GET" || slices.Contains(known, route) {
			continue
		}
		if strings.HasPrefix(path, "history") || strings.HasPrefix(path, "admin/") || strings.HasPrefix(path, "calls") && !ofTheProvider(path) {
			t.Errorf("%s is not tested with a key", route)
		}
		if op := w.spec.paths[route]; strings.HasPrefix(path, "calls") && !ofTheProvider(path) && !strings.Contains(fmt.Sprint(op["parameters"]), "Idempotency-Key") {
			t.Errorf("%s is described without a key", route)
		}
	}
}

// ofTheProvider tells whether a resource only hands on to the provider of the
// call, and renewing a lease, which has no effect that could come twice.
func ofTheProvider(path string) bool {
	for _, end := range []string{"heartbeat", "moderation", "dial-out"} {
		if strings.HasSuffix(path, "/"+end) {
			return true
		}
	}
	return strings.Contains(path, "/recordings")
}

// The same over remote calls.
func TestEveryCommandTakesAKey(t *testing.T) {
	joined := []string{"mary POST calls/p%2F1/join"}
	both := []string{"mary POST calls/p%2F1/join", "john POST calls/p%2F1/join"}
	for _, tc := range []struct {
		user, command string
		args          object
		before        []string
	}{
		{"mary", "create", object{"id": "p/new", "owner": "mary", "ownerType": "user", "provider": "rtc", "participants": "john", "start": true}, nil},
		{"mary", "update", object{"info": object{"title": "Once"}}, nil},
		{"mary", "update", object{"participants": "mary;john"}, nil},
		{"mary", "update", object{"state": "stopped"}, joined},
		{"mary", "update", object{"state": "started", "id": "g/product_team"}, nil},
		{"mary", "update", object{"state": "joined"}, nil},
		{"mary", "update", object{"state": "leaved"}, both},
		{"mary", "delete", nil, nil},
		{"mary", "add_guest", object{"guestId": "jack"}, nil},
		{"mary", "update_invites", object{"invites": []object{{"id": "eve"}}}, nil},
		{"john", "ringing", nil, nil},
		{"john", "accept", nil, joined},
		{"john", "decline", object{"reason": "busy"}, joined},
		{"mary", "cancel", nil, nil},
		{"mary", "take_over", nil, joined},
		{"mary", "ring_again", object{"user": "james"}, both},
		{"mary", "remove_participant", object{"user": "james"}, joined},
		{"root", "force_end", object{"why": "x"}, joined},
	} {
		t.Run(fmt.Sprint(tc.command, tc.args["state"]), func(t *testing.T) {
			virtual(t, func(t *testing.T) {
				w := newKeyedWorld(t, tc.before)
				d := w.dial(tc.user, "first", "websocket")
				args := object{"id": "p/1", "idempotencyKey": "k1"}
				for name, value := range tc.args {
					args[name] = value
				}
				first := d.do(tc.command, args)
				before := w.changes(t)
				again := d.do(tc.command, args)
				if again["version"] != first["version"] || again["seat"] != first["seat"] {
					t.Errorf("first %v, again %v", first, again)
				}
				if after := w.changes(t); !slices.Equal(after, before) {
					t.Errorf("there are more transitions:\n%s\nbefore:\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
				}
				other := object{"id": "p/other", "owner": tc.user, "ownerType": "user", "provider": "rtc", "participants": "eve", "idempotencyKey": "k1"}
				if f := d.fails("CLIENT_ERROR", "create", other); f["field"] != "key" {
					t.Errorf("the key was taken for something else: %v", f)
				}
			})
		})
	}
}
