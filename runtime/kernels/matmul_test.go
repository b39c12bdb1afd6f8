package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"moge/ir/dtype"
)

// productShapes are rows around the 1, 2, 4 and 6 of the kernels, tiles around 1 and 4, and
// columns around the groups of 4.
var productShapes = func() (shapes []productShape) {
	for _, rows := range []int{1, 2, 3, 4, 5, 6, 7, 9, 13} {
		for _, tiles := range []int{1, 2, 3, 4, 5, 9} {
			for _, k := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 31, 67} {
				shapes = append(shapes, productShape{rows, tiles, k})
			}
		}
	}
	return shapes
}()

type productShape struct{ rows, tiles, k int }

func (s productShape) String() string {
	return fmt.Sprintf("%d rows, %d tiles, %d columns", s.rows, s.tiles, s.k)
}

func TestMatMulI8IsExact(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := testRand(4)
		for _, s := range productShapes {
			checkMatMulI8(t, r, s)
		}
	})
}

// checkMatMulI8 compares with sums over the row-major matrix. Rows of x are a stride apart and
// followed by garbage, which must not count.
func checkMatMulI8(t *testing.T, r *rand.Rand, s productShape) {
	t.Helper()
	n, padded := s.tiles*TileRows, groups(s.k)*groupI8
	stride := padded + 3
	flat, x := int8s(r, n*s.k), misaligned(int8s(r, (s.rows-1)*stride+padded), 1)
	w := packInt8s(flat, n, s.k)
	sums := make([]int32, n)
	RowSumsI8(sums, w, s.tiles, s.k)
	acc := guard[int32](s.rows*n, 1)
	MatMulI8(acc.in, x, stride, s.rows, w, s.tiles, s.k, sums)
	acc.check(t)
	for row := range s.rows {
		for col := range n {
			want := int32(0)
			for k := range s.k {
				want += int32(x[row*stride+k]) * int32(flat[col*s.k+k])
			}
			if got := acc.in[row*n+col]; got != want {
				t.Fatalf("%v: element (%d,%d) is %d, want %d", s, row, col, got, want)
			}
		}
	}
}

func packInt8s(flat []int8, n, k int) []int8 {
	w := make([]int8, MatrixBytes(dtype.I8, n, k)+1)[1:]
	Pack(dtype.I8, Bytes(w), Bytes(flat), n, k)
	return w
}

// TestMatMulI8Extremes has the largest magnitudes over a long row: 127*127*16384 is near 2^28,
// and x+128 near 2^30.
func TestMatMulI8Extremes(t *testing.T) {
	const k = 16384
	eachISA(t, func(t *testing.T) {
		for _, c := range []struct{ x, w int8 }{{127, 127}, {-127, 127}, {-128, -128}, {127, -128}} {
			x, flat := make([]int8, k), make([]int8, TileRows*k)
			for i := range x {
				x[i] = c.x
			}
			for i := range flat {
				flat[i] = c.w
			}
			w := packInt8s(flat, TileRows, k)
			acc, sums := make([]int32, TileRows), make([]int32, TileRows)
			RowSumsI8(sums, w, 1, k)
			MatMulI8(acc, x, k, 1, w, 1, k, sums)
			if want := k * int32(c.x) * int32(c.w); acc[5] != want {
				t.Errorf("%d*%d summed %d times is %d, want %d", c.x, c.w, k, acc[5], want)
			}
		}
	})
}

// floatKernel is a product with float activations and the meaning of its weights.
type floatKernel struct {
	name   string
	dt     dtype.Type
	run    func(dst []float32, dstStride int, x []float32, xStride, rows int, w []byte, tiles, k int)
	weight func(w []byte, at int) float32 // element at of a row-major matrix
}

var floatKernels = []floatKernel{
	{"F32", dtype.F32,
		func(dst []float32, ds int, x []float32, xs, rows int, w []byte, tiles, k int) {
			MatMulF32(dst, ds, x, xs, rows, Float32s(w), tiles, k)
		},
		func(w []byte, at int) float32 { return Float32s(w)[at] }},
	{"BF16", dtype.BF16,
		func(dst []float32, ds int, x []float32, xs, rows int, w []byte, tiles, k int) {
			MatMulBF16(dst, ds, x, xs, rows, Uint16s(w), tiles, k)
		},
		func(w []byte, at int) float32 { return dtype.BF16ToF32(Uint16s(w)[at]) }},
	{"F16", dtype.F16,
		func(dst []float32, ds int, x []float32, xs, rows int, w []byte, tiles, k int) {
			MatMulF16(dst, ds, x, xs, rows, Uint16s(w), tiles, k)
		},
		func(w []byte, at int) float32 { return dtype.F16ToF32(Uint16s(w)[at]) }},
	{"W8", dtype.I8,
		func(dst []float32, ds int, x []float32, xs, rows int, w []byte, tiles, k int) {
			MatMulW8(dst, ds, x, xs, rows, Int8s(w), tiles, k)
		},
		func(w []byte, at int) float32 { return float32(int8(w[at])) }},
}

// weights draws a row-major matrix of n elements; if not special, of numbers below 8 only.
func (f floatKernel) weights(r *rand.Rand, n int, special bool) []byte {
	values := floats(r, n, special)
	switch f.dt {
	case dtype.F32:
		return Bytes(values)
	case dtype.I8:
		return Bytes(int8s(r, n))
	}
	out := make([]byte, 2*n)
	dtype.Encode(f.dt, out, values)
	return out
}

func TestMatMulFloatBitsFollowTheDefinition(t *testing.T) {
	for _, f := range floatKernels {
		t.Run(f.name, func(t *testing.T) {
			eachISA(t, func(t *testing.T) {
				r := testRand(5)
				for i, s := range productShapes {
					checkMatMulFloat(t, r, f, s, i%2 == 1)
				}
			})
		})
	}
}

func checkMatMulFloat(t *testing.T, r *rand.Rand, f floatKernel, s productShape, special bool) {
	t.Helper()
	n, xStride, dstStride := s.tiles*TileRows, s.k+1, s.tiles*TileRows+5
	flat := f.weights(r, n*s.k, special)
	x := misaligned(floats(r, max((s.rows-1)*xStride+s.k, 0), special), 1)
	w := make([]byte, MatrixBytes(f.dt, n, s.k))
	Pack(f.dt, w, flat, n, s.k)
	dst := guard[float32]((s.rows-1)*dstStride+n, 1)
	f.run(dst.in, dstStride, x, xStride, s.rows, w, s.tiles, s.k)
	dst.check(t)
	for row := range s.rows {
		want := make([]float32, n)
		for col := range want {
			for k := range s.k {
				want[col] += float32(x[row*xStride+k] * f.weight(flat, col*s.k+k))
			}
		}
		got := dst.in[row*dstStride:]
		sameBits(t, fmt.Sprintf("%v, row %d", s, row), got[:n], want)
		for _, v := range got[n:min(len(got), dstStride)] {
			if v != canaryValue[float32]() {
				t.Fatalf("%v: row %d writes past its %d columns", s, row, n)
			}
		}
	}
}

// TestMatMulFloatError compares with float64 sums. Each of k products and k sums is rounded
// once, so the error is at most (k+1) * 2^-24 * sum |x*w|, to first order; twice that covers
// the rest.
func TestMatMulFloatError(t *testing.T) {
	const rows, tiles, k = 5, 5, 300
	for _, f := range floatKernels {
		r := testRand(6)
		flat, x := f.weights(r, tiles*TileRows*k, false), floats(r, rows*k, false)
		w := make([]byte, MatrixBytes(f.dt, tiles*TileRows, k))
		Pack(f.dt, w, flat, tiles*TileRows, k)
		dst := make([]float32, rows*tiles*TileRows)
		f.run(dst, tiles*TileRows, x, k, rows, w, tiles, k)
		for i, got := range dst {
			row, col := i/(tiles*TileRows), i%(tiles*TileRows)
			sum, magnitude := 0.0, 0.0
			for c := range k {
				product := float64(x[row*k+c]) * float64(f.weight(flat, col*k+c))
				sum += product
				magnitude += math.Abs(product)
			}
			bound := 2 * (k + 1) * 0x1p-24 * magnitude
			if e := math.Abs(float64(got) - sum); e > bound {
				t.Fatalf("%s: element (%d,%d) is off by %g, allowed %g", f.name, row, col, e, bound)
			}
		}
	}
}

// TestEmptyProducts has no rows or no tiles: nothing is written, nothing is needed.
func TestEmptyProducts(t *testing.T) {
	eachISA(t, func(*testing.T) {
		MatMulI8(nil, nil, 0, 0, nil, 3, 8, nil)
		MatMulI8(nil, nil, 0, 3, nil, 0, 8, nil)
		MatMulF32(nil, 0, nil, 0, 0, nil, 3, 8)
		MatMulW8(nil, 0, nil, 0, 3, nil, 0, 8)
	})
}
