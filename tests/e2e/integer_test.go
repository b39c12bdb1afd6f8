package e2e

import (
	"context"
	"slices"
	"testing"

	"moge/formats/bundle/bundlepb"
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/interp"
	"moge/ir/tensor"
	"moge/runtime/cpudevice"
	"moge/runtime/device"
	"moge/runtime/engine"
	"moge/runtime/kernels"
)

// replay follows a step of the engine op by op: what each quantized op read is given to the
// interpreter, whose integers must be the engine's, bit for bit.
type replay struct {
	t        *testing.T
	e        *engine.Engine
	program  *bundlepb.Program
	next     int            // step that the tap will report
	buffers  map[uint32]any // last result written to each buffer
	checked  map[bundlepb.OpCode]int
	sections []*bundlepb.Section
}

func TestIntegersOfEveryLinearAreTheInterpreters(t *testing.T) {
	for _, scheme := range []string{"w8a8-dynamic", "w8a8"} {
		t.Run(scheme, func(t *testing.T) {
			e := open(t, choice{dir: tiny, scheme: scheme, kv: dtype.F32})
			r := &replay{t: t, e: e, program: e.Bundle().Manifest().Programs[0], buffers: map[uint32]any{},
				checked: map[bundlepb.OpCode]int{}, sections: e.Bundle().Manifest().Ranks[0].Sections}
			r.run()
			layers := int(e.Model().Layers)
			for op, least := range map[bundlepb.OpCode]int{
				bundlepb.OpCode_QLINEAR: 4 * layers, bundlepb.OpCode_QGROUPED_LINEAR: 2 * layers,
			} {
				if r.checked[op] != least {
					t.Errorf("%d of %v were checked, want %d", r.checked[op], op, least)
				}
			}
			dynamic := r.checked[bundlepb.OpCode_QUANTIZE_DYNAMIC]
			quantized := dynamic + r.checked[bundlepb.OpCode_QUANTIZE_STATIC]
			if quantized < 5*layers {
				t.Errorf("%d quantize ops were checked", quantized)
			}
		})
	}
}

func (r *replay) run() {
	runner, err := cpudevice.Device{}.Load(r.e.Bundle(), 0, device.Options{Threads: 2, Tap: r.tap})
	if err != nil {
		r.t.Fatal(err)
	}
	defer runner.Close()
	b := device.Batch{Rows: []int32{0}}
	for i := range 40 {
		b.Tokens = append(b.Tokens, int32(300+37*i))
		b.Positions = append(b.Positions, int32(i))
		b.Sequences = append(b.Sequences, 0)
	}
	if err := runner.Run(context.Background(), b); err != nil {
		r.t.Fatal(err)
	}
}

func (r *replay) tap(site, op string, results []any) {
	s := r.program.Steps[r.next]
	r.next++
	switch s.Op {
	case bundlepb.OpCode_QUANTIZE_DYNAMIC, bundlepb.OpCode_QUANTIZE_STATIC:
		r.quantize(s, results)
	case bundlepb.OpCode_QLINEAR:
		r.linear(s, ir.OpDotI8, nil, results[0].([]float32))
	case bundlepb.OpCode_QGROUPED_LINEAR:
		r.linear(s, ir.OpGroupedDotI8, r.buffers[s.Args[1].GetBuffer()].([]int32), results[0].([]float32))
	}
	for i, result := range s.Results {
		if _, ok := result.Kind.(*bundlepb.Operand_Buffer); ok {
			r.write(result.GetBuffer(), results[i])
		}
	}
}

// write remembers a result for the buffer and for all views of it.
func (r *replay) write(buffer uint32, value any) {
	offset := r.program.Buffers[buffer].Offset
	for i, b := range r.program.Buffers {
		if b.Offset == offset {
			r.buffers[uint32(i)] = value
		}
	}
}

// quantize compares int8 rows and scales with the interpreter's on the same input.
func (r *replay) quantize(s *bundlepb.Step, results []any) {
	x := r.buffers[s.Args[0].GetBuffer()].([]float32)
	rows := int64(len(results[1].([]float32)))
	op, attrs := ir.OpQuantize, []ir.Attr(nil)
	if s.Op == bundlepb.OpCode_QUANTIZE_STATIC {
		op, attrs = ir.OpQuantizeStatic, []ir.Attr{ir.Float("amax", float32(s.Attrs[0].GetF()))}
	}
	want, err := interp.Eval(
		op,
		[]*tensor.Tensor{tensor.FromF32(x, rows, int64(len(x))/rows)},
		attrs,
		nil,
	)
	if err != nil {
		r.t.Fatal(err)
	}
	if !slices.Equal(results[0].([]int8), want[0].I8) ||
		!slices.Equal(results[1].([]float32), want[1].F32) {
		r.t.Errorf("%s: int8 activations differ from the interpreter's", s.Site)
	}
	r.checked[s.Op]++
}

// linear compares the accumulators of one op, and that its epilogue made the result of them.
func (r *replay) linear(s *bundlepb.Step, op ir.Op, offsets []int32, y []float32) {
	first := len(s.Args) - 3 // weight, scales, row sums; biases follow
	for s.Args[first].GetKind() == nil || r.sections[s.Args[first].GetSection()].Layout != "tile16x4" {
		first--
	}
	xq := r.buffers[s.Args[0].GetBuffer()].([]int8)
	xs := r.buffers[s.Args[first-1].GetBuffer()].([]float32)
	w := r.weight(s.Args[first].GetSection())
	rows := int64(len(xs))
	args := []*tensor.Tensor{tensor.FromI8(xq, rows, int64(len(xq))/rows)}
	if offsets != nil {
		args = append(args, tensor.FromI32(offsets, int64(len(offsets))))
	}
	want, err := interp.Eval(op, append(args, w), nil, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	acc := r.accumulate(s, first, xq, int(rows), offsets)
	if !slices.Equal(acc, want[0].I32) {
		r.t.Errorf("%s: int32 accumulators differ from the interpreter's", s.Site)
	}
	r.epilogue(s, first, want[0].I32, xs, offsets, y)
	r.checked[s.Op]++
}

// weight unpacks a section to a row-major tensor.
func (r *replay) weight(section uint32) *tensor.Tensor {
	s := r.sections[section]
	dims := s.Shape
	n, k := int(dims[len(dims)-2]), int(dims[len(dims)-1])
	raw, size := r.data(section), kernels.MatrixBytes(dtype.I8, n, k)
	var all []int8
	for e := 0; e < len(raw)/size; e++ {
		rows := make([]byte, n*k)
		kernels.Unpack(dtype.I8, rows, raw[e*size:(e+1)*size], n, k)
		all = append(all, kernels.Int8s(rows)...)
	}
	return tensor.FromI8(all, dims...)
}

func (r *replay) data(section uint32) []byte {
	rank, err := r.e.Bundle().Rank(0)
	if err != nil {
		r.t.Fatal(err)
	}
	return rank.Section(int(section))
}

// spans are the rows of each expert; a linear without experts has one.
func spans(offsets []int32, rows int) [][2]int {
	if offsets == nil {
		return [][2]int{{0, rows}}
	}
	var out [][2]int
	for e := range len(offsets) - 1 {
		out = append(out, [2]int{int(offsets[e]), int(offsets[e+1])})
	}
	return out
}

// accumulate runs the engine's kernel on the engine's weights, as the engine does.
func (r *replay) accumulate(s *bundlepb.Step, first int, xq []int8, rows int, offsets []int32) []int32 {
	dims := r.sections[s.Args[first].GetSection()].Shape
	n, k := int(dims[len(dims)-2]), int(dims[len(dims)-1])
	w := kernels.Int8s(r.data(s.Args[first].GetSection()))
	sums := kernels.Int32s(r.data(s.Args[first+2].GetSection()))
	tiles, out := kernels.Tiles(n), make([]int32, rows*n)
	pitch := int(device.RowPitch(dtype.I8, int64(k)))
	for e, span := range spans(offsets, rows) {
		at := e * tiles
		for row := span[0]; row < span[1]; row++ {
			x, acc := make([]int8, pitch), make([]int32, tiles*kernels.TileRows)
			copy(x, xq[row*k:(row+1)*k])
			kernels.MatMulI8(
				acc,
				x,
				pitch,
				1,
				w[at*kernels.TileBytes(dtype.I8, k):(at+tiles)*kernels.TileBytes(dtype.I8, k)],
				tiles,
				k,
				sums[at*kernels.TileRows:],
			)
			copy(out[row*n:(row+1)*n], acc)
		}
	}
	return out
}

// epilogue: (f32(acc)·ws)·xs (+ bias), each operation rounded, must be the engine's result.
func (r *replay) epilogue(
	s *bundlepb.Step,
	first int,
	acc []int32,
	xs []float32,
	offsets []int32,
	y []float32,
) {
	n := len(acc) / len(xs)
	ws := kernels.Float32s(r.data(s.Args[first+1].GetSection()))
	var bias []float32
	if len(s.Args) == first+4 {
		bias = kernels.Float32s(r.data(s.Args[first+3].GetSection()))
	}
	for e, span := range spans(offsets, len(xs)) {
		for row := span[0]; row < span[1]; row++ {
			for c := range n {
				v := float32(float32(float32(acc[row*n+c])*ws[e*n+c]) * xs[row])
				if bias != nil {
					v += bias[c]
				}
				if v != y[row*n+c] {
					r.t.Fatalf(
						"%s: row %d, column %d is %v, its accumulator gives %v",
						s.Site,
						row,
						c,
						y[row*n+c],
						v,
					)
				}
			}
		}
	}
}
