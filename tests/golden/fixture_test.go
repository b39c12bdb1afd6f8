package golden

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"testing"

	"moge/formats/hf"
	"moge/formats/models"
	"moge/formats/safetensors"
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/interp"
	"moge/ir/tensor"
)

const testdata = "../testdata"

// fixtures are the checkpoints with golden values, by folder.
var fixtures = []string{"families/pangu_pro_moe", "families/qwen3_moe", "families/mixtral",
	"families/llama", "families/qwen3", "tiny-moge"}

// fixture is a checkpoint, its model, and the golden values.
type fixture struct {
	dir     string
	graph   *ir.Graph
	weights weights
	ids     [][]int32 // [B,T]
	logits  []float32 // [B,T,V]
	experts []int32   // [layers,B,T,K]; nil where the file has none
	greedy  []int32   // nil where the file has none
}

// weights decodes tensors when they are first asked for.
type weights struct {
	checkpoint *safetensors.Checkpoint
	decoded    map[string]*tensor.Tensor
}

func (w weights) Weight(name string) (*tensor.Tensor, error) {
	if t := w.decoded[name]; t != nil {
		return t, nil
	}
	t, ok := w.checkpoint.Tensor(name)
	if !ok {
		return nil, fmt.Errorf("no such tensor")
	}
	raw := make([]byte, t.Size)
	if err := w.checkpoint.ReadAt(t, raw, 0); err != nil {
		return nil, err
	}
	decoded, err := tensor.FromBytes(t.DType, t.Shape, raw)
	w.decoded[name] = decoded
	return decoded, err
}

func open(t *testing.T, folder string) *fixture {
	t.Helper()
	f := &fixture{dir: filepath.Join(testdata, folder)}
	cfg, err := hf.Load(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	c, err := safetensors.Open(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() }) // read only
	f.weights = weights{c, map[string]*tensor.Tensor{}}
	if f.graph, _, err = models.Build(cfg, models.FromCheckpoint(c)); err != nil {
		t.Fatal(err)
	}
	f.readGolden(t)
	return f
}

func (f *fixture) readGolden(t *testing.T) {
	t.Helper()
	c, err := safetensors.OpenFile(filepath.Join(f.dir, "golden", "golden.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ids, shape := readInts(t, c, "input_ids")
	for b := range int(shape[0]) {
		f.ids = append(f.ids, ids[b*int(shape[1]):(b+1)*int(shape[1])])
	}
	raw, info := readRaw(t, c, "logits")
	f.logits = make([]float32, info.Elements())
	dtype.Decode(info.DType, f.logits, raw)
	if _, ok := c.Tensor("expert_ids"); ok {
		f.experts, _ = readInts(t, c, "expert_ids")
	}
	if _, ok := c.Tensor("greedy"); ok {
		f.greedy, _ = readInts(t, c, "greedy")
	}
}

func readRaw(t *testing.T, c *safetensors.Checkpoint, name string) ([]byte, safetensors.Tensor) {
	t.Helper()
	info, ok := c.Tensor(name)
	if !ok {
		t.Fatalf("no golden value %s", name)
	}
	raw := make([]byte, info.Size)
	if err := c.ReadAt(info, raw, 0); err != nil {
		t.Fatal(err)
	}
	return raw, info
}

// readInts reads i32 or i64 ids.
func readInts(t *testing.T, c *safetensors.Checkpoint, name string) ([]int32, []int64) {
	t.Helper()
	raw, info := readRaw(t, c, name)
	width := int(info.DType.Bytes(1))
	ids := make([]int32, info.Elements())
	for i := range ids {
		ids[i] = int32(binary.LittleEndian.Uint32(raw[i*width:])) // ids fit the low half of i64
	}
	return ids, info.Shape
}

// batch is the golden ids as one ragged step with all logits wanted.
func (f *fixture) batch() interp.Inputs {
	in := interp.Inputs{}
	for b, row := range f.ids {
		for i, id := range row {
			in.Rows = append(in.Rows, int32(len(in.Tokens)))
			in.Tokens = append(in.Tokens, id)
			in.Positions = append(in.Positions, int32(i))
			in.Sequences = append(in.Sequences, int32(b))
		}
	}
	return in
}

// run executes a graph over the golden ids.
func (f *fixture) run(t *testing.T, g *ir.Graph, w interp.Weights) map[string]*tensor.Tensor {
	t.Helper()
	out, err := interp.Run(g, f.batch(), nil, w, interp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
