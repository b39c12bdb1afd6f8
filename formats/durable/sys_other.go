//go:build !(linux || darwin || freebsd)

package durable

import (
	"errors"
	"io/fs"
	"math"
)

// cannotSyncDir is true of every error: such systems do not open directories for syncing.
func cannotSyncDir(error) bool { return true }

// Free claims that there is room: a full disk then shows when it is written.
func (osFS) Free(string) (int64, error) { return math.MaxInt64, nil }

func (osFS) Lock(path string) (func() error, error) {
	return nil, &fs.PathError{Op: "lock", Path: path, Err: errors.ErrUnsupported}
}
