package ranks

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/formats/durable"
	"moge/ir/dtype"
	"moge/ir/shape"
	"moge/runtime/cpudevice"
	"moge/runtime/device"
	"moge/runtime/kernels"
)

// writer makes a bundle by hand: one program for all ranks, and sections that differ from rank to rank.
type writer struct {
	t        testing.TB
	ranks    int
	dp, tp   int
	program  *bundlepb.Program
	sections []*bundlepb.Section
	content  []func(rank int) []byte
	manifest *bundlepb.Manifest
}

func newWriter(t testing.TB, dp, tp int) *writer {
	w := &writer{t: t, ranks: dp * tp, dp: dp, tp: tp}
	w.program = &bundlepb.Program{Name: bundle.StepProgram,
		Limits: &bundlepb.Limits{MaxBatchTokens: 12, MaxSeqs: 5, Context: 40, MaxLogitsRows: 6}}
	w.manifest = &bundlepb.Manifest{FormatVersion: bundle.FormatVersion, WriterVersion: "test",
		Model: &bundlepb.Model{Name: "test", VocabSize: vocabulary}, Targets: []string{"cpu"},
		Programs: []*bundlepb.Program{w.program}, Provenance: &bundlepb.Provenance{}}
	if w.ranks > 1 {
		w.manifest.Placement = &bundlepb.Placement{Devices: uint32(w.ranks),
			Attention: &bundlepb.Degrees{Dp: uint32(dp), Tp: uint32(tp)}}
	}
	return w
}

// rows is c · ceil(T/tp): tp of them are a group's rows, 1 a shard, as many as ranks the world.
func (w *writer) rows(c int) shape.Dim {
	return shape.Dim{Coef: int64(c), Scalar: shape.T, Div: int64(w.tp)}
}

// value is a buffer or state of the program.
type value struct {
	operand *bundlepb.Operand
	shape   shape.Shape
}

func (w *writer) buffer(d dtype.Type, dims ...shape.Dim) value {
	return w.at(w.program.ArenaBytes, d, dims)
}

// at is a buffer at a place of the arena, which grows to hold it.
func (w *writer) at(offset uint64, d dtype.Type, s shape.Shape) value {
	b := &bundlepb.Buffer{Dtype: bundlepb.DType(d), Offset: offset}
	most := shape.Env{shape.T: w.program.Limits.MaxBatchTokens, shape.L: w.program.Limits.MaxLogitsRows}
	for _, dim := range s {
		b.Shape = append(
			b.Shape,
			&bundlepb.Dim{Coef: dim.Coef, Scalar: bundlepb.Scalar(dim.Scalar), Div: dim.Div},
		)
	}
	end := offset + uint64(device.BufferBytes(d, s.Eval(&most)))
	w.program.ArenaBytes = max(w.program.ArenaBytes, (end+63)/64*64)
	w.program.Buffers = append(w.program.Buffers, b)
	i := uint32(len(w.program.Buffers) - 1)
	return value{&bundlepb.Operand{Kind: &bundlepb.Operand_Buffer{Buffer: i}}, s}
}

// view sees the bytes of a buffer in another shape.
func (w *writer) view(v value, s ...shape.Dim) value {
	b := w.program.Buffers[v.operand.GetBuffer()]
	return w.at(b.Offset, dtype.Type(b.Dtype), s)
}

func (w *writer) input(name string, rows shape.Dim) value {
	v := w.buffer(dtype.I32, rows)
	w.program.Inputs = append(w.program.Inputs, &bundlepb.Port{Name: name, Buffer: v.operand.GetBuffer()})
	return v
}

func (w *writer) output(name string, v value) {
	w.program.Outputs = append(
		w.program.Outputs,
		&bundlepb.Port{Name: name, Buffer: v.operand.GetBuffer()},
	)
}

func (w *writer) state(name string, heads, width int64) value {
	w.program.States = append(w.program.States,
		&bundlepb.State{Name: name, Dtype: bundlepb.DType_F32, Heads: heads, Width: width})
	return value{operand: &bundlepb.Operand{
		Kind: &bundlepb.Operand_State{State: uint32(len(w.program.States) - 1)}}}
}

// floats is a section row by row, or in tiles, of values that may depend on the rank.
func (w *writer) floats(name, layout string, rows, cols int, at func(rank, i, j int) float32) value {
	w.sections = append(
		w.sections,
		&bundlepb.Section{Name: name, Dtype: bundlepb.DType_F32, Layout: layout,
			Shape: []int64{int64(rows), int64(cols)}},
	)
	w.content = append(w.content, func(rank int) []byte {
		all := make([]float32, rows*cols)
		for i := range all {
			all[i] = at(rank, i/cols, i%cols)
		}
		flat := kernels.Bytes(all)
		if layout == "row" {
			return flat
		}
		tiles := make([]byte, kernels.MatrixBytes(dtype.F32, rows, cols))
		kernels.Pack(dtype.F32, tiles, flat, rows, cols)
		return tiles
	})
	i := uint32(len(w.sections) - 1)
	return value{operand: &bundlepb.Operand{Kind: &bundlepb.Operand_Section{Section: i}}}
}

// section finds one by name.
func (w *writer) section(name string) value {
	i := slices.IndexFunc(w.sections, func(s *bundlepb.Section) bool { return s.Name == name })
	return value{operand: &bundlepb.Operand{Kind: &bundlepb.Operand_Section{Section: uint32(i)}}}
}

// step adds a step; attributes are pairs of names and values.
func (w *writer) step(op bundlepb.OpCode, args []value, results []value, attrs ...any) {
	s := &bundlepb.Step{Op: op, Site: strings.ToLower(op.String())}
	for _, a := range args {
		s.Args = append(s.Args, a.operand)
	}
	for _, r := range results {
		s.Results = append(s.Results, r.operand)
	}
	for i := 0; i < len(attrs); i += 2 {
		a := &bundlepb.Attr{Name: attrs[i].(string)}
		switch v := attrs[i+1].(type) {
		case int:
			a.Value = &bundlepb.Attr_I{I: int64(v)}
		case float64:
			a.Value = &bundlepb.Attr_F{F: v}
		case string:
			a.Value = &bundlepb.Attr_S{S: v}
		}
		s.Attrs = append(s.Attrs, a)
	}
	slices.SortFunc(s.Attrs, func(a, b *bundlepb.Attr) int { return strings.Compare(a.Name, b.Name) })
	w.program.Steps = append(w.program.Steps, s)
}

// open writes the bundle and opens it.
func (w *writer) open() *bundle.Bundle {
	w.t.Helper()
	b, err := bundle.Open(w.write(), bundle.OpenOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { b.Close() })
	return b
}

func (w *writer) write() string {
	w.t.Helper()
	size, err := bundle.Layout(w.sections, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for r := range w.ranks {
		sections := make([]*bundlepb.Section, len(w.sections))
		for i, s := range w.sections {
			sections[i] = &bundlepb.Section{Name: s.Name, Dtype: s.Dtype, Shape: s.Shape, Layout: s.Layout,
				Offset: s.Offset, Size: s.Size}
		}
		w.manifest.Ranks = append(
			w.manifest.Ranks,
			&bundlepb.Rank{Index: uint32(r), File: bundle.RankFile(r),
				Size: size, Sections: sections},
		)
	}
	job := bundle.Job{Out: filepath.Join(w.t.TempDir(), "test.moge"), Manifest: w.manifest}
	out, err := bundle.Create(context.Background(), durable.OS(), job, bundle.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range out.Pending() {
		if err := out.Put(c, w.content[c.Section](c.Rank)[c.Offset:][:c.Size]); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := out.Finish(); err != nil {
		w.t.Fatal(err)
	}
	return job.Out
}

// load loads all ranks of a bundle.
func load(t testing.TB, b *bundle.Bundle, inner device.Device, opt device.Options) device.Runner {
	t.Helper()
	if inner == nil {
		inner = cpudevice.Device{}
	}
	r, err := New(inner).Load(b, 0, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// feed is a batch of tokens for sequences, in the order given, at the positions that follow what the
// runner holds, with logits of the last token of each.
func feed(r device.Runner, sequences []int32, token func(t int) int32) device.Batch {
	b := device.Batch{Sequences: sequences}
	length, last := map[int32]int{}, map[int32]int32{}
	for t, q := range sequences {
		if _, ok := length[q]; !ok {
			length[q] = r.Length(int(q))
		}
		b.Positions = append(b.Positions, int32(length[q]))
		b.Tokens = append(b.Tokens, token(t))
		length[q]++
		last[q] = int32(t)
	}
	for _, t := range last {
		b.Rows = append(b.Rows, t)
	}
	slices.Sort(b.Rows)
	return b
}
