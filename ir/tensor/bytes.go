package tensor

import (
	"encoding/binary"
	"fmt"

	"moge/ir/dtype"
)

// FromBytes decodes row-major little-endian elements, as safetensors stores them. It
// fails when a Tensor cannot hold d or when raw is not exactly the storage of shape.
func FromBytes(d dtype.Type, shape []int64, raw []byte) (*Tensor, error) {
	n, err := Elements(shape)
	if err != nil {
		return nil, err
	}
	if !d.Float() && d != dtype.I32 && d != dtype.I8 {
		return nil, fmt.Errorf("a tensor cannot hold elements of %v", d)
	}
	if want := d.Bytes(n); int64(len(raw)) != want {
		return nil, fmt.Errorf("%v%v takes %d bytes, got %d", d, shape, want, len(raw))
	}
	t := New(d, shape...)
	switch {
	case d.Float():
		dtype.Decode(d, t.F32, raw)
	case d == dtype.I32:
		for i := range t.I32 {
			t.I32[i] = int32(binary.LittleEndian.Uint32(raw[4*i:]))
		}
	default:
		for i := range t.I8 {
			t.I8[i] = int8(raw[i])
		}
	}
	return t, nil
}

// Bytes is the inverse of FromBytes.
func (t *Tensor) Bytes() []byte {
	raw := make([]byte, t.DType.Bytes(int64(t.Len())))
	switch {
	case t.DType.Float():
		dtype.Encode(t.DType, raw, t.F32)
	case t.DType == dtype.I32:
		for i, v := range t.I32 {
			binary.LittleEndian.PutUint32(raw[4*i:], uint32(v))
		}
	default:
		for i, v := range t.I8 {
			raw[i] = byte(v)
		}
	}
	return raw
}
