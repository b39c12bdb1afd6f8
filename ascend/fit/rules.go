package fit

import (
	"fmt"
	"slices"
	"strings"

	"moge/ascend/kernel"
	"moge/ascend/soc"
	"moge/ir"
	"moge/ir/dtype"
)

// onCPU is what always remains.
const onCPU = "compile it for --target cpu"

// rule looks at one node and says what is wrong with it, "" if nothing.
type rule struct {
	name    string
	instead string
	check   func(n *ir.Node) string
}

// rules are those of the kernels that a model's graph breaks or keeps, whatever the limits.
var rules = []rule{
	{"router", "a model with grouped experts, such as pangu_pro_moe; or " + onCPU, ungrouped},
	{"scheme", "--scheme w8a8-dynamic or w8a8 for all linears but lm_head; or " + onCPU, inFloat},
	{"norm", onCPU, headNorm},
	{"heads", onCPU, heads},
	{"width", onCPU, width},
}

// broken lists the rules that nodes of a graph break, each reason once.
func broken(g *ir.Graph) []Finding {
	var list []Finding
	for _, r := range rules {
		list = append(list, r.findings(g)...)
	}
	return list
}

// findings are the reasons that a rule has, with the first place of each and how many there are.
func (r rule) findings(g *ir.Graph) []Finding {
	var list []Finding
	var more []int
	for _, n := range g.Nodes {
		why := r.check(n)
		if why == "" {
			continue
		}
		i := slices.IndexFunc(list, func(f Finding) bool { return f.Why == why })
		if i < 0 {
			list = append(list, Finding{Blocks: true, Rule: r.name, Where: n.Site, Why: why,
				Instead: r.instead})
			more = append(more, 0)
			continue
		}
		more[i]++
	}
	for i, count := range more {
		if count > 0 {
			list[i].Where += fmt.Sprintf(" and %d more", count)
		}
	}
	return list
}

// ungrouped: only one kernel chooses experts.
func ungrouped(n *ir.Node) string {
	if n.Op != ir.OpRoute || n.Args[0].Def.Op == ir.OpMoEGate {
		return ""
	}
	ids := n.Args[0].Type.Shape
	return fmt.Sprintf("no kernel for this router, which takes the best %d of all %d experts: the kernel "+
		"takes the best one of each of several equal groups", ids[len(ids)-1].Coef, n.Int("experts"))
}

// inFloat: linears multiply int8 by int8; the head alone may be float, and the router is part of
// its own kernel.
func inFloat(n *ir.Node) string {
	switch n.Op {
	case ir.OpW8Linear, ir.OpW8GroupedLinear:
		return "linears that multiply int8 weights by float rows have no kernel"
	case ir.OpGroupedLinear:
		return "experts in float have no kernel"
	case ir.OpLinear:
		if n.Site != "lm_head" && !strings.HasSuffix(n.Site, ".router") {
			return "linears in float have no kernel"
		}
	}
	return ""
}

func headNorm(n *ir.Node) string {
	ofHeads := strings.HasSuffix(n.Site, ".q_norm") || strings.HasSuffix(n.Site, ".k_norm")
	if n.Op != ir.OpRMSNorm || !ofHeads {
		return ""
	}
	return "queries and keys are normed head by head, which the kernel between projection and " +
		"rotation does not do"
}

// What the kernels of attention take, see kernels.AttentionDecodeSpec.
const (
	maxHeadDim = 128
	maxKVHeads = 128
)

func heads(n *ir.Node) string {
	if n.Op != ir.OpAttend {
		return ""
	}
	q, kv := n.Args[0].Type.Shape, n.Args[1].Type.Shape[0].Coef
	count, dim := q[1].Coef, q[2].Coef
	switch {
	case dim%kernel.FractalRows != 0 || dim > maxHeadDim:
		return fmt.Sprintf("heads of %d: a multiple of %d up to %d is needed", dim, kernel.FractalRows,
			maxHeadDim)
	case kv > maxKVHeads || count > kernel.FractalRows*kv:
		return fmt.Sprintf("%d heads on %d of keys and values: at most %d to one of at most %d are possible",
			count, kv, kernel.FractalRows, maxKVHeads)
	}
	return ""
}

// width: rows of int8 are whole blocks, and results whole fractals.
func width(n *ir.Node) string {
	if n.Op != ir.OpEmbed {
		return ""
	}
	if hidden := n.Args[1].Type.Shape[1].Coef; hidden%kernel.Block != 0 {
		return fmt.Sprintf("a hidden size of %d: a multiple of %d is needed", hidden, kernel.Block)
	}
	return ""
}

// note adds what does not keep a model from running.
func (a *Assessment) note(g *ir.Graph) {
	if a.Runs() {
		a.Findings = append(a.Findings, Finding{Rule: "proof",
			Why: "every op has a kernel for " + a.Chip.Name() +
				", chosen by shapes; none is proved or executed here",
			Instead: "compile does both before it writes a bundle"})
	}
	if usesBF16(g) {
		a.Findings = append(a.Findings, Finding{Rule: "type", Why: a.bf16(),
			Instead: "compile names the weights that f16 cannot hold"})
	}
}

func (a *Assessment) bf16() string {
	if a.Chip.Family() == soc.Ascend310P {
		return a.Chip.Name() + " has no bf16: activations and float weights are f16, which ends at 65504"
	}
	return "kernels compute bf16 models in f16, which ends at 65504"
}

func usesBF16(g *ir.Graph) bool {
	for _, n := range g.Nodes {
		if n.Op == ir.OpWeight && n.Result().Type.DType == dtype.BF16 {
			return true
		}
	}
	return false
}
