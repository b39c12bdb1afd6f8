package cpucard

import (
	"encoding/binary"
	"unsafe"
)

// A matrix [n, k] in NZ, n a multiple of 16, is [k/c][n][c] elements, where c of them are 32 bytes: 32
// of int8 or 16 halves. Sixteen rows of it at one column of blocks are a fragment, 512 bytes in one
// piece. Package kernels wants sixteen rows as tiles, [k/4][16][4] of int8 and [k][16] of halves, so
// that a fragment becomes 512 bytes of its tile in one piece, too.

const (
	tileRows      = 16
	fragmentBytes = 512
	depthI8       = 32 // columns of a fragment of int8
	depthF16      = 16
)

type fragment = [fragmentBytes]byte

// tile puts the sixteen rows of an NZ matrix of n rows from row on into tile order; depth is its
// columns of blocks.
func tile(dst, matrix []byte, n, row, depth int, turn func(dst, src *fragment)) {
	for i := range depth {
		turn((*fragment)(dst[i*fragmentBytes:]), (*fragment)(matrix[(i*n+row)*blockBytes:]))
	}
}

const low32 = 0xffffffff

// turnI8 turns [16 rows][8 groups] of four int8 into [8][16].
func turnI8(dst, src *fragment) {
	from, to := (*[8][8]uint64)(unsafe.Pointer(src)), (*[8][8]uint64)(unsafe.Pointer(dst))
	for r := range 8 {
		rows := &from[r] // two of them
		to[0][r], to[1][r] = exchanged(rows[0], rows[4])
		to[2][r], to[3][r] = exchanged(rows[1], rows[5])
		to[4][r], to[5][r] = exchanged(rows[2], rows[6])
		to[6][r], to[7][r] = exchanged(rows[3], rows[7])
	}
}

// exchanged is the low halves of two words and the high ones.
func exchanged(a, b uint64) (low, high uint64) { return a&low32 | b<<32, a>>32 | b&^low32 }

// turnF16 turns [16 rows][16 columns] of halves into [16][16], four by four.
func turnF16(dst, src *fragment) {
	from, to := (*[4][16]uint64)(unsafe.Pointer(src)), (*[16][4]uint64)(unsafe.Pointer(dst))
	for r := range 4 {
		rows := &from[r] // four of them
		to[0][r], to[1][r], to[2][r], to[3][r] = turned4(rows[0], rows[4], rows[8], rows[12])
		to[4][r], to[5][r], to[6][r], to[7][r] = turned4(rows[1], rows[5], rows[9], rows[13])
		to[8][r], to[9][r], to[10][r], to[11][r] = turned4(rows[2], rows[6], rows[10], rows[14])
		to[12][r], to[13][r], to[14][r], to[15][r] = turned4(rows[3], rows[7], rows[11], rows[15])
	}
}

// turned4 turns four rows of four halves.
func turned4(a, b, c, d uint64) (uint64, uint64, uint64, uint64) {
	const even = 0x0000ffff0000ffff
	ab0, ab1 := a&even|b&even<<16, a>>16&even|b&^even
	cd0, cd1 := c&even|d&even<<16, c>>16&even|d&^even
	r0, r2 := exchanged(ab0, cd0)
	r1, r3 := exchanged(ab1, cd1)
	return r0, r1, r2, r3
}

// addRows adds the elements of each row of a fragment of int8 to sums. Four sums of 16 bits lie side by
// side, of elements that are made positive by adding 128: at most 4·510 in each.
func addRows(sums *[tileRows]int32, src *fragment) {
	const bytes, even = 0x8080808080808080, 0x00ff00ff00ff00ff
	for r := range sums {
		row := src[r*32 : r*32+32]
		total := uint64(0)
		for i := 0; i < 32; i += 8 {
			v := binary.LittleEndian.Uint64(row[i:i+8]) ^ bytes
			total += v&even + v>>8&even
		}
		sums[r] += int32(total*0x0001000100010001>>48) - 32*128
	}
}
