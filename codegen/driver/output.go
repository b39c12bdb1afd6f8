package driver

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"moge/formats/bundle"
	"moge/formats/durable"
)

// refuseExisting fails, before anything that takes time, if the output's name is taken and
// may not be replaced.
func refuseExisting(fsys durable.FS, out string, s Settings) error {
	_, err := fsys.Stat(out)
	if errors.Is(err, fs.ErrNotExist) || err == nil && s.Force {
		return nil
	}
	if err != nil {
		return outputError(out, err)
	}
	return &bundle.Error{Path: filepath.Clean(out), Offset: -1, Reason: "output exists",
		Hint: "use another name or --force", Err: bundle.ErrExists}
}

// wantSpace fails if the file system of the output has less free than what will be written.
func wantSpace(fsys durable.FS, out string, need int64) error {
	parent := filepath.Dir(filepath.Clean(out))
	free, err := fsys.Free(parent)
	if err != nil {
		return outputError(out, err)
	}
	if free >= need {
		return nil
	}
	return &bundle.Error{Path: parent, Offset: -1, Err: bundle.ErrSpace,
		Reason: fmt.Sprintf("%d bytes are needed and %d are free", need, free),
		Hint:   "free some space or use another file system"}
}

// OutputError says that an output cannot be written.
type OutputError struct {
	Path string
	Err  error
}

// Error names the path and the cause.
func (e *OutputError) Error() string { return e.Path + ": cannot be written: " + reason(e.Err) }

// Unwrap is the cause.
func (e *OutputError) Unwrap() error { return e.Err }

// outputError blames the output for an error of the file system; nil stays nil.
func outputError(path string, err error) error {
	var done *OutputError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &done):
		return err
	case errors.Is(err, durable.ErrLocked):
		return &InputError{path, "another process is writing it", "wait for it or use another name"}
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return &OutputError{path, errors.Join(err, bundle.ErrSpace)}
	}
	return &OutputError{path, err}
}
