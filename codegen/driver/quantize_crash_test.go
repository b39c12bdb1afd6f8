package driver

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"moge/formats/durable/faultfs"
	"moge/passes"
)

// quantizeJob repeats one quantization on disks that fail.
type quantizeJob struct {
	model    *Model
	settings Settings
	want     map[string]string // of a disk on which nothing failed
	ops      int               // what that took
}

func newQuantizeJob(t testing.TB, force bool) *quantizeJob {
	t.Helper()
	m := openModel(t, filepath.Join(families, "llama"))
	j := &quantizeJob{model: m, settings: settingsFor(t, m, "w8a8-dynamic", passes.Options{})}
	j.settings.Execution.Workers, j.settings.Force = 1, force
	disk := j.disk(t)
	before := disk.Ops()
	if err := j.run(disk); err != nil {
		t.Fatal(err)
	}
	j.want, j.ops = disk.Snapshot("out"), disk.Ops()-before
	return j
}

func (j *quantizeJob) run(disk *faultfs.FS) error {
	_, err := Quantize(context.Background(), disk, j.model, "out/result", j.settings)
	return err
}

// disk has an old output where the job may replace it.
func (j *quantizeJob) disk(t testing.TB) *faultfs.FS {
	disk := newDisk(t)
	if j.settings.Force {
		if err := errors.Join(disk.Mkdir("out/result"), disk.SyncDir("out")); err != nil {
			t.Fatal(err)
		}
		f, err := disk.Create("out/result/old")
		if err == nil {
			_, err = f.WriteAt([]byte("old"), 0)
		}
		if err := errors.Join(err, f.Sync(), f.Close(), disk.SyncDir("out/result")); err != nil {
			t.Fatal(err)
		}
	}
	return disk
}

var oldOutput = map[string]string{"old": "old"}

// output is what has the final name; nil when nothing has.
func output(disk *faultfs.FS) map[string]string {
	if _, err := disk.Stat("out/result"); err != nil {
		return nil
	}
	return under(disk.Snapshot("out"), "result/")
}

// check wants the output to be whole, old or new, or absent, and the next run to finish.
func (j *quantizeJob) check(t testing.TB, what string, disk *faultfs.FS) {
	t.Helper()
	whole := under(j.want, "result/")
	if got := output(disk); got != nil && !maps.Equal(got, whole) &&
		!(j.settings.Force && maps.Equal(got, oldOutput)) {
		t.Fatalf("%s: an incomplete output has the final name", what)
	}
	again := *j
	again.settings.Force = true // the job may be done already
	if err := again.run(disk); err != nil {
		t.Fatalf("%s: the next run: %v", what, err)
	}
	if got := disk.Snapshot("out"); !maps.Equal(got, j.want) {
		var names []string
		for name := range got {
			names = append(names, name)
		}
		t.Fatalf("%s: the next run leaves other bytes, in %v", what, names)
	}
}

func TestQuantizeSurvivesACrashAtEveryFifthOperation(t *testing.T) {
	for _, force := range []bool{false, true} {
		j := newQuantizeJob(t, force)
		crash := func(n int) {
			for _, mode := range faultfs.Modes() {
				disk := j.disk(t)
				disk.CrashAt(disk.Ops() + n)
				if err := j.run(disk); !errors.Is(err, faultfs.ErrCrash) {
					t.Fatalf("crash at operation %d of %d: %v", n, j.ops, err)
				}
				disk = disk.Recover(mode, uint64(n))
				if err := disk.MkdirAll("out"); err != nil {
					t.Fatal(err)
				}
				j.check(t, mode.String(), disk)
			}
		}
		for n := 1; n <= j.ops-20; n += 5 {
			crash(n)
		}
		for n := max(1, j.ops-20); n <= j.ops; n++ { // publishing
			crash(n)
		}
	}
}

func TestQuantizeLeavesNothingAfterAnError(t *testing.T) {
	for _, force := range []bool{false, true} {
		j := newQuantizeJob(t, force)
		broken := errors.New("input/output error")
		for n := 1; n <= j.ops; n++ {
			disk := j.disk(t)
			before := disk.Snapshot("out")
			disk.FailAt(disk.Ops()+n, broken)
			err := j.run(disk)
			if err == nil {
				continue // what was to be removed afterwards need not go
			}
			if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "out/result: cannot be written: ") {
				t.Errorf("error at operation %d of %d: %v", n, j.ops, err)
			}
			got := output(disk)
			if !maps.Equal(got, under(before, "result/")) && !maps.Equal(got, under(j.want, "result/")) {
				t.Errorf("error at operation %d of %d: the output is neither as before nor complete", n, j.ops)
			}
			j.check(t, "after an error", disk)
		}
	}
}

// Cancelling leaves nothing.
func TestQuantizeStopsWhenCancelled(t *testing.T) {
	j := newQuantizeJob(t, false)
	ctx, cancel := context.WithCancel(context.Background())
	j.settings.Progress = func(stage string, _, _ int64) {
		if stage == "write" {
			cancel()
		}
	}
	disk := newDisk(t)
	if _, err := Quantize(ctx, disk, j.model, "out/result", j.settings); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	wantNothing(t, "a cancelled quantization", disk)
}
