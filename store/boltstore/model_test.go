package boltstore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/boltstore"
	"github.com/webconferencing/webconferencing/store/memstore"
)

// TestModel does the same things to a memstore and a boltstore, which is
// closed and opened again now and then, and wants the same answers.
func TestModel(t *testing.T) {
	t.Parallel()
	dir := quickDir(t)
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		path := filepath.Join(dir, fmt.Sprint(run))
		model := memstore.New()
		s, err := boltstore.Open(path, &boltstore.Options{CachedCalls: 2})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			s.Close()
			if err := boltstore.Inspect(path); err != nil {
				t.Errorf("structure of the file: %v", err)
			}
			os.Remove(path)
		}()
		t.Repeat(map[string]func(*rapid.T){
			"commit": func(t *rapid.T) {
				c := drawChange(t)
				p1, err1 := model.Commit(t.Context(), c)
				p2, err2 := s.Commit(t.Context(), c)
				if p1 != p2 || kindOf(err1) != kindOf(err2) {
					t.Fatalf("Commit: %d, %v and %d, %v", p1, err1, p2, err2)
				}
			},
			"reopen": func(t *rapid.T) {
				if rapid.Bool().Draw(t, "crash") {
					s.Crash()
				} else if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if s, err = boltstore.Open(path, &boltstore.Options{CachedCalls: 2}); err != nil {
					t.Fatal(err)
				}
				s.FreezeAt(rapid.IntRange(1, 12).Draw(t, "rows"))
			},
			"": func(t *rapid.T) { compare(t, model, s) },
		})
	})
}

// kindOf returns which of the contract's errors err is.
func kindOf(err error) error {
	for _, kind := range []error{
		webconferencing.ErrNotFound, webconferencing.ErrConflict, webconferencing.ErrPositionGone,
	} {
		if errors.Is(err, kind) {
			return kind
		}
	}
	return err
}

func smallID(t *rapid.T) webconferencing.CallID {
	return rapid.SampledFrom([]webconferencing.CallID{"a", "ab", "b", "c/d"}).Draw(t, "id")
}

func smallTime(t *rapid.T) time.Time {
	n := rapid.IntRange(0, 20).Draw(t, "time")
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(int64(n), int64(n)).UTC()
}

func drawChange(t *rapid.T) *webconferencing.Change {
	c := &webconferencing.Change{}
	if rapid.Bool().Draw(t, "call") {
		version := rapid.Uint64Range(0, 3).Draw(t, "expect")
		c.Expect = version
		c.Call = &webconferencing.Call{ID: smallID(t), Version: version%3 + 1, Title: rapid.String().Draw(t, "title"), Created: smallTime(t)}
		c.Keys = rapid.SliceOfN(rapid.SampledFrom([]string{"x", "xy", "y", "z"}), 0, 4).Draw(t, "keys")
		c.Deadline = smallTime(t)
		c.Purge = rapid.IntRange(0, 4).Draw(t, "purge") == 0
	}
	for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"v", "vw", "w"}), 0, 2, rapid.ID[string]).Draw(t, "values") {
		v := webconferencing.ValueChange{Key: key, Expect: rapid.Uint64Range(0, 2).Draw(t, "revision")}
		if rapid.Bool().Draw(t, "any") {
			v.Expect = webconferencing.AnyRevision
		}
		if rapid.Bool().Draw(t, "write") {
			v.Data = []byte(rapid.String().Draw(t, "data"))
		}
		v.Expires = rapid.SampledFrom([]time.Time{{}, time.Unix(1, 0), time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)}).Draw(t, "expires")
		c.Values = append(c.Values, v)
	}
	for range rapid.IntRange(0, 3).Draw(t, "events") {
		c.Events = append(c.Events, webconferencing.Event{
			Type: webconferencing.EventNoted, CallID: "a", Title: rapid.String().Draw(t, "title"),
			Time:   smallTime(t),
			Topics: rapid.SliceOfN(rapid.SampledFrom([]webconferencing.Topic{"t", "tu", "u"}), 0, 3).Draw(t, "topics"),
		})
	}
	if rapid.IntRange(0, 3).Draw(t, "trim") == 0 {
		c.TrimBefore = smallTime(t)
	}
	return c
}

// compare asks both stores everything there is to ask.
func compare(t *rapid.T, a, b webconferencing.Store) {
	ctx := t.Context()
	same := func(what string, x any, errX error, y any, errY error) {
		t.Helper()
		if kindOf(errX) != kindOf(errY) || !reflect.DeepEqual(x, y) {
			t.Fatalf("%s:\n%+v, %v\n%+v, %v", what, x, errX, y, errY)
		}
	}
	for _, id := range []webconferencing.CallID{"a", "ab", "b", "c/d"} {
		x, errX := a.Call(ctx, id)
		y, errY := b.Call(ctx, id)
		same("Call", x, errX, y, errY)
	}
	for _, key := range []string{"", "x", "xy", "y", "z"} {
		for _, after := range []webconferencing.CallID{"", "a", "b"} {
			q := webconferencing.CallQuery{Key: key, After: after}
			x, errX := collect(t, a, q)
			y, errY := collect(t, b, q)
			same(fmt.Sprintf("Calls(%+v)", q), x, errX, y, errY)
		}
	}
	for _, n := range []int64{0, 7, 30} {
		x, errX := a.Due(ctx, time.Unix(n, 0), 3)
		y, errY := b.Due(ctx, time.Unix(n, 0), 3)
		same("Due", append([]webconferencing.CallID{}, x...), errX, append([]webconferencing.CallID{}, y...), errY)
	}
	for _, key := range []string{"v", "vw", "w"} {
		x, errX := a.Value(ctx, key)
		y, errY := b.Value(ctx, key)
		same("Value", x, errX, y, errY)
	}
	for _, q := range []webconferencing.ValueQuery{{}, {Prefix: "v"}, {Prefix: "v", After: "v", Limit: 1}} {
		x, errX := collectValues(t, a, q)
		y, errY := collectValues(t, b, q)
		same(fmt.Sprintf("Values(%+v)", q), x, errX, y, errY)
	}
	end, _ := a.Commit(ctx, &webconferencing.Change{})
	for _, topic := range []webconferencing.Topic{webconferencing.AllTopics, "t", "tu", "u"} {
		from := rapid.Uint64Range(0, uint64(end)+1).Draw(t, "after")
		for _, after := range []webconferencing.Position{0, webconferencing.Position(from), end} {
			x, errX := a.Events(ctx, topic, after, 4)
			y, errY := b.Events(ctx, topic, after, 4)
			same(fmt.Sprintf("Events(%q, %d)", topic, after), x, errX, y, errY)
		}
	}
}

func collect(t *rapid.T, s webconferencing.Store, q webconferencing.CallQuery) ([]*webconferencing.Call, error) {
	var out []*webconferencing.Call
	for c, err := range s.Calls(t.Context(), q) {
		if err != nil {
			return out, err
		}
		out = append(out, c)
	}
	return out, nil
}

func collectValues(t *rapid.T, s webconferencing.Store, q webconferencing.ValueQuery) ([]*webconferencing.Value, error) {
	var out []*webconferencing.Value
	for v, err := range s.Values(t.Context(), q) {
		if err != nil {
			return out, err
		}
		out = append(out, v)
	}
	return out, nil
}
