package card

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"moge/ascend/cards"
	"moge/ascend/emu"
	"moge/ascend/emucard"
	"moge/codegen/driver"
	"moge/formats/bundle"
	"moge/formats/durable"
	"moge/formats/safetensors"
	"moge/formats/tokenizer"
	"moge/ir"
	"moge/ir/interp"
	"moge/ir/tensor"
	"moge/quant"
	"moge/runtime/device"
)

const tiny = "../testdata/tiny-moge"

// settings are those of a small bundle for a card.
func settings(t *testing.T, target, scheme string) driver.Settings {
	t.Helper()
	parsed, err := quant.ParseScheme(scheme)
	if err != nil {
		t.Fatal(err)
	}
	s := driver.Settings{Target: target, Planner: &cards.Planner{Product: target}}
	s.Passes.Scheme, s.Passes.MinExpertTokens = parsed, 1
	s.Limits.BatchTokens, s.Limits.LogitsRows, s.Limits.Seqs, s.Limits.Context = 256, 256, 4, 1024
	s.Execution.Workers = 2
	if parsed.NeedsStats() {
		s.Calibration = statistics(t)
	}
	cards.Settings(&s)
	return s
}

// statistics are those of tiny-moge's calib.txt, measured once for all tests.
func statistics(t *testing.T) string {
	t.Helper()
	path, err := measured()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var measured = sync.OnceValues(func() (string, error) {
	m, err := driver.Open(tiny, false)
	if err != nil {
		return "", err
	}
	defer m.Close()
	s := driver.Settings{Target: "cpu", Calibration: filepath.Join(tiny, "calib.txt")}
	if s.Passes.Scheme, err = quant.ParseScheme("w8a8"); err != nil {
		return "", err
	}
	s.Passes.MinExpertTokens, s.Execution.Workers = 1, 2
	out := filepath.Join(scratch, "calibrated.moge")
	if _, err := driver.Compile(context.Background(), durable.OS(), m, out, s); err != nil {
		return "", err
	}
	return filepath.Join(out, driver.StatsFile), nil
})

// scratch is a folder for all tests.
var scratch string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "moge-card-")
	if err != nil {
		panic(err)
	}
	scratch = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// subject is the small model for one card under one scheme.
type subject struct {
	scheme  string
	on      device.Device // that runs it
	graph   *ir.Graph     // with the card's types
	weights weights
	bundle  *bundle.Bundle
}

// compiled is the small model on an emulated card. Without a C++ compiler the test is skipped, loudly, and
// fails in CI.
func compiled(t *testing.T, target, scheme string) *subject {
	t.Helper()
	if err := emu.Available(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("SKIPPED: ", err)
	}
	return compiledFor(t, emucard.Device(), target, scheme)
}

// compiledFor is the small model on a device.
func compiledFor(t *testing.T, on device.Device, target, scheme string) *subject {
	t.Helper()
	ctx := context.Background()
	m, err := driver.Open(tiny, false)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s := settings(t, target, scheme)
	out := filepath.Join(t.TempDir(), "card.moge")
	if _, err := driver.Compile(ctx, durable.OS(), m, out, s); err != nil {
		t.Fatal(err)
	}
	c := &subject{scheme: scheme, on: on, weights: openWeights(t)}
	if c.graph, _, err = driver.Graph(ctx, m, s); err != nil {
		t.Fatal(err)
	}
	if c.bundle, err = bundle.Open(out, bundle.OpenOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.bundle.Close() })
	return c
}

// load puts the bundle on its device.
func (c *subject) load(t *testing.T, tap device.Tap) device.Runner {
	t.Helper()
	r, err := c.on.Load(c.bundle, 0, device.Options{CacheRows: 1024, Tap: tap})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// weights are those of the checkpoint, decoded once.
type weights struct {
	checkpoint *safetensors.Checkpoint
	lock       *sync.Mutex
	decoded    map[string]*tensor.Tensor
}

func openWeights(t *testing.T) weights {
	t.Helper()
	c, err := safetensors.Open(tiny)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return weights{c, new(sync.Mutex), map[string]*tensor.Tensor{}}
}

// Weight decodes a tensor of the checkpoint.
func (w weights) Weight(name string) (*tensor.Tensor, error) {
	w.lock.Lock()
	defer w.lock.Unlock()
	if t := w.decoded[name]; t != nil {
		return t, nil
	}
	t, ok := w.checkpoint.Tensor(name)
	if !ok {
		return nil, fmt.Errorf("no tensor %s", name)
	}
	raw := make([]byte, t.Size)
	if err := w.checkpoint.ReadAt(t, raw, 0); err != nil {
		return nil, err
	}
	decoded, err := tensor.FromBytes(t.DType, t.Shape, raw)
	w.decoded[name] = decoded
	return decoded, err
}

// text is the first ids of eval.txt.
func text(t *testing.T, count int) []int32 {
	t.Helper()
	tok, err := tokenizer.Load(tiny)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(tiny, "eval.txt"))
	if err != nil {
		t.Fatal(err)
	}
	ids := tok.Encode(string(raw[:8*count]), tokenizer.WithBOS)
	if len(ids) < count {
		t.Fatalf("%d ids, want %d", len(ids), count)
	}
	return ids[:count]
}

// step runs consecutive tokens of sequence 0 and returns the logits of all of them.
func step(t *testing.T, r device.Runner, ids []int32, from int) []float32 {
	t.Helper()
	var b device.Batch
	for i, id := range ids {
		b.Tokens, b.Positions = append(b.Tokens, id), append(b.Positions, int32(from+i))
		b.Sequences, b.Rows = append(b.Sequences, 0), append(b.Rows, int32(i))
	}
	if err := r.Run(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	logits, err := r.Floats("logits")
	if err != nil {
		t.Fatal(err)
	}
	wantTop(t, r, logits, len(logits)/len(ids))
	return append([]float32(nil), logits...)
}

// wantTop checks what sampling needs of the logits: the greatest of each row, equal ones by id, exactly,
// their maximum, and the sum of exponentials, whose parts and tree are in f32.
func wantTop(t *testing.T, r device.Runner, logits []float32, vocab int) {
	t.Helper()
	values, err := r.Floats("top.values")
	if err != nil {
		t.Fatal(err)
	}
	ids, err := r.Ints("top.ids")
	if err != nil {
		t.Fatal(err)
	}
	stats, err := r.Floats("top.stats")
	if err != nil {
		t.Fatal(err)
	}
	rows := len(logits) / vocab
	count, width := len(ids)/rows, len(stats)/rows
	for row := range rows {
		x := logits[row*vocab:][:vocab]
		order := make([]int, vocab)
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(x[b], x[a]) })
		sum := 0.0
		for _, v := range x {
			sum += math.Exp(float64(v) - float64(x[order[0]]))
		}
		if got := stats[row*width:][:2]; got[0] != x[order[0]] ||
			math.Abs(float64(got[1])-sum) > sum*64/(1<<24) {
			t.Fatalf("row %d: maximum and sum are %v, want %v and %v", row, got, x[order[0]], sum)
		}
		for i := range count {
			if at := row*count + i; int(ids[at]) != order[i] || values[at] != x[order[i]] {
				t.Fatalf(
					"row %d: place %d is %d of %v, want %d of %v",
					row,
					i,
					ids[at],
					values[at],
					order[i],
					x[order[i]],
				)
			}
		}
	}
}

// inputs is one sequence in one step of the interpreter.
func inputs(ids []int32) interp.Inputs {
	in := interp.Inputs{Tokens: ids}
	for i := range ids {
		in.Positions, in.Rows = append(in.Positions, int32(i)), append(in.Rows, int32(i))
		in.Sequences = append(in.Sequences, 0)
	}
	return in
}
