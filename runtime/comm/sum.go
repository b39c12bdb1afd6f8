package comm

import (
	"encoding/binary"

	"moge/ir/dtype"
)

func summable(t dtype.Type) bool {
	return t == dtype.F32 || t == dtype.F16 || t == dtype.BF16 || t == dtype.I32
}

// sumBlock is how many elements are summed at a time.
const sumBlock = 1024

// sum adds the elements lo to hi of all sources, in their order, into every destination at element
// at + (i - lo). Floats are widened, summed in f32 and rounded once; i32 wraps. A destination may be
// the very bytes of a source: a block is read from all before it is written.
func sum(t dtype.Type, sources, destinations [][]byte, lo, hi, at int64) {
	var total, term [sumBlock]float32
	for ; lo < hi; lo, at = lo+sumBlock, at+sumBlock {
		n := min(hi-lo, sumBlock)
		part := func(of []byte, from int64) []byte { return of[t.Bytes(from):t.Bytes(from+n)] }
		if t == dtype.I32 {
			sumWords(sources, destinations, t.Bytes(lo), t.Bytes(at), t.Bytes(n))
			continue
		}
		dtype.Decode(t, total[:n], part(sources[0], lo))
		for _, s := range sources[1:] {
			dtype.Decode(t, term[:n], part(s, lo))
			for i, v := range term[:n] {
				total[i] += v
			}
		}
		for _, d := range destinations {
			dtype.Encode(t, part(d, at), total[:n])
		}
	}
}

// sumWords adds 32-bit words of n bytes from byte lo of all sources into all destinations at byte at.
func sumWords(sources, destinations [][]byte, lo, at, n int64) {
	for i := int64(0); i < n; i += 4 {
		var total uint32
		for _, s := range sources {
			total += binary.LittleEndian.Uint32(s[lo+i:])
		}
		for _, d := range destinations {
			binary.LittleEndian.PutUint32(d[at+i:], total)
		}
	}
}
