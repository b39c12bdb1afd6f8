package mapped

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"unsafe"
)

// ErrFault reports that mapped bytes could not be read.
var ErrFault = errors.New("the file was cut short or became unreadable while mapped")

// Guard runs fn and returns its error; a memory fault of this goroutine inside a mapping of this
// package becomes an error that wraps ErrFault. Every other panic passes through, faults at
// other addresses too: those are bugs. Goroutines that fn starts are not covered, each needs a
// Guard of its own.
func Guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = faultError(r)
		}
	}()
	return fn()
}

// faultError is the error for the panic value of a fault in a mapping; it panics with r again if
// r is anything else.
func faultError(r any) error {
	fault, ok := r.(interface {
		runtime.Error
		Addr() uintptr
	})
	if !ok {
		panic(r)
	}
	offset, mapped := locate(fault.Addr())
	if !mapped {
		panic(r)
	}
	return fmt.Errorf("byte %d: %w", offset, ErrFault)
}

// The live mappings, so that a fault can be told from a stray pointer.
var live struct {
	sync.Mutex
	ranges []addressRange
}

type addressRange struct{ start, end uintptr }

func rangeOf(data []byte) addressRange {
	start := uintptr(unsafe.Pointer(unsafe.SliceData(data)))
	return addressRange{start, start + uintptr(len(data))}
}

func register(data []byte) {
	live.Lock()
	defer live.Unlock()
	live.ranges = append(live.ranges, rangeOf(data))
}

func unregister(data []byte) {
	live.Lock()
	defer live.Unlock()
	if i := slices.Index(live.ranges, rangeOf(data)); i >= 0 {
		live.ranges = slices.Delete(live.ranges, i, i+1)
	}
}

// locate is the offset of addr in the mapping that holds it.
func locate(addr uintptr) (offset int64, ok bool) {
	live.Lock()
	defer live.Unlock()
	for _, r := range live.ranges {
		if addr >= r.start && addr < r.end {
			return int64(addr - r.start), true
		}
	}
	return 0, false
}
