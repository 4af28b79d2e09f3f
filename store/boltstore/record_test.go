package boltstore_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/boltstore"
)

func position(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// TestCachedCallIsTheStoredOne: what the cache keeps after a commit must be
// exactly what a decoder makes of the record.
func TestCachedCallIsTheStoredOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.Make[webconferencing.Call]().Draw(t, "call")
		at := rapid.Int64Range(-1<<40, 1<<36).Draw(t, "time")
		zone := time.FixedZone("zone", rapid.IntRange(-12, 12).Draw(t, "zone")*3600)
		for i, p := range times(&c) {
			*p = time.Unix(at+int64(i), int64(i)).In(zone)
			if i%3 == 1 {
				*p = time.Time{}
			}
		}
		raw, cached, exact, err := boltstore.EncodeCall(&webconferencing.Change{Call: &c, Keys: []string{"k"}})
		if err != nil {
			return // a year that JSON can't hold
		}
		stored, keys, err := boltstore.DecodeCall(c.ID, raw)
		if err != nil || len(keys) != 1 {
			t.Fatalf("DecodeCall: %q, %v", keys, err)
		}
		if exact && !reflect.DeepEqual(stored, cached) {
			t.Errorf("stored %+v\ncached %+v", stored, cached)
		}
	})
}

// times are all times of a call, found by looking, so that a new one is not
// forgotten.
func times(c *webconferencing.Call) []*time.Time {
	var out []*time.Time
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		if p, ok := v.Addr().Interface().(*time.Time); ok {
			out = append(out, p)
			return
		}
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		}
	}
	walk(reflect.ValueOf(c).Elem())
	return out
}

// TestEveryBitCounts: no bit of a record, and none of its key, can change
// unnoticed.
func TestEveryBitCounts(t *testing.T) {
	raw, _, _, err := boltstore.EncodeCall(&webconferencing.Change{
		Call: &webconferencing.Call{ID: "c", Version: 1}, Keys: []string{"k"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		for bit := range 8 {
			raw[i] ^= 1 << bit
			if _, _, err := boltstore.DecodeCall("c", raw); !errors.Is(err, boltstore.ErrDamaged) {
				t.Errorf("byte %d, bit %d: %v, want ErrDamaged", i, bit, err)
			}
			raw[i] ^= 1 << bit
		}
	}
	for n := range raw {
		if _, _, err := boltstore.DecodeCall("c", raw[:n]); !errors.Is(err, boltstore.ErrDamaged) {
			t.Errorf("%d bytes: %v, want ErrDamaged", n, err)
		}
	}
	if _, _, err := boltstore.DecodeCall("b", raw); !errors.Is(err, boltstore.ErrDamaged) {
		t.Errorf("other key: %v, want ErrDamaged", err)
	}
	if _, err := boltstore.DecodeValue("c", raw); !errors.Is(err, boltstore.ErrDamaged) {
		t.Errorf("other kind: %v, want ErrDamaged", err)
	}
}

// TestAudienceIsStoredOnce: a thousand topics that many events share are
// written once.
func TestAudienceIsStoredOnce(t *testing.T) {
	var topics []webconferencing.Topic
	for i := range 1000 {
		topics = append(topics, webconferencing.Topic(fmt.Sprintf("user/user-%04d", i)))
	}
	size := func(events int) int {
		var changes [][]webconferencing.Event
		for i := range events {
			changes = append(changes, []webconferencing.Event{{Topics: append(topics[:0:0], topics...), Version: uint64(i)}})
		}
		raw, err := boltstore.EncodeBatch(position(uint64(events)), changes...)
		if err != nil {
			t.Fatal(err)
		}
		return len(raw)
	}
	one, twenty := size(1), size(20)
	if twenty-one > 19*200 {
		t.Errorf("a batch of 1 event has %d bytes, of 20 events %d", one, twenty)
	}

	path := filepath.Join(quickDir(t), "x.db")
	s := open(t, path)
	defer s.Close()
	var events []webconferencing.Event
	for range 20 {
		events = append(events, webconferencing.Event{Topics: topics})
	}
	for range 3 {
		if _, err := s.Commit(t.Context(), &webconferencing.Change{Events: events}); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	if err := boltstore.Edit(path, func(tx *bbolt.Tx) error {
		if n := tx.Bucket([]byte("topics")).Stats().KeyN; n != len(topics) {
			return fmt.Errorf("3 commits for %d topics made %d index entries", len(topics), n)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

func FuzzDecodeCall(f *testing.F) {
	raw, _, _, err := boltstore.EncodeCall(&webconferencing.Change{
		Call: &webconferencing.Call{ID: "c", Version: 1, Seats: []webconferencing.Seat{{ID: "s"}}}, Keys: []string{"k", "l"},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("c", raw, raw[5:])
	f.Fuzz(func(t *testing.T, id string, raw, payload []byte) {
		checkDecoded(t, func(raw []byte) (any, error) {
			c, _, err := boltstore.DecodeCall(webconferencing.CallID(id), raw)
			return c, err
		}, raw, boltstore.Sealed('c', []byte(id), payload))
	})
}

func FuzzDecodeValue(f *testing.F) {
	f.Add("k", []byte("\x01\x00\x00\x00\x00"), []byte("\x00\x00\x00\x00\x00\x00\x00\x01\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00data"))
	f.Fuzz(func(t *testing.T, key string, raw, payload []byte) {
		checkDecoded(t, func(raw []byte) (any, error) {
			return boltstore.DecodeValue(key, raw)
		}, raw, boltstore.Sealed('v', []byte(key), payload))
	})
}

func FuzzDecodeBatch(f *testing.F) {
	events := []webconferencing.Event{
		{Topics: []webconferencing.Topic{"a", "b"}, Type: webconferencing.EventData, Data: []byte(`{}`)},
		{Topics: []webconferencing.Topic{"a", "b"}}, {Topics: []webconferencing.Topic{"c"}}, {},
	}
	raw, err := boltstore.EncodeBatch(position(9), events, events)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(position(9), raw, raw[5:])
	f.Fuzz(func(t *testing.T, key, raw, payload []byte) {
		checkDecoded(t, func(raw []byte) (any, error) {
			events, err := boltstore.DecodeBatch(key, raw)
			for i := range events {
				if i > 0 && events[i].Position != events[i-1].Position+1 {
					t.Errorf("positions %d, %d", events[i-1].Position, events[i].Position)
				}
			}
			return events, err
		}, raw, boltstore.Sealed('j', key, payload))
	})
}

// checkDecoded decodes raw, which is most probably damaged, and sealed, whose
// checksum is right whatever its content. Both must end in a result or a
// CorruptError, and sealed must give the same result again.
func checkDecoded(t *testing.T, decode func([]byte) (any, error), raw, sealed []byte) {
	t.Helper()
	for _, b := range [][]byte{raw, sealed} {
		v, err := decode(b)
		var c *boltstore.CorruptError
		if err != nil && !errors.As(err, &c) {
			t.Errorf("error %v is no CorruptError", err)
		}
		if again, err2 := decode(b); (err == nil) != (err2 == nil) || err == nil && !reflect.DeepEqual(v, again) {
			t.Errorf("decoded %+v, %v and then %+v, %v", v, err, again, err2)
		}
	}
}
