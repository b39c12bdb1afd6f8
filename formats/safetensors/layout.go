package safetensors

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"moge/ir/dtype"
)

// Tensor says what a tensor is and where its bytes lie.
type Tensor struct {
	Name   string
	DType  dtype.Type
	Shape  []int64 // row-major, must not be changed; empty for a scalar
	Shard  string  // base name of the file
	Offset int64   // of the first byte in that file
	Size   int64   // bytes
}

// Elements is the product of the shape.
func (t Tensor) Elements() int64 { return t.Size / t.DType.Bytes(1) }

// place checks that the entries fill the data, from byte start to the end of the file of size
// bytes, without gap or overlap, and gives the tensors in that order.
func place(file string, entries []entry, start, size int64) ([]Tensor, error) {
	slices.SortFunc(entries, func(a, b entry) int {
		p, q := a.TensorInfo.DataOffsets, b.TensorInfo.DataOffsets
		return cmp.Or(cmp.Compare(p[0], q[0]), cmp.Compare(p[1], q[1]), cmp.Compare(a.Name, b.Name))
	})
	tensors := make([]Tensor, len(entries))
	next := uint64(0) // the end of the tensors before
	for i, e := range entries {
		if err := checkEntry(file, e, next, uint64(size-start)); err != nil {
			return nil, err
		}
		offsets := e.TensorInfo.DataOffsets
		tensors[i] = Tensor{
			Name: e.Name, DType: e.dtype, Shape: signed(e.TensorInfo.Shape), Shard: file,
			Offset: start + int64(offsets[0]), Size: int64(offsets[1] - offsets[0]),
		}
		next = offsets[1]
	}
	return tensors, checkEnd(file, uint64(start)+next, uint64(size))
}

// checkEntry checks one record; next is where its data must begin, limit the bytes of data.
func checkEntry(file string, e entry, next, limit uint64) error {
	begin, end := e.TensorInfo.DataOffsets[0], e.TensorInfo.DataOffsets[1]
	bytes, fits := storage(e.TensorInfo.Shape, e.TensorInfo.DType.Size())
	offsets := fmt.Sprintf("data_offsets [%d, %d]", begin, end)
	reason := ""
	switch {
	case !fits:
		reason = fmt.Sprintf("shape %v overflows", e.TensorInfo.Shape)
	case begin > end:
		reason = offsets + " end before they begin"
	case end-begin != bytes:
		reason = fmt.Sprintf("%s hold %d bytes but shape %v of %s needs %d",
			offsets, end-begin, e.TensorInfo.Shape, e.TensorInfo.DType, bytes)
	case begin < next:
		reason = fmt.Sprintf("%s overlap the tensor before, which ends at %d", offsets, next)
	case begin > next && end > limit:
		reason = fmt.Sprintf("%s lie outside the file's %d bytes of data", offsets, limit)
	case begin > next:
		reason = fmt.Sprintf("%s leave a gap after the tensor before, which ends at %d", offsets, next)
	default:
		return nil
	}
	return &Error{File: file, Tensor: e.Name, Offset: e.at, Reason: reason, Hint: hintDamaged}
}

func checkEnd(file string, declared, size uint64) error {
	reason := fmt.Sprintf("file has %d bytes but its header declares %d", size, declared)
	switch {
	case declared > size:
		return &Error{File: file, Reason: reason, Hint: hintCut}
	case declared < size:
		return &Error{File: file, Reason: reason, Hint: hintDamaged}
	}
	return nil
}

// storage is the bytes of a tensor whose elements take width bytes; false if an intermediate
// product does not fit an int64.
func storage(shape []uint64, width uint64) (bytes uint64, ok bool) {
	bytes = width
	for _, n := range shape {
		if n != 0 && bytes > math.MaxInt64/n {
			return 0, false
		}
		bytes *= n
	}
	return bytes, true
}

// signed is shape as the rest of the program counts; every value was read below 2^63.
func signed(shape []uint64) []int64 {
	result := make([]int64, len(shape))
	for i, n := range shape {
		result[i] = int64(n)
	}
	return result
}
