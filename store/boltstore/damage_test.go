package boltstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/boltstore"
)

// sample is a file with something of everything, and what it holds.
type sample struct {
	path   string
	calls  map[webconferencing.CallID]*webconferencing.Call
	values map[string]*webconferencing.Value
	events []webconferencing.Event
}

func newSample(t *testing.T) *sample {
	t.Helper()
	f := &sample{
		path:   filepath.Join(quickDir(t), "sample.db"),
		calls:  make(map[webconferencing.CallID]*webconferencing.Call),
		values: make(map[string]*webconferencing.Value),
	}
	s := open(t, f.path)
	defer s.Close()
	for i := range 60 {
		id := webconferencing.CallID(fmt.Sprintf("call-%03d", i))
		c := put(id, 0)
		c.Call.Title = strings.Repeat(fmt.Sprint("title ", i, " "), 20)
		if _, err := s.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		f.calls[id], _ = s.Call(t.Context(), id)
		f.values[string(id)], _ = s.Value(t.Context(), string(id))
	}
	var err error
	if f.events, err = s.Events(t.Context(), webconferencing.AllTopics, 0, 1000); err != nil {
		t.Fatal(err)
	}
	return f
}

// copy returns the path of a copy of the file, changed by damage.
func (f *sample) copy(t *testing.T, damage func([]byte) []byte) string {
	t.Helper()
	raw, err := os.ReadFile(f.path)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(quickDir(t), "copy.db")
	if err := os.WriteFile(path, damage(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// tally says what became of the records, and of files.
type tally struct{ served, failed, missing, opened, written int }

// read reads everything there was. What is served must be right.
func (f *sample) read(t *testing.T, s *boltstore.Store) tally {
	t.Helper()
	var n tally
	ctx := t.Context()
	note := func(err error) {
		if errors.Is(err, webconferencing.ErrNotFound) {
			n.missing++
		} else {
			n.failed++
		}
	}
	for id, want := range f.calls {
		got, err := s.Call(ctx, id)
		switch {
		case err != nil:
			note(err)
		case !reflect.DeepEqual(got, want):
			t.Errorf("call %q is served wrong: %+v", id, got)
		default:
			n.served++
		}
	}
	for key, want := range f.values {
		got, err := s.Value(ctx, key)
		switch {
		case err != nil:
			note(err)
		case !reflect.DeepEqual(got, want):
			t.Errorf("value %q is served wrong: %+v", key, got)
		default:
			n.served++
		}
	}
	for c, err := range s.Calls(ctx, webconferencing.CallQuery{Key: "all"}) {
		if err != nil {
			break
		}
		if want := f.calls[c.ID]; want != nil && !reflect.DeepEqual(c, want) {
			t.Errorf("call %q is yielded wrong: %+v", c.ID, c)
		}
	}
	if _, err := s.Due(ctx, time.Now(), 100); err != nil {
		n.failed++
	}
	for i := range f.events {
		var after webconferencing.Position
		if i > 0 {
			after = f.events[i-1].Position
		}
		for _, topic := range []webconferencing.Topic{webconferencing.AllTopics, "all"} {
			got, err := s.Events(ctx, topic, after, 1)
			switch {
			case err != nil:
				note(err)
			case len(got) == 0:
				n.missing++
			case got[0].Position < f.events[i].Position, got[0].Position == f.events[i].Position && !reflect.DeepEqual(got[0], f.events[i]):
				t.Errorf("event %d is served wrong: %+v", i, got[0])
			case got[0].Position > f.events[i].Position:
				n.missing++
			default:
				n.served++
			}
		}
	}
	return n
}

// abuse opens a damaged file, reads and writes. Whatever it returns, it must
// return, and what could be read must be there after the writing.
func (f *sample) abuse(t *testing.T, path string) tally {
	t.Helper()
	s, err := boltstore.Open(path, nil)
	if err != nil {
		return tally{}
	}
	n := f.read(t, s)
	n.opened = 1
	for i := range 20 {
		c := put(webconferencing.CallID(fmt.Sprintf("new-%d", i)), 0)
		c.Call.Title = strings.Repeat("new", 1000)
		_, err := s.Commit(t.Context(), c)
		if err == nil {
			n.written = 1
		}
		if s.Health() == nil && errors.Is(err, webconferencing.ErrOutcomeUnknown) {
			t.Errorf("a healthy store can't tell: %v", err)
		}
	}
	s.Close()
	if s, err = boltstore.Open(path, nil); err != nil {
		t.Errorf("opened once, but not again: %v", err)
		return n
	}
	defer s.Close()
	if again := f.read(t, s); again.served < n.served {
		t.Errorf("writing made %d of %d records unreadable", n.served-again.served, n.served)
	}
	for i := range 5 {
		_, _ = s.Commit(t.Context(), put(webconferencing.CallID(fmt.Sprintf("call-%03d", i*12)), 1))
	}
	_, _ = s.Commit(t.Context(), &webconferencing.Change{TrimBefore: time.Now()})
	return n
}

func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	f := newSample(t)
	for name, damage := range map[string]func(r *rand.Rand, b []byte) []byte{
		"Bits": func(r *rand.Rand, b []byte) []byte {
			for range 1 + r.IntN(40) {
				b[r.IntN(len(b))] ^= 1 << r.IntN(8)
			}
			return b
		},
		"Page": func(r *rand.Rand, b []byte) []byte {
			at := r.IntN(len(b)/4096) * 4096
			clear(b[at : at+4096])
			return b
		},
		"Truncated": func(r *rand.Rand, b []byte) []byte { return b[:r.IntN(len(b))] },
		"Garbage": func(r *rand.Rand, b []byte) []byte {
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			return b
		},
		"GarbageBehindTheHead": func(r *rand.Rand, b []byte) []byte {
			for i := 8192; i < len(b); i++ {
				b[i] = byte(r.Uint32())
			}
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sum tally
			const files = 60
			for seed := range uint64(files) {
				r := rand.New(rand.NewPCG(seed, 7))
				n := f.abuse(t, f.copy(t, func(b []byte) []byte { return damage(r, b) }))
				sum.served += n.served
				sum.failed += n.failed
				sum.missing += n.missing
				sum.opened += n.opened
				sum.written += n.written
			}
			t.Logf("%d files: %+v", files, sum)
			if name == "Bits" && (sum.opened == 0 || sum.written == 0 || sum.written == sum.opened) {
				t.Error("little damage should leave files readable, and some of them writable")
			}
		})
	}
}

func TestTruncatedWhileOpen(t *testing.T) {
	t.Parallel()
	f := newSample(t)
	for seed := range uint64(40) {
		path := f.copy(t, func(b []byte) []byte { return b })
		s := open(t, path)
		r := rand.New(rand.NewPCG(seed, 8))
		if err := os.Truncate(path, int64(12<<10+r.IntN(40<<10))); err != nil {
			t.Fatal(err)
		}
		s.ForgetCached()
		f.read(t, s)
		_, err := s.Commit(t.Context(), put("new", 0))
		if err == nil {
			t.Error("a commit to a file that was cut is acknowledged")
		}
		if webconferencing.CodeOf(err) != webconferencing.CodeUnavailable {
			t.Errorf("Commit: %v", err)
		}
		if s.Health() == nil {
			t.Error("a store whose file was cut says it is well")
		}
		s.Close()
	}
}

// TestDamagedRecordsStopNothingElse changes one record of each kind.
func TestDamagedRecordsStopNothingElse(t *testing.T) {
	f := newSample(t)
	path := f.copy(t, func(b []byte) []byte { return b })
	const at = 30
	id := fmt.Sprintf("call-%03d", at)
	flip := func(tx *bbolt.Tx, bucket string, key []byte) error {
		b := tx.Bucket([]byte(bucket))
		raw := bytes.Clone(b.Get(key))
		raw[len(raw)/2] ^= 4
		return b.Put(key, raw)
	}
	batch := []byte{0, 0, 0, 0, 0, 0, 0, at + 1}
	err := boltstore.Edit(path, func(tx *bbolt.Tx) error {
		return errors.Join(flip(tx, "calls", []byte(id)), flip(tx, "values", []byte(id)),
			flip(tx, "log", batch), flip(tx, "meta", []byte("journal")))
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time the repairs have been made
		var log bytes.Buffer
		s, err := boltstore.Open(path, &boltstore.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		var c *boltstore.CorruptError
		if _, err := s.Call(ctx, webconferencing.CallID(id)); !errors.As(err, &c) || !errors.Is(err, boltstore.ErrDamaged) ||
			webconferencing.CodeOf(err) != webconferencing.CodeUnavailable {
			t.Errorf("Call: %v, want a CorruptError", err)
		}
		if _, err := s.Value(ctx, id); !errors.As(err, &c) {
			t.Errorf("Value: %v, want a CorruptError", err)
		}
		if _, err := s.Commit(ctx, put(webconferencing.CallID(id), 1)); !errors.As(err, &c) {
			t.Errorf("Commit: %v, want a CorruptError", err)
		}
		if _, err := s.Commit(ctx, put(webconferencing.CallID(id), 0)); !errors.As(err, &c) {
			t.Errorf("Commit: %v, want a CorruptError", err)
		}
		n := 0
		for _, err := range s.Calls(ctx, webconferencing.CallQuery{}) {
			if n++; err != nil {
				t.Error(err)
			}
		}
		if n != len(f.calls)-1 {
			t.Errorf("Calls yields %d, want all but one of %d", n, len(f.calls))
		}
		if ids, err := s.Due(ctx, time.Now(), 1000); err != nil || len(ids) != len(f.calls)-1 {
			t.Errorf("Due = %d calls, %v", len(ids), err)
		}
		for _, topic := range []webconferencing.Topic{webconferencing.AllTopics, "all"} {
			// Up to the damage, into it, and from it on.
			if events, err := s.Events(ctx, topic, 0, 1000); err != nil || len(events) != at {
				t.Errorf("Events(%q, 0) = %d events, %v", topic, len(events), err)
			}
			_, err := s.Events(ctx, topic, at, 1000)
			if !errors.Is(err, webconferencing.ErrPositionGone) || !errors.As(err, &c) {
				t.Errorf("Events(%q, %d): %v, want ErrPositionGone", topic, at, err)
			}
			if events, err := s.Events(ctx, topic, at+1, 1000); err != nil || len(events) != len(f.events)-at-1 {
				t.Errorf("Events(%q, %d) = %d events, %v", topic, at+1, len(events), err)
			}
		}
		if n := s.Stats().Damaged; n < 3 {
			t.Errorf("Damaged = %d", n)
		}
		if !strings.Contains(log.String(), id) {
			t.Errorf("the log does not name the call: %s", log.String())
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, path)
	defer s.Close()
	// Positions go on, and trimming passes over the batch and leaves it.
	p, err := s.Commit(t.Context(), put("new", 0))
	if err != nil || p <= f.events[len(f.events)-1].Position {
		t.Errorf("Commit = %d, %v", p, err)
	}
	if _, err := s.Commit(t.Context(), &webconferencing.Change{TrimBefore: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if events, err := s.Events(t.Context(), "all", p, 10); err != nil || len(events) != 0 {
		t.Errorf("Events = %v, %v", events, err)
	}
	s.Close()
	if err := boltstore.Edit(path, func(tx *bbolt.Tx) error {
		if tx.Bucket([]byte("log")).Get(batch) == nil || tx.Bucket([]byte("calls")).Get([]byte(id)) == nil {
			return errors.New("a damaged record was deleted")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

func TestNewerRecordsAreLeftAlone(t *testing.T) {
	f := newSample(t)
	newer := func(bucket, key string, schema byte) string {
		path := f.copy(t, func(b []byte) []byte { return b })
		if err := boltstore.Edit(path, func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte(bucket))
			return b.Put([]byte(key), boltstore.Reseal(bucket, []byte(key), b.Get([]byte(key)), schema))
		}); err != nil {
			t.Fatal(err)
		}
		return path
	}
	s := open(t, newer("calls", "call-007", 2))
	defer s.Close()
	if _, err := s.Call(t.Context(), "call-007"); !errors.Is(err, boltstore.ErrNewer) {
		t.Errorf("Call: %v, want ErrNewer", err)
	}
	if _, err := s.Call(t.Context(), "call-008"); err != nil {
		t.Errorf("Call: %v", err)
	}
	if _, err := boltstore.Open(newer("meta", "schema", 3), nil); !errors.Is(err, boltstore.ErrNewer) {
		t.Errorf("Open: %v, want ErrNewer", err)
	}
	if _, err := boltstore.Open(newer("meta", "journal", 2), nil); !errors.Is(err, boltstore.ErrNewer) {
		t.Errorf("Open: %v, want ErrNewer", err)
	}
}

func TestIndexesAreMadeAnew(t *testing.T) {
	f := newSample(t)
	path := f.copy(t, func(b []byte) []byte { return b })
	if err := boltstore.Edit(path, func(tx *bbolt.Tx) error {
		keys, due := tx.Bucket([]byte("keys")), tx.Bucket([]byte("due"))
		k, _ := keys.Cursor().First()
		d, _ := due.Cursor().First()
		return errors.Join(keys.Delete(bytes.Clone(k)), due.Delete(bytes.Clone(d)),
			keys.Put([]byte("\x00\x03allnobody"), nil))
	}); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	defer s.Close()
	n := 0
	for range s.Calls(t.Context(), webconferencing.CallQuery{Key: "all"}) {
		n++
	}
	ids, err := s.Due(t.Context(), time.Now(), 1000)
	if n != len(f.calls) || err != nil || len(ids) != len(f.calls) {
		t.Errorf("found %d by key, %d by deadline, %v; want %d", n, len(ids), err, len(f.calls))
	}
}
