package httpapi_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/webconferencing/webconferencing"
)

// bubble runs a test in virtual time.
func bubble(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	virtual(t, func(t *testing.T) { f(t, newWorld(t, unlimited())) })
}

// bubbles runs a test in virtual time on both transports.
func bubbles(t *testing.T, f func(t *testing.T, w *world, transport string)) {
	t.Helper()
	transports(t, func(t *testing.T, transport string) { f(t, newWorld(t, unlimited()), transport) })
}

// inside tells who is in a group call.
func (w *world) inside(id webconferencing.CallID) map[webconferencing.UserID]bool {
	w.t.Helper()
	c, err := w.svc.Call(w.t.Context(), webconferencing.Actor{User: "mary", Client: "x"}, id)
	if err != nil {
		w.t.Fatal(err)
	}
	in := map[webconferencing.UserID]bool{}
	for _, s := range c.Seats {
		in[s.User] = true
	}
	return in
}

const team = "g/product_team"

// joinTeam starts the team's call and lets devices join it the way old clients
// do: listen to the channel, then join.
func (w *world) joinTeam(transport string, users ...string) map[string]*device {
	w.t.Helper()
	d := map[string]*device{}
	for i, user := range users {
		d[user] = w.dial(user, user+"-tab", transport)
		if i == 0 {
			d[user].do("create", teamCall(team))
		}
		d[user].mustSubscribe(callChannel + team)
		d[user].do("update", object{"id": team, "state": "joined"})
	}
	return d
}

// A device that lives stays, however long it says nothing.
func TestLiveDeviceStays(t *testing.T) {
	bubbles(t, func(t *testing.T, w *world, transport string) {
		w.joinTeam(transport, "mary", "john")
		for range 30 {
			time.Sleep(time.Minute)
			if in := w.inside(team); !in["mary"] || !in["john"] {
				t.Fatalf("somebody who lives was removed: %v", in)
			}
		}
	})
}

// A device whose cable was pulled is gone within 30 s. Its connections stay
// open, nothing arrives any more.
func TestVanishedDeviceGoes(t *testing.T) {
	bubbles(t, func(t *testing.T, w *world, transport string) {
		d := w.joinTeam(transport, "mary", "john")
		time.Sleep(time.Minute)
		d["john"].freeze()
		start := time.Now()
		for w.inside(team)["john"] {
			if time.Since(start) > 31*time.Second {
				t.Fatal("still inside after 30 s")
			}
			time.Sleep(time.Second)
		}
		gone := time.Since(start)
		t.Log("gone after", gone)
		if gone < 12*time.Second {
			t.Errorf("removed after %v already", gone)
		}
		if !w.inside(team)["mary"] {
			t.Error("the wrong one was removed")
		}
	})
}

// A closed page leaves after the grace period: by a goodbye, by leaving the
// channel, or by losing its session.
func TestClosedPageLeaves(t *testing.T) {
	for name, end := range map[string]func(d *device){
		"disconnect":  func(d *device) { d.disconnect() },
		"unsubscribe": func(d *device) { d.unsubscribe(callChannel + team) },
	} {
		t.Run(name, func(t *testing.T) {
			bubbles(t, func(t *testing.T, w *world, transport string) {
				d := w.joinTeam(transport, "mary", "john")
				time.Sleep(17 * time.Second)
				end(d["john"])
				time.Sleep(8 * time.Second)
				if !w.inside(team)["john"] {
					t.Error("no grace for a reload")
				}
				time.Sleep(5 * time.Second)
				if in := w.inside(team); in["john"] || !in["mary"] {
					t.Errorf("inside are %v", in)
				}
			})
		})
	}
}

// A page that is back within the grace period has never left, whether its
// client joins again or only listens again.
func TestReloadKeepsTheSeat(t *testing.T) {
	bubbles(t, func(t *testing.T, w *world, transport string) {
		d := w.joinTeam(transport, "mary", "john")
		synctest.Wait() // the joins have been told
		d["mary"].mustSubscribe(userChannel + "mary")
		d["john"].disconnect()
		time.Sleep(7 * time.Second)
		again := w.dial("john", "john-tab", transport)
		again.mustSubscribe(callChannel + team)
		time.Sleep(5 * time.Minute)
		if in := w.inside(team); !in["john"] {
			t.Error("the seat was lost")
		}
		d["mary"].quiet()
	})
}

// The end of an old session must not end the seat that a new one holds.
func TestOldSessionEndsLater(t *testing.T) {
	bubbles(t, func(t *testing.T, w *world, transport string) {
		d := w.joinTeam(transport, "mary", "john")
		again := w.dial("john", "john-tab", transport)
		again.mustSubscribe(callChannel + team)
		time.Sleep(time.Second)
		d["john"].disconnect()
		time.Sleep(5 * time.Minute)
		if in := w.inside(team); !in["john"] {
			t.Error("the seat was lost")
		}
		again.do("update", object{"id": team, "state": "leaved"})
		if in := w.inside(team); in["john"] {
			t.Error("still inside")
		}
		time.Sleep(time.Minute)
	})
}

// A device that joined without listening to the channel stays as long as its
// session.
func TestJoinWithoutChannel(t *testing.T) {
	bubbles(t, func(t *testing.T, w *world, transport string) {
		mary := w.dial("mary", "", transport)
		mary.do("create", teamCall(team))
		time.Sleep(5 * time.Second)
		mary.do("update", object{"id": team, "state": "joined"})
		time.Sleep(5 * time.Minute)
		if !w.inside(team)["mary"] {
			t.Fatal("removed")
		}
		mary.disconnect()
		time.Sleep(15 * time.Second)
		if w.inside(team)["mary"] {
			t.Error("still inside")
		}
	})
}

// A device over REST lives by its heartbeats.
func TestHeartbeats(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		client := []string{"X-Client-Id", "m1"}
		w.rest("mary", "POST", "calls", teamCall(team)).wantOK(t)
		j := w.rest("mary", "POST", "calls/g%2Fproduct_team/join", nil, client...)
		seat := object{"seat": j.body["seat"], "epoch": j.body["epoch"]}
		for range 20 {
			time.Sleep(10 * time.Second)
			w.rest("mary", "POST", "calls/g%2Fproduct_team/heartbeat", seat, client...).wantOK(t)
		}
		w.rest("john", "POST", "calls/g%2Fproduct_team/heartbeat", seat, client...).wantError(t, 410, "NOT_FOUND_ERROR")
		time.Sleep(27 * time.Second)
		a := w.rest("mary", "POST", "calls/g%2Fproduct_team/heartbeat", seat, client...)
		a.wantError(t, 410, "NOT_FOUND_ERROR")
		if a.body["reason"] != "seat_gone" {
			t.Errorf("got %s", a)
		}
	})
}

// When the process ends, devices keep the time of their leases for coming
// back, and are not treated as having hung up.
func TestShutdownDetachesNobody(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.joinTeam("websocket", "mary", "john")
		if err := w.api.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(18 * time.Second)
		if in := w.inside(team); !in["mary"] || !in["john"] {
			t.Errorf("inside are %v", in)
		}
		time.Sleep(12 * time.Second)
		if in := w.inside(team); len(in) != 0 {
			t.Errorf("inside are %v", in)
		}
	})
}

// A device that joined over REST and listens to the channel over Bayeux needs
// no heartbeats; one whose session ends while it is joining is let go.
func TestJoinBesideTheSession(t *testing.T) {
	bubbles(t, func(t *testing.T, w *world, transport string) {
		mary := w.dial("mary", "m1", transport)
		mary.do("create", teamCall(team))
		mary.mustSubscribe(callChannel + team)
		w.rest("mary", "POST", "calls/g%2Fproduct_team/join", nil, "X-Client-Id", "m1").wantOK(t)
		time.Sleep(5 * time.Minute)
		if !w.inside(team)["mary"] {
			t.Fatal("removed")
		}
		slow := make(chan struct{})
		w.rtc.join = func(webconferencing.JoinRequest) (*webconferencing.Grant, error) {
			<-slow
			return nil, nil
		}
		john := w.dial("john", "j1", transport)
		if m := john.exchange(object{"channel": "/service/webconferencing/calls", "data": object{
			"command": "update", "id": team, "state": "joined", "exoClientId": "j1"}}); !m.ok() {
			t.Fatal(m.Error)
		}
		john.disconnect()
		close(slow)
		time.Sleep(time.Second)
		time.Sleep(15 * time.Second)
		if w.inside(team)["john"] {
			t.Error("a device without a session stays")
		}
		if n := w.api.Stats().Devices; n != 1 {
			t.Errorf("%d devices are watched", n)
		}
	})
}

// A page that closes says that it leaves and disconnects in one breath; the
// leaving takes place.
func TestLeaveWithTheLastBreath(t *testing.T) {
	bubbles(t, func(t *testing.T, w *world, transport string) {
		d := w.joinTeam(transport, "mary", "john")
		john := d["john"]
		leave := object{"channel": "/service/webconferencing/calls", "id": "900", "clientId": john.session, "data": object{
			"command": "update", "id": team, "state": "leaved", "exoClientId": "john-tab"}}
		bye := object{"channel": "/meta/disconnect", "id": "901", "clientId": john.session}
		if err := john.post(leave, bye); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if in := w.inside(team); in["john"] || !in["mary"] {
			t.Errorf("inside are %v", in)
		}
	})
}
