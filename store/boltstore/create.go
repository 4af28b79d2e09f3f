package boltstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"go.etcd.io/bbolt"
)

// create makes an empty database at path unless there is one. It is built
// under another name and given its own only when it is whole and on disk, so
// that no crash leaves half a file, and a file that somebody else made
// meanwhile wins.
func create(path string) error {
	if _, err := os.Stat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return createWith(path, initialise)
}

// createWith makes a file as create does, with the content that fill gives an
// empty one.
func createWith(path string, fill func(draft string) error) (err error) {
	dir := filepath.Dir(path)
	if err := makeDir(dir); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	draft := f.Name()
	defer func() {
		if rmErr := os.Remove(draft); rmErr != nil && !errors.Is(rmErr, fs.ErrNotExist) {
			err = errors.Join(err, rmErr)
		}
	}()
	if err := f.Close(); err != nil {
		return err
	}
	if err := fill(draft); err != nil {
		return err
	}
	switch err := os.Link(draft, path); {
	case err == nil, errors.Is(err, fs.ErrExist):
	default:
		// Not every file system has links.
		if err := os.Rename(draft, path); err != nil {
			return err
		}
	}
	return syncDir(dir)
}

// initialise writes the buckets into an empty file.
func initialise(path string) error {
	return guard(func() error {
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType})
		if err != nil {
			return err
		}
		return errors.Join(db.Update(prepareBuckets), db.Close())
	})
}

// makeDir makes the folder for the owner alone, with those above it, and
// forces their names to disk.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(dir)
	if err := makeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

// syncDir forces the names in a folder to disk.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // folders can't be opened for this there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync folder %s: %w", dir, err)
	}
	return nil
}
