package soc

import (
	"fmt"
	"strings"
	"testing"
)

// short prints modes as letters: N none, r rint, f floor, c ceil, a away from zero, t trunc, o
// odd.
func short(list []RoundMode) string {
	text := ""
	for _, m := range list {
		text += string("Nrfcato"[m])
	}
	return text
}

// TestCastTables compares the tables with the ones of the documentation, float to int32 and
// float to int64 of the 310P as its code has them.
func TestCastTables(t *testing.T) {
	for name, want := range map[string]string{
		"Ascend310P3": `int8_t half N
uint8_t half N
int16_t half N
half int4b_t N
half int8_t Nfcat
half uint8_t Nfcat
half int16_t r
half int32_t rfcat
half float N
int32_t int16_t N
int32_t half Nrfcat deq
int32_t float N
float half No
float int32_t rfcat
`,
		"Ascend910B4": `int4b_t half N
int8_t half N
uint8_t half N
int16_t half Nrfcat
int16_t float N
half int4b_t Nrfcat
half int8_t Nrfcat
half uint8_t Nrfcat
half int16_t rfcat
half int32_t rfcat
half float N
bfloat16_t float N
bfloat16_t int32_t rfcat
int32_t int16_t N
int32_t half Nrfcat deq
int32_t float Nrfcat
int32_t int64_t N
float half Nrfcato
float bfloat16_t rfcat
float int16_t rfcat
float int32_t rfcat
float float rfcat
float int64_t rfcat
int64_t int32_t N
int64_t float rfcat
`,
	} {
		c := chip(t, name)
		var got strings.Builder
		for _, r := range Casts() {
			modes := c.CastModes(r.From, r.To)
			if len(modes) == 0 {
				continue
			}
			fmt.Fprintf(&got, "%s %s %s", r.From, r.To, short(modes))
			if r.DeqScale {
				got.WriteString(" deq")
			}
			got.WriteString("\n")
		}
		if got.String() != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got.String(), want)
		}
	}
}

func TestCastRowsAreUnique(t *testing.T) {
	seen := map[[2]Elem]bool{}
	for _, r := range Casts() {
		if seen[[2]Elem{r.From, r.To}] {
			t.Errorf("%s to %s has two rows", r.From, r.To)
		}
		seen[[2]Elem{r.From, r.To}] = true
		if !knownSource(r.Source) || len(r.Modes(Ascend310P))+len(r.Modes(Ascend910B)) == 0 {
			t.Errorf("%s to %s lacks a source or is nowhere", r.From, r.To)
		}
	}
}

// TestQuantizeChain walks the one chain to int8 that every chip has.
func TestQuantizeChain(t *testing.T) {
	for _, c := range Chips() {
		for _, step := range []struct {
			from, to Elem
			mode     RoundMode
		}{{Float, Int32, CastRint}, {Int32, Half, CastRound}, {Half, Int8, CastTrunc}} {
			if err := c.CheckCast(step.from, step.to, step.mode); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestCheckCastErrors(t *testing.T) {
	c := chip(t, "Ascend310P3")
	for _, x := range []struct {
		from, to Elem
		mode     RoundMode
		want     string
	}{
		{Half, Int8, CastRint, "Ascend310P3 does not take CAST_RINT in a Cast from half to int8_t, only " +
			"CAST_NONE, CAST_FLOOR, CAST_CEIL, CAST_ROUND, CAST_TRUNC (asc-devkit docs)"},
		{Float, Half, CastRint, "Ascend310P3 does not take CAST_RINT in a Cast from float to half, only " +
			"CAST_NONE, CAST_ODD (asc-devkit docs)"},
		{Int32, Float, CastRint, "Ascend310P3 does not take CAST_RINT in a Cast from int32_t to float, only " +
			"CAST_NONE (asc-devkit docs)"},
		{Int32, Int8, CastNone, "Ascend310P3 has no Cast from int32_t to int8_t (asc-devkit docs)"},
		{Float, BFloat16, CastRint, "Ascend310P3 has no Cast from float to bfloat16_t (asc-devkit docs)"},
	} {
		if err := c.CheckCast(x.from, x.to, x.mode); err == nil || err.Error() != x.want {
			t.Errorf("got %v, want %s", err, x.want)
		}
	}
}
