package httpapi_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing/httpapi"
)

// Nobody can keep others' devices ringing, whichever way he takes; and what
// rings nobody is not limited by it.
func TestRingRate(t *testing.T) {
	virtual(t, func(t *testing.T) {
		w := newWorld(t, &httpapi.Options{RESTRate: httpapi.Unlimited(), RingRate: httpapi.Rate{PerSecond: 0.1, Burst: 3}})
		mary := w.dial("mary", "m1", "websocket")
		create := func(i int, start bool) answer {
			return w.rest("mary", "POST", "calls", object{
				"id": fmt.Sprintf("p/%d", i), "owner": "mary", "ownerType": "user", "provider": "rtc", "participants": []string{"john"}, "start": start,
			})
		}
		for i := range 3 {
			create(i, true).wantOK(t)
		}
		refused := create(3, true)
		refused.wantError(t, 429, "CLIENT_ERROR")
		if refused.Header.Get("Retry-After") == "" || refused.body["reason"] != "rate_limited" {
			t.Errorf("got %s", refused)
		}
		for command, args := range map[string]object{
			"create": pairCall("p/4"), "update": {"id": "p/0", "state": "started"}, "ring_again": {"id": "p/0", "user": "john"},
		} {
			if f := mary.fails("CLIENT_ERROR", command, args); f["reason"] != "rate_limited" {
				t.Errorf("%s: got %v", command, f)
			}
		}
		w.rest("mary", "POST", "calls/p%2F0/start", nil).wantError(t, 429, "CLIENT_ERROR")
		w.rest("mary", "POST", "calls/p%2F0/participants/john/ring", nil).wantError(t, 429, "CLIENT_ERROR")
		create(5, false).wantOK(t)
		w.rest("mary", "POST", "calls/p%2F0/join", nil, "X-Client-Id", "m1").wantOK(t)
		w.rest("john", "POST", "calls", object{
			"id": "p/j", "owner": "john", "ownerType": "user", "provider": "rtc", "participants": []string{"mary"}, "start": true,
		}).wantOK(t)
		time.Sleep(10 * time.Second)
		create(6, true).wantOK(t)
		create(7, true).wantError(t, 429, "CLIENT_ERROR")
	})
}
