package httpapi_test

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/memstore"
)

// missAll lets john miss calls of mary's, one after the other.
func (w *world) missAll(ids ...string) {
	w.t.Helper()
	for _, id := range ids {
		w.rest("mary", "POST", "calls", object{
			"id": id, "owner": "mary", "ownerType": "user", "provider": "rtc", "title": "About " + id, "participants": []string{"john"}, "start": true,
		}).wantOK(w.t)
		w.rest("mary", "POST", "calls/"+url.PathEscape(id)+"/stop", nil).wantOK(w.t)
		time.Sleep(time.Second) // of virtual time: entries have an order
	}
}

// The counter is right in every tab of those who show it, and clients that know
// nothing of it hear nothing.
func TestMissedCounter(t *testing.T) {
	bubbles(t, func(t *testing.T, w *world, transport string) {
		d := w.listen(transport, "john", "john-2", "john-old")
		for _, name := range []string{"john", "john-2"} {
			if c := d[name].do("get_missed_count", nil); c["count"] != 0.0 {
				t.Errorf("got %v", c)
			}
		}
		w.missAll("p/1")
		d["john"].wantMissed(t, 1)
		d["john-2"].wantMissed(t, 1)
		w.missAll("p/2")
		d["john"].wantMissed(t, 2)
		d["john-2"].wantMissed(t, 2)

		// Seen in one tab is seen in the other, and over REST too.
		if c := d["john"].do("mark_seen", nil); c["count"] != 0.0 {
			t.Errorf("got %v", c)
		}
		d["john"].wantCount(t, 0)
		d["john-2"].wantCount(t, 0)
		time.Sleep(time.Second)
		w.missAll("p/3")
		d["john"].wantMissed(t, 1)
		d["john-2"].wantMissed(t, 1)
		w.rest("john", "POST", "history/seen", nil).wantOK(t)
		d["john"].wantCount(t, 0)
		d["john-2"].wantCount(t, 0)

		// What was seen through another process is in the journal.
		time.Sleep(time.Second)
		w.missAll("p/4")
		d["john"].wantMissed(t, 1)
		d["john-2"].wantMissed(t, 1)
		if err := w.svc.MarkSeen(t.Context(), webconferencing.Actor{User: "john"}); err != nil {
			t.Fatal(err)
		}
		d["john"].wantCount(t, 0)
		d["john-2"].wantCount(t, 0)

		// The old client has heard of calls only.
		for range 4 {
			d["john-old"].wantEvent("call_state", "callState", "started")
			d["john-old"].wantEvent("call_state", "callState", "stopped")
		}
		for _, device := range d {
			device.quiet()
		}
	})
}

// meanwhile is a store in which something happens right after john's values were
// read.
type meanwhile struct {
	webconferencing.Store
	happens chan func()
}

func (s *meanwhile) Values(ctx context.Context, q webconferencing.ValueQuery) iter.Seq2[*webconferencing.Value, error] {
	return func(yield func(*webconferencing.Value, error) bool) {
		var list []*webconferencing.Value
		for v, err := range s.Store.Values(ctx, q) {
			if err != nil {
				yield(nil, err)
				return
			}
			list = append(list, v)
		}
		if strings.Contains(q.Prefix, "/john/") {
			select {
			case f := <-s.happens:
				f()
			default:
			}
		}
		for _, v := range list {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// A call that is missed while they are counted for a session is not forgotten by
// the number that the session gets after it was told a newer one.
func TestMissedWhileCounting(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		store := &meanwhile{memstore.New(), make(chan func(), 1)}
		w := newNode(t, store, unlimited(), nil)
		d := w.listen(transport, "john")["john"]
		store.happens <- func() { w.missAll("p/1") }
		if c := d.do("get_missed_count", nil); c["count"] != 0.0 {
			t.Errorf("got %v", c)
		}
		d.wantMissed(t, 1)
		d.wantCount(t, 1)
		d.quiet()
	})
}

// wantMissed waits for the two events of a missed call, and for the number. That
// is a state and no event, and may be ahead of them.
func (d *device) wantMissed(t *testing.T, n float64) {
	t.Helper()
	var states []string
	for range 3 {
		m := d.event()
		f := m.fields()
		if f["eventType"] == "call_history" {
			d.checkCount(t, m, n)
			continue
		}
		if err := d.w.spec.validateAs("UserEvent", m.Data); err != nil {
			t.Errorf("%s heard %s: %v", d.id, m.Data, err)
		}
		states = append(states, fmt.Sprint(f["eventType"], " ", f["callState"]))
	}
	if !slices.Equal(states, []string{"call_state started", "call_state stopped"}) {
		t.Errorf("%s heard %v", d.id, states)
	}
}

func (d *device) wantCount(t *testing.T, n float64) {
	t.Helper()
	d.checkCount(t, d.event(), n)
}

func (d *device) checkCount(t *testing.T, m message, n float64) {
	t.Helper()
	if err := d.w.spec.validateAs("CountEvent", m.Data); err != nil {
		t.Errorf("%s heard %s: %v", d.id, m.Data, err)
	}
	if f := m.fields(); f["count"] != n {
		t.Errorf("%s heard %v, want %v", d.id, f, n)
	}
	if m.Ext["replayId"] != nil {
		t.Errorf("a number that is no event has a position: %v", m.Ext)
	}
}

// An answered call is in the history and does not change the counter.
func TestAnsweredIsNotMissed(t *testing.T) {
	bubbles(t, func(t *testing.T, w *world, transport string) {
		d := w.listen(transport, "mary", "john")
		mary, john := d["mary"], d["john"]
		john.do("get_missed_count", nil)
		mary.do("create", pairCall("p/1"))
		mary.do("update", object{"id": "p/1", "state": "joined"})
		john.do("accept", object{"id": "p/1"})
		time.Sleep(90 * time.Second)
		john.do("update", object{"id": "p/1", "state": "leaved"})
		john.wantEvent("call_state", "callState", "started")
		for range 2 {
			john.wantEvent("call_joined")
		}
		john.wantEvent("call_leaved")
		john.wantEvent("call_state", "callState", "stopped")
		john.quiet()
		for user, outgoing := range map[string]bool{"mary": true, "john": false} {
			p := d[user].do("get_history", nil)
			e := p["entries"].([]any)[0].(object)
			if e["outcome"] != "answered" || e["outgoing"] != outgoing || e["reason"] != "ended" || e["devices"] != 1.0 || e["spent"].(float64) < 90_000 {
				t.Errorf("%s: got %v", user, e)
			}
		}
	})
}

func TestHistoryPages(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var ids []string
		for i := range 7 {
			ids = append(ids, fmt.Sprintf("p/%d", i))
		}
		w.missAll(ids...)
		var got []string
		path := "history?limit=3"
		for pages := 0; ; pages++ {
			p := w.rest("john", "GET", path, nil)
			p.wantOK(t)
			for _, e := range p.body["entries"].([]any) {
				e := e.(object)
				got = append(got, e["callId"].(string))
				other := e["others"].([]any)[0].(object)
				if e["outcome"] != "missed" || other["title"] != "Mary Williams" || other["avatarLink"] == nil || other["profileLink"] != nil || len(other["imAccounts"].(object)) != 0 {
					t.Errorf("got %v", e)
				}
			}
			if p.body["next"] == nil || pages == 9 {
				break
			}
			path = "history?limit=3&cursor=" + url.QueryEscape(p.body["next"].(string))
		}
		if want := "[p/6 p/5 p/4 p/3 p/2 p/1 p/0]"; fmt.Sprint(got) != want {
			t.Errorf("got %v, want %s", got, want)
		}
		for query, n := range map[string]int{
			"outcome=missed": 7, "outcome=answered": 0, "with=mary": 7, "with=james": 0, "text=ABOUT%20p/3": 1, "text=nothing": 0, "text=williams": 7,
			"outcome=missed&with=mary&text=p%2F&limit=5": 5, "cursor=zzz": 0, "cursor=..%2F..%2Fmary": 7,
		} {
			if p := w.rest("john", "GET", "history?"+query, nil); len(p.body["entries"].([]any)) != n {
				t.Errorf("%s: %s, want %d", query, p, n)
			}
		}
		// What was missed after the list was read stays unseen.
		if p := w.rest("john", "GET", "history/missed", nil); p.body["count"] != 7.0 {
			t.Errorf("got %s", p)
		}
		entry := func(n int) object {
			return w.rest("john", "GET", "history", nil).body["entries"].([]any)[n].(object)
		}
		if p := w.rest("john", "POST", "history/seen", object{"upTo": entry(2)["cursor"]}); p.body["count"] != 2.0 {
			t.Errorf("got %s", p)
		}
		if entry(1)["unseen"] != true || entry(2)["unseen"] != false {
			t.Errorf("got %v and %v", entry(1), entry(2))
		}
		w.rest("john", "POST", "history/seen", object{"upTo": "x"}).wantError(t, 404, "NOT_FOUND_ERROR")
		w.rest("john", "POST", "history/seen", object{"upTo": strings.Repeat("x", 1021)}).wantError(t, 400, "CLIENT_ERROR")
		of := w.rest("mary", "GET", "history", nil).body["entries"].([]any)[0].(object)
		w.rest("james", "POST", "history/seen", object{"upTo": of["cursor"]}).wantError(t, 404, "NOT_FOUND_ERROR")
		// Everybody sees only what is his own.
		if p := w.rest("james", "GET", "history", nil); len(p.body["entries"].([]any)) != 0 {
			t.Errorf("got %s", p)
		}
		if p := w.rest("mary", "GET", "history", nil); len(p.body["entries"].([]any)) != 7 || p.body["entries"].([]any)[0].(object)["outcome"] != "cancelled" {
			t.Errorf("got %s", p)
		}
		w.rest("root", "DELETE", "admin/users/mary/history", nil).wantOK(t)
		p := w.rest("john", "GET", "history", nil)
		if e := p.body["entries"].([]any)[0].(object); len(p.body["entries"].([]any)) != 7 || len(e["others"].([]any)) != 0 || e["owner"].(object)["id"] == "mary" {
			t.Errorf("an erased person is still there: %s", p)
		}
	})
}
