package weights

import (
	"encoding/binary"
	"errors"
	"fmt"

	"moge/ir"
	"moge/ir/dtype"
	"moge/quant"
)

// Source supplies the bytes of checkpoint tensors, little-endian, row-major.
type Source interface {
	// ReadAt copies len(dst) bytes of tensor name from byte offset off; safe for concurrent use.
	ReadAt(name string, dst []byte, off int64) error
}

// Elements is the number of elements of a constant value.
func Elements(v *ir.Value) int64 {
	d, ok := v.Type.Shape.Elements()
	if !ok || !d.IsFixed() {
		panic("BUG: elements of a value that is not constant: " + v.Type.String())
	}
	return d.Coef
}

// RowLength is the length of the last dimension of a constant value.
func RowLength(v *ir.Value) int64 {
	s := v.Type.Shape
	if len(s) == 0 {
		return 1
	}
	return s[len(s)-1].Coef
}

// Read evaluates elements off ≤ i < off+n of constant v, in v's element type, into dst.
func Read(src Source, v *ir.Value, off, n int64, dst []byte) error {
	if int64(len(dst)) != v.Type.DType.Bytes(n) || off < 0 || n < 0 || off+n > Elements(v) {
		panic(fmt.Sprintf("BUG: read of %d elements at %d into %d bytes of %v", n, off, len(dst), v.Type))
	}
	if n == 0 {
		return nil
	}
	switch node := v.Def; node.Op {
	case ir.OpWeight:
		return src.ReadAt(node.Str("name"), dst, v.Type.DType.Bytes(off))
	case ir.OpReshape:
		return Read(src, node.Args[0], off, n, dst)
	case ir.OpStack, ir.OpConcat, ir.OpSlice, ir.OpShard:
		return readPieces(src, v, off, n, dst)
	case ir.OpOwn:
		if rankIndex(node, viewOf(src).rank) > 0 {
			clear(dst)
			return nil
		}
		return Read(src, node.Args[0], off, n, dst)
	case ir.OpCast:
		return readCast(src, v, off, n, dst)
	case ir.OpQuantizeWeight:
		return readQuantized(src, v, off, n, dst)
	}
	panic("BUG: " + v.Def.Op.String() + " is not evaluated on weights")
}

// Floats evaluates elements of constant float v as float32.
func Floats(src Source, v *ir.Value, off int64, dst []float32) error {
	raw := make([]byte, v.Type.DType.Bytes(int64(len(dst))))
	if err := Read(src, v, off, int64(len(dst)), raw); err != nil {
		return err
	}
	dtype.Decode(v.Type.DType, dst, raw)
	return nil
}

// readPieces follows what moves elements: each result range is a few ranges of arguments, or zeros.
func readPieces(src Source, v *ir.Value, off, n int64, dst []byte) error {
	width := v.Type.DType.Bytes(1)
	for n > 0 {
		arg, at, run := locate(v, off, viewOf(src).rank)
		run = min(run, n)
		if arg == nil {
			clear(dst[:run*width])
		} else if err := Read(src, arg, at, run, dst[:run*width]); err != nil {
			return err
		}
		off, n, dst = off+run, n-run, dst[run*width:]
	}
	return nil
}

// locate finds element off of v: the argument that holds it, its place there, and how many
// elements from there on follow each other in both. No argument holds a zero of the padding.
func locate(v *ir.Value, off int64, rank int) (arg *ir.Value, at, run int64) {
	node := v.Def
	if node.Op == ir.OpStack {
		size := Elements(node.Args[0])
		return node.Args[off/size], off % size, size - off%size
	}
	axis := int(node.Int("axis"))
	inner := int64(1)
	for _, d := range v.Type.Shape[axis+1:] {
		inner *= d.Coef
	}
	block := v.Type.Shape[axis].Coef * inner // elements of one outer index
	outer, within := off/block, off%block
	switch node.Op {
	case ir.OpSlice:
		from := node.Args[0].Type.Shape[axis].Coef * inner
		return node.Args[0], outer*from + node.Int("lo")*inner + within, block - within
	case ir.OpShard:
		lo, hi := shardRange(node, rank)
		if real := (hi - lo) * inner; within < real {
			from := node.Args[0].Type.Shape[axis].Coef * inner
			return node.Args[0], outer*from + lo*inner + within, real - within
		}
		return nil, 0, block - within
	}
	for _, a := range node.Args {
		part := a.Type.Shape[axis].Coef * inner
		if within < part {
			return a, outer*part + within, part - within
		}
		within -= part
	}
	panic("BUG: concatenation is shorter than its type")
}

func readCast(src Source, v *ir.Value, off, n int64, dst []byte) error {
	arg := v.Def.Args[0]
	values := make([]float32, n)
	if arg.Type.DType.Float() {
		if err := Floats(src, arg, off, values); err != nil {
			return err
		}
	} else if err := integers(src, arg, off, values); err != nil {
		return err
	}
	dtype.Encode(v.Type.DType, dst, values)
	if log, ok := viewOf(src).Source.(CastLog); ok && v.Type.DType == dtype.F16 && arg.Type.DType.Float() {
		report(log, arg, off, values)
	}
	return nil
}

// report tells the log what a cast to f16 does to the values of v from off on, by tensor.
func report(log CastLog, v *ir.Value, off int64, values []float32) {
	half := make([]uint16, len(values))
	for len(values) > 0 {
		tensor, _, run := trace(v, off)
		n := min(run, int64(len(values)))
		log.Cast(tensor, quant.CastF32ToF16(half[:n], values[:n]))
		off, values = off+n, values[n:]
	}
}

// CastLog is a source that wants to know what casts to f16 did to the tensors it supplied.
type CastLog interface {
	Cast(tensor string, r quant.CastReport)
}

// integers evaluates i8 or i32 elements as float32.
func integers(src Source, v *ir.Value, off int64, dst []float32) error {
	raw := make([]byte, v.Type.DType.Bytes(int64(len(dst))))
	if err := Read(src, v, off, int64(len(dst)), raw); err != nil {
		return err
	}
	for i := range dst {
		switch v.Type.DType {
		case dtype.I8:
			dst[i] = float32(int8(raw[i]))
		case dtype.I32:
			dst[i] = float32(int32(binary.LittleEndian.Uint32(raw[4*i:])))
		default:
			panic("BUG: cast of constant " + v.Type.String())
		}
	}
	return nil
}

// readQuantized evaluates one result of quantize_weight alone; Quantize gives both at once.
func readQuantized(src Source, v *ir.Value, off, n int64, dst []byte) error {
	k := RowLength(v.Def.Args[0])
	lo, hi := off, off+n
	if v.Index == 0 {
		lo, hi = off/k, (off+n+k-1)/k
	}
	q := make([]int8, (hi-lo)*k)
	scales := make([]float32, hi-lo)
	if err := Quantize(src, v.Def.Results[0], v.Def.Results[1], lo, q, scales); err != nil {
		return err
	}
	if v.Index == 1 {
		dtype.Encode(dtype.F32, dst, scales)
		return nil
	}
	for i := range dst {
		dst[i] = byte(q[off-lo*k+int64(i)])
	}
	return nil
}

// Quantize evaluates rows from row lo of an int8 weight q and its scales s: q [rows,K],
// scales [rows]. Each source byte is read once, whether the weight is quantized here or was
// quantized before.
func Quantize(src Source, q, s *ir.Value, lo int64, dst []int8, scales []float32) error {
	if q.Def != s.Def || q.Def.Op != ir.OpQuantizeWeight {
		if moved(q, s) {
			return quantizePieces(src, q, s, lo, dst, scales)
		}
		return readPair(src, q, s, lo, dst, scales)
	}
	k := RowLength(q)
	rows := int64(len(scales))
	arg := q.Def.Args[0]
	row := make([]float32, k)
	raw := make([]byte, arg.Type.DType.Bytes(rows*k))
	if err := Read(src, arg, lo*k, rows*k, raw); err != nil {
		return err
	}
	pitch := arg.Type.DType.Bytes(k)
	for r := range rows {
		dtype.Decode(arg.Type.DType, row, raw[r*pitch:(r+1)*pitch])
		scale, err := quant.EncodeRow(dst[r*k:(r+1)*k], row)
		if err != nil {
			return cannotQuantize(arg, (lo+r)*k, err)
		}
		scales[r] = scale
	}
	return nil
}

// cannotQuantize puts the defect that keeps the row at element off of v from being quantized
// in its place in the checkpoint.
func cannotQuantize(v *ir.Value, off int64, err error) error {
	var bad *quant.NonFiniteError
	if !errors.As(err, &bad) {
		return fmt.Errorf("tensor %s: %w", tensorOf(v, off), err)
	}
	tensor, element := Origin(v, off+int64(bad.Index))
	return fmt.Errorf("tensor %s: %w", tensor, &quant.NonFiniteError{Index: int(element), Value: bad.Value})
}

// Origin finds the checkpoint tensor, and the element of it, that element off of constant v
// comes from, on rank 0; padding comes from no tensor.
func Origin(v *ir.Value, off int64) (tensor string, element int64) {
	tensor, element, _ = trace(v, off)
	return tensor, element
}

// trace is Origin; run counts the elements from off on that follow each other in both.
func trace(v *ir.Value, off int64) (tensor string, element, run int64) {
	switch node := v.Def; node.Op {
	case ir.OpWeight:
		return node.Str("name"), off, Elements(v) - off
	case ir.OpStack, ir.OpConcat, ir.OpSlice, ir.OpShard:
		arg, at, n := locate(v, off, 0)
		if arg == nil {
			return "", 0, n
		}
		tensor, element, run = trace(arg, at)
		return tensor, element, min(run, n)
	case ir.OpQuantizeWeight:
		if v.Index == 1 {
			tensor, element, _ = trace(node.Args[0], off*RowLength(node.Args[0]))
			return tensor, element, 1
		}
	}
	return trace(v.Def.Args[0], off)
}

func tensorOf(v *ir.Value, off int64) string {
	tensor, _ := Origin(v, off)
	return tensor
}
