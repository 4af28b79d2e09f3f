package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing"
)

// listValues returns the keys of a query, and fails if a value is not as its
// key says.
func (f *fixture) listValues(t *testing.T, q webconferencing.ValueQuery) []string {
	t.Helper()
	var keys []string
	for v, err := range f.Values(f.ctx, q) {
		if err != nil {
			t.Fatalf("Values(%+v): %v", q, err)
		}
		if string(v.Data) != "of "+v.Key || v.Revision != 1 {
			t.Errorf("Values yields %+v", v)
		}
		keys = append(keys, v.Key)
	}
	return keys
}

func valuesQuery(t *testing.T, f *fixture) {
	keys := []string{"a", "b", "b/1", "b/2", "b/3", "b0", "c"}
	for _, k := range []string{"b/2", "c", "b", "b0", "a", "b/3", "b/1"} {
		f.commit(t, setValue(k, 0, "of "+k))
	}
	f.commit(t, &webconferencing.Change{Values: []webconferencing.ValueChange{
		{Key: "b/expired", Data: []byte("of b/expired"), Expires: time.Now().Add(-time.Minute)},
	}})
	for _, tt := range []struct {
		q    webconferencing.ValueQuery
		want []string
	}{
		{webconferencing.ValueQuery{}, keys},
		{webconferencing.ValueQuery{Prefix: "b/"}, []string{"b/1", "b/2", "b/3"}},
		{webconferencing.ValueQuery{Prefix: "b/", After: "b/1"}, []string{"b/2", "b/3"}},
		{webconferencing.ValueQuery{Prefix: "b/", After: "b/1x", Limit: 1}, []string{"b/2"}},
		{webconferencing.ValueQuery{Prefix: "b/", After: "a"}, []string{"b/1", "b/2", "b/3"}},
		{webconferencing.ValueQuery{Prefix: "b/", After: "b/3"}, nil},
		{webconferencing.ValueQuery{Prefix: "b/", After: "zzz"}, nil},
		{webconferencing.ValueQuery{After: "b0"}, []string{"c"}},
		{webconferencing.ValueQuery{Prefix: "x"}, nil},
		{webconferencing.ValueQuery{Limit: 2}, keys[:2]},
	} {
		if got := f.listValues(t, tt.q); !slices.Equal(got, tt.want) {
			t.Errorf("Values(%+v) = %q, want %q", tt.q, got, tt.want)
		}
	}
	ctx, cancel := context.WithCancel(f.ctx)
	cancel()
	for _, err := range f.Values(ctx, webconferencing.ValueQuery{}) {
		if err == nil {
			t.Error("Values yields a value under a cancelled context")
		}
	}
}

func valuesManyPages(t *testing.T, f *fixture) {
	const n = 500
	var want []string
	change := &webconferencing.Change{}
	for i := range n {
		k := fmt.Sprintf("k/%04d", i)
		want = append(want, k)
		change.Values = append(change.Values, webconferencing.ValueChange{Key: k, Data: []byte("of " + k)})
	}
	f.commit(t, change)
	if got := f.listValues(t, webconferencing.ValueQuery{Prefix: "k/"}); !slices.Equal(got, want) {
		t.Errorf("Values yields %d of %d values", len(got), n)
	}
	if got := f.listValues(t, webconferencing.ValueQuery{Prefix: "k/", After: want[99], Limit: 300}); !slices.Equal(got, want[100:400]) {
		t.Errorf("Values yields %d values, want those from 100 to 399", len(got))
	}
}

// The loop's body may write, and what it removes does not disturb the rest.
func valuesWriteWhileIterating(t *testing.T, f *fixture) {
	for i := range 200 {
		k := fmt.Sprintf("k/%04d", i)
		f.commit(t, setValue(k, 0, "of "+k))
	}
	n := 0
	for v, err := range f.Values(f.ctx, webconferencing.ValueQuery{Prefix: "k/"}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		f.commit(t, &webconferencing.Change{Values: []webconferencing.ValueChange{{Key: v.Key, Expect: 1}}})
	}
	if n != 200 {
		t.Errorf("Values yields %d of 200 values", n)
	}
	if left := f.listValues(t, webconferencing.ValueQuery{}); len(left) > 0 {
		t.Errorf("values are left: %q", left)
	}
}
