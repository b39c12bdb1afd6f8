package soc

import (
	"bufio"
	"os"
	"slices"
	"strings"
	"testing"
)

// beyondPages are rows that the extract of the documentation's support lists does not have:
// forms that the pages do not tell apart, and calls of the high-level API.
var beyondPages = []string{"ArithProgression", "SyncAll:hardware", "SyncAll:workspace", "Mmad:bias",
	"DataCacheCleanAndInvalid:line", "DataCacheCleanAndInvalid:line, destination"}

// supportLists reads testdata/support.txt: an API of CANN 9.x, 310P/910B, one a line; Y yes, N
// no, C compiles only.
func supportLists(t *testing.T) map[string]string {
	t.Helper()
	file, err := os.Open("testdata/support.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lists := map[string]string{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		i := strings.LastIndexByte(lines.Text(), ' ')
		if i < 0 {
			t.Fatalf("line %q has no support", lines.Text())
		}
		lists[lines.Text()[:i]] = lines.Text()[i+1:]
	}
	return lists
}

func letter(s Support) string { return map[Support]string{Yes: "Y", No: "N", CompileOnly: "C"}[s] }

// page is the name under which the documentation has a row.
func (a API) page() string {
	if a.Name9 == "Cast" && a.Name8 != "Cast" {
		return a.Name8 // the scalar forms of Cast have pages of their own
	}
	if a.Form == "" {
		return a.Name9
	}
	return a.Name9 + ":" + a.Form
}

// TestSupportIsThatOfThePages compares every row with the documentation's lists, both ways.
func TestSupportIsThatOfThePages(t *testing.T) {
	lists := supportLists(t)
	if len(lists) < 250 {
		t.Fatalf("only %d rows were read", len(lists))
	}
	seen := map[string]bool{}
	for _, a := range APIs() {
		if slices.Contains(beyondPages, a.Key()) {
			seen[a.Name9] = true
			continue
		}
		want, ok := lists[a.page()]
		if !ok {
			t.Errorf("%s (page %s) is in no list", a.Key(), a.page())
		}
		if got := letter(a.On310P) + "/" + letter(a.On910B); got != want {
			t.Errorf("%s is %s, the page says %s", a.Key(), got, want)
		}
		seen[a.page()] = true
	}
	for name := range lists {
		if !seen[name] {
			t.Errorf("%s is missing in the tables", name)
		}
	}
}

func TestAPIRowsAreComplete(t *testing.T) {
	keys := map[string]bool{}
	for _, a := range APIs() {
		if keys[a.Key()] {
			t.Errorf("%s has two rows", a.Key())
		}
		keys[a.Key()] = true
		if a.Name8 == "" || a.Name9 == "" || a.Group == "" || a.On310P == 0 || a.On910B == 0 ||
			!knownSource(a.Source) {
			t.Errorf("%s lacks a field: %+v", a.Key(), a)
		}
		for _, f := range []Family{Ascend310P, Ascend910B} {
			if a.On(f) != Yes && len(a.Types(f)) > 0 {
				t.Errorf("%s is missing on %s and has types", a.Key(), f)
			}
			other := pick(f, Ascend910B, Ascend310P)
			typed := len(a.Types(other)) > 0
			if typed && a.On(f) == Yes && len(a.Types(f)) == 0 {
				t.Errorf("%s has no types on %s", a.Key(), f)
			}
			if typed && a.On(f) == No && a.Instead == "" && a.Name8 != "VectorPadding" {
				t.Errorf("%s is missing on %s and nothing is said to write instead", a.Key(), f)
			}
		}
		if slices.Contains(a.Types(Ascend310P), BFloat16) {
			t.Errorf("%s takes bfloat16 on the 310P", a.Key())
		}
	}
}

// TestWhatUsersRunInto names each call that compiles for a chip and is not there.
func TestWhatUsersRunInto(t *testing.T) {
	lacking := map[string][]string{
		"Ascend310P3": {"DataCopyPad", "SetPadValue", "Copy", "Fixpipe", "CrossCoreSetFlag", "CrossCoreWaitFlag",
			"Sort32", "MrgSort", "SyncAll:hardware", "ShiftLeft", "ShiftRight", "Gatherb", "SetAtomicMax", "SetAtomicMin",
			"GetSubBlockIdx", "LoadDataWithTranspose", "Mmad:bias", "DataCopy:l0c-gm", "DataCopy:l0c-l1", "DataCopy:l1-bt",
			"DataCopy:ub-l1 nd2nz", "SetL2CacheHint", "GetSystemCycle", "DataSyncBarrier", "SetNextTaskStart",
			"DataCacheCleanAndInvalid:line, destination", "no such call"},
		"Ascend910B4": {"Scatter", "RpSort16", "MrgSort4", "ProposalConcat", "ProposalExtract", "BroadCastVecToMM",
			"DataCopy:l0c-ub", "VectorPadding", "LoadDataUnzip", "no such call"},
	}
	having := map[string][]string{
		"Ascend310P3": {"SyncAll", "SyncAll:workspace", "DataCopy:ub-l1 strided", "DataCopy:l0c-ub",
			"BroadCastVecToMM",
			"WholeReduceMax", "ReduceRepeat", "CompareScalar", "Compares", "Arange", "Scatter", "IBSet", "SetAtomicAdd"},
		"Ascend910B4": {"SyncAll:hardware", "DataCopyPad", "Fixpipe", "Sort32", "CrossCoreSetFlag", "Copy", "Mmad:bias"},
	}
	for name, apis := range lacking {
		for _, api := range apis {
			if chip(t, name).Supports(api) {
				t.Errorf("%s has %s", name, api)
			}
		}
	}
	for name, apis := range having {
		for _, api := range apis {
			if !chip(t, name).Supports(api) {
				t.Errorf("%s lacks %s", name, api)
			}
		}
	}
}

func TestRenames(t *testing.T) {
	for old, renamed := range map[string]string{
		"WholeReduceMax": "ReduceRepeat", "WholeReduceSum": "ReduceRepeat", "BlockReduceSum": "ReduceDataBlock",
		"PairReduceSum": "ReducePairElem", "CompareScalar": "Compares", "ArithProgression": "Arange", "CastDeq": "CastDequant",
		"FusedMulAddRelu": "MulAddRelu", "SetAtomicNone": "DisableDmaAtomic", "InitConstValue": "Fill",
		"GetReduceMaxMinCount": "GetReduceRepeatMaxMinSpr", "GetAccVal": "GetReduceRepeatSumSpr", "Add": "Add",
	} {
		rows := FindAPIs(old)
		if len(rows) != 1 || rows[0].Name9 != renamed {
			t.Errorf("%s: got %+v, want %s", old, rows, renamed)
		}
	}
}

func TestTypes(t *testing.T) {
	for _, x := range []struct{ chip, api, want string }{
		{"Ascend310P3", "Add", "int16_t, half, int32_t, float"},
		{"Ascend310P3", "Exp", "half, float"},
		{"Ascend310P3", "Duplicate", "int16_t, uint16_t, half, int32_t, uint32_t, float"},
		{"Ascend910B4", "Duplicate", "int16_t, uint16_t, half, bfloat16_t, int32_t, uint32_t, float"},
		{"Ascend310P3", "DataCopy:gm-l1 nd2nz", "int16_t, uint16_t, half, int32_t, uint32_t, float"},
		{"Ascend310P3", "Compare", "half, float"},
		{"Ascend910B4", "Compare", "half, int32_t, float"},
		{"Ascend310P3", "SetAtomicAdd", "int16_t, half, float"},
		{"Ascend310P3", "Sort32", ""},
		{"Ascend910B4", "Scatter", ""},
		{"Ascend310P3", "PipeBarrier", ""},
	} {
		if got := elemNames(chip(t, x.chip).Types(x.api)); got != x.want {
			t.Errorf("%s %s: got %s, want %s", x.chip, x.api, got, x.want)
		}
	}
}

func TestCheckErrors(t *testing.T) {
	c := chip(t, "Ascend310P3")
	for _, x := range []struct {
		api  string
		elem Elem
		want string
	}{
		{"DataCopyPad", 0, "Ascend310P3 has no DataCopyPad (asc-devkit docs); instead: DataCopy of whole " +
			"32-byte blocks: pad rows to 32 bytes in memory"},
		{"Add", BFloat16, "Add of Ascend310P3 does not take bfloat16_t, only int16_t, half, int32_t, float (asc-devkit docs)"},
		{"Duplicate", Int8, "Duplicate of Ascend310P3 does not take int8_t, only int16_t, uint16_t, half, " +
			"int32_t, uint32_t, float (asc-devkit docs)"},
		{"PipeBarrier", 0, ""},
		{"Add", Half, ""},
	} {
		err := c.Check(x.api, x.elem)
		if (err == nil) != (x.want == "") || err != nil && err.Error() != x.want {
			t.Errorf("%s %v: got %v, want %s", x.api, x.elem, err, x.want)
		}
	}
}
