package bench

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"moge/formats/hf"
	"moge/formats/models"
)

// TestConfigurationsAreWhatTheyClaim counts parameters by hand and by the family's own tensors.
func TestConfigurationsAreWhatTheyClaim(t *testing.T) {
	const vocabulary = 32000
	layer := func(hidden, heads, kv, head, experts, width, shared int64) int64 {
		attention := hidden*head*(heads+2*kv) + heads*head*hidden
		return attention + experts*hidden + 3*hidden*(experts*width+shared)
	}
	for _, c := range []struct {
		file    string
		weights int64 // of matrices; norms and scales are some thousands beside
	}{
		{"m1.json", 2*vocabulary*2048 + 8*layer(2048, 16, 4, 128, 64, 768, 0)},
		{"m2.json", 2*vocabulary*5120 + 2*layer(5120, 40, 8, 128, 64, 1344, 5376)},
	} {
		data, err := os.ReadFile(c.file)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := hf.ParseConfig(c.file, data)
		if err != nil {
			t.Fatal(err)
		}
		specs, err := models.Declared(cfg)
		if err != nil {
			t.Fatal(err)
		}
		var got int64
		for _, s := range specs {
			if len(s.Shape) > 1 && s.Shape[0] > 1 {
				got += s.Elements()
			}
		}
		if got != c.weights {
			t.Errorf("%s has %d weights in matrices, want %d", c.file, got, c.weights)
		}
	}
}

// TestScripts starts both scripts as a user would, from elsewhere.
func TestScripts(t *testing.T) {
	dir := t.TempDir()
	out, log, err := script(
		t,
		dir,
		"compare.sh",
		"-pairs",
		"1",
		"-seconds",
		"0",
		"-pressure",
		"1",
		"-drift",
		"1",
		"-steal",
		"1",
		"-probe",
		"1ms",
		"-lock",
		filepath.Join(dir, "lock"),
		"a: echo 3 > here; echo 3",
		"b: cat here",
	)
	if err != nil || !strings.Contains(out, "| a | b | 3.00 | 3.00 | 1.000 | ") {
		t.Errorf("compare.sh: %v\n%s%s", err, out, log)
	}
	out, log, err = script(t, dir, "compare.sh", "echo 1")
	if code(err) != 2 || out+log != "compare: OURS and at least one PEER are needed; see -help\n" {
		t.Errorf("compare.sh of one command: %v\n%s%s", err, out, log)
	}
	out, log, err = script(t, dir, "make.sh", "m3", dir)
	if code(err) != 2 || out+log != "usage: make.sh m1|m2 DIR\n" {
		t.Errorf("make.sh of an unknown model: %v\n%s%s", err, out, log)
	}
	// What make.sh asks of the tool, and where.
	t.Setenv("MOGE", "echo")
	out, log, err = script(t, dir, "make.sh", "m1", filepath.Join(dir, "new"))
	want := regexp.MustCompile(`\Asynth --config \S+/tests/bench/m1\.json --seed 1 -o \S+/new/m1\n` +
		`compile \S+/new/m1 --scheme w8a8-dynamic --head int8 --context 16384 --max-seqs 16 ` +
		`-o \S+/new/m1\.moge\n\z`)
	if err != nil || !want.MatchString(out) {
		t.Errorf("make.sh: %v\n%s%s", err, out, log)
	}
}

func script(t *testing.T, dir, name string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	path, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	var out, log bytes.Buffer
	cmd := exec.Command("bash", append([]string{path}, args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &log
	err = cmd.Run()
	return out.String(), log.String(), err
}

func code(err error) int {
	if exit, ok := err.(*exec.ExitError); ok {
		return exit.ExitCode()
	}
	return -1
}
