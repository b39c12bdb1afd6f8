package driver

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"moge/formats/bundle"
	"moge/formats/durable/faultfs"
	"moge/ir/dtype"
)

// crashJob compiles a small family onto a disk in memory, syncing often so that there is
// much to lose and to find again.
type crashJob struct {
	t         *testing.T
	model     *Model
	evaluated atomic.Int64 // bytes of sections computed by the last run
}

func (j *crashJob) run(disk *faultfs.FS, resume bool, change func(*Settings)) error {
	s := settings(j.t, "w8a8-dynamic")
	s.Resume, s.syncBytes = resume, 16<<10
	s.Execution.Workers = 1
	j.evaluated.Store(0)
	s.Execution.Evaluated = func(_ string, n int64) { j.evaluated.Add(n) }
	if change != nil {
		change(&s)
	}
	_, err := Compile(context.Background(), disk, j.model, "out/model.moge", s)
	return err
}

func newDisk(t testing.TB) *faultfs.FS {
	t.Helper()
	disk := faultfs.New()
	if err := disk.Mkdir("out"); err != nil {
		t.Fatal(err)
	}
	if err := disk.SyncDir("."); err != nil {
		t.Fatal(err)
	}
	return disk
}

func TestCompileSurvivesACrashAtEveryOperation(t *testing.T) {
	job := &crashJob{t: t, model: openModel(t, filepath.Join(families, "llama"))}
	whole := newDisk(t)
	before := whole.Ops()
	if err := job.run(whole, false, nil); err != nil {
		t.Fatal(err)
	}
	want, all := whole.Snapshot("out"), job.evaluated.Load()
	saved := 0
	for n := before + 1; n <= whole.Ops(); n++ {
		disk := newDisk(t)
		disk.CrashAt(n)
		if err := job.run(disk, false, nil); !errors.Is(err, faultfs.ErrCrash) {
			t.Fatalf("crash at operation %d of %d: %v", n, whole.Ops(), err)
		}
		for _, mode := range faultfs.Modes() {
			disk := disk.Recover(mode, uint64(n))
			if got := disk.Snapshot("out/model.moge"); len(got) > 0 && !maps.Equal(got, under(want, "model.moge/")) {
				t.Fatalf("crash at %d, %v: an incomplete output has the final name", n, mode)
			}
			if err := job.run(disk, true, nil); err != nil {
				t.Fatalf("crash at %d, %v: resume: %v", n, mode, err)
			}
			if !maps.Equal(disk.Snapshot("out"), want) {
				t.Fatalf("crash at %d, %v: resume gave other bytes", n, mode)
			}
			if job.evaluated.Load() < all {
				saved++
			}
		}
	}
	t.Logf("%d operations, %d of the resumes computed less than everything", whole.Ops()-before, saved)
	if saved == 0 {
		t.Error("no resume found anything that was done")
	}
}

func under(all map[string]string, prefix string) map[string]string {
	out := map[string]string{}
	for name, data := range all {
		if rest, ok := strings.CutPrefix(name, prefix); ok && rest != "" {
			out[rest] = data
		}
	}
	return out
}

// A crash when everything but the rename is done must leave nothing to compute.
func TestResumeComputesNoFinishedChunkAgain(t *testing.T) {
	job := &crashJob{t: t, model: openModel(t, filepath.Join(families, "llama"))}
	whole := newDisk(t)
	if err := job.run(whole, false, nil); err != nil {
		t.Fatal(err)
	}
	all := job.evaluated.Load()
	previous := all + 1
	for n := whole.Ops(); n > 0; n /= 2 {
		disk := newDisk(t)
		disk.CrashAt(n)
		if err := job.run(disk, false, nil); err == nil {
			t.Fatalf("no crash at %d", n)
		}
		disk = disk.Recover(faultfs.Keep, 1)
		if err := disk.MkdirAll("out"); err != nil {
			t.Fatal(err)
		}
		if err := job.run(disk, true, nil); err != nil {
			t.Fatal(err)
		}
		got := job.evaluated.Load()
		if n == whole.Ops() && got != 0 {
			t.Errorf("the last operation failed, and %d of %d bytes were computed again", got, all)
		}
		if n < whole.Ops() && got > all || previous < 0 {
			t.Errorf("crash at %d: %d bytes computed of %d", n, got, all)
		}
		previous = got
	}
}

func TestResumeRefusesWhatChanged(t *testing.T) {
	job := &crashJob{t: t, model: openModel(t, filepath.Join(families, "llama"))}
	probe := newDisk(t)
	if err := job.run(probe, false, nil); err != nil {
		t.Fatal(err)
	}
	crashed := newDisk(t)
	crashed.CrashAt(probe.Ops() - 10)
	if err := job.run(crashed, false, nil); err == nil {
		t.Fatal("no crash")
	}
	for name, change := range map[string]func(*Settings){
		"scheme":  func(s *Settings) { s.Passes.Scheme = settings(t, "w8a16").Passes.Scheme },
		"limits":  func(s *Settings) { s.Limits.Context = 64 },
		"cache":   func(s *Settings) { s.Passes.KV = dtype.F32 },
		"passes":  func(s *Settings) { s.Passes.Off = []string{"FuseQKV"} },
		"head":    func(s *Settings) { s.Passes.Head = s.Passes.Scheme },
		"nothing": nil,
	} {
		err := job.run(crashed.Recover(faultfs.Keep, 1), true, change)
		if change == nil {
			if err != nil {
				t.Errorf("the unchanged job is refused: %v", err)
			}
		} else if !errors.Is(err, bundle.ErrChanged) {
			t.Errorf("%s changed: %v, want %v", name, err, bundle.ErrChanged)
		}
	}
}
