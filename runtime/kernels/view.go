package kernels

import (
	"fmt"
	"unsafe"
)

// Int8s views bytes as int8 without copying.
func Int8s(b []byte) []int8 { return view[int8](b) }

// Uint16s views little-endian bytes as uint16 without copying. The bytes must be aligned to
// 2 and whole elements.
func Uint16s(b []byte) []uint16 { return view[uint16](b) }

// Int32s views little-endian bytes as int32 without copying. The bytes must be aligned to 4
// and whole elements.
func Int32s(b []byte) []int32 { return view[int32](b) }

// Float32s views little-endian bytes as float32 without copying. The bytes must be aligned
// to 4 and whole elements.
func Float32s(b []byte) []float32 { return view[float32](b) }

// Bytes views elements as their bytes without copying.
func Bytes[T int8 | uint16 | int32 | float32](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)*int(unsafe.Sizeof(s[0])))
}

func view[T int8 | uint16 | int32 | float32](b []byte) []T {
	if len(b) == 0 {
		return nil
	}
	var element T
	size := int(unsafe.Sizeof(element))
	at := unsafe.Pointer(&b[0])
	if len(b)%size != 0 || uintptr(at)%uintptr(size) != 0 {
		panic(fmt.Sprintf("BUG: view of %d bytes at %#x as elements of %d bytes",
			len(b), uintptr(at), size))
	}
	return unsafe.Slice((*T)(at), len(b)/size)
}
