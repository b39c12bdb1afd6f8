package cpudevice

import (
	"fmt"

	"moge/ir/dtype"
	"moge/ir/shape"
	"moge/runtime/kernels"
)

// pairs computes a whole row: y, a and b have equal lengths.
type pairs[E element] func(y, a, b []E)

func each[E element](op func(a, b E) E) pairs[E] {
	return func(y, a, b []E) {
		for i := range y {
			y[i] = op(a[i], b[i])
		}
	}
}

func total[E element](a, b E) E      { return a + b }
func difference[E element](a, b E) E { return a - b }
func product[E element](a, b E) E    { return a * b }
func quotient[E element](a, b E) E   { return a / b }

func bindAdd(b *binder) func(*machine) error {
	return pairwise(b, kernels.AddF32, each(total[int32]))
}

func bindSub(b *binder) func(*machine) error {
	return pairwise(b, each(difference[float32]), each(difference[int32]))
}

func bindMul(b *binder) func(*machine) error {
	return pairwise(b, kernels.MulF32, each(product[int32]))
}

func bindDiv(b *binder) func(*machine) error {
	run := pairwise(b, each(quotient[float32]), each(quotient[int32]))
	if b.resultType() != dtype.I32 {
		return run
	}
	divisor := arg[int32](b, 1, anyRank)
	return func(m *machine) error {
		for i, v := range divisor.flat(m) {
			if v == 0 {
				return fmt.Errorf("element %d of the divisor is 0", i)
			}
		}
		return run(m)
	}
}

func pairwise(b *binder, f pairs[float32], g pairs[int32]) func(*machine) error {
	if b.resultType() == dtype.I32 {
		return broadcast(b, g)
	}
	return broadcast(b, f)
}

// broadcast applies op to rows, after repeating the dimensions of one of either argument.
func broadcast[E element](b *binder, op pairs[E]) func(*machine) error {
	p, q, y := arg[E](b, 0, anyRank), arg[E](b, 1, anyRank), result[E](b, 0, anyRank)
	wantBroadcast(b, "argument 0", p.shape, y.shape)
	wantBroadcast(b, "argument 1", q.shape, y.shape)
	b.want(y.rows.IsFixed() || y.width > 0, "two dimensions of %v vary", y.shape)
	if p.shape.Equal(y.shape) && q.shape.Equal(y.shape) {
		return sameShape(&p, &q, &y, op)
	}
	if b.err != nil {
		return nil
	}
	return func(m *machine) error {
		atP, atQ := newWalk(m, p.shape, y.shape), newWalk(m, q.shape, y.shape)
		width := atP.width
		left, right := repeated[E](atP.repeats, width), repeated[E](atQ.repeats, width)
		for r := range int(y.rows.Eval(&m.env)) {
			op(y.data[r*width:(r+1)*width], left.of(p.data, atP.next()), right.of(q.data, atQ.next()))
		}
		return nil
	}
}

// sameShape cuts the elements into pieces without regard to rows.
func sameShape[E element](p, q, y *tensor[E], op pairs[E]) func(*machine) error {
	const piece = 4096
	x, z, out := *p, *q, *y
	return func(m *machine) error {
		n := int(out.all.Eval(&m.env))
		return m.each((n+piece-1)/piece, piece, func(i int) {
			lo, hi := i*piece, min((i+1)*piece, n)
			op(out.data[lo:hi], x.data[lo:hi], z.data[lo:hi])
		})
	}
}

func wantBroadcast(b *binder, what string, in, out shape.Shape) {
	ok := len(in) == len(out)
	for i := range in {
		ok = ok && (in[i] == out[i] || in[i] == shape.Fixed(1))
	}
	b.want(ok, "%s is %v and does not repeat to %v", what, in, out)
}

// walk gives, row by row of the result, where the row of an argument begins.
type walk struct {
	sizes, strides, index []int // of the dimensions before the last
	width                 int   // of the result's rows
	repeats               bool  // the argument's rows are of one element
	at                    int
}

func newWalk(m *machine, in, out shape.Shape) *walk {
	have, want := in.Eval(&m.env), out.Eval(&m.env)
	n := len(out) - 1
	w := &walk{sizes: make([]int, n), strides: make([]int, n), index: make([]int, n),
		width: int(want[n]), repeats: have[n] != want[n]}
	stride := int(have[n])
	for i := n - 1; i >= 0; i-- {
		w.sizes[i] = int(want[i])
		if have[i] == want[i] {
			w.strides[i] = stride
		}
		stride *= int(have[i])
	}
	return w
}

// next is the place of the row, and moves on to the one after.
func (w *walk) next() int {
	at := w.at
	for i := len(w.sizes) - 1; i >= 0; i-- {
		w.index[i]++
		w.at += w.strides[i]
		if w.index[i] < w.sizes[i] {
			break
		}
		w.at -= w.index[i] * w.strides[i]
		w.index[i] = 0
	}
	return at
}

// repeater gives rows of an argument, of their own length or one element repeated.
type repeater[E element] struct {
	row   []E // memory of a repeated element; nil when rows are whole
	width int
}

func repeated[E element](repeats bool, width int) repeater[E] {
	if !repeats {
		return repeater[E]{width: width}
	}
	return repeater[E]{make([]E, width), width}
}

func (r *repeater[E]) of(data []E, at int) []E {
	if r.row == nil {
		return data[at : at+r.width]
	}
	for i := range r.row {
		r.row[i] = data[at]
	}
	return r.row
}

// bindSiLU: x / (1 + exp(-x)).
func bindSiLU(b *binder) func(*machine) error {
	x, y := arg[float32](b, 0, anyRank), result[float32](b, 0, anyRank)
	b.wantShape("result 0", y.shape, x.shape)
	return func(m *machine) error {
		out := y.flat(m)
		for i, v := range x.flat(m) {
			out[i] = kernels.Silu(v)
		}
		return nil
	}
}

// bindSwiGLU: silu of the first half of each row times its second half.
func bindSwiGLU(b *binder) func(*machine) error {
	x, y := arg[float32](b, 0, 2), result[float32](b, 0, 2)
	wantRows(b, &x)
	half := x.width / 2
	b.want(x.width%2 == 0, "rows of %d elements have no halves", x.width)
	b.wantShape("result 0", y.shape, shape.Shape{x.shape[0], shape.Fixed(int64(half))})
	return func(m *machine) error {
		return m.each(x.count(m), 16*half, func(r int) {
			row := x.row(r)
			kernels.SwiGLU(y.row(r), row[:half], row[half:])
		})
	}
}
