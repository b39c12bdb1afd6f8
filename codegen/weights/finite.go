package weights

import (
	"encoding/binary"
	"fmt"

	"moge/ir/dtype"
)

// NonFiniteError says where a checkpoint holds an infinity or NaN.
type NonFiniteError struct {
	Tensor  string
	Element int64 // row-major
	Value   float32
}

// Error names the tensor and the element.
func (e *NonFiniteError) Error() string {
	return fmt.Sprintf("tensor %s: element %d is %v: the checkpoint is damaged; --allow-nonfinite "+
		"takes it as it is",
		e.Tensor, e.Element, e.Value)
}

// Finite is a source that refuses infinities and NaNs. TypeOf gives the element type of a tensor.
type Finite struct {
	Source
	TypeOf func(name string) dtype.Type
}

// ReadAt reads and checks; the error is a *NonFiniteError.
func (f Finite) ReadAt(name string, dst []byte, off int64) error {
	if err := f.Source.ReadAt(name, dst, off); err != nil {
		return err
	}
	d := f.TypeOf(name)
	if !d.Float() {
		return nil
	}
	if i := firstNonFinite(d, dst); i >= 0 {
		var v [1]float32
		width := d.Bytes(1)
		dtype.Decode(d, v[:], dst[int64(i)*width:int64(i+1)*width])
		return &NonFiniteError{name, off/width + int64(i), v[0]}
	}
	return nil
}

// firstNonFinite is the index of the first element whose exponent is all ones, or -1.
func firstNonFinite(d dtype.Type, raw []byte) int {
	if d == dtype.F32 {
		for i := 0; i+4 <= len(raw); i += 4 {
			if binary.LittleEndian.Uint32(raw[i:])&0x7f800000 == 0x7f800000 {
				return i / 4
			}
		}
		return -1
	}
	mask := uint16(0x7f80)
	if d == dtype.F16 {
		mask = 0x7c00
	}
	i := skipFinite(raw, mask)
	for ; i+2 <= len(raw); i += 2 {
		if binary.LittleEndian.Uint16(raw[i:])&mask == mask {
			return i / 2
		}
	}
	return -1
}

// skipFinite passes over groups of four 16-bit floats that are all finite: adding one at the
// foot of the exponent carries out of the field only when the exponent is all ones.
func skipFinite(raw []byte, mask uint16) int {
	all := uint64(mask) * 0x0001000100010001
	foot := uint64(mask&-mask) * 0x0001000100010001
	i := 0
	for ; i+8 <= len(raw); i += 8 {
		if (binary.LittleEndian.Uint64(raw[i:])&all+foot)&0x8000800080008000 != 0 {
			return i
		}
	}
	return i
}
