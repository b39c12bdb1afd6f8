package gate

import (
	"encoding/binary"
	"math/rand/v2"

	"moge/ir/dtype"
)

// lanes is the number of 32-bit elements of a block of 32 bytes.
const lanes = 8

// random is a source of numbers for a case: seed and stream give independent sequences.
func random(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

// normals is count values of a normal distribution with the given deviation, rounded to half.
func normals(r *rand.Rand, count int, deviation float64) []float32 {
	out := make([]float32, count)
	for i := range out {
		out[i] = asHalf(float32(r.NormFloat64() * deviation))
	}
	return out
}

// asHalf is x rounded to half, to the nearest, ties to even.
func asHalf(x float32) float32 { return dtype.F16ToF32(dtype.F32ToF16(x)) }

// halves is the bytes of xs as halves.
func halves(xs []float32) []byte {
	out := make([]byte, 2*len(xs))
	dtype.Encode(dtype.F16, out, xs)
	return out
}

// floats is the bytes of xs as f32.
func floats(xs []float32) []byte {
	out := make([]byte, 4*len(xs))
	dtype.Encode(dtype.F32, out, xs)
	return out
}

// ints is the bytes of xs as i32.
func ints(xs []int32) []byte {
	out := make([]byte, 4*len(xs))
	for i, x := range xs {
		binary.LittleEndian.PutUint32(out[4*i:], uint32(x))
	}
	return out
}

// int8s is the bytes of xs.
func int8s(xs []int8) []byte {
	out := make([]byte, len(xs))
	for i, x := range xs {
		out[i] = byte(x)
	}
	return out
}

// spread puts rows of width elements at a pitch, zeros between them: width 1 and pitch lanes for
// TokenRows(T, 1).
func spread[E any](xs []E, width, pitch int) []E {
	out := make([]E, len(xs)/width*pitch)
	for r := range len(xs) / width {
		copy(out[r*pitch:], xs[r*width:(r+1)*width])
	}
	return out
}

// repeated is each of xs count times: RowScales has the scale of a row in 8 elements.
func repeated[E any](xs []E, count int) []E {
	out := make([]E, 0, len(xs)*count)
	for _, x := range xs {
		for range count {
			out = append(out, x)
		}
	}
	return out
}

// nz puts a matrix [rows, cols] in NZ with column blocks of c0 elements: [cols/c0][rows to 16][c0],
// zeros in the padding. c0 is 16 for halves and 32 for int8.
func nz[E any](xs []E, rows, cols, c0 int) []E {
	padded := alignUp(rows, 16)
	out := make([]E, padded*alignUp(cols, c0))
	for i := range rows {
		for j := 0; j < cols; j += c0 {
			copy(out[nzAt(padded, c0, i, j):], xs[i*cols+j:i*cols+min(j+c0, cols)])
		}
	}
	return out
}

// nzAt is where element (row, col) of an NZ matrix with rows rows, padding included, lies.
func nzAt(rows, c0, row, col int) int { return col/c0*rows*c0 + row*c0 + col%c0 }

func alignUp(x, to int) int { return (x + to - 1) / to * to }
