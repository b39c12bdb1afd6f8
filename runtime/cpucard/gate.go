package cpucard

import (
	"slices"

	"moge/runtime/kernels"
)

// gate is the grouped gating of a layer: softmax of the router's product over all experts, and of each
// local group the expert of the greatest probability.
type gate struct {
	Name        string
	Width       int
	Experts     int
	Groups      int
	MaxTokens   int
	LocalGroups int
	Scale       bool
	VoteKeep    int
}

func (s gate) check(c *checker) {
	c.rows("MaxTokens", s.MaxTokens)
	c.width("Width", s.Width, 16)
	c.between("Groups", s.Groups, 1, 1<<10)
	c.between("LocalGroups", s.LocalGroups, 1, s.Groups)
	c.between("Experts", s.Experts, 1, 1<<10)
	c.want(c.err != nil || s.Experts%s.Groups == 0, "Experts", s.Experts, "a multiple of %d", s.Groups)
	if c.err == nil {
		c.between("VoteKeep", s.VoteKeep, 0, s.Experts/s.Groups)
	}
}

func (s gate) signature() signature {
	sig := signature{in: []string{"x", "router"}, out: []string{"weights", "ids"},
		scalars: []scalar{{"tokens", 1, s.MaxTokens}}}
	if s.LocalGroups < s.Groups {
		sig.scalars = append(sig.scalars, scalar{"firstGroup", 0, s.Groups - s.LocalGroups})
	}
	if s.Scale {
		sig.in = append(sig.in, "scale")
	}
	return sig
}

// gating is a gate and its tensors.
type gating struct {
	gate
	tokens, first, size, cols int // first local group, experts of a group, columns of a result
	x                         []uint16
	router                    *weights
	scale, weights            []float32
	ids                       []int32
	tiles                     []uint16  // the router
	p                         []float32 // [tokens, experts padded]
	pitch                     int
}

func (s gate) run(c *call) error {
	g := &gating{gate: s, tokens: c.value("tokens"), size: s.Experts / s.Groups,
		cols: alignUp(s.LocalGroups, lanes), pitch: alignUp(s.Experts, tileRows)}
	if s.LocalGroups < s.Groups {
		g.first = c.value("firstGroup")
	}
	g.x = c.f16("x", g.tokens, s.Width)
	g.router = c.weights("router", 1, g.pitch, s.Width, 2)
	if s.Scale {
		g.scale = c.f32("scale", s.Experts)
	}
	g.weights, g.ids = c.f32("weights", g.tokens, g.cols), c.i32("ids", g.tokens, g.cols)
	if c.err != nil {
		return c.err
	}
	if err := g.probabilities(c); err != nil {
		return err
	}
	kept := g.kept()
	return c.each(g.tokens, 4*s.Experts, func(_ *scratch, t int) { g.choose(t, kept) })
}

// gateRows is the tokens of a task.
const gateRows = 16

// probabilities is the softmax of the router's product: exponentials of f32, their sum in f64.
func (g *gating) probabilities(c *call) error {
	g.p = grown(&c.shared.wide, g.tokens*g.pitch)
	if err := g.turn(c); err != nil {
		return err
	}
	blocks := (g.tokens + gateRows - 1) / gateRows
	return c.tasks(blocks, g.tokens*g.pitch*g.Width, func(w *scratch, task int) {
		from := task * gateRows
		rows := min(gateRows, g.tokens-from)
		x := grown(&w.wide, rows*g.Width)
		widen(x, g.x[from*g.Width:][:rows*g.Width])
		p := g.p[from*g.pitch:]
		kernels.MatMulF16(p, g.pitch, x, g.Width, rows, g.tiles, g.pitch/tileRows, g.Width)
		for i := range rows {
			softmax(p[i*g.pitch:][:g.Experts])
		}
	})
}

// turn brings the router into tiles.
func (g *gating) turn(c *call) error {
	g.tiles = grown(&c.shared.tiles, g.pitch*g.Width)
	to, size := kernels.Bytes(g.tiles), g.router.tileBytes()
	return c.tasks(g.router.tiles(), g.pitch*g.Width, func(_ *scratch, i int) {
		tile(to[i*size:], g.router.data, g.pitch, i*tileRows, g.router.depth, turnF16)
	})
}

func softmax(x []float32) {
	top, sum := slices.Max(x), 0.0
	for i, v := range x {
		x[i] = kernels.Exp(v - top)
		sum += float64(x[i])
	}
	for i := range x {
		x[i] /= float32(sum)
	}
}

// of is the probabilities of a local group.
func (g *gating) of(token, group int) []float32 {
	return g.p[token*g.pitch+(g.first+group)*g.size:][:g.size]
}

// best is the expert of the greatest probability of those kept, the lowest index on ties.
func best(p []float32, kept []bool) int {
	at := -1
	for j, v := range p {
		if (kept == nil || kept[j]) && (at < 0 || v > p[at]) {
			at = j
		}
	}
	return at
}

// kept is, for each local group, the VoteKeep experts that most tokens would choose, the lower index
// first among equals; nil where all are kept.
func (g *gating) kept() [][]bool {
	out := make([][]bool, g.LocalGroups)
	if g.VoteKeep == 0 {
		return out
	}
	for group := range out {
		votes, order := make([]int, g.size), make([]int, g.size)
		for t := range g.tokens {
			votes[best(g.of(t, group), nil)]++
		}
		for j := range order {
			order[j] = j
		}
		slices.SortStableFunc(order, func(a, b int) int { return votes[b] - votes[a] })
		out[group] = make([]bool, g.size)
		for _, j := range order[:g.VoteKeep] {
			out[group][j] = true
		}
	}
	return out
}

// choose stores weights and local ids of a token.
func (g *gating) choose(token int, kept [][]bool) {
	weights, ids := g.weights[token*g.cols:][:g.cols], g.ids[token*g.cols:][:g.cols]
	clear(weights)
	clear(ids)
	for group := range g.LocalGroups {
		p := g.of(token, group)
		j := best(p, kept[group])
		weights[group], ids[group] = p[j], int32(group*g.size+j)
		if g.Scale {
			weights[group] *= g.scale[(g.first+group)*g.size+j]
		}
	}
}
