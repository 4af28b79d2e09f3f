package boltstore

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Faults of the gateway that the store deals with itself.
var (
	// errRetired: the handle was closed; there is or will be another one.
	errRetired = errors.New("handle was closed")
	// errUnsettled: the reader got hold of a commit that has been written but
	// not yet forced to disk.
	errUnsettled = errors.New("commit has not settled")
	// errMisplaced: the path no longer leads to the file that is open.
	errMisplaced = errors.New("file is not in its place")
)

// faultError is a panic or memory fault inside the database, turned into an
// error.
type faultError struct {
	value any
	stack []byte
}

func (e *faultError) Error() string { return fmt.Sprintf("fault in the database file: %v", e.value) }

// unknownError is a commit that failed in a way that leaves its outcome open.
type unknownError struct{ err error }

func (e *unknownError) Error() string { return e.err.Error() }
func (e *unknownError) Unwrap() error { return e.err }

// guard runs fn and turns panics into errors, those too that stem from a
// mapped page that can't be read because the file was cut or the disk failed.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = &faultError{value: r, stack: debug.Stack()}
		}
	}()
	return fn()
}

// isFault tells whether err is a panic that guard caught.
func isFault(err error) bool {
	var f *faultError
	return errors.As(err, &f)
}

// handle is one opening of the database file. Every access to the database
// goes through its methods.
type handle struct {
	db   *bbolt.DB
	file *os.File
	info os.FileInfo // tells whether the path still leads to the file

	// durable is the newest transaction that is known to be on disk. Readers
	// see nothing newer: bbolt shows a commit to them before it has been
	// forced to disk.
	durable atomic.Uint64

	// beginning is held while a transaction begins. When bbolt panics there it
	// leaves locks behind, and nobody else may wait for them.
	beginning sync.Mutex
	stuck     atomic.Bool
}

// openHandle opens an existing file.
func openHandle(path string, timeout time.Duration, readOnly bool) (*handle, error) {
	h := &handle{}
	err := guard(func() (err error) {
		h.db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			Timeout:      timeout,
			FreelistType: bbolt.FreelistMapType,
			ReadOnly:     readOnly,
			OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
				f, err := os.OpenFile(name, flag&^os.O_CREATE, mode)
				if h.file == nil { // a copy of the database opens it again
					h.file = f
				}
				return f, err
			},
		})
		if err == nil {
			h.info, err = h.file.Stat()
		}
		return err
	})
	if err == nil {
		err = h.complete()
	}
	switch {
	case err == nil:
		return h, nil
	case isFault(err):
		h.abandon()
	case h.db != nil:
		h.close()
	}
	if errors.Is(err, bolterrors.ErrTimeout) {
		err = fmt.Errorf("%w: lock was not free within %v", ErrLocked, timeout)
	}
	return nil, err
}

// complete returns an error if the file lacks pages at its end.
func (h *handle) complete() error {
	tx, err := h.begin(false)
	if err != nil {
		return err
	}
	need := tx.Size()
	h.rollback(tx)
	if have := h.info.Size(); have < need {
		return fmt.Errorf("%w: file has %d bytes of %d", ErrDamaged, have, need)
	}
	return nil
}

// inspect looks at the structure of the file, see the function inspect. Nobody
// may be writing.
func (h *handle) inspect() (setBack bool, err error) {
	err = guard(func() (err error) {
		setBack, err = inspect(h.file, h.db.Info().PageSize)
		return err
	})
	return setBack, err
}

// begin starts a transaction.
func (h *handle) begin(writable bool) (*bbolt.Tx, error) {
	h.beginning.Lock()
	defer h.beginning.Unlock()
	if h.stuck.Load() {
		return nil, errRetired
	}
	var tx *bbolt.Tx
	err := guard(func() (err error) {
		tx, err = h.db.Begin(writable)
		return err
	})
	if isFault(err) {
		h.stuck.Store(true)
	}
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		err = errRetired
	}
	return tx, err
}

// rollback ends a transaction without effect.
func (h *handle) rollback(tx *bbolt.Tx) {
	if isFault(guard(tx.Rollback)) {
		h.stuck.Store(true)
	}
}

// view runs fn in a read transaction. What fn is given is valid only inside.
func (h *handle) view(fn func(tx *bbolt.Tx) error) error {
	tx, err := h.beginSettled()
	if err != nil {
		return err
	}
	return h.read(tx, fn)
}

// beginSettled starts a read transaction on what is known to be on disk.
func (h *handle) beginSettled() (*bbolt.Tx, error) {
	tx, err := h.begin(false)
	if err != nil {
		return nil, err
	}
	if uint64(tx.ID()) > h.durable.Load() {
		h.rollback(tx)
		return nil, errUnsettled
	}
	return tx, nil
}

// read runs fn in a read transaction, which it ends.
func (h *handle) read(tx *bbolt.Tx, fn func(tx *bbolt.Tx) error) error {
	defer h.rollback(tx)
	return guard(func() error { return fn(tx) })
}

// update runs fn in a write transaction and commits it if fn returns true. An
// *unknownError means that the commit failed; after any other error nothing
// was written. It returns the number of the transaction; the caller declares
// it durable. Only one update may run at a time.
func (h *handle) update(fn func(tx *bbolt.Tx) (bool, error)) (uint64, error) {
	if err := h.inPlace(); err != nil {
		return 0, err
	}
	tx, err := h.begin(true)
	if err != nil {
		return 0, err
	}
	id := uint64(tx.ID())
	var write bool
	err = guard(func() (err error) {
		write, err = fn(tx)
		return err
	})
	if err != nil || !write {
		h.rollback(tx)
		return id, err
	}
	if err := guard(tx.Commit); err != nil {
		if tx.DB() != nil { // it panicked and still holds its locks
			h.rollback(tx)
		}
		return id, &unknownError{err}
	}
	return id, nil
}

// inPlace returns an error if the path no longer leads to the whole file: then
// what is written would be lost with the process.
func (h *handle) inPlace() error {
	info, err := os.Stat(h.file.Name())
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", errMisplaced, err)
	case !os.SameFile(info, h.info):
		return fmt.Errorf("%w: it was replaced by another one", errMisplaced)
	case info.Size() < h.info.Size():
		return fmt.Errorf("%w: it was cut from %d to %d bytes", errMisplaced, h.info.Size(), info.Size())
	}
	h.info = info
	return nil
}

// close waits for the running transactions and closes the file.
func (h *handle) close() error {
	if h.stuck.Load() {
		h.abandon()
		return nil
	}
	return guard(h.db.Close)
}

// abandon gives up a database whose locks can't be had any more. Its memory
// map stays until the process ends; the file is unlocked and closed.
func (h *handle) abandon() {
	h.stuck.Store(true)
	if h.file != nil {
		unlock(h.file)
		h.file.Close()
	}
}
