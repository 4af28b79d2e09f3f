package httpapi_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/httpapi"
)

const denied = "403:denied_by_security_policy:subscribe_denied"

func TestSubscriptionsAreGuarded(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		w := newWorld(t, nil)
		mary, eve := w.dial("mary", "m1", transport), w.dial("eve", "e1", transport)
		mary.do("create", pairCall("p/1"))
		mary.mustSubscribe(userChannel+"mary", callChannel+"p/1")
		for _, channel := range []string{
			userChannel + "mary", userChannel + "eve/x", callChannel + "p/1", callChannel + "nothing", "/eXo/Application/WebConferencing/user",
			"/**", "/*", "/eXo/**", "/eXo/Application/WebConferencing/user/*", "/eXo/Application/WebConferencing/call/**", callChannel + "p/*",
			"/chat/anything", "/meta/connect", "/eXo/Application/WebConferencing/call",
		} {
			if got := eve.subscribe(channel); got != denied {
				t.Errorf("%s: %q", channel, got)
			}
		}
		for _, channel := range []string{"/", "//", callChannel + "a//b", callChannel + "../x", callChannel + "ü", "x", callChannel + strings.Repeat("x", 400)} {
			if got := eve.subscribe(channel); !strings.HasPrefix(got, "403::subscription_invalid") {
				t.Errorf("%s: %q", channel, got)
			}
		}
		// One forbidden channel spoils the whole list.
		reply := eve.exchange(object{"channel": "/meta/subscribe", "subscription": []string{userChannel + "eve", userChannel + "mary"}})
		if reply.ok() || reply.Error != denied {
			t.Errorf("got %+v", reply)
		}
		// An exoId that names somebody else is refused, though the channel is
		// the session's own.
		reply = eve.exchange(object{"channel": "/meta/subscribe", "subscription": userChannel + "eve", "exoId": "mary"})
		if reply.ok() || reply.Error != denied {
			t.Errorf("got %+v", reply)
		}
		john := w.dial("john", "j1", transport)
		john.mustSubscribe(userChannel+"john", callChannel+"p/1")
		eve.quiet()
	})
}

func TestCallData(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		w := newWorld(t, nil)
		mary, john, eve := w.dial("mary", "m1", transport), w.dial("john", "j1", transport), w.dial("eve", "e1", transport)
		mary.do("create", pairCall("p/1"))
		channel := callChannel + "p/1"
		mary.mustSubscribe(channel)
		john.mustSubscribe(channel)
		send := func(d *device, data object) {
			t.Helper()
			if err := d.publish(channel, data); err != "" {
				t.Fatal(err)
			}
		}
		send(mary, object{"sdp": "v=0\r\n<b>", "n": 1, "exoToken": "secret", "exoId": "mary", "exoClientId": "m1", "nested": object{"a": []int{1}}})
		for _, d := range []*device{mary, john} {
			m := d.event()
			f := m.fields()
			if f["sdp"] != "v=0\r\n<b>" || f["exoId"] != "mary" || f["exoClientId"] != "m1" || f["exoToken"] != nil || strings.Contains(string(m.Data), "secret") {
				t.Errorf("got %s", m.Data)
			}
			if m.Channel != channel || m.Ext["replayId"].(float64) <= 0 || m.ClientID != "" {
				t.Errorf("got %+v", m)
			}
		}
		// The sender is named by the server, whatever the data says.
		send(john, object{"n": 2})
		if f := mary.event().fields(); f["exoId"] != "john" || f["exoClientId"] == nil || f["exoClientId"] == "" {
			t.Errorf("got %v", f)
		}
		john.event()
		const no = "403:denied_by_security_policy:publish_denied"
		for _, tc := range []struct {
			d       *device
			channel string
			data    any
			want    string
		}{
			{john, channel, object{"n": 3, "exoId": "mary"}, no},
			{eve, channel, object{"n": 4}, no},
			{eve, callChannel + "nothing", object{"n": 5}, no},
			{john, userChannel + "mary", object{"eventType": "call_state"}, no},
			{john, userChannel + "john", object{"eventType": "call_state"}, no},
			{john, "/chat/x", object{}, no},
			{john, callChannel + "*", object{}, "405::channel_invalid"},
			{john, channel, "text", "400:bad_json:publish_denied"},
			{john, channel, []int{1}, "400:bad_json:publish_denied"},
		} {
			if got := tc.d.publish(tc.channel, tc.data); got != tc.want {
				t.Errorf("%s of %s on %s: got %q, want %q", tc.data, tc.d.user, tc.channel, got, tc.want)
			}
		}
		mary.quiet()
		john.quiet()
		eve.quiet()
		// Order.
		for i := range 50 {
			send(mary, object{"i": i})
		}
		for i := range 50 {
			if f := john.event().fields(); f["i"] != float64(i) {
				t.Fatalf("got %v, want %d", f, i)
			}
		}
	})
}

// Who comes back says where he was and misses nothing.
func TestReplay(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		w := newWorld(t, nil)
		mary := w.dial("mary", "m1", transport)
		mary.do("create", pairCall("p/1"))
		channel := callChannel + "p/1"
		mary.mustSubscribe(channel)
		var at float64
		for i := range 5 {
			mary.publish(channel, object{"i": i})
			if e := mary.event(); i == 1 {
				at = e.Ext["replayId"].(float64)
			}
		}
		for _, position := range []any{at, strconv.FormatFloat(at, 'f', 0, 64)} {
			john := w.dial("john", "j1", transport)
			if err := john.subscribe(channel, object{"replay": object{channel: position}}); err != "" {
				t.Fatal(err)
			}
			for i := 2; i < 5; i++ {
				if f := john.event().fields(); f["i"] != float64(i) {
					t.Fatalf("got %v, want %d", f, i)
				}
			}
			john.quiet()
			john.disconnect()
		}
		all := w.dial("john", "j2", transport)
		if err := all.subscribe(channel, object{"replay": object{channel: "-2"}}); err != "" {
			t.Fatal(err)
		}
		for i := range 5 {
			if f := all.event().fields(); f["i"] != float64(i) {
				t.Fatalf("got %v, want %d", f, i)
			}
		}
		fresh := w.dial("john", "j3", transport)
		for _, ext := range []object{{"replay": object{channel: -1}}, {"replay": true}, {"replay": object{"/other": 1}}} {
			if err := fresh.subscribe(channel, ext); err != "" {
				t.Fatal(err)
			}
		}
		fresh.quiet()
		odd := w.dial("john", "j4", transport)
		for _, position := range []any{"x", 1.5, -7, object{}} {
			if err := odd.subscribe(channel, object{"replay": object{channel: position}}); !strings.HasPrefix(err, "400:") {
				t.Errorf("%v: got %q", position, err)
			}
		}
	})
}

// The reply says where the subscription begins, for clients that have heard
// nothing yet when their connection breaks.
func TestSubscriptionStart(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		w := newWorld(t, nil)
		mary, john := w.dial("mary", "m1", transport), w.dial("john", "j1", transport)
		mary.do("create", pairCall("p/1"))
		channel := callChannel + "p/1"
		mary.mustSubscribe(channel)
		mary.publish(channel, object{"i": 0})
		last := mary.event().Ext["replayId"].(float64)
		reply := john.exchange(object{"channel": "/meta/subscribe", "subscription": []string{channel, userChannel + "john"}})
		start, _ := reply.Ext["replay"].(object)
		if !reply.ok() || len(start) != 2 || start[channel] != last {
			t.Fatalf("got %+v, want %v", reply, last)
		}
		john.disconnect()
		mary.publish(channel, object{"i": 1})
		again := w.dial("john", "j1", transport)
		if err := again.subscribe(channel, object{"replay": object{channel: start[channel]}}); err != "" {
			t.Fatal(err)
		}
		if f := again.event().fields(); f["i"] != 1.0 {
			t.Errorf("got %v", f)
		}
	})
}

// Who missed too much is told to start over instead of being flooded.
func TestReplayGone(t *testing.T) {
	virtual(t, func(t *testing.T) {
		w := newWorld(t, nil)
		mary := w.dial("mary", "m1", "websocket")
		mary.do("create", pairCall("p/1"))
		channel := callChannel + "p/1"
		actor := webconferencing.Actor{User: "mary", Client: "m1"}
		for i := range 600 {
			if _, err := w.svc.SendData(t.Context(), actor, "p/1", fmt.Appendf(nil, `{"i":%d}`, i)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait() // until all of it is the past
		john := w.dial("john", "j1", "websocket")
		err := john.subscribe(channel, object{"replay": object{channel: 1}})
		if err != "400:"+channel+":replay_gone" {
			t.Errorf("got %q", err)
		}
		john.mustSubscribe(channel)
		john.quiet()
		mary.publish(channel, object{"last": true})
		if f := john.event().fields(); f["last"] != true {
			t.Errorf("got %v", f)
		}
	})
}

// A call id that is used again is the same channel: a client that stayed
// subscribed hears the new call, and one who is no party any more does not.
func TestChannelOutlivesCall(t *testing.T) {
	virtual(t, func(t *testing.T) {
		w := newWorld(t, nil)
		mary, john := w.dial("mary", "m1", "websocket"), w.dial("john", "j1", "websocket")
		channel := callChannel + "p/1"
		mary.do("create", pairCall("p/1"))
		mary.mustSubscribe(channel)
		john.mustSubscribe(channel)
		mary.do("update", object{"id": "p/1", "state": "stopped"})
		w.api.Recheck(t.Context())
		mary.do("create", pairCall("p/1"))
		for i := range 3 {
			if err := mary.publish(channel, object{"i": i}); err != "" {
				t.Fatal(err)
			}
		}
		for i := range 3 {
			if f := john.event().fields(); f["i"] != float64(i) {
				t.Errorf("got %v, want %d", f, i)
			}
		}
		for range 3 {
			mary.event()
		}
		mary.do("create", object{"id": "p/2", "owner": "mary", "ownerType": "user", "provider": "rtc", "participants": "john;james"})
		second := callChannel + "p/2"
		mary.mustSubscribe(second)
		john.mustSubscribe(second)
		mary.do("update", object{"id": "p/2", "participants": "mary;james"})
		w.api.Recheck(t.Context())
		mary.publish(second, object{"i": 1})
		mary.event()
		john.quiet()
		if err := john.publish(second, object{"i": 1}); err == "" {
			t.Error("one who was taken out may still publish")
		}
	})
}

// What the Bayeux server can do with a bare connection it can do here.
func TestLongPollingLeavesNetHTTP(t *testing.T) {
	virtual(t, func(t *testing.T) {
		w := newWorld(t, nil)
		mary := w.dial("mary", "m1", "long-polling")
		mary.mustSubscribe("/eXo/Application/WebConferencing/user/mary")
		if w.taken.Load() == 0 {
			t.Error("connections stay in net/http")
		}
	})
}

// Before there is a session no hook guard looks after what the host brought.
func TestPanicWhileASocketOpens(t *testing.T) {
	var log strings.Builder
	w := newWorld(t, &httpapi.Options{
		Logger: slog.New(slog.NewTextHandler(&log, nil)), ClientAddr: func(*http.Request) string { panic("address") },
	})
	d := w.newDevice("mary", "m1")
	if _, _, err := websocket.Dial(d.ctx, "ws://portal.test/cometd/cometd", &websocket.DialOptions{
		HTTPClient: d.http, HTTPHeader: http.Header{"Origin": {"http://portal.test"}},
	}); err == nil {
		t.Error("the socket was opened")
	}
	w.stop()
	if n := strings.Count(log.String(), "panic in application code"); n != 1 || !strings.Contains(log.String(), "fault=address") || !strings.Contains(log.String(), "ref=") {
		t.Errorf("%d panics in the log: %s", n, log.String())
	}
}
