package httpapi_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// Nobody but administrators gets anything, whether there is such a call or not.
func TestAdministrationIsForAdministrators(t *testing.T) {
	w := newWorld(t, unlimited())
	w.rest("mary", "POST", "calls", teamCall("g/product_team")).wantOK(t)
	mary := w.dial("mary", "m1", "websocket")
	for _, id := range []string{"g/product_team", "nothing"} {
		for _, command := range []string{"get_timeline", "explain", "force_end"} {
			if f := mary.fails("ACCESS_ERROR", command, object{"id": id}); f["version"] != nil {
				t.Errorf("got %v", f)
			}
		}
	}
	mary.fails("ACCESS_ERROR", "get_live_calls", nil)
	root := w.dial("root", "r1", "websocket")
	if v := root.do("get_live_calls", object{"limit": "1"}); len(v["calls"].([]any)) != 1 {
		t.Errorf("got %v", v)
	}
	if v := root.do("get_timeline", object{"id": "g/product_team"}); len(v["events"].([]any)) == 0 {
		t.Errorf("got %v", v)
	}
	for command, args := range map[string]object{
		"get_live_calls": {"limit": 101}, "get_timeline": {"id": "g/product_team", "limit": "x"}, "force_end": {"id": "g/product_team", "why": strings.Repeat("x", 256)},
		"get_history": {"limit": 201}, "mark_seen": {"upTo": []int{1}},
	} {
		root.fails("CLIENT_ERROR", command, args)
	}
	if v := root.do("explain", object{"id": "g/product_team"}); v["state"] != "started" || len(v["ringing"].([]any)) != 2 {
		t.Errorf("got %v", v)
	}
	if v := root.do("force_end", object{"id": "g/product_team", "why": "asked for"}); v["state"] != "stopped" {
		t.Errorf("got %v", v)
	}
	if v := root.do("explain", object{"id": "g/product_team"}); !strings.Contains(fmt.Sprint(v["sentences"]), "asked for") || v["last"].(object)["cause"] != "admin" {
		t.Errorf("got %v", v)
	}
	root.fails("NOT_FOUND_ERROR", "force_end", object{"id": "nothing"})
}

func TestLiveCallPages(t *testing.T) {
	w := newWorld(t, unlimited())
	for i := range 5 {
		w.rest("mary", "POST", "calls", object{
			"id": fmt.Sprintf("p/%d", i), "owner": "mary", "ownerType": "user", "provider": "rtc", "participants": []string{"john"}, "start": true,
		}).wantOK(t)
	}
	var got []string
	for path := "admin/calls?limit=2"; path != ""; {
		p := w.rest("root", "GET", path, nil)
		p.wantOK(t)
		for _, c := range p.body["calls"].([]any) {
			got = append(got, c.(object)["id"].(string))
		}
		path = ""
		if next, ok := p.body["next"].(string); ok {
			path = "admin/calls?limit=2&cursor=" + url.QueryEscape(next)
		}
	}
	if want := "[p/0 p/1 p/2 p/3 p/4]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if p := w.rest("root", "GET", "admin/calls?cursor=zzz", nil); len(p.body["calls"].([]any)) != 0 || p.body["next"] != nil {
		t.Errorf("got %s", p)
	}
}

// The pages of a timeline make up the whole, also when more happens while
// somebody turns them, and after the call was removed.
func TestTimelinePages(t *testing.T) { bubble(t, testTimelinePages) }

func testTimelinePages(t *testing.T, w *world) {
	const id = "calls/g%2Fproduct_team"
	device := []string{"X-Client-Id", "c1"}
	w.rest("mary", "POST", "calls", teamCall("g/product_team"), device...).wantOK(t)
	for _, user := range []string{"mary", "john", "james"} {
		w.rest(user, "POST", id+"/join", nil, device...).wantOK(t)
	}
	w.rest("john", "PATCH", id, object{"title": "New"}).wantOK(t)
	w.rest("mary", "DELETE", id, nil).wantOK(t)
	whole := w.rest("root", "GET", "admin/"+id+"/timeline", nil)
	want := whole.body["events"].([]any)
	if len(want) < 6 || whole.body["next"] != nil || whole.body["users"].(object)["james"].(object)["title"] != "James Davis" {
		t.Fatalf("got %s", whole)
	}
	for _, limit := range []int{1, 2, 3} {
		var got []any
		path := fmt.Sprintf("admin/%s/timeline?limit=%d", id, limit)
		for turns := 0; turns < 20; turns++ {
			p := w.rest("root", "GET", path, nil)
			p.wantOK(t)
			got = append(p.body["events"].([]any), got...)
			next, ok := p.body["next"].(string)
			if !ok {
				break
			}
			path = fmt.Sprintf("admin/%s/timeline?limit=%d&cursor=%s", id, limit, url.QueryEscape(next))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("by %d: got\n%v\nwant\n%v", limit, got, want)
		}
	}
	for _, e := range want {
		if e := e.(object); e["actor"] == nil || e["cause"] == nil || e["node"] == nil {
			t.Errorf("nobody can tell where this comes from: %v", e)
		}
	}
}
