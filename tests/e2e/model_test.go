package e2e

import (
	"context"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"moge/codegen/driver"
	"moge/formats/bundle/bundlepb"
	"moge/formats/durable"
	"moge/formats/safetensors"
	"moge/ir/dtype"
	"moge/quant"
	"moge/runtime/device"
	"moge/runtime/engine"
	"moge/runtime/eval"
)

const (
	testdata = "../testdata"
	tiny     = testdata + "/tiny-moge"
)

// choice is how a bundle is compiled; calibrated schemes use tiny-moge's calib.txt.
type choice struct {
	dir, scheme string
	kv          dtype.Type
	off         string // a pass to leave out
}

func (c choice) settings(t testing.TB) driver.Settings {
	t.Helper()
	scheme, err := quant.ParseScheme(c.scheme)
	if err != nil {
		t.Fatal(err)
	}
	s := driver.Settings{Target: "cpu"}
	s.Passes.Scheme, s.Passes.KV, s.Passes.MinExpertTokens = scheme, c.kv, 1
	s.Limits.BatchTokens, s.Limits.LogitsRows = 512, 512
	s.Execution.Workers = 2
	if c.off != "" {
		s.Passes.Off = []string{c.off}
	}
	if scheme.NeedsStats() {
		s.Calibration = filepath.Join(tiny, "calib.txt")
	}
	return s
}

func compile(t testing.TB, c choice, out string) {
	t.Helper()
	m, err := driver.Open(c.dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := driver.Compile(context.Background(), durable.OS(), m, out, c.settings(t)); err != nil {
		t.Fatal(err)
	}
}

// bundles compiled so far, so that tests share them.
var (
	shared     sync.Mutex
	sharedDirs = map[choice]string{}
	sharedRoot string
)

func TestMain(m *testing.M) {
	root, err := os.MkdirTemp("", "moge-e2e-")
	if err != nil {
		panic(err)
	}
	sharedRoot = root
	code := m.Run()
	os.RemoveAll(root)
	os.Exit(code)
}

// open compiles a choice unless another test did, and loads it.
func open(t testing.TB, c choice) *engine.Engine {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	dir, ok := sharedDirs[c]
	if !ok {
		dir = filepath.Join(sharedRoot, string(rune('a'+len(sharedDirs)))+".moge")
		compile(t, c, dir)
		sharedDirs[c] = dir
	}
	e, err := engine.Open(context.Background(), dir, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// golden is a file of golden values.
type golden struct {
	t *testing.T
	c *safetensors.Checkpoint
}

func openGolden(t *testing.T, path string) golden {
	t.Helper()
	c, err := safetensors.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return golden{t, c}
}

func (g golden) bytes(name string) (raw []byte, shape []int64) {
	g.t.Helper()
	t, ok := g.c.Tensor(name)
	if !ok {
		g.t.Fatalf("golden values lack %s", name)
	}
	raw = make([]byte, t.Size)
	if err := g.c.ReadAt(t, raw, 0); err != nil {
		g.t.Fatal(err)
	}
	return raw, t.Shape
}

func (g golden) floats(name string) []float32 {
	raw, _ := g.bytes(name)
	out := make([]float32, len(raw)/4)
	dtype.Decode(dtype.F32, out, raw)
	return out
}

// ids reads int64 rows [B,T].
func (g golden) ids(name string) [][]int32 {
	raw, shape := g.bytes(name)
	rows := make([][]int32, shape[0])
	for b := range rows {
		for range shape[1] {
			rows[b] = append(rows[b], int32(binary.LittleEndian.Uint64(raw)))
			raw = raw[8:]
		}
	}
	return rows
}

// ints reads int32 elements.
func (g golden) ints(name string) []int32 {
	raw, _ := g.bytes(name)
	out := make([]int32, len(raw)/4)
	for i := range out {
		out[i] = int32(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return out
}

// choices runs sequences as one batch each and gives the expert ids [layers,B,T,K].
func choices(t *testing.T, e *engine.Engine, ids [][]int32) []int32 {
	t.Helper()
	layers := int(e.Model().Layers)
	byLayer := make([][]int32, layers)
	for _, list := range ids {
		s, err := e.NewSequence()
		if err != nil {
			t.Fatal(err)
		}
		b := device.Batch{Tokens: list, Rows: []int32{0}}
		for p := range list {
			b.Positions = append(b.Positions, int32(p))
			b.Sequences = append(b.Sequences, int32(s.Slot()))
		}
		err = e.Run(context.Background(), b, func(r device.Runner) error {
			for l := range layers {
				got, err := r.Ints("experts." + string(rune('0'+l)))
				if err != nil {
					return err
				}
				byLayer[l] = append(byLayer[l], got...)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		s.Free()
	}
	var out []int32
	for _, l := range byLayer {
		out = append(out, l...)
	}
	return out
}

func sameShare(a, b []int32) float64 {
	same := 0
	for i := range a {
		if a[i] == b[i] {
			same++
		}
	}
	return float64(same) / float64(len(a))
}

// distance is the largest and the mean absolute difference.
func distance(t *testing.T, a, b []float32) (largest, mean float64) {
	t.Helper()
	if len(a) != len(b) {
		t.Fatalf("%d and %d values", len(a), len(b))
	}
	for i := range a {
		d := math.Abs(float64(a[i]) - float64(b[i]))
		largest = max(largest, d)
		mean += d / float64(len(a))
	}
	return largest, mean
}

func windows(t *testing.T, e *engine.Engine) [][]int32 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(tiny, "eval.txt"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := eval.TextWindows(e, string(text), 256)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// sections of the bundle by name.
func sections(e *engine.Engine) map[string]*bundlepb.Section {
	all := map[string]*bundlepb.Section{}
	for _, s := range e.Bundle().Manifest().Ranks[0].Sections {
		all[s.Name] = s
	}
	return all
}
