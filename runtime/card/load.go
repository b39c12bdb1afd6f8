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
	rank    *bundle.Rank
	program *bundlepb.Program
	opt     device.Options

	ranks    int // of the bundle
	groups   device.Groups
	inputOwn bool // the tokens are those of this rank's rows alone
	limits   device.Limits
	pages    int // of the cache
	capacity int // pages that offsets of the kernels reach
	buffers  []buffer
	steps    []step
	outputs  map[string]int // buffer by name
	kernels  map[string]*bundlepb.Kernel
}

// buffer is a matrix in the arena.
type buffer struct {
	dtype  dtype.Type
	rows   *bundlepb.Dim
	cols   int64
	offset int64
}

// pitch is the bytes from one row to the next.
func (b buffer) pitch() int64 { return b.dtype.Bytes(b.cols) }

const (
	maxTokens    = 1 << 24 // limits of tokens, rows and positions: their multiples fit in an int32
	maxSequences = 1 << 16
	block        = 32 // bytes: rows, and so what a launch is given, begin at multiples of it
)

func newLoader(b *bundle.Bundle, rank *bundle.Rank, p *bundlepb.Program,
	opt device.Options) (*loader, error) {
	l := &loader{bundle: b, rank: rank, program: p, opt: opt, ranks: len(b.Manifest().Ranks),
		groups: device.GroupsOf(b.Manifest()), outputs: map[string]int{},
		kernels: map[string]*bundlepb.Kernel{}}
	for _, k := range b.Manifest().Kernels {
		l.kernels[k.Name] = k
	}
	parts := []func() error{l.setLimits, l.setBuffers, l.setStates, l.setInputs, l.setOutputs, l.setSteps}
	for _, part := range parts {
		if err := part(); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (l *loader) setLimits() error {
	p := l.program.Limits
	if max(p.MaxBatchTokens, p.Context, p.MaxLogitsRows) > maxTokens || p.MaxSeqs > maxSequences {
		return fmt.Errorf("limits beyond %d tokens or %d sequences", maxTokens, maxSequences)
	}
	l.limits = device.Limits{BatchTokens: int(p.MaxBatchTokens), Seqs: int(p.MaxSeqs),
		Context: int(p.Context), LogitsRows: int(p.MaxLogitsRows)}
	if l.limits.LogitsRows == 0 {
		l.limits.LogitsRows = l.limits.Seqs
	}
	l.limits.Seqs = l.groups.Seqs(l.limits.Seqs)
	return nil
}

// narrow applies the options. The pool holds what CacheRows asks for, at most all sequences at full
// length, and at most what offsets of the kernels reach.
func (l *loader) narrow() error {
	switch o := l.opt; {
	case o.Context < 0 || o.CacheRows < 0:
		return fmt.Errorf("context %d, cache of %d positions: none can be negative",
			o.Context, o.CacheRows)
	case o.Context > int64(l.limits.Context):
		return fmt.Errorf("context %d is more than the %d positions that %s was compiled for",
			o.Context, l.limits.Context, l.bundle.Dir())
	case o.Context > 0:
		l.limits.Context = int(o.Context)
	}
	l.pages = min(l.capacity, pagesOf(l.limits.Context)*l.limits.Seqs)
	if rows := l.opt.CacheRows; rows > 0 && rows < int64(l.pages)*PageRows {
		l.pages = pagesOf(int(rows))
	}
	return nil
}

func (l *loader) setBuffers() error {
	for i, p := range l.program.Buffers {
		b := buffer{dtype: bundle.DType(p.Dtype), offset: int64(p.Offset)}
		switch b.dtype {
		case dtype.F32, dtype.F16, dtype.I32, dtype.I8:
		default:
			return fmt.Errorf("buffer %d: elements of %v, want f32, f16, i32 or i8", i, b.dtype)
		}
		if len(p.Shape) != 2 || p.Shape[1].Scalar != bundlepb.Scalar_FIXED ||
			p.Shape[0].Scalar > bundlepb.Scalar_L {
			return fmt.Errorf("buffer %d: not a matrix of rows for tokens or logits", i)
		}
		b.rows, b.cols = p.Shape[0], p.Shape[1].Coef
		if b.cols < 1 || b.rows.Coef < 1 || b.pitch()%block != 0 {
			return fmt.Errorf("buffer %d: %d rows of %d bytes, want rows of whole %d bytes",
				i, b.rows.Coef, b.pitch(), block)
		}
		l.buffers = append(l.buffers, b)
	}
	return nil
}

// rowsAt is the rows of a buffer for a value of its scalar.
func (b buffer) rowsAt(scalar int64) int64 {
	if b.rows.Scalar == bundlepb.Scalar_FIXED {
		return b.rows.Coef
	}
	div := max(1, b.rows.Div)
	return b.rows.Coef * ((scalar + div - 1) / div)
}

// largest is the bytes of a buffer when its scalar is at its limit.
func (l *loader) largest(b buffer) int64 {
	return b.rowsAt(int64(l.limit(b.rows.Scalar))) * b.pitch()
}

// limit is the largest value of T or L.
func (l *loader) limit(s bundlepb.Scalar) int {
	if s == bundlepb.Scalar_L {
		return l.limits.LogitsRows
	}
	return l.limits.BatchTokens
}

// hasRowFor reports whether a buffer has one row for each unit of a scalar, rounded up or not; for
// FIXED, whether its rows are constant.
func (b buffer) hasRowFor(s bundlepb.Scalar) bool {
	return b.rows.Scalar == s && (s == bundlepb.Scalar_FIXED || b.rows.Coef == max(1, b.rows.Div))
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
		return fmt.Errorf("a page of the cache has more elements than 31 bits count")
	}
	return nil
}
