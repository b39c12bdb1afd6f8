package soc

import "slices"

// Mmad is a combination of operand types of the matrix unit.
type Mmad struct {
	A, B, C Elem  // left in L0A, right in L0B, accumulator in L0C
	Bias    Elem  // type of a bias from BT; 0 where the form with a bias does not exist
	Rate    Param // multiply-adds in a cycle
	Source  Source
	Note    string

	on310P, on910B bool
}

// mmads is the table of Mmad. The 310P has no bias form at all.
var mmads = []Mmad{
	{Int8, Int8, Int32, Int32, MACInt8, Docs, "", true, true},
	{Uint8, Int8, Int32, 0, MACInt8, Docs, "", true, false},
	{Uint8, Uint8, Int32, 0, MACInt8, Docs, "", true, false},
	{Half, Half, Float, Float, MACHalf, Docs, "", true, true},
	{Half, Half, Half, 0, MACHalf, Docs, "poor accuracy: sum in float", true, false},
	{BFloat16, BFloat16, Float, Float, MACHalf, Docs, "", false, true},
	{Float, Float, Float, Float, MACFloat, Docs, "", false, true},
	{Int4, Int4, Int32, 0, MACInt4, Docs, "", true, true},
}

// Mmads lists the combinations that the chip has; Bias is 0 where it has no such form.
func (c *Chip) Mmads() []Mmad {
	var list []Mmad
	for _, m := range mmads {
		if !pick(c.family, m.on310P, m.on910B) {
			continue
		}
		if c.family == Ascend310P {
			m.Bias = 0
		}
		list = append(list, m)
	}
	return list
}

// Mmad finds a combination; false if the chip lacks it.
func (c *Chip) Mmad(a, b, accumulator Elem) (Mmad, bool) {
	list := c.Mmads()
	i := slices.IndexFunc(list, func(m Mmad) bool { return m.A == a && m.B == b && m.C == accumulator })
	if i < 0 {
		return Mmad{}, false
	}
	return list[i], true
}

// FractalK is the depth of a fractal of operands of a type: 32 bytes.
func FractalK(e Elem) int { return 256 / e.Bits() }

// DrainScale says by what an accumulator is multiplied on its way out.
type DrainScale uint8

// The scales.
const (
	ScaleNone    DrainScale = iota + 1
	ScaleScalar             // one for the call
	ScaleChannel            // one for each column
)

// String is "none", "scalar" or "channel".
func (s DrainScale) String() string {
	if s < ScaleNone || s > ScaleChannel {
		return "scale(?)"
	}
	return [...]string{"none", "scalar", "channel"}[s-1]
}

// Drain is a conversion on the way out of L0C.
type Drain struct {
	Mode     string // enumerator of deqScale (310P) or quantPre (910B)
	From, To Elem
	Scale    DrainScale
	Source   Source
	Note     string
}

const (
	wordNote  = "scale word: float in bits 0 to 31, bit 46 for signed results; 16 words for 16 columns"
	clampNote = "the result saturates at 65504"
)

// drains310P is DataCopyEnhancedParams.deqScale, from L0C to UB on V.
var drains310P = []Drain{
	{"DEQ_NONE", Float, Float, ScaleNone, Docs, ""},
	{"DEQ_NONE", Int32, Int32, ScaleNone, Docs, ""},
	{"DEQ_NONE", Half, Half, ScaleNone, Docs, ""},
	{"DEQ_NONE", Float, Half, ScaleNone, Docs, clampNote},
	{"DEQ", Int32, Half, ScaleScalar, Docs, "the scale is a half"},
	{"DEQ", Half, Half, ScaleScalar, Docs, "the scale is a half"},
	{"DEQ8", Int32, Int8, ScaleScalar, Docs, wordNote},
	{"DEQ8", Int32, Uint8, ScaleScalar, Docs, wordNote},
	{"DEQ16", Int32, Half, ScaleScalar, Docs, clampNote},
	{"DEQ16", Int32, Int16, ScaleScalar, Docs, "shifts right by bits 32 to 35 and 1; the float is not used"},
	{"VDEQ", Int32, Half, ScaleChannel, Docs, "scales are half, 32 bytes for 16 columns"},
	{"VDEQ8", Int32, Int8, ScaleChannel, Docs, wordNote},
	{"VDEQ8", Int32, Uint8, ScaleChannel, Docs, wordNote},
	{"VDEQ16", Int32, Half, ScaleChannel, Docs, wordNote + "; " + clampNote},
	{"VDEQ16", Int32, Int16, ScaleChannel, Docs, "shifts right by bits 32 to 35 and 1; the float is not used"},
}

const cutNote = "the low 13 mantissa bits of the scale are dropped"

// drains910B is FixpipeParamsV220.quantPre, from L0C to device memory or L1 on FIX.
var drains910B = []Drain{
	{"NoQuant", Float, Float, ScaleNone, Docs, ""},
	{"NoQuant", Int32, Int32, ScaleNone, Docs, ""},
	{"F322F16", Float, Half, ScaleNone, Docs, "half to even"},
	{"F322BF16", Float, BFloat16, ScaleNone, Docs, "half to even"},
	{"DEQF16", Int32, Half, ScaleScalar, Docs, cutNote},
	{"VDEQF16", Int32, Half, ScaleChannel, Docs, cutNote},
	{"REQ8", Int32, Int8, ScaleScalar, Docs, cutNote},
	{"REQ8", Int32, Uint8, ScaleScalar, Docs, cutNote},
	{"VREQ8", Int32, Int8, ScaleChannel, Docs, cutNote},
	{"VREQ8", Int32, Uint8, ScaleChannel, Docs, cutNote},
	{"QF322B8_PRE", Float, Int8, ScaleScalar, Docs, cutNote},
	{"QF322B8_PRE", Float, Uint8, ScaleScalar, Docs, cutNote},
	{"VQF322B8_PRE", Float, Int8, ScaleChannel, Docs, cutNote},
	{"VQF322B8_PRE", Float, Uint8, ScaleChannel, Docs, cutNote},
}

// Drains lists the conversions of the chip on the way out of L0C.
func (c *Chip) Drains() []Drain { return slices.Clone(pick(c.family, drains310P, drains910B)) }

// Drain finds a conversion by types and scale; false if the chip lacks it, as int32 to
// bfloat16 is lacking everywhere.
func (c *Chip) Drain(from, to Elem, scale DrainScale) (Drain, bool) {
	for _, d := range c.Drains() {
		if d.From == from && d.To == to && d.Scale == scale {
			return d, true
		}
	}
	return Drain{}, false
}
