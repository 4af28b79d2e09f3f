//go:build !unix || solaris || aix

package boltstore

import "os"

// unlock does nothing: here closing the file gives up its lock.
func unlock(*os.File) {}
