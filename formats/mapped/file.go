package mapped

import (
	"fmt"
	"math"
	"os"
	"sync"
)

// File is the read-only content of one file. Its bytes may be read by any number of goroutines,
// each inside Guard; Close must not run while one of them reads.
type File struct {
	mu   sync.Mutex // orders Release against Close
	data []byte
	size int64
}

// Open maps the regular file at path. An empty file is legal and has no bytes.
func Open(path string) (*File, error) {
	// A named pipe would block the open itself, so the kind of file is asked for first.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // a mapping outlives the descriptor it was made from
	return Map(f)
}

// Map maps the whole of the open regular file f, which the caller may close afterwards.
func Map(f *os.File) (*File, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	switch size := info.Size(); {
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a regular file", f.Name())
	case size > math.MaxInt:
		return nil, fmt.Errorf("%s: %d bytes exceed this machine's address space", f.Name(), size)
	case size == 0:
		return &File{}, nil
	default:
		return mapBytes(f, size)
	}
}

func mapBytes(f *os.File, size int64) (*File, error) {
	data, err := platformMap(f, int(size))
	if err != nil {
		return nil, fmt.Errorf("%s: map %d bytes: %w", f.Name(), size, err)
	}
	register(data)
	return &File{data: data, size: size}, nil
}

// Bytes is the content, valid until Close. It must not be written to. If the file may be changed
// by others, read it inside Guard.
func (f *File) Bytes() []byte { return f.data }

// Size is the length in bytes that the file had when it was opened.
func (f *File) Size() int64 { return f.size }

// Release tells the system that the whole pages inside bytes [off, off+n) need not stay in
// memory; they stay readable and are fetched again on the next access. Parts of the range
// outside the file are ignored.
func (f *File) Release(off, n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if lo, hi, ok := wholePages(off, n, int64(len(f.data)), int64(os.Getpagesize())); ok {
		platformRelease(f.data[lo:hi])
	}
}

// wholePages is the largest range of whole pages inside [off, off+n) of a file of size bytes; the
// page that the file's end cuts counts as whole when the range reaches that end.
func wholePages(off, n, size, page int64) (lo, hi int64, ok bool) {
	if n <= 0 || off >= size || off < 0 && off+n <= 0 {
		return 0, 0, false
	}
	if off < 0 {
		off, n = 0, off+n
	}
	end := size
	if n < size-off {
		end = off + n
	}
	lo, hi = roundUp(off, page), end
	if end != size {
		hi = end - end%page
	}
	return lo, hi, lo < hi
}

// roundUp rounds an offset inside a mapping up to a page; a mapping ends far below the overflow.
func roundUp(off, page int64) int64 { return (off + page - 1) / page * page }

// Close unmaps the file; the slice from Bytes must not be touched afterwards. A second Close
// does nothing.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.data == nil {
		return nil
	}
	data := f.data
	f.data = nil
	unregister(data)
	return platformUnmap(data)
}
