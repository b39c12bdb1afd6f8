package codegen

import (
	"fmt"
	"strconv"

	"moge/ir"
)

// Frozen is a constant that a step reads, under the name it is stored by.
type Frozen struct {
	Name  string
	Value *ir.Value // of the graph that was frozen
}

// Freeze cuts a graph where constants meet the step: each constant that a node of the step
// reads becomes a weight of its own. It returns the graph over those weights and what they
// are, in order of first use. Compiling the frozen graph gives the plan of the original.
func Freeze(g *ir.Graph) (*ir.Graph, []Frozen, error) {
	f := &freezer{b: ir.NewBuilder(g.Name), constant: g.Constants(),
		value: make([]*ir.Value, g.Values()), taken: map[string]bool{}}
	f.b.Graph.Meta = append([]ir.Meta(nil), g.Meta...)
	for _, n := range g.Nodes {
		if !f.constant[n.Results[0].ID] {
			f.node(n)
		}
	}
	for _, o := range g.Outputs {
		f.b.Output(o.Name, f.value[o.Value.ID])
	}
	frozen, err := f.b.Finish()
	return frozen, f.out, err
}

type freezer struct {
	b        *ir.Builder
	constant []bool
	value    []*ir.Value // new value by old ID
	taken    map[string]bool
	out      []Frozen
}

func (f *freezer) node(n *ir.Node) {
	args := make([]*ir.Value, len(n.Args))
	for i, a := range n.Args {
		if f.constant[a.ID] && f.value[a.ID] == nil {
			f.freeze(n, i, a)
		}
		args[i] = f.value[a.ID]
	}
	declared := make([]ir.Type, len(n.Results))
	for i, r := range n.Results {
		declared[i] = r.Type
	}
	for i, v := range f.b.AddTyped(n.Op, n.Site, declared, args, n.Attrs...) {
		f.value[n.Results[i].ID] = v
	}
}

func (f *freezer) freeze(n *ir.Node, arg int, v *ir.Value) {
	name := n.Site + "." + argumentName(n, arg)
	for i := 2; f.taken[name]; i++ {
		name = fmt.Sprintf("%s.%s.%d", n.Site, argumentName(n, arg), i)
	}
	f.taken[name] = true
	f.value[v.ID] = f.b.Weight(name, v.Type.DType, v.Type.Shape.Ints()...)
	f.out = append(f.out, Frozen{name, v})
}

// argumentNames name the constant arguments of ops that take them, by position.
var argumentNames = map[ir.Op][]string{
	ir.OpEmbed:      {"", "weight"},
	ir.OpGather:     {"scale"},
	ir.OpLinear:     {"", "weight", "bias"},
	ir.OpRMSNorm:    {"", "weight"},
	ir.OpAddRMSNorm: {"", "", "weight"},
	ir.OpMoEGate:    {"", "weight", "scale"},
	ir.OpQLinear:    {"", "", "weight", "weight_scale", "bias"},
	ir.OpW8Linear:   {"", "weight", "weight_scale", "bias"},
}

// groupedFirst is where the weights of ops over experts begin; as many scales may follow.
var groupedFirst = map[ir.Op]int{ir.OpGroupedLinear: 2, ir.OpQGroupedLinear: 3, ir.OpW8GroupedLinear: 2}

func argumentName(n *ir.Node, arg int) string {
	if first, ok := groupedFirst[n.Op]; ok && arg >= first {
		count := len(n.Args) - first
		if n.Op != ir.OpGroupedLinear {
			count /= 2
		}
		name := []string{"weight", "weight_scale"}[(arg-first)/count]
		if count > 1 {
			name = strconv.Itoa((arg-first)%count) + "." + name
		}
		return name
	}
	if names := argumentNames[n.Op]; arg < len(names) && names[arg] != "" {
		return names[arg]
	}
	return "constant"
}
