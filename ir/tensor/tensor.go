package tensor

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"moge/ir/dtype"
)

// Tensor is a row-major tensor. Exactly one of the element slices is in use: F32 for
// every float type (each value being exactly representable in DType), I32 or I8.
type Tensor struct {
	DType dtype.Type
	Shape []int64 // dimensions, outermost first; none means one element
	F32   []float32
	I32   []int32
	I8    []int8
}

// maxElements bounds a tensor; a larger one cannot be allocated sensibly anywhere.
const maxElements = 1 << 40

// Elements is the product of the dimensions. It fails on a negative dimension and on a
// product beyond 2^40.
func Elements(shape []int64) (int64, error) {
	n := uint64(1)
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("dimension %d is negative", d)
		}
		hi, lo := bits.Mul64(n, uint64(d))
		if hi != 0 || lo > maxElements {
			return 0, fmt.Errorf("shape %v has more than 2^40 elements", shape)
		}
		n = lo
	}
	return int64(n), nil
}

// Make allocates zeros. It fails on element types a Tensor cannot hold (all but f32, f16,
// bf16, i32, i8) and on shapes Elements refuses.
func Make(d dtype.Type, shape []int64) (*Tensor, error) {
	n, err := Elements(shape)
	if err != nil {
		return nil, err
	}
	t := &Tensor{DType: d, Shape: slices.Clone(shape)}
	switch {
	case d.Float():
		t.F32 = make([]float32, n)
	case d == dtype.I32:
		t.I32 = make([]int32, n)
	case d == dtype.I8:
		t.I8 = make([]int8, n)
	default:
		return nil, fmt.Errorf("a tensor cannot hold elements of %v", d)
	}
	return t, nil
}

// New is Make for dimensions the program itself chose; a bad one is a bug.
func New(d dtype.Type, dims ...int64) *Tensor {
	t, err := Make(d, dims)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return t
}

// FromF32 wraps f32 elements without copying; len(values) must be the product of dims.
func FromF32(values []float32, dims ...int64) *Tensor {
	return wrap(Tensor{DType: dtype.F32, Shape: dims, F32: values})
}

// FromI32 wraps i32 elements without copying; len(values) must be the product of dims.
func FromI32(values []int32, dims ...int64) *Tensor {
	return wrap(Tensor{DType: dtype.I32, Shape: dims, I32: values})
}

// FromI8 wraps i8 elements without copying; len(values) must be the product of dims.
func FromI8(values []int8, dims ...int64) *Tensor {
	return wrap(Tensor{DType: dtype.I8, Shape: dims, I8: values})
}

func wrap(t Tensor) *Tensor {
	if err := t.Check(); err != nil {
		panic("BUG: " + err.Error())
	}
	return &t
}

// Check reports a tensor whose elements do not fit its type and shape.
func (t *Tensor) Check() error {
	n, err := Elements(t.Shape)
	if err != nil {
		return err
	}
	if !t.DType.Float() && t.DType != dtype.I32 && t.DType != dtype.I8 {
		return fmt.Errorf("a tensor cannot hold elements of %v", t.DType)
	}
	if int64(t.Len()) != n {
		return fmt.Errorf("%v holds %d elements", t, t.Len())
	}
	return nil
}

// Len is the number of elements held.
func (t *Tensor) Len() int {
	switch {
	case t.DType.Float():
		return len(t.F32)
	case t.DType == dtype.I32:
		return len(t.I32)
	}
	return len(t.I8)
}

// Last is the last dimension, 1 when there is none.
func (t *Tensor) Last() int {
	if len(t.Shape) == 0 {
		return 1
	}
	return int(t.Shape[len(t.Shape)-1])
}

// Clone copies the tensor with its elements.
func (t *Tensor) Clone() *Tensor {
	return &Tensor{DType: t.DType, Shape: slices.Clone(t.Shape),
		F32: slices.Clone(t.F32), I32: slices.Clone(t.I32), I8: slices.Clone(t.I8)}
}

// Copy copies n elements from src, starting at from, to t, starting at at; the element
// types must agree.
func (t *Tensor) Copy(at int, src *Tensor, from, n int) {
	switch {
	case t.DType != src.DType:
		panic("BUG: copy between element types " + t.DType.String() + " and " + src.DType.String())
	case t.DType.Float():
		copy(t.F32[at:at+n], src.F32[from:from+n])
	case t.DType == dtype.I32:
		copy(t.I32[at:at+n], src.I32[from:from+n])
	default:
		copy(t.I8[at:at+n], src.I8[from:from+n])
	}
}

// String is the type of the tensor in IR spelling, such as bf16[8,128].
func (t *Tensor) String() string {
	dims := make([]string, len(t.Shape))
	for i, d := range t.Shape {
		dims[i] = strconv.FormatInt(d, 10)
	}
	return t.DType.String() + "[" + strings.Join(dims, ",") + "]"
}

// Round gives the value nearest to v that d can represent, ties to even; d is a float type.
func Round(d dtype.Type, v float32) float32 {
	switch d {
	case dtype.F32:
		return v
	case dtype.F16:
		return dtype.F16ToF32(dtype.F32ToF16(v))
	case dtype.BF16:
		return dtype.BF16ToF32(dtype.F32ToBF16(v))
	}
	panic("BUG: rounding to element type " + d.String())
}

// Float is element i as a number, whatever the element type.
func (t *Tensor) Float(i int) float64 {
	switch {
	case t.DType.Float():
		return float64(t.F32[i])
	case t.DType == dtype.I32:
		return float64(t.I32[i])
	}
	return float64(t.I8[i])
}

// bits is element i as a bit pattern; all NaN count as one.
func (t *Tensor) bits(i int) uint32 {
	switch {
	case t.DType.Float():
		if v := t.F32[i]; v != v {
			return 0x7fc00000
		}
		return math.Float32bits(t.F32[i])
	case t.DType == dtype.I32:
		return uint32(t.I32[i])
	}
	return uint32(t.I8[i])
}
