package calibrate

import (
	"context"
	"fmt"

	"moge/codegen/weights"
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/interp"
	"moge/ir/tensor"
	"moge/quant"
	"moge/runtime/cpu"
)

// Options bound the work.
type Options struct {
	Workers   int
	MaxMemory int64 // bytes for activations and weight blocks together; 0 is no bound
	Progress  func(done, total int64)
}

// Run executes g, a graph with observers, over the windows (token ids, each a sequence of
// its own) and returns the measured sites in ascending order. Names of fused sites are
// those of the graph; Members spreads them.
func Run(ctx context.Context, g *ir.Graph, src weights.Source, windows [][]int32,
	opt Options) ([]quant.Site, error) {
	r := &runner{ctx: ctx, graph: g, src: src, pool: cpu.NewPool(max(1, opt.Workers)),
		observers: map[string]*quant.Observer{}}
	defer r.pool.Close()
	batches := pack(windows, batchTokens(g, opt.MaxMemory))
	for i, batch := range batches {
		if err := r.step(batch); err != nil {
			return nil, err
		}
		if opt.Progress != nil {
			opt.Progress(int64(i+1), int64(len(batches)))
		}
	}
	return r.sites(), nil
}

type runner struct {
	ctx       context.Context
	graph     *ir.Graph
	src       weights.Source
	pool      *cpu.Pool
	observers map[string]*quant.Observer
	order     []string // observed sites in graph order
}

func (r *runner) step(windows [][]int32) error {
	var in interp.Inputs
	for s, window := range windows {
		for position, id := range window {
			in.Tokens = append(in.Tokens, id)
			in.Positions = append(in.Positions, int32(position))
			in.Sequences = append(in.Sequences, int32(s))
			in.Rows = append(in.Rows, int32(len(in.Rows))) // the head's range is that of every row
		}
	}
	_, err := interp.Run(r.graph, in, nil, constants{r.src, r.graph}, interp.Options{Override: r.override})
	return err
}

// override takes over what reads large weights, and the observers.
func (r *runner) override(n *ir.Node, args []*tensor.Tensor) ([]*tensor.Tensor, bool, error) {
	if err := r.ctx.Err(); err != nil {
		return nil, false, err
	}
	var out *tensor.Tensor
	var err error
	switch n.Op {
	case ir.OpObserve:
		out, err = args[0], r.observe(n, args)
	case ir.OpEmbed:
		out, err = r.embed(n, args[0])
	case ir.OpLinear:
		out, err = r.linear(n, args[0])
	case ir.OpGroupedLinear:
		out, err = r.grouped(n, args[0], args[1])
	default:
		return nil, false, nil
	}
	return []*tensor.Tensor{out}, true, err
}

func (r *runner) observe(n *ir.Node, args []*tensor.Tensor) error {
	experts := 0
	if len(args) == 2 {
		experts = len(args[1].I32) - 1
	}
	o := r.observers[n.Site]
	if o == nil {
		o = quant.NewObserver(n.Site, experts)
		r.observers[n.Site] = o
		r.order = append(r.order, n.Site)
	}
	width := args[0].Last()
	if experts == 0 {
		return o.Observe(-1, args[0].F32, width)
	}
	for e := range experts {
		lo, hi := int(args[1].I32[e]), int(args[1].I32[e+1])
		if err := o.Observe(e, args[0].F32[lo*width:hi*width], width); err != nil {
			return err
		}
	}
	return nil
}

// sites are the measurements, spread over the members of fused sites.
func (r *runner) sites() []quant.Site {
	var out []quant.Site
	for _, name := range r.order {
		site := r.observers[name].Site()
		for _, member := range ir.SiteMembers(name) {
			site.Name = member
			out = append(out, site)
		}
	}
	return out
}

func (r *runner) embed(n *ir.Node, ids *tensor.Tensor) (*tensor.Tensor, error) {
	table := n.Args[1]
	width := weights.RowLength(table)
	rows := table.Type.Shape[0].Coef
	out := tensor.New(dtype.F32, int64(len(ids.I32)), width)
	for t, id := range ids.I32 {
		if id < 0 || int64(id) >= rows {
			return nil, fmt.Errorf("token %d is outside the vocabulary of %d", id, rows)
		}
		row := out.F32[int64(t)*width : int64(t+1)*width]
		if err := weights.Floats(r.src, table, int64(id)*width, row); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// constants evaluates what is left to the interpreter, small vectors mostly, by tensor.
type constants struct {
	src   weights.Source
	graph *ir.Graph
}

// Weight reads a whole tensor of the checkpoint.
func (c constants) Weight(name string) (*tensor.Tensor, error) {
	for _, n := range c.graph.Nodes {
		if n.Op == ir.OpWeight && n.Str("name") == name {
			t := n.Result().Type
			raw := make([]byte, t.DType.Bytes(weights.Elements(n.Result())))
			if err := c.src.ReadAt(name, raw, 0); err != nil {
				return nil, err
			}
			return tensor.FromBytes(t.DType, t.Shape.Ints(), raw)
		}
	}
	return nil, fmt.Errorf("the graph has no weight %s", name)
}
