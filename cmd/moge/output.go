package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"moge/codegen/driver"
	"moge/formats/bundle"
	"moge/formats/durable"
)

// checkPlace fails early if path cannot be written: its folder is missing, or it is there and
// force is not given.
func checkPlace(fsys durable.FS, path string, force bool) error {
	parent := filepath.Dir(path)
	if info, err := fsys.Stat(parent); err != nil || !info.IsDir() {
		return &bundle.Error{Path: parent, Offset: -1, Reason: "is no directory",
			Hint: "create it first", Err: errors.Join(fs.ErrNotExist, err)}
	}
	_, err := fsys.Stat(path)
	switch {
	case force || errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return &driver.OutputError{Path: path, Err: err}
	}
	return &bundle.Error{Path: path, Offset: -1, Reason: "output exists",
		Hint: "use another name or --force", Err: bundle.ErrExists}
}

// checkSpace fails if the file system of path has fewer bytes free than are needed.
func checkSpace(fsys durable.FS, path string, need int64, hint string) (free int64, err error) {
	parent := filepath.Dir(path)
	free, err = fsys.Free(parent)
	if err != nil {
		return 0, &driver.OutputError{Path: path, Err: err}
	}
	if free >= need {
		return free, nil
	}
	return 0, &bundle.Error{Path: parent, Offset: -1, Err: bundle.ErrSpace, Hint: hint,
		Reason: fmt.Sprintf("%d bytes are needed and %d are free", need, free)}
}
