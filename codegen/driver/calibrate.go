package driver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"moge/codegen/calibrate"
	"moge/ir"
	"moge/ir/dtype"
	"moge/passes"
	"moge/quant"
	"moge/runtime/eval"
)

const (
	// DefaultCalibrationTokens is how much of a text is used unless told otherwise: ranges of
	// activations settle within a few thousand tokens.
	DefaultCalibrationTokens = 8192
	calibrationWindow        = 256     // tokens of one sequence, as perplexity is measured
	maxCalibration           = 1 << 28 // bytes of a text or of statistics
)

// calibrate fills Passes.Stats from the file that Calibration names, and records its digest
// in the meta of g.
func (s *Settings) calibrate(ctx context.Context, m *Model, g *ir.Graph) error {
	if s.Calibration == "" && s.Passes.Stats == nil {
		return nil
	}
	stats := s.Passes.Stats
	if stats == nil {
		var err error
		if stats, err = s.statistics(ctx, m); err != nil {
			return err
		}
	}
	origin := s.Calibration
	if origin == "" {
		origin = StatsFile
	}
	if want := meta(m.Graph, "gate_weight"); string(stats.GateWeight) != want {
		return &InputError{origin, fmt.Sprintf("measured with the gate weight %s, the model has it %s",
			stats.GateWeight, want),
			"calibrate this model again"}
	}
	if want := m.identity(); stats.Source != want {
		return &InputError{origin, "measured on another checkpoint", "calibrate this one"}
	}
	s.Passes.Stats = stats
	sum := sha256.Sum256(stats.Marshal())
	g.SetMeta(calibrationKey, hex.EncodeToString(sum[:]))
	return nil
}

// statistics reads them, or measures them when the file is a text.
func (s *Settings) statistics(ctx context.Context, m *Model) (*quant.Stats, error) {
	data, err := readBounded(s.Calibration, maxCalibration)
	if err != nil {
		return nil, err
	}
	if quant.IsStats(data) {
		stats, err := quant.ParseStats(data)
		if err != nil {
			return nil, &InputError{s.Calibration, err.Error(), "calibrate again"}
		}
		return stats, nil
	}
	return Calibrate(ctx, m, s.Calibration, string(data), *s)
}

func readBounded(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, &InputError{path, reason(err), "give a readable file"}
	}
	if info.Size() > most {
		return nil, &InputError{path, fmt.Sprintf("%d bytes, at most %d are read", info.Size(), most), ""}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, &InputError{path, reason(err), "give a readable file"}
	}
	return data, nil
}

// reason is the cause of a path error without the path.
func reason(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// Calibrate measures the inputs of every linear that the settings quantize, on the first
// tokens of a text; path is its name in errors.
func Calibrate(ctx context.Context, m *Model, path, text string, s Settings) (*quant.Stats, error) {
	if m.Tokenizer == nil {
		return nil, &InputError{m.Dir, "the checkpoint has no tokenizer.model to read " + path + " with",
			"add it, or give statistics measured elsewhere"}
	}
	tokens := s.CalibrationTokens
	if tokens == 0 {
		tokens = DefaultCalibrationTokens
	}
	windows := clipWindows(eval.Windows(text, m.Tokenizer, m.Config.BOS, m.Config.EOS, calibrationWindow),
		tokens)
	if len(windows) == 0 {
		return nil, &InputError{path, "no text to calibrate on", "give some passages of ordinary text"}
	}
	float := s.Passes
	float.KV = dtype.Invalid // what is measured must not depend on how the cache will be stored
	g, err := passes.ForCalibration(m.Graph, float)
	if err != nil {
		return nil, err
	}
	p := Prepared{model: m, settings: s}
	sites, err := calibrate.Run(ctx, g, p.source(), windows,
		calibrate.Options{Workers: s.Execution.Workers, MaxMemory: s.Execution.MaxMemory,
			Progress: s.stage("calibrate")})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(text))
	stats := &quant.Stats{Source: m.identity(), Calibration: "sha256:" + hex.EncodeToString(sum[:]),
		GateWeight: quant.GateWeight(meta(m.Graph, "gate_weight"))}
	for _, w := range windows {
		stats.Tokens += int64(len(w))
	}
	for _, site := range sites {
		if err := stats.Add(site); err != nil {
			return nil, err
		}
	}
	return stats, nil
}

// identity tells checkpoints apart by their headers, which costs no reading.
func (m *Model) identity() string {
	sum := m.Tensors.HeaderDigest()
	return "header-sha256:" + hex.EncodeToString(sum[:])
}

// clipWindows keeps whole windows up to about the given number of tokens, at least one.
func clipWindows(windows [][]int32, tokens int) [][]int32 {
	used := 0
	for i, w := range windows {
		if used += len(w); used >= tokens {
			return windows[:i+1]
		}
	}
	return windows
}
