package report

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"moge/codegen/balance"
	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
	"moge/ir/placement"
)

// walk is what every part of a report reads of the program.
type walk struct {
	manifest *bundlepb.Manifest
	program  *bundlepb.Program
	placed   placement.Placement
	step     Step
	scalars  scalars // of the step
	most     scalars // at the limits
	kernels  map[string]*bundlepb.Kernel
	expert   int64 // experts of a rank
	rows     int64 // of a rank's experts
}

func newWalk(m *bundlepb.Manifest, p *bundlepb.Program, placed placement.Placement, step Step) *walk {
	w := &walk{manifest: m, program: p, placed: placed, step: step, kernels: map[string]*bundlepb.Kernel{}}
	l := p.Limits
	logits := cmp.Or(l.MaxLogitsRows, l.MaxSeqs)
	w.most = scalarsOf(l.MaxBatchTokens, logits, placed)
	w.scalars = scalarsOf(step.PerGroup, min(step.Sequences, logits), placed)
	for _, k := range m.Kernels {
		w.kernels[k.Name] = k
	}
	w.expert = ceilDiv(max(m.Model.Experts, 1), int64(placed.Experts.EP))
	w.rows = balance.Certify(balance.RouterOf(m.Model), placed).Rows(w.worldRows())
	return w
}

func scalarsOf(tokens, rows int64, placed placement.Placement) scalars {
	tp, dp := int64(placed.Attn.TP), int64(placed.Attn.DP)
	pad := times(ceilDiv(tokens, tp), tp)
	return scalars{bundlepb.Scalar_T: tokens, bundlepb.Scalar_L: rows, bundlepb.Scalar_T_DP: tokens,
		bundlepb.Scalar_T_PAD: pad, bundlepb.Scalar_T_WORLD: times(pad, dp)}
}

// worldRows is the token rows that a rank's experts see in the step.
func (w *walk) worldRows() int64 {
	return w.scalars[bundlepb.Scalar_T_WORLD] / int64(max(w.placed.Experts.DP, 1))
}

// op describes a step but for its edges.
func (w *walk) op(i int) Op {
	s := w.program.Steps[i]
	_, rest := LayerOf(s.Site)
	o := Op{Step: i, Op: s.Op.String(), Site: rest, Part: partOf(s.Site), From: []Edge{}}
	if s.Op == bundlepb.OpCode_LAUNCH {
		o.Kernel = s.Variant
	}
	o.Result = w.resultOf(s)
	if o.Collective = w.collective(s); o.Collective != nil {
		o.Part = PartComm
	}
	if o.Idle = attrText(s, "each") == "prefill"; o.Idle {
		return o
	}
	for _, a := range accesses(s, w.kernels[o.Kernel]) {
		switch k := a.operand.Kind.(type) {
		case *bundlepb.Operand_Section:
			section := w.manifest.Ranks[0].Sections[k.Section]
			o.Weights = plus(o.Weights, w.sectionBytes(s, section, o.Part))
			w.product(&o, s, section)
		case *bundlepb.Operand_Buffer:
			if a.read || a.write {
				o.Activations = plus(o.Activations, w.scalars.bytes(w.program.Buffers[k.Buffer]))
			}
		case *bundlepb.Operand_State:
			o.Cache = plus(o.Cache, w.stateBytes(w.program.States[k.State], a.write))
			if !a.write { // a product with keys or values for each head of queries
				o.MACs = plus(o.MACs, times(w.step.Context, w.resultElements(s)))
			}
		}
	}
	return o
}

// product adds the multiply-adds of rows with a weight [n,k], or with those of their experts.
func (w *walk) product(o *Op, s *bundlepb.Step, sec *bundlepb.Section) {
	if len(sec.Shape) < 2 || !strings.HasSuffix(sec.Name, ".weight") || w.isTable(s) {
		return
	}
	rows, elements := w.resultRows(s), int64(1)
	for _, n := range sec.Shape {
		elements = times(elements, n)
	}
	if o.Part == PartExperts && sec.Shape[0] == w.expert {
		rows, elements = w.rows, elements/w.expert
	}
	o.MACs = plus(o.MACs, times(rows, elements))
	o.Int8 = bundle.DType(sec.Dtype) == dtype.I8
}

// result is the buffer of a step's first result, nil if it has none.
func (w *walk) result(s *bundlepb.Step) *bundlepb.Buffer {
	for _, r := range s.Results {
		if b, ok := r.Kind.(*bundlepb.Operand_Buffer); ok {
			return w.program.Buffers[b.Buffer]
		}
	}
	return nil
}

func (w *walk) resultRows(s *bundlepb.Step) int64 {
	if b := w.result(s); b != nil && len(b.Shape) > 0 {
		return w.scalars.length(b.Shape[0])
	}
	return 0
}

func (w *walk) resultElements(s *bundlepb.Step) int64 {
	if b := w.result(s); b != nil {
		return w.scalars.elements(b)
	}
	return 0
}

func (w *walk) resultOf(s *bundlepb.Step) string {
	if b := w.result(s); b != nil {
		return shapeText(b)
	}
	return ""
}

// sectionBytes is what a step reads of a section: of a table by token its rows, of stacked experts
// those that rows can be at.
func (w *walk) sectionBytes(s *bundlepb.Step, sec *bundlepb.Section, part string) int64 {
	first := int64(1)
	if len(sec.Shape) > 1 {
		first = max(sec.Shape[0], 1)
	}
	touched := first
	switch {
	case w.isTable(s):
		touched = min(first, w.scalars[bundlepb.Scalar_T_PAD])
	case part == PartExperts && first == w.expert:
		touched = min(first, w.rows)
	}
	return sec.Size / first * touched
}

// isTable reports whether a step takes rows of a table by token; of a kernel its specification says so.
func (w *walk) isTable(s *bundlepb.Step) bool {
	if s.Op != bundlepb.OpCode_LAUNCH {
		return s.Op == bundlepb.OpCode_EMBED
	}
	k := w.kernels[s.Variant]
	return k != nil && bytes.Contains(k.Spec, []byte(`"kind":"embed"`))
}

// stateBytes is what is written for the step's tokens, or read of all positions.
func (w *walk) stateBytes(s *bundlepb.State, written bool) int64 {
	if written {
		return times(PositionBytes(s), w.step.PerGroup)
	}
	return times(PositionBytes(s), times(w.step.PerGroup, w.step.Context))
}

func attrText(s *bundlepb.Step, name string) string {
	for _, a := range s.Attrs {
		if a.Name == name {
			return a.GetS()
		}
	}
	return ""
}

func attrInt(s *bundlepb.Step, name string) int64 {
	for _, a := range s.Attrs {
		if a.Name == name {
			return a.GetI()
		}
	}
	return 0
}

// connect finds the writers of all that is read.
func (w *walk) connect(ops []Op, layers []int) {
	f, runs := newFlow(len(w.program.States)), runsOf(layers)
	const input = -2 // the first input; the next is one less
	for i, port := range w.program.Inputs {
		lo, hi := w.span(port.Buffer)
		f.write(lo, hi, input-i)
	}
	for i, s := range w.program.Steps {
		list := accesses(s, w.kernels[ops[i].Kernel])
		var writers []int
		for _, a := range list {
			if a.read {
				writers = w.writersOf(f, writers, a.operand)
			}
		}
		slices.Sort(writers)
		for _, from := range writers {
			switch {
			case from <= input:
				if layers[i] < 0 {
					ops[i].From = append(ops[i].From, Edge{none, w.program.Inputs[input-from].Name})
				}
			case runs[from] == runs[i]:
				ops[i].From = append(ops[i].From, Edge{Op: from})
			default:
				ops[from].Leaves = true
				ops[i].From = append(ops[i].From, Edge{none, origin(ops[from].Site, layers[from], layers[i])})
			}
		}
		for _, a := range list {
			if a.write {
				w.written(f, i, a.operand)
			}
		}
	}
	w.nameOutputs(f, ops)
}

// runsOf numbers the runs of steps of one layer, or of none.
func runsOf(layers []int) []int {
	runs := make([]int, len(layers))
	for i := 1; i < len(layers); i++ {
		runs[i] = runs[i-1]
		if layers[i] != layers[i-1] {
			runs[i]++
		}
	}
	return runs
}

// origin names a writer in another block.
func origin(site string, from, to int) string {
	switch {
	case from < 0:
		return site
	case from == to-1:
		return "layer before: " + site
	}
	return fmt.Sprintf("layer %d: %s", from, site)
}

// span is the bytes of a buffer at the limits.
func (w *walk) span(buffer uint32) (lo, hi uint64) {
	b := w.program.Buffers[buffer]
	return b.Offset, b.Offset + uint64(w.most.bytes(b))
}

func (w *walk) writersOf(f *flow, writers []int, o *bundlepb.Operand) []int {
	switch k := o.Kind.(type) {
	case *bundlepb.Operand_Buffer:
		lo, hi := w.span(k.Buffer)
		return f.read(writers, lo, hi)
	case *bundlepb.Operand_State:
		if by := f.states[k.State]; by != none && !slices.Contains(writers, by) {
			writers = append(writers, by)
		}
	}
	return writers
}

func (w *walk) written(f *flow, step int, o *bundlepb.Operand) {
	switch k := o.Kind.(type) {
	case *bundlepb.Operand_Buffer:
		lo, hi := w.span(k.Buffer)
		f.write(lo, hi, w.together(f.read(nil, lo, hi), step)...)
	case *bundlepb.Operand_State:
		f.states[k.State] = step
	}
}

// together is a step with those before it that wrote other rows of the same: launches for some
// sequences alone.
func (w *walk) together(before []int, step int) []int {
	s := w.program.Steps[step]
	var steps []int
	for _, other := range before {
		if other >= 0 && other < step && attrText(s, "each") != "" && s.Site == w.program.Steps[other].Site &&
			attrText(w.program.Steps[other], "each") != "" && len(steps) < 4 {
			steps = append(steps, other)
		}
	}
	return append(steps, step)
}

// nameOutputs tells the last writers of the program's outputs; a layer's are named without its number.
func (w *walk) nameOutputs(f *flow, ops []Op) {
	for _, port := range w.program.Outputs {
		lo, hi := w.span(port.Buffer)
		name := port.Name
		if strings.HasPrefix(name, "experts.") {
			name = "experts"
		}
		for _, by := range f.read(nil, lo, hi) {
			if by >= 0 {
				ops[by].Outputs = append(ops[by].Outputs, name)
			}
		}
	}
}
