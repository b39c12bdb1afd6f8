package cpudevice

import (
	"fmt"
	"unsafe"

	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
	"moge/ir/shape"
	"moge/runtime/device"
	"moge/runtime/kv"
)

const (
	maxArena = 1 << 36 // bytes of one arena
	maxCache = 1 << 42 // bytes of one cache
)

// loader turns a program into a runner.
type loader struct {
	bundle  *bundle.Bundle
	rank    *bundle.Rank
	program *bundlepb.Program
	opt     device.Options
	groups  device.Groups

	limits  device.Limits
	largest shape.Env // every scalar at its limit
	arena   []byte
	buffers []buffer
	inputs  map[string]int // buffer by name
	cache   *kv.Cache
	need    needs
}

// buffer is the memory of a buffer when every scalar is at its limit.
type buffer struct {
	dtype  dtype.Type
	shape  shape.Shape
	offset int64
	data   []byte
}

func (l *loader) load() (*runner, error) {
	for _, part := range []func() error{l.setLimits, l.setBuffers, l.setInputs, l.setCache} {
		if err := part(); err != nil {
			return nil, err
		}
	}
	r := &runner{bundle: l.bundle, limits: l.limits, tap: l.opt.Tap, rank: l.opt.Rank}
	r.cache = newSequences(l.cache, l.limits)
	r.machine.cache, r.machine.comm = l.cache, l.opt.Comm
	for i, s := range l.program.Steps {
		step, err := l.bind(s)
		if err != nil {
			return nil, l.invalid("step %d, %v at %s: %v", i, s.Op, s.Site, err)
		}
		r.steps = append(r.steps, step)
	}
	if err := l.ports(r); err != nil {
		return nil, err
	}
	r.machine.shared = make([]float32, l.need.shared)
	r.machine.wire = make([]byte, l.need.wire)
	r.weights = l.mappedRange()
	r.vocabulary = l.bundle.Manifest().Model.GetVocabSize()
	return r, nil
}

func (l *loader) setLimits() error {
	p := l.program.Limits
	if max(p.MaxBatchTokens, p.MaxSeqs, p.Context, p.MaxLogitsRows) > maxTokens {
		return l.invalid("limits beyond %d", maxTokens)
	}
	l.limits = device.Limits{BatchTokens: int(p.MaxBatchTokens), Seqs: int(p.MaxSeqs),
		Context: int(p.Context), LogitsRows: int(p.MaxLogitsRows)}
	if l.limits.LogitsRows == 0 {
		l.limits.LogitsRows = l.limits.Seqs
	}
	l.limits.Seqs = l.groups.Seqs(l.limits.Seqs)
	l.largest = shape.Env{shape.T: int64(l.limits.BatchTokens), shape.L: int64(l.limits.LogitsRows)}
	return l.narrow()
}

// maxTokens bounds every limit, so that counts of tokens fit in an int32.
const maxTokens = 1 << 30

// narrow applies the options.
func (l *loader) narrow() error {
	switch o := l.opt; {
	case o.Context < 0 || o.CacheRows < 0 || o.Threads < 0:
		return fmt.Errorf("context %d, cache of %d positions, %d threads: none can be negative",
			o.Context, o.CacheRows, o.Threads)
	case o.Context > int64(l.limits.Context):
		return fmt.Errorf("context %d is more than the %d positions that %s was compiled for",
			o.Context, l.limits.Context, l.bundle.Dir())
	case o.Context > 0:
		l.limits.Context = int(o.Context)
	}
	return nil
}

func (l *loader) setBuffers() error {
	if l.program.ArenaBytes > maxArena {
		return l.invalid("arena of %d bytes, this device takes %d at most",
			l.program.ArenaBytes, int64(maxArena))
	}
	l.buffers = make([]buffer, len(l.program.Buffers))
	for i, p := range l.program.Buffers {
		b, err := l.newBuffer(p)
		if err != nil {
			return l.invalid("buffer %d: %v", i, err)
		}
		l.buffers[i] = b
	}
	l.arena = aligned(int(l.program.ArenaBytes))
	for i := range l.buffers {
		b := &l.buffers[i]
		end := b.offset + device.BufferBytes(b.dtype, b.shape.Eval(&l.largest))
		b.data = l.arena[b.offset:end:end]
	}
	return nil
}

// aligned allocates memory that starts at a cache line.
func aligned(n int) []byte {
	raw := make([]byte, n+bundle.Align)
	skip := -int(uintptr(unsafe.Pointer(&raw[0]))) & (bundle.Align - 1)
	return raw[skip : skip+n : skip+n]
}

// newBuffer checks a buffer: its type, its dimensions, its place in the arena.
func (l *loader) newBuffer(p *bundlepb.Buffer) (buffer, error) {
	b := buffer{dtype: bundle.DType(p.Dtype), offset: int64(p.Offset)}
	if b.dtype != dtype.F32 && b.dtype != dtype.I32 && b.dtype != dtype.I8 {
		return b, fmt.Errorf("elements of %v, want f32, i32 or i8", b.dtype)
	}
	for _, d := range p.Shape {
		if d.Scalar > bundlepb.Scalar_L {
			return b, fmt.Errorf("a dimension of %v, which one rank does not have", d.Scalar)
		}
		dim := shape.Dim{Coef: d.Coef, Scalar: shape.Scalar(d.Scalar), Div: max(d.Div, 1)}
		if dim.IsFixed() {
			dim.Div = 1
		}
		b.shape = append(b.shape, dim)
	}
	if _, ok := b.shape.Elements(); !ok {
		return b, fmt.Errorf("shape %v has two dimensions that vary, or too many elements", b.shape)
	}
	if b.dtype == dtype.I8 && (len(b.shape) == 0 || !b.shape[len(b.shape)-1].IsFixed()) {
		return b, fmt.Errorf("shape %v has no fixed rows, which i8 needs", b.shape)
	}
	return b, l.checkPlace(b)
}

func (l *loader) checkPlace(b buffer) error {
	size := device.BufferBytes(b.dtype, b.shape.Eval(&l.largest))
	arena := int64(l.program.ArenaBytes)
	if size < 0 || size > arena || b.offset < 0 || b.offset > arena-size {
		return fmt.Errorf("%d bytes with padding at %d are outside the arena of %d bytes",
			size, b.offset, arena)
	}
	return nil
}

// inputs are those of a step that the device fills, and what padding holds.
var inputs = []struct {
	name string
	pad  int32
}{{"tokens", 0}, {"positions", 0}, {"sequences", -1}, {rowsInput, 0}}

const rowsInput = "rows"

// tokenRows are the rows of this rank's tokens: those of its group in whole shards.
func (l *loader) tokenRows() shape.Dim {
	tp := int64(l.groups.TP)
	return shape.Dim{Coef: tp, Scalar: shape.T, Div: tp}
}

func (l *loader) setInputs() error {
	l.inputs = map[string]int{}
	for _, p := range l.program.Inputs {
		if err := l.checkInput(p); err != nil {
			return l.invalid("input %s: %v", p.Name, err)
		}
		l.inputs[p.Name] = int(p.Buffer)
	}
	return nil
}

func (l *loader) checkInput(p *bundlepb.Port) error {
	b := &l.buffers[p.Buffer]
	for _, in := range inputs {
		if in.name != p.Name {
			continue
		}
		want := shape.Shape{l.tokenRows()}
		if in.name == rowsInput {
			want[0] = shape.Of(shape.L)
		}
		if b.dtype != dtype.I32 || !b.shape.Equal(want) {
			return fmt.Errorf("the buffer is %v%v, want i32%v", b.dtype, b.shape, want)
		}
		return nil
	}
	return fmt.Errorf("this device does not supply it")
}

// setCache sizes the cache: rows of sequences, each rounded up to whole pages.
func (l *loader) setCache() error {
	if len(l.program.States) == 0 {
		return nil
	}
	rows := l.opt.CacheRows
	if rows == 0 {
		pages := (int64(l.limits.Context) + kv.DefaultPageTokens - 1) / kv.DefaultPageTokens
		rows = int64(l.limits.Seqs) * pages * kv.DefaultPageTokens
	}
	c := kv.Config{MaxTokens: int(rows), MaxSeqs: l.limits.Seqs, Context: l.limits.Context}
	for _, s := range l.program.States {
		c.Slots = append(c.Slots, kv.Slot{Name: s.Name,
			Heads: int(s.Heads), Width: int(s.Width), Type: bundle.DType(s.Dtype)})
	}
	if err := c.Validate(); err != nil {
		return fmt.Errorf("%s: %w", l.bundle.Dir(), err)
	}
	if c.Bytes() > maxCache {
		return fmt.Errorf("%s: a cache of %d positions takes %d bytes; ask for fewer",
			l.bundle.Dir(), rows, c.Bytes())
	}
	var err error
	l.cache, err = kv.New(c)
	return err
}

// ports finds the outputs and the memory of the inputs.
func (l *loader) ports(r *runner) error {
	r.inputs = make([]tensor[int32], len(inputs))
	for i, in := range inputs {
		if b, ok := l.inputs[in.name]; ok {
			r.inputs[i] = view[int32](&l.buffers[b])
		}
	}
	r.outputs = map[string]*buffer{}
	for _, p := range l.program.Outputs {
		b := &l.buffers[p.Buffer]
		if b.dtype == dtype.I8 {
			return l.invalid("output %s has elements of i8, want f32 or i32", p.Name)
		}
		r.outputs[p.Name] = b
	}
	return nil
}

// span is a range of addresses.
type span struct{ lo, hi uintptr }

// mappedRange is where the weights lie in memory.
func (l *loader) mappedRange() span {
	var s span
	for i := range l.rank.Sections() {
		data := l.rank.Section(i)
		if len(data) == 0 {
			continue
		}
		lo := uintptr(unsafe.Pointer(unsafe.SliceData(data)))
		if s.hi == 0 {
			s = span{lo, lo + uintptr(len(data))}
		}
		s.lo, s.hi = min(s.lo, lo), max(s.hi, lo+uintptr(len(data)))
	}
	return s
}
