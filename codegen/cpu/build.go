package cpu

import (
	"fmt"
	"math/bits"
	"slices"
	"sort"
	"strconv"

	"moge/codegen"
	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/shape"
	"moge/passes"
	"moge/runtime/device"
)

// builder collects the parts of a plan while it walks the graph.
type builder struct {
	graph    *ir.Graph
	limits   codegen.Limits
	constant []bool             // by value ID
	buffer   []int              // by value ID, -1 before it has one
	state    []int              // by value ID, -1 when it is not a state
	root     []int              // by buffer: the buffer whose memory it shares
	live     []codegen.Interval // by buffer; meaningful for roots
	program  *bundlepb.Program
	sections []*bundlepb.Section
	work     []codegen.Work
	index    map[sectionKey]int
	names    map[string]bool
}

// Build lowers a graph to a plan for the CPU. Its inputs, states and outputs become the program's.
func Build(g *ir.Graph, limits codegen.Limits) (*codegen.Plan, error) {
	b := &builder{
		graph: g, limits: limits, constant: g.Constants(),
		buffer: fill(g.Values(), -1), state: fill(g.Values(), -1),
		program: &bundlepb.Program{Name: "step", Limits: &bundlepb.Limits{MaxBatchTokens: limits.BatchTokens,
			MaxSeqs: limits.Seqs, Context: limits.Context, MaxLogitsRows: limits.LogitsRows}},
		index: map[sectionKey]int{}, names: map[string]bool{},
	}
	for _, n := range g.Nodes {
		if err := b.node(n); err != nil {
			return nil, fmt.Errorf("%s: %w", place(n), err)
		}
	}
	if err := b.outputs(); err != nil {
		return nil, err
	}
	b.planMemory()
	return b.plan()
}

// place names a node in errors; sources have no site.
func place(n *ir.Node) string {
	if n.Site == "" {
		return n.Op.String() + " " + n.Str("name")
	}
	return n.Site
}

func fill(n, v int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = v
	}
	return list
}

// newBuffer makes a buffer for a value, in the memory of buffer alias unless that is -1.
func (b *builder) newBuffer(v *ir.Value, alias int) int {
	i := len(b.program.Buffers)
	b.program.Buffers = append(b.program.Buffers,
		&bundlepb.Buffer{Dtype: protoDType(v.Type.DType), Shape: protoDims(v.Type.Shape)})
	b.buffer[v.ID] = i
	if alias >= 0 {
		b.root = append(b.root, b.root[alias])
		b.live = append(b.live, codegen.Interval{})
		return i
	}
	step := len(b.program.Steps)
	b.root = append(b.root, i)
	b.live = append(b.live, codegen.Interval{First: step, Last: step, Size: b.bytes(v.Type)})
	return i
}

// bytes is the memory of a buffer when every scalar is at its limit.
func (b *builder) bytes(t ir.Type) int64 {
	env := &shape.Env{shape.T: b.limits.BatchTokens, shape.L: b.limits.LogitsRows}
	return device.BufferBytes(t.DType, t.Shape.Eval(env))
}

// maxElements bounds a buffer, so that the bytes of many stay inside an int64.
const maxElements = 1 << 40

// wantSize refuses results that no machine could hold, before their sizes are computed with.
func (b *builder) wantSize(n *ir.Node) error {
	scalars := shape.Env{shape.T: b.limits.BatchTokens, shape.L: b.limits.LogitsRows}
	for _, r := range n.Results {
		count := uint64(1)
		for _, d := range r.Type.Shape {
			for _, factor := range []int64{d.Coef, max(1, scalars[d.Scalar])} {
				high, low := bits.Mul64(max(1, count), uint64(factor))
				if high > 0 || low > maxElements {
					return fmt.Errorf("%v is too large at %d tokens and %d rows of logits",
						r.Type, b.limits.BatchTokens, b.limits.LogitsRows)
				}
				count = low
			}
		}
	}
	return nil
}

// planMemory gives every root its place in the arena and views the place of their root.
// Inputs are written before the first step and outputs read after the last.
func (b *builder) planMemory() {
	for _, p := range b.program.Outputs {
		b.live[b.root[p.Buffer]].Last = len(b.program.Steps)
	}
	var intervals []codegen.Interval
	var roots []int
	for i := range b.live {
		if b.root[i] == i {
			roots, intervals = append(roots, i), append(intervals, b.live[i])
		}
	}
	b.program.ArenaBytes = uint64(codegen.PlanMemory(intervals, bundle.Align))
	for j, i := range roots {
		b.live[i].Offset = intervals[j].Offset
	}
	for i, p := range b.program.Buffers {
		p.Offset = uint64(b.live[b.root[i]].Offset)
	}
}

// plan puts the sections in their file, or in one a rank, and cuts their work into units.
func (b *builder) plan() (*codegen.Plan, error) {
	size, err := bundle.Layout(b.sections, nil)
	if err != nil {
		return nil, err
	}
	p := &codegen.Plan{Nodes: len(b.graph.Nodes), Manifest: &bundlepb.Manifest{
		Targets:  []string{"cpu"},
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

func sortAttrs(attrs []*bundlepb.Attr) {
	sort.Slice(attrs, func(i, j int) bool { return attrs[i].Name < attrs[j].Name })
}

// sectionKey finds a section that was asked for before: equal values, layout and type.
type sectionKey struct {
	values string // their IDs
	layout string
	to     dtype.Type
}

func keyOf(values []*ir.Value, layout string, to dtype.Type) sectionKey {
	var ids []byte
	for _, v := range values {
		ids = append(strconv.AppendInt(ids, int64(v.ID), 10), ' ')
	}
	return sectionKey{string(ids), layout, to}
}

// addSection appends a section under a unique name and returns its index.
func (b *builder) addSection(name, layout string, d dtype.Type, dims []int64) int {
	unique := name
	for i := 2; b.names[unique]; i++ {
		unique = fmt.Sprintf("%s.%d", name, i)
	}
	b.names[unique] = true
	b.sections = append(b.sections, &bundlepb.Section{Name: unique, Dtype: protoDType(d), Shape: dims,
		Layout: layout})
	return len(b.sections) - 1
}

func sectionOperand(i int) *bundlepb.Operand {
	return &bundlepb.Operand{Kind: &bundlepb.Operand_Section{Section: uint32(i)}}
}

// rows asks for a constant row-major as elements of type to.
func (b *builder) rows(name string, v *ir.Value, to dtype.Type) (*bundlepb.Operand, error) {
	if !b.constant[v.ID] {
		return nil, fmt.Errorf("%s is not constant", name)
	}
	if !v.Type.DType.Float() && v.Type.DType != to {
		return nil, fmt.Errorf("%s is %v, want floats", name, v.Type)
	}
	key := keyOf([]*ir.Value{v}, layoutRow, to)
	i, ok := b.index[key]
	if !ok {
		i = b.addSection(name, layoutRow, to, v.Type.Shape.Ints())
		b.index[key] = i
		b.work = append(b.work, codegen.RowWork(v, to, i))
	}
	return sectionOperand(i), nil
}

// floatTiles asks for one float weight, or one of each expert, as tiles.
func (b *builder) floatTiles(name string, parts []*ir.Value) (*bundlepb.Operand, error) {
	if err := b.wantConstant(name, parts); err != nil {
		return nil, err
	}
	m := newMatrices(parts)
	key := keyOf(parts, layoutTile, m.dtype())
	i, ok := b.index[key]
	if !ok {
		i = b.addSection(name, layoutTile, m.dtype(), m.shape())
		b.index[key] = i
		b.work = append(b.work, tileWork(m, i))
	}
	return sectionOperand(i), nil
}

// int8Tiles asks for int8 weights with their scales and row sums.
func (b *builder) int8Tiles(site string, q, s []*ir.Value) ([]*bundlepb.Operand, error) {
	all := slices.Concat(q, s)
	if err := b.wantConstant(site, all); err != nil {
		return nil, err
	}
	m := newMatrices(q)
	key := keyOf(all, layoutTileI8, dtype.I8)
	i, ok := b.index[key]
	if !ok {
		dims := m.shape()
		rows := dims[:len(dims)-1]
		padded := append(append([]int64{}, rows[:len(rows)-1]...), m.tiles()*tileRows)
		i = b.addSection(site+".weight", layoutTileI8, dtype.I8, dims)
		b.addSection(site+".weight_scale", layoutRow, dtype.F32, rows)
		b.addSection(site+".row_sum", layoutRow, dtype.I32, padded)
		b.index[key] = i
		b.work = append(b.work, int8Work(int8Tiles{m, matrices{parts: s}}, i))
	}
	return []*bundlepb.Operand{sectionOperand(i), sectionOperand(i + 1), sectionOperand(i + 2)}, nil
}

func (b *builder) wantConstant(name string, values []*ir.Value) error {
	for _, v := range values {
		if !b.constant[v.ID] {
			return fmt.Errorf("a weight of %s is not constant", name)
		}
	}
	return nil
}
