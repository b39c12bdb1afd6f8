package gate

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"sync"

	"moge/ir/dtype"
)

// vocabularyRows is how many different rows the weights of a case have. A row of weights is one of
// them, drawn at random: a row in the wrong place is as visible as if all were different, but for
// one in so many, and the reference computes each product once.
const vocabularyRows = 509

// rowSet is different rows of weights of depth elements, in the layout of NZ: [depth/c0][rows][32
// bytes]; depth is padded with zeros.
type rowSet struct {
	count, depth int
	c0           int // elements of a block of 32 bytes
	blocks       []byte
}

// matrix is rows of weights [rows, depth], each one of a set.
type matrix struct {
	set *rowSet
	of  []uint16 // by row
}

// pick is a matrix of rows drawn from the set.
func (s *rowSet) pick(r *rand.Rand, rows int) matrix {
	m := matrix{s, make([]uint16, rows)}
	for i := range m.of {
		m.of[i] = uint16(r.IntN(s.count))
	}
	return m
}

// write puts rows from to to-1 in NZ, as a matrix of padded rows.
func (m matrix) write(out []byte, from, to, padded int) {
	for k := range alignUp(m.set.depth, m.set.c0) / m.set.c0 {
		line := m.set.blocks[k*m.set.count*32:][:m.set.count*32]
		piece := out[k*padded*32:]
		for i, row := range m.of[from:to] {
			copy(piece[i*32:i*32+32], line[int(row)*32:int(row)*32+32])
		}
	}
}

// newRowSet makes a set of rows; element gives the bytes of one element, in order.
func newRowSet(count, depth, size int, element func(to []byte)) *rowSet {
	s := &rowSet{count: count, depth: depth, c0: 32 / size}
	s.blocks = make([]byte, alignUp(depth, s.c0)/s.c0*count*32)
	for row := range count {
		for k := range depth {
			at := (k/s.c0*count+row)*32 + k%s.c0*size
			element(s.blocks[at : at+size])
		}
	}
	return s
}

// int8Set is rows of int8 from -127 to 127.
func int8Set(r *rand.Rand, count, depth int) *rowSet {
	return newRowSet(count, depth, 1, func(to []byte) { to[0] = byte(int8(r.IntN(255) - 127)) })
}

// halfSet is rows of halves of a normal distribution.
func halfSet(r *rand.Rand, count, depth int, deviation float64) *rowSet {
	return newRowSet(count, depth, 2, func(to []byte) {
		binary.LittleEndian.PutUint16(to, dtype.F32ToF16(float32(r.NormFloat64()*deviation)))
	})
}

// int8Row is one row of a set of int8.
func (s *rowSet) int8Row(row int) []int8 {
	out := make([]int8, 0, s.depth)
	for k := range s.depth {
		out = append(out, int8(s.blocks[(k/32*s.count+row)*32+k%32]))
	}
	return out
}

// halfRow is one row of a set of halves.
func (s *rowSet) halfRow(row int) []float32 {
	out := make([]float32, 0, s.depth)
	for k := range s.depth {
		at := (k/16*s.count+row)*32 + k%16*2
		out = append(out, dtype.F16ToF32(binary.LittleEndian.Uint16(s.blocks[at:])))
	}
	return out
}

// dots is the sums of q with each row of a set of int8; they fit int32.
func (s *rowSet) dots(q []int8) []int32 {
	out := make([]int32, s.count)
	for row := range out {
		sum := int32(0)
		for k := 0; k < s.depth; k += 32 {
			line := s.blocks[(k/32*s.count+row)*32:][:min(32, s.depth-k)]
			part := q[k:][:len(line)]
			for j, w := range line {
				sum += int32(int8(w)) * int32(part[j])
			}
		}
		out[row] = sum
	}
	return out
}

// channels is count scales as those of trained weights of the given depth: products of rows of
// order one are of order one.
func channels(r *rand.Rand, count, depth int) []float32 {
	out := make([]float32, count)
	for i := range out {
		out[i] = float32((0.5 + r.Float64()) / 127 / math.Sqrt(float64(depth)))
	}
	return out
}

// lazily computes f for each of n indices when it is first asked for; it may be asked at once.
func lazily[T any](n int, f func(i int) T) func(i int) T {
	once := make([]func() T, n)
	for i := range once {
		once[i] = sync.OnceValue(func() T { return f(i) })
	}
	return func(i int) T { return once[i]() }
}
