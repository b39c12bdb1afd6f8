package ir

import (
	"fmt"
	"math"
	"strconv"

	"moge/ir/dtype"
)

// AttrKind is the type of an attribute's value.
type AttrKind uint8

// The kinds of attributes.
const (
	IntAttr AttrKind = iota + 1
	FloatAttr
	StringAttr
	DTypeAttr
)

// Attr is a named constant of a node. Exactly the field of its Kind is meaningful.
type Attr struct {
	Name  string
	Kind  AttrKind
	Int   int64
	Float float32
	Str   string
	DType dtype.Type
}

// Int makes an integer attribute.
func Int(name string, v int64) Attr { return Attr{Name: name, Kind: IntAttr, Int: v} }

// Float makes a float32 attribute.
func Float(name string, v float32) Attr { return Attr{Name: name, Kind: FloatAttr, Float: v} }

// Str makes a string attribute.
func Str(name, v string) Attr { return Attr{Name: name, Kind: StringAttr, Str: v} }

// DType makes an element-type attribute.
func DType(name string, v dtype.Type) Attr { return Attr{Name: name, Kind: DTypeAttr, DType: v} }

// value is the spelling of the attribute's value in IR text.
func (a Attr) value() string {
	switch a.Kind {
	case IntAttr:
		return strconv.FormatInt(a.Int, 10)
	case FloatAttr:
		return strconv.FormatFloat(float64(a.Float), 'g', -1, 32)
	case StringAttr:
		return strconv.Quote(a.Str)
	case DTypeAttr:
		return a.DType.String()
	}
	panic("BUG: attribute " + a.Name + " has no kind")
}

// parseAttr reads the spelling of a value of the given kind; only the printed form is accepted.
func parseAttr(name string, kind AttrKind, text string) (Attr, error) {
	a := Attr{Name: name, Kind: kind}
	var err error
	switch kind {
	case IntAttr:
		a.Int, err = strconv.ParseInt(text, 10, 64)
	case FloatAttr:
		var v float64
		v, err = strconv.ParseFloat(text, 32)
		a.Float = float32(v)
		if err == nil && math.IsNaN(v) {
			err = fmt.Errorf("not a number")
		}
	case StringAttr:
		a.Str, err = strconv.Unquote(text)
	case DTypeAttr:
		a.DType, err = dtype.Parse(text)
	}
	if err != nil || a.value() != text {
		return Attr{}, fmt.Errorf("attribute %s has the bad value %s", name, text)
	}
	return a, nil
}
