package durable_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"moge/formats/durable"
	"moge/formats/durable/faultfs"
)

// Both file systems must mean the same by every call.
func eachFS(t *testing.T, test func(t *testing.T, fsys durable.FS, dir string)) {
	t.Run("os", func(t *testing.T) { test(t, durable.OS(), t.TempDir()) })
	t.Run("memory", func(t *testing.T) {
		f := faultfs.New()
		if err := f.Mkdir("/d"); err != nil {
			t.Fatal(err)
		}
		test(t, f, "/d")
	})
}

func ok(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, fsys durable.FS, path string) string {
	t.Helper()
	f, err := fsys.Open(path)
	ok(t, err)
	size, err := f.Size()
	ok(t, err)
	b, err := io.ReadAll(io.NewSectionReader(f, 0, size))
	ok(t, err, f.Close())
	return string(b)
}

func TestFile(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys durable.FS, dir string) {
		path := filepath.Join(dir, "f")
		f, err := fsys.Create(path)
		ok(t, err)
		_, err = f.WriteAt([]byte("abc"), 2)
		ok(t, err, f.Truncate(4), f.Truncate(6), f.Sync(), f.Close(), fsys.SyncDir(dir))
		if got := read(t, fsys, path); got != "\x00\x00ab\x00\x00" {
			t.Errorf("%q", got)
		}
		if _, err := fsys.Create(path); !errors.Is(err, fs.ErrExist) {
			t.Errorf("second Create: %v", err)
		}
		f, err = fsys.Open(path)
		ok(t, err)
		if _, err := f.WriteAt([]byte("x"), 0); err == nil {
			t.Error("a file opened for reading can be written")
		}
		b := make([]byte, 4)
		if n, err := f.ReadAt(b, 4); n != 2 || err != io.EOF {
			t.Errorf("read over the end: %d, %v", n, err)
		}
		ok(t, f.Close())
		f, err = fsys.OpenWrite(path)
		ok(t, err)
		_, err = f.WriteAt([]byte("z"), 0)
		ok(t, err, f.Close())
		if err := f.Close(); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("second Close: %v", err)
		}
		if _, err := fsys.OpenWrite(path + "x"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("OpenWrite creates: %v", err)
		}
	})
}

func TestTree(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys durable.FS, dir string) {
		at := func(name string) string { return filepath.Join(dir, name) }
		ok(t, fsys.MkdirAll(at("a/b/c")), fsys.MkdirAll(at("a/b/c")), fsys.Mkdir(at("e")))
		ok(t, durable.WriteFileSync(fsys, at("a/f"), []byte("1")))
		ok(t, durable.WriteFileSync(fsys, at("a/g"), []byte("2")))
		ok(t, fsys.Rename(at("a/f"), at("a/g")), fsys.Rename(at("a/b"), at("d")))
		if got := read(t, fsys, at("a/g")); got != "1" {
			t.Errorf("rename over a file left %q", got)
		}
		for name, err := range map[string]error{
			"mkdir over a directory":   fsys.Mkdir(at("a")),
			"mkdirall over a file":     fsys.MkdirAll(at("a/g/x")),
			"remove of a full one":     fsys.Remove(at("a")),
			"rename over a full one":   fsys.Rename(at("d"), at("a")),
			"rename of a missing path": fsys.Rename(at("x"), at("y")),
			"create below a file":      durable.WriteFileSync(fsys, at("a/g/x"), nil),
			"create without parent":    durable.WriteFileSync(fsys, at("x/y"), nil),
		} {
			if err == nil {
				t.Errorf("%s works", name)
			}
		}
		entries, err := fsys.ReadDir(dir)
		ok(t, err)
		names := ""
		for _, e := range entries {
			names += e.Name() + " "
		}
		if names != "a d e " {
			t.Errorf("entries %q", names)
		}
		info, err := fsys.Stat(at("a/g"))
		if ok(t, err); info.Size() != 1 || info.IsDir() || info.Mode() != 0o644 {
			t.Errorf("%d bytes, %v", info.Size(), info.Mode())
		}
		ok(t, fsys.RemoveAll(at("a")), fsys.RemoveAll(at("a")), fsys.Remove(at("e")))
		if _, err := fsys.Stat(at("a")); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		if n, err := fsys.Free(dir); n <= 0 || err != nil {
			t.Errorf("free: %d, %v", n, err)
		}
	})
}

func TestLockIsExclusive(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys durable.FS, dir string) {
		path := filepath.Join(dir, "l")
		for range 3 {
			unlock, err := fsys.Lock(path)
			ok(t, err)
			if _, err := fsys.Lock(path); !errors.Is(err, durable.ErrLocked) {
				t.Fatalf("second lock: %v", err)
			}
			ok(t, unlock())
			if entries, err := fsys.ReadDir(dir); err != nil || len(entries) != 0 {
				t.Errorf("left %v, %v", entries, err)
			}
		}
	})
}

// Lockers that come and go remove the file under each other, yet never hold it together.
func TestLockUnderContention(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l")
	var group sync.WaitGroup
	var holders, taken atomic.Int32
	for range 8 {
		group.Go(func() {
			for range 200 {
				unlock, err := durable.OS().Lock(path)
				if errors.Is(err, durable.ErrLocked) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if holders.Add(1) != 1 {
					t.Error("two hold the lock")
				}
				taken.Add(1)
				holders.Add(-1)
				if err := unlock(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if taken.Load() == 0 {
		t.Error("nobody got the lock")
	}
}

// A crash at any operation leaves the old content or the new, and a second try succeeds.
func TestWriteFileAtomic(t *testing.T) {
	for n := 1; ; n++ {
		finished := false
		for _, mode := range faultfs.Modes() {
			for seed := range uint64(4) {
				f := faultfs.New()
				ok(t, f.Mkdir("d"), durable.WriteFileAtomic(f, "d/f", []byte("old")), f.SyncDir(""))
				f.CrashAt(f.Ops() + n)
				err := durable.WriteFileAtomic(f, "d/f", []byte("newer"))
				finished = err == nil
				after := f.Recover(mode, seed)
				got := after.Snapshot("")["d/f"]
				if got != "newer" && (finished || got != "old") {
					t.Fatalf("crash at %d, %v: %q", n, mode, got)
				}
				ok(t, durable.WriteFileAtomic(after, "d/f", []byte("newer")))
				if left := after.Snapshot(""); len(left) != 2 || left["d/f"] != "newer" {
					t.Fatalf("crash at %d, %v: second try left %v", n, mode, left)
				}
			}
		}
		if finished {
			return
		}
	}
}

func TestWriteFileAtomicCleansUp(t *testing.T) {
	f := faultfs.New()
	f.SetSpace(2)
	if err := durable.WriteFileAtomic(f, "f", []byte("abc")); err == nil {
		t.Error("no error on a full disk")
	}
	if left := f.Snapshot(""); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	ok(t, durable.WriteFileAtomic(durable.OS(), path, []byte("1")))
	ok(t, durable.WriteFileAtomic(durable.OS(), path, []byte("2")))
	data, err := os.ReadFile(path)
	entries, dirErr := os.ReadDir(dir)
	if ok(t, err, dirErr); string(data) != "2" || len(entries) != 1 {
		t.Errorf("%q, %v", data, entries)
	}
}
