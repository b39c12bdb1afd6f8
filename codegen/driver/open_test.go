package driver

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"moge/formats/bundle"
	"moge/formats/durable"
	"moge/formats/durable/faultfs"
	"moge/ir/dtype"
	"moge/passes"
	"moge/quant"
)

func TestUnknownTensorsAreRefused(t *testing.T) {
	dir := familyCopy(t, "llama")
	addTensor(t, dir, "vision.bias")
	_, err := Open(dir, false)
	wantError(t, err, dir+": no part of the model reads tensor vision.bias: "+
		"config.json does not describe this checkpoint; --ignore-unknown drops them")
	addTensor(t, dir, "model.layers.1.self_attn.q_proj.bias")
	addTensor(t, dir, "vision.weight")
	_, err = Open(dir, false)
	wantError(t, err, dir+": no part of the model reads tensor model.layers.1.self_attn.q_proj.bias "+
		"and 2 others: "+
		"config.json does not describe this checkpoint; --ignore-unknown drops them")
	m, err := Open(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if len(m.Report.Unknown) != 3 {
		t.Errorf("unknown are %v, want the three that were added", m.Report.Unknown)
	}
	plain := openModel(t, filepath.Join(families, "llama"))
	s := settingsFor(t, m, "w8a16", passes.Options{})
	const weights = "m.moge/weights/rank-00.bin"
	if compileFiles(t, m, s)[weights] != compileFiles(t, plain, s)[weights] {
		t.Error("tensors that are dropped change the weights")
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Open(filepath.Join(dir, "absent"), false)
	wantError(t, err, filepath.Join(dir, "absent")+": no such directory: give the folder that holds "+
		"config.json and *.safetensors")
	_, err = Open(file, false)
	wantError(t, err, file+": not a directory: give the folder that holds config.json and *.safetensors")
}

// quantizedCopy is a quantized directory that a test may damage.
func quantizedCopy(t testing.TB, scheme string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "quantized")
	m := openModel(t, filepath.Join(families, "llama"))
	if _, err := Quantize(context.Background(), durable.OS(), m, dir,
		settingsFor(t, m, scheme, passes.Options{})); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestQuantizedDirectoriesKeepTheirSettings(t *testing.T) {
	m := openModel(t, quantizedCopy(t, "w8a8-dynamic"))
	for name, change := range map[string]func(*Settings){
		"scheme":    func(s *Settings) { s.Passes.Scheme = schemeOf(t, "w8a16") },
		"head":      func(s *Settings) { s.Passes.Head = schemeOf(t, "w8a8-dynamic") },
		"overrides": func(s *Settings) { s.Passes.Overrides = []quant.Override{override(t, "*=none")} },
		"float":     func(s *Settings) { s.Passes.Float = dtype.F32 },
		"text":      func(s *Settings) { s.Calibration = "calib.txt" },
		"passes":    func(s *Settings) { s.Passes.Off = []string{"FuseQKV"} },
	} {
		s := Settings{Target: "cpu"}
		change(&s)
		_, err := Prepare(context.Background(), m, s)
		var usage *UsageError
		if !errors.As(err, &usage) {
			t.Errorf("%s is accepted", name)
		}
		wantError(t, err, "the directory is quantized already: schemes, overrides, --float, --calib and --pass "+
			"belong to the step that quantized it")
	}
	s := Settings{Target: "cpu"}
	s.Passes.Scheme, s.Passes.KV = schemeOf(t, "none"), dtype.I8 // what a command line without flags gives
	if _, err := Prepare(context.Background(), m, s); err != nil {
		t.Error(err)
	}
	_, err := Quantize(context.Background(), newDisk(t), m, "out/again", s)
	wantError(t, err, m.Dir+": the directory is quantized already: compile it")
}

func TestDamagedQuantizedDirectories(t *testing.T) {
	whole := quantizedCopy(t, "w8a8")
	graph := func(change func(string) string) func(string) {
		return func(dir string) { edit(t, filepath.Join(dir, GraphFile), change) }
	}
	replace := func(old, new string) func(string) {
		return graph(func(text string) string {
			if !strings.Contains(text, old) {
				t.Fatalf("%s does not contain %s", GraphFile, old)
			}
			return strings.Replace(text, old, new, 1)
		})
	}
	const again = ": run moge quantize again"
	for name, c := range map[string]struct {
		damage func(dir string)
		want   string
	}{
		"cut short": {graph(func(text string) string { return text[:len(text)/2] }), ""},
		"empty":     {graph(func(string) string { return "" }), `: model.ir:1: first line is "", want "moge.ir 1"` + again},
		"newer": {replace("moge.ir 1\n", "moge.ir 2\n"),
			`: model.ir:1: first line is "moge.ir 2", want "moge.ir 1"` + again},
		"missing tensor": {replace(`weight() {name="embed.weight"}`, `weight() {name="lost.weight"}`),
			": tensor lost.weight is missing" + again},
		"wrong type": {replace(`name="embed.weight"} : bf16[512,64]`, `name="embed.weight"} : f16[512,64]`),
			"/model.safetensors: tensor embed.weight is bf16[512 64], but model.ir says f16[512,64]" + again},
		"wrong shape": {replace(`name="embed.weight"} : bf16[512,64]`, `name="embed.weight"} : bf16[511,64]`),
			"/model.safetensors: tensor embed.weight is bf16[512 64], but model.ir says bf16[511,64]" + again},
		"statistics": {func(dir string) {
			edit(t, filepath.Join(dir, StatsFile), func(text string) string { return text[:len(text)-4] })
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "q")
			copyTree(t, whole, dir)
			c.damage(dir)
			_, err := Open(dir, false)
			var input *InputError
			if !errors.As(err, &input) || !strings.HasSuffix(err.Error(), again) ||
				strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
			if c.want != "" {
				wantError(t, err, dir+c.want)
			}
		})
	}
}

// Facts that are gone from the meta are missed before anything is written.
func TestGraphsWithoutFacts(t *testing.T) {
	whole := quantizedCopy(t, "none")
	for _, key := range []string{"vocab_size", "layers", "context", "parameters_total", "source.config.json"} {
		problem := "meta " + key + ` is "many", want a number`
		if key == "source.config.json" {
			problem = "meta source.config.json is not a size and a SHA-256"
		}
		dir := filepath.Join(t.TempDir(), "q")
		copyTree(t, whole, dir)
		edit(t, filepath.Join(dir, GraphFile), func(text string) string {
			lines := strings.SplitAfter(text, "\n")
			for i, line := range lines {
				if strings.HasPrefix(line, `meta "`+key+`"`) {
					lines[i] = `meta "` + key + `" = "many"` + "\n"
				}
			}
			return strings.Join(lines, "")
		})
		disk := newDisk(t)
		_, err := Compile(context.Background(), disk, openModel(t, dir), "out/m.moge", Settings{Target: "cpu"})
		wantError(t, err, dir+": model.ir: "+problem+": run moge quantize again")
		wantNothing(t, key, disk)
	}
}

func TestStatisticsOfAnotherModelAreRefused(t *testing.T) {
	m, other := openModel(t, filepath.Join(families, "llama")), openModel(t, filepath.Join(families, "qwen3"))
	own, foreign := settingsFor(t, m, "w8a8", passes.Options{}), settingsFor(t, other, "w8a8", passes.Options{})
	path := filepath.Join(t.TempDir(), "foreign.stats")
	if err := os.WriteFile(path, foreign.Passes.Stats.Marshal(), 0o644); err != nil {
		t.Fatal(err)
	}
	s := own
	s.Passes.Stats, s.Calibration = nil, path
	_, err := Prepare(context.Background(), m, s)
	wantError(t, err, path+": measured on another checkpoint: calibrate this one")
	s.Passes.Stats, s.Calibration = foreign.Passes.Stats, ""
	_, err = Prepare(context.Background(), m, s)
	wantError(t, err, StatsFile+": measured on another checkpoint: calibrate this one")

	moved := *own.Passes.Stats
	moved.GateWeight = quant.GateBeforeDown
	s.Passes.Stats = &moved
	_, err = Prepare(context.Background(), m, s)
	wantError(t, err, StatsFile+": measured with the gate weight before_down, the model has it "+
		"after_down: calibrate this model again")

	good := filepath.Join(t.TempDir(), "own.stats")
	if err := os.WriteFile(good, own.Passes.Stats.Marshal(), 0o644); err != nil {
		t.Fatal(err)
	}
	s.Passes.Stats, s.Calibration = nil, good
	if !maps.Equal(compileFiles(t, m, s), compileFiles(t, m, own)) {
		t.Error("statistics from a file give other bytes than the same from memory")
	}
	edit(t, good, func(text string) string { return strings.Replace(text, "end ", "end 1", 1) })
	_, err = Prepare(context.Background(), m, s)
	var input *InputError
	if !errors.As(err, &input) || input.Path != good || input.Hint != "calibrate again" {
		t.Errorf("damaged statistics: %v", err)
	}
}

func TestChoicesThatNoModelMeets(t *testing.T) {
	m := openModel(t, filepath.Join(families, "llama"))
	for want, change := range map[string]func(*Settings){
		`unknown target "gpu": known are cpu`: func(s *Settings) { s.Target = "gpu" },
		"--max-batch-tokens is -1, it must be between 1 and 16777216": func(s *Settings) {
			s.Limits.BatchTokens = -1
		},
		"--context is 16777217, it must be between 1 and 16777216": func(s *Settings) { s.Limits.Context = 1<<24 + 1 },
		"--max-seqs 9 is more than --max-batch-tokens 8": func(s *Settings) {
			s.Limits.BatchTokens, s.Limits.Seqs = 8, 9
		},
		"--context 513 is more than the 512 positions the model was made for": func(s *Settings) { s.Limits.Context = 513 },
		"logits of 9 rows: there must be 1 to --max-batch-tokens 8 of them": func(s *Settings) {
			s.Limits.BatchTokens, s.Limits.LogitsRows = 8, 9
		},
		"a static scheme needs --calib: a text to calibrate on, or statistics measured before": func(s *Settings) {
			s.Passes.Head = schemeOf(t, "w8a8")
		},
		"--calib is given, but no chosen scheme uses it: only w8a8 does": func(s *Settings) { s.Calibration = "x" },
	} {
		s := settingsFor(t, m, "w8a16", passes.Options{})
		change(&s)
		_, err := Prepare(context.Background(), m, s)
		wantError(t, err, want)
		var usage *UsageError
		if !errors.As(err, &usage) {
			t.Errorf("%v is not a *UsageError", err)
		}
	}
}

// A resumed job whose source changed in the meantime is refused.
func TestResumeRefusesAChangedSource(t *testing.T) {
	dir := familyCopy(t, "llama")
	m := openModel(t, dir)
	s := settingsFor(t, m, "w8a16", passes.Options{})
	s.syncBytes, s.Execution.Workers = 16<<10, 1
	whole := newDisk(t)
	if _, err := Compile(context.Background(), whole, m, "out/m.moge", s); err != nil {
		t.Fatal(err)
	}
	crashed := newDisk(t)
	crashed.CrashAt(whole.Ops() - 10)
	if _, err := Compile(context.Background(), crashed, m, "out/m.moge", s); !errors.Is(err, faultfs.ErrCrash) {
		t.Fatal(err)
	}
	disk := crashed.Recover(faultfs.Keep, 1)
	s.Resume = true
	for what, change := range map[string]func(dir string){
		"a weight": func(dir string) { patch(t, dir, "model.norm.weight", 3, []byte{1}) },
		"config": func(dir string) {
			edit(t, filepath.Join(dir, "config.json"), func(text string) string { return text + "\n" })
		},
	} {
		changed := familyCopy(t, "llama")
		change(changed)
		before := disk.Snapshot("out")
		_, err := Compile(context.Background(), disk, openModel(t, changed), "out/m.moge", s)
		if !errors.Is(err, bundle.ErrChanged) {
			t.Errorf("%s changed: %v, want %v", what, err, bundle.ErrChanged)
		}
		if !maps.Equal(disk.Snapshot("out"), before) {
			t.Errorf("%s changed: the refused job changed what is there", what)
		}
	}
	if _, err := Compile(context.Background(), disk, openModel(t, familyCopy(t, "llama")), "out/m.moge",
		s); err != nil {
		t.Errorf("the same source in another place: %v", err)
	}
	if !maps.Equal(disk.Snapshot("out"), whole.Snapshot("out")) {
		t.Error("resuming gives other bytes")
	}
}
