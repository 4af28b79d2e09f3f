package httpapi_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// A client that uses nothing but the commands of its time sees nothing but what
// it saw then: these are all types of events, and all members of events, calls,
// people and errors that the first version of this contract had. Errors have
// gained one member since, and calls a few, by name.
func TestOldClientSeesWhatItSaw(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		w := newWorld(t, nil)
		d := w.listen(transport, "mary", "john", "james")
		mary, john, james := d["mary"], d["john"], d["james"]
		seen := map[string]map[string]bool{"event": {}, "type": {}, "call": {}, "user": {}, "error": {}, "message": {}}
		note := func(kind string, o object) {
			for name := range o {
				seen[kind][name] = true
			}
		}
		call := func(c object) {
			note("call", c)
			for _, p := range c["participants"].([]any) {
				note("user", p.(object))
			}
		}
		update := func(d *device, id, state string) { call(d.do("update", object{"id": id, "state": state})) }

		// Two people: declined, answered, left; a group: joined, stopped, deleted.
		call(mary.do("create", pairCall("p/1")))
		update(john, "p/1", "leaved")
		call(mary.do("create", pairCall("p/1")))
		update(mary, "p/1", "joined")
		update(john, "p/1", "joined")
		note("error", mary.fails("CLIENT_ERROR", "create", pairCall("p/1")))
		call(john.do("get", object{"id": "p/1"}))
		update(john, "p/1", "leaved")
		note("error", james.fails("NOT_FOUND_ERROR", "get", object{"id": "p/1"}))
		note("error", james.fails("ACCESS_ERROR", "get_calls_state", object{"id": "mary"}))
		call(mary.do("create", teamCall("g/product_team")))
		for _, member := range d {
			update(member, "g/product_team", "joined")
		}
		call(mary.do("update", object{"id": "g/product_team", "info": object{"title": "New"}}))
		update(james, "g/product_team", "leaved")
		update(mary, "g/product_team", "stopped")
		call(mary.do("delete", object{"id": "g/product_team"}))

		for _, member := range d {
			for stops := 0; stops < 2 || len(member.events) > 0; {
				m := member.event()
				f := m.fields()
				note("event", f)
				note("message", m.Ext)
				seen["type"][f["eventType"].(string)] = true
				if f["callState"] == "stopped" && f["callId"] == "g/product_team" {
					stops++
				}
			}
			member.quiet()
		}
		for kind, want := range map[string]string{
			"message": "replayId",
			"type":    "call_declined call_joined call_leaved call_state call_updated",
			"event":   "actor callId callState cause clientId epoch eventType owner part providerType reason time title version",
			"error":   "code error message reason ref version",
			"user":    "answeredBy avatarLink clientId firstName group id imAccounts lastName profileLink ring state title type",
			"call": "answered endDate epoch id inviteId lastDate origins owner participants providerType reason ringUntil rings " +
				"seat startDate starter state title version",
		} {
			if got := strings.Join(slices.Sorted(maps.Keys(seen[kind])), " "); got != want {
				t.Errorf("%s: an old client sees\n%s, want\n%s", kind, got, want)
			}
		}
	})
}
