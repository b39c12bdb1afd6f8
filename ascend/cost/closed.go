package cost

import (
	"math"

	"moge/ir/dtype"
	"moge/ir/placement"
)

// Ops appends the ops of a step on the busiest rank of a placement to list: closed form, the same ops
// that Walk reads from the compiled graph. Rows travel as halves.
func (m *Model) Ops(list []Op, p placement.Placement, s Step, schedule Schedule) []Op {
	w := &writer{m: m, layout: s.over(p, schedule), ops: list}
	w.once(embedding("embed", w.shard, m.Hidden))
	w.repeat = m.Layers
	w.norms("layers.N.input_norm", 1)
	w.attention()
	w.norms("layers.N.post_norm", 0)
	if w.repeat = m.DenseLayers; w.repeat > 0 {
		w.dense()
	}
	if w.repeat = m.Layers - m.DenseLayers; w.repeat > 0 {
		w.from = m.DenseLayers // layers without experts come first
		w.experts()
	}
	w.tail()
	return w.ops
}

// writer appends the ops of one layer, each as often as there are such layers.
type writer struct {
	m *Model
	layout
	repeat int64 // layers
	from   int64 // the first of them
	ops    []Op
}

func (w *writer) put(o Op) {
	o.Repeat, o.From = w.repeat, w.from
	w.ops = append(w.ops, o)
}

func (w *writer) once(o Op) {
	o.Repeat = 1
	w.ops = append(w.ops, o)
}

// norms are those of all layers, of which some have nothing to add.
func (w *writer) norms(site string, plain int64) {
	if plain > 0 {
		w.once(norm(site, w.shard, w.m.Hidden, false))
	}
	if w.repeat > plain {
		o := norm(site, w.shard, w.m.Hidden, true)
		o.Repeat, o.From = w.repeat-plain, plain
		w.ops = append(w.ops, o)
	}
}

// travel is a collective of rows of the model's width.
func (w *writer) travel(kind Kind, site string, g placement.Group, rows int64) {
	if g.Size > 1 {
		w.put(collective(kind, site, g, rows, w.m.Hidden, half))
	}
}

func (w *writer) linear(site string, rows, n, k int64, bias bool) {
	w.put(product(site, rows, n, k, w.m.Weights, bias))
}

func (w *writer) quantize(site string, rows, width int64) {
	if w.m.Weights == dtype.I8 {
		w.put(quantize(site, rows, width))
	}
}

func (w *writer) attention() {
	const site = "layers.N.self_attn"
	m, tp := w.m, int64(w.p.Attn.TP)
	q, kv := m.Heads/tp, m.KVHeads/tp
	group := w.p.Attn.ModelGroup()
	w.enter("layers.N.input_norm", group)
	w.quantize(site+".q+k+v", w.local, m.Hidden)
	w.linear(site+".q+k+v", w.local, (q+2*kv)*m.HeadDim, m.Hidden, m.QKVBias)
	if m.HeadNorm {
		w.put(norm(site+".q_norm", w.local*q, m.HeadDim, false))
		w.put(norm(site+".k_norm", w.local*kv, m.HeadDim, false))
	}
	w.put(rotary(site+".q", w.local, q, m.HeadDim, true))
	w.put(rotary(site+".k", w.local, kv, m.HeadDim, false))
	w.put(cacheWrite(site+".k", w.local, kv, m.HeadDim, m.Cached))
	w.put(cacheWrite(site+".v", w.local, kv, m.HeadDim, m.Cached))
	w.put(attention(site, attended{w.sequences, w.s.Fresh, w.s.Context, q, kv, m.HeadDim, m.Cached}))
	w.quantize(site+".o", w.local, q*m.HeadDim)
	w.linear(site+".o", w.local, m.Hidden, q*m.HeadDim, m.OutBias)
	w.leave(site+".o", group)
}

// enter gathers the rows that a block needs; when sums are whole on each rank, those of other groups of
// attention alone.
func (w *writer) enter(site string, g placement.Group) {
	if w.schedule == Reduced {
		tp := w.p.Attn.TP
		if g.Size <= tp {
			return
		}
		g = placement.Group{Size: g.Size / tp, Stride: tp}
	}
	w.travel(AllGather, site, g, int64(g.Size)*w.shard)
}

// leave sums what the ranks of a block have.
func (w *writer) leave(site string, g placement.Group) {
	if w.schedule == Reduced {
		w.travel(AllReduce, site, g, w.gathered(placement.Degrees{DP: 1, EP: 1, TP: g.Size}))
		return
	}
	w.travel(ReduceScatter, site, g, int64(g.Size)*w.shard)
}

// padded is a rank's part of a width.
func padded(width int64, ways int) int64 {
	if ways == 1 {
		return width
	}
	_, n := placement.Block(int(width), ways, widthAlign)
	return int64(n)
}

func (w *writer) mlp(site string, rows, width int64) {
	w.linear(site+".gate+up", rows, 2*width, w.m.Hidden, false)
	w.put(swiglu(site, rows, width))
	w.quantize(site+".down", rows, width)
	w.linear(site+".down", rows, w.m.Hidden, width, false)
}

func (w *writer) dense() {
	const site = "layers.N.mlp"
	rows := w.gathered(w.p.Shared)
	w.enter("layers.N.post_norm", w.p.Shared.ModelGroup())
	w.quantize(site+".gate+up", rows, w.m.Hidden)
	w.mlp(site, rows, padded(w.m.DenseWidth, w.p.Shared.TP))
	w.leave(site+".down", w.p.Shared.ModelGroup())
}

// experts gathers rows for the larger of the groups of routed and shared experts, whose sums are one
// where the groups are.
func (w *writer) experts() {
	const site = "layers.N.mlp"
	m, d := w.m, w.p.Experts
	rows, shared := w.gathered(d), w.shared()
	group, other := d.ModelGroup(), w.p.Shared.ModelGroup()
	if m.SharedWidth > 0 && other.Size > group.Size {
		w.enter("layers.N.post_norm", other)
	} else {
		w.enter("layers.N.post_norm", group)
	}
	w.put(gate(site+".router", rows, m.Experts, m.Hidden, m.GateCalls))
	slots, touched := w.slots(rows)
	width := padded(m.ExpertWidth, d.TP)
	w.put(route(site+".experts", slots))
	w.quantize(site+".experts.gate+up", max(rows, shared), m.Hidden)
	w.put(permute(site+".experts", slots, m.Hidden, w.weightBytes()))
	if m.Weights == dtype.I8 {
		w.put(permute(site+".experts", slots, 1, 4))
	}
	w.put(grouped(site+".experts.gate+up", slots, touched, 2*width, m.Hidden, m.Weights))
	w.put(swiglu(site+".experts", slots, width))
	w.quantize(site+".experts.down", slots, width)
	w.put(grouped(site+".experts.down", slots, touched, m.Hidden, width, m.Weights))
	w.put(combine(site+".experts", slots, rows, m.Hidden))
	if m.SharedWidth == 0 {
		w.leave(site+".experts", group)
		return
	}
	w.mlp(site+".shared", shared, padded(m.SharedWidth, w.p.Shared.TP))
	w.join(site, group, other)
}

// join adds routed and shared experts, before their sums over ranks where these are the same.
func (w *writer) join(site string, group, other placement.Group) {
	if group == other && w.schedule == Scattered {
		w.put(add(site+".shared", w.gathered(w.p.Shared), w.m.Hidden, true))
		w.leave(site+".shared", group)
		return
	}
	w.leave(site+".experts", group)
	w.leave(site+".shared.down", other)
	w.put(add(site+".shared", w.shard, w.m.Hidden, true))
}

// shared is the rows that the shared expert sees on a rank.
func (w *writer) shared() int64 {
	if w.m.SharedWidth == 0 {
		return 0
	}
	return w.gathered(w.p.Shared)
}

func (w *writer) weightBytes() int64 { return w.m.Weights.Bytes(1) }

// slots is how many pairs of token and expert a rank computes, and how many of its experts have any,
// as expected when tokens choose evenly.
func (w *writer) slots(rows int64) (n int64, touched float64) {
	m, ep := w.m, int64(w.p.Experts.EP)
	tokens := float64(w.real(w.p.Experts.ModelGroup().Size))
	if m.Groups > 1 {
		each := float64(m.Experts / m.Groups)
		picks := float64(m.PerToken / m.Groups)
		return rows * m.PerToken / ep, float64(m.Experts/ep) * (1 - math.Pow(1-picks/each, tokens))
	}
	experts := float64(m.Experts)
	return rows * m.PerToken, experts * (1 - math.Pow(1-float64(m.PerToken)/experts, tokens))
}

// tail is the last sum, and the head over one row of each sequence.
func (w *writer) tail() {
	m := w.m
	w.repeat, w.from = 1, m.Layers-1
	rows := w.s.Sequences
	w.put(add("layers.N.mlp.residual", w.shard, m.Hidden, false))
	w.enter("layers.N.mlp.residual", placement.Group{Size: w.p.Devices, Stride: 1})
	w.once(takeRows("norm", rows, m.Hidden))
	w.once(norm("norm", rows, m.Hidden, false))
	_, n := placement.Block(int(m.Vocabulary), w.p.HeadTP, fractal)
	if w.p.HeadTP == 1 {
		n = int(m.Vocabulary)
	}
	w.once(product("lm_head", rows, int64(n), m.Hidden, m.Head, false))
}
