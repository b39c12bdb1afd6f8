package cpucard

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"moge/ir/dtype"
	"moge/runtime/kernels"
)

// inNZ puts a row-major matrix in NZ.
func inNZ(flat []byte, n, k, size int) []byte {
	out := make([]byte, len(flat))
	c := blockBytes / size
	for row := range n {
		for col := 0; col < k; col += c {
			copy(out[(col/c*n+row)*blockBytes:][:blockBytes], flat[(row*k+col)*size:])
		}
	}
	return out
}

// Sixteen rows of an NZ matrix become the tile that package kernels makes of them.
func TestTiles(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct {
		dtype dtype.Type
		size  int
		turn  func(dst, src *fragment)
	}{{dtype.I8, 1, turnI8}, {dtype.F16, 2, turnF16}} {
		const n, k = 48, 96
		flat := make([]byte, n*k*c.size)
		for i := range flat {
			flat[i] = byte(random.Uint32())
		}
		w := inNZ(flat, n, k, c.size)
		for row := 0; row < n; row += tileRows {
			want := make([]byte, kernels.TileBytes(c.dtype, k))
			kernels.PackTile(c.dtype, want, flat[row*k*c.size:], tileRows, k)
			got := make([]byte, len(want))
			tile(got, w, n, row, k*c.size/blockBytes, c.turn)
			if !bytes.Equal(got, want) {
				t.Errorf("%v: rows from %d differ", c.dtype, row)
			}
		}
	}
}

func TestRowSums(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 1))
	for _, of := range []func() int8{
		func() int8 { return int8(random.Uint32()) },
		func() int8 { return -128 },
		func() int8 { return 127 },
	} {
		var f fragment
		var sums, want [tileRows]int32
		for i := range f {
			v := of()
			f[i] = byte(v)
			want[i/blockBytes] += 2 * int32(v)
		}
		addRows(&sums, &f)
		addRows(&sums, &f)
		if sums != want {
			t.Errorf("sums %v, want %v", sums, want)
		}
	}
}
