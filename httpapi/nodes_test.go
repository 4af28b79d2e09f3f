package httpapi_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/memstore"
)

// twoNodes are two processes of one portal that know of each other by the store
// alone.
func twoNodes(t *testing.T) (a, b *world) {
	t.Helper()
	store := memstore.New()
	a = newNode(t, store, unlimited(), &webconferencing.Options{NodeName: "a"})
	b = newNode(t, store, unlimited(), &webconferencing.Options{NodeName: "b"})
	synctest.Wait()
	return a, b
}

// Devices of one person at two processes: the ring, the one answer, what the
// losers learn, and going on at the other process.
func TestDevicesAtTwoNodes(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		a, b := twoNodes(t)
		mary := a.listen(transport, "mary")["mary"]
		phone := a.listen(transport, "john")["john"]
		desk := b.listen(transport, "john-2")["john-2"]
		mary.do("create", pairCall("p/1"))
		for i, device := range []*device{phone, desk} {
			device.wantEvent("call_state", "callState", "started")
			device.do("ringing", object{"id": "p/1"})
			mary.wantEvent("call_ringing", "count", float64(i+1))
		}
		mary.do("update", object{"id": "p/1", "state": "joined"})
		first := phone.do("accept", object{"id": "p/1"})
		if f := desk.fails("CLIENT_ERROR", "accept", object{"id": "p/1"}); f["reason"] != "answered_elsewhere" || f["device"] != phone.id {
			t.Errorf("got %v", f)
		}
		desk.wantEvent("call_joined", "clientId", mary.id)
		told := map[any]bool{}
		for range 2 {
			told[desk.event().fields()["eventType"]] = true
		}
		if !told["call_ring_ended"] || !told["call_joined"] {
			t.Errorf("the other device heard %v", told)
		}

		// The call goes on at the other process; the seat that was lost is
		// lost everywhere.
		if c := desk.do("take_over", object{"id": "p/1"}); c["seat"] == first["seat"] {
			t.Errorf("got %v", c)
		}
		for e := (object{}); e["eventType"] != "call_seat_replaced"; {
			e = phone.event().fields()
		}
		phone.fails("NOT_FOUND_ERROR", "heartbeat", object{"id": "p/1", "seat": first["seat"], "epoch": first["epoch"]})
		phone.do("update", object{"id": "p/1", "state": "leaved", "seat": first["seat"], "epoch": first["epoch"]})
		time.Sleep(time.Minute) // both seats are renewed, each by its own process
		c := mary.do("get", object{"id": "p/1"})
		if p := c["participants"].([]any)[1].(object); c["state"] != "started" || p["state"] != "joined" || p["clientId"] != desk.id {
			t.Errorf("got %v", c)
		}
		live := a.rest("root", "GET", "admin/calls", nil).body["calls"].([]any)[0].(object)["seats"].([]any)
		nodes := map[any]bool{}
		for _, s := range live {
			nodes[s.(object)["nodeName"]] = true
			if s := s.(object); s["nodeAlive"] != true || (s["leaseLeft"] == nil) != (s["nodeName"] == "b") {
				t.Errorf("got %v", s)
			}
		}
		if !nodes["a"] || !nodes["b"] || len(live) != 2 {
			t.Errorf("got %v", live)
		}
	})
}

// The counter of missed calls is right at both processes.
func TestMissedCounterAtTwoNodes(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		a, b := twoNodes(t)
		here := a.listen(transport, "john")["john"]
		there := b.listen(transport, "john-2")["john-2"]
		for _, d := range []*device{here, there} {
			d.do("get_missed_count", nil)
		}
		a.missAll("p/1")
		for _, d := range []*device{here, there} {
			d.wantEvent("call_state", "callState", "started")
			d.wantEvent("call_state", "callState", "stopped")
			d.wantCount(t, 1)
		}
		there.do("mark_seen", nil)
		here.wantCount(t, 0)
		there.wantCount(t, 0)
	})
}
