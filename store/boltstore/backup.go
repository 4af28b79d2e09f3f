package boltstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
)

// Backup writes a copy of the file as it is at one moment to w, while the store
// goes on. Everything that was acknowledged before Backup was called is in it.
// The copy is made and checked in a file beside the store's, which takes as
// much room on the disk and is removed at the end, so that a slow w keeps
// nobody waiting. It is restored by putting it in the place of the store's
// file. With an error what was written to w is of no use; a file whose structure
// is damaged gives one that wraps [ErrDamaged].
func (s *Store) Backup(ctx context.Context, w io.Writer) (err error) {
	f, err := os.CreateTemp(filepath.Dir(s.path), filepath.Base(s.path)+".backup-*")
	if err != nil {
		return fmt.Errorf("boltstore: backup: %w", err)
	}
	defer func() {
		err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		if err != nil {
			err = fmt.Errorf("boltstore: backup: %w", err)
		}
	}()
	pageSize := 0
	err = s.view(ctx, nil, func(tx *bbolt.Tx) error {
		pageSize = tx.DB().Info().PageSize
		if err := f.Truncate(0); err != nil {
			return err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		_, err := tx.WriteTo(&patientWriter{ctx, f})
		return err
	})
	if err != nil {
		return err
	}
	// A meta page is written twice with the same state, so neither is older.
	if _, err := inspect(f, pageSize); err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err = io.Copy(&patientWriter{ctx, w}, f)
	return err
}

// patientWriter writes until its context ends.
type patientWriter struct {
	ctx context.Context
	w   io.Writer
}

func (p *patientWriter) Write(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	return p.w.Write(b)
}

// Compact writes what is in the store's file at src to a new file at dst, which
// must not exist, without the room that src has free. No store may have src
// open, else the error wraps [ErrLocked]; it is not changed. Records are copied
// as they are, damaged ones too. A src whose structure is damaged gives an
// error that wraps [ErrDamaged]. If Compact fails there is no dst.
func Compact(src, dst string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("boltstore: compact %s: %w", src, err)
		}
	}()
	if _, err := os.Lstat(dst); err == nil {
		return fmt.Errorf("%s: %w", dst, fs.ErrExist)
	}
	h, err := openHandle(src, time.Second, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	if _, err := h.inspect(); err != nil {
		return err
	}
	if err := ownFile(h); err != nil {
		return err
	}
	return createWith(dst, func(draft string) error { return compactInto(draft, h) })
}

// ownFile returns an error if a file is not a store's.
func ownFile(h *handle) error {
	tx, err := h.begin(false)
	if err != nil {
		return err
	}
	return h.read(tx, func(tx *bbolt.Tx) error {
		b, err := bucketsOf(tx)
		if err != nil {
			return err
		}
		return checkSchema(b.meta.Get([]byte(metaSchema)))
	})
}

// compactBytes is how much one transaction of the copying writes.
const compactBytes = 4 << 20

func compactInto(path string, from *handle) error {
	return guard(func() error {
		// Until the end nothing has to be on disk.
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType, NoSync: true})
		if err != nil {
			return err
		}
		var size int64
		if err = bbolt.Compact(db, from.db, compactBytes); err == nil {
			err = db.View(func(tx *bbolt.Tx) error {
				size = tx.Size()
				return nil
			})
		}
		if err = errors.Join(err, db.Close()); err != nil {
			return err
		}
		// The file was made larger than it has to be, in case more came.
		return cut(path, size)
	})
}

// cut gives a file its size and forces it to disk.
func cut(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Sync(), f.Close())
}
