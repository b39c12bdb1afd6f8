//go:build !unix

package mapped

import (
	"io"
	"os"
)

// Without mappings the content is read into memory: the same bytes, without the bound on memory.
func platformMap(f *os.File, size int) ([]byte, error) {
	data := make([]byte, size)
	_, err := io.ReadFull(io.NewSectionReader(f, 0, int64(size)), data)
	return data, err
}

func platformUnmap([]byte) error { return nil }

func platformRelease([]byte) {}
