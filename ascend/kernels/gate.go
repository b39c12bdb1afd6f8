package kernels

import "moge/ascend/kernel"

// gateTokens is the number of tokens of one unit of the gate: a fractal of the router's product.
const gateTokens = kernel.FractalRows

// GateSpec describes the grouped gating of a layer.
type GateSpec struct {
	Name      string
	Width     int // H: a multiple of 16
	Experts   int // E, all of them: a multiple of Groups, at most 240
	Groups    int // groups of consecutive experts, at most 64
	MaxTokens int
	// LocalGroups is the number of groups whose experts this rank has: of all, when it is Groups.
	// When it is fewer the argument firstGroup says which, and ids are local to the rank.
	LocalGroups int
	Scale       bool // times router_scale
	// VoteKeep above 0 keeps in each group only so many experts, those that most tokens of the
	// launch would choose, the lower index first among equals. A token's choice then depends on the
	// others of its step.
	VoteKeep int
}

// Gate is the fused grouped gating of Pangu Pro MoE (paper Eq. 2): the router's product, softmax
// over all experts, in each group the expert of the greatest probability, the lowest index on ties,
// and the chosen probability times router_scale. Nothing is normalised again. With VoteKeep it is
// the variant with votes that vllm-ascend has for the 300I Duo (num_voted_experts).
//
// Arguments: x half [T, H]; router half NZ of [E, H]; with Scale scale f32 [1, E]; weights f32
// TokenRows(T, LocalGroups) and ids i32 of the same shape, where padding columns are 0; tokens = T;
// with fewer local groups than groups firstGroup.
//
// Numerics: logits are sums of products of halves in f32, in the matrix unit's order;
// p = f32(e / Σ e) with e = exp(logit - max logit) in f32, Σ as a tree; the choice is made on p;
// weight = f32(p · scale).
//
// Work: 16 tokens are a unit. The product is router · xᵀ, so that tokens lie along the lanes and
// every step of the softmax and of the choice is a few vector statements over experts, without a
// scalar read. The router streams through a ring of two slices of its depth. With VoteKeep all
// cores meet once, between the votes and the choice.
func Gate(s GateSpec) (*kernel.Kernel, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	k := &gate{spec: s, Builder: kernel.New(s.Name,
		"weights[T, G], ids[T, G] = best of each group of softmax(x * router[E, H]) * scale.")}
	k.size, k.cols = s.Experts/s.Groups, tokenCols(s.LocalGroups)
	k.tensors()
	if s.VoteKeep > 0 {
		k.voted()
	} else {
		k.toProbabilities()
		k.toResults()
		k.eachUnit(k.unit)
	}
	return k.Build()
}

func (s GateSpec) check() error {
	c := specCheck{kernel: s.Name}
	c.between("MaxTokens", s.MaxTokens, 1, maxTokens)
	c.multiple("Width", s.Width, kernel.FractalRows)
	c.between("Groups", s.Groups, 1, 64)
	c.between("LocalGroups", s.LocalGroups, 1, s.Groups)
	c.between("Experts", s.Experts, 1, 240)
	if c.err == nil {
		c.multiple("Experts", s.Experts, s.Groups)
		c.between("VoteKeep", s.VoteKeep, 0, s.Experts/s.Groups)
	}
	return c.err
}

type gate struct {
	*kernel.Builder
	spec   GateSpec
	size   int // experts of a group
	cols   int // columns of the results, padded
	tokens kernel.Int
	first  kernel.Int // first local group

	x, router, scale, weights, ids *kernel.Global
	probs, votes                   *kernel.Global // with VoteKeep

	xs, slices, weightRing, idRing *kernel.Ring
	// Slabs: row j holds, group after group, expert j of each local group, 16 tokens each; columns
	// of groups beyond the local ones are zeros.
	p, scales kernel.Tile
	base      kernel.Tile // first id of each group, as a row of slabs
	lane      kernel.Tile // number of the token in its unit, as a row of slabs
	offsets   kernel.Tile // from [group, token] to [token, group]
}

func (k *gate) tensors() {
	s := k.spec
	k.tokens = k.Param("tokens", 1, s.MaxTokens)
	if s.LocalGroups < s.Groups {
		k.first = k.Param("firstGroup", 0, s.Groups-s.LocalGroups)
	}
	k.x = k.Input("x", kernel.F16, kernel.Matrix(k.tokens, s.Width))
	k.router = k.Input("router", kernel.F16, kernel.Fractal(s.Experts, s.Width))
	if s.Scale {
		k.scale = k.Input("scale", kernel.F32, kernel.Matrix(n(1), s.Experts))
	}
	k.weights = k.Output("weights", kernel.F32, TokenRows(k.tokens, s.LocalGroups))
	k.ids = k.Output("ids", kernel.I32, TokenRows(k.tokens, s.LocalGroups))
}

// depthOf is the depth of a slice of the router: the greatest divisor of the width that is a
// multiple of 16 and at most 640.
func depthOf(width int) int {
	for d := 640; ; d -= kernel.FractalRows {
		if d <= width && width%d == 0 {
			return d
		}
	}
}

// toProbabilities makes what the probabilities of every unit take.
func (k *gate) toProbabilities() {
	s := k.spec
	k.xs = k.Ring("xTile", 2, kernel.MatTile(kernel.F16, gateTokens, s.Width))
	k.slices = k.Ring("routerTile", 2, kernel.MatTile(kernel.F16, s.Experts, depthOf(s.Width)))
	k.p = k.Tile("p", k.slabs(k.size))
	k.Fill(k.p, kernel.F(0))
	k.Note("token of each lane")
	k.lane = k.Tile("lane", k.slabs(1))
	k.For("c", n(0), n(k.cols), 1, func(c kernel.Int) {
		k.Iota(k.groupOf(k.lane, n(0), c), kernel.F(0))
	})
	k.turning()
}

// toResults makes what the results of every unit take, besides turning.
func (k *gate) toResults() {
	result := func(e kernel.Elem) kernel.TileType { return kernel.VecTile(e, gateTokens, k.cols) }
	k.weightRing = k.Ring("weightTile", 2, result(kernel.F32))
	k.idRing = k.Ring("idTile", 2, result(kernel.I32))
	k.Note("first id of each local group")
	k.base = k.Tile("base", k.slabs(1))
	k.Fill(k.base, kernel.F(0))
	k.eachGroup(func(g kernel.Int) {
		k.Fill(k.groupOf(k.base, n(0), g), kernel.FloatOf(g.MulN(k.size)))
	})
	if k.spec.Scale {
		k.spreadScales()
	}
}

// turning makes the offsets of turn.
func (k *gate) turning() {
	k.Note("byte offsets that turn [group, token] to [token, group]")
	k.offsets = k.Tile("offsets", kernel.VecTile(kernel.U32, gateTokens, k.cols))
	k.For("t", n(0), n(gateTokens), 1, func(t kernel.Int) {
		k.For("c", n(0), n(k.cols), 1, func(c kernel.Int) {
			k.WriteInt(element(k.offsets, t, c), c.MulN(gateTokens).Add(t).MulN(4))
		})
	})
}

// slabs is the type of rows of slabs.
func (k *gate) slabs(rows int) kernel.TileType {
	return kernel.VecTile(kernel.F32, rows, k.cols*gateTokens)
}

func (k *gate) eachGroup(f func(g kernel.Int)) {
	k.For("g", n(0), n(k.spec.LocalGroups), 1, f)
}

// eachExpert visits the local experts: local group, index in it, row among all experts.
func (k *gate) eachExpert(f func(g, j, row kernel.Int)) {
	k.eachGroup(func(g kernel.Int) {
		k.For("j", n(0), n(k.size), 1, func(j kernel.Int) {
			f(g, j, k.first.Add(g).MulN(k.size).Add(j))
		})
	})
}

// groupOf is the 16 tokens of local group g in row j of slabs.
func (k *gate) groupOf(slabs kernel.Tile, j, g kernel.Int) kernel.Tile {
	return slabs.Sub(j, n(1), g.MulN(gateTokens), n(gateTokens))
}

func (k *gate) spreadScales() {
	k.Note("router_scale of each local expert, spread over 16 tokens")
	k.scales = k.Tile("scales", k.slabs(k.size))
	k.Fill(k.scales, kernel.F(0))
	row := k.Tile("scaleRow", kernel.VecTile(kernel.F32, 1, k.spec.Experts))
	k.Load(row, k.scale.All())
	k.eachExpert(func(g, j, e kernel.Int) {
		k.Fill(k.groupOf(k.scales, j, g), k.ReadFloat("expertScale", element(row, n(0), e)))
	})
}

// eachUnit visits the units: 16 tokens, fewer in the last.
func (k *gate) eachUnit(f func(u, from, count kernel.Int)) {
	k.Units("unit", k.tokens.CeilDiv(gateTokens), func(u kernel.Int) {
		from := k.Let("from", u.MulN(gateTokens))
		f(u, from, k.Let("count", k.tokens.Sub(from).MinN(gateTokens)))
	})
}

func (k *gate) unit(_, from, count kernel.Int) {
	k.probabilities(from, count)
	best, pick, scale := k.choose(k.spec.Scale)
	k.store(from, count, best, pick, scale)
}

// probabilities leaves those of the local experts in slabs.
func (k *gate) probabilities(from, count kernel.Int) {
	e, sum := k.exponentials(k.logits(from, count))
	k.Note("probabilities into slabs: p = e / sum")
	k.eachExpert(func(g, j, row kernel.Int) { k.Div(k.groupOf(k.p, j, g), e.At(row), sum) })
	k.keepLive(count)
}

// logits is the router's product, [E, 16 tokens].
func (k *gate) logits(from, count kernel.Int) kernel.Tile {
	k.Note("logits[E, 16] = router[E, H] * x[16, H], halves into f32")
	x := k.xs.Next()
	k.Load(x.Head(count), k.x.Rows(from, count))
	experts, depth := n(k.spec.Experts), depthOf(k.spec.Width)
	acc := k.Tile("acc", kernel.AccTile(kernel.F32, k.spec.Experts, gateTokens))
	k.For("slice", n(0), n(k.spec.Width/depth), 1, func(i kernel.Int) {
		w := k.slices.Next()
		k.Load(w, k.router.Sub(n(0), experts, i.MulN(depth), n(depth)))
		k.MatMul(acc, w, x.Span(i.MulN(depth), n(depth)), i.Equal(n(0)))
	})
	logits := k.Tile("logits", kernel.VecTile(kernel.F32, k.spec.Experts, gateTokens))
	k.Drain(logits, acc, kernel.DrainSpec{})
	return logits
}

// exponentials turns logits into e = exp(logit - max), in place, and gives the row of their sums.
func (k *gate) exponentials(e kernel.Tile) (x, sum kernel.Tile) {
	k.Note("e = exp(logit - max), and its sum over all experts")
	folded := k.Tile("folded", kernel.VecTile(kernel.F32, k.spec.Experts, gateTokens))
	k.Move(folded, e)
	fold(folded, k.spec.Experts, k.Max)
	k.Sub(e, e, folded.At(n(0)))
	k.Exp(e, e)
	k.Move(folded, e)
	fold(folded, k.spec.Experts, k.Add)
	return e, folded.At(n(0))
}

// fold reduces the first rows of t to its first row, in halves.
func fold(t kernel.Tile, rows int, op func(dst, x, y kernel.Tile)) {
	for rows > 1 {
		half := rows / 2
		op(t.Head(n(half)), t.Head(n(half)), t.Sub(n(rows-half), n(half), n(0), t.Cols))
		rows -= half
	}
}

// keepLive makes the lanes beyond the tokens zeros: what compares them mixes bits of lanes in a
// byte.
func (k *gate) keepLive(count kernel.Int) {
	live := k.Tile("live", k.maskRow())
	k.Compares(live, k.lane, kernel.FloatOf(count), kernel.Less)
	k.For("j", n(0), n(k.size), 1, func(j kernel.Int) {
		k.Selects(k.p.At(j), live, k.p.At(j), kernel.F(0))
	})
}

// maskRow is the type of a bit for each element of a row of slabs.
func (k *gate) maskRow() kernel.TileType {
	return kernel.VecTile(kernel.U8, 1, k.cols*gateTokens/8)
}

// choose picks the best of each group: its probability, its index in the group as a float, exact
// below 2^24, and with scaled its router_scale.
func (k *gate) choose(scaled bool) (best, pick, scale kernel.Tile) {
	k.Note("best of each group, the lowest index on ties")
	row := k.slabs(1)
	best, pick = k.Tile("best", row), k.Tile("pick", row)
	mask := k.Tile("mask", k.maskRow())
	k.Move(best, k.p.At(n(0)))
	k.Fill(pick, kernel.F(0))
	if scaled {
		scale = k.Tile("scaleOf", row)
		k.Move(scale, k.scales.At(n(0)))
	}
	k.For("j", n(1), n(k.size), 1, func(j kernel.Int) {
		k.Compare(mask, k.p.At(j), best, kernel.LessEqual)
		k.Selects(pick, mask, pick, kernel.FloatOf(j))
		if scaled {
			k.Select(scale, mask, scale, k.scales.At(j))
		}
		k.Max(best, best, k.p.At(j))
	})
	return best, pick, scale
}

// store leaves weights and ids, a row for each token.
func (k *gate) store(from, count kernel.Int, best, pick, scale kernel.Tile) {
	k.Add(pick, pick, k.base)
	if k.spec.Scale {
		k.Mul(best, best, scale)
	}
	k.Note("a row for each token")
	weights, ids := k.weightRing.Next(), k.idRing.Next()
	k.Gather(weights, best, k.offsets)
	k.turn(ids, pick)
	k.Store(k.weights.Rows(from, count), weights.Head(count))
	k.Store(k.ids.Rows(from, count), ids.Head(count))
}

// turn makes a row of slabs whole numbers, a row for each token.
func (k *gate) turn(dst, row kernel.Tile) {
	turned := k.Tile("turned", kernel.VecTile(kernel.F32, gateTokens, k.cols))
	k.Gather(turned, row, k.offsets)
	k.Cast(dst, turned, kernel.Nearest)
}
