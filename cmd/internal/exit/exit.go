package exit

import (
	"errors"
	"strings"
)

// The exit codes.
const (
	OK          = 0
	Failed      = 1
	Usage       = 2
	Input       = 3
	Gate        = 4
	Resources   = 5
	Interrupted = 130
)

// Error is an error whose code is known where it is made. An Err of nil ends the program
// without a message: all has been said.
type Error struct {
	Code int
	Err  error
}

// Error is the text of the cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// With gives err a code, nil stays nil.
func With(code int, err error) error {
	if err == nil {
		return nil
	}
	return &Error{code, err}
}

// Row is a kind of error.
type Row struct {
	Code  int
	What  string
	Match func(error) bool
}

// Is matches errors that wrap target.
func Is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

// As matches errors of type T, wrapped or not.
func As[T error]() func(error) bool {
	return func(err error) bool {
		var target T
		return errors.As(err, &target)
	}
}

// Code is the exit code of err: that of the outermost *Error in it, or of the first row of
// Table and then of extra that matches; Failed if none does.
func Code(err error, extra ...Row) int {
	if err == nil {
		return OK
	}
	if code, ok := Find(err, extra...); ok {
		return code
	}
	return Failed
}

// Find is Code, but tells whether the error is known.
func Find(err error, extra ...Row) (code int, known bool) {
	var explicit *Error
	if errors.As(err, &explicit) {
		return explicit.Code, true
	}
	for _, rows := range [][]Row{first, extra, Table} {
		for _, r := range rows {
			if r.Match(err) {
				return r.Code, true
			}
		}
	}
	return 0, false
}

// Line is the text of err on one line.
func Line(err error) string {
	lines := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' })
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "; ")
}
