package dtype

import "fmt"

// Type is an element type. The zero value is Invalid.
type Type uint8

// The element types. I4 is two values a byte, low nibble first.
const (
	Invalid Type = iota
	F32
	F16
	BF16
	I64
	I32
	I8
	U8
	I4
	typeEnd // sentinel: add new types above, and a row to the table
)

type row struct {
	name        string
	bits        int
	safetensors string // spelling in a safetensors header; empty where the format has none
	float       bool
}

var table = [typeEnd]row{
	F32:  {"f32", 32, "F32", true},
	F16:  {"f16", 16, "F16", true},
	BF16: {"bf16", 16, "BF16", true},
	I64:  {"i64", 64, "I64", false},
	I32:  {"i32", 32, "I32", false},
	I8:   {"i8", 8, "I8", false},
	U8:   {"u8", 8, "U8", false},
	I4:   {"i4", 4, "", false},
}

// All lists every valid type in declaration order.
func All() []Type {
	all := make([]Type, 0, typeEnd-1)
	for t := Invalid + 1; t < typeEnd; t++ {
		all = append(all, t)
	}
	return all
}

// Valid reports whether t is one of the named types.
func (t Type) Valid() bool { return t > Invalid && t < typeEnd }

// String returns the IR spelling, such as "bf16".
func (t Type) String() string {
	if !t.Valid() {
		return fmt.Sprintf("dtype(%d)", uint8(t))
	}
	return table[t].name
}

// Bits is the width of one element in bits.
func (t Type) Bits() int {
	if !t.Valid() {
		panic("BUG: width of an invalid element type")
	}
	return table[t].bits
}

// Float reports whether t is a floating-point type.
func (t Type) Float() bool { return t.Valid() && table[t].float }

// Bytes is the storage of n elements in bytes, rounded up to a whole byte.
func (t Type) Bytes(n int64) int64 { return (n*int64(t.Bits()) + 7) / 8 }

// Safetensors is the spelling in a safetensors header, empty if the format lacks the type.
func (t Type) Safetensors() string {
	if !t.Valid() {
		return ""
	}
	return table[t].safetensors
}

// Parse reads the IR spelling.
func Parse(name string) (Type, error) {
	for _, t := range All() {
		if table[t].name == name {
			return t, nil
		}
	}
	return Invalid, fmt.Errorf("unknown element type %q", name)
}

// ParseSafetensors reads the spelling of a safetensors header.
func ParseSafetensors(name string) (Type, error) {
	for _, t := range All() {
		if table[t].safetensors == name && name != "" {
			return t, nil
		}
	}
	return Invalid, fmt.Errorf("unsupported safetensors element type %q", name)
}
