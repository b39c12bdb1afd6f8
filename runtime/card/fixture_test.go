package card

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"

	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/formats/durable"
	"moge/ir/dtype"
	"moge/runtime/device"
)

// The small program of these tests: an embedding, a table of angles, a write to the cache, attention
// that sums what the cache holds, experts and logits that follow from the sum. See fake_test.go for
// what its kernels do.
const (
	vocab        = 100
	maxT, maxL   = 32, 8
	seqLimit     = 4
	contextLimit = 600
	width        = 16 // elements of a row of activations and of the cache
)

// Buffers of the program, by index.
const (
	bufTokens = iota
	bufRows
	bufPlaces
	bufPages
	bufLengths
	bufRope
	bufX
	bufOut
	bufExperts
	bufLogits
	bufWork
	bufSync
)

// rowsOf is the storage of one row for each unit of a scalar, in sixteens.
func rowsOf(s bundlepb.Scalar) *bundlepb.Dim { return &bundlepb.Dim{Coef: 16, Scalar: s, Div: 16} }

func fixed(n int64) *bundlepb.Dim { return &bundlepb.Dim{Coef: n} }

func buffers() (list []*bundlepb.Buffer, arena uint64) {
	t := func() *bundlepb.Dim { return rowsOf(bundlepb.Scalar_T) }
	l := func() *bundlepb.Dim { return rowsOf(bundlepb.Scalar_L) }
	for _, b := range []struct {
		dtype bundlepb.DType
		rows  *bundlepb.Dim
		cols  int64
	}{
		bufTokens: {bundlepb.DType_I32, t(), 8}, bufRows: {bundlepb.DType_I32, l(), 8},
		bufPlaces: {bundlepb.DType_I32, t(), 8}, bufPages: {bundlepb.DType_I32, fixed(16), 8},
		bufLengths: {bundlepb.DType_I32, fixed(16), 8}, bufRope: {bundlepb.DType_F32, t(), 8},
		bufX: {bundlepb.DType_F16, t(), width}, bufOut: {bundlepb.DType_I32, t(), 8},
		bufExperts: {bundlepb.DType_I32, t(), 8}, bufLogits: {bundlepb.DType_F32, l(), vocab + 4},
		bufWork: {bundlepb.DType_I8, fixed(3), 64}, bufSync: {bundlepb.DType_I32, fixed(1), 8},
	} {
		list = append(list, &bundlepb.Buffer{Dtype: b.dtype, Shape: []*bundlepb.Dim{b.rows, fixed(b.cols)},
			Offset: arena})
		rows := b.rows.Coef
		if b.rows.Scalar != bundlepb.Scalar_FIXED {
			rows = maxT // at least
		}
		size := uint64(bundle.DType(b.dtype).Bytes(rows * b.cols))
		arena += (size + bundle.Align - 1) / bundle.Align * bundle.Align
	}
	return list, arena
}

func onBuffer(i uint32) *bundlepb.Operand {
	return &bundlepb.Operand{Kind: &bundlepb.Operand_Buffer{Buffer: i}}
}

func onSection(i uint32) *bundlepb.Operand {
	return &bundlepb.Operand{Kind: &bundlepb.Operand_Section{Section: i}}
}

func onState(i uint32) *bundlepb.Operand {
	return &bundlepb.Operand{Kind: &bundlepb.Operand_State{State: i}}
}

func ints(name string, values ...int64) *bundlepb.Attr {
	return &bundlepb.Attr{Name: name, Value: &bundlepb.Attr_Ints{Ints: &bundlepb.Ints{Values: values}}}
}

func number(name string, v int64) *bundlepb.Attr {
	return &bundlepb.Attr{Name: name, Value: &bundlepb.Attr_I{I: v}}
}

func word(name, w string) *bundlepb.Attr {
	return &bundlepb.Attr{Name: name, Value: &bundlepb.Attr_S{S: w}}
}

const perT, perL = int64(bundlepb.Scalar_T), int64(bundlepb.Scalar_L)

// Steps of the program, by index.
const (
	stepEmbed = iota
	stepRope
	stepWrite
	stepPrefill
	stepDecode
	stepTop
	stepHead
)

func steps() []*bundlepb.Step {
	q, keys, values, pages, out := onBuffer(bufX), onState(0), onState(1), onBuffer(bufPages), onBuffer(bufOut)
	launch := func(kernel string, args []*bundlepb.Operand, attrs ...*bundlepb.Attr) *bundlepb.Step {
		return &bundlepb.Step{Op: bundlepb.OpCode_LAUNCH, Variant: kernel, Site: "at." + kernel, Args: args,
			Attrs: attrs}
	}
	return []*bundlepb.Step{
		stepEmbed: launch("embed", []*bundlepb.Operand{onBuffer(bufTokens), onSection(0), q},
			ints("tokens", 1, perT)),
		stepRope: {Op: bundlepb.OpCode_ROPE_TABLE, Site: "rope", Results: []*bundlepb.Operand{onBuffer(bufRope)},
			Attrs: []*bundlepb.Attr{number("dim", 8),
				{Name: "theta", Value: &bundlepb.Attr_F{F: 10000}}}},
		stepWrite: launch("write", []*bundlepb.Operand{q, onBuffer(bufPlaces), onBuffer(bufRope), keys, values,
			onBuffer(bufWork), onBuffer(bufSync)},
			number("five", 5), word("pages", "pages"), ints("tokens", 1, perT), ints("twice", 2, perT)),
		stepPrefill: launch("prefill", []*bundlepb.Operand{q, keys, values, pages, out}, word("each", "prefill"),
			ints("each_rows", 0, 4), ints("each_tables", 3), word("poolPages", "pages"), word("start", "start"),
			word("tokens", "count")),
		stepDecode: launch("decode", []*bundlepb.Operand{q, keys, values, pages, onBuffer(bufLengths), out},
			word("each", "decode"), word("poolPages", "pages"), word("sequences", "sequences")),
		stepTop: launch("top", []*bundlepb.Operand{out, onBuffer(bufExperts)}, ints("tokens", 1, perT)),
		stepHead: launch("head", []*bundlepb.Operand{onBuffer(bufRows), out, onBuffer(bufLogits)},
			ints("rows", 1, perL), ints("tableRows", 1, perT)),
	}
}

// kernelTable is the kernels, sorted by name.
func kernelTable() []*bundlepb.Kernel {
	const in, out, both = bundlepb.TensorRole_ROLE_IN, bundlepb.TensorRole_ROLE_OUT,
		bundlepb.TensorRole_ROLE_IN_OUT
	kernel := func(name string, scalars []string, tensors ...any) *bundlepb.Kernel {
		k := &bundlepb.Kernel{Name: name, Source: "kernels/all.cpp", Blocks: 8, Scalars: scalars}
		for i := 0; i < len(tensors); i += 2 {
			k.Tensors = append(k.Tensors, &bundlepb.KernelTensor{Name: tensors[i].(string),
				Role: tensors[i+1].(bundlepb.TensorRole)})
		}
		return k
	}
	return []*bundlepb.Kernel{
		kernel("decode", []string{"sequences", "poolPages"},
			"q", in, "keys", in, "values", in, "pages", in, "lengths", in, "out", out),
		kernel("embed", []string{"tokens"}, "ids", in, "table", in, "out", out),
		kernel("head", []string{"rows", "tableRows"}, "ids", in, "table", in, "logits", out),
		kernel("prefill", []string{"tokens", "start", "poolPages"},
			"q", in, "keys", in, "values", in, "pages", in, "out", out),
		kernel("top", []string{"tokens"}, "x", in, "ids", out),
		kernel("write", []string{"tokens", "pages", "five", "twice"},
			"x", in, "places", in, "rope", in, "keys", both, "values", both,
			"work", bundlepb.TensorRole_ROLE_SCRATCH, "sync", bundlepb.TensorRole_ROLE_ZEROED),
	}
}

// sections are the table, one that shares its bytes, and one that is copied in two pieces.
func sections() []*bundlepb.Section {
	return []*bundlepb.Section{
		{Name: "table", Dtype: bundlepb.DType_F16, Shape: []int64{vocab, width}, Layout: "row"},
		{Name: "again", Dtype: bundlepb.DType_F16, Shape: []int64{vocab, width}, Layout: "row"},
		{Name: "large", Dtype: bundlepb.DType_I8, Shape: []int64{piece + 100}, Layout: "row"},
	}
}

// content is the bytes of a section: of the table, row i begins with i + 1 as a half.
func content(section int, size int64) []byte {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i * 7 / 3)
	}
	if section < 2 {
		for i := range vocab {
			dtype.Encode(dtype.F16, data[2*width*i:][:2], []float32{float32(i + 1)})
		}
	}
	return data
}

func manifest() *bundlepb.Manifest {
	port := func(name string, b uint32) *bundlepb.Port { return &bundlepb.Port{Name: name, Buffer: b} }
	p := &bundlepb.Program{Name: bundle.StepProgram,
		Limits: &bundlepb.Limits{MaxBatchTokens: maxT, MaxSeqs: seqLimit, Context: contextLimit, MaxLogitsRows: maxL},
		States: []*bundlepb.State{
			{Name: "k", Dtype: bundlepb.DType_F16, Heads: 1, Width: width},
			{Name: "v", Dtype: bundlepb.DType_F16, Heads: 1, Width: width},
		},
		Inputs: []*bundlepb.Port{port("tokens", bufTokens), port("rows", bufRows), port("places", bufPlaces),
			port("pages", bufPages), port("lengths", bufLengths)},
		Outputs: []*bundlepb.Port{port("logits", bufLogits), port("experts.0", bufExperts), port("sums", bufOut)},
		Steps:   steps(),
	}
	p.Buffers, p.ArenaBytes = buffers()
	list := sections()
	size, err := bundle.Layout(list, []int{0, 0, 2})
	if err != nil {
		panic(err)
	}
	return &bundlepb.Manifest{FormatVersion: bundle.FormatVersion, WriterVersion: "1.0.0",
		Model:   &bundlepb.Model{Name: "sums", VocabSize: vocab, ExpertsPerToken: 2, Layers: 1},
		Targets: []string{"300i-duo"}, Programs: []*bundlepb.Program{p}, Kernels: kernelTable(),
		Ranks:      []*bundlepb.Rank{{File: bundle.RankFile(0), Size: size, Sections: list}},
		Provenance: &bundlepb.Provenance{ToolVersion: "1.0.0"},
	}
}

// written is a bundle of the manifest on disk.
func written(t testing.TB, m *bundlepb.Manifest) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "sums.moge")
	job := bundle.Job{Out: dir, Manifest: m, Files: []bundle.SmallFile{{Path: "kernels/all.cpp"}}}
	w, err := bundle.Create(context.Background(), durable.OS(), job, bundle.Options{ChunkBytes: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range w.Pending() {
		if err := w.Put(c, content(c.Section, c.Size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func opened(t testing.TB, m *bundlepb.Manifest) *bundle.Bundle {
	t.Helper()
	b, err := bundle.Open(written(t, m), bundle.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// loaded is the small program on a card in memory.
func loaded(t testing.TB, opt device.Options) (*fake, *runner) {
	t.Helper()
	c := &fake{t: t}
	r, err := New("fake", c.open).Load(opened(t, manifest()), 0, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return c, r.(*runner)
}

func truncated(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

// nan32 fills what no kernel may read.
var nan32 = math.Float32bits(float32(math.NaN()))
