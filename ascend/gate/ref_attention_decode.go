package gate

import (
	"fmt"
	"iter"
	"slices"

	"moge/ascend/kernels"
)

// decode is attention of one new token of each of several sequences.
func decode(s kernels.AttentionDecodeSpec, shapes Shapes, seed uint64) iter.Seq[*Case] {
	return func(yield func(*Case) bool) {
		most := s.MaxPages * kernels.PageRows
		for i, lengths := range shapes.contexts(s.MaxSequences, most, s.PoolPages) {
			if !yield(decodeCase(s, lengths, random(seed, uint64(i)).Uint64())) {
				return
			}
		}
	}
}

// contexts is the lengths of the sequences of each launch: one token, none, both sides of edges of
// blocks of 16 rows, of pages and of a chunk of eight pages; with All of every power of two pages.
// Lengths above most are most; a launch has at most so many sequences, and pool pages.
func (s Shapes) contexts(sequences, most, pool int) [][]int {
	launches := [][]int{{1}, {0, 17, 255, 257, 512}, {2049, 300}}
	if s == All {
		launches = [][]int{{1}, {300}, {15, 16, 17, 255, 256, 257, 511, 512, 513, 0},
			{769, 1023, 1024, 1025, 3, 1536, 1537}, {2047, 2048, 2049, 0, 0}, {4095}, {4096, 4097}}
	}
	var out [][]int
	for _, launch := range launches {
		for lengths := range slices.Chunk(launch, sequences) {
			out = append(out, fitting(lengths, most, pool))
		}
	}
	return slices.CompactFunc(out, slices.Equal)
}

// fitting is lengths of at most most, as many of their pages as there are.
func fitting(lengths []int, most, pool int) []int {
	out := make([]int, len(lengths))
	for i, n := range lengths {
		out[i] = min(n, most, pool*kernels.PageRows)
		pool -= pagesOf(out[i])
	}
	return out
}

func decodeCase(s kernels.AttentionDecodeSpec, lengths []int, seed uint64) *Case {
	c := newCache(random(seed, 0), s.KVHeads, s.Dim, s.PoolPages, lengths)
	q := queries(random(seed, 1), len(lengths), s.Heads*s.Dim)
	packed := make([]int32, alignUp(len(lengths), lanes))
	for i, n := range lengths {
		packed[i] = int32(n)
	}
	of := &Case{Name: fmt.Sprintf("contexts of %v", lengths),
		Params:  map[string]int{"sequences": len(lengths)},
		Tensors: map[string][]byte{"q": halves(q), "lengths": ints(packed)},
		Want: []Output{c.output(q, s.Heads, len(lengths), s.Scale,
			func(row int) (sequence, positions int) { return row, lengths[row] })}}
	c.into(of, alignUp(s.MaxPages, lanes))
	return of
}
