package gate

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"

	"moge/ascend/kernels"
	"moge/ir/dtype"
)

// gate is grouped gating, with votes too.
func gate(s kernels.GateSpec, shapes Shapes, seed uint64) iter.Seq[*Case] {
	return func(yield func(*Case) bool) {
		// With votes a probability that a rounding could change could change what all tokens choose.
		if s.VoteKeep == 0 {
			for i, n := range []numbers{anySums, nearTies} {
				g := newGating(s, min(s.MaxTokens, 20), n, random(seed, 1<<32+uint64(i)))
				if !yield(g.asCase()) {
					return
				}
			}
		}
		for i, tokens := range shapes.counts(s.MaxTokens) {
			g := newGating(s, tokens, exactSums, random(seed, uint64(i)))
			g.first = (i + 1) % (s.Groups - s.LocalGroups + 1)
			if !yield(g.asCase()) {
				return
			}
		}
	}
}

// numbers is what the inputs of a gating are.
type numbers int

const (
	// exactSums: all logits are sums of multiples of 2^-12 below 2^12, whose partial sums f32 holds
	// in any order. What is equal ties, and what is not differs by far more than roundings.
	exactSums numbers = iota
	// anySums: about manyTerms of any halves, of tokens whose greatest probabilities in each group
	// differ by more than twice the bound.
	anySums
	// nearTies: the same, but each third expert of a group has the sum of the one before it in another
	// order, and no token is left out: where probabilities differ by less than the bound allows,
	// either may be chosen.
	nearTies
)

// manyTerms is so few terms of a sum that few tokens are too close to call.
const manyTerms = 1024

// String ends the name of a case.
func (n numbers) String() string {
	return [...]string{exactSums: ", sums exact, with ties", anySums: ", any numbers",
		nearTies: ", near ties"}[n]
}

// gating is a gate, its arguments and what it does with them.
type gating struct {
	spec             kernels.GateSpec
	numbers          numbers
	tokens, first    int
	size             int       // experts of a group
	x, router, scale []float32 // scale of each expert, 1 without scales
	probs            []probabilities
}

func newGating(s kernels.GateSpec, tokens int, n numbers, r *rand.Rand) *gating {
	g := &gating{spec: s, numbers: n, tokens: tokens, size: s.Experts / s.Groups,
		router: normals(r, s.Experts*s.Width, 2/math.Sqrt(float64(s.Width)))}
	for range s.Experts {
		scale := float32(1)
		if s.Scale {
			scale = float32(0.5 + r.Float64())
		}
		g.scale = append(g.scale, scale)
	}
	if n == exactSums {
		g.round(g.router, 1<<8, 4)
		g.tie()
	}
	if n == nearTies {
		g.turnAbout()
	}
	for token := range tokens {
		g.draw(r, token)
	}
	return g
}

// round makes xs multiples of 1/parts up to most.
func (g *gating) round(xs []float32, parts, most float64) {
	for i, x := range xs {
		xs[i] = float32(max(-most, min(most, math.Round(float64(x)*parts)/parts)))
	}
}

// dominant is the logit of the one expert that leaves no probability to others.
const dominant = 256

// tie makes each third expert of a group the one before it; the last expert of all alone looks at
// the first element of x.
func (g *gating) tie() {
	h := g.spec.Width
	for e := range g.spec.Experts {
		row := g.router[e*h:][:h]
		if e%g.size%3 == 2 {
			copy(row, g.router[(e-1)*h:][:h])
		}
		row[0] = 0
	}
	g.router[(g.spec.Experts-1)*h] = 16
}

// turnAbout makes each third expert of a group the one before it with its halves exchanged: of
// tokens whose halves are alike both have the same sum, in another order.
func (g *gating) turnAbout() {
	h := g.spec.Width
	for e := range g.spec.Experts {
		if e%g.size%3 == 2 {
			before, row := g.router[(e-1)*h:][:h], g.router[e*h:][:h]
			copy(row, before[h/2:])
			copy(row[h/2:], before[:h/2])
		}
	}
}

// draw appends a token and its probabilities.
func (g *gating) draw(r *rand.Rand, token int) {
	h := g.spec.Width
	for {
		x := normals(r, h, 1)
		if g.numbers == exactSums {
			g.toExact(x, token)
		}
		for i := range x {
			if g.numbers != exactSums && r.IntN(h) >= manyTerms {
				x[i] = 0
			}
		}
		if g.numbers == nearTies {
			copy(x[h/2:], x[:h/2])
		}
		if p := g.probabilities(x); g.numbers != anySums || g.clear(p) {
			g.x, g.probs = append(g.x, x...), append(g.probs, p)
			return
		}
	}
}

// toExact makes a token one whose sums are exact; of the second one all logits are 0, and of the
// third one all but one probability.
func (g *gating) toExact(x []float32, token int) {
	g.round(x, 1<<4, 4)
	if token == 1 || token == 2 {
		clear(x)
	}
	x[0] = 0
	if token == 2 {
		x[0] = dominant / 16
	}
}

// probabilities is the softmax of one token's logits, and the relative bound of the kernel's.
type probabilities struct {
	of    []float64
	bound float64
}

// probabilities allows each logit, unless it is exact, as many roundings of f32 as it has terms, in
// any order: the error of two of them is at most twice the greatest. Then the difference from the
// greatest logit rounds once, relative to it, in numerator and sum; exp is within 2^-23 in both,
// and a tree of at most 240 terms has 8 levels; the quotient and the product with the scale round:
// 14 units of 2^-24 and twice the greatest difference.
func (g *gating) probabilities(x []float32) probabilities {
	p := probabilities{of: make([]float64, g.spec.Experts)}
	loose := 0.0
	for e := range p.of {
		size, terms := 0.0, 0.0
		for i, w := range g.router[e*len(x):][:len(x)] {
			if product := float64(x[i]) * float64(w); product != 0 {
				p.of[e] += product
				size += math.Abs(product)
				terms++
			}
		}
		loose = max(loose, size*terms*unit)
	}
	if g.numbers == exactSums {
		loose = 0
	}
	top, sum := slices.Max(p.of), 0.0
	below := top - slices.Min(p.of)
	for e, logit := range p.of {
		// Below 2^-150 f32 has 0. No logit is near enough for a smaller number than 2^-126.
		if p.of[e] = 0; top-logit < 104 {
			p.of[e] = math.Exp(logit - top)
		}
		sum += p.of[e]
	}
	for e := range p.of {
		p.of[e] /= sum
	}
	p.bound = math.Exp(2*loose)*(1+(14+2*below)*unit) - 1
	return p
}

// clear reports whether no rounding can change which expert of any group is the greatest.
func (g *gating) clear(p probabilities) bool {
	for group := range slices.Chunk(p.of, g.size) {
		top := slices.Index(group, slices.Max(group))
		for j := range group {
			if j != top && p.mayBeat(group, j) {
				return false
			}
		}
	}
	return true
}

// mayBeat reports whether roundings can make expert j of a group its greatest.
func (p probabilities) mayBeat(group []float64, j int) bool {
	return group[j] > slices.Max(group)*(1-2*p.bound)
}

// best is the expert of a group with the greatest probability of those that are kept, the lowest
// index on ties; all are kept if there are no votes.
func (g *gating) best(token, group int, kept []bool) int {
	best := -1
	p := g.probs[token].of[group*g.size:][:g.size]
	for j, v := range p {
		if (kept == nil || kept[j]) && (best < 0 || v > p[best]) {
			best = j
		}
	}
	return best
}

// kept is the experts of a group that most tokens would choose, the lower index first among equals.
func (g *gating) kept(group int) []bool {
	if g.spec.VoteKeep == 0 {
		return nil
	}
	votes, order, kept := make([]int, g.size), make([]int, g.size), make([]bool, g.size)
	for token := range g.tokens {
		votes[g.best(token, group, nil)]++
	}
	for j := range order {
		order[j] = j
	}
	slices.SortStableFunc(order, func(a, b int) int { return votes[b] - votes[a] })
	for _, j := range order[:g.spec.VoteKeep] {
		kept[j] = true
	}
	return kept
}

// ids is the chosen expert of each local group of each token, as the rank counts them.
func (g *gating) ids() []int32 {
	s := g.spec
	ids := make([]int32, g.tokens*s.LocalGroups)
	for group := range s.LocalGroups {
		kept := g.kept(g.first + group)
		for token := range g.tokens {
			best := g.best(token, g.first+group, kept)
			ids[token*s.LocalGroups+group] = int32(group*g.size + best)
		}
	}
	return ids
}

func (g *gating) asCase() *Case {
	s := g.spec
	ids := g.ids()
	c := &Case{Name: fmt.Sprintf("%d tokens%v", g.tokens, g.numbers),
		Params: map[string]int{"tokens": g.tokens},
		Tensors: map[string][]byte{"x": halves(g.x),
			"router": halves(nz(g.router, s.Experts, s.Width, 16))},
		Want: []Output{g.chosen(ids),
			{Tensor: "weights", Type: dtype.F32, Rows: g.tokens, Cols: s.LocalGroups,
				Pitch: pitchOf(dtype.F32, s.LocalGroups), ZeroPadding: true, Why: g.why(),
				Want: func(row, col int) (value, bound float64) {
					value = g.weight(row, int(ids[row*s.LocalGroups+col]))
					return value, value * g.probs[row].bound
				}}}}
	if s.Scale {
		c.Tensors["scale"] = floats(g.scale)
	}
	if s.LocalGroups < s.Groups {
		c.Params["firstGroup"] = g.first
		c.Name += fmt.Sprintf(", groups from %d", g.first)
	}
	return c
}

// weight is that of an expert for a token, by its id.
func (g *gating) weight(token, id int) float64 {
	e := g.first*g.size + id
	return g.probs[token].of[e] * float64(g.scale[e])
}

// chosen wants ids. In nearTies it puts into ids, which the weights depend on, what was chosen where
// that may be.
func (g *gating) chosen(ids []int32) Output {
	o := equal("ids", dtype.I32, ids, g.spec.LocalGroups)
	if g.numbers != nearTies {
		return o
	}
	o.Why = "exact, but either of those whose probabilities are within twice the bound of the weights"
	o.Settle = func(row, col int, got float64) {
		group := g.probs[row].of[(g.first+col)*g.size:][:g.size]
		j := int(got) - col*g.size
		if j < 0 || j >= g.size || !g.probs[row].mayBeat(group, j) {
			j = g.best(row, g.first+col, nil)
		}
		ids[row*o.Cols+col] = int32(col*g.size + j)
	}
	return o
}

func (g *gating) why() string {
	if g.numbers == exactSums {
		return "exp within 2^-23, 10 roundings of f32 and 2 of a difference"
	}
	return fmt.Sprintf("sums of about %d products in f32, exp within 2^-23, "+
		"10 roundings of f32 and 2 of a difference", min(g.spec.Width, manyTerms))
}
