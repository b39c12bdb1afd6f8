package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"moge/cmd/internal/cli"
	"moge/cmd/internal/exit"
	"moge/cmd/internal/term"
	"moge/codegen/driver"
	"moge/codegen/weights"
	"moge/ir"
	"moge/ir/dtype"
	"moge/passes"
)

// jobFlags are those of commands that run the passes.
type jobFlags struct {
	settings      driver.Settings
	out           string
	ignoreUnknown bool
	dumpIR        string
	timePasses    bool
	maxMemory     cli.Size
	times         []passTime
}

// passTime is how long a pass took.
type passTime struct {
	Pass    string  `json:"pass"`
	Seconds float64 `json:"seconds"`
}

// add declares the flags that quantize and compile have in common.
func (f *jobFlags) add(cmd *cobra.Command) {
	s, flags := &f.settings, cmd.Flags()
	flags.StringVarP(&f.out, "output", "o", "", "what to write")
	flags.Var(schemeValue{&s.Passes.Scheme}, "scheme",
		"how linears are quantized: none, w8a16, w8a8-dynamic, w8a8\n"+
			"(default none, for a card w8a8-dynamic)")
	flags.Var(overrideValue{&s.Passes.Overrides}, "override",
		"another scheme for the sites that PATTERN matches, such as 'layers.*.self_attn.*=w8a16';\n"+
			"repeatable, the last match counts")
	flags.Var(
		headValue{schemeValue{&s.Passes.Head}},
		"head",
		"how lm_head is quantized; int8 is w8a8-dynamic (default none)",
	)
	flags.Var(dtypeValue{&s.Passes.Float, []string{"f32", "f16", "bf16"}}, "float",
		"element type of weights that stay floats (default that of the checkpoint)")
	flags.StringVar(&s.Calibration, "calib", "",
		"for w8a8: a text to calibrate on, or statistics measured before")
	flags.IntVar(&s.CalibrationTokens, "calib-tokens", driver.DefaultCalibrationTokens,
		"calibrate on about this many tokens of the text")
	flags.Int64Var(&s.Passes.MinExpertTokens, "min-expert-tokens", 1,
		"an expert that calibration showed fewer tokens takes the range of all experts of its layer")
	flags.Var(passValue{&s.Passes.Off}, "pass", "leave a pass out; repeatable")
	flags.StringVar(&f.dumpIR, "dump-ir", "",
		"write the graph before and after every pass into this folder")
	flags.BoolVar(&f.timePasses, "time-passes", false, "report how long every pass took")
	flags.Var(&f.maxMemory, "max-memory",
		"bound on resident memory, mapped files included (default none)")
	flags.IntVarP(&s.Execution.Workers, "jobs", "j", 0, "worker threads (default one a core)")
	flags.BoolVar(&s.Force, "force", false, "replace the output if it exists")
	flags.BoolVar(&s.AllowNonFinite, "allow-nonfinite", false,
		"take NaN and infinite weights as they are")
	addIgnoreUnknown(cmd, &f.ignoreUnknown)
	complete(cmd, map[string][]string{"scheme": schemeWords(), "head": append(schemeWords(), "int8"),
		"float": {"f32", "f16", "bf16"}, "pass": passWords()})
	must(cmd.MarkFlagDirname("dump-ir"))
	must(cmd.MarkFlagFilename("calib"))
}

// prepare checks what flags alone can tell and completes the settings.
func (f *jobFlags) prepare(app *cli.App) error {
	s := &f.settings
	switch {
	case s.Execution.Workers < 0:
		return cli.Usage("-j is %d, it must be at least 1", s.Execution.Workers)
	case s.CalibrationTokens < 1:
		return cli.Usage("--calib-tokens is %d, it must be at least 1", s.CalibrationTokens)
	case s.Passes.MinExpertTokens < 0:
		return cli.Usage("--min-expert-tokens is %d, it must be at least 0", s.Passes.MinExpertTokens)
	case s.Execution.Workers == 0:
		s.Execution.Workers = runtime.GOMAXPROCS(0)
	}
	if f.maxMemory > 0 {
		s.Execution.MaxMemory = int64(f.maxMemory)
		debug.SetMemoryLimit(int64(f.maxMemory)) // collect garbage before the bound is met
	}
	if f.timePasses {
		s.Passes.Time = func(name string, d time.Duration) {
			f.times = append(f.times, passTime{name, d.Seconds()})
		}
	}
	if f.dumpIR != "" {
		s.Passes.Dump = f.dump
	}
	s.Progress = stages(app.Term)
	return nil
}

// units of the driver's stages that are not bytes.
var stageUnits = map[string]term.Unit{"calibrate": "layers"}

func stages(t *term.Terminal) func(stage string, done, total int64) {
	return func(stage string, done, total int64) { t.Advance(stage, stageUnits[stage], done, total) }
}

func (f *jobFlags) dump(index int, name string, g *ir.Graph) (err error) {
	if err := os.MkdirAll(f.dumpIR, 0o777); err != nil {
		return &driver.OutputError{Path: f.dumpIR, Err: err}
	}
	path := filepath.Join(f.dumpIR, fmt.Sprintf("%02d-%s.ir", index, name))
	file, err := os.Create(path)
	if err != nil {
		return &driver.OutputError{Path: path, Err: err}
	}
	err = ir.Print(file, g)
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}

// open opens the model and refuses override patterns before anything is computed.
func (f *jobFlags) open(dir string) (*driver.Model, error) {
	m, err := driver.Open(dir, f.ignoreUnknown)
	if err != nil {
		return nil, inputError(err)
	}
	if err := f.checkOverrides(m); err != nil {
		m.Close()
		return nil, exit.With(exit.Input, err)
	}
	return m, nil
}

// checkOverrides runs the passes with the user's patterns and no scheme, which leaves nothing
// to complain about but the patterns.
func (f *jobFlags) checkOverrides(m *driver.Model) error {
	if len(f.settings.Passes.Overrides) == 0 || m.Quantized {
		return nil
	}
	opt := passes.Options{Off: optionalPasses(), KV: dtype.F16}
	for _, o := range f.settings.Passes.Overrides {
		o.Scheme.Weight, o.Scheme.Activation, o.Scheme.Name = dtype.Invalid, 0, "none"
		opt.Overrides = append(opt.Overrides, o)
	}
	_, _, err := passes.Compile(m.Graph, opt)
	return err
}

// explain adds the file to an error that names a tensor only.
func explain(m *driver.Model, err error) error {
	err = withLegal(m, err)
	var bad *weights.NonFiniteError
	if errors.As(err, &bad) && m.Tensors != nil {
		if t, ok := m.Tensors.Tensor(bad.Tensor); ok {
			err = fmt.Errorf("%s: %w", filepath.Join(m.Dir, t.Shard), err)
		}
	}
	return inputError(err)
}

// reportTimes writes how long the passes took.
func (f *jobFlags) reportTimes(app *cli.App) {
	for _, t := range f.times {
		app.Term.Note("%8.3f s  %s", t.Seconds, t.Pass)
	}
}
