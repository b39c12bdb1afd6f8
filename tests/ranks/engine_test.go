package ranks

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"moge/codegen/driver"
	"moge/formats/durable"
	"moge/ir/dtype"
	"moge/ir/placement"
	"moge/passes"
	"moge/runtime/device"
	"moge/runtime/engine"
	"moge/tests/fixture"
)

// twoLayers is a checkpoint of the first two layers of tiny-moge.
func twoLayers(t *testing.T) *driver.Model {
	t.Helper()
	from, err := filepath.Abs(tinyDir)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name() == "config.json" {
			data, err := os.ReadFile(filepath.Join(from, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			data = bytes.ReplaceAll(data, []byte(allLayers), []byte(`"num_hidden_layers": 2`))
			if err := os.WriteFile(filepath.Join(dir, f.Name()), data, 0o600); err != nil {
				t.Fatal(err)
			}
		} else if err := os.Symlink(filepath.Join(from, f.Name()), filepath.Join(dir, f.Name())); err != nil {
			t.Fatal(err)
		}
	}
	m, err := driver.Open(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// opened compiles a model for a placement and opens the bundle.
func opened(t *testing.T, m *driver.Model, scheme string, p placement.Placement) *engine.Engine {
	t.Helper()
	s := driver.Settings{Target: "cpu"}
	s.Passes.Scheme, s.Passes.KV = fixture.Scheme(t, scheme), dtype.F32
	s.Passes.Placement, s.Passes.PlacementRules = p, driver.CPURules(rules.MaxPadding)
	s.Limits.BatchTokens, s.Limits.Seqs, s.Limits.Context, s.Limits.LogitsRows = 64, 4, 256, 8
	out := filepath.Join(t.TempDir(), "m.moge")
	if _, err := driver.Compile(t.Context(), durable.OS(), m, out, s); err != nil {
		t.Fatal(p, err)
	}
	e, err := engine.Open(context.Background(), out, engine.Options{})
	if err != nil {
		t.Fatal(p, err)
	}
	return e
}

// stepped is the outputs of each of the steps.
type stepped struct {
	logits  [][]float32
	experts [][]int32
}

func stepsOf(t *testing.T, e *engine.Engine) stepped {
	t.Helper()
	var out stepped
	for _, s := range steps {
		b := device.Batch{Tokens: s.tokens, Positions: s.positions, Sequences: s.sequences, Rows: s.rows}
		err := e.Run(t.Context(), b, func(r device.Runner) error {
			logits, err := r.Floats("logits")
			if err != nil {
				return err
			}
			ids, err := r.Ints("experts.1")
			out.logits, out.experts = append(out.logits, slices.Clone(logits)), append(out.experts, slices.Clone(ids))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// engineBound is the largest difference of logits that another order of the sums over ranks explains; see
// tests/e2e, where sums of other lengths and orders differ by 1.5e-5 at most.
const engineBound = 1e-4

// TestEveryPlacementOnTheEngine: ranks of one process, real slices and real collectives, give the logits
// and experts of one rank for every legal placement on 2, 4 and 8.
func TestEveryPlacementOnTheEngine(t *testing.T) {
	t.Parallel()
	m := twoLayers(t)
	single := opened(t, m, "none", placement.Single())
	want := stepsOf(t, single)
	if err := single.Close(); err != nil {
		t.Fatal(err)
	}
	whole, _, err := passes.Compile(m.Graph, passes.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var worst largest
	list := legal(t, whole)
	t.Run("all", func(t *testing.T) {
		for _, p := range list {
			t.Run(p.String(), func(t *testing.T) {
				t.Parallel() // writing bundles waits for the disk
				e := opened(t, m, "none", p)
				worst.add(want.check(t, stepsOf(t, e)))
				if err := e.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	})
	t.Logf("%d placements: logits differ by %.2g at most", len(list), worst.value)
}

// check compares with the outputs of ranks, and gives the largest difference of logits.
func (want stepped) check(t *testing.T, got stepped) float64 {
	t.Helper()
	worst := 0.0
	for i := range want.logits {
		if !slices.Equal(got.experts[i], want.experts[i]) {
			t.Errorf("step %d: other experts", i)
		}
		if len(got.logits[i]) != len(want.logits[i]) {
			t.Fatalf("step %d: %d logits, want %d", i, len(got.logits[i]), len(want.logits[i]))
		}
		d := 0.0
		for j, v := range want.logits[i] {
			d = max(d, abs(float64(v)-float64(got.logits[i][j])))
		}
		if math.IsNaN(d) || d > engineBound {
			t.Errorf("step %d: logits differ by %g", i, d)
		}
		worst = max(worst, d)
	}
	return worst
}

// largest is a maximum that several tests raise.
type largest struct {
	mu    sync.Mutex
	value float64
}

func (l *largest) add(v float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.value = max(l.value, v)
}
