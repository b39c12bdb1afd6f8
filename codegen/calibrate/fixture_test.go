package calibrate

import (
	"encoding/binary"
	"path/filepath"
	"testing"

	"moge/formats/hf"
	"moge/formats/models"
	"moge/formats/safetensors"
	"moge/ir"
	"moge/ir/tensor"
	"moge/passes"
	"moge/quant"
)

const testdata = "../../tests/testdata"

// checkpoint reads an open one for the runner and for the interpreter.
type checkpoint struct{ *safetensors.Checkpoint }

func (c checkpoint) ReadAt(name string, dst []byte, off int64) error {
	t, _ := c.Tensor(name)
	return c.Checkpoint.ReadAt(t, dst, off)
}

func (c checkpoint) Weight(name string) (*tensor.Tensor, error) {
	t, _ := c.Tensor(name)
	raw := make([]byte, t.Size)
	if err := c.Checkpoint.ReadAt(t, raw, 0); err != nil {
		return nil, err
	}
	return tensor.FromBytes(t.DType, t.Shape, raw)
}

// observedModel opens a model and puts observers in front of all its linears.
func observedModel(t testing.TB, dir string) (*ir.Graph, checkpoint) {
	t.Helper()
	dir = filepath.Join(testdata, dir)
	cfg, err := hf.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	c, err := safetensors.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	g, _, err := models.Build(cfg, models.FromCheckpoint(c))
	if err != nil {
		t.Fatal(err)
	}
	static, err := quant.ParseScheme("w8a8")
	if err != nil {
		t.Fatal(err)
	}
	g, err = passes.ForCalibration(g, passes.Options{Scheme: static, Head: static})
	if err != nil {
		t.Fatal(err)
	}
	return g, checkpoint{c}
}

// goldenInts reads an integer tensor of a model's golden values.
func goldenInts(t testing.TB, dir, name string) (values []int32, shape []int64) {
	t.Helper()
	c, err := safetensors.OpenFile(filepath.Join(testdata, dir, "golden", "golden.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	info, ok := c.Tensor(name)
	if !ok {
		t.Fatalf("%s has no golden %s", dir, name)
	}
	raw := make([]byte, info.Size)
	if err := c.ReadAt(info, raw, 0); err != nil {
		t.Fatal(err)
	}
	width := int(info.DType.Bytes(1))
	for ; len(raw) > 0; raw = raw[width:] {
		values = append(values, int32(binary.LittleEndian.Uint32(raw)))
	}
	return values, info.Shape
}

// goldenWindows are the sequences whose golden values are known.
func goldenWindows(t testing.TB, dir string) [][]int32 {
	t.Helper()
	ids, shape := goldenInts(t, dir, "input_ids")
	var windows [][]int32
	for ; len(ids) > 0; ids = ids[shape[1]:] {
		windows = append(windows, ids[:shape[1]])
	}
	return windows
}

// ragged are the same tokens cut into sequences of several lengths.
func ragged(windows [][]int32) [][]int32 {
	var out [][]int32
	for i, w := range windows {
		for n := 1 + i; len(w) > 0; n = n*2 + 1 {
			n = min(n, len(w))
			out, w = append(out, w[:n]), w[n:]
		}
	}
	return out
}
