package synth

import (
	"encoding/binary"
	"hash/fnv"
	"math"

	"moge/ir/dtype"
)

// The values of a tensor are quantiles of a normal distribution, picked by a counter-based
// generator: element i depends on the tensor's key and on i alone, so any part can be made
// anywhere, in any order.
const (
	tableBits = 12
	tableSize = 1 << tableBits
	tableMask = tableSize - 1
	// perWord is how many elements one 64-bit random number gives.
	perWord = 4
)

// table holds the values of one distribution, encoded: as 16 bits, or 32 for f32.
type table struct {
	half *[tableSize]uint16 // nil for f32
	full *[tableSize]uint32 // nil otherwise
}

// newTable encodes mean + std · z over the quantiles z of the standard normal distribution.
func newTable(d dtype.Type, mean, std float32) table {
	t := table{}
	if d == dtype.F32 {
		t.full = new([tableSize]uint32)
	} else {
		t.half = new([tableSize]uint16)
	}
	for i := range tableSize {
		v := mean + float32(std*quantile(i))
		switch d {
		case dtype.F32:
			t.full[i] = math.Float32bits(v)
		case dtype.F16:
			t.half[i] = dtype.F32ToF16(v)
		case dtype.BF16:
			t.half[i] = dtype.F32ToBF16(v)
		default:
			panic("BUG: random values of type " + d.String())
		}
	}
	return t
}

// quantile is the middle of slice i of the distribution, rounded to a multiple of 2^-12 so that
// the last bit of Erfinv, which machines may compute differently, does not show.
func quantile(i int) float32 {
	p := (float64(i) + 0.5) / tableSize
	return float32(math.Round(math.Sqrt2*math.Erfinv(2*p-1)*4096) / 4096)
}

// width is the storage of one element in bytes.
func (t table) width() int {
	if t.full != nil {
		return 4
	}
	return 2
}

// fill writes the elements from first on, which must be a multiple of perWord, to all of buf.
func (t table) fill(buf []byte, key, first uint64) {
	counter := first / perWord
	step := perWord * t.width()
	for ; len(buf) >= step; buf = buf[step:] {
		t.word(buf, mix(key, counter))
		counter++
	}
	if len(buf) > 0 {
		var last [perWord * 4]byte
		t.word(last[:], mix(key, counter))
		copy(buf, last[:])
	}
}

// word writes perWord elements, picked by four separate parts of r.
func (t table) word(buf []byte, r uint64) {
	a, b, c, d := r&tableMask, r>>16&tableMask, r>>32&tableMask, r>>48&tableMask
	if h := t.half; h != nil {
		v := uint64(h[a]) | uint64(h[b])<<16 | uint64(h[c])<<32 | uint64(h[d])<<48
		binary.LittleEndian.PutUint64(buf, v)
		return
	}
	binary.LittleEndian.PutUint64(buf, uint64(t.full[a])|uint64(t.full[b])<<32)
	binary.LittleEndian.PutUint64(buf[8:], uint64(t.full[c])|uint64(t.full[d])<<32)
}

// mix is number n of the SplitMix64 sequence that starts at key (Steele, Lea and Flood, Fast
// splittable pseudorandom number generators, OOPSLA 2014).
func mix(key, n uint64) uint64 {
	z := key + (n+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// tensorKey makes the sequences of tensors and seeds unrelated.
func tensorKey(seed uint64, name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name)) // a hash does not fail
	return mix(h.Sum64(), mix(seed, 0))
}
