package device

import (
	"fmt"
	"math/rand/v2"

	"moge/ascend/kernel/scalar"
)

// Path decides the loops and conditions of a run.
type Path struct {
	Name string
	// Skip lists loops, by node, that run no iteration and conditions, by text, that do not hold.
	Skip map[any]bool
	// None reverses Skip: nothing runs but what it lists.
	None bool
	// Seed, other than 0, decides each execution of each loop and condition at random instead. What
	// a program does must be in order however they fall: flags do not know what conditions mean.
	Seed uint64
	// Without leaves out nodes; nil leaves out none.
	Without func(Node) bool
	// First ends the run at the first finding.
	First bool
}

// decider makes the decisions of one run.
type decider struct {
	path Path
	rand *rand.Rand
	// promised is the iterations of streams whose first load has been run or skipped.
	promised map[*scalar.Var]int
}

func newDecider(p Path) *decider {
	return &decider{p, rand.New(rand.NewPCG(p.Seed, 0)), map[*scalar.Var]int{}}
}

func (p Path) skips(key any) bool { return p.Skip[key] != p.None }

// taken decides a condition.
func (d *decider) taken(n *If) bool {
	if d.path.Seed != 0 {
		return d.rand.IntN(3) > 0
	}
	return !d.path.skips(n.Cond.String())
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

// maxPairs bounds the paths that leave out two loops or conditions, randomPaths is how many decide
// at random.
const (
	maxPairs    = 32
	randomPaths = 40
)

// Paths lists the paths that are run: everything, nothing, each loop and condition left out alone,
// pairs of them, evenly chosen where there are many, and random ones.
func Paths(p *Program) []Path {
	keys, names := choices(p)
	paths := []Path{{Name: "everything runs"}, {Name: "nothing runs", None: true}}
	for i, k := range keys {
		paths = append(paths, Path{Name: names[i], Skip: map[any]bool{k: true}})
	}
	pairs := len(keys) * (len(keys) - 1) / 2
	stride, at := max(1, pairs/maxPairs), 0
	for i := range keys {
		for j := i + 1; j < len(keys); j++ {
			if at++; at%stride == 0 {
				paths = append(paths, Path{Name: names[i] + ", " + names[j],
					Skip: map[any]bool{keys[i]: true, keys[j]: true}})
			}
		}
	}
	for seed := range randomPaths {
		if len(keys) > 1 {
			paths = append(paths, Path{Name: fmt.Sprintf("random path %d", seed+1), Seed: uint64(seed) + 1})
		}
	}
	return paths
}

// choices lists the loops and conditions of a program; equal conditions are one choice.
func choices(p *Program) (keys []any, names []string) {
	seen := map[string]bool{}
	Walk(p.Body, func(_ *Block, _ int, n Node) {
		switch n := n.(type) {
		case *Loop:
			if !alwaysRuns(n) {
				keys, names = append(keys, n), append(names, "no iteration of "+n.Var.Name)
			}
		case *If:
			if text := n.Cond.String(); n.Of == nil && !seen[text] {
				seen[text] = true
				keys, names = append(keys, text), append(names, "not "+text)
			}
		}
	})
	return keys, names
}
