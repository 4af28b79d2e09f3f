//go:build !linux

package boltstore_test

import "errors"

func fillDisk(string) error { return errors.New("no limit on the size of files here") }
