package httpapi_test

import "testing"

func TestOneToOneCall(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		w := newWorld(t, nil)
		mary, john := w.dial("mary", "m1", transport), w.dial("john", "j1", transport)
		mary.mustSubscribe(userChannel + "mary")
		john.mustSubscribe(userChannel + "john")
		c := mary.do("create", map[string]any{
			"id": "p/john@mary", "owner": "mary", "ownerType": "user", "provider": "rtc", "title": "Hi", "participants": "mary;john", "start": true,
		})
		if c["state"] != "started" || len(c["participants"].([]any)) != 2 {
			t.Errorf("got %v", c)
		}
		john.wantEvent("call_state", "callState", "started", "callId", "p/john@mary", "providerType", "rtc")
		mary.mustSubscribe(callChannel + "p/john@mary")
		john.mustSubscribe(callChannel + "p/john@mary")
		mary.do("update", map[string]any{"id": "p/john@mary", "state": "joined"})
		john.wantEvent("call_joined")
		mary.wantEvent("call_joined")
		if err := john.publish(callChannel+"p/john@mary", map[string]any{"offer": "x", "exoToken": "secret"}); err != "" {
			t.Fatal(err)
		}
		t.Logf("%s", mary.event().Data)
	})
}
