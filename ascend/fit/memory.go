package fit

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"moge/ascend/kernels"
	"moge/ascend/soc"
	"moge/ir"
	"moge/ir/dtype"
)

// Cache is the keys and values of all layers. Pages of kernels.PageRows positions are given out
// whole.
type Cache struct {
	Position int64 // bytes of one
	Page     int64 // bytes of one
	Pages    int64 // that the kernels reach with offsets of 31 bits
}

func cacheOf(g *ir.Graph) Cache {
	c := Cache{Pages: math.MaxInt32}
	for _, n := range g.Nodes {
		if n.Op != ir.OpState {
			continue
		}
		heads, width := n.Result().Type.Shape[0].Coef, n.Result().Type.Shape[1].Coef
		c.Position += dtype.F16.Bytes(heads * width)
		c.Pages = min(c.Pages, int64(kernels.MaxPages(int(heads), int(width))))
	}
	c.Page = c.Position * kernels.PageRows
	return c
}

// pagesOf is the pages of a sequence.
func pagesOf(positions int64) int64 {
	return (positions + kernels.PageRows - 1) / kernels.PageRows
}

// batches are the numbers of sequences of which an assessment tells the context.
var batches = []int64{1, 4, 16, 64}

// fill puts weights, arena and sequences into the memory of a chip.
func (a *Assessment) fill(g *ir.Graph, r Request, context int64) {
	a.Chips = chips(a.Weights, a.Memory-a.Reserve, divisible(g))
	fixed := a.WeightBytes() + a.Arena
	free := a.Memory - a.Reserve - fixed
	if free < 0 {
		a.Findings = append(a.Findings, a.tooLarge())
		return
	}
	if a.Arena == 0 || a.Cache.Page == 0 {
		return
	}
	a.Contexts = contexts(free, a.Cache, context)
	if need := pagesOf(r.Limits.Context) * a.Cache.Page; need > free {
		a.Findings = append(a.Findings, a.tooLong(r.Limits.Context, need, free))
	}
}

// contexts shares the pages in free bytes out evenly.
func contexts(free int64, c Cache, context int64) []Context {
	pages := min(free/c.Page, c.Pages)
	var list []Context
	for _, n := range batches {
		list = append(list, Context{n, min(pages/n*kernels.PageRows, context)})
	}
	return list
}

// chips is the least number of chips on which weights fit, when each has its share of those that
// are sharded and all of the others. Shares are even where unit is a multiple of the number; where
// no such number is enough, the number that is enough by division alone.
func chips(parts []Part, memory int64, unit int64) int {
	var sharded, whole int64
	for _, p := range parts {
		if p.Sharded {
			sharded += p.Bytes
		} else {
			whole += p.Bytes
		}
	}
	if memory <= whole {
		return 0
	}
	least := max(1, (sharded+memory-whole-1)/(memory-whole))
	for n := least; n <= unit; n++ {
		if unit%n == 0 {
			return int(n)
		}
	}
	return int(least)
}

// divisible is what the number of chips should divide: heads, and groups of experts or experts.
func divisible(g *ir.Graph) int64 {
	unit := int64(0)
	for _, n := range g.Nodes {
		switch n.Op {
		case ir.OpAttend:
			unit = gcd(unit, n.Args[0].Type.Shape[1].Coef)
		case ir.OpMoEGate:
			unit = gcd(unit, n.Int("groups"))
		case ir.OpRoute:
			unit = gcd(unit, n.Int("experts"))
		}
	}
	return unit
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// powerOfTwo is the least power of two that is at least n: what placements divide by.
func powerOfTwo(n int) int {
	p := 1
	for p < n {
		p *= 2
	}
	return p
}

// tooLarge says that weights and arena are more than a chip has.
func (a *Assessment) tooLarge() Finding {
	f := Finding{Blocks: true, Rule: "memory", Why: fmt.Sprintf(
		"weights of %s%s and %s kept free are more than the %s of a chip",
		gib(a.WeightBytes()), a.arenaText(), gib(a.Reserve), gib(a.Memory))}
	var ways []string
	if one := a.others(); len(one) > 0 {
		ways = append(ways, "one chip of "+strings.Join(one, " or of ")+" holds it")
	}
	if a.Chips > 1 {
		ways = append(ways, fmt.Sprintf("the weights alone need %d chips of %s, an estimate by division: "+
			"moge simulate DIR --target %s --devices %d tells how the model lies over them", a.Chips, a.Product.Name,
			a.Product.Name, powerOfTwo(a.Chips)))
	}
	if len(ways) == 0 {
		ways = append(ways, "take fewer tokens a step with --max-batch-tokens")
	}
	f.Instead = strings.Join(ways, "; ")
	return f
}

func (a *Assessment) arenaText() string {
	if a.Arena == 0 {
		return ""
	}
	return ", an arena of " + gib(a.Arena)
}

// others are the products of which one chip has room for weights and arena.
func (a *Assessment) others() []string {
	var list []string
	for _, p := range soc.Products() {
		if p.MemoryBytes.Value-a.Reserve >= a.WeightBytes()+a.Arena {
			list = append(list, p.Name)
		}
	}
	return list
}

// tooLong says that there is no room for one sequence.
func (a *Assessment) tooLong(context, need, free int64) Finding {
	f := Finding{Blocks: true, Rule: "context", Why: fmt.Sprintf(
		"one sequence of %d positions takes %s, of a chip %s are left", context, gib(need), gib(free))}
	longest := a.Contexts[0].Positions
	if longest > 0 {
		f.Instead = "--context " + strconv.FormatInt(longest, 10)
		return f
	}
	f.Instead = "a product with more memory"
	return f
}

// gib is a size in GiB, or in MiB when it is below one.
func gib(n int64) string {
	if n < 1<<30 {
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}
