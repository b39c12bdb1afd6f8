package golden

import (
	"strings"
	"testing"

	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/shape"
)

// mutant is a model with one thing wrong.
type mutant struct {
	name, folder string
	// change replaces a node, or returns nil to keep it.
	change func(r *ir.Rewriter, n *ir.Node) []*ir.Value
}

const (
	pangu   = "families/pangu_pro_moe"
	mixtral = "families/mixtral"
	qwen3   = "families/qwen3"
)

var mutants = []mutant{
	{"eps a tenth", "tiny-moge", setFloat(ir.OpRMSNorm, "eps", 1e-6)},
	{"eps tenfold", "families/llama", setFloat(ir.OpRMSNorm, "eps", 1e-5)},
	{"theta of Llama", pangu, setFloat(ir.OpRopeTable, "theta", 1e4)},
	{"attention scale of a head twice as wide", pangu, setFloat(ir.OpAttend, "scale", 0.17677669)},
	{"output bias dropped", pangu, dropOutBias},
	{"gate weights renormalised", pangu, renormalise},
	{"softmax within each group", pangu, softmaxPerGroup},
	{"router scale dropped", pangu, dropScale},
	{"router scale before selection", pangu, scaleFirst()},
	{"shared expert dropped", pangu, dropShared},
	{"gate and up exchanged", pangu, exchangeGateUp},
	{"interleaved rotary", pangu, interleave},
	{"query heads dealt out to key heads", pangu, dealHeads},
	{"top-k weights not renormalised", mixtral, keepTopK},
	{"head norm dropped", qwen3, dropHeadNorm},
	{"no last norm", "families/llama", dropLastNorm},
}

func TestMutantsFail(t *testing.T) {
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			f := open(t, m.folder)
			g := mutate(t, f.graph, m.change)
			d := f.disagreement(f.run(t, g, f.weights))
			if d == "" {
				t.Error("the comparison with golden values does not notice")
			}
			t.Log(d)
		})
	}
}

// mutate rewrites a graph and makes sure that something was changed.
func mutate(t *testing.T, g *ir.Graph, change func(*ir.Rewriter, *ir.Node) []*ir.Value) *ir.Graph {
	t.Helper()
	changed, err := ir.Rewrite(g, change)
	if err == nil {
		err = ir.Verify(changed)
	}
	if err != nil {
		t.Fatal(err)
	}
	if changed.String() == g.String() {
		t.Fatal("the mutation changes nothing")
	}
	return changed
}

// at tells whether n is op at a site of that ending.
func at(n *ir.Node, op ir.Op, site string) bool {
	return n.Op == op && strings.HasSuffix(n.Site, site)
}

func setFloat(op ir.Op, name string, v float32) func(*ir.Rewriter, *ir.Node) []*ir.Value {
	return func(r *ir.Rewriter, n *ir.Node) []*ir.Value {
		if n.Op != op {
			return nil
		}
		return r.Add(op, n.Site, r.Values(n.Args), withFloat(n, ir.Float(name, v))...)
	}
}

func withFloat(n *ir.Node, changed ir.Attr) []ir.Attr {
	attrs := append([]ir.Attr{}, n.Attrs...)
	for i := range attrs {
		if attrs[i].Name == changed.Name {
			attrs[i] = changed
		}
	}
	return attrs
}

func dropOutBias(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	if !at(n, ir.OpLinear, "self_attn.o") {
		return nil
	}
	return r.Add(n.Op, n.Site, r.Values(n.Args[:2]))
}

func renormalise(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	if !at(n, ir.OpMaxLast, "mlp.router") {
		return nil
	}
	w := r.Op1(n.Op, n.Site, r.Value(n.Args[0]))
	return []*ir.Value{r.Op1(ir.OpDiv, n.Site, w, r.Op1(ir.OpSumLast, n.Site, w))}
}

func keepTopK(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	if !at(n, ir.OpDiv, "mlp.router") {
		return nil
	}
	return r.Values(n.Args[:1])
}

func softmaxPerGroup(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	if !at(n, ir.OpSoftmax, "mlp.router") {
		return nil
	}
	grouped := shape.Rows(shape.Of(shape.T), 8, 8)
	p := r.Op1(n.Op, n.Site, r.Reshape(n.Site, r.Value(n.Args[0]), grouped))
	return []*ir.Value{r.Reshape(n.Site, p, n.Result().Type.Shape)}
}

func dropScale(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	if !at(n, ir.OpMul, "mlp.router") {
		return nil
	}
	return r.Values(n.Args[:1])
}

// scaleFirst multiplies all probabilities, so that the scale takes part in the choice.
func scaleFirst() func(*ir.Rewriter, *ir.Node) []*ir.Value {
	var scale *ir.Value // of the layer being rewritten: its weight stands before its softmax
	return func(r *ir.Rewriter, n *ir.Node) []*ir.Value {
		if strings.HasSuffix(n.Str("name"), "router_scale") {
			scale = n.Result()
		}
		if !at(n, ir.OpSoftmax, "mlp.router") {
			return dropScale(r, n)
		}
		wide := r.Add(ir.OpCast, n.Site, []*ir.Value{r.Value(scale)}, ir.DType("to", dtype.F32))[0]
		p := r.Op1(n.Op, n.Site, r.Value(n.Args[0]))
		return []*ir.Value{r.Op1(ir.OpMul, n.Site, p, wide)}
	}
}

func dropShared(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	if !at(n, ir.OpAdd, "mlp.shared") {
		return nil
	}
	return r.Values(n.Args[:1])
}

func exchangeGateUp(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	if !at(n, ir.OpMul, "mlp.experts") {
		return nil
	}
	gate, up := r.Value(n.Args[0].Def.Args[0]), r.Value(n.Args[1])
	return r.Add(ir.OpMul, n.Site, []*ir.Value{gate, r.Op1(ir.OpSiLU, n.Site, up)})
}

// interleave rotates neighbours instead of halves; the order of the result is left alone, which
// changes nothing since queries and keys share it.
func interleave(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.OpSlice || !strings.Contains(n.Site, "self_attn") {
		return nil
	}
	x := r.Value(n.Args[0])
	half := x.Type.Shape[2].Coef / 2
	pairs := append(append(shape.Shape{}, x.Type.Shape[:2]...), shape.Fixed(half), shape.Fixed(2))
	odd := n.Int("lo") / half
	one := r.Slice(n.Site, r.Reshape(n.Site, x, pairs), 3, odd, odd+1)
	return []*ir.Value{r.Reshape(n.Site, one, n.Result().Type.Shape)}
}

// dealHeads lets query head h read key head h modulo their number.
func dealHeads(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.OpAttend {
		return nil
	}
	args := r.Values(n.Args)
	heads, kv := args[0].Type.Shape[1].Coef, args[1].Type.Shape[0].Coef
	order, back := make([]int64, heads), make([]int64, heads)
	for h := range heads {
		place := h%kv*(heads/kv) + h/kv
		order[place], back[h] = h, place
	}
	args[0] = reorder(r, n.Site, args[0], order)
	y := r.Add(n.Op, n.Site, args, n.Attrs...)[0]
	return []*ir.Value{reorder(r, n.Site, y, back)}
}

func reorder(r *ir.Rewriter, site string, x *ir.Value, order []int64) *ir.Value {
	var parts []*ir.Value
	for _, h := range order {
		parts = append(parts, r.Slice(site, x, 1, h, h+1))
	}
	return r.Add(ir.OpConcat, site, parts, ir.Int("axis", 1))[0]
}

func dropHeadNorm(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	if !at(n, ir.OpRMSNorm, "k_norm") {
		return nil
	}
	return r.Values(n.Args[:1])
}

func dropLastNorm(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.OpRMSNorm || n.Site != "norm" {
		return nil
	}
	return r.Values(n.Args[:1])
}
