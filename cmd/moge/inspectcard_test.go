package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// publishedCheckpoint is the 72B model of its published config, 144 GB of holes.
func publishedCheckpoint(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "published")
	config := filepath.Join("..", "..", "formats", "models", "testdata", "pangu_published.json")
	synth := exec.Command("moge", "synth", "--config", config, "--sparse", "-o", dir)
	if out, err := synth.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

// The answer for the 72B model comes from headers alone: quickly, in little memory.
func TestInspectCardOfThePublishedModel(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: only Linux counts the resident memory of a child in KiB")
	}
	dir := publishedCheckpoint(t)
	for _, target := range cardTargets() {
		begin := time.Now()
		cmd := exec.Command("moge", "inspect", dir, "--target", target, "--json")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		took, peak := time.Since(begin), cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
		t.Logf("%s: %d ms, peak %.1f MiB", target, took.Milliseconds(), float64(peak)/(1<<10))
		if took >= 5*time.Second || peak >= 200<<10 {
			t.Errorf("%s: it took %v and %d KiB, want less than 5 s and 200 MiB", target, took, peak)
		}
		var r cardReport
		if err := json.Unmarshal(out, &r); err != nil {
			t.Fatal(err)
		}
		if w := r.Memory.Weights; r.Schema != cardSchema || r.Target != target || r.Runs || w < 72e9 || w > 76e9 {
			t.Errorf("%s: report %s", target, out)
		}
	}
}
