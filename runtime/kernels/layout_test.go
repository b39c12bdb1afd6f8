package kernels

import (
	"bytes"
	"fmt"
	"testing"

	"moge/ir/dtype"
)

var tileTypes = []dtype.Type{dtype.I8, dtype.F32, dtype.BF16, dtype.F16}

// TestPackTilePlacesElements spells out where each layout puts an element.
func TestPackTilePlacesElements(t *testing.T) {
	for _, c := range []struct {
		dt            dtype.Type
		rows, k       int
		row, col      int
		tile, element int // byte offset in the tile, element size
	}{
		{dt: dtype.I8, rows: 16, k: 8, row: 0, col: 3, tile: 3, element: 1},
		{dt: dtype.I8, rows: 16, k: 8, row: 1, col: 0, tile: 4, element: 1},
		{dt: dtype.I8, rows: 16, k: 8, row: 2, col: 5, tile: 64 + 8 + 1, element: 1},
		{dt: dtype.BF16, rows: 3, k: 5, row: 2, col: 4, tile: (4*16 + 2) * 2, element: 2},
		{dt: dtype.F16, rows: 3, k: 5, row: 2, col: 4, tile: (4*16 + 2) * 2, element: 2},
		{dt: dtype.F32, rows: 16, k: 2, row: 15, col: 1, tile: (16 + 15) * 4, element: 4},
	} {
		src := make([]byte, c.rows*c.k*c.element)
		want := make([]byte, TileBytes(c.dt, c.k))
		for i := range c.element {
			src[(c.row*c.k+c.col)*c.element+i] = byte(i + 1)
			want[c.tile+i] = byte(i + 1)
		}
		got := bytes.Repeat([]byte{0xee}, len(want))
		PackTile(c.dt, got, src, c.rows, c.k)
		if !bytes.Equal(got, want) {
			t.Errorf("%v [%d,%d]: element (%d,%d) is misplaced", c.dt, c.rows, c.k, c.row, c.col)
		}
	}
}

func TestPackRoundTrip(t *testing.T) {
	r := testRand(3)
	for _, dt := range tileTypes {
		for _, n := range []int{0, 1, 15, 16, 17, 32, 35} {
			for _, k := range []int{0, 1, 3, 4, 5, 8, 19} {
				src := make([]byte, n*k*elementBytes(dt))
				for i := range src {
					src[i] = byte(1 + r.IntN(255))
				}
				checkRoundTrip(t, dt, src, n, k)
			}
		}
	}
}

func checkRoundTrip(t *testing.T, dt dtype.Type, src []byte, n, k int) {
	t.Helper()
	tiled := bytes.Repeat([]byte{0xee}, MatrixBytes(dt, n, k)+1)
	Pack(dt, tiled, src, n, k)
	if tiled[len(tiled)-1] != 0xee {
		t.Fatalf("%v [%d,%d]: packed past the end", dt, n, k)
	}
	if zeros := bytes.Count(tiled, []byte{0}); zeros != len(tiled)-1-len(src) {
		t.Errorf("%v [%d,%d]: %d bytes of padding, want %d", dt, n, k, zeros,
			len(tiled)-1-len(src))
	}
	back := bytes.Repeat([]byte{0xee}, len(src)+1)
	Unpack(dt, back, tiled, n, k)
	if !bytes.Equal(back[:len(src)], src) || back[len(src)] != 0xee {
		t.Errorf("%v [%d,%d]: unpacking does not give back what was packed", dt, n, k)
	}
}

func TestTileFunctionsByWidth(t *testing.T) {
	for _, c := range []struct {
		dt           dtype.Type
		pack, unpack func(dst, src []byte, rows, k int)
	}{
		{dtype.I8, PackTileI8, UnpackTileI8},
		{dtype.BF16, PackTile16, UnpackTile16},
		{dtype.F16, PackTile16, UnpackTile16},
		{dtype.F32, PackTile32, UnpackTile32},
	} {
		src := make([]byte, 5*7*elementBytes(c.dt))
		for i := range src {
			src[i] = byte(i + 1)
		}
		got, want := make([]byte, TileBytes(c.dt, 7)), make([]byte, TileBytes(c.dt, 7))
		c.pack(got, src, 5, 7)
		PackTile(c.dt, want, src, 5, 7)
		back := make([]byte, len(src))
		c.unpack(back, got, 5, 7)
		if !bytes.Equal(got, want) || !bytes.Equal(back, src) {
			t.Errorf("%v: the function by width differs from PackTile and UnpackTile", c.dt)
		}
	}
}

func TestTileSizes(t *testing.T) {
	for _, c := range []struct {
		dt             dtype.Type
		n, k           int
		columns, bytes int
	}{
		{dtype.I8, 17, 5, 8, 2 * 8 * 16}, {dtype.I8, 16, 4, 4, 64}, {dtype.I8, 0, 4, 4, 0},
		{dtype.BF16, 17, 5, 5, 2 * 5 * 32}, {dtype.F32, 1, 3, 3, 3 * 64},
	} {
		columns, size := TileColumns(c.dt, c.k), MatrixBytes(c.dt, c.n, c.k)
		if columns != c.columns || size != c.bytes {
			t.Errorf("%v [%d,%d]: %d columns, %d bytes; want %d, %d", c.dt, c.n, c.k, columns,
				size, c.columns, c.bytes)
		}
	}
}

func TestViews(t *testing.T) {
	b := Bytes([]float32{1, -2})
	if got := Float32s(b); len(got) != 2 || got[0] != 1 || got[1] != -2 {
		t.Errorf("f32 view of [1 -2] is %v", got)
	}
	if got := Uint16s(b); len(got) != 4 || got[1] != 0x3f80 {
		t.Errorf("16-bit view of [1 -2] is %#x", got)
	}
	if got := Int32s(b); len(got) != 2 || got[0] != 0x3f800000 {
		t.Errorf("32-bit view of [1 -2] is %#x", got)
	}
	if got := Int8s(b); len(got) != 8 || got[7] != -64 {
		t.Errorf("8-bit view of [1 -2] is %d", got)
	}
	if Float32s(nil) != nil || Bytes([]int8{}) != nil {
		t.Error("a view of nothing is not nil")
	}
	wantBug(t, fmt.Sprintf("BUG: view of 4 bytes at %p as elements of 4 bytes", &b[1]),
		func() { Float32s(b[1:5]) })
	wantBug(t, fmt.Sprintf("BUG: view of 7 bytes at %p as elements of 2 bytes", &b[0]),
		func() { Uint16s(b[:7]) })
}

// wantBug runs fn, which must panic with the message.
func wantBug(t *testing.T, message string, fn func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if got := recover(); got != message {
			t.Errorf("panic %v, want %s", got, message)
		}
	}()
	fn()
}
