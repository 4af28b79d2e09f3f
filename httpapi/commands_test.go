package httpapi_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/webconferencing/webconferencing"
)

// people2 are devices of several people, listening to their user channels.
func (w *world) listen(transport string, users ...string) map[string]*device {
	w.t.Helper()
	devices := map[string]*device{}
	for _, user := range users {
		name, _, _ := strings.Cut(user, "-")
		d := w.dial(name, user+"-tab", transport)
		d.mustSubscribe(userChannel + name)
		devices[user] = d
	}
	return devices
}

func pairCall(id string) object {
	return object{"id": id, "owner": "mary", "ownerType": "user", "provider": "rtc", "title": "Hi", "participants": "mary;john", "start": true}
}

// A call between two people from the first ring to the end: results, and who
// is told what.
func TestUserCall(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		w := newWorld(t, nil)
		d := w.listen(transport, "mary", "mary-2", "john", "john-2", "eve")
		mary, john := d["mary"], d["john"]
		const id = "p/john@mary"

		mary.fails("NOT_FOUND_ERROR", "get", object{"id": id})
		c := mary.do("create", pairCall(id))
		if c["id"] != id || c["title"] != "Hi" || c["providerType"] != "rtc" || c["state"] != "started" || c["starter"] != "mary" ||
			c["owner"].(object)["title"] != "Mary Williams" || len(c["origins"].([]any)) != 2 || c["startDate"] != nil ||
			c["lastDate"] == nil || c["ringUntil"] == nil || c["inviteId"] == nil || c["epoch"].(float64) <= 0 {
			t.Errorf("got %v", c)
		}
		part := c["participants"].([]any)[1].(object)
		if part["id"] != "john" || part["state"] != nil || part["clientId"] != nil || part["ring"] != "ringing" || part["type"] != "user" {
			t.Errorf("got %v", part)
		}
		for _, who := range []string{"john", "john-2"} {
			e := d[who].wantEvent("call_state", "callId", id, "callState", "started", "providerType", "rtc", "epoch", c["epoch"], "version", c["version"], "title", "Hi")
			if owner := e["owner"].(object); owner["id"] != "mary" || owner["type"] != "user" {
				t.Errorf("got %v", e)
			}
		}
		john.fails("CLIENT_ERROR", "create", object{"id": "x", "owner": "john"})

		j := john.do("update", object{"id": id, "state": "joined"})
		if j["seat"] == nil || j["grant"] != nil {
			t.Errorf("got %v", j)
		}
		for _, who := range []string{"mary", "mary-2", "john", "john-2"} {
			e := d[who].wantEvent("call_joined", "callId", id, "providerType", "rtc", "clientId", "john-tab")
			if e["part"].(object)["id"] != "john" || e["owner"].(object)["id"] != "mary" {
				t.Errorf("got %v", e)
			}
		}
		if f := mary.fails("CLIENT_ERROR", "create", pairCall(id)); f["reason"] != "call_conflict" {
			t.Errorf("got %v", f)
		}
		mary.do("update", object{"id": id, "state": "joined"})
		g := john.do("get", object{"id": id})
		if s := g["participants"].([]any)[0].(object); s["state"] != "joined" || s["clientId"] != "mary-tab" {
			t.Errorf("got %v", s)
		}
		if j2 := john.do("update", object{"id": id, "state": "joined"}); j2["seat"] != j["seat"] {
			t.Errorf("joining again gave another seat: %v", j2)
		}
		john.do("update", object{"id": id, "state": "leaved"})
		for _, who := range []string{"mary", "mary-2", "john", "john-2"} {
			d[who].wantEvent("call_joined")
			d[who].wantEvent("call_leaved")
			d[who].wantEvent("call_state", "callState", "stopped", "reason", "ended")
			d[who].quiet()
		}
		mary.fails("NOT_FOUND_ERROR", "get", object{"id": id})
		mary.fails("NOT_FOUND_ERROR", "delete", object{"id": id})
		john.fails("NOT_FOUND_ERROR", "update", object{"id": id, "state": "leaved"})
		d["eve"].quiet()

		// Declined by the old clients' way, and by the command for it.
		mary.do("create", pairCall(id))
		john.wantEvent("call_state", "callState", "started")
		if c := john.do("update", object{"id": id, "state": "leaved"}); c["reason"] != "declined" || c["state"] != "stopped" {
			t.Errorf("got %v", c)
		}
		mary.wantEvent("call_declined")
		mary.wantEvent("call_state", "callState", "stopped", "reason", "declined")
		mary.do("create", pairCall(id))
		if c := john.do("decline", object{"id": id}); c["reason"] != "declined" {
			t.Errorf("got %v", c)
		}
		mary.do("create", pairCall(id))
		if c := mary.do("delete", object{"id": id}); c["state"] != "stopped" || c["reason"] != "cancelled" || c["inviteId"] != nil {
			t.Errorf("got %v", c)
		}
	})
}

func TestGroupCall(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		w := newWorld(t, nil)
		d := w.listen(transport, "mary", "john", "james", "jack")
		mary, john, james, jack := d["mary"], d["john"], d["james"], d["jack"]
		const id = "g/product_team"
		info := object{"id": id, "owner": "product_team", "ownerType": "space", "provider": "rtc", "title": "Team", "participants": "", "start": true}

		jack.fails("ACCESS_ERROR", "create", info)
		c := mary.do("create", info)
		owner := c["owner"].(object)
		if owner["group"] != true || owner["callId"] != id || len(owner["members"].(object)) != 3 || len(c["participants"].([]any)) != 3 {
			t.Errorf("got %v", c)
		}
		john.wantEvent("call_state", "callState", "started")
		james.wantEvent("call_state", "callState", "started")
		mary.quiet()
		jack.quiet()

		m := mary.command("get_calls_state", object{"id": "mary"})
		if string(m.Data) != `[{"id":"g/product_team","state":"started"}]` {
			t.Errorf("got %s", m.Data)
		}
		mary.fails("ACCESS_ERROR", "get_calls_state", object{"id": "john"})
		if m := john.command("get_open_calls", nil); !m.ok() || !strings.HasPrefix(string(m.Data), `[{"id":"g/product_team"`) {
			t.Errorf("got %s", m.Data)
		}

		// A decline silences the decliner's own devices and nothing else.
		james.do("update", object{"id": id, "state": "leaved"})
		james.wantEvent("call_declined")
		james.wantEvent("call_leaved")
		mary.wantEvent("call_declined")
		john.wantEvent("call_declined")
		mary.quiet()
		if c := mary.do("get", object{"id": id}); c["state"] != "started" {
			t.Errorf("got %v", c)
		}

		mary.do("update", object{"id": id, "state": "joined"})
		for _, who := range []*device{mary, john, james} {
			who.wantEvent("call_joined")
		}
		if c := john.do("update", object{"id": id, "info": object{"title": "Other", "startDate": 1.5e12, "provider": "rtc_plus"}}); c["title"] != "Other" ||
			c["startDate"] != "2017-07-14T02:40:00.000Z" || c["providerType"] != "rtc_plus" {
			t.Errorf("got %v", c)
		}
		mary.wantEvent("call_updated", "title", "Other")
		c = john.do("update", object{"id": id, "participants": []string{"mary", "john", "someone@else"}})
		if p := c["participants"].([]any); len(p) != 3 || p[2].(object)["type"] != "participant" {
			t.Errorf("got %v", p)
		}

		// Another call of the group may not push out one with people inside.
		other := object{"id": "g/other", "owner": "product_team", "ownerType": "space", "provider": "rtc"}
		if f := john.fails("CLIENT_ERROR", "create", other); f["reason"] != "call_conflict" {
			t.Errorf("got %v", f)
		}
		c = mary.do("update", object{"id": id, "state": "leaved"})
		if c["state"] != "stopped" || c["inviteId"] != nil || len(c["participants"].([]any)) != 3 {
			t.Errorf("got %v", c)
		}
		if c := john.do("create", other); c["id"] != "g/other" || c["state"] != nil || c["inviteId"] != nil && c["lastDate"] != nil {
			t.Errorf("got %v", c)
		}
		mary.fails("NOT_FOUND_ERROR", "get", object{"id": id})
		if c := john.do("update", object{"id": "g/other", "state": "started"}); c["state"] != "started" {
			t.Errorf("got %v", c)
		}
		if c := john.do("update", object{"id": "g/other", "state": "stopped"}); c["state"] != "stopped" {
			t.Errorf("got %v", c)
		}
	})
}

// Guests come in by being added, or by an invite; they do not manage the call.
func TestGuestsAndInvites(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		w := newWorld(t, nil)
		d := w.listen(transport, "mary", "jack")
		mary, jack := d["mary"], d["jack"]
		const id = "g/product_team"
		mary.do("create", teamCall(id))
		mary.do("update", object{"id": id, "state": "joined"})
		mary.do("add_guest", object{"id": id, "guestId": "jack"})
		g := jack.do("update", object{"id": id, "state": "joined"})
		if g["seat"] == nil {
			t.Errorf("got %v", g)
		}
		for _, args := range []object{{"state": "stopped"}, {"info": object{"title": "Mine"}}, {"participants": []string{"jack"}}} {
			args["id"] = id
			jack.fails("ACCESS_ERROR", "update", args)
		}
		jack.fails("ACCESS_ERROR", "delete", object{"id": id})
		eve := w.dial("eve", "e1", transport)
		invite := mary.do("update_invites", object{"id": id, "invites": []object{{"id": "eve", "type": "user"}, {"id": "/spaces/sales_team", "type": "group"}}})["inviteId"]
		eve.fails("NOT_FOUND_ERROR", "add_guest", object{"id": id, "guestId": "eve"})
		if r := eve.do("check_invite", object{"id": id, "inviteId": "wrong"}); r["allowed"] != false {
			t.Errorf("got %v", r)
		}
		if r := eve.do("check_invite", object{"id": id, "inviteId": invite}); r["allowed"] != true {
			t.Errorf("got %v", r)
		}
		eve.fails("NOT_FOUND_ERROR", "add_guest", object{"id": id, "guestId": "root"})
		if c := eve.do("add_guest", object{"id": id, "guestId": "eve"}); c["inviteId"] != invite {
			t.Errorf("got %v", c)
		}
		jack.do("update", object{"id": id, "state": "leaved"})
		c := mary.do("update", object{"id": id, "state": "leaved"})
		if c["state"] != "stopped" || c["inviteId"] != nil || len(c["participants"].([]any)) != 3 {
			t.Errorf("got %v", c)
		}
	})
}

// What old clients send in odd forms is understood.
func TestLenientArguments(t *testing.T) {
	w := newWorld(t, nil)
	mary := w.dial("mary", "m1", "websocket")
	c := mary.do("create", object{
		"id": "p/1", "owner": "mary", "ownerType": "user", "provider": "rtc", "title": 17, "participants": []any{"mary", "john"},
		"start": "TRUE", "startDate": "1511359538958", "endDate": "2026-11-22T15:05", "spaces": "", "unknown": object{"x": 1},
	})
	if c["state"] != "started" || c["title"] != "17" || c["startDate"] != "2017-11-22T14:05:38.958Z" || c["endDate"] != "2026-11-22T15:05:00.000Z" {
		t.Errorf("got %v", c)
	}
	c = mary.do("update", object{"id": "p/1", "participants": "mary;john;james;"})
	if len(c["participants"].([]any)) != 3 {
		t.Errorf("got %v", c)
	}
	c = mary.do("update", object{"id": "p/1", "info": `{"title":"as text","participants":"","provider":null}`})
	if c["title"] != "as text" || len(c["participants"].([]any)) != 3 {
		t.Errorf("got %v", c)
	}
	mary.do("update_invites", object{"id": "p/1", "invites": `[{"id":"*","type":"group"}]`})
	if m := mary.callRaw("calls", `{"command":"get","id":"p/1","exoId":"mary"}`); !m.ok() {
		t.Errorf("an object as text: %s", m.Data)
	}
}

func TestBadCommands(t *testing.T) {
	w := newWorld(t, nil)
	mary := w.dial("mary", "m1", "long-polling")
	mary.do("create", pairCall("p/1"))
	long := strings.Repeat("x", 256)
	for _, tc := range []struct {
		command string
		args    object
		field   string
	}{
		{"", object{"id": "p/1"}, "command"},
		{"fly", object{"id": "p/1"}, "command"},
		{strings.Repeat("x", 33), object{"id": "p/1"}, "command"},
		{"get", nil, "id"}, {"get", object{"id": ""}, "id"}, {"get", object{"id": []string{"p/1"}}, "id"}, {"get", object{"id": long}, "id"},
		{"create", object{"id": "p/2"}, "owner"},
		{"create", object{"id": "p/2", "owner": "mary", "ownerType": "planet", "provider": "rtc"}, "ownerType"},
		{"create", object{"id": "p/2", "owner": "mary", "ownerType": "user", "provider": "rtc", "participants": object{}}, "participants"},
		{"create", object{"id": "p/2", "owner": "mary", "ownerType": "user", "provider": "rtc", "participants": "john", "start": "maybe"}, "start"},
		{"create", object{"id": "p/2", "owner": "mary", "ownerType": "user", "provider": "rtc", "participants": "john", "startDate": "yesterday"}, "startDate"},
		{"create", object{"id": "p/2", "owner": "mary", "ownerType": "user", "provider": "rtc", "participants": "john", "startDate": "1e999"}, "startDate"},
		{"create", object{"id": "p/2", "owner": "mary", "ownerType": "user", "provider": "rtc", "participants": "john", "title": long}, "title"},
		{"update", object{"id": "p/1"}, "info"},
		{"update", object{"id": "p/1", "info": "no"}, "info"},
		{"update", object{"id": "p/1", "state": "paused"}, "state"},
		{"update", object{"id": "p/1", "state": "leaved", "epoch": "x"}, "epoch"},
		{"update", object{"id": "p/1", "info": object{"owner": "john"}}, "ownerType"},
		{"add_guest", object{"id": "p/1"}, "guestId"},
		{"update_invites", object{"id": "p/1"}, "invites"},
		{"update_invites", object{"id": "p/1", "invites": "no"}, "invites"},
		{"update_invites", object{"id": "p/1", "invites": []object{{"type": "user"}}}, "invites"},
		{"check_invite", object{"id": "p/1"}, "inviteId"},
		{"heartbeat", object{"id": "p/1"}, "seat"},
		{"get_org_identities", object{}, "name"},
		{"settings", object{}, "provider"},
	} {
		if f := mary.fails("CLIENT_ERROR", tc.command, tc.args); f["field"] != tc.field || !strings.Contains(f["message"].(string), tc.field) {
			t.Errorf("%s %v: got %v, want field %s", tc.command, tc.args, f, tc.field)
		}
	}
	for _, data := range []any{[]string{}, 17, "text", nil, `{"a":1,"a":2}`} {
		if m := mary.callRaw("calls", data); m.ok() || m.fields()["code"] != "CLIENT_ERROR" {
			t.Errorf("%v: got %s", data, m.Data)
		}
	}
	if f := mary.fails("NOT_FOUND_ERROR", "heartbeat", object{"id": "p/1", "seat": "x", "epoch": 1}); f["reason"] != "seat_gone" {
		t.Errorf("got %v", f)
	}
	// An exoId that names somebody else is refused, whatever the command.
	m := mary.callRaw("calls", object{"command": "get", "id": "p/1", "exoId": "john"})
	if m.ok() || m.fields()["code"] != "ACCESS_ERROR" {
		t.Errorf("got %s", m.Data)
	}
	reply := mary.exchange(object{"channel": "/service/webconferencing/nothing", "data": object{}})
	if reply.ok() {
		t.Error("an unknown target was accepted")
	}
}

func TestOtherCommands(t *testing.T) {
	w := newWorld(t, nil)
	mary := w.dial("mary", "m1", "websocket")
	m := mary.command("get_org_identities", object{"name": "smith"})
	var found []object
	if err := json.Unmarshal(m.Data, &found); err != nil || len(found) != 2 || found[0]["displayName"] != "John Smith" ||
		found[0]["type"] != "user" || found[1]["type"] != "group" || found[0]["avatarUrl"] != "/a?v=1" {
		t.Errorf("got %s", m.Data)
	}
	if s := mary.do("settings", object{"provider": "rtc"}); s["for"] != "mary" {
		t.Errorf("got %v", s)
	}
	mary.fails("NOT_FOUND_ERROR", "settings", object{"provider": "nothing"})
	mary.do("create", pairCall("p/1"))
	s := mary.do("update", object{"id": "p/1", "state": "joined"})
	mary.do("heartbeat", object{"id": "p/1", "seat": s["seat"], "epoch": s["epoch"]})
	for _, args := range []object{
		{"data": "text", "level": "info", "provider": "rtc", "prefix": "call", "timestamp": "2018-03-21T16:05:39.546Z"},
		{"data": object{"message": "text"}, "level": "error"}, {"data": object{"other": 1}}, {"data": 17}, {"timestamp": 1511359538958}, {"level": "trace", "data": "x"},
	} {
		if m := mary.call("logs", args); !m.ok() || string(m.Data) != "{}" {
			t.Errorf("%v: %s", args, m.Data)
		}
	}
	if m := mary.call("logs", object{"data": "x", "level": "loud"}); m.ok() || m.fields()["field"] != "level" {
		t.Errorf("got %s", m.Data)
	}
}

// What the provider grants goes to the joining device alone.
func TestGrant(t *testing.T) {
	w := newWorld(t, nil)
	w.rtc.join = func(r webconferencing.JoinRequest) (*webconferencing.Grant, error) {
		if r.Actor.User == "john" {
			return nil, errors.New("provider: secret")
		}
		if r.Call.ID == "p/panic" {
			panic("provider")
		}
		return &webconferencing.Grant{URL: "https://media/room", Token: "t-" + string(r.Actor.Client), Settings: object{"a": 1}}, nil
	}
	mary, john := w.dial("mary", "m1", "websocket"), w.dial("john", "j1", "websocket")
	john.mustSubscribe(userChannel + "john")
	mary.do("create", pairCall("p/1"))
	john.wantEvent("call_state")
	c := mary.do("update", object{"id": "p/1", "state": "joined"})
	g := c["grant"].(object)
	if g["url"] != "https://media/room" || g["token"] != "t-m1" || g["settings"].(object)["a"] != 1.0 || g["expires"] != nil {
		t.Errorf("got %v", g)
	}
	if e := john.event(); strings.Contains(string(e.Data), "t-m1") {
		t.Errorf("the grant leaked: %s", e.Data)
	}
	if c := john.do("get", object{"id": "p/1"}); c["grant"] != nil || c["seat"] != nil {
		t.Errorf("got %v", c)
	}
	f := john.fails("SERVER_ERROR", "update", object{"id": "p/1", "state": "joined"})
	if strings.Contains(f["message"].(string), "secret") {
		t.Errorf("internals leak: %v", f)
	}
	mary.do("create", pairCall("p/panic"))
	mary.fails("SERVER_ERROR", "update", object{"id": "p/panic", "state": "joined"})
}

// Hanging up while still joining must not leave the device inside: commands of
// one session take effect in the order in which they were sent.
func TestCommandsKeepOrder(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		w := newWorld(t, nil)
		slow := make(chan struct{})
		w.rtc.join = func(webconferencing.JoinRequest) (*webconferencing.Grant, error) {
			<-slow
			return nil, nil
		}
		mary := w.dial("mary", "m1", transport)
		mary.do("create", teamCall("g/product_team"))
		args := func(state string) object {
			return object{"channel": "/service/webconferencing/calls", "data": object{
				"command": "update", "id": "g/product_team", "state": state, "exoClientId": "m1"}}
		}
		if m := mary.exchange(args("joined")); !m.ok() {
			t.Fatal(m.Error)
		}
		if m := mary.exchange(args("leaved")); !m.ok() {
			t.Fatal(m.Error)
		}
		close(slow)
		c := mary.do("get", object{"id": "g/product_team"})
		i := slices.IndexFunc(c["participants"].([]any), func(p any) bool { return p.(object)["id"] == "mary" })
		if p := c["participants"].([]any)[i].(object); p["state"] != "leaved" {
			t.Errorf("got %v", p)
		}
	})
}

// Several devices of one person: one answers, another goes on.
func TestRingCommands(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		w := newWorld(t, nil)
		d := w.listen(transport, "mary", "john", "john-2")
		mary, john, second := d["mary"], d["john"], d["john-2"]
		c := mary.do("create", pairCall("p/1"))
		john.wantEvent("call_state")
		second.wantEvent("call_state")
		john.do("ringing", object{"id": "p/1"})
		mary.wantEvent("call_ringing", "count", 1.0, "clientId", "john-tab")
		if a := john.do("accept", object{"id": "p/1"}); a["seat"] == nil {
			t.Errorf("got %v", a)
		}
		if f := second.fails("CLIENT_ERROR", "accept", object{"id": "p/1"}); f["reason"] != "answered_elsewhere" {
			t.Errorf("got %v", f)
		}
		john.wantEvent("call_joined", "clientId", "john-tab")
		second.wantEvent("call_joined", "clientId", "john-tab")
		if a := second.do("take_over", object{"id": "p/1"}); a["seat"] == nil {
			t.Errorf("got %v", a)
		}
		john.fails("CLIENT_ERROR", "update", object{"id": "p/1", "info": object{"title": "x", "ifVersion": c["version"]}})
		if c := mary.do("cancel", object{"id": "p/1"}); c["state"] != "stopped" {
			t.Errorf("got %v", c)
		}
		mary.do("create", pairCall("p/1"))
		mary.fails("CLIENT_ERROR", "ring_again", object{"id": "p/1"})
		mary.do("ring_again", object{"id": "p/1", "user": "john"})
		john.fails("CLIENT_ERROR", "decline", object{"id": "p/1", "reason": "bored"})
		if c := john.do("decline", object{"id": "p/1", "reason": "busy"}); c["reason"] != "busy" {
			t.Errorf("got %v", c)
		}
		mary.do("create", object{"id": "p/3", "owner": "mary", "ownerType": "user", "provider": "rtc", "participants": "john;james"})
		if c := mary.do("remove_participant", object{"id": "p/3", "user": "james"}); len(c["participants"].([]any)) != 2 {
			t.Errorf("got %v", c)
		}
	})
}

// One session can't pretend to be a crowd.
func TestDevicesOfOneSession(t *testing.T) {
	w := newWorld(t, nil)
	mary := w.dial("mary", "", "websocket")
	call := func(client string) message {
		return mary.callRaw("calls", object{"command": "get_calls_state", "id": "mary", "exoClientId": client})
	}
	for _, client := range []string{"", "a", "b", "c", "d", "e", "f", "g", "a", ""} {
		if m := call(client); !m.ok() {
			t.Errorf("%q: %s", client, m.Data)
		}
	}
	for _, client := range []string{"h", strings.Repeat("x", 256)} {
		if m := call(client); m.ok() || m.fields()["field"] != "exoClientId" {
			t.Errorf("%q: %s", client, m.Data)
		}
	}
}
