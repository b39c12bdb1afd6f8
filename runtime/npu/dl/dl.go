//go:build linux && (amd64 || arm64) && !nonpu

package dl

import (
	"errors"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
)

// Supported is nil where libraries can be loaded.
func Supported() error { return nil }

// Library is a loaded library. It stays loaded: what has threads of its own cannot be taken back.
type Library struct{ handle uintptr }

// Open loads a library by path, or by name where the system looks for it. Its symbols are there for
// libraries that are loaded later.
func Open(name string) (*Library, error) {
	h, err := purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return nil, errors.New(strings.TrimSpace(err.Error()))
	}
	return &Library{h}, nil
}

// Func is the address of a function; 0 if the library has none of the name.
func (l *Library) Func(name string) Func {
	f, err := purego.Dlsym(l.handle, name)
	if err != nil {
		return 0
	}
	return Func(f)
}

// Func is a C function.
type Func uintptr

// Call calls the function with integers and pointers, at most 15, and returns what it returns.
// Pointers to memory of Go are converted to uintptr in the argument list itself, which keeps them
// alive; the function must not keep them.
//
//go:uintptrescapes
func (f Func) Call(args ...uintptr) uintptr {
	r, _, _ := purego.SyscallN(uintptr(f), args...)
	return r
}

// Bytes is memory of C.
func Bytes(at uintptr, n int) []byte { return unsafe.Slice((*byte)(pointer(at)), n) }

// String copies a string of C; "" for none.
func String(at uintptr) string {
	if at == 0 {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(pointer(at), n)) != 0 {
		n++
	}
	return string(Bytes(at, n))
}

// pointer goes through memory because an address that is not of Go has no other way to a pointer that
// the tools accept.
func pointer(at uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&at)) }
