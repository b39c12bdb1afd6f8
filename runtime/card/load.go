package card

import (
	"fmt"
	"math"

	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
	"moge/runtime/device"
)

// loader is a program that was checked.
type loader struct {
	bundle  *bundle.Bundle
	program *bundlepb.Program
	opt     device.Options

	limits    device.Limits
	compiled  device.Limits // before the options narrowed them
	pages     int           // of the cache
	buffers   []buffer
	steps     []step
	inputs    map[string]int // buffer by name
	outputs   map[string]int
	kernels   map[string]*bundlepb.Kernel
	vocab     int64
	perToken  int64 // experts
	capacity  int   // pages that offsets of the kernels reach
	tableCols int   // pages that a row of the page table holds
}

// buffer is a matrix in the arena.
type buffer struct {
	dtype  dtype.Type
	rows   *bundlepb.Dim
	cols   int64
	offset int64
}

func (b buffer) pitch() int64 { return b.dtype.Bytes(b.cols) }

// limit bounds every limit, so that counts fit in an int32.
const limit = 1 << 24

func newLoader(b *bundle.Bundle, p *bundlepb.Program, opt device.Options) (*loader, error) {
	m := b.Manifest()
	l := &loader{bundle: b, program: p, opt: opt, inputs: map[string]int{}, outputs: map[string]int{},
		kernels: map[string]*bundlepb.Kernel{}, vocab: m.Model.VocabSize, perToken: m.Model.ExpertsPerToken}
	for _, k := range m.Kernels {
		l.kernels[k.Name] = k
	}
	for _, part := range []func() error{l.setLimits, l.setBuffers, l.setStates, l.setPorts, l.setSteps} {
		if err := part(); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (l *loader) setLimits() error {
	p := l.program.Limits
	if max(p.MaxBatchTokens, p.MaxSeqs, p.Context, p.MaxLogitsRows) > limit {
		return fmt.Errorf("limits beyond %d", limit)
	}
	l.limits = device.Limits{
		BatchTokens: int(p.MaxBatchTokens),
		Seqs:        int(p.MaxSeqs),
		Context:     int(p.Context),
		LogitsRows:  int(p.MaxLogitsRows),
	}
	if l.limits.LogitsRows == 0 {
		l.limits.LogitsRows = l.limits.Seqs
	}
	l.compiled = l.limits
	return nil
}

// narrow applies the options.
func (l *loader) narrow() error {
	switch o := l.opt; {
	case o.Context < 0 || o.CacheRows < 0:
		return fmt.Errorf("context %d, cache of %d positions: none can be negative", o.Context, o.CacheRows)
	case o.Context > int64(l.limits.Context):
		return fmt.Errorf("context %d is more than the %d positions that %s was compiled for", o.Context,
			l.limits.Context, l.bundle.Dir())
	case o.Context > 0:
		l.limits.Context = int(o.Context)
	}
	each := (l.limits.Context + PageRows - 1) / PageRows
	l.pages = each * l.limits.Seqs
	if l.opt.CacheRows > 0 {
		l.pages = int(min(int64(l.pages), (l.opt.CacheRows+PageRows-1)/PageRows))
	}
	l.pages = min(l.pages, l.capacity)
	return nil
}

func (l *loader) setBuffers() error {
	for i, p := range l.program.Buffers {
		b := buffer{dtype: bundle.DType(p.Dtype), offset: int64(p.Offset)}
		switch b.dtype {
		case dtype.F32, dtype.F16, dtype.I32, dtype.I8:
		default:
			return fmt.Errorf("buffer %d: elements of %v", i, b.dtype)
		}
		if len(p.Shape) != 2 || p.Shape[1].Scalar != bundlepb.Scalar_FIXED ||
			p.Shape[0].Scalar > bundlepb.Scalar_L {
			return fmt.Errorf("buffer %d: not a matrix of rows for tokens or logits", i)
		}
		b.rows, b.cols = p.Shape[0], p.Shape[1].Coef
		if b.cols < 1 || b.rows.Coef < 1 {
			return fmt.Errorf("buffer %d: %d rows of %d", i, b.rows.Coef, b.cols)
		}
		l.buffers = append(l.buffers, b)
	}
	return nil
}

// setStates checks the slots of the cache and finds how many pages offsets of 31 bits reach.
func (l *loader) setStates() error {
	l.capacity = math.MaxInt32
	for i, s := range l.program.States {
		if bundle.DType(s.Dtype) != dtype.F16 {
			return fmt.Errorf("state %d: elements of %v, want f16", i, bundle.DType(s.Dtype))
		}
		l.capacity = min(l.capacity, int(math.MaxInt32/(PageRows*s.Heads*s.Width)))
	}
	if l.capacity < 1 {
		return fmt.Errorf("a page of the cache is larger than 31 bits reach")
	}
	return nil
}

// inputShapes are the inputs that the host fills: what their rows count, and the columns they need.
var inputShapes = map[string]struct {
	rows bundlepb.Scalar
	cols int64
}{
	"tokens": {bundlepb.Scalar_T, 1}, "rows": {bundlepb.Scalar_L, 1}, "places": {bundlepb.Scalar_T, 2},
	"pages": {bundlepb.Scalar_FIXED, 1}, "lengths": {bundlepb.Scalar_FIXED, 1},
}

func (l *loader) setPorts() error {
	for _, p := range l.program.Inputs {
		want, known := inputShapes[p.Name]
		b := l.buffers[p.Buffer]
		if !known || b.dtype != dtype.I32 || b.rows.Scalar != want.rows || b.cols < want.cols ||
			want.rows != bundlepb.Scalar_FIXED && !wholeRows(b.rows) {
			return fmt.Errorf("input %q: not one that the host fills, or not of its shape", p.Name)
		}
		l.inputs[p.Name] = int(p.Buffer)
	}
	if i, ok := l.inputs["pages"]; ok {
		b, each := l.buffers[i], int64((l.limits.Context+PageRows-1)/PageRows)
		if b.rows.Coef < int64(l.limits.Seqs) || b.cols < each {
			return fmt.Errorf("input pages: %d rows of %d for %d sequences of %d pages", b.rows.Coef, b.cols,
				l.limits.Seqs, each)
		}
		l.tableCols = int(b.cols)
	}
	if i, ok := l.inputs["lengths"]; ok {
		if b := l.buffers[i]; b.rows.Coef*b.cols < int64(l.limits.Seqs) {
			return fmt.Errorf(
				"input lengths: %d elements for %d sequences",
				b.rows.Coef*b.cols,
				l.limits.Seqs,
			)
		}
	}
	for _, p := range l.program.Outputs {
		b := l.buffers[p.Buffer]
		if b.dtype != dtype.F32 && b.dtype != dtype.I32 || b.rows.Scalar == bundlepb.Scalar_FIXED ||
			!wholeRows(b.rows) || b.cols < l.width(p.Name, b) {
			return fmt.Errorf("output %q: not rows of tokens or logits", p.Name)
		}
		l.outputs[p.Name] = int(p.Buffer)
	}
	return nil
}

// wholeRows reports whether a dimension holds at least one row for each unit of its scalar.
func wholeRows(d *bundlepb.Dim) bool { return d.Coef >= max(1, d.Div) }

// width is the elements of a row of an output that mean something.
func (l *loader) width(name string, b buffer) int64 {
	const experts = "experts."
	switch {
	case name == "logits":
		return l.vocab
	case len(name) > len(experts) && name[:len(experts)] == experts:
		return l.perToken
	}
	return b.cols
}
