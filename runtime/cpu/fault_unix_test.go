//go:build unix

package cpu

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestFileCutShortIsAnError maps a file, cuts it and reads past its new end in each worker.
func TestFileCutShortIsAnError(t *testing.T) {
	const size = 1 << 16
	path := filepath.Join(t.TempDir(), "weights")
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	mapped, err := unix.Mmap(int(file.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mapped)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	withPools(t, func(t *testing.T, p *Pool) {
		sums := make([]byte, 8)
		err := p.Run(8, func(_, task int) { sums[task] = mapped[size/8*task] })
		var failure *PanicError
		if !errors.As(err, &failure) {
			t.Fatalf("error %v", err)
		}
		var memory runtime.Error
		if !errors.As(err, &memory) {
			t.Errorf("%v does not unwrap to a runtime error", err)
		}
		checkFault(t, failure, mapped)
		checkStillWorks(t, p)
	})
}

// checkFault asks for the address where the tests run on the real machine; user-mode emulators
// of the others leave it out.
func checkFault(t *testing.T, failure *PanicError, mapped []byte) {
	t.Helper()
	addr, ok := failure.Fault()
	if !ok && runtime.GOARCH == "amd64" {
		t.Fatalf("%v is not reported as a fault", failure)
	}
	if !ok {
		return
	}
	first := uintptr(unsafe.Pointer(&mapped[0]))
	if addr < first || addr >= first+uintptr(len(mapped)) {
		t.Errorf("address %#x is not in the mapped file", addr)
	}
	if !strings.Contains(failure.Error(), "memory fault at address 0x") {
		t.Errorf("error %q", failure)
	}
}
