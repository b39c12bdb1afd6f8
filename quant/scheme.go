package quant

import (
	"fmt"
	"strings"

	"moge/ir/dtype"
)

// Activation says how the input of a quantized linear op is represented.
type Activation uint8

// The activation representations.
const (
	ActNone    Activation = iota // nothing is quantized
	ActFloat                     // weights are int8, activations stay float
	ActDynamic                   // int8 with a scale for each token, measured at run time
	ActStatic                    // int8 with one scale for the tensor, measured by calibration
)

// String is the spelling used in IR text and reports.
func (a Activation) String() string {
	names := [...]string{"none", "float", "dynamic", "static"}
	if int(a) >= len(names) {
		return fmt.Sprintf("activation(%d)", uint8(a))
	}
	return names[a]
}

// Scheme is one way to quantize a linear op.
type Scheme struct {
	Name       string     // as written on the command line
	Weight     dtype.Type // I8, or Invalid where the weight keeps the type of its source
	Activation Activation
	Summary    string // one line for help texts
}

// Quantized reports whether the weight is stored as integers.
func (s Scheme) Quantized() bool { return s.Weight.Valid() }

// NeedsStats reports whether the scheme reads a calibration statistics file.
func (s Scheme) NeedsStats() bool { return s.Activation == ActStatic }

// Schemes lists every scheme in the order of help texts; the slice is the caller's.
func Schemes() []Scheme {
	return []Scheme{
		{"none", dtype.Invalid, ActNone, "keep the floating-point weights"},
		{"w8a16", dtype.I8, ActFloat, "int8 weights, floating-point activations"},
		{"w8a8-dynamic", dtype.I8, ActDynamic,
			"int8 weights, int8 activations scaled for each token"},
		{"w8a8", dtype.I8, ActStatic,
			"int8 weights, int8 activations with calibrated scales; needs statistics"},
	}
}

// ParseScheme finds a scheme by its exact name. The error names the nearest scheme and
// lists all.
func ParseScheme(name string) (Scheme, error) {
	var names []string
	for _, s := range Schemes() {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return Scheme{}, fmt.Errorf("unknown quantization scheme %q: did you mean %q? schemes: %s",
		name, Nearest(name, names), strings.Join(names, ", "))
}
