package fit

import (
	"fmt"
	"strconv"

	"moge/ascend/model"
	"moge/ascend/soc"
	"moge/codegen"
	"moge/ir"
)

// Reserve is the memory of a chip that is kept free of the model unless a request says otherwise:
// for the driver, the runtime of CANN and the kernels' code. An assumption; nobody publishes it.
const Reserve = 2 << 30

// Request is what a model is to do, and where.
type Request struct {
	Product soc.Product
	Limits  codegen.Limits // of a step, complete
	Reserve int64          // bytes that the model does not get
}

// Assessment is the answer. Sizes are bytes of one chip.
type Assessment struct {
	Product  soc.Product
	Chip     *soc.Chip
	Findings []Finding // those that block before the others

	Memory  int64  // of the chip, as programs see it
	Reserve int64  // kept free
	Weights []Part // in a fixed order of kinds
	Arena   int64  // activations of a step; 0 when kernels are missing
	Cache   Cache

	Contexts []Context // what is left for sequences; none when weights and arena do not fit
	Chips    int       // that the weights need, shared out evenly: an estimate
}

// Finding is something about the model that matters on the card.
type Finding struct {
	Blocks  bool   // the model does not run
	Rule    string // one word: what is broken
	Where   string // the first place in the model; empty for the whole
	Why     string
	Instead string // what to do; may be empty when nothing blocks
}

// Context is how many positions each of some sequences can have at the same time.
type Context struct {
	Sequences int64
	Positions int64 // at most what the model was made for; 0 when not even a page is left
}

// Runs reports whether nothing blocks.
func (a *Assessment) Runs() bool {
	return len(a.Findings) == 0 || !a.Findings[0].Blocks
}

// WeightBytes is the sum over kinds.
func (a *Assessment) WeightBytes() int64 { return total(a.Weights) }

// Assess examines a graph after all passes, with the types of a card in it. The error is that of a
// graph without the facts every model has; what does not run on the card is a finding.
func Assess(g *ir.Graph, r Request) (*Assessment, error) {
	chip, err := soc.Find(r.Product.Name)
	if err != nil {
		return nil, err
	}
	context, err := contextOf(g)
	if err != nil {
		return nil, err
	}
	a := &Assessment{Product: r.Product, Chip: chip, Memory: r.Product.MemoryBytes.Value,
		Reserve: r.Reserve, Weights: parts(g), Cache: cacheOf(g)}
	a.Findings = broken(g)
	if a.Arena, err = a.choose(g, r.Limits); err != nil {
		return nil, err
	}
	a.fill(g, r, context)
	a.note(g)
	return a, nil
}

// contextOf is the positions that the model was made for.
func contextOf(g *ir.Graph) (int64, error) {
	text, _ := g.GetMeta("context")
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("graph %s: meta context is %q, want a number of positions", g.Name, text)
	}
	return n, nil
}

// choose gives every op its kernel and returns the arena of these, 0 when one has none. Where a rule
// is broken already, what kernels refuse would be its consequences.
func (a *Assessment) choose(g *ir.Graph, l codegen.Limits) (int64, error) {
	if len(a.Findings) > 0 {
		return 0, nil
	}
	m, err := model.New(g, a.Chip, model.Limits{Tokens: int(l.BatchTokens), Sequences: int(l.Seqs),
		Rows: int(l.LogitsRows), Context: int(l.Context)})
	if err != nil {
		a.Findings = append(a.Findings, refused(err))
		return 0, nil
	}
	list, refusals := build(m)
	if len(refusals) > 0 {
		a.Findings = refusals
		return 0, nil
	}
	return m.Arena(programs(a.Chip, list)), nil
}
