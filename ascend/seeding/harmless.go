package seeding

import (
	"regexp"
	"slices"
)

// rule is faults of some kinds of kernels, and why they change nothing.
type rule struct{ kinds, what, why string }

// harmless is faults that change nothing that a kernel gives: those that are not noticed must be
// among them.
var harmless = []rule{
	{streamed, `^let left\d* = min\(min\(.*\), \d+\), .*\): only \(\(lo`,
		"brings weights up to the end of a chunk, of which those after the share are not multiplied"},
	{streamed, `^let left\d* = min\(min\(.*\), \d+\), .*\): only min\(`,
		"a chunk is a whole pass in this shape, so that it cannot go on after its place"},
	{streamed, `^let count[24] = max\(.*, 1\): only min\(`,
		"a chunk that is visited has a unit: it is for the proof"},
	{streamed, `^let at[24] = min\(.*: only max\(`, "no unit is after the last one: it is for the proof"},
	{streamed, `^let valid = min\(.*: only \d+$`, "every share is whole steps in this shape"},
	{attending, `^let (key|value)Page = max\(.*, 0\): only min\(`,
		"no page is before the first: it is for the proof"},
	{attending, `^let valueRows = max\(.*, 1\): only min\(`,
		"a page that is visited has a row: it is for the proof"},
	{"attention_prefill", `^let valuePage = max\(.*, 0\): only 0$`,
		"multiplies what earlier pages left after the last row by probabilities of zero"},
	{"attention_prefill", `^let length = min\(.*: only \d+$`,
		"visits pages after the last token, and hides all of their scores"},
	{"attention_prefill", `^let chunkPages = min\(.*: only 1$`,
		"each chunk has a page: it is for the proof"},
	{"gate", `^V\.Duplicate\((p|base|scales), .*: removed$`,
		"groups fill all lanes in this shape, and what is filled is written before it is read"},
	{"route", `^V\.Duplicate\((order|source|place)Tile, .*: removed$`,
		"tokens fill whole blocks in this shape, and every element is written after it"},
	{"top_pick", `^V\.Duplicate\(taken, .*: removed$`, "every block is read again in this shape"},
}

// harmlessInHalves is such faults where the halves of a split core have programs of their own: each
// states all bounds, and the verifier finds what is missing in the half that touches memory by it.
var harmlessInHalves = []rule{
	{streamed, `^let height\d* = min\(.*: only \d+$`,
		"multiplies rows of padding too, whose sums the vector half does not read"},
	{"gate", `^let count = min\(.*: only 16$`,
		"multiplies rows of padding too, whose logits the vector half does not store"},
	{"attention_prefill", `^let length = min\(.*: only \(position`,
		"no sequence is longer than its pages: it is for the proof of the half that loads them"},
}

// streamed is the kinds of kernels whose weights stream in chunks, attending those of attention.
const (
	streamed  = "linear|grouped_gate_up|grouped_down|head"
	attending = "attention_decode|attention_prefill"
)

// Harmless says why a fault in a kernel of a kind changes nothing, if it is known to; split is whether
// the kernel is cut in two halves.
func Harmless(kind, what string, split bool) (why string, ok bool) {
	rules := harmless
	if split {
		rules = slices.Concat(harmless, harmlessInHalves)
	}
	for _, h := range rules {
		if matches("^("+h.kinds+")$", kind) && matches(h.what, what) {
			return h.why, true
		}
	}
	return "", false
}

func matches(pattern, s string) bool { return regexp.MustCompile(pattern).MatchString(s) }
