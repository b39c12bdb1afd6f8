package device

import (
	"moge/ascend/kernel"
	"moge/ascend/soc"
)

// Arg is an argument of a call.
type Arg interface{ arg() }

// Local is a tensor in a memory of the core: element Off of the slot, read as Elem.
type Local struct {
	Buf  *Buffer
	Slot *Slot
	Elem soc.Elem
	Off  Int
}

// Global is a tensor in device memory from element Off.
type Global struct {
	Global *kernel.Global
	Off    Int
}

// Number is an integer argument. Type is the C++ type to write where a literal would be
// ambiguous or too wide, otherwise empty.
type Number struct {
	X    Int
	Type string
}

// Scalar is a float argument in the type of the tensor's elements.
type Scalar struct {
	X    kernel.Float
	Elem soc.Elem
}

// Enum is a named value, with its scope.
type Enum string

// Bool is a truth value; with Conds it is true where all of them hold.
type Bool struct {
	Value bool
	Conds []kernel.Cond
}

// Struct is a parameter struct made by its constructor.
type Struct struct {
	Type   string
	Fields []Field
}

// Named is a parameter struct filled field by field before the call, for structs whose
// constructor lacks a field.
type Named struct {
	Type   string
	Fields []Field
}

// Field is a named argument.
type Field struct {
	Name  string
	Value Arg
}

// Address is the address of a local tensor as a number.
type Address struct{ Local Local }

func (Local) arg()   {}
func (Global) arg()  {}
func (Number) arg()  {}
func (Scalar) arg()  {}
func (Enum) arg()    {}
func (Bool) arg()    {}
func (Struct) arg()  {}
func (Named) arg()   {}
func (Address) arg() {}
