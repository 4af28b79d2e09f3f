package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing"
)

// fill gives every field under v a value of its own, that follows from n. Lists
// that have elements keep their memory.
func fill(v reflect.Value, n int) {
	if t, ok := v.Addr().Interface().(*time.Time); ok {
		*t = day(time.Duration(n) * 1001 * time.Millisecond).In(time.FixedZone("somewhere", 2*60*60))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("<%d> & \u2028 \u03c0", n))
	case reflect.Bool:
		v.SetBool(n%2 == 1)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(n))
	case reflect.Uint8, reflect.Uint64:
		v.SetUint(uint64(n % 256))
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), 3*n+i)
		}
	case reflect.Slice:
		if v.Len() == 0 {
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		}
		for i := range v.Len() {
			fill(v.Index(i), 5*n+2*i+1)
		}
	default:
		panic("a kind of field that the suite does not know: " + v.Type().String())
	}
}

// fullCall has something in every field.
func fullCall() *webconferencing.Call {
	c := &webconferencing.Call{}
	fill(reflect.ValueOf(c).Elem(), 1)
	c.ID, c.Version = "g/space-team", 1
	return c
}

// inUTC returns a deep copy with all times in UTC.
func inUTC(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	if t, ok := v.Interface().(time.Time); ok {
		out.Set(reflect.ValueOf(t.UTC()))
		return out
	}
	switch v.Kind() {
	case reflect.Pointer:
		out.Set(reflect.New(v.Type().Elem()))
		out.Elem().Set(inUTC(v.Elem()))
	case reflect.Struct:
		for i := range v.NumField() {
			out.Field(i).Set(inUTC(v.Field(i)))
		}
	case reflect.Slice:
		for i := range v.Len() {
			out = reflect.Append(out, inUTC(v.Index(i)))
		}
	default:
		out.Set(v)
	}
	return out
}

func callRoundTrip(t *testing.T, f *fixture) {
	in := fullCall()
	want := inUTC(reflect.ValueOf(in)).Interface()
	f.commit(t, &webconferencing.Change{Call: in, Keys: []string{"live"}})
	got := f.call(t, in.ID)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Call:\n got %+v\nwant %+v", got, want)
	}
	for c, err := range f.Calls(f.ctx, webconferencing.CallQuery{}) {
		if err != nil || !reflect.DeepEqual(c, want) {
			t.Errorf("Calls:\n got %+v, %v\nwant %+v", c, err, want)
		}
	}
	// The least that a record can be.
	f.commit(t, &webconferencing.Change{Call: &webconferencing.Call{ID: "x", Version: 1}})
	if got, want := f.call(t, "x"), (&webconferencing.Call{ID: "x", Version: 1}); !reflect.DeepEqual(got, want) {
		t.Errorf("Call:\n got %+v\nwant %+v", got, want)
	}
}

func callNotFound(t *testing.T, f *fixture) {
	c, err := f.Call(f.ctx, "nobody")
	if c != nil || !errors.Is(err, webconferencing.ErrNotFound) {
		t.Errorf("Call = %v, %v, want ErrNotFound", c, err)
	}
	f.commit(t, put("a", 0))
	if _, err := f.Call(f.ctx, "A"); !errors.Is(err, webconferencing.ErrNotFound) {
		t.Errorf("ids are not case-sensitive: %v", err)
	}
}

func callCompareAndSet(t *testing.T, f *fixture) {
	f.refuse(t, put("a", 3))
	f.commit(t, put("a", 0))
	f.refuse(t, put("a", 0))
	f.refuse(t, put("a", 2))
	f.commit(t, put("a", 1))
	if c := f.call(t, "a"); c.Version != 2 || c.Title != "version 2" {
		t.Errorf("Call = %+v", c)
	}
	// The record has the version it was written with, whatever was expected.
	c := put("a", 2)
	c.Call.Version = 40
	f.commit(t, c)
	f.refuse(t, put("a", 3))
	f.commit(t, put("a", 40))
}

func callPurge(t *testing.T, f *fixture) {
	c := put("a", 0, "k")
	c.Deadline = day(0)
	f.commit(t, c)
	gone := &webconferencing.Change{Call: &webconferencing.Call{ID: "a"}, Expect: 2, Purge: true}
	f.refuse(t, gone)
	f.call(t, "a")
	gone.Expect = 1
	f.commit(t, gone)
	if _, err := f.Call(f.ctx, "a"); !errors.Is(err, webconferencing.ErrNotFound) {
		t.Errorf("Call: %v, want ErrNotFound", err)
	}
	if ids := f.ids(t, webconferencing.CallQuery{Key: "k"}); len(ids) != 0 {
		t.Errorf("key still leads to %q", ids)
	}
	if ids := f.ids(t, webconferencing.CallQuery{}); len(ids) != 0 {
		t.Errorf("still there: %q", ids)
	}
	if ids, err := f.Due(f.ctx, day(time.Hour), 10); err != nil || len(ids) != 0 {
		t.Errorf("Due = %q, %v", ids, err)
	}
	f.refuse(t, gone)
	f.commit(t, put("a", 0))
}

func callOwnership(t *testing.T, f *fixture) {
	in := fullCall()
	id := in.ID
	c := &webconferencing.Change{Call: in, Keys: []string{"k1", "k2"}}
	f.commit(t, c)
	want := f.call(t, id)
	spoil := func(c *webconferencing.Call) { fill(reflect.ValueOf(c).Elem(), 77) }
	spoil(in)
	c.Keys[0] = "spoilt"
	spoil(f.call(t, id))
	for c := range f.Calls(f.ctx, webconferencing.CallQuery{Key: "k1"}) {
		spoil(c)
	}
	if got := f.call(t, id); !reflect.DeepEqual(got, want) {
		t.Errorf("somebody else's changes came through:\n got %+v\nwant %+v", got, want)
	}
	if ids := f.ids(t, webconferencing.CallQuery{Key: "k1"}); len(ids) != 1 {
		t.Errorf("key leads to %q", ids)
	}
}

func callsQuery(t *testing.T, f *fixture) {
	if ids := f.ids(t, webconferencing.CallQuery{}); len(ids) != 0 {
		t.Errorf("an empty store has calls: %q", ids)
	}
	for _, id := range []webconferencing.CallID{"d", "b", "a", "e", "c"} {
		f.commit(t, put(id, 0, "all", "only/"+string(id)))
	}
	f.commit(t, put("f", 0))
	for _, c := range []struct {
		q    webconferencing.CallQuery
		want []webconferencing.CallID
	}{
		{webconferencing.CallQuery{}, []webconferencing.CallID{"a", "b", "c", "d", "e", "f"}},
		{webconferencing.CallQuery{Key: "all"}, []webconferencing.CallID{"a", "b", "c", "d", "e"}},
		{webconferencing.CallQuery{Key: "only/c"}, []webconferencing.CallID{"c"}},
		{webconferencing.CallQuery{Key: "only/"}, nil},
		{webconferencing.CallQuery{After: "b", Limit: 2}, []webconferencing.CallID{"c", "d"}},
		{webconferencing.CallQuery{After: "bb"}, []webconferencing.CallID{"c", "d", "e", "f"}},
		{webconferencing.CallQuery{Key: "all", After: "d", Limit: 9}, []webconferencing.CallID{"e"}},
		{webconferencing.CallQuery{Key: "all", Limit: 1}, []webconferencing.CallID{"a"}},
		{webconferencing.CallQuery{After: "f"}, nil},
	} {
		if got := f.ids(t, c.q); !slices.Equal(got, c.want) {
			t.Errorf("Calls(%+v) = %q, want %q", c.q, got, c.want)
		}
	}
	// The sequence can be run again.
	seq := f.Calls(f.ctx, webconferencing.CallQuery{Limit: 1})
	for range 2 {
		n := 0
		for _, err := range seq {
			if n++; err != nil {
				t.Error(err)
			}
		}
		if n != 1 {
			t.Errorf("sequence yields %d calls, want 1", n)
		}
	}
}

func callsManyPages(t *testing.T, f *fixture) {
	var want []webconferencing.CallID
	for i := range 333 {
		id := webconferencing.CallID(fmt.Sprintf("call-%04d", i))
		f.commit(t, put(id, 0, "k"))
		want = append(want, id)
	}
	if got := f.ids(t, webconferencing.CallQuery{}); !slices.Equal(got, want) {
		t.Errorf("Calls yields %d ids, want %d", len(got), len(want))
	}
	if got := f.ids(t, webconferencing.CallQuery{Key: "k", After: want[99], Limit: 150}); !slices.Equal(got, want[100:250]) {
		t.Errorf("Calls yields %d ids, want 150", len(got))
	}
}

func callsKeysMove(t *testing.T, f *fixture) {
	f.commit(t, put("a", 0, "x", "y", "y"))
	f.commit(t, put("b", 0, "x"))
	f.commit(t, put("a", 1, "y", "z"))
	for key, want := range map[string][]webconferencing.CallID{
		"x": {"b"}, "y": {"a"}, "z": {"a"},
	} {
		if got := f.ids(t, webconferencing.CallQuery{Key: key}); !slices.Equal(got, want) {
			t.Errorf("key %q leads to %q, want %q", key, got, want)
		}
	}
	f.commit(t, put("a", 2))
	if got := f.ids(t, webconferencing.CallQuery{Key: "y"}); len(got) != 0 {
		t.Errorf("key y leads to %q", got)
	}
}

func callsKeysAreNotPrefixes(t *testing.T, f *fixture) {
	f.commit(t, put("a", 0, "user/a"))
	f.commit(t, put("b", 0, "user/ab", "user"))
	f.commit(t, put("ba", 0, "user/a\x00", "user/a\x00b"))
	for key, want := range map[string][]webconferencing.CallID{
		"user/a": {"a"}, "user/ab": {"b"}, "user/": nil, "user": {"b"},
		"user/a\x00": {"ba"}, "user/a\x00b": {"ba"}, "user/a\x00ba": nil,
	} {
		if got := f.ids(t, webconferencing.CallQuery{Key: key}); !slices.Equal(got, want) {
			t.Errorf("key %q leads to %q, want %q", key, got, want)
		}
	}
}

func callsWriteWhileIterating(t *testing.T, f *fixture) {
	const n = 200
	for i := range n {
		f.commit(t, put(webconferencing.CallID(fmt.Sprintf("%03d", i)), 0, "k"))
	}
	seen := make(map[webconferencing.CallID]int)
	var last webconferencing.CallID
	for c, err := range f.Calls(f.ctx, webconferencing.CallQuery{Key: "k"}) {
		if err != nil {
			t.Fatal(err)
		}
		if c.ID <= last {
			t.Fatalf("%q after %q", c.ID, last)
		}
		last = c.ID
		seen[c.ID]++
		// The body may write, to the record at hand and to others.
		f.commit(t, put(c.ID, c.Version, "k"))
		f.commit(t, put(c.ID+"+", 0, "other"))
		f.call(t, c.ID)
	}
	for i := range n {
		if id := webconferencing.CallID(fmt.Sprintf("%03d", i)); seen[id] != 1 {
			t.Errorf("%q yielded %d times", id, seen[id])
		}
	}
}

func callsStop(t *testing.T, f *fixture) {
	for i := range 10 {
		f.commit(t, put(webconferencing.CallID(fmt.Sprint(i)), 0))
	}
	for range f.Calls(f.ctx, webconferencing.CallQuery{}) {
		break
	}
	f.commit(t, put("9", 1)) // nothing was left locked
}

func dueOrderAndLimit(t *testing.T, f *fixture) {
	far := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	for id, at := range map[webconferencing.CallID]time.Time{
		"never": {}, "third": day(3), "first": day(-time.Hour), "second": day(0), "far": far,
		"old": time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		c := put(id, 0)
		c.Deadline = at
		f.commit(t, c)
	}
	for _, c := range []struct {
		until time.Time
		limit int
		want  []webconferencing.CallID
	}{
		{day(0), 10, []webconferencing.CallID{"old", "first", "second"}},
		{day(-time.Millisecond), 10, []webconferencing.CallID{"old", "first"}},
		{day(time.Hour).In(time.FixedZone("east", 9*60*60)), 3, []webconferencing.CallID{"old", "first", "second"}},
		{far, 10, []webconferencing.CallID{"old", "first", "second", "third", "far"}},
		{day(time.Hour), 0, nil},
		{time.Date(1500, 1, 1, 0, 0, 0, 0, time.UTC), 10, nil},
	} {
		got, err := f.Due(f.ctx, c.until, c.limit)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("Due(%v, %d) = %q, %v, want %q", c.until, c.limit, got, err, c.want)
		}
	}
}

func dueMoves(t *testing.T, f *fixture) {
	at := func(version uint64, deadline time.Time) {
		t.Helper()
		c := put("a", version)
		c.Deadline = deadline
		f.commit(t, c)
	}
	due := func(want int) {
		t.Helper()
		if ids, err := f.Due(f.ctx, day(0), 10); err != nil || len(ids) != want {
			t.Errorf("Due = %q, %v, want %d", ids, err, want)
		}
	}
	at(0, day(0))
	due(1)
	due(1) // being returned changes nothing
	at(1, day(time.Minute))
	due(0)
	at(2, day(-time.Minute))
	due(1)
	at(3, time.Time{})
	due(0)
}
