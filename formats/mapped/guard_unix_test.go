//go:build unix

package mapped

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestGuardReportsTruncation(t *testing.T) {
	page := os.Getpagesize()
	path := writeFile(t, pattern(3*page))
	f := open(t, path)
	if err := os.Truncate(path, int64(page)); err != nil {
		t.Fatal(err)
	}
	err := Guard(func() error {
		sink += f.Bytes()[page-1]
		sink += f.Bytes()[2*page+3]
		return nil
	})
	want := fmt.Sprintf("byte %d: %v", 2*page+3, ErrFault)
	if !errors.Is(err, ErrFault) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestGuardCoversCopies(t *testing.T) {
	path := writeFile(t, pattern(2*os.Getpagesize()))
	f := open(t, path)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	dst := make([]byte, f.Size())
	if err := Guard(func() error { copy(dst, f.Bytes()); return nil }); !errors.Is(err, ErrFault) {
		t.Errorf("copy from a cut file: %v", err)
	}
}

func TestGuardReturnsTheErrorOfFn(t *testing.T) {
	want := errors.New("of fn")
	if err := Guard(func() error { return want }); err != want {
		t.Errorf("got %v", err)
	}
	if err := Guard(func() error { return nil }); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestGuardPassesOtherPanics(t *testing.T) {
	stray, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_NONE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Munmap(stray) }()
	var nothing []byte
	var pointer *int
	for name, fn := range map[string]func() error{
		"value":                       func() error { panic("value") },
		"index":                       func() error { sink += nothing[sink]; return nil },
		"nil pointer":                 func() error { *pointer = 1; return nil },
		"memory that is not a file's": func() error { sink += stray[0]; return nil },
	} {
		if panicOf(func() { _ = Guard(fn) }) == nil {
			t.Errorf("%s: the panic was swallowed", name)
		}
	}
}

// sink keeps the compiler from dropping reads whose only purpose is to touch memory.
var sink byte

func panicOf(fn func()) (r any) {
	defer func() { r = recover() }()
	fn()
	return nil
}

func TestGuardRestoresTheSetting(t *testing.T) {
	for _, before := range []bool{false, true} {
		debug.SetPanicOnFault(before)
		_ = Guard(func() error { return nil })
		_ = panicOf(func() { _ = Guard(func() error { panic("value") }) })
		if after := debug.SetPanicOnFault(false); after != before {
			t.Errorf("the setting was %v and became %v", before, after)
		}
	}
}

// Release must take the pages out of this process: the mapping's own line in smaps says so.
func TestReleaseBoundsResidentMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has /proc/self/smaps")
	}
	page := os.Getpagesize()
	f := open(t, writeFile(t, pattern(64*page)))
	for i := 0; i < len(f.Bytes()); i += page {
		sink += f.Bytes()[i]
	}
	if got := residentKB(t, f); got != 64*page>>10 {
		t.Fatalf("%d kB resident after reading all, want %d", got, 64*page>>10)
	}
	f.Release(0, int64(32*page)+1)
	if got := residentKB(t, f); got != 32*page>>10 {
		t.Errorf("%d kB resident after releasing half, want %d", got, 32*page>>10)
	}
}

func residentKB(t *testing.T, f *File) int {
	t.Helper()
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	r := rangeOf(f.Bytes())
	_, rest, found := strings.Cut(string(smaps), fmt.Sprintf("%08x-%08x ", r.start, r.end))
	_, rest, foundRss := strings.Cut(rest, "\nRss:")
	var kb int
	if _, err := fmt.Sscan(rest, &kb); err != nil || !found || !foundRss {
		t.Fatalf("no such mapping in smaps: %v", err)
	}
	return kb
}
