//go:build !linux || !(amd64 || arm64) || nonpu

package dl

import "errors"

var errUnsupported = errors.New("this program was built without the loader of libraries, which there " +
	"is for Linux on amd64 and arm64, without the build tag nonpu")

// Supported is nil where libraries can be loaded.
func Supported() error { return errUnsupported }

// Library is a loaded library.
type Library struct{}

// Open fails: see Supported.
func Open(string) (*Library, error) { return nil, errUnsupported }

// Func is 0.
func (l *Library) Func(string) Func { return 0 }

// Func is a C function; there is none.
type Func uintptr

// Call is never reached.
func (f Func) Call(...uintptr) uintptr { panic("BUG: a call without a library") }

// Bytes is never reached.
func Bytes(uintptr, int) []byte { panic("BUG: memory without a library") }

// String is never reached.
func String(uintptr) string { panic("BUG: memory without a library") }
