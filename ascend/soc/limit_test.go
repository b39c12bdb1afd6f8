package soc

import (
	"fmt"
	"strings"
	"testing"
)

func TestLimitRowsAreConsistent(t *testing.T) {
	shared := []string{"Vector", "VectorBinary", "VectorUnary", "launch"}
	for _, c := range Chips() {
		seen := map[string]bool{}
		for _, l := range c.Limits() {
			where := c.Name() + " " + l.API + " " + l.Param
			if seen[where] {
				t.Errorf("%s has two rows", where)
			}
			seen[where] = true
			if !knownSource(l.Source) || l.Multiple < 1 || l.Min > l.Max || l.Bits == 0 {
				t.Errorf("%s lacks a field: %+v", where, l)
			}
			if l.Bits < 64 && l.Max > 1<<l.Bits-1 {
				t.Errorf("%s: %d does not fit %d bits", where, l.Max, l.Bits)
			}
			if l.Count && l.Contains(0) || !l.Contains(l.Least()) {
				t.Errorf("%s: the least value is wrong", where)
			}
			if !containsOf(shared, l.API) && !c.Supports(l.API) {
				t.Errorf("%s: the chip lacks the call", where)
			}
		}
	}
}

func TestLimits(t *testing.T) {
	for _, x := range []struct {
		chip, api, param string
		value            int64
		want             string // what is allowed; empty if the value is
	}{
		{"310P3", "DataCopy", "blockCount", 4095, ""},
		{"310P3", "DataCopy", "blockCount", 4096, "1 to 4095 (blocks): asc-devkit docs"},
		{"310P3", "DataCopy", "blockCount", 0, "1 to 4095 (blocks): asc-devkit docs"},
		{"310P3", "DataCopy", "srcGap", 65535, ""},
		{"310P3", "DataCopy", "srcGap", 65536, "0 to 65535 (32 bytes): asc-devkit docs"},
		{"310P3", "DataCopy", "bytes", 64, ""},
		{"310P3", "DataCopy", "bytes", 48, "32 to 2147483647 in steps of 32 (bytes): asc-devkit docs"},
		{"310P3", "Vector", "repeat", 255, ""},
		{"310P3", "Vector", "repeat", 256, "1 to 255 (repeats): asc-devkit docs"},
		{"310P3", "Mmad", "k", 4095, ""},
		{"910B4", "Mmad", "m", 0, "1 to 4095 (rows): asc-devkit docs"},
		{"310P3", "LoadData:2d", "repeatTimes", 256, "1 to 255 (fractals): asc-devkit docs"},
		{"310P3", "SetFlag", "eventId", 7, ""},
		{"910B4", "SetFlag", "eventId", 6, "0 to 5: asc-devkit docs 2201"},
		{"910B4", "Fixpipe", "nSize", 24, "16 to 4095 in steps of 16 (columns): asc-devkit docs"},
		{"310P3", "Brcb", "dstBlkStride", 2, "1 to 1 (data blocks): headers 8.1.RC1"},
		{"910B4", "Brcb", "dstBlkStride", 2, ""},
		{"910B4", "DataCopyPad", "blockLen", 2097152, "1 to 2097151 (bytes): asc-devkit docs"},
	} {
		err := chip(t, "Ascend"+x.chip).CheckLimit(x.api, x.param, x.value)
		want := fmt.Sprintf("%s of %s is %d on Ascend%s, allowed is %s", x.param, x.api, x.value, x.chip, x.want)
		if (err == nil) != (x.want == "") || err != nil && err.Error() != want {
			t.Errorf("%s %s %d: got %v, want %s", x.api, x.param, x.value, err, x.want)
		}
	}
}

func TestMmadDepth(t *testing.T) {
	for _, c := range Chips() {
		l, _ := c.Limit("Mmad", "k")
		if k := c.At(MmadKPerIssue); k != l.Max/32*32 {
			t.Errorf("%s: %d is not the largest multiple of 32 up to %d", c.Name(), k, l.Max)
		}
	}
}

func TestMmads(t *testing.T) {
	p, b := chip(t, "Ascend310P3"), chip(t, "Ascend910B4")
	for _, x := range []struct {
		what      string
		got, want bool
	}{
		{"310P int8", has(p.Mmad(Int8, Int8, Int32)), true},
		{"310P half to half", has(p.Mmad(Half, Half, Half)), true},
		{"310P bfloat16", has(p.Mmad(BFloat16, BFloat16, Float)), false},
		{"310P float", has(p.Mmad(Float, Float, Float)), false},
		{"910B bfloat16", has(b.Mmad(BFloat16, BFloat16, Float)), true},
		{"910B half to half", has(b.Mmad(Half, Half, Half)), false},
		{"910B uint8", has(b.Mmad(Uint8, Int8, Int32)), false},
	} {
		if x.got != x.want {
			t.Errorf("%s: got %v", x.what, x.got)
		}
	}
	for _, m := range p.Mmads() {
		if m.Bias != 0 {
			t.Errorf("310P has a bias for %s", m.A)
		}
	}
	if m, _ := b.Mmad(Int8, Int8, Int32); m.Bias != Int32 {
		t.Errorf("910B: bias of int8 is %s", m.Bias)
	}
}

func has[T any](_ T, ok bool) bool { return ok }

func TestFractalK(t *testing.T) {
	for e, want := range map[Elem]int{Int8: 32, Half: 16, Float: 8, Int4: 64} {
		if got := FractalK(e); got != want {
			t.Errorf("%s: got %d, want %d", e, got, want)
		}
	}
}

func TestDrains(t *testing.T) {
	p, b := chip(t, "Ascend310P3"), chip(t, "Ascend910B4")
	for _, x := range []struct {
		c        *Chip
		from, to Elem
		scale    DrainScale
		want     string // mode; empty if there is none
	}{
		{p, Int32, Half, ScaleChannel, "VDEQ"}, {p, Float, Half, ScaleNone, "DEQ_NONE"}, {p, Int32, Int32, ScaleNone, "DEQ_NONE"},
		{p, Float, BFloat16, ScaleNone, ""}, {p, Int32, Float, ScaleChannel, ""},
		{b, Int32, Half, ScaleChannel, "VDEQF16"}, {b, Float, BFloat16, ScaleNone, "F322BF16"},
		{b, Int32, BFloat16, ScaleChannel, ""}, {b, Int32, Int32, ScaleNone, "NoQuant"}, {b, Int32, Float, ScaleNone, ""},
	} {
		d, ok := x.c.Drain(x.from, x.to, x.scale)
		if ok != (x.want != "") || d.Mode != x.want {
			t.Errorf("%s: %s to %s, %s: got %q, want %q", x.c.Name(), x.from, x.to, x.scale, d.Mode, x.want)
		}
	}
	for _, c := range Chips() {
		for _, d := range c.Drains() {
			named := strings.HasPrefix(d.Mode, "V")
			if !knownSource(d.Source) || named != (d.Scale == ScaleChannel) || d.Scale.String() == "scale(?)" {
				t.Errorf("%s %s %s to %s: wrong row", c.Name(), d.Mode, d.From, d.To)
			}
		}
	}
}
