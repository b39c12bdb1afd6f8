package soc

import "fmt"

// RoundMode is the third argument of Cast; the values are those of the enumeration.
type RoundMode uint8

// The modes. CastNone is exact where the result holds every value, else it is CastRint.
const (
	CastNone  RoundMode = iota
	CastRint            // half to even
	CastFloor           // toward minus infinity
	CastCeil            // toward plus infinity
	CastRound           // half away from zero
	CastTrunc           // toward zero
	CastOdd             // toward the odd neighbour, so that a second rounding is right
	roundModeEnd
)

// String is the enumerator, such as "CAST_RINT".
func (m RoundMode) String() string {
	if m >= roundModeEnd {
		return fmt.Sprintf("round mode(%d)", uint8(m))
	}
	return [roundModeEnd]string{"CAST_NONE", "CAST_RINT", "CAST_FLOOR", "CAST_CEIL", "CAST_ROUND",
		"CAST_TRUNC", "CAST_ODD"}[m]
}

// modeSet is a set of modes, bit m for mode m.
type modeSet uint8

const (
	none    modeSet = 1 << CastNone
	rint    modeSet = 1 << CastRint
	odd     modeSet = 1 << CastOdd
	noRint  modeSet = 1<<CastFloor | 1<<CastCeil | 1<<CastRound | 1<<CastTrunc
	five            = rint | noRint
	six             = five | none
	missing modeSet = 0
)

func (s modeSet) list() []RoundMode {
	var list []RoundMode
	for m := CastNone; m < roundModeEnd; m++ {
		if s>>m&1 == 1 {
			list = append(list, m)
		}
	}
	return list
}

// CastRow is one pair of types of Cast.
type CastRow struct {
	From, To Elem
	DeqScale bool // the result is multiplied by the half of SetDeqScale, and the mode is ignored
	Source   Source
	Note     string

	on310P, on910B modeSet
}

// Modes lists the modes of a family; empty if it lacks the pair.
func (r CastRow) Modes(f Family) []RoundMode { return pick(f, r.on310P, r.on910B).list() }

// casts is the table of Cast on tensors. What is not in it, no family has: above all int32 or
// float to int8.
var casts = []CastRow{
	{Int4, Half, false, Docs, "", missing, none},
	{Int8, Half, false, Docs, "", none, none},
	{Uint8, Half, false, Docs, "", none, none},
	{Int16, Half, false, Docs, "", none, six},
	{Int16, Float, false, Docs, "", missing, none},
	{Half, Int4, false, Docs, "", none, six},
	{Half, Int8, false, Docs, "310P: CAST_NONE rounds like CAST_RINT, which asserts; saturates", noRint | none, six},
	{Half, Uint8, false, Docs, "310P: CAST_NONE rounds like CAST_RINT, which asserts; saturates", noRint | none, six},
	{Half, Int16, false, Docs, "", rint, five},
	{Half, Int32, false, Docs, "", five, five},
	{Half, Float, false, Docs, "", none, none},
	{BFloat16, Float, false, Docs, "", missing, none},
	{BFloat16, Int32, false, Docs, "", missing, five},
	{Int32, Int16, false, Docs, "", none, none},
	{Int32, Half, true, Docs, "any mode is accepted", six, six},
	{Int32, Float, false, Docs, "", none, six},
	{Int32, Int64, false, Docs, "", missing, none},
	{Float, Half, false, Docs, "310P: CAST_NONE rounds like CAST_RINT, which asserts", none | odd, six | odd},
	{Float, BFloat16, false, Docs, "", missing, five},
	{Float, Int16, false, Docs, "", missing, five},
	{Float, Int32, false, Headers, "the page of 9.1 leaves it out for the 310P; the code and shipped kernels have it", five, five},
	{Float, Float, false, Docs, "rounds to an integral value", missing, five},
	{Float, Int64, false, Docs, "listed for the 310P, but its code reports it as not supported", missing, five},
	{Int64, Int32, false, Docs, "", missing, none},
	{Int64, Float, false, Docs, "", missing, five},
}

// Casts lists the pairs of types in the order of tables.
func Casts() []CastRow { return append([]CastRow(nil), casts...) }

// CastRow finds the row of a pair; false if the chip lacks it.
func (c *Chip) CastRow(from, to Elem) (CastRow, bool) {
	for _, r := range casts {
		if r.From == from && r.To == to {
			return r, len(r.Modes(c.family)) > 0
		}
	}
	return CastRow{}, false
}

// CastModes lists the modes in which the chip casts; empty if it lacks the pair.
func (c *Chip) CastModes(from, to Elem) []RoundMode {
	r, ok := c.CastRow(from, to)
	if !ok {
		return nil
	}
	return r.Modes(c.family)
}

// CheckCast returns an error that lists the legal modes if the chip does not cast so.
func (c *Chip) CheckCast(from, to Elem, mode RoundMode) error {
	r, ok := c.CastRow(from, to)
	if !ok {
		source := Docs
		if r.From != 0 {
			source = r.Source
		}
		return fmt.Errorf("%s has no Cast from %s to %s (%s)", c.name, from, to, source)
	}
	modes := r.Modes(c.family)
	if containsOf(modes, mode) {
		return nil
	}
	return fmt.Errorf("%s does not take %s in a Cast from %s to %s, only %s (%s)",
		c.name, mode, from, to, modeNames(modes), r.Source)
}

func modeNames(list []RoundMode) string {
	text := ""
	for i, m := range list {
		if i > 0 {
			text += ", "
		}
		text += m.String()
	}
	return text
}
