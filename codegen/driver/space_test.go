package driver

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"moge/formats/bundle"
	"moge/formats/durable/faultfs"
	"moge/passes"
)

func TestTooLittleSpaceIsSeenBeforeAnythingIsWritten(t *testing.T) {
	m := openModel(t, filepath.Join(families, "llama"))
	for name, job := range jobs {
		for _, free := range []int64{0, 1000} {
			disk := newDisk(t)
			disk.SetFree(free)
			_, err := job(context.Background(), disk, m, "out/result", settingsFor(t, m, "w8a16", passes.Options{}))
			if !errors.Is(err, bundle.ErrSpace) || !strings.HasSuffix(err.Error(),
				" are free; free some space or use another file system") {
				t.Errorf("%s with %d bytes free: %v", name, free, err)
			}
			wantNothing(t, name, disk)
		}
	}
}

// The disk fills up at any moment: nothing has the final name, and when there is space the
// job goes on to the same bytes.
func TestFullDisk(t *testing.T) {
	m := openModel(t, filepath.Join(families, "llama"))
	s := settingsFor(t, m, "w8a16", passes.Options{})
	s.Execution.Workers, s.syncBytes = 1, 16<<10
	for name, job := range jobs {
		whole := newDisk(t)
		if _, err := job(context.Background(), whole, m, "out/result", s); err != nil {
			t.Fatal(err)
		}
		want := whole.Snapshot("out")
		size := int64(0)
		for _, data := range want {
			size += int64(len(data))
		}
		for step := range int64(20) {
			disk := newDisk(t)
			disk.SetSpace(size * step / 20)
			_, err := job(context.Background(), disk, m, "out/result", s)
			if !errors.Is(err, bundle.ErrSpace) {
				t.Fatalf("%s with %d of %d bytes: %v", name, size*step/20, size, err)
			}
			if _, err := disk.Stat("out/result"); err == nil {
				t.Errorf("%s with %d of %d bytes: the output has its final name", name, size*step/20, size)
			}
			if name == "quantize" {
				wantNothing(t, name, disk)
			}
			disk.SetSpace(1 << 40)
			again := s
			again.Resume = true
			if _, err := job(context.Background(), disk, m, "out/result", again); err != nil {
				t.Fatalf("%s after %d of %d bytes: %v", name, size*step/20, size, err)
			}
			if !maps.Equal(disk.Snapshot("out"), want) {
				t.Errorf("%s after %d of %d bytes: the bytes differ", name, size*step/20, size)
			}
		}
	}
}

func TestOutputThatExists(t *testing.T) {
	m := openModel(t, filepath.Join(families, "llama"))
	s := settingsFor(t, m, "w8a16", passes.Options{})
	for name, job := range jobs {
		fresh, disk := newDisk(t), newDisk(t)
		if err := errors.Join(disk.Mkdir("out/result"), disk.Mkdir("out/result/sub")); err != nil {
			t.Fatal(err)
		}
		before := disk.Snapshot("out")
		_, err := job(context.Background(), disk, m, "out/result", s)
		wantError(t, err, "out/result: output exists; use another name or --force")
		if !maps.Equal(disk.Snapshot("out"), before) {
			t.Errorf("%s changed an output that exists", name)
		}
		forced := s
		forced.Force = true
		for _, fs := range []*faultfs.FS{disk, fresh} {
			if _, err := job(context.Background(), fs, m, "out/result", forced); err != nil {
				t.Fatal(err)
			}
		}
		if !maps.Equal(disk.Snapshot("out"), fresh.Snapshot("out")) {
			t.Errorf("%s over an old output leaves something else than a fresh one", name)
		}
	}
}

func TestOfTwoWritersOneWins(t *testing.T) {
	m := openModel(t, filepath.Join(families, "llama"))
	for name, want := range map[string]string{
		"compile":  "out/result.partial: another process is writing this bundle; wait for it or use another name",
		"quantize": "out/result: another process is writing it: wait for it or use another name",
	} {
		alone := newDisk(t)
		s := settingsFor(t, m, "w8a16", passes.Options{})
		if _, err := jobs[name](context.Background(), alone, m, "out/result", s); err != nil {
			t.Fatal(err)
		}
		disk := newDisk(t)
		var second error
		s.Progress = func(stage string, _, _ int64) {
			if stage == "write" && second == nil { // the first is in the middle of its work
				other := settingsFor(t, m, "none", passes.Options{})
				_, second = jobs[name](context.Background(), disk, m, "out/result", other)
			}
		}
		s.Execution.Workers = 1
		if _, err := jobs[name](context.Background(), disk, m, "out/result", s); err != nil {
			t.Errorf("the first writer: %v", err)
		}
		wantError(t, second, want)
		if !errors.Is(second, bundle.ErrLocked) && name == "compile" {
			t.Errorf("%v does not wrap %v", second, bundle.ErrLocked)
		}
		if !maps.Equal(disk.Snapshot("out"), alone.Snapshot("out")) {
			t.Errorf("%s: the bytes differ after another writer tried", name)
		}
	}
}

func TestUnwritableOutput(t *testing.T) {
	m := openModel(t, filepath.Join(families, "llama"))
	s := settingsFor(t, m, "w8a16", passes.Options{})
	for _, job := range jobs {
		_, err := job(context.Background(), newDisk(t), m, "absent/result", s)
		wantError(t, err, "absent: is no directory; create it first")
	}
}
