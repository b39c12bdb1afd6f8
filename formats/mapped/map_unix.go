//go:build unix

package mapped

import (
	"os"

	"golang.org/x/sys/unix"
)

// A shared mapping, so that the pages are the page cache's own and cost no second copy.
func platformMap(f *os.File, size int) ([]byte, error) {
	return unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
}

func platformUnmap(data []byte) error { return unix.Munmap(data) }

// The advice only saves memory, so a system that refuses it changes no result.
func platformRelease(pages []byte) { _ = unix.Madvise(pages, unix.MADV_DONTNEED) }
