package boltstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/webconferencing/webconferencing/store/boltstore"
)

// TestInspectAcceptsWhatIsWhole: whatever bbolt makes of a file by adding,
// changing and removing, there is nothing to object to.
func TestInspectAcceptsWhatIsWhole(t *testing.T) {
	t.Parallel()
	path := filepath.Join(quickDir(t), "x.db")
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 60 {
		err := boltstore.Edit(path, func(tx *bbolt.Tx) error {
			for range 1 + r.IntN(4) {
				name := []byte{byte('a' + r.IntN(6))}
				if r.IntN(12) == 0 && tx.Bucket(name) != nil {
					if err := tx.DeleteBucket(name); err != nil {
						return err
					}
					continue
				}
				b, err := tx.CreateBucketIfNotExists(name)
				if err != nil {
					return err
				}
				if r.IntN(3) == 0 {
					if b, err = b.CreateBucketIfNotExists([]byte("nested")); err != nil {
						return err
					}
				}
				if err := churn(r, b); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := boltstore.Inspect(path); err != nil {
			t.Fatalf("after %d transactions: %v", round+1, err)
		}
	}
}

// churn adds, changes and removes keys of all sizes.
func churn(r *rand.Rand, b *bbolt.Bucket) error {
	for range r.IntN(400) {
		key := fmt.Appendf(nil, "%0*d", 1+r.IntN(5), r.IntN(3000))
		if r.IntN(50) == 0 {
			key = bytes.Repeat(key, 1+r.IntN(1000))
		}
		if r.IntN(3) == 0 {
			if err := b.Delete(key); err != nil && !errors.Is(err, bolterrors.ErrIncompatibleValue) {
				return err
			}
			continue
		}
		size := r.IntN(100)
		if r.IntN(40) == 0 {
			size = r.IntN(30_000)
		}
		if err := b.Put(key, make([]byte, size)); err != nil && !errors.Is(err, bolterrors.ErrIncompatibleValue) {
			return err
		}
	}
	return nil
}

// TestInspectFindsReuse: a page in use that is listed as free is the fault
// that would destroy good records.
func TestInspectFindsReuse(t *testing.T) {
	f := newSample(t)
	raw, err := os.ReadFile(f.path)
	if err != nil {
		t.Fatal(err)
	}
	found, size := 0, os.Getpagesize()
	for at := 0; at+size <= len(raw); at += size {
		if raw[at+8] != 0x10 || raw[at+10] == 0 { // a list of free pages
			continue
		}
		for id := range byte(len(raw) / size) {
			b := bytes.Clone(raw)
			b[at+16] = id
			if errors.Is(boltstore.InspectBytes(b), boltstore.ErrDamaged) {
				found++
			}
		}
	}
	if found == 0 {
		t.Error("no page can be freed by mistake, which is too good to be true")
	}
}

func FuzzInspect(f *testing.F) {
	path := filepath.Join(f.TempDir(), "x.db")
	if err := boltstore.Edit(path, func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte("b"))
		if err != nil {
			return err
		}
		return errors.Join(b.Put([]byte("k"), make([]byte, 9000)), b.Put([]byte("l"), nil))
	}); err != nil {
		f.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	head := 2 * os.Getpagesize()
	f.Add(raw[head:], uint16(3), byte(1))
	f.Fuzz(func(t *testing.T, pages []byte, at uint16, flip byte) {
		// The meta pages have a checksum of bbolt's and are left alone.
		b := append(bytes.Clone(raw[:head]), pages...)
		if n := len(b) - head; n > 0 {
			b[head+int(at)%n] ^= flip
		}
		_ = boltstore.InspectBytes(b)
	})
}
