package model

import (
	"moge/formats/bundle/bundlepb"
	"moge/ir"
	"moge/ir/dtype"
)

// collectives are the op-codes that ranks run together.
var collectives = map[ir.Op]bundlepb.OpCode{
	ir.OpAllGather: bundlepb.OpCode_ALL_GATHER, ir.OpReduceScatter: bundlepb.OpCode_REDUCE_SCATTER,
	ir.OpAllReduce: bundlepb.OpCode_ALL_REDUCE,
}

// collective is a step of the host: rows of halves from buffer to buffer. How many rows a rank brings is
// in the attribute rows, as the scalars of a launch are.
func (b *builder) collective(n *ir.Node) error {
	from, ok := b.at[n.Args[0].ID]
	if !ok {
		_, err := b.rows(n, 0)
		return err
	}
	t := n.Result().Type
	if from.int8 || len(t.Shape) != 2 {
		return unsupported(n, "rows of halves alone pass between cards: leave SinkAllGather on")
	}
	if wire, ok := n.Attr("wire"); t.DType == dtype.F32 && (!ok || wire.DType != dtype.F16) {
		return unsupported(n, "rows of halves alone pass between cards")
	}
	to := b.halves(t.Shape[0], width(n, 0))
	b.put(n.Result(), to)
	number := func(name string) *bundlepb.Attr {
		return &bundlepb.Attr{Name: name, Value: &bundlepb.Attr_I{I: n.Int(name)}}
	}
	rows := count(rowsIn(n, 0))
	rows.Name = "rows"
	b.host(&bundlepb.Step{Op: collectives[n.Op], Site: n.Site, Args: []*bundlepb.Operand{from.rows},
		Results: []*bundlepb.Operand{to}, Attrs: []*bundlepb.Attr{rows, number("size"), number("stride")}})
	return nil
}

// host adds a step without a kernel.
func (b *builder) host(s *bundlepb.Step) {
	for _, o := range append(s.Args[:len(s.Args):len(s.Args)], s.Results...) {
		b.touch(o)
	}
	b.launches = append(b.launches, &launch{site: s.Site, host: s})
}

// shard: the host gives each rank its own tokens, and the gate its own groups of experts.
func (b *builder) shard(n *ir.Node) error {
	if n.Args[0].Def.Op == ir.OpInput {
		return nil
	}
	if n.Int("axis") == 1 && n.Args[0].Def.Op == ir.OpMoEGate {
		b.view(n)
		return nil
	}
	return unsupported(n, "rows that a card has already are not cut: leave SinkAllGather on")
}
