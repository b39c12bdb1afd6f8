package gate

import (
	"slices"
	"testing"

	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/interp"
	"moge/ir/tensor"
)

// evaluated is the results of an op on the interpreter.
func evaluated(t *testing.T, op ir.Op, attrs []ir.Attr, args ...*tensor.Tensor) []*tensor.Tensor {
	t.Helper()
	out, err := interp.Eval(op, args, attrs, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func matrixOf(d dtype.Type, rows, cols int) *tensor.Tensor {
	return tensor.New(d, int64(rows), int64(cols))
}

// What references want of int8 rows and of products is what the IR says of its ops, bit for bit.
func TestReferencesAreTheIR(t *testing.T) {
	const depth, cols = 80, 48
	for _, static := range []bool{false, true} {
		for _, rows := range []int{1, 2, 7} {
			r := random(9, uint64(rows))
			in := newInt8Rows(r, rows, depth, static)
			x := matrixOf(dtype.F32, rows, depth)
			copy(x.F32, in.half)
			op, attrs := ir.OpQuantize, []ir.Attr(nil)
			if static {
				op, attrs = ir.OpQuantizeStatic, []ir.Attr{ir.Float("amax", in.amax)}
			}
			rowsI8 := evaluated(t, op, attrs, x)
			if !slices.Equal(rowsI8[0].I8, in.q) || !slices.Equal(rowsI8[1].F32, in.scale) {
				t.Errorf("static %v, %d rows: integers or scales differ", static, rows)
			}
			l := newInt8Linear(r, 1, cols, depth)
			l.bias = channels(r, cols, 1)
			l.rows(in)
			got := products(l, rows)
			want := evaluated(t, ir.OpQLinear, nil, append(rowsI8, operands(l)...)...)
			if !slices.Equal(got, want[0].F32) {
				t.Errorf("static %v, %d rows: products differ", static, rows)
			}
		}
	}
}

func products(l *int8Linear, rows int) []float32 {
	var out []float32
	for row := range rows {
		for col := range l.cols {
			out = append(out, l.at(row, col))
		}
	}
	return out
}

// operands are weights, their scales and the bias.
func operands(l *int8Linear) []*tensor.Tensor {
	w := matrixOf(dtype.I8, l.cols, l.weights.set.depth)
	for row, i := range l.weights.of {
		copy(w.I8[row*l.weights.set.depth:], l.weights.set.int8Row(int(i)))
	}
	scale, bias := tensor.New(dtype.F32, int64(l.cols)), tensor.New(dtype.F32, int64(l.cols))
	copy(scale.F32, l.scale)
	copy(bias.F32, l.bias)
	return []*tensor.Tensor{w, scale, bias}
}
