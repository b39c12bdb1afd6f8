package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"moge/formats/durable"
	"moge/formats/mapped"
)

// Causes that callers tell apart with errors.Is.
var (
	// ErrExists: the output name is taken.
	ErrExists = errors.New("output exists")
	// ErrLocked: another live process writes the same output.
	ErrLocked = durable.ErrLocked
	// ErrChanged: the partial directory belongs to a job with other inputs.
	ErrChanged = errors.New("job changed")
	// ErrSpace: the file system has not enough room.
	ErrSpace = errors.New("not enough disk space")
	// ErrVersion: a newer tool wrote this.
	ErrVersion = errors.New("newer format")
)

// Error says what is wrong with a bundle or with the place where one is to be written.
type Error struct {
	// Path is the file or directory; empty if the manifest is not in a file yet.
	Path string
	// Offset is the byte in the file where it goes wrong; -1 if there is no such place.
	Offset int64
	// Reason is a short phrase.
	Reason string
	// Hint is what to do next; may be empty.
	Hint string
	// Err is the cause; may be nil.
	Err error
}

// Error is one line: where, what is wrong, what to do next.
func (e *Error) Error() string {
	text := e.Reason
	if e.Offset >= 0 {
		text = fmt.Sprintf("byte %d: %s", e.Offset, text)
	}
	if e.Path != "" {
		text = e.Path + ": " + text
	}
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

func invalid(path string, offset int64, format string, args ...any) *Error {
	return &Error{Path: path, Offset: offset, Reason: fmt.Sprintf(format, args...)}
}

const rebuildHint = "copy the bundle again or compile it anew"

// Invalid reports whether the bundle, partial directory or manifest is itself to blame, and not
// the system or a name that is taken.
func (e *Error) Invalid() bool {
	return e.Err == nil || errors.Is(e.Err, ErrVersion) || errors.Is(e.Err, mapped.ErrFault)
}

// ioError is an error of the system with the path it happened at.
func ioError(path string, err error) error {
	reason := err.Error()
	var pe *fs.PathError
	if errors.As(err, &pe) {
		reason = fmt.Sprintf("%s: %v", pe.Op, pe.Err)
	}
	e := &Error{Path: path, Offset: -1, Reason: reason, Err: err}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		e.Err = errors.Join(ErrSpace, err)
		e.Hint = "free some space and go on with --resume"
	}
	return e
}
