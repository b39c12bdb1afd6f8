package soc

import (
	"fmt"
	"math/bits"

	"moge/ir/dtype"
)

// Elem is an element type of a tensor in a kernel. Kernels have types that graphs lack: masks
// and offsets are unsigned.
type Elem uint8

// The element types.
const (
	Int4 Elem = iota + 1
	Int8
	Uint8
	Int16
	Uint16
	Half
	BFloat16
	Int32
	Uint32
	Float
	Int64
	Uint64
	elemEnd // sentinel: add new types above, and a row to the table
)

type elemRow struct {
	cpp  string
	bits int
	ir   dtype.Type // Invalid where graphs have no such type
}

var elemTable = [elemEnd]elemRow{
	Int4:     {"int4b_t", 4, dtype.I4},
	Int8:     {"int8_t", 8, dtype.I8},
	Uint8:    {"uint8_t", 8, dtype.U8},
	Int16:    {"int16_t", 16, dtype.Invalid},
	Uint16:   {"uint16_t", 16, dtype.Invalid},
	Half:     {"half", 16, dtype.F16},
	BFloat16: {"bfloat16_t", 16, dtype.BF16},
	Int32:    {"int32_t", 32, dtype.I32},
	Uint32:   {"uint32_t", 32, dtype.Invalid},
	Float:    {"float", 32, dtype.F32},
	Int64:    {"int64_t", 64, dtype.I64},
	Uint64:   {"uint64_t", 64, dtype.Invalid},
}

// Valid reports whether e is an element type.
func (e Elem) Valid() bool { return e > 0 && e < elemEnd }

// String is the spelling in kernels, such as "bfloat16_t".
func (e Elem) String() string {
	if !e.Valid() {
		return fmt.Sprintf("elem(%d)", uint8(e))
	}
	return elemTable[e].cpp
}

// Bits is the width of an element.
func (e Elem) Bits() int {
	if !e.Valid() {
		panic("BUG: width of an invalid element type")
	}
	return elemTable[e].bits
}

// Bytes is the storage of n elements, rounded up to a whole byte.
func (e Elem) Bytes(n int64) int64 { return (n*int64(e.Bits()) + 7) / 8 }

// DType is the type in graphs; false for those that graphs lack.
func (e Elem) DType() (dtype.Type, bool) {
	if !e.Valid() {
		return dtype.Invalid, false
	}
	return elemTable[e].ir, elemTable[e].ir.Valid()
}

// ElemOf is the element type of a graph's type.
func ElemOf(t dtype.Type) (Elem, bool) {
	for e := Elem(1); e < elemEnd; e++ {
		if elemTable[e].ir == t && t.Valid() {
			return e, true
		}
	}
	return 0, false
}

// Elems lists every element type.
func Elems() []Elem { return (elemSet(1)<<elemEnd - 2).list() }

// elemSet is a set of element types, bit e for type e.
type elemSet uint16

func set(elems ...Elem) elemSet {
	var s elemSet
	for _, e := range elems {
		s |= 1 << e
	}
	return s
}

func (s elemSet) has(e Elem) bool { return e.Valid() && s>>e&1 == 1 }

func (s elemSet) list() []Elem {
	list := make([]Elem, 0, bits.OnesCount16(uint16(s)))
	for e := Elem(1); e < elemEnd; e++ {
		if s.has(e) {
			list = append(list, e)
		}
	}
	return list
}
