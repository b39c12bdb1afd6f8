package main

import (
	"strconv"
	"strings"

	"moge/codegen/report"
	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
)

// workload is what a step of a bundle must read and compute, whatever the engine does beyond:
//
//	bytes = weights that every token uses
//	      + one row of the embedding for each token
//	      + Σ over layers: bytes of one expert × distinct experts that the step chose
//	      + Σ over sequences and states: bytes of a position × positions seen, the new ones included
//	operations = Σ over linear layers: 2 · n · k × rows
//	           + Σ over attention layers: 2 · heads · (key width + value width) × positions seen by each token
//
// Weights count as stored elements and scales, each once a step; sums of rows and padding of tiles
// do not count. Operations are those of one rank's program, so they are known for one rank alone.
type workload struct {
	fixed, embedding int64 // bytes of a step; of a token
	experts          []expertLayer
	states           []stateLayer
	linears          []linearLayer
	attention        []attentionLayer
}

// expertLayer is a layer of routed experts.
type expertLayer struct {
	output string // of the program, which lists the choices
	layer  int
	bytes  int64 // of one expert
}

// stateLayer is keys or values of a layer.
type stateLayer struct {
	bytes  int64 // of one position
	window int64 // positions seen; 0 is all
}

// linearLayer does coef · ceil(scalar/div) times 2·n·k operations.
type linearLayer struct {
	rows       *bundlepb.Dim
	operations int64
	integer    bool
}

type attentionLayer struct{ operations, window int64 } // operations of a token and a position it sees

// newWorkload reads the manifest.
func newWorkload(m *bundlepb.Manifest) *workload {
	w := &workload{}
	for _, p := range m.Programs {
		if p.Name != bundle.StepProgram {
			continue
		}
		windows := make([]int64, len(p.States))
		for _, s := range p.Steps {
			w.addWeights(m, s)
			if len(m.Ranks) == 1 {
				w.addOperations(p, s, m.Ranks[0].Sections)
			}
			for _, a := range s.Args {
				if at, ok := a.Kind.(*bundlepb.Operand_State); ok {
					windows[at.State] = max(windows[at.State], windowOf(s))
				}
			}
		}
		w.addStates(m, p.States, windows)
	}
	return w
}

// addWeights adds the sections that a step reads, of all ranks.
func (w *workload) addWeights(m *bundlepb.Manifest, s *bundlepb.Step) {
	for _, a := range s.Args {
		at, ok := a.Kind.(*bundlepb.Operand_Section)
		if !ok {
			continue
		}
		for _, r := range m.Ranks {
			section := r.Sections[at.Section]
			switch size := usefulBytes(section); computedBy(s) {
			case bundlepb.OpCode_EMBED:
				if r.Index == 0 {
					w.embedding += size / max(1, section.Shape[0])
				}
			case bundlepb.OpCode_GROUPED_LINEAR, bundlepb.OpCode_QGROUPED_LINEAR,
				bundlepb.OpCode_W8GROUPED_LINEAR:
				layer, _ := report.LayerOf(s.Site)
				w.addExperts(layer, size/max(1, m.Model.Experts))
			default:
				w.fixed += size
			}
		}
	}
}

func (w *workload) addExperts(layer int, bytes int64) {
	if n := len(w.experts); n > 0 && w.experts[n-1].layer == layer {
		w.experts[n-1].bytes += bytes
		return
	}
	w.experts = append(w.experts,
		expertLayer{output: "experts." + strconv.Itoa(layer), layer: layer, bytes: bytes})
}

// usefulBytes is what the elements of a section take.
func usefulBytes(s *bundlepb.Section) int64 {
	if s.Dtype == bundlepb.DType_I32 {
		return 0 // the sums that kernels need beside a weight
	}
	n := int64(1)
	for _, d := range s.Shape {
		n *= d
	}
	return bundle.DType(s.Dtype).Bytes(n)
}

// computedBy is the operation of a step; of a launch, what its place in the model says.
func computedBy(s *bundlepb.Step) bundlepb.OpCode {
	switch {
	case s.Op != bundlepb.OpCode_LAUNCH:
		return s.Op
	case s.Site == "embed":
		return bundlepb.OpCode_EMBED
	case strings.Contains(s.Site, ".mlp.experts."):
		return bundlepb.OpCode_QGROUPED_LINEAR
	}
	return s.Op
}

// addStates counts a position on every rank of the group that has its sequence.
func (w *workload) addStates(m *bundlepb.Manifest, states []*bundlepb.State, windows []int64) {
	ranks := int64(len(m.Ranks)) / max(1, int64(m.GetPlacement().GetAttention().GetDp()))
	for i, s := range states {
		w.states = append(w.states, stateLayer{report.PositionBytes(s) * ranks, windows[i]})
	}
}

func windowOf(s *bundlepb.Step) int64 {
	for _, a := range s.Attrs {
		if a.Name == "window" {
			return a.GetI()
		}
	}
	return 0
}

func (w *workload) addOperations(p *bundlepb.Program, s *bundlepb.Step, sections []*bundlepb.Section) {
	integer := false
	switch s.Op {
	case bundlepb.OpCode_ATTEND:
		w.addAttention(p, s)
		return
	case bundlepb.OpCode_QLINEAR, bundlepb.OpCode_QGROUPED_LINEAR:
		integer = true
	case bundlepb.OpCode_LINEAR, bundlepb.OpCode_W8LINEAR, bundlepb.OpCode_GROUPED_LINEAR,
		bundlepb.OpCode_W8GROUPED_LINEAR, bundlepb.OpCode_MOE_GATE:
	default:
		return
	}
	for _, a := range s.Args {
		at, ok := a.Kind.(*bundlepb.Operand_Section)
		if !ok || len(sections[at.Section].Shape) < 2 {
			continue
		}
		dims := sections[at.Section].Shape // [n,k] or [experts,n,k]; the scales of experts follow
		n, k := dims[len(dims)-2], dims[len(dims)-1]
		w.linears = append(w.linears,
			linearLayer{p.Buffers[s.Results[0].GetBuffer()].Shape[0], 2 * n * k, integer})
		return
	}
}

func (w *workload) addAttention(p *bundlepb.Program, s *bundlepb.Step) {
	heads := p.Buffers[s.Args[0].GetBuffer()].Shape[1].Coef
	widths := p.States[s.Args[1].GetState()].Width + p.States[s.Args[2].GetState()].Width
	w.attention = append(w.attention, attentionLayer{2 * heads * widths, windowOf(s)})
}

// span is the positions that a step gives one sequence: from first on, up to end.
type span struct{ first, end int64 }

// seen is how many positions the tokens of a span see together, and how many different ones.
func (s span) seen(window int64) (pairs, positions int64) {
	for p := s.first; p < s.end; p++ {
		if n := p + 1; window > 0 && n > window {
			pairs += window
		} else {
			pairs += n
		}
	}
	if window > 0 {
		return pairs, min(s.end, window+s.end-s.first-1)
	}
	return pairs, s.end
}

// bytes are what a step must read; distinct is how many experts it chose, by layer with experts.
func (w *workload) bytes(spans []span, distinct []int) int64 {
	n := w.fixed
	for i, e := range w.experts {
		n += e.bytes * int64(distinct[i])
	}
	for _, s := range spans {
		n += w.embedding * (s.end - s.first)
		for _, state := range w.states {
			_, positions := s.seen(state.window)
			n += state.bytes * positions
		}
	}
	return n
}

// operations are those of a step that gives logits of so many rows, and those on int8 of them.
func (w *workload) operations(spans []span, logits int) (all, integer int64) {
	tokens := int64(0)
	for _, s := range spans {
		tokens += s.end - s.first
		for _, a := range w.attention {
			pairs, _ := s.seen(a.window)
			all += a.operations * pairs
		}
	}
	for _, l := range w.linears {
		n := l.operations * rowsOf(l.rows, tokens, int64(logits))
		all += n
		if l.integer {
			integer += n
		}
	}
	return all, integer
}

func rowsOf(d *bundlepb.Dim, tokens, logits int64) int64 {
	scalar, div := int64(1), max(1, d.Div)
	switch d.Scalar {
	case bundlepb.Scalar_T:
		scalar = tokens
	case bundlepb.Scalar_L:
		scalar = logits
	}
	return d.Coef * ((scalar + div - 1) / div)
}
