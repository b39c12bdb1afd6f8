package cpu

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"moge/codegen"
	"moge/formats/bundle/bundlepb"
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/shape"
	"moge/ir/tensor"
	"moge/tests/fixture"
)

var testLimits = codegen.Limits{BatchTokens: 8, Seqs: 2, Context: 32, LogitsRows: 4}

// memory is a checkpoint in memory, for plans and for the interpreter.
type memory = fixture.Memory

// randomWeights fills every weight of a graph.
func randomWeights(g *ir.Graph) memory {
	r := rand.New(rand.NewPCG(7, 7))
	m := memory{}
	for _, n := range g.Nodes {
		if n.Op != ir.OpWeight {
			continue
		}
		t := tensor.New(n.Result().Type.DType, n.Result().Type.Shape.Ints()...)
		for i := range t.F32 {
			t.F32[i] = tensor.Round(t.DType, float32(r.NormFloat64()))
		}
		for i := range t.I8 {
			t.I8[i] = int8(r.IntN(255) - 127)
		}
		m[n.Str("name")] = t
	}
	return m
}

// tokensOf is a type with one row a token.
func tokensOf(d dtype.Type, inner ...int64) ir.Type {
	return ir.Tensor(d, shape.Rows(shape.Of(shape.T), inner...))
}

func finish(t testing.TB, b *ir.Builder) *ir.Graph {
	t.Helper()
	g, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func build(t testing.TB, g *ir.Graph) *codegen.Plan {
	t.Helper()
	p, err := Build(g, testLimits)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// printPlan writes a plan as lines: ports, states, buffers with their place in the arena,
// steps, sections with their place in the file, and units of work.
func printPlan(p *codegen.Plan) string {
	var w strings.Builder
	m := p.Manifest.Programs[0]
	for _, in := range m.Inputs {
		fmt.Fprintf(&w, "input %s = b%d\n", in.Name, in.Buffer)
	}
	for i, s := range m.States {
		fmt.Fprintf(&w, "state s%d %s %s[%d,%d]\n", i, s.Name, spell(s.Dtype), s.Heads, s.Width)
	}
	for i, b := range m.Buffers {
		fmt.Fprintf(&w, "b%d %s%s at %d\n", i, spell(b.Dtype), spellDims(b.Shape), b.Offset)
	}
	fmt.Fprintf(&w, "arena %d\n", m.ArenaBytes)
	for _, s := range m.Steps {
		fmt.Fprintf(&w, "%s %s(%s)%s @%s\n", spellOperands(s.Results), strings.ToLower(s.Op.String()),
			spellOperands(s.Args), spellAttrs(s.Attrs), s.Site)
	}
	for _, out := range m.Outputs {
		fmt.Fprintf(&w, "output %s = b%d\n", out.Name, out.Buffer)
	}
	for i, s := range p.Manifest.Ranks[0].Sections {
		fmt.Fprintf(&w, "w%d %s %s%v %s at %d, %d bytes\n", i, s.Name, spell(s.Dtype), s.Shape, s.Layout,
			s.Offset, s.Size)
	}
	for _, u := range p.Units {
		fmt.Fprintf(&w, "unit %d to %d:", u.Lo, u.Hi)
		for _, e := range u.Extents {
			fmt.Fprintf(&w, " w%d[%d:%d]", e.Section, e.Offset, e.Offset+e.Size)
		}
		w.WriteByte('\n')
	}
	return w.String()
}

func spell(d bundlepb.DType) string { return dtype.Type(d).String() }

func spellDims(dims []*bundlepb.Dim) string {
	var parts []string
	for _, d := range dims {
		text := fmt.Sprint(d.Coef)
		if d.Scalar != 0 {
			text += "*" + d.Scalar.String()
		}
		if d.Div > 1 {
			text += fmt.Sprintf("/%d", d.Div)
		}
		parts = append(parts, text)
	}
	return "[" + strings.Join(parts, ",") + "]"
}

func spellOperands(list []*bundlepb.Operand) string {
	var parts []string
	for _, o := range list {
		switch k := o.Kind.(type) {
		case *bundlepb.Operand_Buffer:
			parts = append(parts, fmt.Sprintf("b%d", k.Buffer))
		case *bundlepb.Operand_Section:
			parts = append(parts, fmt.Sprintf("w%d", k.Section))
		case *bundlepb.Operand_State:
			parts = append(parts, fmt.Sprintf("s%d", k.State))
		}
	}
	return strings.Join(parts, " ")
}

func spellAttrs(list []*bundlepb.Attr) string {
	text := ""
	for _, a := range list {
		switch v := a.Value.(type) {
		case *bundlepb.Attr_I:
			text += fmt.Sprintf(" %s=%d", a.Name, v.I)
		case *bundlepb.Attr_F:
			text += fmt.Sprintf(" %s=%v", a.Name, v.F)
		case *bundlepb.Attr_S:
			text += fmt.Sprintf(" %s=%q", a.Name, v.S)
		}
	}
	return text
}
