package ir

import (
	"fmt"
	"strings"

	"moge/ir/dtype"
	"moge/ir/shape"
)

// Type is what a value is: elements of DType in Shape, or a state (one row of Shape,
// [heads, width], for every position of every sequence).
type Type struct {
	DType dtype.Type
	Shape shape.Shape
	State bool
}

// Tensor is the type of an ordinary tensor.
func Tensor(d dtype.Type, s shape.Shape) Type { return Type{DType: d, Shape: s} }

// Equal compares element type, shape and kind.
func (t Type) Equal(o Type) bool {
	return t.DType == o.DType && t.State == o.State && t.Shape.Equal(o.Shape)
}

// String is the spelling in IR text: f32[T,128] or state:f16[8,128].
func (t Type) String() string {
	text := t.DType.String() + t.Shape.String()
	if t.State {
		return "state:" + text
	}
	return text
}

// ParseType reads what String writes.
func ParseType(text string) (Type, error) {
	rest, state := strings.CutPrefix(text, "state:")
	at := strings.IndexByte(rest, '[')
	if at < 0 {
		return Type{}, fmt.Errorf("bad type %q", text)
	}
	d, err := dtype.Parse(rest[:at])
	if err != nil {
		return Type{}, err
	}
	s, err := shape.Parse(rest[at:])
	if err != nil {
		return Type{}, err
	}
	return Type{DType: d, Shape: s, State: state}, nil
}
