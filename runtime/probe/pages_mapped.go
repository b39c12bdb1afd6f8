//go:build linux

package probe

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

const hugePage = 2 << 20

// takePages maps n bytes, a multiple of the page size, and gives each page memory. Where there
// are no huge pages they are not there, without an error.
func takePages(n int, huge bool) (data []byte, free func(), err error) {
	all, err := unix.Mmap(-1, 0, n+hugePage, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, nil, fmt.Errorf("taking %d bytes of memory to read: %w", n+hugePage, err)
	}
	skip := -int(uintptr(unsafe.Pointer(&all[0]))) & (hugePage - 1)
	data = all[skip : skip+n]
	advice := unix.MADV_NOHUGEPAGE
	if huge {
		advice = unix.MADV_HUGEPAGE
	}
	_ = unix.Madvise(data, advice) // a kernel without huge pages refuses
	touch(data)
	return data, func() { _ = unix.Munmap(all) }, nil
}
