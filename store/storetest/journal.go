package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing"
)

func commitAtomic(t *testing.T, f *fixture) {
	f.commit(t, put("a", 0, "k"))
	f.commit(t, setValue("v", 0, "one"))
	// Of three expectations the last fails: nothing of it may be seen.
	c := put("a", 1, "k", "new")
	c.Deadline = day(0)
	c.Events = []webconferencing.Event{event(1, day(0), "topic")}
	c.Values = []webconferencing.ValueChange{
		{Key: "w", Data: []byte("x")},
		{Key: "v", Expect: 7, Data: []byte("x")},
	}
	f.refuse(t, c)
	if got := f.call(t, "a"); got.Version != 1 {
		t.Errorf("Call = %+v", got)
	}
	f.noValue(t, "w")
	if v := f.value(t, "v"); string(v.Data) != "one" {
		t.Errorf("Value = %q", v.Data)
	}
	if ids := f.ids(t, webconferencing.CallQuery{Key: "new"}); len(ids) != 0 {
		t.Errorf("key leads to %q", ids)
	}
	if ids, err := f.Due(f.ctx, day(0), 1); err != nil || len(ids) != 0 {
		t.Errorf("Due = %q, %v", ids, err)
	}
	if events := f.events(t, webconferencing.AllTopics, 0, 10); len(events) != 0 {
		t.Errorf("Events = %+v", events)
	}
	// With the call's expectation failing the values stay as well.
	c.Expect, c.Values[1].Expect = 9, 1
	f.refuse(t, c)
	f.noValue(t, "w")
	// And all together when everything holds.
	c.Expect = 1
	f.commit(t, c)
	if v := f.value(t, "v"); string(v.Data) != "x" || f.call(t, "a").Version != 2 {
		t.Error("change was not applied")
	}
	f.value(t, "w")
	if events := f.events(t, "topic", 0, 10); len(events) != 1 {
		t.Errorf("Events = %+v", events)
	}
}

func commitPosition(t *testing.T, f *fixture) {
	if p := f.commit(t, put("a", 0)); p != 0 {
		t.Errorf("an empty journal ends at %d", p)
	}
	p1 := f.commit(t, &webconferencing.Change{Events: []webconferencing.Event{event(1, day(0), "x")}})
	p3 := f.commit(t, &webconferencing.Change{Events: []webconferencing.Event{event(2, day(0), "x"), event(3, day(0))}})
	if p1 == 0 || p3 < p1+2 {
		t.Errorf("positions %d, %d", p1, p3)
	}
	if p := f.commit(t, put("a", 1)); p != p3 {
		t.Errorf("Commit without events returns %d, want the end %d", p, p3)
	}
	if p := f.commit(t, &webconferencing.Change{}); p != p3 {
		t.Errorf("an empty change returns %d, want %d", p, p3)
	}
	all := f.events(t, webconferencing.AllTopics, 0, 10)
	if !slices.Equal(versions(all), []uint64{1, 2, 3}) || all[0].Position != p1 || all[2].Position != p3 {
		t.Errorf("Events = %+v", all)
	}
}

// commitInvalid: what can't be stored is refused, and the store lives on.
func commitInvalid(t *testing.T, f *fixture) {
	long := strings.Repeat("x", 1<<20)
	for name, c := range map[string]*webconferencing.Change{
		"nil":        nil,
		"no id":      {Call: &webconferencing.Call{Version: 1}},
		"long id":    {Call: &webconferencing.Call{ID: webconferencing.CallID(long), Version: 1}},
		"empty key":  put("a", 0, ""),
		"long key":   put("a", 0, long),
		"value key":  setValue("", 0, "x"),
		"long value": setValue(long, 0, "x"),
		"topic":      {Events: []webconferencing.Event{event(1, day(0), webconferencing.AllTopics)}},
		"long topic": {Events: []webconferencing.Event{event(1, day(0), webconferencing.Topic(long))}},
	} {
		_, err := f.Commit(f.ctx, c)
		if err == nil || errors.Is(err, webconferencing.ErrConflict) || errors.Is(err, webconferencing.ErrOutcomeUnknown) {
			t.Errorf("%s: Commit: %v, want a refusal", name, err)
		}
	}
	f.commit(t, put("a", 0, "k"))
	// Strange but allowed.
	f.commit(t, put("ид/*?\x00\n", 0, "\x00", "\xff\xfe"))
	f.call(t, "ид/*?\x00\n")
	if ids := f.ids(t, webconferencing.CallQuery{Key: "\xff\xfe"}); len(ids) != 1 {
		t.Errorf("key leads to %q", ids)
	}
}

func eventsRoundTrip(t *testing.T, f *fixture) {
	var in webconferencing.Event
	fill(reflect.ValueOf(&in).Elem(), 1)
	in.Topics = []webconferencing.Topic{"user/john", "call/c"}
	in.Data = json.RawMessage(`{ "sdp": "<a & b>" , "n": 1e3 }`)
	least := webconferencing.Event{Type: webconferencing.EventNoted, Time: day(0)}
	p := f.commit(t, &webconferencing.Change{Events: []webconferencing.Event{in, least}})
	in.Time, in.Position, least.Position = in.Time.UTC(), p-1, p
	want := []webconferencing.Event{in, least}
	got := f.events(t, webconferencing.AllTopics, 0, 10)
	// A store may keep Data in another, equal JSON form.
	for i := range got {
		if !equalJSON(got[i].Data, want[i].Data) {
			t.Errorf("Data = %s, want %s", got[i].Data, want[i].Data)
		}
		got[i].Data, want[i].Data = nil, nil
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Events:\n got %+v\nwant %+v", got, want)
	}
}

func equalJSON(a, b []byte) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

func eventsTopics(t *testing.T, f *fixture) {
	f.commit(t, &webconferencing.Change{Events: []webconferencing.Event{
		event(1, day(0), "a", "b"), event(2, day(0), "b"), event(3, day(0)), event(4, day(0), "b", "a", "a"),
	}})
	f.commit(t, &webconferencing.Change{Events: []webconferencing.Event{event(5, day(0), "ab"), event(6, day(0), "a")}})
	for topic, want := range map[webconferencing.Topic][]uint64{
		"a": {1, 4, 6}, "b": {1, 2, 4}, "ab": {5}, "c": {}, webconferencing.AllTopics: {1, 2, 3, 4, 5, 6},
	} {
		got := f.events(t, topic, 0, 10)
		if !slices.Equal(versions(got), want) {
			t.Errorf("topic %q has %d, want %d", topic, versions(got), want)
		}
		for i := 1; i < len(got); i++ {
			if got[i].Position <= got[i-1].Position {
				t.Errorf("topic %q: position %d after %d", topic, got[i].Position, got[i-1].Position)
			}
		}
	}
}

func eventsPages(t *testing.T, f *fixture) {
	const n = 250
	for i := 0; i < n; i += 5 {
		c := &webconferencing.Change{}
		for j := i; j < i+5; j++ {
			c.Events = append(c.Events, event(uint64(j), day(0), webconferencing.Topic(fmt.Sprint("mod", j%3)), "all"))
		}
		f.commit(t, c)
	}
	for topic, step := range map[webconferencing.Topic]uint64{webconferencing.AllTopics: 1, "all": 1, "mod0": 3} {
		for _, limit := range []int{1, 7, 1000} {
			var after webconferencing.Position
			var got []uint64
			for {
				page := f.events(t, topic, after, limit)
				if len(page) > limit {
					t.Fatalf("%d events, limit %d", len(page), limit)
				}
				if len(page) == 0 {
					break
				}
				got = append(got, versions(page)...)
				after = page[len(page)-1].Position
			}
			var want []uint64
			for v := uint64(0); v < n; v += step {
				want = append(want, v)
			}
			if !slices.Equal(got, want) {
				t.Errorf("topic %q by %d: %d", topic, limit, got)
			}
		}
	}
}

func eventsEmpty(t *testing.T, f *fixture) {
	check := func(topic webconferencing.Topic, after webconferencing.Position, limit int) {
		t.Helper()
		events, err := f.Events(f.ctx, topic, after, limit)
		if err != nil || events == nil || len(events) != 0 {
			t.Errorf("Events(%q, %d, %d) = %#v, %v, want an empty slice", topic, after, limit, events, err)
		}
	}
	check(webconferencing.AllTopics, 0, 10)
	check("x", 0, 10)
	p := f.commit(t, &webconferencing.Change{Events: []webconferencing.Event{event(1, day(0), "x")}})
	check(webconferencing.AllTopics, p, 10)
	check("x", p, 10)
	check("x", p+100, 10)
	check("x", ^webconferencing.Position(0), 10)
	check("y", 0, 10)
	check("x", 0, 0)
}

// eventsOwnership leaves alone what an event points to: events are immutable.
func eventsOwnership(t *testing.T, f *fixture) {
	in := []webconferencing.Event{event(1, day(0), "a", "b"), event(2, day(0), "a", "b")}
	in[0].Data = json.RawMessage(`{"x":1}`)
	f.commit(t, &webconferencing.Change{Events: in})
	in[0].Topics[0], in[0].CallID, in[1].Title = "spoilt", "spoilt", "spoilt"
	copy(in[0].Data, `{"x":2}`)
	for _, topic := range []webconferencing.Topic{webconferencing.AllTopics, "a"} {
		for range 2 {
			got := f.events(t, topic, 0, 10)
			if len(got) != 2 || got[0].CallID != "c" || got[1].Title != "" || got[0].Topics[0] != "a" || string(got[0].Data) != `{"x":1}` {
				t.Errorf("Events = %+v", got)
			}
			got[0].CallID, got[1].Title = "spoilt", "spoilt"
			_ = append(got[:1], webconferencing.Event{})
		}
	}
	if got := f.events(t, "spoilt", 0, 10); len(got) != 0 {
		t.Errorf("Events = %+v", got)
	}
}

func eventsKeepAfterPurge(t *testing.T, f *fixture) {
	c := put("a", 0)
	c.Events = []webconferencing.Event{event(1, day(0), "call/a")}
	f.commit(t, c)
	f.commit(t, &webconferencing.Change{Call: &webconferencing.Call{ID: "a"}, Expect: 1, Purge: true})
	if got := f.events(t, "call/a", 0, 10); len(got) != 1 {
		t.Errorf("Events = %+v", got)
	}
}

func trimDropsOldest(t *testing.T, f *fixture) {
	var at [10]webconferencing.Position
	for i := range at {
		at[i] = f.commit(t, &webconferencing.Change{Events: []webconferencing.Event{
			event(uint64(i), day(time.Duration(i)*time.Hour), "x", webconferencing.Topic(fmt.Sprint(i%2))),
		}})
	}
	p := f.commit(t, &webconferencing.Change{TrimBefore: day(4 * time.Hour)})
	if p != at[9] {
		t.Errorf("trimming moved the end to %d, want %d", p, at[9])
	}
	for _, topic := range []webconferencing.Topic{webconferencing.AllTopics, "x"} {
		// Events 0 to 3 are gone, so are the positions before the third.
		for i := range 3 {
			events, err := f.Events(f.ctx, topic, at[i], 10)
			if !errors.Is(err, webconferencing.ErrPositionGone) {
				t.Errorf("Events(%q) after event %d = %+v, %v, want ErrPositionGone", topic, i, events, err)
			}
		}
		if _, err := f.Events(f.ctx, topic, 0, 10); !errors.Is(err, webconferencing.ErrPositionGone) {
			t.Errorf("Events(%q, 0): %v, want ErrPositionGone", topic, err)
		}
		if got := versions(f.events(t, topic, at[3], 10)); !slices.Equal(got, []uint64{4, 5, 6, 7, 8, 9}) {
			t.Errorf("Events(%q) = %d", topic, got)
		}
		if got := versions(f.events(t, topic, at[7], 10)); !slices.Equal(got, []uint64{8, 9}) {
			t.Errorf("Events(%q) = %d", topic, got)
		}
	}
	if got := versions(f.events(t, "1", at[3], 10)); !slices.Equal(got, []uint64{5, 7, 9}) {
		t.Errorf("Events(1) = %d", got)
	}
	// An earlier time brings nothing back and drops nothing.
	f.commit(t, &webconferencing.Change{TrimBefore: day(0)})
	if got := versions(f.events(t, "x", at[3], 1)); !slices.Equal(got, []uint64{4}) {
		t.Errorf("Events(x) = %d", got)
	}
}

func trimEverything(t *testing.T, f *fixture) {
	last := f.commit(t, &webconferencing.Change{Events: []webconferencing.Event{
		event(1, day(0), "x"), event(2, day(0), "x"),
	}})
	if p := f.commit(t, &webconferencing.Change{TrimBefore: day(time.Hour)}); p != last {
		t.Errorf("an emptied journal ends at %d, want %d", p, last)
	}
	for _, topic := range []webconferencing.Topic{webconferencing.AllTopics, "x"} {
		if _, err := f.Events(f.ctx, topic, 0, 10); !errors.Is(err, webconferencing.ErrPositionGone) {
			t.Errorf("Events(%q, 0): %v, want ErrPositionGone", topic, err)
		}
		if got := f.events(t, topic, last, 10); len(got) != 0 {
			t.Errorf("Events(%q) = %+v", topic, got)
		}
	}
	p := f.commit(t, &webconferencing.Change{Events: []webconferencing.Event{event(3, day(0), "x")}})
	if p <= last {
		t.Errorf("position %d was used again after %d", p, last)
	}
	if got := versions(f.events(t, "x", last, 10)); !slices.Equal(got, []uint64{3}) {
		t.Errorf("Events(x) = %d", got)
	}
}

// trimConverges: a store may drop a bounded number of events in one commit,
// but must get there when it is asked again.
func trimConverges(t *testing.T, f *fixture) {
	var last webconferencing.Position
	const commits = 120
	for i := range commits {
		c := &webconferencing.Change{}
		for j := range 25 {
			c.Events = append(c.Events, event(uint64(i), day(0), webconferencing.Topic(fmt.Sprint(i%7)), webconferencing.Topic(fmt.Sprint("x", j))))
		}
		last = f.commit(t, c)
	}
	f.commit(t, &webconferencing.Change{Events: []webconferencing.Event{event(commits, day(2*time.Hour), "0")}})
	for range commits {
		f.commit(t, &webconferencing.Change{TrimBefore: day(time.Hour)})
		if _, err := f.Events(f.ctx, webconferencing.AllTopics, last-1, 1); errors.Is(err, webconferencing.ErrPositionGone) {
			break
		}
	}
	if _, err := f.Events(f.ctx, "0", last-1, 10); !errors.Is(err, webconferencing.ErrPositionGone) {
		t.Errorf("old events were not dropped: %v", err)
	}
	for _, topic := range []webconferencing.Topic{webconferencing.AllTopics, "0"} {
		if got := versions(f.events(t, topic, last, 10)); !slices.Equal(got, []uint64{commits}) {
			t.Errorf("Events(%q) = %d", topic, got)
		}
	}
	if got := f.events(t, "1", last, 10); len(got) != 0 {
		t.Errorf("Events(1) = %+v", got)
	}
}
