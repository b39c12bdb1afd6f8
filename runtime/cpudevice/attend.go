package cpudevice

import (
	"math"

	"moge/formats/bundle/bundlepb"
	"moge/ir/shape"
	"moge/runtime/kernels"
	"moge/runtime/kv"
)

// bindKVWrite: rows [heads,width] of tokens to their places in a state; padding has none.
func bindKVWrite(b *binder) func(*machine) error {
	slot, s := b.state(0)
	x := arg[float32](b, 1, 3)
	b.places(2, x.shape[0])
	b.wantShape("argument 1", x.shape[1:], shape.Make(s.Heads, s.Width))
	width := int(s.Heads * s.Width)
	return func(m *machine) error {
		return m.each(len(m.batch.Tokens), 4*width, func(t int) {
			at, seq := int(m.batch.Positions[t]), int(m.batch.Sequences[t])
			m.cache.Write(slot, seq, at, x.data[t*width:(t+1)*width])
		})
	}
}

// places checks that arguments i and i+1 are the positions and sequences of rows tokens.
func (b *binder) places(i int, rows shape.Dim) {
	b.isInput(i, "positions")
	b.isInput(i+1, "sequences")
	b.want(rows == b.tokenRows(), "%v rows, want one a token", rows)
}

// attention is a bound ATTEND. For each token and head, pages of the cache are taken in
// ascending order; each brings the running maximum and sum of the softmax up to date:
//
//	s[j] = (q·k[j]) · scale              top' = max(top, s)
//	c    = Exp(top - top')               total = total·c, y = y·c
//	e[j] = Exp(s[j] - top')              total = total + Σ e, y = y + e[j]·v[j], j ascending
//
// and in the end y = y · (1/total); every operation rounded to f32. (Milakov and
// Gimelshein, "Online normalizer calculation for softmax", 2018.) Pages begin at multiples
// of their size whatever the batch, so the result does not depend on it.
type attention struct {
	q, y         tensor[float32] // [T,heads,width] each
	keys, values int             // slots
	heads, group int             // query heads, and how many of them share a key head
	scale        float32
	window       int // positions seen at most; 0 is all
}

func bindAttend(b *binder) func(*machine) error {
	a := &attention{q: arg[float32](b, 0, 3), y: result[float32](b, 0, 3)}
	var k, v *bundlepb.State
	a.keys, k = b.state(1)
	a.values, v = b.state(2)
	b.places(3, a.q.shape[0])
	a.scale = b.float("scale", -math.MaxFloat32, math.MaxFloat32)
	a.window = int(min(b.optionalInt("window"), maxTokens))
	heads := a.q.shape[1]
	ok := heads.IsFixed() && heads.Coef > 0 && heads.Coef%k.Heads == 0 && v.Heads == k.Heads
	b.want(ok, "%v query heads, %d of keys, %d of values", heads, k.Heads, v.Heads)
	b.wantShape("argument 0", a.q.shape[2:], shape.Make(k.Width))
	b.wantShape("result 0", a.y.shape, shape.Shape{a.q.shape[0], heads, shape.Fixed(v.Width)})
	a.heads, a.group = int(heads.Coef), int(heads.Coef/k.Heads)
	b.need.group = max(b.need.group, a.group)
	return a.run
}

// run takes each token and key head as one task. Rows of padding are zeros.
func (a *attention) run(m *machine) error {
	clear(a.y.flat(m)[len(m.batch.Tokens)*a.heads*a.y.width:])
	kvHeads, work := a.heads/a.group, 0
	for _, p := range m.batch.Positions {
		work += int(p) + 1 - a.first(int(p))
	}
	work *= a.heads * (a.q.width + a.y.width)
	return m.tasks(len(m.batch.Tokens)*kvHeads, work, func(w *scratch, task int) {
		a.token(m, w, task/kvHeads, task%kvHeads)
	})
}

// first is the first position that a token at position p sees.
func (a *attention) first(p int) int {
	if a.window == 0 {
		return 0
	}
	return max(0, p-a.window+1)
}

func (a *attention) token(m *machine, w *scratch, t, kvHead int) {
	seq, last := int(m.batch.Sequences[t]), int(m.batch.Positions[t])
	first, size := a.first(last), len(w.scores)
	head := t*a.heads + kvHead*a.group // row of q and y
	for i := range a.group {
		clear(a.y.row(head + i))
		w.tops[i], w.totals[i] = float32(math.Inf(-1)), 0
	}
	for page := first / size; page <= last/size; page++ {
		keys, values := m.cache.Page(a.keys, seq, page), m.cache.Page(a.values, seq, page)
		lo, hi := max(first-page*size, 0), min(last-page*size+1, size)
		for i := range a.group {
			s := w.scores[:hi-lo]
			scores(s, a.q.row(head+i), &keys, kvHead*size+lo, a.scale)
			weigh(a.y.row(head+i), s, &w.tops[i], &w.totals[i])
			mix(a.y.row(head+i), s, &values, kvHead*size+lo)
		}
	}
	for i := range a.group {
		kernels.ScaleF32(a.y.row(head+i), a.y.row(head+i), 1/w.totals[i])
	}
}

// scores gives s[j] = q·k · scale for the rows of a page from row on.
func scores(s, q []float32, p *kv.PageView, row int, scale float32) {
	width := len(q)
	for j := range s {
		at := (row + j) * width
		switch {
		case p.F32 != nil:
			s[j] = kernels.DotF32(q, p.F32[at:at+width])
		case p.F16 != nil:
			s[j] = kernels.DotF16(q, p.F16[at:at+width])
		default:
			s[j] = kernels.DotI8F32(q, p.I8[at:at+width]) * p.Scales[row+j]
		}
	}
	kernels.ScaleF32(s, s, scale)
}

// weigh turns scores into weights relative to the largest score so far, and brings what was
// added up before to the same base.
func weigh(y, s []float32, top, total *float32) {
	largest := *top
	for _, v := range s {
		largest = max(largest, v)
	}
	if *total != 0 && largest != *top {
		c := kernels.Exp(*top - largest)
		*total *= c
		kernels.ScaleF32(y, y, c)
	}
	sum := float32(0)
	for j, v := range s {
		s[j] = kernels.Exp(v - largest)
		sum += s[j]
	}
	*top, *total = largest, *total+sum
}

// mix adds the rows of a page from row on, each times its weight.
func mix(y, weights []float32, p *kv.PageView, row int) {
	width := len(y)
	for j, e := range weights {
		at := (row + j) * width
		switch {
		case p.F32 != nil:
			kernels.AxpyF32(y, e, p.F32[at:at+width])
		case p.F16 != nil:
			kernels.AxpyF16(y, e, p.F16[at:at+width])
		default:
			kernels.AxpyI8(y, e*p.Scales[row+j], p.I8[at:at+width])
		}
	}
}
