package emu

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// data is a tensor of 8 KiB seen as one element type or another.
type data []byte

func (d data) half(i int) float64     { return halfValue(binary.LittleEndian.Uint16(d[2*i:])) }
func (d data) u16(i int) uint16       { return binary.LittleEndian.Uint16(d[2*i:]) }
func (d data) float(i int) float32    { return math.Float32frombits(uint32(d.int32(i))) }
func (d data) int32(i int) int32      { return int32(binary.LittleEndian.Uint32(d[4*i:])) }
func (d data) int8(i int) int8        { return int8(d[i]) }
func (d data) setU16(i int, v uint16) { binary.LittleEndian.PutUint16(d[2*i:], v) }
func (d data) setFloat(i int, v float32) {
	binary.LittleEndian.PutUint32(d[4*i:], math.Float32bits(v))
}
func (d data) setInt32(i int, v int32) { binary.LittleEndian.PutUint32(d[4*i:], uint32(v)) }

// round is the chip's rounding of a result to half: saturating on 310P, infinite on 910B.
type chipMath struct{ saturates bool }

func (c chipMath) half(v float64) uint16 {
	h := nearestHalf(v)
	if !c.saturates {
		return h
	}
	if v != v {
		return 0
	}
	if h&0x7fff == 0x7c00 {
		return h&0x8000 | 0x7bff
	}
	return h
}

// isNaN holds for every half NaN, of whatever sign and payload; 310P never gives one.
func (c chipMath) isNaN(h uint16) bool { return !c.saturates && h&0x7fff > 0x7c00 }

// value is one case: how inputs are made, and what y must hold.
type value struct {
	name  string
	input func(r *rand.Rand, x, z data)
	want  func(c chipMath, x, z, y data)
}

func halves(scale float64) func(r *rand.Rand, x, z data) {
	return func(r *rand.Rand, x, z data) {
		for i := range 4096 {
			x.setU16(i, nearestHalf((r.Float64()*2-1)*scale))
			z.setU16(i, nearestHalf((r.Float64()*2-1)*scale))
		}
	}
}

func floats(scale float64) func(r *rand.Rand, x, z data) {
	return func(r *rand.Rand, x, z data) {
		for i := range 2048 {
			x.setFloat(i, float32((r.Float64()*2-1)*scale))
			z.setFloat(i, float32((r.Float64()*2-1)*scale))
		}
	}
}

func ints(limit int) func(r *rand.Rand, x, z data) {
	return func(r *rand.Rand, x, z data) {
		for i := range 2048 {
			x.setInt32(i, int32(r.IntN(2*limit+1)-limit))
			z.setInt32(i, int32(r.IntN(2*limit+1)-limit))
		}
	}
}

func anyBytes(r *rand.Rand, x, z data) {
	for i := range x {
		x[i], z[i] = byte(r.Uint32()), byte(r.Uint32())
	}
}

// specials are halves at the edges: zeros, subnormals, the largest, infinities and NaN.
func specials(r *rand.Rand, x, z data) {
	edges := []uint16{0, 0x8000, 1, 0x8001, 0x3ff, 0x400, 0x3c00, 0xbc00, 0x7bff, 0xfbff, 0x7c00,
		0xfc00,
		0x7e00, 0x3555, 0x5640}
	for i := range 4096 {
		x.setU16(i, edges[i%len(edges)])
		z.setU16(i, edges[i/len(edges)%len(edges)])
	}
}

func each2(f func(a, b float64) float64) func(c chipMath, x, z, y data) {
	return func(c chipMath, x, z, y data) {
		for i := range 4096 {
			y.setU16(i, c.half(f(x.half(i), z.half(i))))
		}
	}
}

func each1(f func(a float64) float64) func(c chipMath, x, z, y data) {
	return each2(func(a, _ float64) float64 { return f(a) })
}

func add(a, b float64) float64 { return a + b }

// pairTree adds adjacent pairs of n values (a power of two), rounding each sum.
func pairTree(v []float64, round func(float64) float64) float64 {
	for len(v) > 1 {
		next := make([]float64, len(v)/2)
		for i := range next {
			next[i] = round(v[2*i] + v[2*i+1])
		}
		v = next
	}
	return v[0]
}

func padded(v []float64, n int) []float64 {
	out := make([]float64, n)
	copy(out, v)
	return out
}

func (c chipMath) roundHalf(v float64) float64 { return halfValue(c.half(v)) }
func roundFloat(v float64) float64             { return float64(float32(v)) }

func halvesOf(x data, from, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = x.half(from + i)
	}
	return out
}

func firstMax(v []float64) (float64, int) {
	at := 0
	for i := range v {
		if v[i] > v[at] {
			at = i
		}
	}
	return v[at], at
}

func firstMin(v []float64) (float64, int) {
	at := 0
	for i := range v {
		if v[i] < v[at] {
			at = i
		}
	}
	return v[at], at
}

func castInt8(f func(float64) float64) func(c chipMath, x, z, y data) {
	return func(_ chipMath, x, _, y data) {
		for i := range 4096 {
			v := x.half(i)
			if v != v {
				continue
			}
			y[i] = byte(int8(math.Max(-128, math.Min(127, f(v)))))
		}
	}
}

// nz is the offset of element (r, c) in the fractal layout of R rows with C0 columns a fractal.
func nz(r, c, rows, c0 int) int { return (c/c0*((rows+15)/16)+r/16)*16*c0 + r%16*c0 + c%c0 }

func ones(y data, at, n int) {
	for i := range n {
		y.setU16(at+i, 0x3c00)
	}
}

func bits(y data, f func(i int) bool) {
	for i := range 256 {
		if f(i) {
			y[i/8] |= 1 << (i % 8)
		}
	}
}

// oddCast truncates and sets the last bit where that lost something.
func oddCast(_ chipMath, x, _, y data) {
	for i := range 2048 {
		v := float64(x.float(i))
		h := nearestHalf(v)
		if math.Abs(halfValue(h)) > math.Abs(v) {
			h--
		}
		if halfValue(h) != v {
			h |= 1
		}
		y.setU16(i, h)
	}
}

// reduceSum is the count form: a tree in each repeat; then a tree on 310P, one after the other on
// 910B.
func (c chipMath) reduceSum(v []float64, per int, round func(float64) float64) float64 {
	var sums []float64
	for at := 0; at < len(v); at += per {
		sums = append(sums, pairTree(padded(v[at:min(at+per, len(v))], per), round))
	}
	if c.saturates {
		return pairTree(padded(sums, per), round)
	}
	s := sums[0]
	for _, x := range sums[1:] {
		s = round(s + x)
	}
	return s
}

// Every call computes what the reference says, with no finding, in program order and in random
// orders.
func TestValues(t *testing.T) {
	for chip, c := range map[string]chipMath{"310p": {true}, "910b": {false}} {
		b := newBench(t, chip)
		for _, v := range slices.Concat(values, cubeValues, splitValues) {
			if suites[chip].texts[v.name] == "" {
				continue
			}
			t.Run(chip+"/"+v.name, func(t *testing.T) { b.value(t, c, v) })
		}
	}
}

func (b *bench) value(t *testing.T, c chipMath, v value) {
	x, z := data(b.Bytes(b.x, tensorBytes)), data(b.Bytes(b.z, tensorBytes))
	y := data(b.Bytes(b.y, tensorBytes))
	v.input(rand.New(rand.NewPCG(1, 2)), x, z)
	want := make(data, tensorBytes)
	v.want(c, x, z, want)
	for seed := range uint64(3) {
		for i := range 4096 {
			y.setU16(i, 0x3c00)
		}
		r, err := b.Launch(context.Background(),
			Launch{Kernel: v.name, Blocks: 1, Seed: seed, Args: b.args(InOut, In)})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Findings {
			t.Error(f)
		}
		for i := 0; i < tensorBytes; i += 2 {
			if !bytes.Equal(y[i:i+2], want[i:i+2]) && !(c.isNaN(y.u16(i/2)) && c.isNaN(want.u16(i/2))) {
				t.Fatalf("seed %d, byte %d: got %x, want %x (x %x, z %x)", seed, i, y[i:i+4],
					want[i:i+4],
					x[i:i+4], z[i:i+4])
			}
		}
	}
}

// Reciprocal and Rsqrt are approximations: good to 1e-2 and, so that nobody relies on them, not
// exact.
func TestApproximations(t *testing.T) {
	b := newBench(t, "310p")
	x, y := data(b.Bytes(b.x, tensorBytes)), data(b.Bytes(b.y, tensorBytes))
	halves(9)(rand.New(rand.NewPCG(5, 6)), x, data(b.Bytes(b.z, tensorBytes)))
	for name, f := range map[string]func(float64) float64{
		"v_reciprocal": func(v float64) float64 { return 1 / v },
		"v_rsqrt":      func(v float64) float64 { return 1 / math.Sqrt(math.Abs(v)) },
	} {
		b.launch(t, Launch{Kernel: name})
		inexact := 0
		for i := range 4096 {
			want := math.Max(-65504, math.Min(65504, f(x.half(i))))
			if math.Abs(y.half(i)-want) > 1e-2*math.Abs(want) {
				t.Errorf("%s of %g is %g", name, x.half(i), y.half(i))
			}
			if math.Abs(y.half(i)-want) > 1e-3*math.Abs(want) {
				inexact++
			}
		}
		if inexact == 0 {
			t.Errorf("%s is better than the card promises", name)
		}
	}
}
