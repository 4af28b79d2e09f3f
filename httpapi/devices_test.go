package httpapi_test

import (
	"testing"

	"github.com/webconferencing/webconferencing"
)

// Old clients know five words for a status.
func TestStatusInACall(t *testing.T) {
	w := newWorld(t, unlimited())
	w.dir.presence["john"] = webconferencing.InCall
	a := w.send("mary", "GET", "/portal/rest/state/status/john", nil)
	if a.wantOK(t); string(a.raw) != `{"userId":"john","status":"donotdisturb","inCall":true}` {
		t.Errorf("got %s", a)
	}
}

// What a ring came to is on the call and in the events, for each device, and
// the caller hears on how many it rings. A device that does not say that it
// rings hears no more than before.
func TestLegs(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		w := newWorld(t, nil)
		d := w.listen(transport, "mary", "john", "john-2", "john-old")
		mary, phone, desk, old := d["mary"], d["john"], d["john-2"], d["john-old"]
		mary.do("create", pairCall("p/1"))
		for i, device := range []*device{phone, desk} {
			device.wantEvent("call_state", "callState", "started")
			device.do("ringing", object{"id": "p/1"})
			device.do("ringing", object{"id": "p/1"}) // twice is once
			mary.wantEvent("call_ringing", "count", float64(i+1), "clientId", device.id)
		}
		john := func(c object) object { return c["participants"].([]any)[1].(object) }
		c := mary.do("get", object{"id": "p/1"})
		if got := john(c)["legs"].([]any); len(got) != 2 || got[0].(object)["state"] != "ringing" || got[0].(object)["ended"] != nil {
			t.Errorf("got %v", john(c))
		}
		c = desk.do("accept", object{"id": "p/1"})
		legs := john(c)["legs"].([]any)
		if a, b := legs[0].(object), legs[1].(object); john(c)["answeredBy"] != desk.id || a["state"] != "elsewhere" || a["by"] != desk.id ||
			b["state"] != "answered" || b["by"] != nil || b["ended"] == nil {
			t.Errorf("got %v", john(c))
		}
		for _, device := range []*device{phone, desk} {
			e := map[string]object{}
			for range 2 { // in the order of the journal, whichever that is
				f := device.event().fields()
				e[f["eventType"].(string)] = f
			}
			if ended := e["call_ring_ended"]; ended["ring"] != "answered" || ended["clientId"] != desk.id || len(ended["legs"].([]any)) != 2 || e["call_joined"] == nil {
				t.Errorf("got %v", e)
			}
		}
		if f := phone.fails("CLIENT_ERROR", "accept", object{"id": "p/1"}); f["device"] != desk.id || f["version"] != c["version"] {
			t.Errorf("got %v", f)
		}
		old.wantEvent("call_state", "callState", "started")
	})
}

// How long and how often a call rings is on it.
func TestRingTimes(t *testing.T) {
	virtual(t, func(t *testing.T) {
		w := newWorldWith(t, unlimited(), &webconferencing.Options{RingRetries: 1, MaxRingAgain: 1})
		d := w.listen("websocket", "mary", "john")
		mary, john := d["mary"], d["john"]
		call := pairCall("p/1")
		call["ringFor"] = 5
		c := mary.do("create", call)
		if c["ringFor"] != 5.0 || c["rings"] != 1.0 || c["ringNext"] != nil {
			t.Errorf("got %v", c)
		}
		john.wantEvent("call_state", "callState", "started")
		mary.do("update", object{"id": "p/1", "state": "joined"})
		john.wantEvent("call_joined")
		john.wantEvent("call_missed")
		if c = mary.do("get", object{"id": "p/1"}); c["ringNext"] == nil || c["state"] != "started" {
			t.Errorf("got %v", c)
		}
		john.wantEvent("call_state", "callState", "started")
		if c = mary.do("get", object{"id": "p/1"}); c["rings"] != 2.0 {
			t.Errorf("got %v", c)
		}
		for _, seconds := range []any{4, 181, -1, 1.5, "soon", []int{30}} {
			call["id"], call["ringFor"] = "p/2", seconds
			if f := mary.fails("CLIENT_ERROR", "create", call); f["field"] != "ringFor" {
				t.Errorf("%v: got %v", seconds, f)
			}
		}
	})
}
