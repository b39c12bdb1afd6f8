package fit

import (
	"fmt"
	"strings"

	"moge/ascend/kernel"
	"moge/ascend/kernels"
	"moge/codegen/weights"
	"moge/formats/bundle"
	"moge/ir"
	"moge/ir/dtype"
)

// Kinds of weights.
const (
	Experts   = "experts"
	Linears   = "linears"
	Scales    = "scales"
	Biases    = "biases"
	Embedding = "embedding"
	Head      = "head"
	Router    = "router"
	Norms     = "norms"
	Other     = "other"
)

// kinds is the order of reports. Those that are whole on every chip of several are not sharded.
var kinds = []struct {
	name    string
	sharded bool
}{
	{Experts, true}, {Linears, true}, {Scales, true}, {Biases, true}, {Embedding, true}, {Head, true},
	{Router, false}, {Norms, false}, {Other, false},
}

// Part is the weights of one kind and element type, as they are stored for the card.
type Part struct {
	Kind    string
	DType   dtype.Type
	Bytes   int64 // padding included
	Padding int64
	Sharded bool // several chips would share it out
}

func total(parts []Part) (n int64) {
	for _, p := range parts {
		n += p.Bytes
	}
	return n
}

// stored is one constant in the form in which a kernel reads it.
type stored struct {
	kind  string
	dtype dtype.Type
	form  string
	bytes int64
	plain int64 // without padding
}

// parts sums up what the kernels of a graph read, each constant once for each form of it.
func parts(g *ir.Graph) []Part {
	table := map[string]*Part{}
	seen := map[string]bool{}
	constant := g.Constants()
	for _, n := range g.Nodes {
		if constant[n.Results[0].ID] {
			continue
		}
		for i, v := range n.Args {
			if !constant[v.ID] {
				continue
			}
			s := store(n, i)
			key := fmt.Sprint(v.ID, s.form, s.dtype)
			if !seen[key] {
				seen[key] = true
				add(table, s)
			}
		}
		if n.Op == ir.OpQuantizeStatic {
			add(table, fixedScale())
		}
	}
	return ordered(table)
}

func key(kind string, d dtype.Type) string { return kind + " " + d.String() }

func add(table map[string]*Part, s stored) {
	p := table[key(s.kind, s.dtype)]
	if p == nil {
		p = &Part{Kind: s.kind, DType: s.dtype}
		table[key(s.kind, s.dtype)] = p
	}
	bytes := roundUp(s.bytes, bundle.Align)
	p.Bytes += bytes
	p.Padding += bytes - s.plain
}

func ordered(table map[string]*Part) []Part {
	var list []Part
	for _, kind := range kinds {
		for _, d := range []dtype.Type{dtype.I8, dtype.F16, dtype.F32, dtype.I32} {
			if p := table[key(kind.name, d)]; p != nil {
				p.Sharded = kind.sharded
				list = append(list, *p)
			}
		}
	}
	return list
}

// store is the form of argument i of a node.
func store(n *ir.Node, i int) stored {
	v := n.Args[i]
	switch {
	case v.Type.DType == dtype.I8:
		return nz(v, kindOf(n), dtype.I8)
	case v.Def.Op == ir.OpQuantizeWeight:
		return rows(v, Scales, dtype.F32)
	case n.Op == ir.OpLinear && i == 1, n.Op == ir.OpGroupedLinear, n.Op == ir.OpMoEGate && i == 1:
		return nz(v, kindOf(n), dtype.F16)
	case n.Op == ir.OpMoEGate:
		return rows(v, Router, dtype.F32)
	case n.Op == ir.OpLinear, n.Op == ir.OpQLinear, n.Op == ir.OpW8Linear:
		return rows(v, Biases, dtype.F32)
	case n.Op == ir.OpEmbed:
		return rows(v, Embedding, dtype.F16)
	case n.Op == ir.OpRMSNorm, n.Op == ir.OpAddRMSNorm:
		return rows(v, Norms, dtype.F16)
	case v.Type.DType.Float():
		return rows(v, Other, dtype.F16)
	}
	return rows(v, Other, dtype.I32)
}

// kindOf is what the product of a node is for.
func kindOf(n *ir.Node) string {
	switch {
	case n.Site == "lm_head":
		return Head
	case n.Op == ir.OpMoEGate, strings.HasSuffix(n.Site, ".router"):
		return Router
	case strings.Contains(n.Site, ".mlp.experts"):
		return Experts
	}
	return Linears
}

// rows is a constant as it is, row after row.
func rows(v *ir.Value, kind string, d dtype.Type) stored {
	bytes := d.Bytes(weights.Elements(v))
	return stored{kind, d, "rows", bytes, bytes}
}

// nz is matrices [N, K] in NZ: N in fractals of 16 rows, K in pieces of 32 bytes; the head in the
// blocks of kernels.HeadBlocks.
func nz(v *ir.Value, kind string, d dtype.Type) stored {
	dims := v.Type.Shape.Ints()
	k, cols := dims[len(dims)-1], dims[len(dims)-2]
	matrices := weights.Elements(v) / (k * cols)
	stride := roundUp(cols, kernel.FractalRows)
	if kind == Head {
		blocks, blockRows := kernels.HeadBlocks(int(cols))
		stride = int64(blocks) * int64(blockRows)
	}
	return stored{kind, d, "nz", matrices * stride * roundUp(d.Bytes(k), kernel.Block),
		d.Bytes(matrices * cols * k)}
}

// fixedScale is what a kernel knows of a static range.
func fixedScale() stored {
	shape := kernels.FixedScale()
	bytes := dtype.F32.Bytes(int64(shape.Cols))
	return stored{Scales, dtype.F32, "rows", bytes, bytes}
}

func roundUp(n, multiple int64) int64 { return (n + multiple - 1) / multiple * multiple }
