package soc

import (
	"slices"
	"testing"
)

func chip(t *testing.T, name string) *Chip {
	t.Helper()
	c, err := Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func knownSource(s Source) bool {
	return slices.ContainsFunc(Sources(), func(i SourceInfo) bool { return i.Source == s })
}

func TestParamsHaveRows(t *testing.T) {
	units := []string{"", "bool", "B", "B/cycle", "B/s", "Hz", "cycles", "MAC/cycle", "op/s"}
	seen := map[string]bool{}
	for _, p := range Params() {
		row := paramTable[p]
		if row.name == "" || row.what == "" {
			t.Errorf("param %d has no row", p)
		}
		if seen[row.name] {
			t.Errorf("two params are called %s", row.name)
		}
		seen[row.name] = true
		if !slices.Contains(units, row.unit) {
			t.Errorf("%s has the unit %q, which is not in the list", p, row.unit)
		}
	}
}

// TestEveryFactHasASource walks every number of every chip. What is not published needs a word.
func TestEveryFactHasASource(t *testing.T) {
	for _, c := range Chips() {
		for _, r := range c.Rows() {
			f, where := r.Fact, c.Name()+" "+r.Param.String()
			if !knownSource(f.Source) {
				t.Errorf("%s has the source %q", where, f.Source)
			}
			if f.Source == NotFound && f.Value != 0 {
				t.Errorf("%s is not found and yet %d", where, f.Value)
			}
			weak := f.Source == NotFound || f.Source == Assumed
			disputed := slices.ContainsFunc(f.Other, func(o Reading) bool { return o.Value != f.Value })
			if (weak || disputed) && f.Note == "" {
				t.Errorf("%s needs a note", where)
			}
			if r.Param.Unit() == "bool" && f.Value != 0 && f.Value != 1 {
				t.Errorf("%s is %d, which is no truth value", where, f.Value)
			}
			if f.Value < 0 {
				t.Errorf("%s is negative", where)
			}
			for _, o := range f.Other {
				if !knownSource(o.Source) {
					t.Errorf("%s has another reading with the source %q", where, o.Source)
				}
			}
		}
	}
}

func TestEveryTextHasASource(t *testing.T) {
	mayBeEmpty := []Text{MacroCube, MacroVector, CCEExtra}
	for _, c := range Chips() {
		for _, x := range Texts() {
			f := c.Text(x)
			if !knownSource(f.Source) {
				t.Errorf("%s %s has the source %q", c.Name(), x, f.Source)
			}
			if f.Value == "" && !slices.Contains(mayBeEmpty, x) {
				t.Errorf("%s %s is empty", c.Name(), x)
			}
			if x.What() == "" {
				t.Errorf("%s is not explained", x)
			}
		}
	}
}

// TestSourcesAreUsed keeps the list of sources and the rows together.
func TestSourcesAreUsed(t *testing.T) {
	used := map[Source]bool{EventSource: true}
	for _, c := range Chips() {
		for _, r := range c.Rows() {
			used[r.Fact.Source] = true
			for _, o := range r.Fact.Other {
				used[o.Source] = true
			}
		}
	}
	for _, i := range Sources() {
		if !used[i.Source] && i.Source != HCCLDocs {
			t.Errorf("no number is from %q", i.Source)
		}
		if i.What == "" {
			t.Errorf("%q is not explained", i.Source)
		}
	}
}

func TestMemoriesAreConsistent(t *testing.T) {
	for _, c := range Chips() {
		for _, s := range Spaces() {
			m := c.Memory(s)
			if m.Usable.Value > m.Bytes.Value {
				t.Errorf("%s %s: %d usable of %d", c.Name(), s, m.Usable.Value, m.Bytes.Value)
			}
			if (m.Bytes.Value == 0) != (m.Align.Value == 0) {
				t.Errorf("%s %s: size %d, alignment %d", c.Name(), s, m.Bytes.Value, m.Align.Value)
			}
			if m.Align.Value > 0 && m.Usable.Value%m.Align.Value != 0 {
				t.Errorf("%s %s: usable %d is no multiple of %d", c.Name(), s, m.Usable.Value, m.Align.Value)
			}
		}
		if usable := c.At(UBBytes) - c.At(UBScratch); c.At(UBUsable) > usable {
			t.Errorf("%s: the scratch of UB is usable", c.Name())
		}
		if banks := c.At(UBBanks) * c.At(UBBankBytes); banks < c.At(UBBytes) {
			t.Errorf("%s: %d bytes of banks hold UB of %d", c.Name(), banks, c.At(UBBytes))
		}
		if c.At(L0CMmadAlign)%c.At(L0CAlign) != 0 {
			t.Errorf("%s: the alignments of L0C do not fit", c.Name())
		}
	}
}

// TestHardwareFitsItself holds the switches and the numbers together.
func TestHardwareFitsItself(t *testing.T) {
	for _, c := range Chips() {
		for _, x := range []struct {
			what string
			a, b bool
		}{
			{"flags between cores", c.Has(HasCoreSync), c.At(CrossCoreFlags) > 0 && c.Supports("CrossCoreSetFlag")},
			{"unaligned copies", c.Has(HasUnalignedCopy), c.Supports("DataCopyPad")},
			{"Fixpipe", c.Has(HasFixpipe), c.Supports("Fixpipe") && c.At(FBBytes) > 0 && c.At(BTBytes) > 0},
			{"bfloat16", c.Has(HasBF16), len(c.CastModes(Float, BFloat16)) > 0},
			{"split cores", c.Split(), c.At(VectorsPerCube) > 1},
			{"extra vector cores", c.At(ExtraVectorCores) > 0, c.At(ExtraVectorClock) > 0 && c.At(ExtraDDRRate) > 0},
		} {
			if x.a != x.b {
				t.Errorf("%s: the rows about %s contradict each other", c.Name(), x.what)
			}
		}
		if c.At(VectorUnits) != c.At(VectorsPerCube)*c.At(CubeUnits) {
			t.Errorf("%s: vector units do not fit the matrix units", c.Name())
		}
		if c.At(EventIDsByHand) > c.At(EventIDs) || c.At(QueueBuffers) > c.At(EventIDs) {
			t.Errorf("%s: more flags are handed out than there are", c.Name())
		}
		if l, _ := c.Limit("SetFlag", "eventId"); l.Max+1 != c.At(EventIDsByHand) {
			t.Errorf("%s: the range of event ids is not event_ids_by_hand", c.Name())
		}
		if l, ok := c.Limit("CrossCoreSetFlag", "flagId"); ok && l.Max+1 != c.At(CrossCoreFlags) {
			t.Errorf("%s: the range of flag ids is not cross_core_flags", c.Name())
		}
	}
}

func TestNumbersOfTheReference(t *testing.T) {
	for _, x := range []struct {
		chip string
		p    Param
		want int64
	}{
		{"Ascend310P3", AICores, 8}, {"Ascend310P3", ExtraVectorCores, 7}, {"Ascend310P3", UBUsable, 253952},
		{"Ascend310P3", L1Bytes, 1048576}, {"Ascend310P3", L0CBytes, 262144}, {"Ascend310P3", DDRRate, 17},
		{"Ascend310P3", DMASetup, 422}, {"Ascend310P3", StackBytes, 16000}, {"Ascend310P3", EventIDsByHand, 8},
		{"Ascend910B1", CubeClock, 1850000000}, {"Ascend910B1", VectorUnits, 48}, {"Ascend910B2", AICores, 24},
		{"Ascend910B3", AICores, 20}, {"Ascend910B4", AICores, 20}, {"Ascend910B4", CubeClock, 1500000000},
		{"Ascend910B4", L2Bytes, 100663296}, {"Ascend910B4", UBUsable, 188160}, {"Ascend910B4", L1Usable, 524032},
		{"Ascend910B4", L0CBytes, 131072}, {"Ascend910B4", EventIDsByHand, 6}, {"Ascend910B4", CrossCoreFlags, 11},
		{"Ascend910B4", StackBytes, 32768}, {"Ascend910B4", DrainScaleBits, 10},
	} {
		if got := chip(t, x.chip).At(x.p); got != x.want {
			t.Errorf("%s %s: got %d, want %d", x.chip, x.p, got, x.want)
		}
	}
}

func TestAtOfWhatNobodyKnows(t *testing.T) {
	defer func() {
		if got := recover(); got != "BUG: dma_full_rate of Ascend310P3 is not known" {
			t.Errorf("got %v", got)
		}
	}()
	chip(t, "Ascend310P3").At(DMAFullRate)
}

// TestCallersCannotChangeTheTables changes what is handed out and looks again.
func TestCallersCannotChangeTheTables(t *testing.T) {
	c := chip(t, "Ascend310P3")
	c.Fact(MACInt8).Other[0].Value = 1
	c.Drains()[0].Mode = "x"
	Chips()[0] = nil
	Products()[0].Aliases[0] = "x"
	APIs()[0].Name8 = "x"
	if c.Fact(MACInt8).Other[0].Value == 1 || c.Drains()[0].Mode == "x" || Chips()[0] == nil ||
		Products()[0].Aliases[0] == "x" || APIs()[0].Name8 == "x" {
		t.Error("a table was changed through a copy")
	}
}
