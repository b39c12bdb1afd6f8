package codegen

import (
	"moge/codegen/weights"
	"moge/ir"
	"moge/ir/dtype"
)

// UnitBytes is the output of one unit of work, about. It is fixed, not derived from the memory
// bound, so that an interrupted job can be resumed under another bound.
const UnitBytes = 4 << 20

// Work is everything one evaluator produces: Count items of which a unit takes Step.
type Work struct {
	Eval    Evaluator
	Count   int64 // elements, rows or tiles
	Step    int64 // items a unit
	Scratch int64
	Extents func(lo, hi int64) []Extent
}

// Units cuts the work.
func (w Work) Units() []Unit {
	var units []Unit
	for lo := int64(0); lo < w.Count; lo += w.Step {
		hi := min(lo+w.Step, w.Count)
		units = append(units, Unit{Extents: w.Extents(lo, hi), Eval: w.Eval, Lo: lo, Hi: hi,
			Scratch: w.Scratch})
	}
	return units
}

// RowWork evaluates a constant row-major into a section, cast to another float type where asked.
func RowWork(v *ir.Value, to dtype.Type, section int) Work {
	width := to.Bytes(1)
	step := UnitBytes / width
	scratch := int64(0)
	if v.Type.DType != to {
		scratch = step * (v.Type.DType.Bytes(1) + 4)
	}
	return Work{rowsOf{v, to}, weights.Elements(v), step, scratch, func(lo, hi int64) []Extent {
		return []Extent{{Section: section, Offset: lo * width, Size: (hi - lo) * width}}
	}}
}

// rowsOf evaluates a constant row-major.
type rowsOf struct {
	value *ir.Value
	to    dtype.Type
}

// Values is the one constant.
func (r rowsOf) Values() []*ir.Value { return []*ir.Value{r.value} }

// Eval gives elements lo to hi.
func (r rowsOf) Eval(src weights.Source, lo, hi int64, out [][]byte) error {
	from := r.value.Type.DType
	if from == r.to {
		return weights.Read(src, r.value, lo, hi-lo, out[0])
	}
	values := make([]float32, hi-lo)
	if err := weights.Floats(src, r.value, lo, values); err != nil {
		return err
	}
	dtype.Encode(r.to, out[0], values)
	return nil
}
