package driver

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"moge/codegen"
	"moge/formats/bundle"
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/placement"
	"moge/passes"
	"moge/quant"
	"moge/runtime/kernels"
)

// Settings are the choices of one job.
type Settings struct {
	// Passes choose schemes, element types and passes; Stats is filled from Calibration.
	Passes passes.Options
	// Limits are completed by DefaultLimits where they are zero.
	Limits codegen.Limits
	Target string
	// Planner plans for Target if that is not the CPU.
	Planner Planner

	// Calibration is the path of a text to calibrate on now, or of statistics measured
	// before; empty for none. At most CalibrationTokens of a text are used, 0 for the default.
	Calibration       string
	CalibrationTokens int

	// What follows does not change the bytes.
	Execution      codegen.Execution
	Resume, Force  bool
	AllowNonFinite bool // take infinities and NaNs as they are
	// Progress hears of each stage ("hash", "calibrate", "write"); it may be nil, and must
	// be safe to call from several goroutines.
	Progress func(stage string, done, total int64)

	syncBytes int64 // how much may wait for its sync; 0 is the bundle writer's choice
}

// Planner plans for another machine than the CPU.
type Planner interface {
	// Plan plans a graph after all passes. The manifest has targets, programs, ranks and kernels;
	// the files are what the bundle needs beside it.
	Plan(ctx context.Context, g *ir.Graph, l codegen.Limits) (*codegen.Plan, []bundle.SmallFile, error)
}

// Targets lists what a plan can be made for without a Planner.
func Targets() []string { return []string{"cpu"} }

// MaxPadding is the share of zeros that parts of a dimension are padded with before a placement is
// refused, unless told otherwise: that of 1344 over 8 ranks, in whole blocks of 32.
const MaxPadding = 0.15

// CPURules are what local ranks ask of a placement: parts of the vocabulary are whole tiles.
func CPURules(maxPadding float64) placement.Rules {
	return placement.Rules{Align: 1, VocabAlign: kernels.TileRows, MaxPadding: maxPadding}
}

// DefaultLimits completes limits for a model of the given context: 512 tokens and 16
// sequences a step, 4096 positions if the model has as many, logits of 64 rows.
func DefaultLimits(l codegen.Limits, context int64) codegen.Limits {
	orElse := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	orElse(&l.BatchTokens, 512)
	orElse(&l.Seqs, min(16, l.BatchTokens))
	orElse(&l.Context, min(4096, context))
	orElse(&l.LogitsRows, min(l.BatchTokens, max(64, l.Seqs)))
	return l
}

// maxLimit bounds each limit, so that products of them stay inside an int64.
const maxLimit = 1 << 24

func checkLimits(l codegen.Limits, context int64) error {
	for _, c := range []struct {
		flag string
		v    int64
	}{{"--max-batch-tokens", l.BatchTokens}, {"--max-seqs", l.Seqs}, {"--context", l.Context}} {
		if c.v < 1 || c.v > maxLimit {
			return &UsageError{fmt.Sprintf("%s is %d, it must be between 1 and %d", c.flag, c.v, maxLimit)}
		}
	}
	if l.Seqs > l.BatchTokens {
		return &UsageError{fmt.Sprintf("--max-seqs %d is more than --max-batch-tokens %d", l.Seqs, l.BatchTokens)}
	}
	if l.LogitsRows < 1 || l.LogitsRows > l.BatchTokens {
		return &UsageError{fmt.Sprintf("logits of %d rows: there must be 1 to --max-batch-tokens %d of them",
			l.LogitsRows, l.BatchTokens)}
	}
	if l.Context > context {
		return &UsageError{fmt.Sprintf("--context %d is more than the %d positions the model was made for",
			l.Context, context)}
	}
	return nil
}

// UsageError is a choice that cannot be met, whatever the input.
type UsageError struct{ Reason string }

// Error is the reason.
func (e *UsageError) Error() string { return e.Reason }

func (s *Settings) stage(name string) func(done, total int64) {
	if s.Progress == nil {
		return nil
	}
	return func(done, total int64) { s.Progress(name, done, total) }
}

// record writes the choices that determine the quantized graph into its meta.
func (s *Settings) record(g *ir.Graph) {
	p := s.Passes
	set := func(key, value string) {
		if value != "" {
			g.SetMeta(configPrefix+key, value)
		}
	}
	set("scheme", schemeName(p.Scheme))
	set("head", schemeName(p.Head))
	var overrides []string
	for _, o := range p.Overrides {
		overrides = append(overrides, o.Pattern+"="+o.Scheme.Name)
	}
	set("overrides", strings.Join(overrides, " "))
	if p.Float != dtype.Invalid {
		set("float", p.Float.String())
	}
	off := slices.Clone(p.Off)
	slices.Sort(off)
	set("passes_off", strings.Join(slices.Compact(off), " "))
	if p.Stats != nil {
		set("min_expert_tokens", strconv.FormatInt(p.MinExpertTokens, 10))
	}
}

func schemeName(s quant.Scheme) string {
	if s.Name == "" {
		return "none"
	}
	return s.Name
}

// needsStats reports whether any chosen scheme reads calibration statistics.
func (s *Settings) needsStats() bool {
	need := s.Passes.Scheme.NeedsStats() || s.Passes.Head.NeedsStats()
	for _, o := range s.Passes.Overrides {
		need = need || o.Scheme.NeedsStats()
	}
	return need
}

// checkTarget refuses targets that no plan can be made for.
func (s *Settings) checkTarget() error {
	if s.Planner == nil && !slices.Contains(Targets(), s.Target) {
		return &UsageError{fmt.Sprintf("unknown target %q: known are %s", s.Target, strings.Join(Targets(), ", "))}
	}
	return nil
}

// check refuses choices that do not fit the model before any work is done.
func (s *Settings) check(m *Model) error {
	if m.Quantized {
		return s.checkQuantized()
	}
	if s.needsStats() && s.Calibration == "" && s.Passes.Stats == nil {
		return &UsageError{"a static scheme needs --calib: a text to calibrate on, or statistics measured before"}
	}
	if !s.needsStats() && s.Calibration != "" {
		return &UsageError{"--calib is given, but no chosen scheme uses it: only w8a8 does"}
	}
	return nil
}

// beforeRanks reports whether a pass belongs to what quantize has done.
func beforeRanks(name string) bool { return slices.Contains(optional(), name) }

// checkQuantized refuses what was decided when the directory was quantized.
func (s *Settings) checkQuantized() error {
	p := s.Passes
	if p.Scheme.Quantized() || p.Head.Quantized() || len(p.Overrides) > 0 || p.Float != dtype.Invalid ||
		s.Calibration != "" || slices.ContainsFunc(p.Off, beforeRanks) {
		return &UsageError{"the directory is quantized already: schemes, overrides, --float, --calib and --pass " +
			"belong to the step that quantized it"}
	}
	return nil
}
