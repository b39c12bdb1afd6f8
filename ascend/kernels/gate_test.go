package kernels

import (
	"fmt"
	"math"
	"sort"
	"testing"
)

var testGates = []GateSpec{
	{Name: "gate_small", Width: 64, Experts: 16, Groups: 4, LocalGroups: 4, MaxTokens: 64},
	{Name: "gate_scaled", Width: 96, Experts: 12, Groups: 2, LocalGroups: 2, MaxTokens: 64,
		Scale: true},
	{Name: "gate_local", Width: 64, Experts: 64, Groups: 8, LocalGroups: 2, MaxTokens: 64,
		Scale: true},
	{Name: "gate_single", Width: 32, Experts: 6, Groups: 6, LocalGroups: 6, MaxTokens: 64,
		Scale: true},
	{Name: "gate_true", Width: 5120, Experts: 64, Groups: 8, LocalGroups: 8, MaxTokens: 1025,
		Scale: true},
}

// testVotes are gates with votes; each has the plain gate of the same shape beside it.
var testVotes = []GateSpec{
	{Name: "vote_small", Width: 64, Experts: 16, Groups: 2, LocalGroups: 2, MaxTokens: 64,
		VoteKeep: 3},
	{Name: "vote_local", Width: 64, Experts: 64, Groups: 8, LocalGroups: 2, MaxTokens: 64,
		Scale: true, VoteKeep: 5},
	{Name: "vote_true", Width: 5120, Experts: 64, Groups: 8, LocalGroups: 8, MaxTokens: 1025,
		Scale: true, VoteKeep: 5},
}

func gateRig(t *testing.T) *rig {
	return newRig(t, 64, all(t, Gate, testGates)...)
}

// gateCase is a launch with the values behind it.
type gateCase struct {
	*launch
	spec             GateSpec
	tokens, first    int
	x, router, scale []float32
}

func newGateCase(s GateSpec, tokens int, seed uint64) *gateCase {
	c := &gateCase{spec: s, tokens: tokens, x: normals(seed, tokens*s.Width, 1),
		router: normals(seed+50, s.Experts*s.Width, 2/math.Sqrt(float64(s.Width)))}
	if s.LocalGroups < s.Groups {
		c.first = int(seed) % (s.Groups - s.LocalGroups + 1)
	}
	for _, v := range normals(seed+70, s.Experts, 0.2) {
		c.scale = append(c.scale, 1+v)
	}
	c.prepare(seed)
	return c
}

func (c *gateCase) prepare(seed uint64) {
	c.launch = &launch{kernel: c.spec.Name, seed: seed,
		params: map[string]int{"tokens": c.tokens, "firstGroup": c.first},
		tensors: map[string][]byte{"x": halves(c.x),
			"router": nzHalves(c.router, c.spec.Experts, c.spec.Width)}}
	if c.spec.Scale {
		c.tensors["scale"] = floats(c.scale)
	}
}

// probabilities is the softmax of one token in f64, and the relative bound of the kernel's: a
// logit is a sum of H products of halves, each exact in f32, with at most H roundings of 2^-24 of
// the sum of magnitudes; a probability changes by e to twice the greatest such error, and has a
// handful of f32 roundings: the difference, exp, a tree of at most 8, the quotient, and the
// scale.
func (c *gateCase) probabilities(token int) (p []float64, bound float64) {
	h := c.spec.Width
	p = make([]float64, c.spec.Experts)
	off, top := 0.0, math.Inf(-1)
	for e := range p {
		magnitude := 0.0
		for i, v := range c.x[token*h:][:h] {
			product := float64(v) * float64(c.router[e*h+i])
			p[e] += product
			magnitude += math.Abs(product)
		}
		off = max(off, magnitude*float64(h)/(1<<24))
		top = max(top, p[e])
	}
	sum, widest := 0.0, 0.0
	for e, v := range p {
		widest = max(widest, top-v)
		p[e] = math.Exp(v - top)
		sum += p[e]
	}
	for e := range p {
		p[e] /= sum
	}
	return p, math.Exp(2*off)*(1+(12+2*widest)/(1<<24)) - 1
}

func (c *gateCase) check(t *testing.T, w *worst) {
	t.Helper()
	weights, ids := c.floats("weights"), c.ints("ids")
	s := c.spec
	cols, size := tokenCols(s.LocalGroups), s.Experts/s.Groups
	for token := range c.tokens {
		p, bound := c.probabilities(token)
		for g := range cols {
			at := token*cols + g
			if g >= s.LocalGroups {
				if weights[at] != 0 || ids[at] != 0 {
					t.Fatalf("%s: padding of token %d holds %v, %d", s.Name, token,
						weights[at], ids[at])
				}
				continue
			}
			group := p[(c.first+g)*size:][:size]
			want := 0
			for j, v := range group {
				if v > group[want] {
					want = j
				}
			}
			got := int(ids[at]) - g*size
			if got < 0 || got >= size || got != want && group[got] < group[want]*(1-2*bound) {
				t.Fatalf("%s: token %d, group %d: expert %d, want %d of %v", s.Name, token, g,
					got, want, group)
			}
			value := group[got]
			if s.Scale {
				value *= float64(c.scale[(c.first+g)*size+got])
			}
			what := fmt.Sprintf("%s: weight[%d, %d]", s.Name, token, g)
			w.within(t, what, weights[at], value, math.Abs(value)*bound)
		}
	}
}

func TestGate(t *testing.T) {
	r := gateRig(t)
	for _, s := range testGates {
		counts := tokenCounts
		if s.Width == 5120 {
			counts = []int{1, 17, 40}
		}
		var w worst
		for i, tokens := range counts {
			c := newGateCase(s, tokens, uint64(1+i%2))
			r.run(c.launch)
			c.check(t, &w)
		}
		t.Logf("%s: largest error %.4f of the bound", s.Name, w.share)
	}
}

// With inputs that make every sum exact, equal experts tie exactly, and the lowest index wins.
func TestGateTies(t *testing.T) {
	r := gateRig(t)
	for _, s := range testGates[:4] {
		c := newGateCase(s, 20, 3)
		for i := range c.x {
			c.x[i] = float32(i%5) - 2
		}
		size := s.Experts / s.Groups
		for e := range s.Experts {
			for i := range s.Width {
				// Odd members of a group tie, and even ones do.
				c.router[e*s.Width+i] = float32((e/size+i)%3) / 64 * float32(e%size%2)
			}
		}
		c.prepare(3)
		r.run(c.launch)
		cols := tokenCols(s.LocalGroups)
		for token := range c.tokens {
			p, _ := c.probabilities(token)
			for g := range s.LocalGroups {
				group := p[(c.first+g)*size:][:size]
				want := 0
				if size > 1 && group[1] > group[0] {
					want = 1
				}
				if got := int(c.ints("ids")[token*cols+g]) - g*size; got != want {
					t.Fatalf("%s: token %d, group %d: expert %d of tied ones, want %d", s.Name,
						token, g, got, want)
				}
			}
		}
	}
}

// Votes are those of the choices that the plain gate makes of the same inputs, so that close
// probabilities cannot make the test guess.
func TestGateVotes(t *testing.T) {
	var plain []GateSpec
	for _, s := range testVotes {
		s.Name, s.VoteKeep = s.Name+"_plain", 0
		plain = append(plain, s)
	}
	r := newRig(t, 64, append(all(t, Gate, testVotes), all(t, Gate, plain)...)...)
	for i, s := range testVotes {
		counts := tokenCounts
		if s.Width == 5120 {
			counts = []int{3, 40}
		}
		for j, tokens := range counts {
			seed := uint64(1 + j%2)
			first := newGateCase(plain[i], tokens, seed)
			r.run(first.launch)
			c := newGateCase(s, tokens, seed)
			r.run(c.launch)
			if moved := c.checkVotes(t, first); tokens == 64 && moved == 0 {
				t.Errorf("%s: no vote changed a choice of 64 tokens", s.Name)
			}
		}
	}
}

// checkVotes compares with the choice among the experts that the votes of the plain gate keep, and
// counts the choices that differ from the plain ones.
func (c *gateCase) checkVotes(t *testing.T, plain *gateCase) (moved int) {
	t.Helper()
	s := c.spec
	size, cols := s.Experts/s.Groups, tokenCols(s.LocalGroups)
	was, ids, weights := plain.ints("ids"), c.ints("ids"), c.floats("weights")
	for g := range s.LocalGroups {
		kept := c.kept(was, g)
		for token := range c.tokens {
			at := token*cols + g
			got := int(ids[at]) - g*size
			if was[at] != ids[at] {
				moved++
			}
			if old := int(was[at]) - g*size; kept[old] && got != old {
				t.Fatalf("%s: token %d, group %d: %d, not %d, which is kept", s.Name, token, g,
					got, old)
			}
			p, bound := c.probabilities(token)
			group := p[(c.first+g)*size:][:size]
			for j, v := range group {
				if !kept[got] || kept[j] && group[got] < v*(1-2*bound) {
					t.Fatalf("%s: token %d, group %d: %d of %v, kept %v", s.Name, token, g,
						got, group, kept)
				}
			}
			want := group[got]
			if s.Scale {
				want *= float64(c.scale[(c.first+g)*size+got])
			}
			var w worst
			w.within(t, s.Name+": weight", weights[at], want, math.Abs(want)*bound)
		}
	}
	return moved
}

// kept is the experts of a group with most votes, the lower index first among equals.
func (c *gateCase) kept(ids []int32, g int) []bool {
	s := c.spec
	size, cols := s.Experts/s.Groups, tokenCols(s.LocalGroups)
	votes, order := make([]int, size), make([]int, size)
	for token := range c.tokens {
		votes[int(ids[token*cols+g])-g*size]++
	}
	for j := range order {
		order[j] = j
	}
	sort.SliceStable(order, func(i, j int) bool { return votes[order[i]] > votes[order[j]] })
	kept := make([]bool, size)
	for _, j := range order[:s.VoteKeep] {
		kept[j] = true
	}
	return kept
}

func TestGateSpecs(t *testing.T) {
	for _, c := range []struct {
		spec GateSpec
		want string
	}{
		{GateSpec{Name: "a", Width: 16, Experts: 9, Groups: 2, LocalGroups: 2, MaxTokens: 1},
			"kernel a: Experts is 9, must be a positive multiple of 2"},
		{GateSpec{Name: "a", Width: 16, Experts: 8, Groups: 2, LocalGroups: 3, MaxTokens: 1},
			"kernel a: LocalGroups is 3, must be 1 to 2"},
		{GateSpec{Name: "a", Width: 8, Experts: 8, Groups: 2, LocalGroups: 2, MaxTokens: 1},
			"kernel a: Width is 8, must be a positive multiple of 16"},
		{GateSpec{Name: "a", Width: 16, Experts: 256, Groups: 8, LocalGroups: 8, MaxTokens: 1},
			"kernel a: Experts is 256, must be 1 to 240"},
		{GateSpec{Name: "a", Width: 16, Experts: 8, Groups: 2, LocalGroups: 2, MaxTokens: 1,
			VoteKeep: 5},
			"kernel a: VoteKeep is 5, must be 0 to 4"},
	} {
		if _, err := Gate(c.spec); err == nil || err.Error() != c.want {
			t.Errorf("%+v: error %v, want %s", c.spec, err, c.want)
		}
	}
}
