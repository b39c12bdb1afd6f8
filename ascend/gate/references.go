package gate

import (
	"iter"

	"moge/ascend/kernels"
)

// Shapes says how many shapes a kernel is executed at.
type Shapes uint8

// Default is a few shapes a kernel; All adds every edge of tiles, blocks and pages.
const (
	Default Shapes = iota
	All
)

// String is the word for s.
func (s Shapes) String() string { return [...]string{Default: "default", All: "all"}[s] }

// reference is Cases for one kind.
type reference func(spec kernels.Spec, shapes Shapes, seed uint64) iter.Seq[*Case]

// of makes a reference of a function for one type of spec.
func of[S kernels.Spec](f func(S, Shapes, uint64) iter.Seq[*Case]) reference {
	return func(spec kernels.Spec, shapes Shapes, seed uint64) iter.Seq[*Case] {
		return f(spec.(S), shapes, seed)
	}
}

// references are all references, by kind of spec.
var references = map[string]reference{
	"embed":           of(embed),
	"norm":            of(norm),
	"quantize":        of(quantize),
	"linear":          of(linear),
	"grouped_gate_up": of(gateUp),
	"grouped_down":    of(down),
	"head":            of(head),
	"top_scan":        of(topScan),
	"top_pick":        of(topPick),

	"gate":              of(gate),
	"route":             of(route),
	"dispatch":          of(dispatch),
	"combine":           of(combine),
	"rotary":            of(rotary),
	"attention_decode":  of(decode),
	"attention_prefill": of(prefill),
}

// Cases makes the cases of a spec, of which a kernel can be made, one after the other. A case may
// take as much memory as the weights of the kernel. The same arguments give the same cases.
func Cases(spec kernels.Spec, shapes Shapes, seed uint64) iter.Seq[*Case] {
	return references[spec.Kind()](spec, shapes, seed)
}

// counts are numbers of rows to execute a kernel at, below and with most: one, one more than a
// block of 16, and the most that a typical step has; with All the edges around every block, and of
// launches of more than a thousand.
func (s Shapes) counts(most int) []int {
	if s == Default {
		return upTo(most, 1, 17, 64)
	}
	return upTo(most, 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 64, 80, 127, 128, 129, 1023, 1024, 1025)
}

// few is counts for kernels that take long for each row.
func (s Shapes) few(most int) []int {
	if s == Default {
		return upTo(most, 1, 17)
	}
	return upTo(most, 1, 2, 15, 16, 17, 33, 64, 129)
}

// upTo is the counts that are at most most; in place of larger ones, once, most itself.
func upTo(most int, counts ...int) []int {
	var out []int
	for _, c := range counts {
		if c >= most {
			return append(out, most)
		}
		out = append(out, c)
	}
	return out
}
