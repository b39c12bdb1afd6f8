package device

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"moge/ascend/kernel/scalar"
)

// Path decides the loops and conditions of a run.
type Path struct {
	Name string
	// Skip lists loops, by node, that run no iteration and conditions, by text, that do not hold.
	Skip map[any]bool
	// None reverses Skip: nothing runs but what it lists.
	None bool
	// Seed, other than 0, decides loops and conditions at random instead: half of the conditions once
	// for the whole run, the others and the loops at each execution. What a program does must be in
	// order however they fall: flags do not know what conditions mean.
	Seed uint64
	// Without leaves out nodes; nil leaves out none.
	Without func(Node) bool
	// First ends the run at the first finding.
	First bool
	memo  *memo // shared by the paths of a program; runs of them must not overlap
}

// decider makes the decisions of one run.
type decider struct {
	path Path
	rand *rand.Rand
	// fixed is the conditions decided so far for the whole run, by text.
	fixed map[string]verdict
	// promised is the iterations of streams whose first load has been run or skipped.
	promised map[*scalar.Var]int
}

func newDecider(p Path) *decider {
	return &decider{p, rand.New(rand.NewPCG(p.Seed, 0)), map[string]verdict{}, map[*scalar.Var]int{}}
}

// verdict is how a condition falls in a random run.
type verdict uint8

const (
	never verdict = 1 + iota
	always
	eachTime
)

func (p Path) skips(key any) bool { return p.Skip[key] != p.None }

// taken decides a condition.
func (d *decider) taken(n *If) bool {
	key := n.Cond.String()
	if d.path.Seed == 0 {
		return !d.path.skips(key)
	}
	v := d.fixed[key]
	if v == 0 {
		v = [...]verdict{never, always, eachTime, eachTime}[d.rand.IntN(4)]
		d.fixed[key] = v
	}
	return v == always || v == eachTime && d.rand.IntN(2) > 0
}

// trips decides how often a loop runs.
func (d *decider) trips(n *Loop) int {
	if t, ok := d.promised[n.Var]; ok {
		delete(d.promised, n.Var)
		return t
	}
	return d.decide(n)
}

func (d *decider) decide(n *Loop) int {
	most := iterations(n)
	switch {
	case d.path.Seed == 0 && d.path.skips(n):
		return 0
	case d.path.Seed == 0 || alwaysRuns(n):
		return most
	}
	return d.rand.IntN(most + 1)
}

// alwaysRuns reports whether a loop has a fixed number of iterations.
func alwaysRuns(n *Loop) bool {
	_, lo := n.Lo.Const()
	_, hi := n.Hi.Const()
	return lo && hi && !n.Units
}

// runsFirst decides whether a stream runs at all, and holds the loop to it.
func (d *decider) runsFirst(n *Loop) bool {
	d.promised[n.Var] = d.decide(n)
	return d.promised[n.Var] > 0
}

// iterations is how often a loop runs at most: enough to come back to the first slot of each ring.
func iterations(n *Loop) int {
	most := max(2, slotsTaken(n.Body)+1)
	if alwaysRuns(n) {
		lo, _ := n.Lo.Const()
		hi, _ := n.Hi.Const()
		most = min(most, (hi-lo+n.Step-1)/n.Step)
	}
	return max(most, 0)
}

// slotsTaken is the slots of the deepest ring that each run of b takes one of.
func slotsTaken(b *Block) int {
	slots := 0
	for _, n := range b.Nodes {
		switch n := n.(type) {
		case *Take:
			if n.Turn != nil {
				slots = max(slots, n.Turn.Depth)
			}
		case *If:
			for _, inner := range Blocks(n) {
				slots = max(slots, slotsTaken(inner))
			}
		}
	}
	return slots
}

// maxPairs bounds the paths that leave out a loop and something else, randomPaths is how many decide
// at random.
const (
	maxPairs    = 32
	randomPaths = 40
)

// choice is a loop, or the conditions of one text.
type choice struct {
	key  any
	name string
}

func (c choice) isLoop() bool { _, ok := c.key.(*Loop); return ok }

// Paths lists the paths that are run, one after another: everything, nothing, each loop and
// condition left out alone, each pair of conditions, pairs with loops, evenly chosen where there
// are many, and random ones. What stands in an Else inside an Else runs where both conditions are
// left out.
func Paths(p *Program) []Path {
	all := choices(p)
	paths := []Path{{Name: "everything runs"}, {Name: "nothing runs", None: true}}
	for _, c := range all {
		paths = append(paths, without(c))
	}
	paths = append(paths, pairs(all)...)
	paths = append(paths, nestedElses(p.Body, nil)...)
	for seed := range randomPaths {
		if len(all) > 1 {
			paths = append(paths, Path{Name: fmt.Sprintf("random path %d", seed+1), Seed: uint64(seed) + 1})
		}
	}
	m := newMemo()
	for i := range paths {
		paths[i].memo = m
	}
	return paths
}

// without is the path that leaves out some choices.
func without(cs ...choice) Path {
	p := Path{Skip: map[any]bool{}}
	var names []string
	for _, c := range cs {
		p.Skip[c.key] = true
		names = append(names, c.name)
	}
	p.Name = strings.Join(names, ", ")
	return p
}

func pairs(all []choice) []Path {
	var must, may []Path
	for i, a := range all {
		for _, b := range all[i+1:] {
			if a.isLoop() || b.isLoop() {
				may = append(may, without(a, b))
			} else {
				must = append(must, without(a, b))
			}
		}
	}
	stride := max(1, len(may)/maxPairs)
	for i := stride - 1; i < len(may); i += stride {
		must = append(must, may[i])
	}
	return must
}

// nestedElses lists, for each block in an Else more than two deep, the path that reaches it. Around
// are the conditions of the Elses that b is in.
func nestedElses(b *Block, around []choice) []Path {
	var out []Path
	for _, n := range b.Nodes {
		f, ok := n.(*If)
		if !ok || f.Else == nil {
			for _, inner := range Blocks(n) {
				out = append(out, nestedElses(inner, around)...)
			}
			continue
		}
		out = append(out, nestedElses(f.Then, around)...)
		deeper := append(slices.Clone(around), conditionOf(f))
		if len(deeper) > 2 {
			out = append(out, without(deeper...))
		}
		out = append(out, nestedElses(f.Else, deeper)...)
	}
	return out
}

func conditionOf(n *If) choice {
	text := n.Cond.String()
	return choice{text, "not " + text}
}

// choices lists the loops and conditions of a program; equal conditions are one choice.
func choices(p *Program) []choice {
	var all []choice
	seen := map[string]bool{}
	Walk(p.Body, func(_ *Block, _ int, n Node) {
		switch n := n.(type) {
		case *Loop:
			if !alwaysRuns(n) {
				all = append(all, choice{n, "no iteration of " + n.Var.Name})
			}
		case *If:
			if c := conditionOf(n); n.Of == nil && !seen[c.key.(string)] {
				seen[c.key.(string)] = true
				all = append(all, c)
			}
		}
	})
	return all
}
