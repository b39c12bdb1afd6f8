package driver

import (
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"

	"moge/formats/bundle"
	"moge/formats/durable"
)

// checkPlace fails, before anything that takes time, if the output cannot have its name.
func checkPlace(fsys durable.FS, out string, replace bool) error {
	parent := filepath.Dir(out)
	if info, err := fsys.Stat(parent); err != nil || !info.IsDir() {
		return &bundle.Error{Path: parent, Offset: -1, Reason: "is no directory",
			Hint: "create it first", Err: errors.Join(fs.ErrNotExist, err)}
	}
	_, err := fsys.Stat(out)
	if errors.Is(err, fs.ErrNotExist) || err == nil && replace {
		return nil
	}
	if err != nil {
		return outputError(out, err)
	}
	return &bundle.Error{Path: out, Offset: -1, Reason: "output exists",
		Hint: "use another name or --force", Err: bundle.ErrExists}
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
