package cpudevice

import (
	"fmt"
	"math"

	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
	"moge/ir/shape"
	"moge/runtime/kernels"
)

const tileRows = kernels.TileRows

// binder reads the operands and attributes of one step. It keeps the first error and goes
// on with empty operands, so that the functions that bind stay readable.
type binder struct {
	*loader
	step *bundlepb.Step
	used int // attributes read
	err  error
}

// bind finds the operands of a step, checks them and gives the closure that runs it.
func (l *loader) bind(s *bundlepb.Step) (step, error) {
	form, ok := forms[s.Op]
	if !ok {
		return step{}, fmt.Errorf("this device has no such operation; a newer version may")
	}
	if s.Variant != "" {
		return step{}, fmt.Errorf("this device has no variant %q; a newer version may", s.Variant)
	}
	if g := s.Guard; g != nil && g.Scalar > bundlepb.Scalar_L {
		return step{}, fmt.Errorf("a guard on %v, which one rank does not have", g.Scalar)
	}
	b := &binder{loader: l, step: s}
	b.arity(form)
	results := b.results()
	if b.err != nil {
		return step{}, b.err
	}
	run := form.bind(b)
	if b.used < len(s.Attrs) {
		b.fail("an attribute of %v is not known", attrNames(s))
	}
	return step{site: s.Site, op: s.Op.String(), guard: s.Guard, run: run, results: results}, b.err
}

func attrNames(s *bundlepb.Step) []string {
	var names []string
	for _, a := range s.Attrs {
		names = append(names, a.Name)
	}
	return names
}

func (b *binder) fail(format string, args ...any) {
	if b.err == nil {
		b.err = fmt.Errorf(format, args...)
	}
}

// want records a failure unless ok.
func (b *binder) want(ok bool, format string, args ...any) {
	if !ok {
		b.fail(format, args...)
	}
}

func (b *binder) arity(f form) {
	n, results := len(b.step.Args), len(b.step.Results)
	if n < f.minArgs || n > f.maxArgs || results != f.results {
		b.fail("%d arguments and %d results", n, results)
	}
}

// results are the buffers that the step writes; none may share memory with what it reads,
// or with another.
func (b *binder) results() []*buffer {
	var out, seen []*buffer
	for _, a := range b.step.Args {
		if k, ok := a.Kind.(*bundlepb.Operand_Buffer); ok {
			seen = append(seen, &b.buffers[k.Buffer])
		}
	}
	for i, r := range b.step.Results {
		k, ok := r.Kind.(*bundlepb.Operand_Buffer)
		if !ok {
			b.fail("result %d is not a buffer", i)
			return nil
		}
		result := &b.buffers[k.Buffer]
		for _, other := range seen {
			b.want(!overlap(result, other), "result %d shares memory with another operand", i)
		}
		out, seen = append(out, result), append(seen, result)
	}
	return out
}

func overlap(a, b *buffer) bool {
	return a.offset < b.offset+int64(len(b.data)) && b.offset < a.offset+int64(len(a.data))
}

// buffer is argument i if it is a buffer.
func (b *binder) buffer(i int) *buffer {
	if i < len(b.step.Args) {
		if k, ok := b.step.Args[i].Kind.(*bundlepb.Operand_Buffer); ok {
			return &b.buffers[k.Buffer]
		}
	}
	return nil
}

// section is argument i if it is a section, and its bytes.
func (b *binder) section(i int) (*bundlepb.Section, []byte) {
	if i < len(b.step.Args) {
		if k, ok := b.step.Args[i].Kind.(*bundlepb.Operand_Section); ok {
			return b.rank.Sections()[k.Section], b.rank.Section(int(k.Section))
		}
	}
	return nil, nil
}

// anyRank lets a tensor have any number of dimensions, but one.
const anyRank = -1

// arg is argument i, a buffer of elements E; f32 may also be a constant, row by row.
func arg[E element](b *binder, i, rank int) tensor[E] {
	name := fmt.Sprintf("argument %d", i)
	if s, data := b.section(i); s != nil && typeOf[E]() == dtype.F32 {
		if bundle.DType(s.Dtype) == dtype.F32 && s.Layout == "row" {
			return checkRank(b, name, newTensor(cast[E](data), shape.Make(s.Shape...), dtype.F32), rank)
		}
	}
	return operand[E](b, name, b.buffer(i), rank)
}

// result is result i, a buffer of elements E.
func result[E element](b *binder, i, rank int) tensor[E] {
	buf := &b.buffers[b.step.Results[i].Kind.(*bundlepb.Operand_Buffer).Buffer]
	return operand[E](b, fmt.Sprintf("result %d", i), buf, rank)
}

func operand[E element](b *binder, name string, buf *buffer, rank int) tensor[E] {
	if buf == nil || buf.dtype != typeOf[E]() {
		b.fail("%s is not a buffer of %v", name, typeOf[E]())
		return empty[E](rank)
	}
	return checkRank(b, name, view[E](buf), rank)
}

func checkRank[E element](b *binder, name string, t tensor[E], rank int) tensor[E] {
	if rank == anyRank && len(t.shape) > 0 || len(t.shape) == rank {
		return t
	}
	b.fail("%s is %v", name, t.shape)
	return empty[E](rank)
}

// empty stands in for an operand that is wrong.
func empty[E element](rank int) tensor[E] {
	return newTensor[E](nil, make(shape.Shape, max(rank, 1)), typeOf[E]())
}

// wantRows checks that the last dimension of t is fixed and not empty.
func wantRows[E element](b *binder, t *tensor[E]) {
	b.want(t.width > 0, "rows of %v are not fixed", t.shape)
}

// wantShape checks a shape that follows from others.
func (b *binder) wantShape(what string, got, want shape.Shape) {
	b.want(got.Equal(want), "%s is %v, want %v", what, got, want)
}

// vector is argument i: a constant of n elements f32.
func (b *binder) vector(i int, n int) []float32 { return b.constant(i, int64(n)) }

// constant is argument i: a constant f32 of the given dimensions, row by row.
func (b *binder) constant(i int, dims ...int64) []float32 {
	s, data := b.section(i)
	if !b.rowSection(i, s, dtype.F32, dims) {
		return nil
	}
	return kernels.Float32s(data)
}

func (b *binder) rowSection(i int, s *bundlepb.Section, d dtype.Type, dims []int64) bool {
	ok := s != nil && s.Layout == "row" && bundle.DType(s.Dtype) == d && equal(s.Shape, dims)
	b.want(ok, "argument %d is not a constant %v%v, row by row", i, d, dims)
	return ok
}

func equal(a, b []int64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// isInput checks that argument i is the program's input of that name, whose values have
// been checked.
func (b *binder) isInput(i int, name string) {
	buf, ok := b.inputs[name]
	b.want(ok && b.buffer(i) == &b.buffers[buf], "argument %d is not the input %s", i, name)
}

// state is argument i: a slot of the cache.
func (b *binder) state(i int) (slot int, s *bundlepb.State) {
	if k, ok := b.step.Args[i].Kind.(*bundlepb.Operand_State); ok {
		return int(k.State), b.program.States[k.State]
	}
	b.fail("argument %d is not a state", i)
	return 0, &bundlepb.State{Heads: 1, Width: 1}
}

func (b *binder) attr(name string) *bundlepb.Attr {
	for _, a := range b.step.Attrs {
		if a.Name == name {
			b.used++
			return a
		}
	}
	return nil
}

// int is an attribute from lo to hi.
func (b *binder) int(name string, lo, hi int64) int64 {
	a := b.attr(name)
	v, ok := a.GetValue().(*bundlepb.Attr_I)
	if !ok || v.I < lo || v.I > hi {
		b.fail("attribute %s is missing or not from %d to %d", name, lo, hi)
		return lo
	}
	return v.I
}

// optionalInt is an attribute from 0 on, 0 if it is absent.
func (b *binder) optionalInt(name string) int64 {
	for _, a := range b.step.Attrs {
		if a.Name == name {
			return b.int(name, 0, math.MaxInt64)
		}
	}
	return 0
}

// float is a finite attribute from lo to hi.
func (b *binder) float(name string, lo, hi float64) float32 {
	a := b.attr(name)
	v, ok := a.GetValue().(*bundlepb.Attr_F)
	if !ok || !(v.F >= lo && v.F <= hi) {
		b.fail("attribute %s is missing or not from %v to %v", name, lo, hi)
		return float32(lo)
	}
	return float32(v.F)
}

// resultType is the element type of the first result.
func (b *binder) resultType() dtype.Type {
	return b.buffers[b.step.Results[0].Kind.(*bundlepb.Operand_Buffer).Buffer].dtype
}
