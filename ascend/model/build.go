package model

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
	"moge/ascend/kernel/lower"
	"moge/ascend/kernel/scalar"
	"moge/ascend/kernels"
	"moge/ascend/soc"
	"moge/codegen"
	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/ir"
	"moge/passes"
)

// Model is a graph whose every op has its kernel.
type Model struct{ *builder }

// New gives every op of a graph its kernel for a chip. The graph has LegalizeTypes behind it; ops
// that only view, slice or round are part of the kernels around them. *UnsupportedError names an op
// that has none.
func New(g *ir.Graph, chip *soc.Chip, l Limits) (*Model, error) {
	b := newBuilder(g, chip, l)
	if err := b.walk(); err != nil {
		return nil, err
	}
	return &Model{b}, nil
}

// WeightBytes is the size of the weight file of a rank.
func (m *Model) WeightBytes() (int64, error) { return bundle.Layout(m.sections, nil) }

// Select gives the specs of the kernels of a graph, sorted by name; see New.
func Select(g *ir.Graph, chip *soc.Chip, l Limits) ([]kernels.Spec, error) {
	m, err := New(g, chip, l)
	if err != nil {
		return nil, err
	}
	return m.Specs(), nil
}

// Plan plans the launches of the kernels, lowered from Specs. Source says where the bundle has the
// text of a kernel. The manifest has programs, ranks and kernels. A model is planned once.
func (m *Model) Plan(
	programs []*device.Program,
	source func(kernel string) string,
) (*codegen.Plan, error) {
	table := m.schedule(programs)
	plan, err := m.plan()
	if err != nil {
		return nil, err
	}
	for _, s := range m.Specs() {
		name := s.KernelName()
		plan.Manifest.Kernels = append(plan.Manifest.Kernels, described(table[name], s, source(name)))
	}
	return plan, nil
}

// Arena is the memory for activations and for what kernels work in, of which Plan makes the launches. A
// model is asked for one or the other.
func (m *Model) Arena(programs []*device.Program) int64 {
	m.schedule(programs)
	return int64(m.program.ArenaBytes)
}

// schedule makes the steps and places their buffers; it gives the programs by name.
func (m *Model) schedule(programs []*device.Program) map[string]*device.Program {
	table := map[string]*device.Program{}
	for _, p := range programs {
		table[p.Name] = p
	}
	for i, l := range m.launches {
		m.program.Steps = append(m.program.Steps, m.step(i, l, table[l.kernel]))
	}
	m.placeBuffers()
	return table
}

// Specs are those of the kernels, sorted by name.
func (b *builder) Specs() []kernels.Spec {
	list := make([]kernels.Spec, 0, len(b.specs))
	for _, s := range b.specs {
		list = append(list, s)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].KernelName() < list[j].KernelName() })
	return list
}

// roleOf is the role of a kernel's tensor as the manifest has it.
func roleOf(g *kernel.Global) bundlepb.TensorRole {
	if g.Name == lower.SyncArea {
		return bundlepb.TensorRole_ROLE_ZEROED
	}
	return [...]bundlepb.TensorRole{
		kernel.In: bundlepb.TensorRole_ROLE_IN, kernel.Out: bundlepb.TensorRole_ROLE_OUT,
		kernel.InOut: bundlepb.TensorRole_ROLE_IN_OUT, kernel.Scratch: bundlepb.TensorRole_ROLE_SCRATCH,
		kernel.Exchange: bundlepb.TensorRole_ROLE_SCRATCH,
	}[g.Role]
}

func described(p *device.Program, s kernels.Spec, source string) *bundlepb.Kernel {
	k := &bundlepb.Kernel{Name: p.Name, Source: source, Blocks: uint32(p.Blocks()),
		Spec: kernels.MarshalSpec(s)}
	for _, g := range p.Globals {
		k.Tensors = append(k.Tensors, &bundlepb.KernelTensor{Name: g.Name, Role: roleOf(g)})
	}
	for _, v := range p.Params {
		k.Scalars = append(k.Scalars, v.Name)
	}
	return k
}

// step puts the arguments of launch i in the order of its kernel.
func (b *builder) step(i int, l *launch, p *device.Program) *bundlepb.Step {
	if l.host != nil {
		return l.host
	}
	s := &bundlepb.Step{Op: bundlepb.OpCode_LAUNCH, Variant: l.kernel, Site: l.site}
	for _, g := range p.Globals {
		role := roleOf(g)
		o := l.args[g.Name]
		if work := role == bundlepb.TensorRole_ROLE_SCRATCH || role == bundlepb.TensorRole_ROLE_ZEROED; work {
			o = b.scratch(i, g)
		} else if o == nil {
			panic(fmt.Sprintf("BUG: kernel %s: no tensor %s", l.kernel, g.Name))
		}
		b.wantRoom(l, g, o)
		s.Args = append(s.Args, o)
		if role == bundlepb.TensorRole_ROLE_OUT || role == bundlepb.TensorRole_ROLE_IN_OUT {
			s.Results = append(s.Results, o)
		}
	}
	s.Attrs = l.attrs(p)
	return s
}

// attrs are the scalars of a launch and, of attention, how it is repeated.
func (l *launch) attrs(p *device.Program) []*bundlepb.Attr {
	var list []*bundlepb.Attr
	add := func(name string, a *bundlepb.Attr) {
		list = append(list, &bundlepb.Attr{Name: name, Value: a.Value})
	}
	for _, v := range p.Params {
		a := l.scalars[v.Name]
		if a == nil {
			panic(fmt.Sprintf("BUG: kernel %s: no scalar %s", l.kernel, v.Name))
		}
		add(v.Name, a)
	}
	if l.each != "" {
		add("each", word(l.each))
	}
	if l.pad != "" {
		i := slices.IndexFunc(p.Globals, func(g *kernel.Global) bool { return g.Name == l.pad })
		add("each_pad", &bundlepb.Attr{Value: &bundlepb.Attr_I{I: int64(i)}})
	}
	for _, of := range []struct {
		name  string
		names []string
	}{{"each_rows", l.rows}, {"each_tables", l.tables}} {
		if of.names == nil {
			continue
		}
		at := &bundlepb.Ints{}
		for i, g := range p.Globals {
			if slices.Contains(of.names, g.Name) {
				at.Values = append(at.Values, int64(i))
			}
		}
		add(of.name, &bundlepb.Attr{Value: &bundlepb.Attr_Ints{Ints: at}})
	}
	slices.SortFunc(list, func(a, b *bundlepb.Attr) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// storage is the bytes of a tensor with every argument of the kernel at its limit.
func storage(g *kernel.Global) int64 {
	return g.Bytes(func(v *scalar.Var) int64 {
		_, hi := v.Int().Range()
		return hi
	})
}

// scratch is memory of one launch alone.
func (b *builder) scratch(step int, g *kernel.Global) *bundlepb.Operand {
	i := len(b.program.Buffers)
	size := roundUp(int(storage(g)), kernel.Block)
	b.program.Buffers = append(b.program.Buffers, &bundlepb.Buffer{Dtype: bundlepb.DType_I32,
		Shape: []*bundlepb.Dim{fixed(size / kernel.Block), fixed(blockLanes)}})
	b.live = append(b.live, codegen.Interval{First: step, Last: step, Size: int64(size)})
	return &bundlepb.Operand{Kind: &bundlepb.Operand_Buffer{Buffer: uint32(i)}}
}

// wantRoom holds that a buffer is as large as the kernel takes it to be, when all is at its limit.
func (b *builder) wantRoom(l *launch, g *kernel.Global, o *bundlepb.Operand) {
	buf, ok := o.Kind.(*bundlepb.Operand_Buffer)
	if ok && b.live[buf.Buffer].Size < storage(g) {
		panic(
			fmt.Sprintf("BUG: kernel %s: %d bytes for %s, which has %d", l.kernel, b.live[buf.Buffer].Size,
				g.Name, storage(g)),
		)
	}
}

// placeBuffers gives every buffer its place in the arena. Inputs are written before the first step
// and outputs read after the last.
func (b *builder) placeBuffers() {
	for _, p := range b.program.Outputs {
		b.live[p.Buffer].Last = len(b.program.Steps)
	}
	b.program.ArenaBytes = uint64(codegen.PlanMemory(b.live, bundle.Align))
	for i, p := range b.program.Buffers {
		p.Offset = uint64(b.live[i].Offset)
	}
}

// plan puts the sections in their file, or in one a rank, and cuts their work into units.
func (b *builder) plan() (*codegen.Plan, error) {
	size, err := bundle.Layout(b.sections, nil)
	if err != nil {
		return nil, err
	}
	p := &codegen.Plan{Nodes: len(b.graph.Nodes), Manifest: &bundlepb.Manifest{
		Programs: []*bundlepb.Program{b.program},
		Ranks:    []*bundlepb.Rank{{File: bundle.RankFile(0), Size: size, Sections: b.sections}},
	}}
	place, err := passes.PlacementOf(b.graph)
	if err != nil {
		return nil, err
	}
	p.ForRanks(b.work, place)
	return p, nil
}
