package storetest

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing"
)

func setValue(key string, expect uint64, data string) *webconferencing.Change {
	return &webconferencing.Change{
		Values: []webconferencing.ValueChange{{Key: key, Expect: expect, Data: []byte(data)}},
	}
}

func valueRoundTrip(t *testing.T, f *fixture) {
	f.noValue(t, "k")
	zone := time.FixedZone("somewhere", -5*60*60)
	expires := time.Now().Add(time.Hour).Truncate(time.Millisecond).In(zone)
	data := []byte{0, 1, 0xff, '"'}
	f.commit(t, &webconferencing.Change{Values: []webconferencing.ValueChange{
		{Key: "k", Data: data, Expires: expires},
		{Key: "empty", Data: []byte{}},
	}})
	v := f.value(t, "k")
	if v.Key != "k" || v.Revision != 1 || !bytes.Equal(v.Data, data) ||
		!v.Expires.Equal(expires) || v.Expires.Location() != time.UTC {
		t.Errorf("Value = %+v", v)
	}
	if v := f.value(t, "empty"); len(v.Data) != 0 || !v.Expires.IsZero() {
		t.Errorf("Value = %+v", v)
	}
	f.noValue(t, "K")
}

func valueCompareAndSet(t *testing.T, f *fixture) {
	f.refuse(t, setValue("k", 1, "x"))
	f.commit(t, setValue("k", 0, "one"))
	f.refuse(t, setValue("k", 0, "x"))
	f.refuse(t, setValue("k", 2, "x"))
	f.commit(t, setValue("k", 1, "two"))
	if v := f.value(t, "k"); v.Revision != 2 || string(v.Data) != "two" {
		t.Errorf("Value = %+v", v)
	}
}

func valueAnyRevision(t *testing.T, f *fixture) {
	for i := range uint64(3) {
		f.commit(t, setValue("k", webconferencing.AnyRevision, "x"))
		if v := f.value(t, "k"); v.Revision != i+1 {
			t.Errorf("Revision = %d, want %d", v.Revision, i+1)
		}
	}
	remove := &webconferencing.Change{Values: []webconferencing.ValueChange{
		{Key: "k", Expect: webconferencing.AnyRevision},
	}}
	f.commit(t, remove)
	f.noValue(t, "k")
	f.commit(t, remove)
}

func valueRemove(t *testing.T, f *fixture) {
	remove := func(expect uint64) *webconferencing.Change {
		return &webconferencing.Change{Values: []webconferencing.ValueChange{{Key: "k", Expect: expect}}}
	}
	f.refuse(t, remove(1))
	f.commit(t, setValue("k", 0, "x"))
	f.refuse(t, remove(0))
	f.refuse(t, remove(2))
	f.commit(t, remove(1))
	f.noValue(t, "k")
	f.commit(t, remove(0)) // there is none, as expected
	f.commit(t, setValue("k", 0, "y"))
	if v := f.value(t, "k"); v.Revision == 0 || string(v.Data) != "y" {
		t.Errorf("Value = %+v", v)
	}
}

func valueExpiry(t *testing.T, f *fixture) {
	at := func(expires time.Time) *webconferencing.Change {
		return &webconferencing.Change{Values: []webconferencing.ValueChange{
			{Key: "k", Data: []byte("x"), Expires: expires},
		}}
	}
	// Expect 0 means none, and an expired one is none.
	for range 3 {
		f.commit(t, at(time.Now().Add(-time.Second)))
		f.noValue(t, "k")
	}
	gone := at(time.Time{})
	gone.Values[0].Expect = 1
	f.refuse(t, gone)

	soon := time.Now().Add(100 * time.Millisecond)
	f.commit(t, at(soon))
	for giveUp := soon.Add(10 * time.Second); ; {
		_, err := f.Value(f.ctx, "k")
		now := time.Now()
		switch {
		case err == nil && now.After(giveUp):
			t.Fatal("value does not expire")
		case err == nil:
			continue
		case !errors.Is(err, webconferencing.ErrNotFound):
			t.Fatal(err)
		case now.Before(soon):
			t.Fatal("value is gone too early")
		}
		break
	}
	// A later expiry, or none, takes the place of an earlier one.
	f.commit(t, at(time.Now().Add(time.Hour)))
	again := at(time.Time{})
	again.Values[0].Expect = webconferencing.AnyRevision
	f.commit(t, again)
	for i := range 300 { // as many writes as may make a store tidy up
		f.commit(t, setValue("other", uint64(i), "y"))
	}
	if v := f.value(t, "k"); !v.Expires.IsZero() {
		t.Errorf("Value = %+v", v)
	}
}

func valueOwnership(t *testing.T, f *fixture) {
	data := []byte("good")
	f.commit(t, &webconferencing.Change{Values: []webconferencing.ValueChange{{Key: "k", Data: data}}})
	copy(data, "evil")
	copy(f.value(t, "k").Data, "evil")
	if v := f.value(t, "k"); string(v.Data) != "good" {
		t.Errorf("Value = %q", v.Data)
	}
}

func valuesAnyBytes(t *testing.T, f *fixture) {
	for _, key := range []string{"\xff", "\xfe\xff", "\xff\xff", "\xfea", "\x00"} {
		f.commit(t, setValue(key, 0, "good"))
	}
	for prefix, want := range map[string][]string{
		"\xfe": {"\xfea", "\xfe\xff"}, "\xff": {"\xff", "\xff\xff"}, "\x00": {"\x00"},
	} {
		var got []string
		for v, err := range f.Values(f.ctx, webconferencing.ValueQuery{Prefix: prefix}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, v.Key)
			copy(v.Data, "evil")
			if again := f.value(t, v.Key); string(again.Data) != "good" {
				t.Errorf("Value = %q", again.Data)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("Values(%q) = %q, want %q", prefix, got, want)
		}
	}
}
