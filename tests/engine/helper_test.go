package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"moge/codegen"
	"moge/codegen/cpu"
	"moge/codegen/driver"
	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/formats/durable"
	"moge/formats/safetensors"
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/tensor"
	"moge/runtime/cpudevice"
	"moge/runtime/device"
)

// named is a set of weights: what the interpreter and the compiler read.
type named map[string]*tensor.Tensor

func (n named) Weight(name string) (*tensor.Tensor, error) {
	if t := n[name]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("there is no weight %s", name)
}

func (n named) ReadAt(name string, dst []byte, off int64) error {
	t, err := n.Weight(name)
	if err != nil {
		return err
	}
	copy(dst, t.Bytes()[off:])
	return nil
}

// random is a tensor of normal values times scale, exact in its type.
func random(r *rand.Rand, d dtype.Type, scale float64, dims ...int64) *tensor.Tensor {
	t := tensor.New(d, dims...)
	for i := range t.F32 {
		t.F32[i] = tensor.Round(d, float32(r.NormFloat64()*scale))
	}
	return t
}

// weightsOf makes random weights for a graph.
func weightsOf(r *rand.Rand, g *ir.Graph) named {
	n := named{}
	for _, node := range g.Nodes {
		if node.Op != ir.OpWeight {
			continue
		}
		dims := node.Result().Type.Shape.Ints()
		n[node.Str("name")] = random(r, node.Result().Type.DType, 1, dims...)
	}
	return n
}

// build compiles a graph whose weights are given and opens the bundle.
func build(t *testing.T, g *ir.Graph, w named, l codegen.Limits) *bundle.Bundle {
	t.Helper()
	return buildIn(t, t.TempDir(), g, w, l)
}

func buildIn(t testing.TB, dir string, g *ir.Graph, w named, l codegen.Limits) *bundle.Bundle {
	t.Helper()
	plan, err := cpu.Build(g, l)
	if err != nil {
		t.Fatal(err)
	}
	m := plan.Manifest
	m.FormatVersion, m.WriterVersion = bundle.FormatVersion, "test"
	m.Model, m.Provenance = &bundlepb.Model{Name: g.Name}, &bundlepb.Provenance{}
	out := filepath.Join(dir, "test.moge")
	job := bundle.Job{Out: out, Manifest: m}
	writer, err := bundle.Create(context.Background(), durable.OS(), job, bundle.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := codegen.Execute(context.Background(), plan, w, writer, codegen.Execution{}); err != nil {
		t.Fatal(err)
	}
	if err := writer.Finish(); err != nil {
		t.Fatal(err)
	}
	return open(t, out)
}

func open(t testing.TB, dir string) *bundle.Bundle {
	t.Helper()
	b, err := bundle.Open(dir, bundle.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func load(t *testing.T, b *bundle.Bundle, opt device.Options) device.Runner {
	t.Helper()
	r, err := cpudevice.Device{}.Load(b, 0, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// checkpoint is a folder of tests/testdata.
func checkpoint(name string) string { return filepath.Join("..", "testdata", filepath.FromSlash(name)) }

// compile makes the bundle of a checkpoint.
func compile(t *testing.T, dir string, s driver.Settings) string {
	t.Helper()
	m, err := driver.Open(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s.Target = "cpu"
	out := filepath.Join(t.TempDir(), "model.moge")
	if _, err := driver.Compile(context.Background(), durable.OS(), m, out, s); err != nil {
		t.Fatal(err)
	}
	return out
}

// golden reads the golden values of a checkpoint.
func golden(t *testing.T, dir, file string) named {
	t.Helper()
	f, err := safetensors.OpenFile(filepath.Join(dir, "golden", file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := named{}
	for _, name := range f.Names() {
		entry, _ := f.Tensor(name)
		raw := make([]byte, entry.Size)
		if err := f.ReadAt(entry, raw, 0); err != nil {
			t.Fatal(err)
		}
		n[name] = decoded(t, entry.DType, entry.Shape, raw)
	}
	return n
}

// decoded narrows i64 to i32.
func decoded(t *testing.T, d dtype.Type, shape []int64, raw []byte) *tensor.Tensor {
	t.Helper()
	if d == dtype.I64 {
		var low []byte
		for i := 0; i < len(raw); i += 8 {
			low = append(low, raw[i:i+4]...)
		}
		d, raw = dtype.I32, low
	}
	out, err := tensor.FromBytes(d, shape, raw)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// batchOf is sequences of ids [B,T] from position 0 as one ragged step with all rows wanted.
func batchOf(ids [][]int32) device.Batch {
	var b device.Batch
	for seq, list := range ids {
		for pos, id := range list {
			b.Rows = append(b.Rows, int32(len(b.Tokens)))
			b.Tokens = append(b.Tokens, id)
			b.Positions = append(b.Positions, int32(pos))
			b.Sequences = append(b.Sequences, int32(seq))
		}
	}
	return b
}

// rowsOf cuts a tensor [B,T] into its rows.
func rowsOf(ids *tensor.Tensor) [][]int32 {
	var out [][]int32
	for i := 0; i < len(ids.I32); i += ids.Last() {
		out = append(out, ids.I32[i:i+ids.Last()])
	}
	return out
}
