package mapped

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"testing"
)

func writeFile(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "content")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, path string) *File {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func pattern(n int) []byte {
	content := make([]byte, n)
	for i := range content {
		content[i] = byte(i*7 + i>>8)
	}
	return content
}

func TestOpenGivesTheContent(t *testing.T) {
	page := os.Getpagesize()
	for _, n := range []int{0, 1, page - 1, page, page + 1, 3*page + 5} {
		want := pattern(n)
		f := open(t, writeFile(t, want))
		if f.Size() != int64(n) || !bytes.Equal(f.Bytes(), want) {
			t.Errorf("%d bytes: size %d, content differs", n, f.Size())
		}
		f.Release(0, int64(n))
		f.Release(-1, math.MaxInt64)
		if !bytes.Equal(f.Bytes(), want) {
			t.Errorf("%d bytes: content differs after Release", n)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(filepath.Join(dir, "none")); !os.IsNotExist(err) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Open(dir); err == nil || err.Error() != dir+": not a regular file" {
		t.Errorf("folder: %v", err)
	}
}

func TestCloseTwice(t *testing.T) {
	f, err := Open(writeFile(t, []byte("abc")))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	f.Release(0, 3)
	if f.Bytes() != nil {
		t.Error("a closed file still hands out its bytes")
	}
}

func TestWholePages(t *testing.T) {
	const page, size = 10, 35
	for _, c := range []struct {
		off, n, lo, hi int64
		ok             bool
	}{
		{0, 35, 0, 35, true},
		{0, 34, 0, 30, true},
		{1, 34, 10, 35, true},
		{10, 10, 10, 20, true},
		{10, 9, 0, 0, false},
		{11, 18, 0, 0, false},
		{30, 5, 30, 35, true},
		{-5, 16, 0, 10, true},
		{-5, 5, 0, 0, false},
		{0, math.MaxInt64, 0, 35, true},
		{20, math.MaxInt64, 20, 35, true},
		{math.MinInt64, math.MaxInt64, 0, 0, false},
		{35, 1, 0, 0, false},
		{0, 0, 0, 0, false},
		{5, -1, 0, 0, false},
	} {
		lo, hi, ok := wholePages(c.off, c.n, size, page)
		if ok != c.ok || ok && (lo != c.lo || hi != c.hi) {
			t.Errorf("%d+%d: [%d, %d) %v, want [%d, %d) %v", c.off, c.n, lo, hi, ok, c.lo, c.hi, c.ok)
		}
	}
}
