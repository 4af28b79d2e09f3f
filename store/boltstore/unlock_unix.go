//go:build unix && !solaris && !aix

package boltstore

import (
	"os"
	"syscall"
)

// unlock gives up the file's lock. Closing alone would not do: the memory map
// keeps the lock alive. It tries its best; the file is given up anyway.
func unlock(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
