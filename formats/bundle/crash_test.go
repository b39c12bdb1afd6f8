package bundle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"syscall"
	"testing"

	"moge/formats/durable/faultfs"
)

const tornSeeds = 6

// eachRecovery calls fn with every way the disk may look after the crash of f.
func eachRecovery(run func() *faultfs.FS, fn func(name string, after *faultfs.FS)) {
	for _, mode := range faultfs.Modes() {
		seeds := uint64(1)
		if mode == faultfs.Torn {
			seeds = tornSeeds
		}
		for seed := range seeds {
			fn(fmt.Sprintf("%v/%d", mode, seed), run().Recover(mode, seed))
		}
	}
}

// buildTracked is build that reports which chunks the journal surely holds when it stops.
func buildTracked(f *faultfs.FS, opts Options) (durably map[Chunk]bool, err error) {
	durably = map[Chunk]bool{}
	w, err := Create(context.Background(), f, testJob("out.moge"), opts)
	if err != nil {
		return durably, err
	}
	var waiting []Chunk
	for _, c := range w.Pending() {
		if err := w.Put(c, content(c)); err != nil {
			return durably, err
		}
		if waiting = append(waiting, c); len(w.batch) == 0 {
			for _, c := range waiting {
				durably[c] = true
			}
			waiting = nil
		}
	}
	return durably, w.Finish()
}

func undisturbed(t *testing.T, opts Options) (files map[string]string, ops int) {
	t.Helper()
	f := faultfs.New()
	if err := build(f, testJob("out.moge"), opts); err != nil {
		t.Fatal(err)
	}
	return f.Snapshot(""), f.Ops()
}

// Killed at every operation, whatever the disk kept, a resume gives the undisturbed bytes and
// asks for no chunk again that was finished; and nothing incomplete ever has the final name.
func TestCrashAtEveryOperation(t *testing.T) {
	for _, opts := range []Options{{ChunkBytes: 96, SyncBytes: 1}, {ChunkBytes: 96, SyncBytes: 200}} {
		want, ops := undisturbed(t, opts)
		for n := 1; n <= ops; n++ {
			var durably map[Chunk]bool
			run := func() *faultfs.FS {
				f := faultfs.New()
				f.CrashAt(n)
				var err error
				if durably, err = buildTracked(f, opts); !errors.Is(err, faultfs.ErrCrash) {
					t.Fatalf("crash at %d of %d: %v", n, ops, err)
				}
				return f
			}
			eachRecovery(run, func(name string, after *faultfs.FS) {
				name = fmt.Sprintf("sync %d, crash at %d, %s", opts.SyncBytes, n, name)
				checkOutput(t, name, after, want)
				resume(t, name, after, opts, durably, want)
			})
		}
	}
}

// checkOutput requires the output to be absent or complete.
func checkOutput(t *testing.T, name string, f *faultfs.FS, want map[string]string) {
	t.Helper()
	got := f.Snapshot("out.moge")
	if len(got) == 0 {
		return
	}
	for path, data := range got {
		if want["out.moge/"+path] != data {
			t.Fatalf("%s: %s has the final name and is not complete", name, path)
		}
	}
	if len(got) != len(want)-1 {
		t.Fatalf("%s: %d paths have the final name, want %d", name, len(got), len(want)-1)
	}
}

func resume(t *testing.T, name string, f *faultfs.FS, opts Options, durably map[Chunk]bool,
	want map[string]string) {
	t.Helper()
	opts.Resume = true
	w, err := Create(context.Background(), f, testJob("out.moge"), opts)
	if err != nil {
		t.Fatalf("%s: resume: %v", name, err)
	}
	computed := map[Chunk]int{}
	if err := fill(w, computed); err != nil {
		t.Fatalf("%s: resume: %v", name, err)
	}
	if err := w.Finish(); err != nil {
		t.Fatalf("%s: finish: %v", name, err)
	}
	for c := range computed {
		if durably[c] {
			t.Fatalf("%s: finished chunk %+v is computed again", name, c)
		}
	}
	if got := f.Snapshot(""); !maps.Equal(got, want) {
		t.Fatalf("%s: resumed to %v", name, slices.Sorted(maps.Keys(got)))
	}
}

// A resume can be killed as well, at every operation, and resumed.
func TestCrashDuringResume(t *testing.T) {
	opts := Options{ChunkBytes: 96, SyncBytes: 1}
	want, ops := undisturbed(t, opts)
	for n := 3; n <= ops; n += 7 {
		for m := 1; ; m++ {
			f := faultfs.New()
			f.CrashAt(n)
			first, err := buildTracked(f, opts)
			if !errors.Is(err, faultfs.ErrCrash) {
				t.Fatal(err)
			}
			mode := faultfs.Modes()[(n+m)%len(faultfs.Modes())]
			f = f.Recover(mode, uint64(m))
			f.CrashAt(m)
			again := opts
			again.Resume = true
			second, err := buildTracked(f, again)
			if err == nil {
				break
			}
			maps.Copy(second, first)
			name := fmt.Sprintf("crash at %d, %v, then at %d", n, mode, m)
			resume(t, name, f.Recover(mode, uint64(n)), opts, second, want)
		}
	}
}

// A fresh start over an old partial directory can be killed while it clears it.
func TestCrashWhileClearing(t *testing.T) {
	opts := Options{ChunkBytes: 96, SyncBytes: 1}
	want, ops := undisturbed(t, opts)
	for m := 1; m <= 40; m++ {
		run := func() *faultfs.FS {
			f := faultfs.New()
			f.CrashAt(ops - 20)
			if _, err := buildTracked(f, opts); !errors.Is(err, faultfs.ErrCrash) {
				t.Fatal(err)
			}
			f = f.Recover(faultfs.Keep, 0)
			f.CrashAt(m)
			if _, err := buildTracked(f, opts); !errors.Is(err, faultfs.ErrCrash) {
				t.Fatalf("crash at %d: %v", m, err)
			}
			return f
		}
		eachRecovery(run, func(name string, after *faultfs.FS) {
			resume(t, fmt.Sprintf("clearing, crash at %d, %s", m, name), after, opts, nil, want)
		})
	}
}

// A forced replacement killed at every operation leaves the old output, the new one, or for a
// moment none; then a resume finishes and a fresh start without force finds the old one again.
func TestCrashDuringReplacement(t *testing.T) {
	opts := Options{ChunkBytes: 96, SyncBytes: 200, Force: true}
	want, _ := undisturbed(t, opts)
	old := testJob("out.moge")
	old.Key = [32]byte{9}
	prepare := func() *faultfs.FS {
		f := faultfs.New()
		if err := build(f, old, Options{}); err != nil {
			t.Fatal(err)
		}
		return f
	}
	before := prepare().Snapshot("out.moge")
	start := prepare().Ops()
	for n := start + 1; ; n++ {
		finished := false
		run := func() *faultfs.FS {
			f := prepare()
			f.CrashAt(n)
			_, err := buildTracked(f, opts)
			finished = err == nil
			return f
		}
		eachRecovery(run, func(name string, after *faultfs.FS) {
			name = fmt.Sprintf("crash at %d, %s", n, name)
			got := after.Snapshot("out.moge")
			if len(got) == 0 {
				fresh := after.Recover(faultfs.Keep, 0)
				if err := build(fresh, testJob("out.moge"), Options{}); !errors.Is(err, ErrExists) {
					t.Fatalf("%s: the old output is lost: %v", name, err)
				}
				if !maps.Equal(fresh.Snapshot("out.moge"), before) {
					t.Fatalf("%s: the old output came back changed", name)
				}
			} else if !maps.Equal(got, before) {
				checkOutput(t, name, after, want)
			}
			resume(t, name, after, opts, nil, want)
		})
		if finished {
			return
		}
	}
}

// EIO, short writes and a full disk at every operation: an error, no output, and a resume that
// ends well.
func TestFaultAtEveryOperation(t *testing.T) {
	opts := Options{ChunkBytes: 96, SyncBytes: 200}
	want, ops := undisturbed(t, opts)
	for n := 1; n <= ops; n++ {
		for name, inject := range map[string]func(*faultfs.FS){
			"EIO":   func(f *faultfs.FS) { f.FailAt(n, syscall.EIO) },
			"short": func(f *faultfs.FS) { f.ShortWriteAt(n) },
		} {
			f := faultfs.New()
			inject(f)
			err := build(f, testJob("out.moge"), opts)
			if err == nil && name == "EIO" {
				t.Fatalf("EIO at %d of %d is swallowed", n, ops)
			}
			checkOutput(t, name, f, want)
			resume(t, fmt.Sprintf("%s at %d", name, n), f, opts, nil, want)
		}
	}
}

func TestFullDisk(t *testing.T) {
	opts := Options{ChunkBytes: 96, SyncBytes: 200}
	want, _ := undisturbed(t, opts)
	failed := 0
	for space := int64(0); ; space += 50 {
		f := faultfs.New()
		f.SetSpace(space)
		err := build(f, testJob("out.moge"), opts)
		if err == nil {
			break
		}
		failed++
		if !errors.Is(err, ErrSpace) {
			t.Fatalf("%d bytes of space: %v", space, err)
		}
		if _, err := f.Stat("out.moge"); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%d bytes of space: there is an output", space)
		}
		f.SetSpace(1 << 40)
		resume(t, fmt.Sprintf("%d bytes of space", space), f, opts, nil, want)
	}
	if failed < 10 {
		t.Errorf("only %d sizes of the disk were too small", failed)
	}
}

func TestSpaceIsCheckedFirst(t *testing.T) {
	f := faultfs.New()
	f.SetFree(100)
	err := build(f, testJob("out.moge"), Options{})
	wantError(t, err, ".: 1048 bytes are needed and 100 are free; "+
		"free some space or use another file system")
	if !errors.Is(err, ErrSpace) || len(f.Snapshot("")) != 0 {
		t.Errorf("%v, left %v", err, f.Snapshot(""))
	}
}
